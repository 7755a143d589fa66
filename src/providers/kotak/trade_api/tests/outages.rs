//! Outages, quotas and answers that are none.

use super::*;

#[test]
fn an_outage_says_nothing_of_the_user() {
    let mut run = attended(user());
    run.sim.disturb(1, &Mishap::json(StatusCode::OK, r#"{"access_token":"t"}"#));
    run.sim.disturb(1, &Mishap::json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"DOWN"}"#));
    run.sim.disturb(1, &Mishap::json(StatusCode::BAD_GATEWAY, r#"{"status":"DOWN"}"#));
    run.sim.disturb(1, &Mishap::json(StatusCode::OK, r#"{"Success":{"status":"Active"}}"#));
    run.needs(NeedKind::Credentials, NeedReason::Opening);
}

#[test]
fn a_proven_end_logs_in_again_where_that_is_wanted() {
    let mut run = active(user());
    run.sim.expire_sessions();
    run.calls("/reports/1.0/orders").unwrap();
    run.closes("expired");

    let options = Options { relogin: Relogin::AskAgain { per_day: 3 }, ..Options::default() };
    let session = Session::new(provider().consumer_secret("secret").unwrap(), options, [7; 32]);
    let mut run = Run::with(session, run.sim, run.now);
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    let given = code(&run);
    run.gives(given).is_active();
    run.sim.expire_sessions();
    run.calls("/reports/1.0/orders").unwrap();
    run.needs(NeedKind::Credentials, NeedReason::Expired);
    assert_eq!(run.sent_to("/token"), 1, "the bearer outlives the session");
}

#[test]
fn a_quota_waits_for_the_next_minute() {
    let mut run = attended(user());
    run.sim.set_quota(Some(1));
    run.needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    let before = run.now;
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    assert!(run.now.since(before) >= Duration::from_secs(30) && run.now.since(before) < Duration::from_secs(120));
    assert!(run.was_told("penalty"));
    assert_eq!(run.sim.log().count(Outcome::Accepted("login")), 1, "the password stayed in hand");
    let given = code(&run);
    run.gives(given).is_active();
}

#[test]
fn outages_end_no_session_and_cost_no_answer_that_nobody_saw() {
    let mut run = active(user());
    run.sim.disturb(3, &Mishap::ProxyPage(StatusCode::GATEWAY_TIMEOUT));
    run.session.check(run.now);
    run.is_active();
    assert!(run.was_told("suspect") && run.was_told("recovered"));

    let mut run = attended(user());
    run.needs(NeedKind::Credentials, NeedReason::Opening);
    run.sim.disturb(2, &Mishap::ProxyPage(StatusCode::SERVICE_UNAVAILABLE));
    run.gives(password("pw")).needs(NeedKind::AccessCode, NeedReason::Opening);
    // Behind a gateway's timeout somebody may have judged it.
    run.sim.disturb(1, &Mishap::ProxyPage(StatusCode::GATEWAY_TIMEOUT));
    let given = code(&run);
    run.gives(given).needs(NeedKind::AccessCode, NeedReason::Lost);
    run.sim.disturb(1, &Mishap::Dropped);
    let given = code(&run);
    run.gives(given).needs(NeedKind::AccessCode, NeedReason::Lost);
    assert!(run.was_told("may-live-on"));
}

#[test]
fn rubble_closes_openings_and_never_sessions() {
    for body in ["", "[]", "{", r#"{"Success":{"oneTimeToken":7}}"#, r#"{"Success":{"oneTimeToken":"a b"}}"#, "<html>"]
    {
        let mut run = attended(user());
        run.needs(NeedKind::Credentials, NeedReason::Opening);
        run.sim.disturb(1, &Mishap::json(StatusCode::OK, body));
        run.gives(password("pw")).closes("protocol");
    }
    let mut run = active(user());
    run.sim.disturb(3, &Mishap::json(StatusCode::OK, r#"{"welcome":true}"#));
    run.session.check(run.now);
    run.is_active();
}
