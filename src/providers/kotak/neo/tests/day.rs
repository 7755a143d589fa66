//! The end of the day, at which sessions are checked.

use super::*;

/// A session whose token names no end and outlives the day.
fn active_for_days() -> Trade {
    let mut run = opening();
    run.sim.set_tokens_name_their_end(false);
    run.sim.set_token_life(Some(30 * DAY));
    log_in(&mut run, NeedReason::Opening);
    run
}

/// Goes to the next instant at which something is due.
fn until_due(run: &mut Trade) {
    let crate::Output::Wait { until, on } = run.session.poll(run.now) else { panic!() };
    assert_eq!(on, crate::WaitingOn::Renewal);
    assert_eq!((until.as_secs() + 19_800) % 86_400, 8 * 3_600 + 1_800, "08:30 in India");
    assert!(until > run.now && until <= run.now + DAY);
    run.now = until;
}

#[test]
fn a_session_that_outlives_the_day_is_looked_at_once_and_never_in_doubt() {
    let mut run = active_for_days();
    for day in 1..=5 {
        until_due(&mut run);
        run.is_active();
        assert_eq!((run.sent_to("get-client-ip"), run.sent.len()), (day, 2 + day));
    }
    assert!(!run.was_told("suspect") && !run.was_told("retrying"), "{:?}", run.told);
    // A look of another kind in the last minute does not stand for it.
    run.now = run.session.deadline() - Duration::from_secs(30);
    run.session.check(run.now);
    run.is_active();
    run.now = run.now + Duration::from_secs(60);
    run.is_active();
    assert_eq!(run.sent_to("get-client-ip"), 7);
}

#[test]
fn what_the_days_end_has_ended_is_found_at_half_past_eight() {
    let proof = "get-client-ip answered after the day's end that the session is invalid";
    for death in [Death::Code100022, Death::Code1003, Death::Code900901] {
        let mut run = active_for_days();
        run.sim.set_death(death);
        until_due(&mut run);
        run.is_active();
        run.now = run.now + Duration::from_secs(23 * 3_600);
        run.sim.expire_sessions();
        run.is_active();
        until_due(&mut run);
        run.closes("expired");
        assert!(run.told.contains(&Event::Expired { proof }) && !run.was_told("suspect"), "{:?}", run.told);
        assert_eq!(run.sent_to("get-client-ip"), 2);
    }
}

#[test]
fn an_outage_at_the_days_end_ends_nothing() {
    let mut run = active_for_days();
    until_due(&mut run);
    run.sim.disturb(5, &Mishap::ProxyPage(StatusCode::BAD_GATEWAY));
    run.is_active();
    assert!(run.was_told("suspect") && run.was_told("recovered"), "{:?}", run.told);
    assert_eq!(run.sent_to("get-client-ip"), 6);
    until_due(&mut run);
    run.is_active();
    assert_eq!(run.sent_to("get-client-ip"), 7);
}

#[test]
fn the_next_process_looks_at_the_days_end_and_knows_of_it() {
    let run = active_for_days();
    let snapshot = run.session.snapshot();
    let (ends, mut sim) = (run.session.deadline(), run.sim);
    let resume = |now| {
        let provider = provider().dashboard_token("dash-1").unwrap();
        Session::resume(provider, &snapshot, Options::default(), None, [9; 32], now).unwrap()
    };
    assert_eq!(resume(run.now).deadline(), ends);
    sim.expire_sessions();
    // The machine slept through it.
    let now = ends + Duration::from_secs(7_200);
    let mut run = Run { session: resume(now), sim, now, told: Vec::new(), sent: Vec::new() };
    run.closes("expired");
    let proof = "get-client-ip answered after the day's end that the session is invalid";
    assert!(run.told.contains(&Event::Expired { proof }), "{:?}", run.told);
}
