//! Kotak's two: bearers, one-time tokens, days that end, an authenticator, a dashboard.

use http::{Request, StatusCode};
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::sim::Mishap;
use sansession::sim::Reply;
use sansession::sim::kotak::neo::{Account, Death, Errors, LimitTold};
use sansession::sim::kotak::trade_api::{Shard, User};
use sansession::sim::kotak::{self as sim, Outcome, Seen};
use sansession::{BaseUrl, Credentials, Input, Need, NeedKind, Secret, Session, Timestamp, machine::Totp, totp};
use std::time::Duration;

use crate::faults::judge::{Word, print};
use crate::faults::year::{Case, Dice, HOUR, MINUTE, SECOND, asks};

const PASSWORD: &str = "correct horse";
const MPIN: &str = "654321";
/// The key of RFC 6238's examples.
const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const OTHER_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJA";

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

fn mishap(dice: &mut Dice) -> Mishap {
    match dice.below(4) {
        0 => Mishap::Dropped,
        1 => Mishap::Slow(dice.between(SECOND, MINUTE)),
        2 => Mishap::MalformedJson,
        _ => Mishap::ProxyPage(StatusCode::from_u16(dice.one_of(&[403, 500, 502, 503])).unwrap()),
    }
}

fn next_minute(now: Timestamp) -> Timestamp {
    Timestamp::from_secs((now.as_secs() / 60 + 1) * 60)
}

/// What keeps everybody out for a while.
#[derive(Default)]
struct Outage {
    until: Option<Timestamp>,
}

pub struct Trade {
    outage: Outage,
    quota: Outage,
    mishaps: Vec<Mishap>,
    has_secret: bool,
    without_code: bool,
}

impl Case for Trade {
    type Provider = TradeApi;
    type Server = sim::TradeApiSim;
    const POLL: Duration = Duration::from_secs(15 * 60);
    const BACK: Duration = Duration::from_secs(60);
    const PER_HOUR: usize = 200;

    fn new(dice: &mut Dice) -> (Self, sim::TradeApiSim) {
        let without_code = dice.once_in(4);
        let user = User::new("USER1", PASSWORD).on(dice.one_of(&[Shard::First, Shard::Second]));
        let user = if without_code && dice.once_in(2) { user.subscribed() } else { user };
        let mut server = sim::TradeApiSim::kotak().app("key", "secret").user(user);
        server.set_texts(dice.once_in(2));
        server.set_faults_inside_200(dice.once_in(4));
        let case = Self {
            outage: Outage::default(),
            quota: Outage::default(),
            mishaps: Vec::new(),
            has_secret: dice.once_in(2),
            without_code,
        };
        (case, server)
    }

    fn provider(&self) -> TradeApi {
        let provider = TradeApi::new(url("https://tradeapi.kotaksecurities.com/apim"), "USER1", "key").unwrap();
        let provider = if self.has_secret { provider.consumer_secret("secret").unwrap() } else { provider };
        if self.without_code { provider.without_code() } else { provider }
    }

    fn happens(&mut self, server: &mut sim::TradeApiSim, now: Timestamp, dice: &mut Dice) {
        server.unlock("USER1");
        match dice.below(10) {
            0 => {
                let status = dice.one_of(&[500, 502, 503]);
                server.set_outage(Some(StatusCode::from_u16(status).unwrap()));
                self.outage.until = Some(now + dice.between(MINUTE, 5 * HOUR));
            }
            1 => {
                server.set_quota(Some(0));
                self.quota.until = Some(now + dice.between(SECOND, 5 * MINUTE));
            }
            2 => server.expire_sessions(),
            3 => server.expire_bearers(),
            4 => server.expire_one_time_tokens(),
            5..8 => {
                let lever = mishap(dice);
                self.mishaps = vec![lever; dice.below(4) as usize];
            }
            _ => {}
        }
    }

    fn passes(&mut self, server: &mut sim::TradeApiSim, now: Timestamp) {
        if self.outage.until.take_if(|until| now >= *until).is_some() {
            server.set_outage(None);
        }
        if self.quota.until.take_if(|until| now >= *until).is_some() {
            server.set_quota(None);
        }
    }

    fn allows(&self, _: &sim::TradeApiSim, _: Timestamp) -> bool {
        self.outage.until.is_none() && self.quota.until.is_none()
    }

