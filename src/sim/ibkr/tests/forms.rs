//! The forms of requests and answers, and what goes wrong with them.

use super::*;
use crate::sim::Fault;

type Spoil = fn(&mut Request<Vec<u8>>);

#[test]
fn nobody_logged_in_has_many_faces() {
    for (logged_out, refusal) in [
        (LoggedOut::Redirect, Refusal::LoginRedirect),
        (LoggedOut::Unauthorized, Refusal::NotLoggedIn),
        (LoggedOut::AccessDenied, Refusal::NotLoggedIn),
        (LoggedOut::Empty, Refusal::NotLoggedIn),
    ] {
        let mut story = story(Settings { logged_out, ..quiet() });
        for request in [
            story.api.status(),
            story.api.init(Init::POLITE),
            story.api.tickle(),
            story.api.validate(),
            story.api.logout(),
            story.api.accounts(),
        ] {
            assert_eq!(story.send(&request).refusal(), Some(refusal), "{}", request.uri());
        }
    }
    let mut story = story(Settings { logged_out: LoggedOut::Flags, no_session_inside_200: true, ..quiet() });
    assert_eq!(story.status().standing(), BrokerageState::LoggedOut);
    assert_eq!(story.tickle().refusal(), Some(Refusal::NoSession));
}

#[test]
fn the_counter_renews_itself_until_it_does_not() {
    let mut story = story(quiet());
    story.log_in();
    for (secs, left) in [(0, 600_000), (60, 540_000), (590, 10_000), (605, 595_000)] {
        assert_eq!(story.at(secs).tickle().tickled().sso_expires, Some(left), "{secs}");
    }
    story.pull(Lever::StopRenewing);
    assert_eq!(story.at(1_190).tickle().tickled().sso_expires, Some(10_000));
    assert_eq!(story.at(1_200).tickle().refusal(), Some(Refusal::NotLoggedIn));
    assert!(story.happened().contains(&Happening::LoginEnded(End::Counter)));
}

#[test]
fn tickles_come_in_every_known_form() {
    for (tickle, fields) in [
        (TickleBody::Full, "collission hmds iserver session ssoExpires userId"),
        (TickleBody::OAuth, "hmds iserver session"),
        (TickleBody::OldOAuth, "hmds iserver session"),
        (TickleBody::WithoutIserver, "collission hmds session ssoExpires userId"),
    ] {
        let mut story = story(Settings { tickle, ..quiet() });
        let got = story.log_in().tickle();
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.join(" "), fields);
        assert_eq!(got.tickled().session.unwrap().expose().len(), 32);
    }
}

