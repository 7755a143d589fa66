//! Bearers that end, are refused, or are asked for.

use super::*;

#[test]
fn a_dead_bearer_is_renewed_and_the_session_stays() {
    let mut run = active(user());
    let token = run.session.live().unwrap().session_token.clone();
    run.sim.expire_bearers();
    assert_eq!(run.calls("/reports/1.0/orders").unwrap(), 401);
    run.is_active();
    assert_eq!(run.calls("/reports/1.0/orders").unwrap(), 200);
    assert!(run.session.live().unwrap().session_token.matches(token.expose()));
    assert_eq!(run.sent_to("/token"), 2);
    assert_eq!(run.sent_to("login/userid"), 1);
}

#[test]
fn a_bearer_is_renewed_before_it_ends() {
    let mut run = active(user());
    run.now = NOW + Duration::from_secs(3600);
    run.is_active();
    assert_eq!(run.sent_to("/token"), 2);
    assert_eq!(run.calls("/reports/1.0/orders").unwrap(), 200);
    assert_eq!(run.sim.log().count(Outcome::Refused("bearer")), 0);
}

#[test]
fn without_a_secret_the_bearer_is_asked_for() {
    let mut run = opening(provider(), user());
    run.needs(NeedKind::GatewayToken, NeedReason::Opening).gives(Input::Token("wrong".into()));
    run.needs(NeedKind::GatewayToken, NeedReason::Refused);
    let bearer = run.sim.issue_bearer(run.now);
    run.gives(Input::Token(bearer.into())).needs(NeedKind::Credentials, NeedReason::Opening).gives(password("pw"));
    run.needs(NeedKind::AccessCode, NeedReason::Opening);
    let given = code(&run);
    run.gives(given).is_active();
    run.sim.expire_bearers();
    run.calls("/reports/1.0/orders").unwrap();
    run.needs(NeedKind::GatewayToken, NeedReason::Expired);
    assert_eq!(run.session.phase(), Phase::Active, "the session token stays");
    let bearer = run.sim.issue_bearer(run.now);
    run.gives(Input::Token(bearer.into())).is_active();
    assert_eq!(run.calls("/reports/1.0/orders").unwrap(), 200);
}

#[test]
fn refused_keys_close_an_opening() {
    let mut run = opening(provider().consumer_secret("wrong").unwrap(), user());
    run.closes("denied.rejected");
    let mut run = attended(user().not_entitled());
    run.closes("denied.not-entitled");
    let mut run = attended(user().inactive());
    run.closes("denied.rejected");
    assert!(run.was_told("action-required"));
}

#[test]
fn a_bearer_that_key_and_secret_get_is_not_asked_for() {
    // Of an application without this API, or of the other host's gateway: the next one is no better.
    let refusal = r#"{"fault":{"code":900901,"message":"Invalid Credentials","description":""}}"#;
    let mut run = opening(provider().consumer_secret("secret").unwrap(), user());
    run.sim.disturb(1, &Mishap::json(StatusCode::OK, r#"{"access_token":"elsewhere","expires_in":3600}"#));
    run.closes("denied.gateway-token");

    // `/token` below a base URL that is an API's: the gateway wants a bearer there.
    let mut run = opening(provider().consumer_secret("secret").unwrap(), user());
    run.sim.disturb(1, &Mishap::json(StatusCode::UNAUTHORIZED, refusal));
    run.closes("denied.gateway-token");
    assert_eq!(run.sent, ["POST /apim/token"]);

    // While a session is open, the next one may be better.
    let mut run = active(user());
    run.sim.expire_bearers();
    run.calls("/reports/1.0/orders").unwrap();
    run.sim.disturb(1, &Mishap::json(StatusCode::UNAUTHORIZED, refusal));
    run.sim.disturb(1, &Mishap::json(StatusCode::OK, r#"{"access_token":"elsewhere","expires_in":60}"#));
    run.sim.disturb(1, &Mishap::json(StatusCode::UNAUTHORIZED, refusal));
    run.is_active();
    assert!(run.was_told("suspect") && run.was_told("recovered") && !run.was_told("refused"));
    assert_eq!(run.sent.iter().filter(|sent| sent.ends_with("/token")).count(), 3, "{:?}", run.sent);
    assert_eq!(run.calls("/reports/1.0/orders").unwrap(), 200);
}

#[test]
fn a_bearer_that_dies_at_each_login_ends_the_opening() {
    let mut run = attended(user());
    run.needs(NeedKind::Credentials, NeedReason::Opening);
    run.sim.expire_bearers();
    run.gives(password("pw")).needs(NeedKind::Credentials, NeedReason::Stale);
    run.sim.expire_bearers();
    run.gives(password("pw")).closes("denied.gateway-token");
    assert!(!run.was_told("refused"));
}
