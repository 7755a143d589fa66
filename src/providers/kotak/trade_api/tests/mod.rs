//! Sessions of the Trade API against its simulator.

mod bearer;
mod outages;

use core::time::Duration;

use http::StatusCode;

use super::*;
use crate::Phase;
use crate::Secret;
use crate::providers::kotak::tests::harness::{NOW, Run};
use crate::sim::Mishap;
use crate::sim::kotak::trade_api::{Shard, User};
use crate::sim::kotak::{Outcome, TradeApiSim as Sim};
use crate::{Credentials, Machine, Options, Relogin, ResumeError, Session, Snapshot};

type Trade = Run<TradeApi, Sim>;

fn base() -> BaseUrl {
    BaseUrl::parse("https://tradeapi.kotaksecurities.com/apim").unwrap()
}

fn provider() -> TradeApi {
    TradeApi::new(base(), "USER1", "key").unwrap()
}

fn user() -> User {
    User::new("USER1", "pw")
}

fn opening(provider: TradeApi, user: User) -> Trade {
    Run::new(provider, Sim::kotak().app("key", "secret").user(user))
}

/// A session whose bearers are fetched.
fn attended(user: User) -> Trade {
    opening(provider().consumer_secret("secret").unwrap(), user)
}

fn password(text: &str) -> Input {
    Input::Credentials(Credentials::new("USER1", text).unwrap())
}

fn code(run: &Trade) -> Input {
    Input::Code(run.sim.access_code("USER1", run.now).unwrap().into())
}

fn active(user: User) -> Trade {
    let mut run = attended(user);
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    let code = code(&run);
    run.gives(code).is_active();
    run
}

#[test]
fn a_session_is_opened_used_and_ended() {
    let mut run = active(user());
    assert_eq!(
        run.sent,
        [
            "POST /apim/token",
            "GET /apim/session/1.0/session/init",
            "POST /apim/session/1.0/session/login/userid",
            "POST /apim/session/1.0/session/2FA/accesscode",
        ]
    );
    assert_eq!(run.calls("/reports/1.0/orders").unwrap(), 200);
    assert!(matches!(run.session.poll(run.now), crate::Output::Wait { on: crate::WaitingOn::Renewal, .. }));
    run.session.logout(run.now);
    run.closes("logged-out");
    assert_eq!(run.sim.open_sessions(), 0);
}

#[test]
fn the_host_is_followed_before_a_password_leaves() {
    let mut run = active(user().on(Shard::Second));
    let hosts: Vec<_> = run.sim.log().requests().iter().map(|seen| seen.host.as_str()).collect();
    let (trade, ctrade) = ("tradeapi.kotaksecurities.com", "ctradeapi.kotaksecurities.com");
    assert_eq!(hosts, [trade, trade, ctrade, ctrade, ctrade]);
    assert_eq!(run.calls("/reports/1.0/orders").unwrap(), 200);
}

#[test]
fn a_foreign_host_never_sees_a_credential() {
    for host in [
        "https://evil.example/apim",
        "https://evilkotaksecurities.com",
        "http://tradeapi.kotaksecurities.com.evil.example",
    ] {
        let mut run = attended(user());
        run.sim.set_redirect(Some(host.to_owned()));
        let reason = run.closes("protocol");
        assert!(reason.to_string().contains("evil"), "{reason}");
        assert_eq!(run.sim.log().leaks().count(), 0);
        assert!(run.sim.log().requests().iter().all(|seen| !seen.foreign));
    }
}