    fn before(&mut self, server: &mut sim::TradeApiSim) {
        if let Some(lever) = self.mishaps.pop() {
            server.disturb(1, &lever);
        }
    }

    fn serves(&mut self, server: &mut sim::TradeApiSim, session: &mut Session<TradeApi>, now: Timestamp) -> bool {
        loop {
            asks(server, session, now, "/reports/1.0/orders");
            match server.take_log().last().map(|seen| seen.outcome) {
                // A lever that was meant for another one.
                Some(Outcome::Canned) => {}
                outcome => return outcome == Some(Outcome::Accepted("orders")),
            }
        }
    }

    fn sessions(&self, server: &sim::TradeApiSim, _: Timestamp) -> usize {
        server.open_sessions()
    }

    fn words(
        &mut self,
        server: &mut sim::TradeApiSim,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        _: &Reply,
    ) -> Vec<Word> {
        let word = |seen: Seen| match seen.outcome {
            Outcome::Accepted("login") | Outcome::Refused("password") => Some(Word::Judged(NeedKind::Credentials)),
            Outcome::Accepted("access-code") | Outcome::Refused("access-code") => {
                Some(Word::Judged(NeedKind::AccessCode))
            }
            Outcome::Refused("bearer") => Some(Word::Dead(print(request, "authorization"))),
            Outcome::Refused("session") => Some(Word::Dead(print(request, "sessiontoken"))),
            Outcome::Refused("quota") => Some(Word::Boxed(next_minute(now))),
            _ => None,
        };
        server.take_log().into_iter().filter_map(word).collect()
    }

    fn answers(&mut self, server: &mut sim::TradeApiSim, need: &Need, now: Timestamp, wrongly: bool) -> Option<Input> {
        Some(match need.kind {
            NeedKind::GatewayToken if wrongly => Input::Token(format!("mistyped-{}", now.as_millis()).into()),
            NeedKind::GatewayToken => Input::Token(server.issue_bearer(now).into()),
            NeedKind::Credentials => {
                let password = if wrongly { "wrong horse" } else { PASSWORD };
                Input::Credentials(Credentials::new("USER1", password).unwrap())
            }
            _ => {
                let code = server.access_code("USER1", now).unwrap();
                Input::Code(if wrongly {
                    if code == "0000" { "0001".into() } else { "0000".into() }
                } else {
                    code.into()
                })
            }
        })
    }

    fn user(&self) -> Option<(&'static str, Duration)> {
        Some(("/reports/1.0/orders", 15 * MINUTE))
    }
}

const DASHBOARD: &str = "dashboard-token";
const LOGIN: &str = "/login/1.0/tradeApiLogin";
const VALIDATE: &str = "/login/1.0/tradeApiValidate";
const PROBE: &str = "/login/1.0/get-client-ip";
/// The order book, which the user looks at.
const BOOK: &str = "/quick/user/orders";
const TOLD: [LimitTold; 4] = [LimitTold::RetryAfter, LimitTold::ResetIn, LimitTold::ResetAt, LimitTold::Nothing];

pub struct NeoCase {
    outage: Outage,
    mishaps: Vec<Mishap>,
    made: u64,
}

impl NeoCase {
    fn dashboard(&self) -> String {
        format!("{DASHBOARD}-{}", self.made)
    }
}

fn shown(secret: &str, at: Timestamp) -> Totp {
    totp::code(&Secret::from(secret), at).unwrap()
}

impl Case for NeoCase {
    type Provider = Neo;
    type Server = sim::NeoSim;
    const POLL: Duration = Duration::from_secs(15 * 60);
    const BACK: Duration = Duration::from_secs(60);
    const PER_HOUR: usize = 200;

    fn new(dice: &mut Dice) -> (Self, sim::NeoSim) {
        let case = Self { outage: Outage::default(), mishaps: Vec::new(), made: 0 };
        let own = url("https://e43.kotaksecurities.com");
        let account = Account::new("ABC12", "+910000000000", MPIN, case.dashboard(), own);
        let account = account.accepts_totp(|at| shown(TOTP_SECRET, at).code().to_owned());
        let mut server = sim::NeoSim::new(url("https://mis.kotaksecurities.com")).account(account);
        server.set_errors(dice.one_of(&[Errors::Documented, Errors::Inside200, Errors::NotOk]));
        server.set_death(dice.one_of(&[Death::Code100022, Death::Code1003, Death::Code900901]));
        server.set_tokens_name_their_end(!dice.once_in(4));
        (case, server)
    }

