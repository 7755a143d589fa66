//! What broke in well-known clients, by the repository and the number of its report.

use std::time::Duration;

use http::{Method, StatusCode};
use sansession::providers::oauth2::{ClientOf, Grant};
use sansession::sim::Mishap;
use sansession::sim::oauth2::{Browsed, Life as ExpiresIn, Outcome};
use sansession::{Input, Machine, Phase, ResumeError, Seed, Session, Snapshot, Source};

use super::{BACK, DAY, HOUR, MINUTE, by_code, life, lives, open_need, options, provider, server, works};
use crate::support::seed;
use crate::support::world::World;

/// modelcontextprotocol/rust-sdk#921: a renewal without a refresh token wiped the stored one.
#[test]
fn a_renewal_without_a_refresh_token_keeps_the_old_one() {
    for unchanged in [None, Some("null"), Some("\"\"")] {
        let server = server();
        server.get().settings.rotates = false;
        server.get().settings.unchanged_refresh = unchanged;
        let mut life = life(&server, by_code());
        assert_eq!(lives(&mut life, DAY), 1, "{}", life.transcript);
        assert!(works(&mut life));
    }
}

/// ramosbugs/oauth2-rs#151 and #136: a life that is text, and no token type, failed the login; the code was spent.
#[test]
fn a_life_may_be_text_and_a_type_missing() {
    let server = server();
    server.get().settings.life = ExpiresIn::Text;
    server.get().settings.token_type = None;
    let mut life = life(&server, by_code());
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert!(server.get().count(Outcome::Refreshed) >= 5, "the life was read");
}

/// ramosbugs/oauth2-rs#310: pending comes with 200.
#[test]
fn a_poll_goes_on_where_errors_have_the_status_200() {
    let server = server();
    server.get().settings.errors_with_200 = true;
    let mut life = life(&server, provider(Grant::Device, ClientOf::public("app")));
    life.runs_for(MINUTE);
    assert!(server.get().count(Outcome::Pending) > 5, "{}", life.transcript);
    server.person(&open_need(&life.machine).unwrap(), life.now);
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active);
}

/// openai/codex#10332: two processes renew with one refresh token. One that takes up a snapshot that says that a renewal had left
/// does not send it again. Two that live at once and share a file are in `tool::oauth2::kept`.
#[test]
fn a_process_that_takes_over_does_not_repeat_a_renewal_under_way() {
    let server = server();
    let mut life = life(&server, by_code());
    lives(&mut life, MINUTE);
    life.latency = Duration::from_secs(1);
    let before = server.get().count(Outcome::Refreshed);
    life.runs_to(life.now + HOUR, |life| life.awaits_answer());
    assert_eq!(server.get().count(Outcome::Refreshed), before + 1);
    life.resumes(|snapshot, now| Session::resume(by_code(), snapshot, options(), None, seed(), now).unwrap());
    assert!(works(&mut life), "the access token is good");
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Reused), 0);
}

/// anthropics/claude-code#84440: the loser of a race erased the tokens that the winner had stored. What a process has written is
/// taken up by later ones only, and what an older one writes afterwards is refused by its fence.
#[test]
fn a_process_that_was_replaced_writes_nothing_that_a_later_one_takes_up() {
    let server = server();
    let mut life = life(&server, by_code());
    lives(&mut life, MINUTE);
    let first = life.machine.snapshot();
    let resume = |snapshot: &Snapshot, fence, now| {
        Session::resume(by_code(), snapshot, options(), Some(fence), Seed::new([fence as u8; 32]), now)
    };
    // The winner renews for an hour and stores what it gets; the loser, with the same beginning, never had the lease.
    let mut winner = World::new(resume(&first, 3, life.now).unwrap(), server.clone()).at(life.now);
    assert_eq!(lives(&mut winner, HOUR), 0, "{}", winner.transcript);
    let mut loser = resume(&first, 2, life.now).unwrap();
    loser.logout(life.now);
    assert!(matches!(resume(&loser.snapshot(), 2, winner.now), Err(ResumeError::OlderFence { .. })));
    let stored = winner.saved.take().unwrap();
    assert!(matches!(resume(&stored, 3, winner.now), Err(ResumeError::OlderFence { .. })));
    let mut next = World::new(resume(&stored, 4, winner.now).unwrap(), server.clone()).at(winner.now);
    assert_eq!(lives(&mut next, HOUR), 0, "{}", next.transcript);
    assert!(works(&mut next));
    assert_eq!(server.get().count(Outcome::Reused), 0);
}

