use super::*;

#[test]
fn a_clock_set_back_moves_relative_deadlines_with_it() {
    active().at(START - 6 * HOUR).waits(12 * HOUR);
}

#[test]
fn a_clock_set_back_moves_the_distance_of_checks_with_it() {
    let checked = active().passes(12 * HOUR).sends("GET /session").gets(200, &info(TOKEN)).checks();
    let checked = checked.sends("GET /session").gets(200, &info(TOKEN)).at(START - 6 * HOUR);
    checked.checks().waits(10 * SECOND);
}

#[test]
fn a_clock_set_back_moves_an_attempt_with_it() {
    let script = active().passes(12 * HOUR).sends("GET /session").times_out().is(Phase::Active);
    let wait = script.machine.deadline().since(script.now);
    let back = script.now - 6 * HOUR;
    script.at(back).waits(wait);
}

#[test]
fn what_is_to_be_told_is_due_at_once() {
    let script = session().answers(credentials()).sends("POST /session").gets(200, &info(TOKEN));
    assert_eq!(script.machine.deadline(), script.now);
    assert_eq!(script.is(Phase::Active).machine.deadline(), START + 12 * HOUR);
}

#[test]
fn a_clock_a_little_back_stands_still() {
    active().at(START - 4 * SECOND).waits(12 * HOUR + 4 * SECOND);
}

#[test]
fn a_jump_forward_is_one_late_poll() {
    active().passes(300 * HOUR).sends("GET /session").gets(200, &info(TOKEN)).waits(12 * HOUR);
}

#[test]
fn the_end_of_time_is_survived() {
    let mut script = active().at(Timestamp::NEVER);
    assert!(matches!(script.poll(), Output::Send(_)));
    script
        .at(Timestamp::from_millis(0))
        .sleeps()
        .cancels()
        .sleeps()
        .sends("GET /session")
        .gets(200, &info(TOKEN))
        .waits(12 * HOUR);
}
