//! Renewals: what is lost, late, refused or over, and what the session goes on with meanwhile.

use std::time::Duration;

use http::{Method, StatusCode};
use sansession::providers::oauth2::{ClientOf, Grant, Rotation};
use sansession::sim::Mishap;
use sansession::sim::oauth2::{Life as ExpiresIn, Outcome};
use sansession::{Machine, Options, Phase, Session, machine::NeedReason};

use super::{BACK, DAY, HOUR, Life, MINUTE, Shared, by_code, life, lives, open_need, options, provider, server, works};
use crate::support::seed;
use crate::support::world::World;

fn opened(server: &Shared) -> Life {
    let mut life = life(server, by_code());
    lives(&mut life, MINUTE);
    life
}

fn asks(life: &mut Life) -> NeedReason {
    life.runs_to(life.now + HOUR, |life| open_need(&life.machine).is_some());
    open_need(&life.machine).unwrap_or_else(|| panic!("nobody is asked\n{}", life.transcript)).because
}

/// The laptop was shut while the answer came: the session had given the request up, and takes it all the same.
#[test]
fn an_answer_that_comes_late_is_taken_and_nobody_is_asked_any_more() {
    let server = server();
    let mut life = opened(&server);
    (life.echoes, life.worth) = (1, &["POST /token"]);
    server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Slow(MINUTE / 2));
    assert_eq!(asks(&mut life), NeedReason::Lost);
    assert!(works(&mut life), "{}", life.transcript);
    life.runs_for(MINUTE);
    assert_eq!(open_need(&life.machine), None, "{}", life.transcript);
    assert!(life.told.iter().any(|event| event.code() == "recovered"), "{}", life.transcript);
    life.echoes = 0;
    assert_eq!(lives(&mut life, DAY), 0, "{}", life.transcript);
    assert!(works(&mut life), "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Reused), 0);
    assert_eq!(server.get().count(Outcome::Redeemed), 1);
}