/// anthropics/claude-code#93014: the renewal before had died of a network change, and was sent again.
#[test]
fn a_renewal_whose_answer_was_lost_is_not_sent_again() {
    for mishap in [
        Mishap::Dropped,
        Mishap::Truncated,
        Mishap::MalformedJson,
        Mishap::Lost,
        Mishap::ProxyPage(StatusCode::BAD_GATEWAY),
        Mishap::ProxyPage(StatusCode::OK),
        Mishap::Slow(2 * MINUTE),
    ] {
        let server = server();
        let mut life = life(&server, by_code());
        lives(&mut life, MINUTE);
        server.get().disturb_calls(Method::POST, "/token", 1, &mishap);
        life.runs_to(life.now + HOUR, |life| open_need(&life.machine).is_some());
        assert!(works(&mut life), "{mishap:?}: the session goes on\n{}", life.transcript);
        assert!(life.told.iter().any(|event| event.code() == "suspect"), "{mishap:?}");
        assert_eq!(open_need(&life.machine).unwrap().because.code(), "lost");
        assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
        assert!(works(&mut life), "{mishap:?}\n{}", life.transcript);
        assert_eq!(server.get().count(Outcome::Reused), 0, "{mishap:?}");
        assert_eq!(server.get().count(Outcome::RefreshRefused), 0, "{mishap:?}");
    }
}

/// anthropics/claude-code#85149: no DNS for a moment after wake-up deleted the stored login.
#[test]
fn a_network_that_is_gone_loses_nothing() {
    let server = server();
    let mut life = life(&server, by_code());
    lives(&mut life, MINUTE);
    life.online = false;
    life.sleeps(3 * HOUR);
    assert_eq!(lives(&mut life, HOUR), 0, "{}", life.transcript);
    life.online = true;
    assert_eq!(lives(&mut life, 10 * MINUTE), 0);
    assert!(works(&mut life), "{}", life.transcript);
}

/// modelcontextprotocol/python-sdk#3250: after a restart the life was unknown and the token endpoint was guessed.
#[test]
fn a_restart_knows_the_life_and_the_endpoints() {
    let server = server();
    let mut life = life(&server, by_code());
    lives(&mut life, MINUTE);
    let described = server.get().count(Outcome::Described);
    life.sleeps(3 * DAY);
    life.resumes(|snapshot, now| Session::resume(by_code(), snapshot, options(), None, seed(), now).unwrap());
    assert_eq!(lives(&mut life, MINUTE), 0, "{}", life.transcript);
    assert!(works(&mut life), "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Described), described);
}

/// tylerebowers/Schwabdev#40: a dead refresh token in the server's own word was not recognised.
#[test]
fn a_dead_refresh_token_may_have_the_servers_own_word() {
    let server = server();
    server.get().settings.dead = (400, "unsupported_token_type");
    let mut life = life(&server, by_code().dead_word("unsupported_token_type"));
    lives(&mut life, MINUTE);
    server.get().revoke_consents();
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert!(works(&mut life));
}

/// tylerebowers/Schwabdev#61: a page of the edge at the exchange of the code, gone by itself.
#[test]
fn a_page_of_the_edge_judges_no_code() {
    let server = server();
    let mut life = life(&server, by_code());
    server.get().disturb_calls(Method::POST, "/token", 2, &Mishap::ProxyPage(StatusCode::FORBIDDEN));
    assert_eq!(lives(&mut life, MINUTE), 1, "{}", life.transcript);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Redeemed), 1);
}

/// cli/oauth#76: `slow_down` ended the login.
#[test]
fn a_poll_that_comes_too_fast_slows_down() {
    let server = server();
    server.get().settings.interval = Some(5);
    let mut life = life(&server, provider(Grant::Device, ClientOf::public("app")));
    life.runs_for(Duration::from_secs(3));
    let slow = Mishap::Instead(Box::new(
        http::Response::builder()
            .status(400)
            .header("content-type", "application/json")
            .body(br#"{"error":"slow_down"}"#.to_vec())
            .unwrap(),
    ));
    server.get().disturb_calls(Method::POST, "/token", 1, &slow);
    life.runs_for(3 * MINUTE);
    let polls = life.sent.iter().filter(|line| *line == "POST /token").count();
    assert!((16..20).contains(&polls), "10 s between two: {polls}\n{}", life.transcript);
    server.person(&open_need(&life.machine).unwrap(), life.now);
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active);
}

