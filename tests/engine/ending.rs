use super::*;

#[test]
fn a_logout_is_confirmed_by_the_server() {
    active().logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    active().logs_out().sends("DELETE /session").gets(401, "").closes("logged-out");
}

#[test]
fn a_logout_is_repeated_while_the_portal_is_locked() {
    active()
        .logs_out()
        .sends("DELETE /session")
        .gets(503, r#"{"message":"back at noon"}"#)
        .sleeps()
        .sends("DELETE /session")
        .gets(200, "")
        .closes("logged-out");
}

#[test]
fn a_logout_that_is_not_confirmed_in_time_is_told() {
    let mut script = active().logs_out();
    loop {
        match script.poll() {
            Output::Send(outgoing) => {
                let id = outgoing.id();
                let _ = script.machine.handle_failure(script.now, id, Failure::maybe_sent(FailureKind::Connect));
            }
            Output::Wait { until, .. } => script.now = until,
            Output::Closed(reason) => {
                assert_eq!(reason.code(), "logged-out.unconfirmed");
                break;
            }
            _ => {}
        }
    }
    assert!(script.now <= START + Duration::from_secs(30));
    script.tells("may-live-on");
}

#[test]
fn a_redirect_is_never_a_logout() {
    active()
        .logs_out()
        .sends("DELETE /session")
        .gets(302, "")
        .sleeps()
        .sends("DELETE /session")
        .gets_as(200, &[("content-type", "text/html")], "")
        .sleeps()
        .sends("DELETE /session")
        .gets(200, "")
        .closes("logged-out");
}

#[test]
fn a_logout_waits_for_a_login_under_way() {
    session()
        .answers(credentials())
        .sends("POST /session")
        .logs_out()
        .gets(200, &info(TOKEN))
        .sends("DELETE /session")
        .gets(200, "")
        .closes("logged-out");
    session().answers(credentials()).sends("POST /session").logs_out().gets(401, "").closes("logged-out");
    session().answers(credentials()).sends("POST /session").logs_out().gets(503, "").closes("logged-out");
    session()
        .answers(credentials())
        .sends("POST /session")
        .logs_out()
        .times_out()
        .tells("may-live-on")
        .closes("logged-out.unconfirmed");
    session()
        .answers(credentials())
        .sends("POST /session")
        .logs_out()
        .forgets()
        .sleeps()
        .cancels()
        .tells("may-live-on")
        .closes("logged-out.unconfirmed");
}

#[test]
fn a_logout_does_not_wait_for_a_keepalive() {
    active().sleeps().sends("GET /session").logs_out().cancels().sends("DELETE /session");
}

#[test]
fn a_login_that_may_have_been_judged_may_live_on_after_a_logout() {
    session()
        .answers(credentials())
        .sends("POST /session")
        .logs_out()
        .gets(502, "")
        .tells("may-live-on")
        .closes("logged-out.unconfirmed");
}

#[test]
fn a_logout_that_has_begun_is_not_begun_again() {
    active().logs_out().sends("DELETE /session").logs_out().gets(200, "").closes("logged-out");
}

#[test]
fn a_logout_waits_for_the_end_of_a_short_hold() {
    let held = |seconds: &str| {
        active().checks().sends("GET /session").gets_as(503, &[("retry-after", seconds)], "").logs_out()
    };
    held("20").waits(20 * SECOND).sleeps().sends("DELETE /session").gets(200, "").closes("logged-out");
    held("30").waits(30 * SECOND);
    held("31").closes("logged-out.unconfirmed");
}

#[test]
fn a_logout_without_a_session_sends_nothing() {
    session().logs_out().closes("logged-out");
    Script::new(Session::new(cbrain(), Options::default(), seed())).logs_out().closes("logged-out");
}

#[test]
fn a_logout_in_a_long_hold_sends_nothing() {
    active()
        .checks()
        .sends("GET /session")
        .gets_as(503, &[("retry-after", "600")], "")
        .logs_out()
        .tells("may-live-on")
        .closes("logged-out.unconfirmed");
}

#[test]
fn closed_stays_closed() {
    let script = active().logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    script.starts().checks().logs_out().passes(100 * HOUR).closes("logged-out");
}
