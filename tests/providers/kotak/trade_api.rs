//! The Trade API: its two factors, its two clocks, its two hosts.

use sansession::sim::kotak::Outcome;
use sansession::sim::kotak::trade_api::Shard;
use sansession::{Relogin, machine::Rejection};

use super::*;

#[test]
fn a_day_of_trading() {
    let mut world = trade_with(renewing(), user().on(Shard::Second), Options::default());
    log_in(&mut world);
    for _ in 0..16 {
        world.runs_for(30 * MINUTE);
        assert_eq!(status(&mut world, TRADE_CALL), 200);
    }
    world.notes("the evening: the session is ended at the server");
    world.server.expire_sessions();
    world.calls(Method::GET, TRADE_CALL).unwrap();
    assert_eq!(world.runs_to_end().code(), "expired");
    assert_eq!(sent(&world, "/login/userid"), 1);
    insta::assert_snapshot!(world.transcript);
}

/// Users of other clients are logged out after an hour, when the gateway's bearer ends.
#[test]
fn key_and_secret_outlive_the_60_minutes() {
    let mut world = trade(renewing());
    log_in(&mut world);
    let token = world.machine.live().unwrap().session_token.clone();
    for _ in 0..8 * 6 {
        world.runs_for(10 * MINUTE);
        assert_eq!(status(&mut world, TRADE_CALL), 200);
    }
    assert!(world.machine.live().unwrap().session_token.matches(token.expose()));
    assert_eq!((sent(&world, "/login/userid"), sent(&world, "/2FA/accesscode")), (1, 1));
    assert_eq!(world.server.log().count(Outcome::Refused("bearer")), 0, "each is renewed before its end");
    assert!(!was_told(&world, "suspect"));
}

#[test]
fn without_a_secret_somebody_is_asked_for_a_bearer_after_60_minutes() {
    let mut world = trade_active();
    let token = world.machine.live().unwrap().session_token.clone();
    world.runs_for(59 * MINUTE);
    assert_eq!(status(&mut world, TRADE_CALL), 200);
    world.runs_for(2 * MINUTE);
    assert_eq!(status(&mut world, TRADE_CALL), 401);
    needs(&mut world, NeedKind::GatewayToken, NeedReason::Expired);
    assert_eq!(world.machine.phase(), Phase::Active, "the session lives");
    let mut parts = http::Request::get(TRADE_CALL).body(()).unwrap().into_parts().0;
    world.machine.authorize(world.now, &mut parts, b"").unwrap();

    world.notes("hours later somebody has been to the developer portal");
    world.runs_for(3 * HOUR);
    assert!(world.closed.is_none());
    let bearer = world.server.issue_bearer(world.now);
    gives(&mut world, Input::Token(bearer.into()));
    world.runs_for(MINUTE);
    assert_eq!(status(&mut world, TRADE_CALL), 200);
    assert!(world.machine.live().unwrap().session_token.matches(token.expose()));
    assert_eq!(sent(&world, "/login/userid"), 1);
}

#[test]
fn a_bearer_that_is_known_to_be_dead_is_not_tried_by_looks() {
    let mut world = trade_active();
    world.server.expire_bearers();
    assert_eq!(status(&mut world, TRADE_CALL), 401);
    needs(&mut world, NeedKind::GatewayToken, NeedReason::Expired);
    let before = world.sent.len();
    for _ in 0..10 {
        world.runs_for(MINUTE);
        let _ = status(&mut world, TRADE_CALL);
        world.checks();
    }
    assert_eq!(world.sent.len(), before, "{}", world.transcript);
    let bearer = world.server.issue_bearer(world.now);
    gives(&mut world, Input::Token(bearer.into()));
    world.runs_for(MINUTE);
    assert_eq!(status(&mut world, TRADE_CALL), 200);
}

/// A process that dies as soon as it has been told, and before its next bearer is there.
#[test]
fn the_next_process_does_not_try_a_dead_bearer_again() {
    let mut world = trade_with(renewing(), user(), durable());
    world.latency = Duration::from_millis(40);
    log_in(&mut world);
    world.server.expire_bearers();
    assert_eq!(status(&mut world, TRADE_CALL), 401);
    world.runs_to(world.now + MINUTE, |world| refused_bearers(world) == 2);
    world.dies = Some(Dies::AfterSend);
    world.runs_for(MINUTE);
    assert!(world.dies.is_none(), "it died with the request for a bearer under way\n{}", world.transcript);

    goes_on(&mut world);
    world.runs_for(MINUTE);
    assert_eq!(refused_bearers(&world), 2, "{}", world.transcript);
    assert_eq!(status(&mut world, TRADE_CALL), 200);
    assert_eq!(sent(&world, "/login/userid"), 1);
}

