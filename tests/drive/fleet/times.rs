//! The clock jumps, and the fleet neither storms nor starves.

use std::time::Duration;

use sansession::Timestamp;
use sansession::drive::fleet::Place;

use crate::fleet::story::{HOUR, MINUTE, SECOND, Story, at_once, fine};
use crate::support::START;

fn living(sessions: u32) -> Story {
    let mut story = Story::new(at_once()).inserts(0..sessions, Place::default());
    story.lives(150 * SECOND, fine).forgets();
    story
}

#[test]
fn a_clock_set_back_lets_the_waits_go_on_where_they_were() {
    // Half of the minute to the next tickle has passed when the clock is set back.
    for back in [2 * SECOND, 10 * SECOND, HOUR, 24 * HOUR] {
        let mut story = living(1);
        let left = story.drains().since(story.now);
        story.now = story.now - back;
        story.drains();
        let set = story.now;
        // A clock that is a little back stands still, so that much is waited longer.
        let still = if back <= 5 * SECOND { back } else { Duration::ZERO };
        story.lives(left + still - Duration::from_millis(1), fine);
        assert!(story.sent.is_empty(), "{back:?}\n{}", story.transcript());
        story.lives(Duration::from_millis(1), fine);
        assert_eq!(story.sent.len(), 1, "{back:?} {set:?}\n{}", story.transcript());
    }
}

#[test]
fn many_jumps_while_a_session_sleeps_are_all_told() {
    let mut story = living(1);
    let left = story.drains().since(story.now);
    for _ in 0..5 {
        story.now = story.now - HOUR;
        story.drains();
        story.lives(2 * SECOND, fine);
    }
    story.lives(left - 10 * SECOND - Duration::from_millis(1), fine);
    assert!(story.sent.is_empty());
    story.lives(Duration::from_millis(1), fine);
    assert_eq!(story.sent.len(), 1, "{}", story.transcript());
}

#[test]
fn a_jump_forward_is_one_late_request_of_each() {
    let mut story = living(10);
    story.now = story.now + 72 * HOUR;
    story.lives(SECOND, fine);
    for key in 0..10 {
        assert_eq!(
            story.sent.iter().filter(|sent| sent.1 == key && sent.2 == "tickle").count(),
            1,
            "{}",
            story.transcript()
        );
    }
}

#[test]
fn a_clock_from_another_world_ends_in_a_wait() {
    let mut story = living(5);
    for now in [0, u64::MAX, 1, u64::MAX - 1, 5_000, START.as_millis()] {
        story.now = Timestamp::from_millis(now);
        let now = Timestamp::from_millis(now);
        for _ in 0..1_000 {
            if let sansession::drive::fleet::Turn::Wait { until } = story.fleet.poll(now) {
                assert!(until > now || now > Timestamp::from_millis(253_402_300_799_000));
                break;
            }
        }
    }
    story.in_flight.clear();
    story.now = START + HOUR;
    story.forgets().lives(5 * MINUTE, fine);
    for key in 0..5 {
        assert!(story.sent.iter().any(|sent| sent.1 == key), "{key} starves\n{}", story.transcript());
    }
}

#[test]
fn an_empty_fleet_waits_for_ever() {
    let mut story = Story::new(at_once());
    assert!(story.drains().is_never());
    assert!(story.fleet.deadline().is_never());
}