#[test]
fn two_hosts_that_name_each_other_are_left() {
    let mut run = attended(user());
    run.sim.set_redirect(Some("https://x.kotaksecurities.com/apim".into()));
    run.sim.disturb(2, &Mishap::json(StatusCode::OK, r#"{"Success":{"access_token":"t","status":"Active","redirect":{"host":"https://ctradeapi.kotaksecurities.com/apim"}},"access_token":"t"}"#));
    let reason = run.closes("protocol");
    assert!(reason.to_string().contains("switched once"), "{reason}");
}

#[test]
fn a_late_switch_asks_again_for_what_was_not_refused() {
    let mut run = attended(user().on(Shard::Second));
    run.sim.set_redirect(Some(base().to_string()));
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    // The second factor is the first to notice.
    run.sim.set_redirect(None);
    let given = code(&run);
    run.gives(given).needs(NeedKind::Credentials, NeedReason::Stale).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Stale);
    let given = code(&run);
    run.gives(given).is_active();
    assert!(!run.was_told("refused"));
}

#[test]
fn a_late_switch_to_a_foreign_host_ends_the_opening() {
    let mut run = attended(user().on(Shard::Second));
    run.sim.set_redirect(Some(base().to_string()));
    run.sim.set_right_host(Some("https://evil.example/".into()));
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    let given = code(&run);
    run.gives(given);
    assert!(run.closes("protocol").to_string().contains("evil.example"));
    assert_eq!(run.sim.log().leaks().count(), 0);
}

#[test]
fn a_refused_password_is_never_sent_again() {
    let mut run = attended(user());
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("wrong"));
    run.needs(NeedKind::Credentials, NeedReason::Refused);
    assert_eq!(run.sent_to("login/userid"), 1);
    assert!(run.was_told("refused") && run.was_told("server-says"));
    run.gives(Input::GiveUp).closes("denied.credentials");
}

#[test]
fn the_cause_of_a_refusal_reaches_the_user_in_words() {
    let said = |run: &Trade| {
        run.told.iter().find_map(|event| match event {
            crate::Event::ServerSays(text) => Some(text.to_string()),
            _ => None,
        })
    };
    let sandbox = r#"{"fault":{"code":900901,"type":"Status report","message":"Runtime Error","description":"Sandbox key offered to the API with no sandbox endpoint"}}"#;
    let mut run = opening(provider(), user());
    run.needs(NeedKind::GatewayToken, NeedReason::Opening);
    run.sim.disturb(1, &Mishap::json(StatusCode::UNAUTHORIZED, sandbox));
    run.gives(Input::Token("bearer".into())).needs(NeedKind::GatewayToken, NeedReason::Refused);
    let expected = "Runtime Error (900901): Sandbox key offered to the API with no sandbox endpoint";
    assert_eq!(said(&run).as_deref(), Some(expected));

    let mut run = attended(user());
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    let silent = r#"{"fault":{"code":0,"description":"","message":""}}"#;
    run.sim.disturb(1, &Mishap::json(StatusCode::BAD_REQUEST, silent));
    let given = code(&run);
    run.gives(given).needs(NeedKind::AccessCode, NeedReason::Refused);
    assert_eq!(said(&run).as_deref(), Some("no reason given (status 400)"));
}

#[test]
fn a_refused_code_is_never_sent_again() {
    let mut run = attended(user());
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening).gives(Input::Code("0000".into()));
    run.needs(NeedKind::AccessCode, NeedReason::Refused);
    assert_eq!(run.sent_to("2FA/accesscode"), 1);
    let given = code(&run);
    run.gives(given).is_active();
}

#[test]
fn a_locked_account_is_told_by_init() {
    let mut run = attended(user());
    run.needs(NeedKind::Credentials, NeedReason::Opening);
    for text in ["a", "b", "c"] {
        run.gives(password(text));
        run.needs(NeedKind::Credentials, NeedReason::Refused);
    }
    run.gives(password("pw")).closes("denied.locked");
    let mut next = Run::new(provider().consumer_secret("secret").unwrap(), run.sim);
    next.closes("denied.locked");
    assert_eq!(next.sent_to("login/userid"), 0, "no password is needed to find out");
}

#[test]
fn another_login_than_the_configured_one_is_not_sent() {
    let mut run = attended(user());
    run.needs(NeedKind::Credentials, NeedReason::Opening);
    let crate::Output::Wait { on: crate::WaitingOn::Need(need), .. } = run.session.poll(run.now) else { panic!() };
    let other = Input::Credentials(Credentials::new("USER2", "pw").unwrap());
    let answered = run.session.handle_input(run.now, need.id, other, crate::Source::Person);
    assert_eq!(answered, crate::InputHandled::Rejected(Rejection::Malformed("login")));
}

#[test]
fn a_stale_one_time_token_asks_for_both_answers_once_more() {
    for status in [None, Some(StatusCode::FAILED_DEPENDENCY)] {
        let mut run = attended(user());
        run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
        run.needs(NeedKind::AccessCode, NeedReason::Opening);
        match status {
            None => run.sim.expire_one_time_tokens(),
            Some(status) => run.sim.disturb(1, &Mishap::ProxyPage(status)),
        }
        let given = code(&run);
        run.gives(given).needs(NeedKind::Credentials, NeedReason::Stale).gives(password("pw"));
        run.needs(NeedKind::AccessCode, NeedReason::Stale);
        run.sim.expire_one_time_tokens();
        let given = code(&run);
        run.gives(given).closes("denied.rejected");
        assert!(!run.was_told("refused"));
    }
}

