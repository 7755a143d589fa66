//! The person's part: redirects in every way in which they come, codes for another device, and a no.

use sansession::providers::oauth2::{ClientOf, Grant, OAuth2};
use sansession::sim::oauth2::{Browsed, Outcome, Person};
use sansession::{
    Input, InputHandled, Machine, NeedKind, Phase, Secret, Session, Source,
    machine::{NeedReason, Rejection},
};

use super::{BACK, DAY, HOUR, Life, MINUTE, Shared, by_code, life, lives, open_need, options, provider, server, works};
use crate::support::seed;

/// Lets the person consent, and gives the address that the browser is sent to.
fn browsed(server: &Shared, life: &Life) -> String {
    let need = open_need(&life.machine).unwrap();
    match server.get().browse(life.now, need.url.as_deref().unwrap()) {
        Browsed::Redirect(back) => back,
        page => panic!("{page:?}"),
    }
}

fn gives(life: &mut Life, text: &str) -> InputHandled {
    let need = open_need(&life.machine).unwrap();
    assert_eq!(need.kind, NeedKind::Redirect);
    life.machine.handle_input(life.now, need.id, Input::Redirect(Secret::from(text)), Source::Person)
}

fn asked(server: &Shared, provider: OAuth2) -> Life {
    let mut life = life(server, provider);
    life.runs_for(MINUTE);
    life
}

/// A session whose consent of a week ends in half a day.
fn asked_early(server: &Shared) -> Life {
    server.get().settings.absolute = Some(7 * DAY);
    let mut life = life(server, by_code().refresh_lasts(7 * DAY));
    lives(&mut life, MINUTE);
    life.runs_to(life.now + 7 * DAY, |life| open_need(&life.machine).is_some());
    assert_eq!(open_need(&life.machine).unwrap().because, NeedReason::Renewing);
    life
}

#[test]
fn a_redirect_comes_as_a_whole_url_a_query_or_with_blanks() {
    type Way = fn(&str) -> String;
    let ways: [Way; 6] = [
        str::to_owned,
        |url| format!("  {url}\r\n"),
        |url| url.replace('&', "&amp;"),
        |url| url.split_once('?').unwrap().1.to_owned(),
        |url| url.replacen('?', "#", 1),
        |url| format!("{}\n{}", &url[..60], &url[60..]),
    ];
    for (number, way) in ways.iter().enumerate() {
        let server = server();
        let mut life = asked(&server, by_code());
        let back = browsed(&server, &life);
        assert_eq!(gives(&mut life, &way(&back)), InputHandled::Used, "{number}");
        life.runs_for(MINUTE);
        assert_eq!(life.machine.phase(), Phase::Active, "{number}\n{}", life.transcript);
    }
}

#[test]
fn a_code_alone_is_taken_by_option_only() {
    for bare in [false, true] {
        let server = server();
        let mut life = asked(&server, if bare { by_code().bare_code() } else { by_code() });
        let back = browsed(&server, &life);
        let code = back.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
        let answered = gives(&mut life, &code);
        if bare {
            assert_eq!(answered, InputHandled::Used);
            life.runs_for(MINUTE);
            assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
        } else {
            let why = "it belongs to another attempt";
            assert_eq!(answered, InputHandled::Rejected(Rejection::Unfit { field: "redirect", why }));
            assert_eq!(server.get().count(Outcome::CodeRefused), 0);
        }
    }
}

/// Whatever is wrong with it, nothing is sent, the reason is told and the question stays.
#[test]
fn what_is_no_redirect_of_this_attempt_costs_nothing() {
    let server = server();
    let mut life = asked(&server, by_code());
    let back = browsed(&server, &life);
    let state = back.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    let (page, sent) = (open_need(&life.machine).unwrap(), life.sent.len());
    for (text, why) in [
        (back.replace(&state, "another"), "it belongs to another attempt"),
        (format!("{BACK}?code=x"), "it belongs to another attempt"),
        (format!("{BACK}?error=access_denied&state=another"), "it belongs to another attempt"),
        (format!("{BACK}?state={state}"), "there is no code in it"),
        (BACK.to_owned(), "there is no code in it"),
        (format!("{BACK}?code=x&code=y&state={state}"), "a parameter is there twice"),
        (format!("{back}#state={state}"), "a parameter is there twice"),
        (back.replace("127.0.0.1:8400", "evil.example.org"), "it leads elsewhere than the redirect URI"),
        (back.replace("callback", "favicon.ico"), "it leads elsewhere than the redirect URI"),
        (back.replace("login.example", "evil.example"), "it comes from another server"),
        (back.split("&iss=").next().unwrap().to_owned(), "it comes from another server"),
        (page.url.as_deref().unwrap().to_owned(), "it is the page to log in at; the address after the login is wanted"),
    ] {
        let rejected = InputHandled::Rejected(Rejection::Unfit { field: "redirect", why });
        assert_eq!(gives(&mut life, &text), rejected, "{text}");
    }
    assert_eq!(gives(&mut life, " \n"), InputHandled::Rejected(Rejection::Empty("redirect")));
    assert_eq!(gives(&mut life, "a\u{7}b"), InputHandled::Rejected(Rejection::Malformed("redirect")));
    life.runs_for(MINUTE);
    assert_eq!((open_need(&life.machine).unwrap(), life.sent.len()), (page, sent), "{}", life.transcript);
    let back = browsed(&server, &life);
    assert_eq!(gives(&mut life, &back), InputHandled::Used);
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
}