/// A late refusal is as good as one in time, and a late 503 says that the token was not checked.
#[test]
fn a_late_refusal_and_a_late_busy_answer_count_as_well() {
    let answer = |status: u16, body: &str| {
        let response = http::Response::builder().status(status).header("content-type", "application/json");
        http::Response::new(response.body(body.as_bytes().to_vec()).unwrap()).into_body()
    };
    for (late, because) in [
        (answer(503, r#"{"error":"temporarily_unavailable"}"#), None),
        (answer(400, r#"{"error":"invalid_grant"}"#), Some(NeedReason::Lost)),
    ] {
        let server = server();
        server.get().settings.access_life = HOUR;
        let mut life = opened(&server);
        life.latency = Duration::from_millis(10);
        life.runs_to(life.now + HOUR, |life| life.awaits_answer());
        let id = match life.machine.status().on {
            sansession::WaitingOn::Response(id) => id,
            other => panic!("{other:?}"),
        };
        // Nobody has said what became of it.
        life.now = life.now + MINUTE;
        while !matches!(life.machine.poll(life.now), sansession::Output::Wait { .. }) {}
        assert_eq!(open_need(&life.machine).map(|need| need.because), Some(NeedReason::Lost));
        let used = life.machine.handle_response(life.now, id, (&late).into());
        assert_eq!(used, Ok(sansession::Handled::Used));
        assert_eq!(open_need(&life.machine).map(|need| need.because), because, "{}", life.transcript);
        assert!(works(&mut life));
    }
}

/// The old access token is used to its end while a person is asked; then no call leaves with it.
#[test]
fn a_dead_consent_is_asked_for_anew_while_the_access_token_is_good() {
    for (per_day, end) in [(5, None), (0, Some("expired"))] {
        let server = server();
        server.get().settings.access_life = HOUR;
        let mut options = options();
        options.relogin =
            if per_day == 0 { sansession::Relogin::Never } else { sansession::Relogin::AskAgain { per_day } };
        let mut life: Life = World::new(Session::new(by_code(), options, seed()), server.clone());
        lives(&mut life, MINUTE);
        // The password was changed: renewals end, and tokens that are out live on.
        server.get().settings.idle = Some(Duration::from_secs(1));
        assert_eq!(asks(&mut life), NeedReason::Expired);
        assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
        assert!(works(&mut life), "{}", life.transcript);
        let page = open_need(&life.machine).unwrap().url;
        life.runs_for(10 * MINUTE);
        assert_eq!(life.closed.as_ref().map(|reason| reason.code()), end, "{}", life.transcript);
        if end.is_none() {
            assert_eq!(life.machine.phase(), Phase::LoggingIn, "{}", life.transcript);
            assert!(life.calls(Method::GET, "/api/quotes").is_err(), "a dead token is not used");
            assert_eq!(open_need(&life.machine).unwrap().url, page);
            server.get().settings.idle = None;
            assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
            assert!(works(&mut life), "{}", life.transcript);
            assert_eq!(server.get().count(Outcome::RefreshRefused), 1);
        }
    }
}

/// Nobody answers after an answer was lost: no call leaves with a token that has ended, and the question stays.
#[test]
fn a_lost_renewal_that_nobody_makes_good_ends_with_the_access_token() {
    let server = server();
    let mut life = opened(&server);
    server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Lost);
    assert_eq!(asks(&mut life), NeedReason::Lost);
    let asked = open_need(&life.machine).unwrap();
    life.runs_for(3 * DAY);
    assert_eq!(life.closed, None);
    assert_eq!(open_need(&life.machine), Some(asked), "{}", life.transcript);
    assert!(life.calls(Method::GET, "/api/quotes").is_err());
    let tokens = life.sent.iter().filter(|line| *line == "POST /token").count();
    assert_eq!(tokens, 2, "the code and one renewal: {}", life.transcript);
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert!(works(&mut life));
}

/// Each answer after which nobody knows, and each that says that nobody looked.
#[test]
fn what_judges_nothing_is_sent_again_and_what_may_is_not() {
    let page = |status| Mishap::ProxyPage(StatusCode::from_u16(status).unwrap());
    for (mishap, again) in [
        (page(503), true),
        (page(429), true),
        (page(403), true),
        (page(302), true),
        (page(500), false),
        (page(502), false),
        (page(504), false),
        (page(200), false),
        (Mishap::MalformedJson, false),
    ] {
        let server = server();
        let mut life = opened(&server);
        server.get().disturb_calls(Method::POST, "/token", 1, &mishap);
        let asked = lives(&mut life, HOUR);
        assert_eq!(asked, usize::from(!again), "{mishap:?}\n{}", life.transcript);
        assert!(works(&mut life), "{mishap:?}");
        assert_eq!(server.get().count(Outcome::Reused), 0);
    }
}

/// What a person is asked with is stored before the code leaves, and each next token before it leaves.
#[test]
fn a_rotated_token_is_stored_before_it_is_used() {
    let server = server();
    let mut life: Life = World::new(Session::new(by_code(), Options::default(), seed()), server.clone());
    lives(&mut life, 3 * HOUR);
    let lines: Vec<&str> =
        life.transcript.lines().map(|line| line.split_once("  ").map_or("", |(_, text)| text)).collect();
    let mut saved = 0;
    for (place, line) in lines.iter().enumerate() {
        if line.trim() == "-> POST /token" {
            assert_eq!(lines[place - 1].trim(), "save", "before it leaves\n{}", life.transcript);
            let answer = lines[place..].iter().position(|line| line.trim().starts_with("<- 200"));
            let after = &lines[place + answer.unwrap() + 1..];
            assert_eq!(after[0].trim(), "save", "before anything else\n{}", life.transcript);
            saved += 1;
        }
    }
    assert!(saved > 15, "{saved}");
    let newest = server.get().issued().iter().rfind(|text| text.starts_with("rt-")).unwrap().clone();
    assert!(life.saved.unwrap().expose_secrets().contains(&newest));
}

/// A refresh token that ends before the access token does is used in time.
#[test]
fn a_refresh_token_may_end_before_the_access_token() {
    let server = server();
    server.get().settings.access_life = 4 * HOUR;
    server.get().settings.idle = Some(HOUR);
    server.get().settings.tells_refresh_life = true;
    let mut life = opened(&server);
    assert_eq!(lives(&mut life, 2 * DAY), 0, "{}", life.transcript);
    assert!(works(&mut life));
    assert_eq!(server.get().count(Outcome::RefreshRefused), 0);
}

#[test]
fn a_grace_that_has_passed_is_not_tried() {
    let server = server();
    server.get().settings.grace = MINUTE;
    let mut life = life(&server, by_code().rotation(Rotation::Grace(MINUTE)));
    lives(&mut life, MINUTE);
    server.get().disturb_calls(Method::POST, "/token", 40, &Mishap::Lost);
    assert_eq!(asks(&mut life), NeedReason::Lost);
    server.get().calm();
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Reused), 0, "{}", life.transcript);
}

/// A registration belongs to its redirect URI.
#[test]
fn a_snapshot_of_a_client_with_another_redirect_is_refused() {
    let server = server();
    let registered = |redirect: &str| provider(Grant::Code { redirect: redirect.into() }, ClientOf::register("a bot"));
    let mut life = life(&server, registered(BACK));
    lives(&mut life, MINUTE);
    let (snapshot, now) = (life.machine.snapshot(), life.now);
    let resume = |redirect| Session::resume(registered(redirect), &snapshot, options(), None, seed(), now).map(drop);
    assert!(resume(BACK).is_ok());
    assert!(resume("http://127.0.0.1:9/callback").is_err());
}

/// The answer that was lost may have brought tokens that nobody knows: the old one is revoked with the new ones.
#[test]
fn what_a_lost_renewal_has_left_at_the_server_is_ended_by_the_logout() {
    for dies in [false, true] {
        let server = server();
        let mut life = opened(&server);
        for _ in 0..2 {
            server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Dropped);
            assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
        }
        assert_eq!(server.get().live_consents(life.now), 3, "two of them without a client that knows them");
        if dies {
            life.resumes(|snapshot, now| Session::resume(by_code(), snapshot, options(), None, seed(), now).unwrap());
        }
        life.logs_out();
        assert_eq!(life.runs_to_end().code(), "logged-out", "{}", life.transcript);
        assert_eq!(server.get().live_consents(life.now), 0, "{}", life.transcript);
        assert_eq!(server.get().count(Outcome::Reused), 0);
    }
}