/// A process that dies between a renewal and the first call with the new bearer, which nobody knows to have worked.
#[test]
fn a_fetched_bearer_that_is_refused_to_an_open_session_is_tried_once() {
    let mut world = trade_with(renewing(), user(), durable());
    log_in(&mut world);
    world.dies = Some(Dies::AfterSave);
    world.runs_for(HOUR);
    assert!(world.dies.is_none(), "it died with the new bearer stored\n{}", world.transcript);
    world.server.expire_bearers();

    goes_on(&mut world);
    world.runs_for(MINUTE);
    assert_eq!(refused_bearers(&world), 1, "{}", world.transcript);
    assert_eq!(status(&mut world, TRADE_CALL), 200);
    assert_eq!(sent(&world, "/login/userid"), 1);
}

fn refused_bearers(world: &Trade) -> usize {
    world.server.log().count(Outcome::Refused("bearer"))
}

/// Another process goes on with what was stored.
fn goes_on(world: &mut Trade) {
    let stored = world.saved.take().unwrap();
    let next = Session::resume(renewing(), &stored, durable(), None, seed(), world.now).unwrap();
    world.notes("another process").replaces(next);
}

#[test]
fn nothing_keeps_it_alive_and_nothing_is_due() {
    let world = trade_active();
    assert_eq!(world.machine.status().on, WaitingOn::Nothing);
    assert!(world.machine.deadline().is_never());

    let mut world = trade(renewing());
    log_in(&mut world);
    assert_eq!(world.machine.status().on, WaitingOn::Renewal, "of the bearer");
    assert_eq!(world.machine.deadline().since(world.now), 59 * MINUTE);
}

#[test]
fn a_saved_session_is_used_in_another_process_without_a_login() {
    let mut world = trade_with(trade_provider(), user().on(Shard::Second), Options::default());
    give_bearer(&mut world);
    log_in(&mut world);
    let before = world.sent.len();
    world.resumes(|snapshot, now| resumed(trade_provider(), snapshot, now));
    assert_eq!(status(&mut world, TRADE_CALL), 200);
    world.checks().runs_for(MINUTE);
    assert_eq!(world.sent[before..], ["GET /apim/reports/1.0/orders"], "one look, at the second host");
    assert!(world.machine.live().is_some());
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert_eq!(world.server.open_sessions(), 0);
}

/// A store gives the same answer as long as it is asked; the account would be locked after three.
#[test]
fn what_can_be_no_access_code_costs_no_try() {
    let mut world = trade_half();
    let before = world.sent.len();
    for code in ["603", "6o32", "123456789", "none"] {
        let answered = is_given(&mut world, Input::Code(code.into()), Source::Store);
        assert_eq!(answered, InputHandled::Rejected(Rejection::Malformed("code")), "{code}");
    }
    assert_eq!(world.sent.len(), before);
    let code = access_code(&world);
    gives(&mut world, code);
    world.is_active();
}

#[test]
fn a_refused_answer_leaves_no_second_time() {
    let mut world = trade_asks();
    assert_eq!(is_given(&mut world, password("wrong"), Source::Store), InputHandled::Used);
    needs(&mut world, NeedKind::Credentials, NeedReason::Refused);
    for _ in 0..5 {
        let answered = is_given(&mut world, password("wrong"), Source::Store);
        assert_eq!(answered, InputHandled::Rejected(Rejection::Unattended));
        world.resumes(|snapshot, now| resumed(trade_provider(), snapshot, now));
        world.runs_for(HOUR);
    }
    assert_eq!(sent(&world, "/login/userid"), 1, "restarts included");
    gives(&mut world, Input::GiveUp);
    assert_eq!(world.runs_to_end().code(), "denied.credentials");

    let mut world = trade_half();
    assert_eq!(is_given(&mut world, Input::Code("00000".into()), Source::Store), InputHandled::Used);
    needs(&mut world, NeedKind::AccessCode, NeedReason::Refused);
    let answered = is_given(&mut world, Input::Code("00000".into()), Source::Store);
    assert_eq!(answered, InputHandled::Rejected(Rejection::Unattended));
    assert_eq!(sent(&world, "/2FA/accesscode"), 1);
    gives(&mut world, Input::GiveUp);
    assert_eq!(world.runs_to_end().code(), "denied.access-code");
}

