//! IBKR: the gateway on the user's machine, and the Web API behind OAuth 1.0a and 2.0.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{Gateway, OAuth1a, OAuth2, OrElse, Region, Takeover, WebApi};
use sansession::sim::Mishap;
use sansession::sim::Reply;
use sansession::sim::ibkr::oauth::OAuthServer;
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::sim::ibkr::oauth2::OAuth2Server;
use sansession::sim::ibkr::{
    self as sim, Call, End, Flaky, Happening, Holder, Lever, Logged, LoggedOut, Login, Midnight, Outage, Person,
    RateLimits, RefusedInit, Rival, Settings, TickleBody,
};
use sansession::{BaseUrl, Input, Need, NeedKind, Secret, Session, Timestamp};

use crate::faults::judge::Word;
use crate::faults::year::{Case, Dice, HOUR, MINUTE, SECOND, asks};

/// The maintenance of each night, from midnight on.
const MAINTENANCE: Duration = Duration::from_secs(8 * 60);

/// A tickle each minute tells what was lost; where all flags are false `sso/validate` has to tell the rest, of which one
/// a minute is allowed.
const POLL: Duration = Duration::from_secs(60 + 65);

/// How long a penalty box lasts.
const BOX: Duration = Duration::from_secs(15 * 60);

/// The longest wait of any retry, and the first wait between two inits.
const BACK: Duration = Duration::from_secs(2 * 60);

/// The longest wait between two requests for a token.
const RENEWAL: Duration = Duration::from_secs(5 * 60);

/// How late a login is seen where all flags stay false.
const HINT: Duration = Duration::from_secs(5 * 60);

/// The longest wait between two inits, since inits at a pace of one a minute made a gateway refuse logins. No flag says
/// truly that a rival has left, so where one was the wait may be that long.
const SLOWEST: Duration = Duration::from_secs(30 * 60);

/// Who has sent about so many inits since midnight goes on slowly.
const INITS: u32 = 90;

/// What both ways in have in common: the brokerage session and what happens to it.
struct Brokerage {
    region: Region,
    takeover: Takeover,
    out_until: Timestamp,
    boxed_until: Timestamp,
    /// What the server wrote down between two requests.
    unread: Vec<Logged>,
    /// Whether a test has put the client into the penalty box, which is not the client's doing.
    boxes: u32,
    says_yes: bool,
    /// Whether a rival has had the session since it was last the client's.
    had_rival: bool,
    /// How many inits left since then, and since midnight.
    inits: u32,
    inits_today: u32,
}

impl Brokerage {
    fn new(dice: &mut Dice) -> Self {
        let never = Timestamp::from_millis(0);
        let takeover = dice.one_of(&[Takeover::Never { then: OrElse::Wait }, Takeover::Ask, Takeover::ALWAYS]);
        let region = dice.one_of(&Region::ALL);
        let says_yes = dice.once_in(2);
        Self {
            region,
            takeover,
            out_until: never,
            boxed_until: never,
            unread: Vec::new(),
            boxes: 0,
            says_yes,
            had_rival: false,
            inits: 0,
            inits_today: 0,
        }
    }

    fn settings(&self, settings: Settings, dice: &mut Dice) -> Settings {
        Settings {
            region: self.region,
            seed: dice.below(u64::MAX),
            flaky: Some(Flaky { percent: dice.below(9) as u8, mishap: trouble(dice) }),
            midnight: dice.one_of(&[Midnight::EndsLogin, Midnight::EndsBrokerage]),
            limits: RateLimits::Documented,
            ..settings
        }
    }

    fn happens(&mut self, server: &mut sim::GatewaySim, now: Timestamp, dice: &mut Dice) {
        match dice.below(12) {
            0 => {
                let lasts = dice.between(SECOND, 3 * HOUR);
                let outage = dice.one_of(&[Outage::Empty503, Outage::Text500, Outage::Page502, Outage::Slow503]);
                self.out_until = now + lasts;
                server.pull(now, Lever::Outage { lasts, outage });
            }
            1 if dice.once_in(3) => {
                self.boxed_until = now + BOX;
                self.boxes += 1;
                server.pull(now, Lever::Penalty);
            }
            2 => server.pull(now, Lever::EndLogin),
            3 => server.pull(now, Lever::EndBrokerage { connected: dice.once_in(2) }),
            4 | 5 => {
                let returns = dice.once_in(3).then(|| dice.between(MINUTE, HOUR));
                let refusal = dice.one_of(&[RefusedInit::Passed, RefusedInit::Fail]);
                server.pull(now, Lever::RivalTakes(Rival { shows: dice.once_in(2), refusal, returns }));
                server.schedule(now + dice.between(SECOND, 9 * HOUR), Lever::RivalLeaves);
            }
            6 => server.pull(now, Lever::StopRenewing),
            7..10 => {
                let path = dice.one_of(&["/tickle", "/status", "/init", "/validate", "/logout", "_token", "-sessions"]);
                server.pull(now, Lever::Mishap { next: 1 + dice.below(4) as usize, path, mishap: trouble(dice) });
            }
            _ => {}
        }
    }

