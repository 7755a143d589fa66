//! A session is saved by one process and taken up by another, without a second login.
//!
//! `cargo run --example move_session` plays both processes against a simulated IBKR. Its OAuth 2.0
//! binds a session to the IP address that opened it, so the way out of the network has a name in
//! [`Options::egress_label`], and a machine with another one is refused before anything is sent.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

use sansession::drive::{
    Answer, Handle, Stop,
    blocking::{Driver, Transport, drive},
    now, seed,
};
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::{OAuth2, WebApi, oauth2::Client};
use sansession::sim::ibkr::{self as sim, oauth_keys::Keys, oauth2::OAuth2Server};
use sansession::{BaseUrl, Event, Need, Options, Phase, ResumeError, Session, Snapshot};

fn main() -> Result<(), Box<dyn Error>> {
    let keys = Keys::generate([1; 32], 3_072).ok_or("no keys")?;
    let mut ibkr = OAuth2Server::new([2; 32]);
    ibkr.register("client-1", "main", &keys.signature_public, &["tester"])?;
    let server = sansession::sim::Server::start(sim::WebApiSim::oauth2(ibkr, sim::WebApiSim::settings()), now)?;
    let base = BaseUrl::parse(&format!("{}/v1/api", server.url()))?;
    let provider = || -> Result<WebApi, Box<dyn Error>> {
        let key = PrivateKey::from_pem(keys.signature.expose())?;
        let client = Client::new("client-1", "main")?;
        Ok(WebApi::new(&base, OAuth2::new(client, key, "tester", IpAddr::V4(Ipv4Addr::LOCALHOST))?)?)
    };
    // Of its owner alone, since it holds tokens, and of a name that nobody knows before.
    let mut file = tempfile::NamedTempFile::new()?;

    // The first process opens the session, stops driving it and writes it down.
    let (first, transport) = (Handle::new(Session::new(provider()?, behind("fibre"), seed()?)), Transport::new()?);
    println!("here: {:?}", drive(&first, &transport, &mut LeaveWhenUsable(first.clone()))?);
    file.write_all(first.snapshot().expose_secrets().as_bytes())?;

    // Another process takes it up, once: the file is gone as soon as it is read.
    let snapshot = Snapshot::from_text(fs::read_to_string(file.path())?);
    file.close()?;
    match Session::resume(provider()?, &snapshot, behind("mobile"), None, seed()?, now()) {
        Err(error @ ResumeError::WrongEgress) => println!("on another network: {error}"),
        other => return Err(format!("this must not work: {other:?}").into()),
    }
    let there = Handle::new(Session::resume(provider()?, &snapshot, behind("fibre"), None, seed()?, now())?);
    let call = http::Request::get("/iserver/accounts").body(Vec::new())?;
    println!("there: a call gets {}", there.call(&transport, call)?.status());
    there.stop(Stop::Logout);
    println!("there: {:?}", drive(&there, &transport, &mut |_: &Need| Answer::GiveUp)?);
    println!("logins: {}", server.log().iter().filter(|served| served.path.ends_with("/sso-sessions")).count());
    Ok(())
}

/// The options of a process whose requests leave by that line.
fn behind(line: &str) -> Options {
    let mut options = Options::default();
    options.egress_label = Some(line.into());
    options
}

struct LeaveWhenUsable(Handle<Session<WebApi>>);

impl Driver for LeaveWhenUsable {
    fn answer(&mut self, _: &Need) -> Answer {
        Answer::GiveUp // the key answers for everything
    }

    fn event(&mut self, event: &Event) {
        if matches!(event, Event::PhaseChanged { to: Phase::Active, .. }) {
            self.0.stop(Stop::Leave);
        }
    }
}
