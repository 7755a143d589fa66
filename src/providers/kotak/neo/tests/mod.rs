//! Sessions of Neo against its simulator.

mod day;
mod limits;

use core::time::Duration;

use http::StatusCode;

use super::*;
use crate::providers::kotak::tests::harness::{NOW, Run};
use crate::sim::Mishap;
use crate::sim::kotak::neo::{Account, Death, Errors};
use crate::sim::kotak::{NeoSim as Sim, Outcome};
use crate::{Event, Machine, Options, Relogin, ResumeError, Session, Snapshot, machine::Totp};

type Trade = Run<Neo, Sim>;

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

fn provider() -> Neo {
    Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap()
}

fn sim() -> Sim {
    let account = Account::new("ABC12", "+910000000000", "654321", "dash-1", url("https://e43.kotaksecurities.com"))
        .accepts_totp(|now| format!("{:06}", now.as_secs() / 30 % 1_000_000));
    Sim::new(url("https://mis.kotaksecurities.com")).account(account)
}

fn opening() -> Trade {
    Run::new(provider().dashboard_token("dash-1").unwrap(), sim())
}

fn totp(run: &Trade) -> Input {
    Input::Totp(Totp::new(run.sim.totp("ABC12", run.now).unwrap(), run.now).unwrap())
}

fn pin(text: &str) -> Input {
    Input::Pin(text.into())
}

fn log_in(run: &mut Trade, because: NeedReason) {
    run.needs(NeedKind::Totp, because);
    let code = totp(run);
    run.gives(code).needs(NeedKind::Pin, because).gives(pin("654321")).is_active();
}

fn active() -> Trade {
    let mut run = opening();
    log_in(&mut run, NeedReason::Opening);
    run
}

const ORDERS: &str = "/quick/user/orders";

#[test]
fn a_session_is_opened_and_used_at_its_own_host() {
    let mut run = active();
    assert_eq!(run.sent, ["POST /login/1.0/tradeApiLogin", "POST /login/1.0/tradeApiValidate"]);
    assert_eq!(run.calls(ORDERS).unwrap(), 200);
    assert_eq!(run.sim.log().requests().last().unwrap().host, "e43.kotaksecurities.com");
    assert!(run.calls("https://mis.kotaksecurities.com/x").is_err(), "another host of the provider is foreign too");
    let crate::Output::Wait { until, on: crate::WaitingOn::Expiry } = run.session.poll(run.now) else { panic!() };
    assert_eq!((until.as_secs() + 19_800) % 86_400, 0, "midnight in India");
}

#[test]
fn logout_is_local() {
    let mut run = active();
    run.session.logout(run.now);
    run.closes("logged-out");
    assert!(run.was_told("may-live-on"));
    assert_eq!(run.sim.log().requests().len(), 2);
    assert_eq!(run.sim.open_sessions(run.now), 1, "the token stays valid at the server");
}

#[test]
fn refused_answers_are_never_sent_again() {
    for errors in [Errors::Documented, Errors::Inside200] {
        let mut run = opening();
        run.sim.set_errors(errors);
        run.needs(NeedKind::Totp, NeedReason::Opening);
        run.gives(Input::Totp(Totp::new("999999", run.now).unwrap())).needs(NeedKind::Totp, NeedReason::Refused);
        run.now = run.now + Duration::from_secs(30);
        let code = totp(&run);
        run.gives(code).needs(NeedKind::Pin, NeedReason::Opening).gives(pin("111111"));
        run.needs(NeedKind::Pin, NeedReason::Refused).gives(pin("654321")).is_active();
        assert_eq!(run.sent.len(), 4, "{errors:?}");
    }
}

#[test]
fn an_invalid_ucc_is_no_rate_limit_and_no_refused_code() {
    let neo = Neo::new(url("https://mis.kotaksecurities.com"), "NOBODY", "0000000000")
        .unwrap()
        .dashboard_token("dash-1")
        .unwrap();
    let mut run = Run::new(neo, sim());
    run.needs(NeedKind::Totp, NeedReason::Opening);
    let code = totp(&run);
    run.gives(code);
    assert!(run.closes("denied.rejected").to_string().contains("Invalid UCC"));
    assert!(!run.was_told("penalty") && !run.was_told("retrying"));
}