    fn passes(&mut self, server: &mut sim::GatewaySim, now: Timestamp) {
        server.advance(now);
        self.reads(server);
        self.had_rival |= server.holder() == Holder::Rival;
    }

    /// Reads what the server wrote down.
    fn reads(&mut self, server: &mut sim::GatewaySim) {
        for logged in server.take_log() {
            match logged.what {
                Happening::RivalTook => self.had_rival = true,
                Happening::Midnight => self.inits_today = 0,
                _ => {}
            }
            self.unread.push(logged);
        }
    }

    fn back(&self) -> Duration {
        if self.had_rival || self.inits_today > INITS {
            SLOWEST
        } else {
            (BACK * (1 << self.inits.min(5))).min(SLOWEST)
        }
    }

    /// Notes whether the server took a call of the client's.
    fn serves(&mut self, served: bool) -> bool {
        if served {
            (self.had_rival, self.inits) = (false, 0);
        }
        served
    }

    fn allows(&self, server: &sim::GatewaySim, now: Timestamp) -> bool {
        now >= self.out_until
            && now >= self.boxed_until
            && now.since(self.region.last_midnight(now)) >= MAINTENANCE
            && server.holder() != Holder::Rival
    }

    fn words(
        &mut self,
        server: &mut sim::GatewaySim,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        token: u64,
    ) -> Vec<Word> {
        if request.uri().path().ends_with("/ssodh/init") {
            self.inits += 1;
            self.inits_today += 1;
        }
        self.reads(server);
        let mut words = Vec::new();
        for logged in self.unread.drain(..) {
            match logged.what {
                Happening::TookOver if self.takeover == Takeover::Ask => words.push(Word::Judged(NeedKind::Takeover)),
                Happening::LoginEnded(end) if end != End::Logout => words.push(Word::Ended),
                Happening::Boxed if self.boxes > 0 => self.boxes -= 1,
                Happening::Boxed => words.push(Word::TooFast),
                Happening::Answered { status: 429, .. } if logged.at == now => {
                    words.push(Word::Boxed(self.boxed_until));
                    // Nobody is told how much of it is over.
                    self.boxed_until = self.boxed_until.max(now + BOX);
                }
                Happening::Answered { status: 401, call } if call != Call::Token && token > 0 => {
                    words.push(Word::Dead(token));
                }
                _ => {}
            }
        }
        words
    }

    fn answers(&self, server: &sim::GatewaySim) -> Option<Input> {
        (self.says_yes && server.holder() == Holder::Rival).then_some(Input::TakeOver)
    }
}

/// What a request may meet that the server itself cannot help.
fn trouble(dice: &mut Dice) -> Mishap {
    let answer = |status, content_type, body: &str| Mishap::answer(status, content_type, body);
    match dice.below(9) {
        0 => Mishap::Lost,
        1 => Mishap::Dropped,
        2 => Mishap::Slow(dice.between(SECOND, 20 * SECOND)),
        3 => Mishap::MalformedJson,
        4 => Mishap::Truncated,
        5 => answer(500, "text/plain", "Internal Server Error"),
        6 => answer(502, "text/html", "<html>Bad Gateway</html>"),
        7 => answer(200, "text/html", "<html>Access Denied</html>"),
        _ => Mishap::answer(503, "", ""),
    }
}