#[test]
fn a_stale_one_time_token_lets_a_store_answer_both_again() {
    let mut world = trade_half();
    world.server.expire_one_time_tokens();
    let code = access_code(&world);
    assert_eq!(is_given(&mut world, code, Source::Store), InputHandled::Used);
    needs(&mut world, NeedKind::Credentials, NeedReason::Stale);
    assert_eq!(is_given(&mut world, password(PASSWORD), Source::Store), InputHandled::Used, "it was not refused");
    needs(&mut world, NeedKind::AccessCode, NeedReason::Stale);
    let code = access_code(&world);
    assert_eq!(is_given(&mut world, code, Source::Store), InputHandled::Used);
    world.is_active();
    assert!(!was_told(&world, "refused"));
}

#[test]
fn a_login_after_an_expiry_keeps_bearer_and_host() {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    let mut world = trade_with(renewing(), user().on(Shard::Second), options);
    log_in(&mut world);
    let before = world.sent.len();
    world.server.expire_sessions();
    world.checks();
    needs(&mut world, NeedKind::Credentials, NeedReason::Expired);
    assert_eq!(world.sent[before..], ["GET /apim/reports/1.0/orders", "GET /apim/session/1.0/session/init"]);
}

#[test]
fn every_spelling_of_a_success_is_one() {
    use sansession::sim::kotak::trade_api::Envelope;
    for envelope in [Envelope::AsSeen, Envelope::Upper, Envelope::Lower, Envelope::Flat] {
        for texts in [false, true] {
            let mut world = trade(renewing());
            world.server.set_envelope(envelope);
            world.server.set_texts(texts);
            log_in(&mut world);
            world.logs_out();
            assert_eq!(world.runs_to_end().code(), "logged-out", "{envelope:?} {texts}");
            assert_eq!(world.server.open_sessions(), 0);
        }
    }
}

#[test]
fn an_outage_ends_an_opening_in_the_end_and_never_a_session() {
    let mut options = Options::default();
    options.patience = Some(10 * MINUTE);
    let mut world = trade_with(renewing(), user(), options);
    world.server.set_outage(Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(world.runs_to_end().code(), "retries-exhausted");

    let mut world = trade(renewing());
    log_in(&mut world);
    world.server.set_outage(Some(StatusCode::BAD_GATEWAY));
    world.runs_for(10 * HOUR);
    assert!(was_told(&world, "suspect"), "the bearer could not be renewed");
    assert_eq!(world.machine.phase(), Phase::Active);
    world.server.set_outage(None);
    world.runs_for(HOUR);
    assert!(was_told(&world, "recovered"));
    assert_eq!(status(&mut world, TRADE_CALL), 200);
}

#[test]
fn a_bearer_outlives_the_session() {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    let mut world = trade_with(renewing(), user(), options);
    log_in(&mut world);
    let renewal = world.machine.deadline();
    world.server.expire_sessions();
    assert_eq!(status(&mut world, TRADE_CALL), 401);
    needs(&mut world, NeedKind::Credentials, NeedReason::Expired);
    gives(&mut world, password(PASSWORD));
    needs(&mut world, NeedKind::AccessCode, NeedReason::Expired);
    let code = access_code(&world);
    gives(&mut world, code);
    world.is_active();
    assert_eq!(sent(&world, "/token"), 1, "{}", world.transcript);
    assert_eq!((world.machine.deadline(), world.machine.status().on), (renewal, WaitingOn::Renewal));
}

#[test]
fn a_logout_after_a_lost_code_is_not_confirmed_until_another_one_opened_a_session() {
    let lost = || {
        let mut world = trade_half();
        world.server.disturb(1, &Mishap::Dropped);
        let code = access_code(&world);
        gives(&mut world, code);
        needs(&mut world, NeedKind::AccessCode, NeedReason::Lost);
        assert!(was_told(&world, "may-live-on"));
        assert_eq!(world.server.open_sessions(), 1, "of which nobody has the token");
        world
    };
    let mut world = lost();
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out.unconfirmed");
    let mut world = lost();
    world.told.clear();
    let code = access_code(&world);
    gives(&mut world, code);
    world.is_active();
    let open = world.server.open_sessions();
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out", "the server has confirmed the end of this one");
    assert_eq!(world.server.open_sessions(), open - 1);
    assert!(!was_told(&world, "may-live-on"), "it was told when it happened");
}
