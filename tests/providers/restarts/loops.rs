//! Five starts of a service whose answer is wrong, at each provider, whatever becomes of the server's word.

use std::time::Duration;

use sansession::providers::kotak::{Neo, TradeApi};
use sansession::sim::cbrain;
use sansession::sim::kotak::neo::Account;
use sansession::sim::kotak::trade_api::User;
use sansession::sim::kotak::{self as sim, Outcome};
use sansession::sim::{self as portals, Simulator};
use sansession::{
    BaseUrl, CloseReason, Credentials, Input, Need, NeedKind, Provider, Secret, Source, Timestamp,
    machine::{Rejection, Totp},
    totp,
};

use crate::restarts::service::{Service, Way};
use crate::support::cbrain;

const STARTS: usize = 5;

const LOST: [Way; 4] = [Way::Cut, Way::Silent, Way::Page(200), Way::Page(502)];

/// A second, as `systemd` waits, up to a day.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(86_400)];

const NEO: &str = "https://mis.kotaksecurities.com";
const OWN: &str = "https://e43.kotaksecurities.com";
const TRADE: &str = "https://tradeapi.kotaksecurities.com/apim";
/// The key of RFC 6238's examples.
const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

fn password(login: &str, password: &str) -> Option<Input> {
    Credentials::new(login, password).ok().map(Input::Credentials)
}

pub fn portal(wrong: bool) -> Service<sansession::providers::cbrain::Cbrain, portals::CbrainSim> {
    let mut portal = portals::CbrainSim::new(1);
    portal.add_user("norm", "correct horse");
    let typed = if wrong { "hunter2" } else { "correct horse" };
    Service::new(cbrain, portal, move |_, _| password("norm", typed))
}

fn shown(at: Timestamp) -> Totp {
    totp::code(&Secret::from(TOTP_SECRET), at).unwrap()
}

/// Neo with this MPIN, and codes of the authenticator or of nobody.
fn neo(pin: &'static str, guesses: bool) -> Service<Neo, sim::NeoSim> {
    let account = Account::new("ABC12", "+910000000000", "654321", "dashboard", url(OWN));
    let server = sim::NeoSim::new(url(NEO)).account(account.accepts_totp(|at| shown(at).code().to_owned()));
    let answer = move |need: &Need, now| match need.kind {
        NeedKind::Totp if guesses => Totp::new("000000", now).ok().map(Input::Totp),
        NeedKind::Totp => Some(Input::Totp(shown(now))),
        NeedKind::Pin => Some(Input::Pin(pin.into())),
        _ => None,
    };
    Service::new(
        || Neo::new(url(NEO), "ABC12", "0000000000").unwrap().dashboard_token("dashboard").unwrap(),
        server,
        answer,
    )
}

/// The Trade API with this password and this access code.
fn trade(secret: &'static str, code: Option<&'static str>) -> Service<TradeApi, sim::TradeApiSim> {
    let user = || User::new("USER1", "correct horse");
    let server = sim::TradeApiSim::kotak().app("key", "secret").user(user());
    let answer = move |need: &Need, now| match need.kind {
        NeedKind::Credentials => password("USER1", secret),
        NeedKind::AccessCode => Some(Input::Code(code.map_or_else(|| user().access_code(now), str::to_owned).into())),
        _ => None,
    };
    Service::new(
        || TradeApi::new(url(TRADE), "USER1", "key").unwrap().consumer_secret("secret").unwrap(),
        server,
        answer,
    )
}

/// Starts a service five times with each pause; gives how often each start ended with what code.
fn starts<P: Provider + Send, S: Simulator>(
    service: &mut Service<P, S>,
    path: &str,
    way: Way,
    pause: Duration,
) -> Vec<String> {
    let start = |_| {
        let reason = service.starts(path, way);
        service.rests(pause);
        reason.map_or_else(|| "killed".into(), |reason| reason.code().to_owned())
    };
    (0..STARTS).map(start).collect()
}

/// In each way the answer is lost, one answer leaves in all starts; with `max_refused` 2 two leave.
fn one_leaves<P: Provider + Send, S: Simulator>(make: impl Fn() -> Service<P, S>, path: &str, first: &str) {
    for way in LOST.into_iter().chain([Way::Whole, Way::Killed, Way::KilledBefore]) {
        for pause in PAUSES {
            for max in [1, 2] {
                let mut service = make();
                service.options.max_refused = max;
                let ends = starts(&mut service, path, way, pause);
                let most = usize::from(max);
                let least = if way == Way::KilledBefore { 0 } else { most };
                let left = service.count(path);
                assert!((least..=most).contains(&left), "{way:?} {pause:?} {max}: {left} left, {ends:?}");
                // What comes before it does not leave for nothing, once the login cannot succeed.
                let logins = service.count(first);
                assert!(logins <= most + 1, "{way:?} {pause:?} {max}: {:?}", service.sent);
                let last = ends.last().unwrap();
                let expected = if way == Way::Whole { "denied." } else { "retries-exhausted" };
                assert!(last.starts_with(expected), "{way:?} {pause:?} {max}: {ends:?}");
                let rejection = if way == Way::Whole { Rejection::Unattended } else { Rejection::MaybeRefused };
                assert_eq!(service.rejected.last(), Some(&rejection), "{way:?} {pause:?} {max}");
            }
        }
    }
}

