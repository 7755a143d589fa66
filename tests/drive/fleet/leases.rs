//! Nothing is sent for a session past its lease.

use http::Request;
use sansession::drive::fleet::{Place, Rate, Refusal};

use crate::fleet::story::{HOUR, MINUTE, SECOND, Story, at_once, fine};
use crate::support::START;

/// The gateway's requests may take 12 s.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(12);

fn living() -> Story {
    let mut story = Story::new(at_once()).inserts([1, 2], Place::default());
    story.lives(90 * SECOND, fine).forgets();
    story
}

#[test]
fn a_request_leaves_only_if_its_answer_comes_before_the_end() {
    // The session tickles a little after 121 s and 181 s.
    for (lease, sent) in [(133, 0), (134, 1), (193, 1), (194, 2)] {
        let mut story = living();
        story.fleet.lease(&1, START + lease * SECOND).unwrap();
        story.lives(HOUR, fine);
        let leaves: Vec<_> = story.sent.iter().filter(|sent| sent.1 == 1).collect();
        assert!(leaves.iter().all(|sent| sent.0 + TIMEOUT < lease * SECOND), "{leaves:?}");
        assert_eq!(leaves.len(), sent, "{lease}\n{}", story.transcript());
        assert_eq!(story.told.iter().filter(|(_, told)| told == "1 lapsed").count(), 1);
        assert!(story.sent.iter().filter(|sent| sent.1 == 2).count() > 50);
    }
}

#[test]
fn a_renewed_lease_lets_it_go_on() {
    let mut story = living();
    story.fleet.lease(&1, START + 100 * SECOND).unwrap();
    story.lives(5 * MINUTE, fine).tells("1 lapsed").forgets();
    story.fleet.lease(&1, story.now + MINUTE).unwrap();
    story.lives(SECOND, fine);
    assert_eq!(story.sent.iter().filter(|sent| sent.1 == 1 && sent.2 == "tickle").count(), 1);
    story.lives(HOUR, fine).tells("1 lapsed");
}

#[test]
fn a_session_past_its_lease_is_not_opened_and_makes_no_call() {
    let mut story = Story::new(at_once()).inserts([1], Place::default());
    story.fleet.lease(&1, START).unwrap();
    story.lives(MINUTE, fine).tells("1 lapsed");
    assert!(story.sent.is_empty());

    let mut story = living();
    story.fleet.lease(&1, story.now + SECOND).unwrap();
    let call = || Request::get("/v1/api/portfolio/accounts").body(()).unwrap().into_parts().0;
    assert!(story.fleet.authorize(story.now, &1, &mut call(), b"").is_ok());
    let later = story.now + SECOND;
    assert_eq!(story.fleet.authorize(later, &1, &mut call(), b"").unwrap_err(), Refusal::Lapsed);
}

#[test]
fn an_answer_that_comes_after_the_lease_is_used() {
    let mut story = living();
    while !story.in_flight.contains_key(&1) {
        story.gets(fine);
        story.now = story.drains();
        story.drains();
    }
    story.fleet.lease(&1, story.now).unwrap();
    story.now = story.now + SECOND;
    story.gets(fine).drains();
    story.tells("1 kept-alive");
}

#[test]
fn a_clock_set_back_prolongs_no_lease() {
    for back in [SECOND, 4 * SECOND, MINUTE, HOUR] {
        let mut story = living();
        story.fleet.lease(&1, START + 4 * MINUTE).unwrap();
        let mut passed = 90 * SECOND;
        while passed < 10 * MINUTE {
            story.now = story.now - back;
            story.drains();
            story.lives(20 * SECOND, fine);
            passed += 20 * SECOND;
            if passed >= 4 * MINUTE {
                story.sent.retain(|sent| sent.1 != 1 || passed <= 4 * MINUTE);
            }
        }
        story.forgets();
        story.lives(10 * MINUTE, fine);
        assert!(story.sent.iter().all(|sent| sent.1 == 2), "{back:?}\n{}", story.transcript());
    }
}

/// Those that stood in line for their opening when their leases ended must not all be let in by then.
#[test]
fn sessions_whose_leases_are_renewed_together_open_at_their_pace() {
    let mut options = at_once();
    options.starts = Rate::new(2, SECOND);
    let mut story = Story::new(options).inserts(0..20, Place::default());
    for key in 0..20 {
        story.fleet.lease(&key, START + SECOND / 2).unwrap();
    }
    story.lives(MINUTE, fine).forgets();
    for key in 0..20 {
        story.fleet.lease(&key, sansession::Timestamp::NEVER).unwrap();
    }
    story.lives(MINUTE, fine);
    let starts: Vec<_> = story.starts();
    assert_eq!(starts.len(), 18, "{}", story.transcript());
    for (first, at) in starts.iter().enumerate() {
        let many = starts[first..].iter().filter(|other| **other < *at + SECOND).count();
        assert!(many <= 2, "{many} at {at:?}\n{}", story.transcript());
    }
}