/// A person who has consented again is not asked again because of what was refused before.
#[test]
fn a_new_consent_begins_without_the_refusals_of_the_last_one() {
    let server = server();
    server.get().settings.access_life = HOUR;
    let mut life = opened(&server);
    let refusal = http::Response::builder().status(401).header("www-authenticate", r#"Bearer error="invalid_token""#);
    let refusal = Mishap::Instead(Box::new(refusal.body(Vec::new()).unwrap()));
    server.get().disturb_calls(Method::GET, "/api/quotes", 2, &refusal);
    for asked in [0, 1] {
        let _ = life.calls(Method::GET, "/api/quotes");
        assert_eq!(lives(&mut life, 2 * MINUTE), asked, "{}", life.transcript);
    }
    // No call says that all is well.
    assert_eq!(lives(&mut life, 5 * HOUR), 0, "{}", life.transcript);
    assert!(works(&mut life));
}

#[test]
fn a_token_of_less_than_a_minute_has_no_gap() {
    for seconds in [90, 61, 60, 45, 30, 20] {
        let server = server();
        server.get().settings.access_life = Duration::from_secs(seconds);
        server.get().settings.life = ExpiresIn::Number;
        let mut life = life(&server, by_code());
        life.latency = Duration::from_millis(300);
        lives(&mut life, MINUTE);
        for second in 0..240 {
            life.runs_for(Duration::from_secs(1));
            assert!(works(&mut life), "{seconds} s, after {second} s\n{}", life.transcript);
        }
        let (renewals, most) = (server.get().count(Outcome::Refreshed), 300 * 2 / seconds as usize + 2);
        assert!(renewals <= most, "{seconds} s: {renewals} renewals, at most {most}");
    }
}

/// What was granted at a renewal and may not be: no call leaves with it, and it is revoked whatever the network does meanwhile.
#[test]
fn a_renewal_that_brings_a_forbidden_scope_ends_the_session_at_the_server() {
    let page = Mishap::ProxyPage(StatusCode::BAD_GATEWAY);
    for (mishap, code, consents) in [(None, "denied.not-entitled", 0), (Some(page), "denied.not-entitled", 0)] {
        let server = server();
        let mut life = opened(&server);
        server.get().settings.scope = Some("read admin".into());
        if let Some(mishap) = &mishap {
            server.get().disturb_calls(Method::POST, "/revoke", 2, mishap);
        }
        life.runs_to(life.now + HOUR, |life| life.machine.phase() == Phase::LoggingOut);
        assert!(life.calls(Method::GET, "/api/quotes").is_err(), "{}", life.transcript);
        // Another process goes on with it.
        life.resumes(|snapshot, now| Session::resume(by_code(), snapshot, options(), None, seed(), now).unwrap());
        assert_eq!(life.runs_to_end().code(), code, "{}", life.transcript);
        assert_eq!(server.get().live_consents(life.now), consents, "{}", life.transcript);
    }
}