    fn provider(&self) -> Neo {
        Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap()
    }

    fn happens(&mut self, server: &mut sim::NeoSim, now: Timestamp, dice: &mut Dice) {
        match dice.below(10) {
            0 => {
                let status = dice.one_of(&[500, 502, 503]);
                server.set_outage(Some(StatusCode::from_u16(status).unwrap()));
                self.outage.until = Some(now + dice.between(MINUTE, 5 * HOUR));
            }
            1 | 4 => {
                // What is told is believed for so long at once.
                let lasts = dice.between(SECOND, 15 * MINUTE);
                server.set_limit_told(dice.one_of(&TOLD));
                server.set_limited(dice.one_of(&[LOGIN, VALIDATE, PROBE, BOOK]), now + lasts);
            }
            2 => server.expire_sessions(),
            3 if dice.once_in(4) => {
                self.made += 1;
                server.reset_dashboard_token("ABC12", self.dashboard());
            }
            5..8 => {
                let lever = mishap(dice);
                self.mishaps = vec![lever; dice.below(4) as usize];
            }
            _ => {}
        }
    }

    fn passes(&mut self, server: &mut sim::NeoSim, now: Timestamp) {
        if self.outage.until.take_if(|until| now >= *until).is_some() {
            server.set_outage(None);
        }
    }

    fn allows(&self, server: &sim::NeoSim, now: Timestamp) -> bool {
        // One that is not to be checked lives on.
        let limited = |path| server.limited_until(now, path).is_some();
        self.outage.until.is_none() && ![LOGIN, VALIDATE, BOOK].into_iter().any(limited)
    }

    fn before(&mut self, server: &mut sim::NeoSim) {
        if let Some(lever) = self.mishaps.pop() {
            server.disturb(1, &lever);
        }
    }

    fn serves(&mut self, server: &mut sim::NeoSim, session: &mut Session<Neo>, now: Timestamp) -> bool {
        loop {
            asks(server, session, now, BOOK);
            match server.take_log().last().map(|seen| seen.outcome) {
                // A lever that was meant for another one.
                Some(Outcome::Canned) => {}
                outcome => return outcome == Some(Outcome::Accepted("orders")),
            }
        }
    }

    fn sessions(&self, server: &sim::NeoSim, now: Timestamp) -> usize {
        server.open_sessions(now)
    }

    fn words(
        &mut self,
        server: &mut sim::NeoSim,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        reply: &Reply,
    ) -> Vec<Word> {
        let names_its_end = reply.response.headers().contains_key("x-ratelimit-reset");
        let limited = server.limited_until(now, request.uri().path()).filter(|_| names_its_end);
        let word = |seen: Seen| match seen.outcome {
            Outcome::Accepted("login") | Outcome::Refused("totp") => Some(Word::Judged(NeedKind::Totp)),
            Outcome::Accepted("validate") | Outcome::Refused("mpin") => Some(Word::Judged(NeedKind::Pin)),
            // A probe's dead session may be told in the gateway's words, too.
            Outcome::Refused("gateway" | "session") if request.headers().contains_key("auth") => {
                Some(Word::Dead(print(request, "auth")))
            }
            Outcome::Refused("gateway") => Some(Word::Dead(print(request, "authorization"))),
            // Nobody is told that there is nothing but those which a test has set.
            Outcome::Refused("limit") => limited.map(Word::Limited),
            _ => None,
        };
        server.take_log().into_iter().filter_map(word).collect()
    }

    fn answers(&mut self, _: &mut sim::NeoSim, need: &Need, now: Timestamp, wrongly: bool) -> Option<Input> {
        Some(match need.kind {
            NeedKind::GatewayToken if wrongly => Input::Token(format!("mistyped-{}", now.as_millis()).into()),
            NeedKind::GatewayToken => Input::Token(self.dashboard().into()),
            NeedKind::Totp => Input::Totp(shown(if wrongly { OTHER_SECRET } else { TOTP_SECRET }, now)),
            _ => Input::Pin(if wrongly { "111111".into() } else { MPIN.into() }),
        })
    }

    fn user(&self) -> Option<(&'static str, Duration)> {
        Some((BOOK, 4 * MINUTE))
    }
}
