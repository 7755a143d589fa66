//! The tour: for each provider a simulator, the session before it, and what a program does with both.
#![expect(clippy::disallowed_methods, reason = "a program waits; a machine does not")]

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::Duration;

use sansession::drive::{
    Answer, Pin, Trust,
    blocking::{Driver, Keeper, Transport},
    now, seed,
};
use sansession::http::Request;
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{Gateway, OAuth1a, OAuth2, WebApi};
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::sim::ibkr::oauth::OAuthServer;
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::sim::ibkr::oauth2::OAuth2Server;
use sansession::sim::ibkr::{Login, Person, Settings, TickleBody};
use sansession::sim::kotak::neo::Account;
use sansession::sim::kotak::trade_api::User;
use sansession::sim::{self, Certificate, Server};
use sansession::{BaseUrl, Credentials, Event, Input, Need, NeedKind, Options, Provider, Session, Timestamp, totp};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USER: &str = "alice";
const PASSWORD: &str = "wonderland";
const PIN: &str = "123456";
/// The key of RFC 6238's examples.
const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// A tickle of IBKR's may be sent once a second.
const KEEPALIVE: Duration = Duration::from_millis(1_100);
/// Two keepalives.
const STAY: Duration = Duration::from_millis(2_500);

/// Takes each provider through its life; the first that fails ends the tour.
pub fn tour() -> Result<()> {
    cbrain()?;
    ibkr_gateway()?;
    ibkr_oauth1a()?;
    ibkr_oauth2()?;
    kotak_trade()?;
    kotak_neo()?;
    let names = "cbrain, ibkr-gateway, ibkr-oauth1a, ibkr-oauth2, kotak-trade, kotak-neo";
    println!("6 lives, each from login to logout: {names}");
    Ok(())
}

fn cbrain() -> Result<()> {
    let mut portal = sim::CbrainSim::new(now().as_millis());
    portal.add_user(USER, PASSWORD);
    let server = Server::start(portal, now)?;
    let provider = Cbrain::new(BaseUrl::parse(server.url())?)?.keepalive(KEEPALIVE);
    live("cbrain", provider, "/groups", Trust::mozilla(), nothing)
}

/// The gateway signs its certificate itself, and a person logs in in the browser: here a simulated one, after 2 s.
fn ibkr_gateway() -> Result<()> {
    let login = Login::After { delay: Duration::from_secs(2), person: Person::default() };
    let settings = Settings { login, opens_itself: false, ..soon(Settings::default()) };
    let server = Server::start_tls(Certificate::NoNames, sim::ibkr::GatewaySim::new(settings), now)?;
    let trust = Trust::pin(Pin::of(server.certificate_der().ok_or("no certificate")?));
    let provider = Gateway::new(&BaseUrl::parse(&format!("{}/v1/api", server.url()))?)?.keepalive(KEEPALIVE);
    live("ibkr-gateway", provider, "/iserver/accounts", trust, nothing)
}

/// Each call is signed, by keys that IBKR has been given.
fn ibkr_oauth1a() -> Result<()> {
    let keys = Keys::generate(random()?, 2_048).ok_or("no keys")?;
    let mut oauth = OAuthServer::new(random()?);
    oauth.register("ABCDEFGHI", &keys.upload(), Timestamp::from_secs(0))?;
    let issued = oauth.issue("ABCDEFGHI").ok_or("no access token")?;
    let signer = OAuth1a::new(
        Consumer::new("ABCDEFGHI")?,
        &Grant::new(issued.access_token, issued.encrypted_secret)?,
        PrivateKey::from_pem(keys.signature.expose())?,
        &PrivateKey::from_pem(keys.encryption.expose())?,
        DhParams::from_pem(&keys.dh_params)?,
    )?;
    let server = Server::start(
        sim::ibkr::WebApiSim::oauth1a(
            oauth,
            soon(Settings { tickle: TickleBody::OAuth, ..sim::ibkr::WebApiSim::settings() }),
        ),
        now,
    )?;
    let provider = WebApi::new(&BaseUrl::parse(&format!("{}/v1/api", server.url()))?, signer)?;
    live("ibkr-oauth1a", provider.keepalive(KEEPALIVE), "/iserver/accounts", Trust::mozilla(), nothing)
}

fn ibkr_oauth2() -> Result<()> {
    let keys = Keys::generate(random()?, 3_072).ok_or("no keys")?;
    let mut oauth = OAuth2Server::new(random()?);
    oauth.believes_loopback = true;
    oauth.register("client-1", "main", &keys.signature_public, &[USER])?;
    let key = PrivateKey::from_pem(keys.signature.expose())?;
    let client = OAuth2::new(Client::new("client-1", "main")?, key, USER, IpAddr::V4(Ipv4Addr::LOCALHOST))?;
    let server = Server::start(sim::ibkr::WebApiSim::oauth2(oauth, soon(sim::ibkr::WebApiSim::settings())), now)?;
    let provider = WebApi::new(&BaseUrl::parse(&format!("{}/v1/api", server.url()))?, client)?;
    live("ibkr-oauth2", provider.keepalive(KEEPALIVE), "/iserver/accounts", Trust::mozilla(), nothing)
}

