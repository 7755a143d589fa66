//! Logins, brokerage sessions, and what ends them.

use super::*;

#[test]
fn a_login_opens_the_brokerage_session_which_is_established_later() {
    let mut story = story(quiet());
    assert_eq!(story.status().refusal(), Some(Refusal::NotLoggedIn));
    assert_eq!(story.at(1).log_in().status().standing(), BrokerageState::Establishing);
    assert_eq!(story.get("/iserver/accounts").text(), r#"{"accounts":[]}"#);
    assert_eq!(story.at(3).status().standing(), BrokerageState::Ready);
    assert_eq!(story.get("/iserver/account/orders").refusal(), Some(Refusal::AccountsFirst));
    assert_eq!(story.at(8).get("/iserver/accounts").status, 200);
    assert_eq!(story.at(14).get("/iserver/account/orders").text(), r#"{"orders":[],"snapshot":true}"#);
    assert_eq!(story.get("/portfolio/accounts").status, 200);
}

#[test]
fn only_tickles_keep_the_brokerage_session() {
    let mut story = story(quiet());
    story.log_in().at(359);
    assert_eq!(
        story.tickle().tickled().status().map(|status| BrokerageState::of(&status.flags())),
        Some(BrokerageState::Ready)
    );
    for secs in [400, 500, 600, 700] {
        assert_eq!(story.at(secs).get("/iserver/accounts").status, 200);
    }
    assert_eq!(story.at(719).status().standing(), BrokerageState::NeedsInit);
    assert_eq!(story.get("/iserver/accounts").refusal(), Some(Refusal::NoBridge));
    assert_eq!(story.get("/portfolio/accounts").status, 200);
    assert_eq!(story.init(Init::POLITE).standing(), BrokerageState::Establishing);
    assert_eq!(story.at(722).status().standing(), BrokerageState::Ready);
    assert!(story.happened().contains(&Happening::BrokerageEnded(End::Idle)));
}

#[test]
fn other_calls_keep_it_too_where_a_test_says_so() {
    let mut story = story(Settings { kept_by: KeptBy::AnyIserverCall, ..quiet() });
    story.log_in();
    for secs in (300..3_000).step_by(300) {
        assert_eq!(story.at(secs).get("/iserver/accounts").status, 200);
    }
    assert_eq!(story.status().standing(), BrokerageState::Ready);
}

#[test]
fn a_rival_refuses_the_polite_and_is_thrown_out_by_the_others() {
    let mut story = story(quiet());
    let returns = Some(Duration::from_secs(60));
    story.log_in().at(10).pull(Lever::RivalTakes(Rival { returns, ..Rival::default() }));
    assert_eq!(story.status().standing(), BrokerageState::NeedsInit, "the flags do not tell of the rival");
    assert_eq!(story.get("/iserver/accounts").refusal(), Some(Refusal::NotAuthenticated));
    assert_eq!(story.get("/portfolio/accounts").status, 200);
    assert_eq!(story.init(Init::POLITE).standing(), BrokerageState::TakeoverNeeded);
    assert_eq!(story.gateway.holder(), Holder::Rival);
    assert_eq!(story.init(Init::TAKE_OVER).standing(), BrokerageState::Establishing);
    assert_eq!(story.at(13).status().standing(), BrokerageState::Ready);
    assert_eq!(story.at(71).status().standing(), BrokerageState::NeedsInit, "the rival is back");
    assert_eq!(story.at(90).pull(Lever::RivalLeaves).init(Init::POLITE).standing(), BrokerageState::Establishing);
    assert_eq!(story.gateway.count(|what| *what == Happening::TookOver), 1);
    assert_eq!(story.gateway.count(|what| *what == Happening::Refused), 1);
}

#[test]
fn a_rival_may_show_and_refuse_in_words() {
    let mut story = story(quiet());
    story.log_in().pull(Lever::RivalTakes(Rival { shows: true, refusal: RefusedInit::Fail, returns: None }));
    assert_eq!(story.status().standing(), BrokerageState::Competing);
    let refused = story.init(Init::POLITE);
    assert!(refused.text().contains("Force compete"), "{}", refused.text());
    assert_eq!(story.pull(Lever::RivalLeaves).status().standing(), BrokerageState::TakeoverNeeded, "the text stays");
    assert_eq!(story.init(Init::POLITE).standing(), BrokerageState::Establishing);
}

#[test]
fn an_init_may_be_refused_although_nobody_holds_the_session() {
    let mut story = story(Settings { refuses_polite_init: true, opens_itself: false, ..quiet() });
    story.log_in();
    assert_eq!(story.init(Init::POLITE).standing(), BrokerageState::TakeoverNeeded);
    assert_eq!(story.init(Init::TAKE_OVER).standing(), BrokerageState::Establishing);
    assert_eq!(story.gateway.count(|what| *what == Happening::TookOver), 0, "there was nobody to throw out");
}

#[test]
fn midnight_ends_the_login_in_every_region() {
    for (region, midnight) in [
        (Region::NewYork, "Wed, 04 Mar 2026 05:00:00 GMT"),
        (Region::Zug, "Tue, 03 Mar 2026 23:00:00 GMT"),
        (Region::HongKong, "Wed, 04 Mar 2026 16:00:00 GMT"),
    ] {
        let midnight = Timestamp::from_http_date(midnight).unwrap();
        let mut story = story(Settings { region, idle: Duration::from_secs(86_400), ..Settings::default() });
        story.log_in();
        story.now = midnight - Duration::from_millis(1);
        assert_eq!(story.status().standing(), BrokerageState::Ready, "{region}");
        story.now = midnight;
        assert_eq!(story.status().refusal(), Some(Refusal::Aborted), "{region}: maintenance");
        story.now = midnight + Duration::from_secs(480);
        assert_eq!(story.status().refusal(), Some(Refusal::NotLoggedIn), "{region}: a person is called");
        story.now = midnight + Duration::from_secs(502);
        assert_eq!(story.status().standing(), BrokerageState::Ready, "{region}: and has come");
        let ended = Logged { at: midnight, what: Happening::LoginEnded(End::Midnight) };
        assert!(story.gateway.log().contains(&ended), "{region}");
    }
}

#[test]
fn midnight_may_end_the_brokerage_session_alone() {
    let mut story = story(Settings {
        midnight: Midnight::EndsBrokerage,
        maintenance: None,
        idle: Duration::from_secs(86_400),
        ..quiet()
    });
    story.log_in().at(12 * 3_600);
    assert_eq!(story.status().standing(), BrokerageState::NeedsInit);
    assert_eq!(story.init(Init::POLITE).standing(), BrokerageState::Establishing);
    story.at(24 * 3_600);
    assert_eq!(story.status().refusal(), Some(Refusal::NotLoggedIn), "a login ends after 24 hours at the latest");
}

#[test]
fn too_many_requests_lead_into_the_penalty_box() {
    let mut story = story(Settings { limits: RateLimits::Documented, ..quiet() });
    story.log_in().at(10).tickle();
    story.now = story.now + Duration::from_millis(999);
    assert_eq!(story.tickle().refusal(), Some(Refusal::PenaltyBox));
    assert_eq!(story.at(10 + 899).get("/iserver/accounts").refusal(), Some(Refusal::PenaltyBox));
    assert_eq!(story.at(10 + 901).status().standing(), BrokerageState::NeedsInit, "idle meanwhile");
    assert_eq!(story.gateway.count(|what| *what == Happening::Boxed), 1);

    story.at(1_000).validate();
    assert_eq!(story.at(1_059).validate().refusal(), Some(Refusal::PenaltyBox));
}

#[test]
fn the_first_request_calls_a_person_who_may_be_the_wrong_one() {
    let person = Person { user: "somebody".into(), paper: false };
    let mut story =
        story(Settings { login: Login::After { delay: Duration::from_secs(30), person }, ..Settings::default() });
    story.at(100).status();
    assert_eq!(story.at(129).status().refusal(), Some(Refusal::NotLoggedIn));
    assert_eq!(story.at(130).status().standing(), BrokerageState::Establishing);
    let got = story.validate();
    let validate: Validate<'_> = json(&got.body).unwrap();
    assert_eq!((validate.user_name.as_deref(), validate.login()), (Some("somebody"), Some(AccountKind::Live)));
    assert_eq!(validate.auth_time, Some(story.now.as_millis()));
}

#[test]
fn the_login_page_is_there_for_people() {
    let mut story = story(Settings::default());
    let request = Request::get(story.api.login_page()).body(Vec::new()).unwrap();
    assert_eq!(story.send(&request).status, 200);
    assert_eq!(story.at(20).status().standing(), BrokerageState::Establishing);
}

#[test]
fn a_reauthenticate_answers_at_once_and_works_later() {
    let mut story = story(quiet());
    story.log_in().pull(Lever::EndBrokerage { connected: false });
    assert_eq!(story.status().standing(), BrokerageState::LoggedOut);
    let got = story.send(&story.api.reauthenticate_by_force());
    assert!(matches!(Reauthenticated::read(&got.body), Some(Reauthenticated::Triggered)));
    assert_eq!(story.at(4).status().standing(), BrokerageState::LoggedOut);
    assert_eq!(story.at(5).status().standing(), BrokerageState::Establishing);
    assert_eq!(story.at(7).status_by_get().standing(), BrokerageState::Ready);
}

#[test]
fn after_a_logout_validate_still_answers_for_a_while() {
    let mut story = story(Settings { gone_after_logout: Duration::from_secs(5), ..quiet() });
    let got = story.log_in().logout();
    assert_eq!(json::<Logout<'_>>(&got.body).unwrap().outcome(), Some(LogoutOutcome::Ended));
    let got = story.validate();
    assert_eq!(json::<Validate<'_>>(&got.body).unwrap().result, Some(true));
    assert_eq!(story.init(Init::POLITE).refusal(), Some(Refusal::Gone));
    assert_eq!(story.at(60).validate().refusal(), Some(Refusal::NotLoggedIn));

    story.gateway.settings().legacy_logout = true;
    let got = story.log_in().logout();
    assert_eq!(got.text(), r#"{"confirmed":false}"#);
}

#[test]
fn settings_of_a_brokerage_session_are_lost_with_it() {
    let mut story = story(Settings { bridge: Duration::from_secs(1), ..quiet() });
    story.log_in().at(3).get("/iserver/accounts");
    let mut suppress = story.api.init(Init::POLITE);
    *suppress.uri_mut() = story.api.base().join("/iserver/questions/suppress").unwrap();
    *suppress.body_mut() = br#"{"messageIds":["o1"]}"#.to_vec();
    assert_eq!(story.send(&suppress).text(), r#"{"status":"submitted"}"#);
    assert_eq!(story.gateway.suppressed(), 1);
    assert_eq!(story.init(Init::POLITE).standing(), BrokerageState::Establishing, "an init begins it anew");
    assert_eq!(story.gateway.suppressed(), 0);
    assert_eq!(story.get("/iserver/accounts").refusal(), Some(Refusal::NoBridge));
    assert_eq!(story.at(6).get("/iserver/account/orders").refusal(), Some(Refusal::AccountsFirst));
}

#[test]
fn a_week_of_tickles_needs_a_login_each_day() {
    for region in Region::ALL {
        let mut story = story(Settings { region, ..Settings::default() });
        for minute in 0..7 * 24 * 60 {
            story.at(minute * 60).tickle();
        }
        let nights = story.gateway.count(|what| *what == Happening::Midnight);
        let logins = story.gateway.count(|what| matches!(what, Happening::LoggedIn { .. }));
        assert_eq!((nights, logins), (7, 8), "{region}");
        assert_eq!(story.gateway.count(|what| *what == Happening::Boxed), 0);
    }
}

#[test]
fn time_may_jump_either_way() {
    let mut story = story(Settings::default());
    story.log_in();
    story.gateway.advance(Timestamp::from_millis(0));
    assert_eq!(story.gateway.holder(), Holder::Client);
    story.gateway.advance(Timestamp::from_millis(u64::MAX - 1));
    story.gateway.advance(Timestamp::NEVER);
    assert_eq!((story.gateway.holder(), story.gateway.person()), (Holder::Nobody, None));
}