#[test]
fn a_foreign_base_url_never_sees_a_token() {
    for told in
        ["https://evil.example", "https://e43.kotaksecurities.com.evil.example", "http://e43.kotaksecurities.com"]
    {
        let mut run = opening();
        run.sim.set_base_url(Some(told.to_owned()));
        run.needs(NeedKind::Totp, NeedReason::Opening);
        let code = totp(&run);
        run.gives(code).needs(NeedKind::Pin, NeedReason::Opening).gives(pin("654321"));
        assert!(run.closes("protocol").to_string().contains(told));
        assert!(run.calls(ORDERS).is_err());
        assert_eq!(run.sim.log().leaks().count(), 0);
    }
}

#[test]
fn the_dashboard_token_is_asked_for_where_none_is_configured() {
    let mut run = Run::new(provider(), sim());
    run.needs(NeedKind::GatewayToken, NeedReason::Opening).gives(Input::Token("wrong".into()));
    run.needs(NeedKind::Totp, NeedReason::Opening);
    let code = totp(&run);
    run.gives(code).needs(NeedKind::GatewayToken, NeedReason::Refused).gives(Input::Token("dash-1".into()));
    run.needs(NeedKind::Totp, NeedReason::Stale);
    run.now = run.now + Duration::from_secs(30);
    let code = totp(&run);
    run.gives(code).needs(NeedKind::Pin, NeedReason::Stale).gives(pin("654321")).is_active();
}

