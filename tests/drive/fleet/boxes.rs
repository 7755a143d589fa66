//! Penalty boxes of lanes.

use std::time::Duration;

use http::Request;
use sansession::drive::fleet::{FleetOptions, Place, Rate, Refusal};
use sansession::{AuthorizeError, Phase, Response};

use crate::fleet::story::{HOUR, MINUTE, SECOND, Story, TIMED_OUT, at_once, fine, tickle};
use crate::support::START;

const PENALTY: Duration = Duration::from_secs(15 * 60);

fn options() -> FleetOptions {
    let mut options = at_once();
    options.spread = 30 * SECOND;
    options.lane_starts = Rate::new(1, 2 * SECOND);
    options
}

/// Forty sessions of one lane and two of another, all active, at the third minute.
fn living() -> Story {
    let mut story = Story::new(options())
        .inserts(0..40, Place::default().lane("192.0.2.1"))
        .inserts([100, 101], Place::default().lane("192.0.2.2"));
    story.lives(3 * MINUTE, fine);
    for key in 0..40 {
        assert_eq!(story.fleet.status(&key).unwrap().phase, Phase::Active);
    }
    story.forgets();
    story
}

/// Lives on until somebody tickles and gets a 429; gives the time.
fn gets_429(story: &mut Story) -> Duration {
    while story.in_flight.keys().all(|key| *key >= 100) {
        story.gets(fine);
        story.now = story.drains();
        story.drains();
    }
    story.gets(|key, path| if key < 100 { (429, String::new()) } else { fine(key, path) });
    story.now.since(START)
}

fn sent_by(story: &Story, lane: impl Fn(u32) -> bool) -> Vec<(Duration, String)> {
    story.sent.iter().filter(|sent| lane(sent.1)).map(|sent| (sent.0, sent.2.clone())).collect()
}

#[test]
fn a_429_of_one_session_boxes_its_lane_and_no_other() {
    let mut story = living();
    let boxed = gets_429(&mut story);
    story.drains();
    story.tells("192.0.2.1 boxed for 900s").tells_nothing_of("192.0.2.2");
    story.forgets().lives(HOUR, fine);
    let first = sent_by(&story, |key| key < 100)[0].0;
    assert!(first >= boxed + PENALTY, "{first:?} after {boxed:?}");
    let other = sent_by(&story, |key| key >= 100);
    assert!(other.iter().filter(|sent| sent.0 < boxed + PENALTY).count() >= 28);
}

#[test]
fn what_was_due_in_the_box_leaves_spread_out() {
    let mut story = living();
    let boxed = gets_429(&mut story);
    story.forgets().lives(HOUR, fine);
    let out: Vec<_> = sent_by(&story, |key| key < 100).into_iter().take(40).map(|sent| sent.0).collect();
    assert!(*out.last().unwrap() < boxed + PENALTY + 31 * SECOND);
    let most = out.iter().map(|from| out.iter().filter(|at| *at >= from && **at < *from + SECOND).count()).max();
    assert!(most < Some(10), "{out:?}");
}

#[test]
fn what_idles_out_in_the_box_is_an_expected_drop_and_opens_again_at_the_lanes_pace() {
    let mut story = living();
    let boxed = gets_429(&mut story);
    let left = (START + boxed + PENALTY - SECOND).since(story.now);
    story.lives(left, fine).forgets();
    let idle = std::cell::RefCell::new((0..40).collect::<std::collections::BTreeSet<u32>>());
    story.lives(5 * MINUTE, |key, path| match path {
        "init" => {
            idle.borrow_mut().remove(&key);
            fine(key, path)
        }
        "tickle" if idle.borrow().contains(&key) => (200, tickle(TIMED_OUT)),
        "status" if idle.borrow().contains(&key) => (200, TIMED_OUT.to_owned()),
        _ => fine(key, path),
    });
    let dropped = story.told.iter().filter(|(_, told)| told.ends_with("dropped")).count();
    assert!(dropped >= 30, "{dropped}\n{}", story.transcript());
    let inits: Vec<_> = sent_by(&story, |key| key < 40).into_iter().filter(|sent| sent.1 == "init").collect();
    assert!(inits.len() >= 30);
    for pair in inits.windows(2) {
        assert!(pair[1].0 >= pair[0].0 + 2 * SECOND, "{inits:?}");
    }
}

