//! Buckets, lines and the spread.

use std::time::Duration;

use sansession::drive::fleet::{FleetOptions, Place, Rate};
use sansession::{Machine, Phase};

use crate::fleet::story::{HOUR, MINUTE, SECOND, Story, at_once, fine};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn with(change: impl FnOnce(&mut FleetOptions)) -> FleetOptions {
    let mut options = at_once();
    change(&mut options);
    options
}

/// The most requests in any stretch of so long.
fn most_in(story: &Story, stretch: Duration) -> usize {
    let sent: Vec<Duration> = story.sent.iter().map(|sent| sent.0).collect();
    (0..sent.len()).map(|from| sent[from..].iter().filter(|at| **at < sent[from] + stretch).count()).max().unwrap()
}

#[test]
fn openings_keep_their_pace_in_the_order_of_their_coming() {
    let mut story = Story::new(with(|options| options.starts = Rate::new(2, SECOND))).inserts(0..6, Place::default());
    story.lives(millis(4_500), fine);
    let first: Vec<(Duration, u32)> =
        story.sent.iter().filter(|sent| sent.2 == "status").map(|sent| (sent.0, sent.1)).collect();
    assert_eq!(first, [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5)].map(|(at, key)| (at * SECOND, key)));
}

#[test]
fn an_opening_that_is_under_way_is_not_held_up_by_those_that_come() {
    // The login is to be made in the browser: the first session looks for it again and again.
    let away = |key: u32, path: &str| match (key, path) {
        (0, "status") => (401, String::new()),
        (0, "validate") => (401, String::new()),
        _ => fine(key, path),
    };
    let mut story =
        Story::new(with(|options| options.starts = Rate::new(1, 10 * MINUTE))).inserts(0..3, Place::default());
    story.lives(5 * MINUTE, away);
    assert!(story.sent.iter().filter(|sent| sent.1 == 0).count() > 5, "{}", story.transcript());
    assert!(story.sent.iter().all(|sent| sent.1 == 0));
    story.lives(16 * MINUTE, away);
    assert_eq!(story.fleet.status(&2).unwrap().phase, Phase::Active);
}

#[test]
fn a_limit_group_keeps_its_rate_and_another_is_not_held_up() {
    let mut story = Story::new(with(|options| options.group = Rate::new(2, 5 * SECOND)))
        .inserts(0..20, Place::default().group("host"))
        .inserts([99], Place::default());
    story.lives(10 * MINUTE, fine);
    assert!(story.sent.iter().any(|sent| sent.0.is_zero() && sent.1 == 99));
    story.sent.retain(|sent| sent.1 != 99);
    assert!(story.sent.len() > 100);
    assert_eq!(most_in(&story, 5 * SECOND), 2);
    assert_eq!(most_in(&story, 15 * SECOND), 4);
    // The line is fair: nobody starves although there are more requests than the rate allows.
    for key in 0..20 {
        assert!(story.sent.iter().filter(|sent| sent.1 == key).count() >= 3, "{key}\n{}", story.transcript());
    }
}

#[test]
fn a_bucket_is_not_filled_by_leaving_and_coming_back() {
    let mut story =
        Story::new(with(|options| options.group = Rate::new(1, MINUTE))).inserts([1], Place::default().group("host"));
    story.drains();
    for key in 2..10 {
        assert!(story.fleet.remove(&(key - 1)).is_ok());
        story.drains();
        story = story.inserts([key], Place::default().group("host"));
        story.now = story.now + SECOND;
        story.drains();
    }
    assert_eq!(story.sent.len(), 1);
    story.now = story.now + MINUTE;
    story.drains();
    assert_eq!(story.sent.len(), 2);
}

#[test]
fn those_in_line_may_leave_it_and_the_others_move_up() {
    let mut story =
        Story::new(with(|options| options.group = Rate::new(1, SECOND))).inserts(0..5, Place::default().group("host"));
    story.drains();
    for key in [1, 3] {
        assert_eq!(story.fleet.remove(&key).unwrap().in_flight, None);
    }
    for secs in 1..=2 {
        story.now = crate::support::START + secs * SECOND;
        story.drains();
    }
    assert_eq!(story.sent.iter().map(|sent| sent.1).collect::<Vec<_>>(), [0, 2, 4]);
}

#[test]
fn what_a_suspend_made_late_leaves_spread_out() {
    let mut story = Story::new(with(|options| options.spread = 20 * SECOND)).inserts(0..200, Place::default());
    story.lives(90 * SECOND, fine).forgets();
    story.now = story.now + HOUR;
    let woke = story.now.since(crate::support::START);
    story.lives(25 * SECOND, fine);
    let tickles: Vec<_> = story.sent.iter().filter(|sent| sent.2 == "tickle").map(|sent| sent.0).collect();
    assert!(tickles.len() >= 200 && tickles.iter().all(|at| *at < woke + 20 * SECOND + SECOND));
    story.sent.retain(|sent| sent.2 == "tickle");
    assert!(most_in(&story, SECOND) < 30, "{}", story.transcript());
}

#[test]
fn a_spread_is_the_same_for_the_same_seed() {
    let run = || {
        let mut story = Story::new(with(|options| options.spread = 20 * SECOND)).inserts(0..20, Place::default());
        story.lives(90 * SECOND, fine);
        story.now = story.now + HOUR;
        story.lives(25 * SECOND, fine);
        story.transcript()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_logout_waits_for_no_pace() {
    let mut story = Story::new(with(|options| options.starts = Rate::new(1, HOUR))).inserts(0..2, Place::default());
    story.lives(MINUTE, fine);
    assert_eq!(story.fleet.machine(&1).map(Machine::phase), Some(Phase::Idle));
    story.fleet.logout(story.now, &0).unwrap();
    story.fleet.logout(story.now, &1).unwrap();
    story.lives(SECOND, fine);
    story.tells("0 closed logged-out").tells("1 closed logged-out");
}