#[test]
fn subscribed_users_log_in_without_a_code() {
    let mut run = opening(provider().consumer_secret("secret").unwrap().without_code(), user().subscribed());
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw")).is_active();
    let mut run = opening(provider().consumer_secret("secret").unwrap().without_code(), user());
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    assert!(!run.was_told("refused"), "no code was given, so none was refused");
}

#[test]
fn a_new_code_is_requested_where_that_is_wanted() {
    let mut run = opening(provider().consumer_secret("secret").unwrap().requests_code(), user());
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening).gives(Input::Code("0000".into()));
    run.needs(NeedKind::AccessCode, NeedReason::Refused);
    assert_eq!(run.sim.codes_sent("USER1"), 1);
}

#[test]
fn logout_succeeds_whatever_is_left_of_the_session() {
    let mut run = active(user());
    run.sim.expire_sessions();
    run.session.logout(run.now);
    run.closes("logged-out");

    let mut run = active(user());
    run.sim.expire_bearers();
    run.session.logout(run.now);
    run.closes("logged-out");
    assert_eq!(run.sim.open_sessions(), 0, "the bearer was renewed for it");

    // A page of a proxy is no word of the service.
    for said in ["{}", "[]", r#"{"welcome":true}"#, "<html>OK</html>", ""] {
        let mut run = active(user());
        run.sim.disturb(1, &Mishap::json(StatusCode::OK, said));
        run.session.logout(run.now);
        run.closes("logged-out");
        assert_eq!((run.sent_to("logout"), run.sim.open_sessions()), (2, 0), "{said}");
    }
}

#[test]
fn a_session_that_is_closed_for_good_keeps_nothing() {
    let mut run = active(user().on(Shard::Second));
    run.session.logout(run.now);
    run.closes("logged-out");
    let text = run.session.snapshot().expose_secrets().to_owned();
    assert!(!text.contains("ctradeapi") && !text.contains("earer\":\""), "{text}");
}

#[test]
fn a_snapshot_resumes_without_a_login_and_without_a_tampered_host() {
    let mut run = active(user().on(Shard::Second));
    let snapshot = run.session.snapshot();
    let resume = |snapshot: &Snapshot, provider: TradeApi| {
        Session::resume(provider, snapshot, Options::default(), None, [9; 32], NOW)
    };
    let session = resume(&snapshot, provider().consumer_secret("secret").unwrap()).unwrap();
    for secret in ["pw", "\"key\"", "\"secret\""] {
        assert!(!snapshot.expose_secrets().contains(&format!("\"{secret}\"")), "{secret}");
    }
    let mut resumed = Run { session, sim: run.sim, now: run.now, told: Vec::new(), sent: Vec::new() };
    assert_eq!(resumed.calls("/reports/1.0/orders").unwrap(), 200);
    resumed.is_active();
    assert_eq!(resumed.sent_to("login/userid"), 0);
    let tampered = snapshot.expose_secrets().replace("https://ctradeapi.kotaksecurities.com", "https://evil.example");
    let error = resume(&Snapshot::from_text(tampered), provider()).unwrap_err();
    assert!(matches!(error, ResumeError::NotAdmitted(_)), "{error}");
    let other = TradeApi::new(base(), "USER1", "another-key").unwrap();
    assert_eq!(resume(&snapshot, other).unwrap_err(), ResumeError::WrongKey);
    run.sim = resumed.sim;
}

#[test]
fn tokens_of_another_program_are_looked_at_first() {
    let mut run = active(user());
    let session_token = run.session.live().unwrap().session_token.clone();
    let bearer = Secret::new(run.sim.issue_bearer(run.now));
    let tokens = TradeTokens { bearer, session_token };
    let session = Session::adopt(provider(), tokens, Options::default(), [1; 32]).unwrap();
    let mut run = Run::with(session, run.sim, run.now);
    run.is_active();
    assert_eq!(run.sent, ["GET /apim/reports/1.0/orders"]);
}