#[test]
fn an_observed_429_boxes_the_lane_for_calls_too() {
    let mut story = living();
    story.drains();
    story.gets(fine);
    let (mut parts, ()) = Request::get("/v1/api/portfolio/accounts").body(()).unwrap().into_parts();
    let ticket = story.fleet.authorize(story.now, &3, &mut parts, b"").unwrap();
    let response = http::Response::builder().status(429).header("retry-after", "120").body("").unwrap();
    story.fleet.observe(story.now, &3, &ticket, Response::from(&response)).unwrap();
    for (key, refused) in [(3, true), (4, true), (100, false)] {
        let (mut parts, ()) = Request::get("/v1/api/portfolio/accounts").body(()).unwrap().into_parts();
        let got = story.fleet.authorize(story.now, &key, &mut parts, b"");
        let until = match got {
            Err(Refusal::Session(AuthorizeError::NotReady { until, .. })) => until,
            _ => None,
        };
        assert_eq!(until.is_some(), refused, "{key}");
    }
    let before = story.now.since(START);
    story.forgets().lives(30 * MINUTE, fine);
    let first = sent_by(&story, |key| key < 100)[0].0;
    assert!(first >= before + 120 * SECOND);
}

#[test]
fn a_box_outlives_the_session_that_got_it() {
    let mut story = living();
    gets_429(&mut story);
    for key in 0..40 {
        drop(story.fleet.remove(&key));
    }
    let boxed = story.now.since(START);
    let mut story = story.inserts(40..44, Place::default().lane("192.0.2.1"));
    story.forgets().lives(HOUR, fine);
    assert!(sent_by(&story, |key| key < 100)[0].0 >= boxed + PENALTY);
}

#[test]
fn a_clock_set_back_or_forth_ends_no_box_early() {
    for back in [3 * SECOND, HOUR] {
        let mut story = living();
        gets_429(&mut story);
        story.forgets().lives(5 * MINUTE, fine);
        story.sent.retain(|sent| sent.1 >= 100);
        assert!(sent_by(&story, |key| key < 100).is_empty());
        story.now = story.now - back;
        let rest = PENALTY - 5 * MINUTE - SECOND;
        story.lives(rest, fine);
        assert_eq!(sent_by(&story, |key| key < 100), []);
        story.lives(40 * SECOND, fine);
        assert!(sent_by(&story, |key| key < 100).len() >= 40, "{back:?}\n{}", story.transcript());
    }
}

#[test]
fn a_logout_in_the_box_ends_here() {
    let mut story = living();
    gets_429(&mut story);
    let now = story.now;
    story.forgets().fleet.logout(now, &5).unwrap();
    story.lives(MINUTE, fine).tells("5 closed logged-out.unconfirmed");
    assert!(story.sent.iter().all(|sent| sent.1 != 5));
}

/// What was let through before the box is not let through a second time beside those that stand in line after it.
#[test]
fn openings_that_a_box_kept_back_keep_the_pace_of_their_lane() {
    let mut options = at_once();
    options.starts = Rate::new(1, SECOND);
    options.lane_starts = Rate::new(5, 10 * SECOND);
    let mut story = Story::new(options).inserts(0..12, Place::default().lane("192.0.2.1"));
    story.drains();
    story.gets(|_, _| (429, String::new())).drains();
    story.forgets().lives(PENALTY + MINUTE, fine);
    let starts = story.starts();
    assert!(starts.len() > 5, "{}", story.transcript());
    let at_first = starts.iter().filter(|at| **at < starts[0] + 10 * SECOND).count();
    assert_eq!(at_first, 5, "{}", story.transcript());
}