/// Whether the brokerage tier takes a call.
fn has_accounts(answer: Option<http::Response<Vec<u8>>>) -> bool {
    answer.is_some_and(|answer| answer.status() == 200 && answer.body().starts_with(br#"{"accounts":["#))
}

pub struct AtGateway {
    brokerage: Brokerage,
    /// Whether an answer has come since a person logged in there: before that nobody can tell.
    seen: bool,
}

impl Case for AtGateway {
    type Provider = Gateway;
    type Server = sim::GatewaySim;
    const POLL: Duration = POLL;
    const BACK: Duration = BACK;
    const PER_HOUR: usize = 600;
    const ITS_OWN: bool = false;

    fn new(dice: &mut Dice) -> (Self, sim::GatewaySim) {
        let brokerage = Brokerage::new(dice);
        let logged_out =
            dice.one_of(&[LoggedOut::Unauthorized, LoggedOut::AccessDenied, LoggedOut::Empty, LoggedOut::Redirect]);
        let settings = Settings {
            login: Login::Never,
            logged_out,
            no_session_inside_200: dice.once_in(4),
            opens_itself: !dice.once_in(4),
            ..Settings::default()
        };
        let settings = brokerage.settings(settings, dice);
        (Self { brokerage, seen: false }, sim::GatewaySim::new(settings))
    }

    fn provider(&self) -> Gateway {
        let base = BaseUrl::parse("https://localhost:5000/v1/api").unwrap();
        Gateway::new(&base).unwrap().region(self.brokerage.region).takeover(self.brokerage.takeover)
    }

    fn happens(&mut self, server: &mut sim::GatewaySim, now: Timestamp, dice: &mut Dice) {
        self.brokerage.happens(server, now, dice);
    }

    fn passes(&mut self, server: &mut sim::GatewaySim, now: Timestamp) {
        self.brokerage.passes(server, now);
        self.seen &= server.person().is_some();
    }

    fn allows(&self, server: &sim::GatewaySim, now: Timestamp) -> bool {
        self.brokerage.allows(server, now) && server.person().is_some()
    }

    fn back(&self) -> Duration {
        self.brokerage.back().max(HINT)
    }

    fn stands(&self, server: &sim::GatewaySim, need: &Need) -> bool {
        match need.kind {
            NeedKind::Browser => server.person().is_none(),
            _ => server.holder() == Holder::Rival,
        }
    }

    fn serves(&mut self, server: &mut sim::GatewaySim, session: &mut Session<Gateway>, now: Timestamp) -> bool {
        self.brokerage.reads(server);
        let answer = asks(server, session, now, "/iserver/accounts");
        server.take_log();
        self.brokerage.serves(has_accounts(answer))
    }

    fn sessions(&self, server: &sim::GatewaySim, _: Timestamp) -> usize {
        usize::from(self.seen && server.person().is_some())
    }

    fn words(
        &mut self,
        server: &mut sim::GatewaySim,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        reply: &Reply,
    ) -> Vec<Word> {
        self.seen |= reply.fault.is_none() && reply.response.status() == 200;
        self.seen &= server.person().is_some();
        self.brokerage.words(server, now, request, 0)
    }

    fn answers(&mut self, server: &mut sim::GatewaySim, need: &Need, now: Timestamp, wrongly: bool) -> Option<Input> {
        if need.kind == NeedKind::Takeover {
            return self.brokerage.answers(server);
        }
        if !wrongly {
            server.pull(now, Lever::LogIn(Person::default()));
        }
        // Who says so without having done it is not believed.
        (wrongly || now.as_millis().is_multiple_of(3)).then_some(Input::Done)
    }

    fn user(&self) -> Option<(&'static str, Duration)> {
        None
    }
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([8; 32], 3_072).unwrap())
}

fn short_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([5; 32], 2_048).unwrap())
}

fn key(pem: &Secret) -> PrivateKey {
    PrivateKey::from_pem(pem.expose()).unwrap()
}

fn base() -> BaseUrl {
    BaseUrl::parse("https://api.ibkr.com/v1/api").unwrap()
}

/// A direct session; `V` is the version of OAuth.
pub struct Direct<const V: u8> {
    brokerage: Brokerage,
    provider: Arc<WebApi>,
    /// Counts the tokens that reached the client.
    tokens: u64,
    /// Whether the server has a token that lives. Without one nobody can end what stands behind it.
    open: bool,
}

impl<const V: u8> Case for Direct<V> {
    type Provider = Arc<WebApi>;
    type Server = sim::WebApiSim;
    const POLL: Duration = POLL;
    const BACK: Duration = BACK;
    const PER_HOUR: usize = 600;
    const ITS_OWN: bool = false;