#[test]
fn an_init_is_understood_in_every_known_form() {
    let uri = |story: &Story, query: &str| story.api.base().join(&format!("/iserver/auth/ssodh/init{query}")).unwrap();
    for (content_type, query, body, expected) in [
        ("application/json", "", r#"{"publish":true,"compete":true}"#, (200, Holder::Client)),
        ("application/x-www-form-urlencoded", "", "compete=false&publish=true", (200, Holder::Client)),
        ("application/json", "/?compete=false&publish=true", "{}", (200, Holder::Client)),
        ("", "", "", (200, Holder::Nobody)),
        ("application/json", "", r#"{"publish":false,"compete":true}"#, (500, Holder::Nobody)),
        ("application/json", "", r#"{"compete":true}"#, (500, Holder::Nobody)),
        ("application/json", "", r#"{"publish":true}"#, (400, Holder::Nobody)),
        ("text/plain", "", r#"{"publish":true,"compete":true}"#, (400, Holder::Nobody)),
        ("application/json", "", r#"{"publish":"#, (400, Holder::Nobody)),
    ] {
        let mut story = story(Settings { opens_itself: false, ..quiet() });
        let request =
            Request::post(uri(story.log_in(), query)).header(USER_AGENT, "test").header(CONTENT_TYPE, content_type);
        let request = request.header(CONTENT_LENGTH, body.len()).body(body.as_bytes().to_vec()).unwrap();
        let got = story.send(&request);
        assert_eq!((got.status, story.gateway.holder()), expected, "{query} {body}");
    }
}

#[test]
fn what_the_real_servers_refuse_is_refused() {
    let mut story = story(quiet());
    story.log_in();
    let spoilt: [(Spoil, u16); 6] = [
        (|request| drop(request.headers_mut().remove(USER_AGENT)), 403),
        (|request| drop(request.headers_mut().remove(CONTENT_LENGTH)), 411),
        (|request| *request.uri_mut() = "https://localhost:5000/v2/tickle".parse().unwrap(), 404),
        (|request| *request.method_mut() = Method::PUT, 405),
        (|request| drop(request.headers_mut().insert(ORIGIN, "https://example.org".parse().unwrap())), 401),
        (|request| drop(request.headers_mut().insert(COOKIE, "a=1; b=2; a=3".parse().unwrap())), 400),
    ];
    for (spoil, status) in spoilt {
        let mut request = story.api.status();
        spoil(&mut request);
        let got = story.send(&request);
        assert_eq!(got.status, status, "{}", got.text());
    }
    let mut own = story.api.status();
    own.headers_mut().insert(ORIGIN, "https://localhost:5000".parse().unwrap());
    own.headers_mut().insert(COOKIE, "a=1; b=2".parse().unwrap());
    assert_eq!(story.send(&own).status, 200);
    story.gateway.settings().allowed = Some(vec![]);
    assert_eq!(story.status().refusal(), Some(Refusal::Forbidden));
}

#[test]
fn trouble_comes_as_ordered() {
    let mut story = story(quiet());
    story.log_in().pull(Lever::Mishap { next: 1, path: "/tickle", mishap: Mishap::answer(503, "", "") });
    story.pull(Lever::Mishap { next: 2, path: "", mishap: Mishap::MalformedJson });
    assert!(json::<Tickle<'_>>(&story.status().body).is_none());
    assert_eq!(story.tickle().refusal(), Some(Refusal::Aborted));
    assert!(json::<Tickle<'_>>(&story.at(5).tickle().body).is_none());
    assert_eq!(
        story.at(10).tickle().tickled().status().map(|status| BrokerageState::of(&status.flags())),
        Some(BrokerageState::Ready)
    );

    story.pull(Lever::Mishap { next: 1, path: "", mishap: Mishap::Dropped });
    let reply = story.reply(&story.api.logout());
    assert_eq!((reply.fault, story.gateway.person()), (Some(Fault::Drop), None), "it has acted");
    story.log_in().pull(Lever::Mishap { next: 1, path: "", mishap: Mishap::Lost });
    let reply = story.reply(&story.api.logout());
    assert!(reply.fault == Some(Fault::Drop) && story.gateway.person().is_some(), "it has not");
    story.pull(Lever::Mishap { next: 1, path: "", mishap: Mishap::Slow(Duration::from_secs(7)) });
    assert_eq!(story.reply(&story.api.status()).delay, Duration::from_secs(7));
    story.pull(Lever::Outage { lasts: Duration::from_secs(30), outage: Outage::Slow503 });
    assert_eq!(story.reply(&story.api.status()).delay, Duration::from_secs(10));
    assert_eq!(story.at(41).status().standing(), BrokerageState::Ready);
}

#[test]
fn tickles_fail_by_chance_and_the_same_seed_gives_the_same_chance() {
    let failures = |seed| {
        let flaky = Some(Flaky { percent: 7, mishap: Mishap::answer(503, "", "") });
        let mut story = story(Settings { flaky, seed, midnight: Midnight::EndsNothing, maintenance: None, ..quiet() });
        story.log_in();
        (1..1_001).filter(|minute| story.at(minute * 60).tickle().status != 200).collect::<Vec<_>>()
    };
    assert!((40..100).contains(&failures(1).len()), "{:?}", failures(1));
    assert_eq!(failures(1), failures(1));
    assert_ne!(failures(1), failures(2));
}