/// A bearer from the application's key and secret, a password, and the access code of the day.
fn kotak_trade() -> Result<()> {
    let server = Server::start(sim::kotak::TradeApiSim::kotak(), now)?; // which has a port by now
    let url = BaseUrl::parse(&format!("{}/apim", server.url()))?;
    let user = User::new("ALICE", PASSWORD);
    let hosts = [url.clone(), BaseUrl::parse(&format!("http://localhost:{}/apim", server.port()))?];
    server.with(|api| *api = sim::kotak::TradeApiSim::new(hosts).app("key", "secret").user(user));
    let provider = TradeApi::new(url, "ALICE", "key")?.consumer_secret("secret")?;
    let code = |need: &Need| match need.kind {
        NeedKind::AccessCode => Some(Input::Code(User::new("ALICE", PASSWORD).access_code(now()).into())),
        _ => None,
    };
    live("kotak-trade", provider, "/reports/1.0/orders", Trust::mozilla(), code)
}

/// An authenticator's code and the MPIN; the server says where calls go.
fn kotak_neo() -> Result<()> {
    let server = Server::start(sim::kotak::NeoSim::new(BaseUrl::parse("http://localhost")?), now)?;
    let own = BaseUrl::parse(&format!("http://localhost:{}", server.port()))?;
    let shows = |at| totp::code(&TOTP_SECRET.into(), at).map_or_else(|_| String::new(), |code| code.code().to_owned());
    let account = Account::new("ALICE", "+910000000000", PIN, "dashboard-token", own).accepts_totp(shows);
    let login = BaseUrl::parse(server.url())?;
    server.with(|api| *api = sim::kotak::NeoSim::new(login.clone()).account(account));
    let provider = Neo::new(login, "ALICE", "+910000000000")?.dashboard_token("dashboard-token")?;
    let codes = |need: &Need| match need.kind {
        NeedKind::Totp => totp::code(&TOTP_SECRET.into(), now()).ok().map(Input::Totp),
        NeedKind::Pin => Some(Input::Pin(PIN.into())),
        _ => None,
    };
    live("kotak-neo", provider, "/quick/user/orders", Trust::mozilla(), codes)
}

/// What every program does: open, wait, call, log out. `own` answers what this provider alone asks.
fn live<P>(name: &'static str, provider: P, path: &str, trust: Trust, own: fn(&Need) -> Option<Input>) -> Result<()>
where
    P: Provider + Send + 'static,
{
    let transport = Transport::builder().trust(trust).build()?;
    let teller = Teller { name, began: now(), own };
    let session = Keeper::start(Session::new(provider, Options::default(), seed()?), transport, teller)?;
    session.wait_active(Duration::from_secs(60))?;
    thread::sleep(STAY / 2);
    let answer = session.call(Request::get(path).body(Vec::new())?)?;
    teller.say(&format!("own call {path}: {}", answer.status()));
    thread::sleep(STAY / 2);
    session.logout()?;
    teller.say("closed: logged out");
    println!();
    if answer.status().is_success() { Ok(()) } else { Err("a call of one's own failed".into()) }
}

/// Answers what the session asks, and tells what happens.
#[derive(Clone, Copy)]
struct Teller {
    name: &'static str,
    began: Timestamp,
    own: fn(&Need) -> Option<Input>,
}

impl Teller {
    fn say(&self, words: &str) {
        println!("{:<13}{:>7.2} s  {words}", self.name, now().since(self.began).as_secs_f32());
    }
}

impl Driver for Teller {
    fn answer(&mut self, need: &Need) -> Answer {
        // Kotak's user codes have capitals.
        let user = if self.name.starts_with("kotak") { "ALICE" } else { USER };
        match ((self.own)(need), need.kind) {
            (Some(input), _) => input.into(),
            (None, NeedKind::Credentials) => Credentials::new(user, PASSWORD).into(),
            // The session looks by itself whether a person has logged in in the browser.
            (None, NeedKind::Browser) => Answer::Later(Duration::from_secs(60)),
            (None, _) => Answer::GiveUp,
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::PhaseChanged { from, to } => self.say(&format!("{from} -> {to}")),
            event => self.say(&event.code().replace('-', " ")),
        }
    }
}

fn nothing(_: &Need) -> Option<Input> {
    None
}

fn soon(settings: Settings) -> Settings {
    Settings { establish: Duration::from_millis(500), ..settings }
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