/// supabase/mcp#355: a registration that the server forgot was used for ever.
#[test]
fn a_registration_that_was_forgotten_is_made_anew_once() {
    let server = server();
    let mut life = life(&server, provider(Grant::Code { redirect: BACK.into() }, ClientOf::register("a bot")));
    assert_eq!(lives(&mut life, MINUTE), 1, "{}", life.transcript);
    let id = server.get().clients().find(|id| id.starts_with("client-")).unwrap().to_owned();
    server.get().prune(&id);
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Registered), 2);
    assert!(works(&mut life), "{}", life.transcript);
}

/// NousResearch/hermes-agent#115329: no User-Agent at the exchange of the code.
#[test]
fn every_request_has_a_name() {
    let server = server();
    server.get().settings.wants_user_agent = true;
    let mut life = life(&server, by_code());
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert!(works(&mut life));
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out");
    assert_eq!(server.get().count(Outcome::EdgeRefused), 0);
}

/// NousResearch/hermes-agent#115329, its other half: a login that failed had deleted the metadata and the registration that the
/// next one needed.
#[test]
fn a_login_that_fails_keeps_what_the_next_one_needs() {
    let server = server();
    let registered = || provider(Grant::Code { redirect: BACK.into() }, ClientOf::register("a bot"));
    let mut life = life(&server, registered());
    assert_eq!(lives(&mut life, MINUTE), 1);
    let first = |server: &super::Shared| {
        let sim = server.get();
        (sim.count(Outcome::Described), sim.count(Outcome::Registered))
    };
    assert_eq!(first(&server), (1, 1));
    // The consent ends; the code of the next one is refused at first, and the edge is in trouble.
    server.get().revoke_consents();
    let page = Mishap::ProxyPage(StatusCode::FORBIDDEN);
    server.get().disturb_calls(Method::GET, "/.well-known/oauth-authorization-server", 9, &page);
    server.get().disturb_calls(Method::POST, "/register", 9, &page);
    life.runs_to(life.now + HOUR, |life| open_need(&life.machine).is_some());
    let need = open_need(&life.machine).unwrap();
    let input = server.person(&need, life.now).unwrap();
    let refused = http::Response::builder().status(400).header("content-type", "application/json");
    let refused = refused.body(br#"{"error":"invalid_grant"}"#.to_vec()).unwrap();
    server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Instead(Box::new(refused)));
    let _ = life.machine.handle_input(life.now, need.id, input, Source::Person);
    // Another process goes on from what was stored of that.
    life.runs_for(MINUTE / 6);
    life.resumes(|snapshot, now| Session::resume(registered(), snapshot, options(), None, seed(), now).unwrap());
    assert_eq!(lives(&mut life, HOUR), 1, "{}", life.transcript);
    assert!(works(&mut life), "{}", life.transcript);
    assert_eq!(first(&server), (1, 1), "{}", life.transcript);
}

/// supabase/mcp#355, its other half: the page that says "unknown client" comes back to nobody. A question that is given up
/// leaves nothing of the registration behind, so the next session registers again.
#[test]
fn a_page_that_comes_back_to_nobody_is_not_opened_for_ever() {
    let server = server();
    let registered = || provider(Grant::Code { redirect: BACK.into() }, ClientOf::register("a bot"));
    let mut life = life(&server, registered());
    life.runs_for(MINUTE);
    let id = server.get().clients().find(|id| id.starts_with("client-")).unwrap().to_owned();
    server.get().prune(&id);
    let need = open_need(&life.machine).unwrap();
    assert!(matches!(server.get().browse(life.now, need.url.as_deref().unwrap()), Browsed::Page(_)));
    let _ = life.machine.handle_input(life.now, need.id, Input::GiveUp, Source::Person);
    assert_eq!(life.runs_to_end().code(), "denied.unanswered", "{}", life.transcript);
    assert!(!life.machine.snapshot().expose_secrets().contains(&id));
    let mut next = super::life(&server, registered());
    assert_eq!(lives(&mut next, HOUR), 1, "{}", next.transcript);
    assert!(works(&mut next));
}