#[test]
fn cbrains_password_leaves_once() {
    one_leaves(|| portal(true), "/session", "/session");
    let mut service = portal(true);
    starts(&mut service, "/session", Way::Cut, PAUSES[0]);
    assert_eq!(service.server.count(cbrain::Outcome::LoginRefused), 1);
}

#[test]
fn neos_mpin_leaves_once() {
    one_leaves(|| neo("111111", false), "/tradeApiValidate", "/tradeApiLogin");
    let mut service = neo("111111", false);
    starts(&mut service, "/tradeApiValidate", Way::Cut, PAUSES[0]);
    assert_eq!(service.server.log().count(Outcome::Refused("mpin")), 1);
    assert_eq!(service.server.log().count(Outcome::Accepted("login")), 1, "no code is spent for nothing");
}

#[test]
fn neos_code_leaves_once() {
    one_leaves(|| neo("654321", true), "/tradeApiLogin", "/tradeApiLogin");
}

#[test]
fn the_trade_apis_password_and_access_code_leave_once() {
    one_leaves(|| trade("wrong", None), "/login/userid", "/login/userid");
    one_leaves(|| trade("correct horse", Some("0000")), "/2FA/accesscode", "/login/userid");
    for (secret, code, path) in [("wrong", None, "/login/userid"), ("correct horse", Some("0000"), "/2FA/accesscode")] {
        let mut service = trade(secret, code);
        starts(&mut service, path, Way::Cut, PAUSES[0]);
        let refused = ["password", "access-code"].map(|what| service.server.log().count(Outcome::Refused(what)));
        assert_eq!(refused.iter().sum::<usize>(), 1, "the account is locked after three");
    }
}

/// Of a right answer nobody knows either, so somebody has to come; then all is as before.
#[test]
fn a_person_begins_anew_and_success_sets_back_what_it_proves() {
    let mut service = neo("654321", false);
    let lost = |service: &mut Service<Neo, sim::NeoSim>| service.starts("/tradeApiValidate", Way::Cut).unwrap();
    let unclear = |reason: &CloseReason| reason.to_string().contains("the pin got no clear reply");
    assert!(unclear(&lost(&mut service)));
    assert!(unclear(&service.starts("", Way::Whole).unwrap()), "nothing left");
    assert_eq!(service.count("/tradeApiValidate"), 1);
    assert_eq!(service.starts_by(Source::Person, "", Way::Whole).unwrap().code(), "logged-out");
    assert!(!service.text().contains("\"lost\""), "{}", service.text());
    assert_eq!(service.starts("", Way::Whole).unwrap().code(), "logged-out");
    assert!(unclear(&lost(&mut service)), "counted anew");
}

/// A program whose answers are right lives for ever, and no start costs the next one anything.
#[test]
fn right_answers_leave_at_each_start() {
    let mut service = portal(false);
    assert_eq!(starts(&mut service, "", Way::Whole, PAUSES[0]), ["logged-out"; STARTS]);
    let mut service = neo("654321", false);
    assert_eq!(starts(&mut service, "", Way::Whole, PAUSES[0]), ["logged-out"; STARTS]);
    let mut service = trade("correct horse", None);
    assert_eq!(starts(&mut service, "", Way::Whole, PAUSES[0]), ["logged-out"; STARTS]);
}

/// The server takes a code once in its 30 s, in the next process, too.
#[test]
fn a_code_that_was_spent_is_not_given_by_the_next_process() {
    let mut service = neo("654321", false);
    for _ in 0..STARTS {
        assert_eq!(service.starts("", Way::Whole).unwrap().code(), "logged-out");
    }
    assert_eq!(service.server.log().count(Outcome::Refused("totp")), 0);
}

/// A server that cannot judge has refused nothing, so the same answer is right as soon as it can.
#[test]
fn an_outage_costs_nothing() {
    for way in [Way::Page(429), Way::Page(503), Way::Fails] {
        let mut service = portal(false);
        service.options.patience = Some(Duration::from_secs(60));
        for _ in 0..STARTS {
            assert_eq!(service.starts("/session", way).unwrap().code(), "retries-exhausted");
            service.rests(Duration::from_secs(3_600));
        }
        assert_eq!(service.starts("", Way::Whole).unwrap().code(), "logged-out", "{way:?}");
    }
}
