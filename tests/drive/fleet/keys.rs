//! Sessions come and go under their keys.

use http::Request;
use sansession::drive::fleet::{CallError, Place, Refusal, UnknownKey};
use sansession::{Failure, Input, Misuse, Need, NeedId, Phase, machine::FailureKind};

use crate::fleet::story::{MINUTE, Story, at_once, cbrain, fine, gateway};

#[test]
fn sessions_of_two_providers_live_in_one_loop() {
    let mut story = Story::new(at_once()).inserts([1], Place::default());
    story.fleet.insert(2, cbrain(2), Place::default()).unwrap();
    story.lives(3 * MINUTE, fine);
    story.tells("1 opening -> active").tells("1 kept-alive").tells("2 needs credentials");
    for key in [1, 2] {
        assert_eq!(story.fleet.status(&key).unwrap().phase, Phase::Active, "{}", story.transcript());
    }
    assert_eq!(story.fleet.keys().collect::<Vec<_>>(), [&1, &2]);
}

#[test]
fn a_fleet_counts_its_sessions() {
    let mut story = Story::new(at_once());
    assert!(story.fleet.is_empty() && story.fleet.deadline().is_never());
    story = story.inserts([1, 2], Place::default());
    assert_eq!((story.fleet.len(), story.fleet.is_empty()), (2, false));
    assert!(!story.fleet.deadline().is_never());
    for key in [1, 2] {
        story.fleet.remove(&key).map(drop).unwrap();
    }
    assert_eq!((story.fleet.len(), story.fleet.is_empty()), (0, true));
}

#[test]
fn a_need_is_put_once() {
    let mut story = Story::new(at_once());
    story.fleet.insert(1, cbrain(1), Place::default()).unwrap();
    let Some(need) = first_need(&mut story) else { panic!("nothing is asked") };
    for _ in 0..3 {
        story.fleet.check(story.now, &1).unwrap();
        assert_eq!(first_need(&mut story), None);
    }
    let wrong = story.fleet.handle_input(story.now, &1, need.id, Input::Done, sansession::Source::Person).unwrap();
    assert!(matches!(wrong, sansession::InputHandled::Rejected(_)));
}

/// Takes outputs until there is a need, or nothing.
fn first_need(story: &mut Story) -> Option<Need> {
    use sansession::drive::fleet::Turn;
    use sansession::{Output, WaitingOn};
    loop {
        match story.fleet.poll(story.now) {
            Turn::Session(_, Output::Wait { on: WaitingOn::Need(need), .. }) => return Some(need),
            Turn::Wait { .. } => return None,
            _ => {}
        }
    }
}

#[test]
fn a_key_used_twice_gives_the_machine_back() {
    let mut story = Story::new(at_once()).inserts([1], Place::default());
    story.lives(MINUTE, fine);
    let taken = story.fleet.insert(1, cbrain(9), Place::default()).unwrap_err();
    assert_eq!(taken.machine.limit_group(), "portal-9.example.org|");
    assert_eq!(taken.to_string(), "the key belongs to another session of the fleet");
    assert_eq!((story.fleet.len(), story.fleet.status(&1).unwrap().phase), (1, Phase::Active));
}

#[test]
fn an_unknown_key_is_an_error_and_nothing_else() {
    let mut story = Story::new(at_once()).inserts([1], Place::default());
    let now = story.now;
    story.drains();
    let id = story.in_flight[&1];
    let failure = Failure::maybe_sent(FailureKind::Other);
    assert_eq!(story.fleet.handle_failure(now, &2, id, failure), Err(CallError::UnknownKey));
    assert_eq!(
        story.fleet.handle_input(now, &2, NeedId::UNSOLICITED, Input::Done, sansession::Source::Store),
        Err(UnknownKey)
    );
    assert_eq!(story.fleet.check(now, &2), Err(UnknownKey));
    assert_eq!(story.fleet.logout(now, &2), Err(UnknownKey));
    assert_eq!(story.fleet.lease(&2, now), Err(UnknownKey));
    assert!(story.fleet.snapshot(&2).is_err() && story.fleet.status(&2).is_err() && story.fleet.remove(&2).is_err());
    let (mut parts, ()) = Request::get("/").body(()).unwrap().into_parts();
    assert_eq!(story.fleet.authorize(now, &2, &mut parts, b"").unwrap_err(), Refusal::UnknownKey);
    let mut foreign = id;
    foreign.seq += 1;
    assert_eq!(story.fleet.handle_failure(now, &1, foreign, failure), Err(CallError::Misuse(Misuse::UnknownId)));
    story.lives(MINUTE, fine);
    assert_eq!(story.fleet.status(&1).unwrap().phase, Phase::Active);
}

#[test]
fn a_removed_session_says_what_is_in_flight_and_its_place_is_used_again() {
    let mut story = Story::new(at_once()).inserts([1], Place::default());
    story.drains();
    let id = story.in_flight.remove(&1).unwrap();
    let removed = story.fleet.remove(&1).unwrap();
    assert_eq!(removed.in_flight, Some(id));
    assert_eq!(removed.machine.phase(), Phase::Opening);
    assert!(story.fleet.is_empty() && story.drains().is_never());

    story.fleet.insert(2, gateway(2), Place::default()).unwrap();
    story.lives(MINUTE, fine);
    let removed = story.fleet.remove(&2).unwrap();
    assert_eq!((removed.in_flight, removed.machine.phase()), (None, Phase::Active));
    // It goes on where it was, in this fleet or another one.
    story.forgets().fleet.insert(3, removed.machine, Place::default()).unwrap();
    story.lives(2 * MINUTE, fine);
    assert!(story.sent.iter().all(|(_, _, path)| path != "status") && !story.sent.is_empty());
}

#[test]
fn an_end_is_told_once() {
    let mut story = Story::new(at_once()).inserts([1, 2], Place::default());
    story.lives(MINUTE, fine).forgets();
    story.fleet.logout(story.now, &1).unwrap();
    story.lives(10 * MINUTE, fine).tells("1 closed logged-out");
    story.fleet.check(story.now, &1).unwrap();
    story.lives(MINUTE, fine);
    assert_eq!(story.told.iter().filter(|(_, told)| told.contains(" closed ")).count(), 1);
    assert_eq!(story.fleet.status(&1).unwrap().phase, Phase::Closed);
    assert_eq!(story.fleet.status(&2).unwrap().phase, Phase::Active);
}