#[test]
fn only_the_probe_ends_a_session() {
    for death in [Death::Code100022, Death::Code1003, Death::Code900901] {
        let mut run = active();
        run.sim.set_death(death);
        run.sim.disturb(1, &Mishap::json(StatusCode::OK, r#"{"stCode":100022,"errMsg":"invalid session token"}"#));
        run.calls(ORDERS).unwrap();
        run.is_active();
        assert_eq!(run.sent_to("get-client-ip"), 1, "a user's answer alone never closes");
        run.now = run.now + Duration::from_secs(60);
        run.sim.expire_sessions();
        run.calls(ORDERS).unwrap();
        run.closes("expired");
    }
}

#[test]
fn an_address_that_is_not_let_in_is_told_and_is_no_dead_session() {
    for (body, words) in [
        (r#"{"stCode":100008,"errMsg":"unauthorized","stat":"Not_Ok"}"#, "unauthorized (100008)"),
        (
            r#"{"stCode":1037,"errMsg":"session ip doesnt match with reqest ip","stat":"Not_Ok"}"#,
            "session ip doesnt match with reqest ip (1037)",
        ),
    ] {
        let told = Event::IpNotAllowed { text: Some(crate::machine::ServerText::new(words)) };
        let mut run = active();
        run.sim.disturb(1, &Mishap::json(StatusCode::OK, body));
        run.calls(ORDERS).unwrap();
        run.is_active();
        assert_eq!(run.sent_to("get-client-ip"), 0);
        assert!(run.told.contains(&told), "{:?}", run.told);
        // The look itself may meet it: who compares addresses knows the session.
        run.told.clear();
        run.sim.disturb(1, &Mishap::json(StatusCode::OK, body));
        run.session.check(run.now);
        run.is_active();
        assert_eq!(run.sent_to("get-client-ip"), 1);
        assert!(run.told.contains(&told) && !run.was_told("suspect"), "{:?}", run.told);
    }
}

#[test]
fn a_login_from_an_address_that_is_not_let_in_is_denied() {
    for body in [r#"{"stCode":100008,"errMsg":"unauthorized"}"#, r#"{"stCode":1037,"errMsg":"session ip"}"#] {
        let mut run = opening();
        run.needs(NeedKind::Totp, NeedReason::Opening);
        run.sim.disturb(1, &Mishap::json(StatusCode::OK, body));
        let code = totp(&run);
        run.gives(code).closes("denied.ip-not-allowed");
        assert!(!run.was_told("refused"), "{:?}", run.told);
    }
}

#[test]
fn what_was_not_let_in_counts_as_no_refusal() {
    for (status, body) in [
        (422, r#"{"status":"error","message":"Invalid request parameters","errorCode":"422"}"#),
        (403, r#"{"status":"error","message":"Forbidden","errorCode":"403"}"#),
    ] {
        let mishap = Mishap::json(StatusCode::from_u16(status).unwrap(), body);
        let mut run = opening();
        run.needs(NeedKind::Totp, NeedReason::Opening);
        run.sim.disturb(1, &mishap);
        let code = totp(&run);
        let reason = run.gives(code).closes("denied.rejected");
        assert!(reason.to_string().contains(&status.to_string()), "{reason}");
        assert!(!run.was_told("refused"), "{:?}", run.told);

        let mut run = opening();
        run.needs(NeedKind::Totp, NeedReason::Opening);
        let code = totp(&run);
        run.gives(code).needs(NeedKind::Pin, NeedReason::Opening);
        run.sim.disturb(1, &mishap);
        run.gives(pin("654321")).closes("denied.rejected");
        assert!(!run.was_told("refused"), "{:?}", run.told);
    }
}

#[test]
fn a_login_that_tells_no_base_url_goes_on_at_the_login_host() {
    for missing in ["", r#","baseUrl":null"#, r#","baseUrl":"""#, r#","baseUrl":" ""#, r#","baseUrl":7"#] {
        let mut run = opening();
        run.needs(NeedKind::Totp, NeedReason::Opening);
        let code = totp(&run);
        run.gives(code).needs(NeedKind::Pin, NeedReason::Opening);
        let body = format!(r#"{{"data":{{"token":"t","sid":"s","kType":"Trade","status":"success"{missing}}}}}"#);
        run.sim.disturb(1, &Mishap::json(StatusCode::OK, body));
        run.gives(pin("654321")).is_active();
        assert!(
            run.told.contains(&Event::BaseUrlAssumed { url: "https://mis.kotaksecurities.com".into() }),
            "{missing}"
        );
        let call = http::Request::get(ORDERS).body(Vec::new()).unwrap();
        let (call, _) = run.session.authorize_request(run.now, call).unwrap();
        assert_eq!(call.uri(), "https://mis.kotaksecurities.com/quick/user/orders", "{missing}");
        // The next process goes there, too.
        let snapshot = run.session.snapshot();
        let options = Options::default();
        let provider = provider().dashboard_token("dash-1").unwrap();
        let mut next = Session::resume(provider, &snapshot, options, None, [8; 32], run.now).unwrap();
        let call = http::Request::get(ORDERS).body(Vec::new()).unwrap();
        let (call, _) = next.authorize_request(run.now, call).unwrap();
        assert_eq!(call.uri().host(), Some("mis.kotaksecurities.com"), "{missing}");
    }
}

#[test]
fn a_new_dashboard_token_ends_the_session_and_is_asked_for() {
    let options = Options { relogin: Relogin::AskAgain { per_day: 1 }, ..Options::default() };
    let session = Session::new(provider().dashboard_token("dash-1").unwrap(), options, [7; 32]);
    let mut run = Run::with(session, sim(), NOW);
    log_in(&mut run, NeedReason::Opening);
    run.sim.reset_dashboard_token("ABC12", "dash-2");
    run.now = run.now + Duration::from_secs(60);
    run.calls(ORDERS).unwrap();
    run.needs(NeedKind::Totp, NeedReason::Expired);
    let code = totp(&run);
    run.gives(code).needs(NeedKind::GatewayToken, NeedReason::Expired).gives(Input::Token("dash-2".into()));
    run.now = run.now + Duration::from_secs(30);
    log_in(&mut run, NeedReason::Stale);
}

#[test]
fn the_known_end_is_looked_into() {
    let mut run = active();
    let crate::Output::Wait { until, .. } = run.session.poll(run.now) else { panic!() };
    run.now = until;
    run.closes("expired");
    assert_eq!(run.sent_to("get-client-ip"), 1);
    assert!(run.told.contains(&Event::Expired {
        proof: "get-client-ip answered after the token's own end that the session is invalid"
    }));
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_stale_view_token_asks_for_both_answers_once_more() {
    let mut run = opening();
    run.needs(NeedKind::Totp, NeedReason::Opening);
    let code = totp(&run);
    run.gives(code).needs(NeedKind::Pin, NeedReason::Opening);
    run.sim.expire_sessions();
    run.gives(pin("654321")).needs(NeedKind::Totp, NeedReason::Stale);
    run.now = run.now + Duration::from_secs(30);
    let code = totp(&run);
    run.gives(code).needs(NeedKind::Pin, NeedReason::Stale);
    run.sim.expire_sessions();
    run.gives(pin("654321")).closes("denied.rejected");
}

#[test]
fn outages_end_no_session() {
    let mut run = active();
    run.sim.disturb(2, &Mishap::ProxyPage(StatusCode::FAILED_DEPENDENCY));
    run.sim.disturb(1, &Mishap::MalformedJson);
    run.session.check(run.now);
    run.is_active();
    assert!(run.was_told("suspect") && run.was_told("recovered"));
    let mut run = opening();
    run.needs(NeedKind::Totp, NeedReason::Opening);
    run.sim.disturb(1, &Mishap::ProxyPage(StatusCode::GATEWAY_TIMEOUT));
    let code = totp(&run);
    run.gives(code).needs(NeedKind::Totp, NeedReason::Lost);
    assert_eq!(run.sim.log().count(Outcome::Canned), 1);
}

const RATE: &str = r#"{"code":429,"error":"Rate limit exceeded","message":"too many request received"}"#;

#[test]
fn a_snapshot_resumes_without_a_login_and_without_a_tampered_host() {
    let options = || Options { egress_label: Some("office".into()), ..Options::default() };
    let mut run =
        Run::with(Session::new(provider().dashboard_token("dash-1").unwrap(), options(), [7; 32]), sim(), NOW);
    log_in(&mut run, NeedReason::Opening);
    let snapshot = run.session.snapshot();
    for secret in ["dash-1", "654321", "0000000000"] {
        assert!(!snapshot.expose_secrets().contains(secret), "{secret}");
    }
    let resume = |snapshot: &Snapshot, options| {
        Session::resume(provider().dashboard_token("dash-1").unwrap(), snapshot, options, None, [9; 32], NOW)
    };
    let session = resume(&snapshot, options()).unwrap();
    let mut resumed = Run { session, sim: run.sim, now: run.now, told: Vec::new(), sent: Vec::new() };
    assert_eq!(resumed.calls(ORDERS).unwrap(), 200);
    resumed.session.check(resumed.now);
    resumed.is_active();
    let tampered = snapshot.expose_secrets().replace("https://e43.kotaksecurities.com", "https://evil.example");
    assert!(matches!(resume(&Snapshot::from_text(tampered), options()).unwrap_err(), ResumeError::NotAdmitted(_)));
    assert_eq!(resume(&snapshot, Options::default()).unwrap_err(), ResumeError::WrongEgress);
}

#[test]
fn tokens_of_another_program_are_looked_at_first() {
    let run = active();
    let live = run.session.live().unwrap();
    let tokens =
        || NeoTokens { token: live.token.clone(), sid: live.sid.clone(), base: url("https://e43.kotaksecurities.com") };
    let adopt =
        |tokens| Session::adopt(provider().dashboard_token("dash-1").unwrap(), tokens, Options::default(), [1; 32]);
    let session = adopt(tokens()).unwrap();
    let foreign = NeoTokens { base: url("https://evil.example"), ..tokens() };
    assert_eq!(adopt(foreign).unwrap_err(), Rejection::Malformed("base"));
    let mut run = Run::with(session, run.sim, run.now);
    run.is_active();
    assert_eq!(run.sent, ["GET /login/1.0/get-client-ip"]);
    assert_eq!(run.calls(ORDERS).unwrap(), 200);
}