/// An error that says nothing about the person leaves the question open.
#[test]
fn a_server_in_trouble_denies_nobody() {
    let server = server();
    let back = browsed(&server, &asked(&server, by_code()));
    let state = back.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    for (error, closes) in [
        ("temporarily_unavailable", false),
        ("server_error", false),
        ("login_required", false),
        ("consent_required", false),
        ("interaction_required", false),
        ("access_denied", true),
        ("invalid_scope", true),
        ("invalid_request", true),
        ("unsupported_response_type", true),
        ("invalid_target", true),
        ("unauthorized_client", true),
    ] {
        let mut life = asked(&server, by_code());
        let back = browsed(&server, &life);
        let other = back.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
        assert_eq!(other, state, "one seed");
        let answered =
            gives(&mut life, &format!("{BACK}?error={error}&state={state}&iss=https%3A%2F%2Flogin.example.org"));
        life.runs_for(MINUTE);
        assert_eq!(matches!(answered, InputHandled::Used), closes, "{error}: {answered:?}");
        let code = life.closed.as_ref().map(|reason| reason.code());
        assert_eq!(code, closes.then_some("denied.rejected"), "{error}\n{}", life.transcript);
    }
}

#[test]
fn who_says_no_to_the_next_consent_keeps_the_session_of_today() {
    let server = server();
    let mut life = asked_early(&server);
    server.get().settings.person = Person::Declines;
    let back = browsed(&server, &life);
    assert_eq!(gives(&mut life, &back), InputHandled::Used);
    assert_eq!(open_need(&life.machine), None, "it was declined\n{}", life.transcript);
    assert!(life.told.iter().all(|event| event.code() != "recovered"), "{}", life.transcript);
    life.runs_for(6 * HOUR);
    assert!(works(&mut life), "{}", life.transcript);
    assert_eq!(open_need(&life.machine), None, "it is not put again\n{}", life.transcript);
    // Also not by another process.
    life.resumes(|snapshot, now| {
        Session::resume(by_code().refresh_lasts(7 * DAY), snapshot, options(), None, seed(), now).unwrap()
    });
    life.runs_for(HOUR);
    assert!(works(&mut life), "{}", life.transcript);
    assert_eq!(open_need(&life.machine), None, "{}", life.transcript);
    // When the consent has ended, the login is another matter.
    life.runs_to(life.now + DAY, |life| open_need(&life.machine).is_some());
    assert_eq!(open_need(&life.machine).unwrap().because, NeedReason::Expired, "{}", life.transcript);
    server.get().settings.person = Person::Consents;
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert!(works(&mut life), "{}", life.transcript);
}

/// The early question lasts to the end: an older address is as good as the last one, since the page is the same.
#[test]
fn the_page_that_a_person_has_open_stays_good_when_the_consent_ends_meanwhile() {
    let server = server();
    let mut life = asked_early(&server);
    let first = open_need(&life.machine).unwrap();
    life.runs_to(life.now + DAY, |life| life.machine.phase() != Phase::Active);
    let last = open_need(&life.machine).unwrap();
    assert_eq!(first.url, last.url, "{}", life.transcript);
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert!(works(&mut life), "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Redeemed), 2);
}

#[test]
fn a_device_shows_its_code_and_where_to_type_it() {
    let server = server();
    let mut life = asked(&server, provider(Grant::Device, ClientOf::public("app")));
    let need = open_need(&life.machine).unwrap();
    let prompt = need.prompt.clone().unwrap();
    let (url, code) = (need.url.unwrap(), prompt.user_code.clone().unwrap());
    assert_eq!(*url, format!("https://login.example.org/activate?user_code={code}"));
    assert_eq!(prompt.text.as_deref(), Some("type the code at https://login.example.org/activate"));
    // Another process polls on with the same one.
    life.resumes(|snapshot, now| {
        let again = provider(Grant::Device, ClientOf::public("app"));
        Session::resume(again, snapshot, options(), None, seed(), now).unwrap()
    });
    life.runs_for(MINUTE);
    let again = open_need(&life.machine).unwrap();
    assert_eq!((again.id, again.prompt.unwrap()), (need.id, prompt));
    assert!(server.get().approve_device(life.now, &code));
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    assert_eq!(open_need(&life.machine), None);
}

#[test]
fn a_device_that_is_declined_keeps_the_session_of_today() {
    let server = server();
    server.get().settings.absolute = Some(7 * DAY);
    let device = || provider(Grant::Device, ClientOf::public("app")).refresh_lasts(7 * DAY);
    let mut life = life(&server, device());
    lives(&mut life, 10 * MINUTE);
    assert!(works(&mut life), "{}", life.transcript);
    life.runs_to(life.now + 7 * DAY, |life| open_need(&life.machine).is_some());
    let need = open_need(&life.machine).unwrap();
    assert_eq!(need.because, NeedReason::Renewing);
    server.get().decline_device(life.now, need.prompt.unwrap().user_code.as_deref().unwrap());
    let begun = server.get().count(Outcome::DeviceBegun);
    life.runs_for(6 * HOUR);
    assert!(works(&mut life), "{}", life.transcript);
    assert_eq!(
        (open_need(&life.machine), server.get().count(Outcome::DeviceBegun)),
        (None, begun),
        "{}",
        life.transcript
    );
    life.runs_to(life.now + DAY, |life| open_need(&life.machine).is_some());
    assert_eq!(open_need(&life.machine).unwrap().because, NeedReason::Expired, "{}", life.transcript);
    lives(&mut life, 10 * MINUTE);
    assert!(works(&mut life), "{}", life.transcript);
}
