use super::*;
use crate::provider::{Plan, When};

const NOON: Timestamp = Timestamp::from_secs(1_790_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// A table with something in every slot, put in from the last one to the first.
fn full() -> Agenda<char> {
    let mut agenda = Agenda::default();
    agenda.follow(NOON, &Plan::staying().keepalive('k', MINUTE));
    agenda.look(NOON, Some(('l', MINUTE)));
    agenda.check(NOON + MINUTE);
    renew(&mut agenda, NOON, 'r', When::At(NOON + MINUTE));
    agenda.put_anew(Some(NOON + MINUTE));
    agenda.again('n', NOON + MINUTE);
    agenda.follow(NOON, &Plan::staying().expires(When::In(MINUTE)));
    agenda
}

fn renew(agenda: &mut Agenda<char>, now: Timestamp, step: char, when: When) {
    agenda.follow(now, &Plan::staying().renew(step, when));
}

#[test]
fn the_order_of_slots_breaks_ties() {
    let agenda = full();
    let slots: Vec<Slot> = agenda.iter().map(|entry| entry.slot).collect();
    assert!(slots.is_sorted(), "{slots:?}");
    assert_eq!(slots.len(), 7);
    let docs = include_str!("../agenda.md");
    let listed = docs.lines().filter_map(|line| line.split_once(". ")?.1.split_once(": "));
    let listed: Vec<&str> = listed.map(|(name, _)| name).collect();
    assert_eq!(listed, slots.iter().map(|slot| format!("{slot:?}").to_lowercase()).collect::<Vec<_>>());
    assert!(agenda.iter().all(|entry| entry.due() == NOON + MINUTE));
}

#[test]
fn a_clock_that_is_set_back_moves_all_but_what_a_server_named() {
    let mut agenda = full();
    agenda.keep_trying('k', NOON + MINUTE / 2);
    agenda.set_back(MINUTE);
    for entry in agenda.iter() {
        let (at, retry) = match entry.slot {
            Slot::Renew => (NOON + MINUTE, None),
            Slot::Question => (Timestamp::from_millis(0), None),
            Slot::Next => (NOON, Some(NOON)),
            Slot::Keepalive => (NOON, Some(NOON - MINUTE / 2)),
            _ => (NOON, None),
        };
        assert_eq!((entry.at, entry.retry), (at, retry), "{:?}", entry.slot);
    }
}

#[test]
fn a_step_that_leaves_is_planned_no_more_unless_it_comes_again() {
    let mut agenda = full();
    for step in ['n', 'r', 'k', 'l'] {
        agenda.leave(NOON + MINUTE * 2, step);
    }
    agenda.settle('r');
    let left: Vec<(Slot, Timestamp)> = agenda.iter().map(|entry| (entry.slot, entry.due())).collect();
    let later = NOON + MINUTE * 3;
    let stays = [Slot::Expiry, Slot::Question, Slot::Check].map(|slot| (slot, NOON + MINUTE));
    assert_eq!(left[..3], stays);
    assert_eq!(left[3..], [(Slot::Look, later), (Slot::Keepalive, later)]);
    assert_eq!(agenda.renewed().iter().collect::<Vec<_>>(), [&('r', NOON + MINUTE * 2)]);
}

#[test]
fn what_may_have_left_before_a_crash_keeps_its_own_time_where_that_is_to_come() {
    let mut agenda = full();
    for step in ['n', 'k'] {
        agenda.may_have_left(NOON + MINUTE / 2, step);
    }
    assert!(!agenda.has(Slot::Next));
    assert_eq!(agenda.get(Slot::Keepalive).map(Entry::due), Some(NOON + MINUTE));
    agenda.may_have_left(NOON + MINUTE, 'k');
    assert_eq!(agenda.get(Slot::Keepalive).map(Entry::due), Some(NOON + MINUTE * 2));
}

#[test]
fn a_further_attempt_of_a_keepalive_does_not_push_the_next_one_out() {
    let mut agenda = full();
    assert_eq!(agenda.keep_trying('k', NOON + MINUTE / 2), Some(NOON + MINUTE / 2));
    assert_eq!(agenda.keep_trying('k', NOON + MINUTE * 9), Some(NOON + MINUTE));
    assert_eq!(agenda.keep_trying('l', NOON), None);
    assert_eq!(agenda.look_later('l', NOON + MINUTE * 9), Some(NOON + MINUTE * 9));
    assert_eq!(agenda.look_later('l', NOON), Some(NOON + MINUTE * 9));
}

#[test]
fn tokens_are_not_renewed_each_minute_because_a_server_names_the_past() {
    let mut agenda = full();
    agenda.leave(NOON + MINUTE, 'r');
    renew(&mut agenda, NOON + MINUTE, 'r', When::At(NOON - MINUTE));
    assert_eq!(agenda.get(Slot::Renew).map(Entry::due), Some(NOON + MINUTE * 2));
    agenda.follow(NOON, &Plan::staying().expires(When::At(NOON)));
    assert!(!agenda.has(Slot::Expiry), "it has passed");
}

#[test]
fn there_may_be_several_renewals_each_with_its_own_step() {
    let hours = |hours| When::In(MINUTE * 60 * hours);
    let (mut agenda, at) = (Agenda::default(), |hours| NOON + MINUTE * 60 * hours);
    for (step, when) in [('a', hours(6)), ('b', hours(2)), ('a', hours(7)), ('b', When::At(at(3)))] {
        renew(&mut agenda, NOON, step, when);
    }
    let due = |agenda: &Agenda<char>| agenda.iter().map(|entry| (entry.step, entry.due())).collect::<Vec<_>>();
    assert_eq!(
        due(&agenda),
        [(Some('a'), at(6)), (Some('b'), at(3))],
        "a length of time puts none off, an instant does"
    );
    renew(&mut agenda, at(1), 'a', hours(6));
    assert_eq!(due(&agenda)[0], (Some('a'), at(6)));
    agenda.leave(at(5), 'a');
    agenda.settle('a');
    agenda.follow(at(5), &Plan::staying());
    assert_eq!(due(&agenda)[0], (Some('a'), at(6)), "a look with the same step comes before its time");
    agenda.leave(at(6), 'a');
    assert_eq!(due(&agenda)[0], (Some('a'), Timestamp::NEVER));
    agenda.set_back(MINUTE);
    assert_eq!(agenda.renew_again('b', at(6)), None);
    assert_eq!(agenda.renew_again('a', at(7)), Some(at(7)));
    renew(&mut agenda, at(6), 'a', hours(6));
    assert_eq!(due(&agenda)[0], (Some('a'), at(7)), "what failed keeps its own wait");
    agenda.next('b', at(1));
    agenda.leave(at(1), 'b');
    agenda.settle('b');
    assert_eq!(due(&agenda), [(Some('a'), at(7))], "the protocol's next step was the renewal");
    agenda.leave(at(7), 'a');
    agenda.follow(at(7), &Plan::staying());
    assert_eq!(due(&agenda), [(Some('a'), at(7) + MINUTE)]);
}