    fn new(dice: &mut Dice) -> (Self, sim::WebApiSim) {
        let brokerage = Brokerage::new(dice);
        let settings = brokerage.settings(sim::WebApiSim::settings(), dice);
        let (provider, server) = if V == 1 {
            let upload = short_keys().upload();
            let mut server = OAuthServer::new([6; 32]);
            server.register("ABCDEFGHI", &upload, Timestamp::from_secs(0)).unwrap();
            server.stamps_creation = dice.once_in(3);
            let issued = server.issue("ABCDEFGHI").unwrap();
            let grant = Grant::new(issued.access_token, issued.encrypted_secret).unwrap();
            let params = DhParams::from_pem(&short_keys().dh_params).unwrap();
            let (signature, encryption) = (key(&short_keys().signature), key(&short_keys().encryption));
            let oauth =
                OAuth1a::new(Consumer::new("ABCDEFGHI").unwrap(), &grant, signature, &encryption, params).unwrap();
            (WebApi::new(&base(), oauth).unwrap(), sim::WebApiSim::oauth1a(server, settings))
        } else {
            let mut server = OAuth2Server::new([6; 32]);
            server.register("client-1", "main", &keys().signature_public, &["tester"]).unwrap();
            let client = Client::new("client-1", "main").unwrap();
            let oauth = OAuth2::new(client, key(&keys().signature), "tester", IpAddr::from([127, 0, 0, 1])).unwrap();
            let settings = Settings { tickle: TickleBody::Full, ..settings };
            (WebApi::new(&base(), oauth).unwrap(), sim::WebApiSim::oauth2(server, settings))
        };
        let provider = Arc::new(provider.region(brokerage.region).takeover(brokerage.takeover));
        (Self { brokerage, provider, tokens: 1, open: false }, server)
    }

    fn provider(&self) -> Arc<WebApi> {
        self.provider.clone()
    }

    fn happens(&mut self, server: &mut sim::WebApiSim, now: Timestamp, dice: &mut Dice) {
        if dice.once_in(8) {
            server.end_sessions();
            self.open = false;
        }
        self.brokerage.happens(&mut server.gateway, now, dice);
    }

    fn passes(&mut self, server: &mut sim::WebApiSim, now: Timestamp) {
        let knew = server.gateway.person().is_some();
        self.brokerage.passes(&mut server.gateway, now);
        // As at a request: what ends the outer tier ends the tokens.
        if knew && server.gateway.person().is_none() {
            server.end_sessions();
            self.open = false;
        }
    }

    fn allows(&self, server: &sim::WebApiSim, now: Timestamp) -> bool {
        self.brokerage.allows(&server.gateway, now)
    }

    fn back(&self) -> Duration {
        self.brokerage.back().max(RENEWAL)
    }

    fn stands(&self, server: &sim::WebApiSim, _: &Need) -> bool {
        server.gateway.holder() == Holder::Rival
    }

    fn serves(&mut self, server: &mut sim::WebApiSim, session: &mut Session<Arc<WebApi>>, now: Timestamp) -> bool {
        self.brokerage.reads(&mut server.gateway);
        let answer = asks(server, session, now, "/iserver/accounts");
        server.gateway.take_log();
        self.brokerage.serves(has_accounts(answer))
    }

    fn sessions(&self, server: &sim::WebApiSim, _: Timestamp) -> usize {
        usize::from(self.open && server.gateway.person().is_some())
    }

    fn words(
        &mut self,
        server: &mut sim::WebApiSim,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        reply: &Reply,
    ) -> Vec<Word> {
        let path = request.uri().path();
        let opens = path.ends_with("/live_session_token") || path.ends_with("/sso-sessions");
        if opens && reply.fault.is_none() && reply.response.status() == 200 {
            self.tokens += 1;
        }
        self.brokerage.reads(&mut server.gateway);
        let granted = Happening::Answered { call: Call::Token, status: 200 };
        self.open |= opens && self.brokerage.unread.iter().any(|logged| logged.what == granted);
        self.open &= server.gateway.person().is_some();
        self.brokerage.words(&mut server.gateway, now, request, self.tokens)
    }

    fn answers(&mut self, server: &mut sim::WebApiSim, _: &Need, _: Timestamp, _: bool) -> Option<Input> {
        self.brokerage.answers(&server.gateway)
    }

    fn user(&self) -> Option<(&'static str, Duration)> {
        None
    }
}
