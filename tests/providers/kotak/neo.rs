//! Neo: a code that counts once, a host for each user, a logout that is nobody's business.

use std::sync::Arc;

use sansession::sim::kotak::Outcome;
use sansession::{Relogin, ResumeError, machine::Rejection};

use super::*;

#[test]
fn a_day_of_trading() {
    let mut world = neo_active();
    for _ in 0..4 {
        world.runs_for(HOUR);
        assert_eq!(status(&mut world, NEO_CALL), 200);
    }
    world.notes("midnight in India");
    assert_eq!(world.runs_to_end().code(), "expired");
    assert_eq!(sent(&world, "get-client-ip"), 1, "the known end is looked into");
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn the_wait_says_expiry_or_renewal() {
    let world = neo_active();
    assert_eq!(world.machine.status().on, WaitingOn::Expiry);
    let mut world = neo_asks();
    world.server.set_tokens_name_their_end(false);
    give_code(&mut world);
    needs(&mut world, NeedKind::Pin, NeedReason::Opening);
    gives(&mut world, Input::Pin(MPIN.into()));
    world.is_active();
    assert_eq!(world.machine.status().on, WaitingOn::Renewal);
    let half_past_eight = Timestamp::from_secs(world.now.as_secs() / 86_400 * 86_400 + 86_400 + 3 * 3_600);
    assert_eq!(world.machine.deadline(), half_past_eight, "08:30 in India is 03:00 UTC");
    // It ended at midnight, unsaid, and nobody called.
    assert_eq!(world.runs_to_end().code(), "expired");
    assert_eq!((world.now, sent(&world, "get-client-ip")), (half_past_eight, 1));
    assert!(!was_told(&world, "suspect"));
}

#[test]
fn a_saved_session_is_used_in_another_process_without_a_login() {
    let mut world = neo_active();
    world.resumes(|snapshot, now| resumed(neo_provider(), snapshot, now));
    assert_eq!(status(&mut world, NEO_CALL), 200);
    let last = world.server.log().requests().last().unwrap();
    assert_eq!(last.host, "e43.kotaksecurities.com", "the user's own host is known");
    world.checks().runs_for(MINUTE);
    assert_eq!(sent(&world, "tradeApiLogin"), 1);
    assert_eq!(world.machine.phase(), Phase::Active);
}

#[test]
fn a_saved_session_belongs_to_its_way_out() {
    let with = |egress: Option<&str>| {
        let mut options = Options::default();
        options.egress_label = egress.map(Into::into);
        options
    };
    let mut world = neo_with(with(Some("office")));
    needs(&mut world, NeedKind::Totp, NeedReason::Opening);
    let snapshot = world.machine.snapshot();
    for (egress, expected) in
        [(Some("office"), None), (Some("home"), Some(ResumeError::WrongEgress)), (None, Some(ResumeError::WrongEgress))]
    {
        let session = Session::resume(neo_provider(), &snapshot, with(egress), None, [9; 32], START);
        assert_eq!(session.err(), expected, "{egress:?}");
    }
}

#[test]
fn what_lives_on_is_told_by_the_next_process_where_this_one_dies_first() {
    let mut world = neo_active();
    world.logs_out();
    world.resumes(|snapshot, now| {
        Session::resume(neo_provider(), snapshot, Options::default(), None, [9; 32], now).unwrap()
    });
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert!(was_told(&world, "may-live-on"));
    // Once it is told it is not told again.
    world.told.clear();
    world.resumes(|snapshot, now| {
        Session::resume(neo_provider(), snapshot, Options::default(), None, [9; 32], now).unwrap()
    });
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert!(!was_told(&world, "may-live-on"));
}

#[test]
fn a_logout_is_local_and_says_so() {
    let mut world = neo_active();
    let before = world.sent.len();
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert!(was_told(&world, "may-live-on"));
    assert_eq!(world.sent.len(), before);
    assert_eq!(world.server.open_sessions(world.now), 1, "the token is good until its end");
    let text = world.machine.snapshot().expose_secrets().to_owned();
    assert!(!text.contains("e43") && !text.contains("token"), "{text}");
    // Where nothing was opened, nothing lives on.
    let mut world = neo_half();
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert!(!was_told(&world, "may-live-on"));
}

#[test]
fn no_code_is_sent_twice_and_none_that_is_old() {
    let mut world = neo_asks();
    let at = world.now;
    assert_eq!(is_given(&mut world, Input::Totp(Totp::new("999999", at).unwrap()), Source::Person), InputHandled::Used);
    let need = needs(&mut world, NeedKind::Totp, NeedReason::Refused);
    let fresh_after = need.fresh_after.unwrap();
    assert_eq!(fresh_after, Timestamp::from_secs(at.as_secs() / 30 * 30 + 30));
    let answered = is_given(&mut world, Input::Totp(shown(at)), Source::Person);
    assert_eq!(answered, InputHandled::Rejected(Rejection::NotFresh), "the server takes one a step");
    world.runs_for(fresh_after.since(at));
    give_code(&mut world);
    needs(&mut world, NeedKind::Pin, NeedReason::Opening);
    assert_eq!(sent(&world, "tradeApiLogin"), 2);
}

#[test]
fn what_can_be_no_code_and_no_number_costs_nothing() {
    let mut world = neo_asks();
    for code in ["1234567", "12345678"] {
        let code = Totp::new(code, world.now).unwrap();
        let answered = is_given(&mut world, Input::Totp(code), Source::Store);
        assert_eq!(answered, InputHandled::Rejected(Rejection::Malformed("totp")));
    }
    give_code(&mut world);
    needs(&mut world, NeedKind::Pin, NeedReason::Opening);
    for pin in ["65432", "6543210", "65432l", "six654"] {
        let answered = is_given(&mut world, Input::Pin(pin.into()), Source::Store);
        assert_eq!(answered, InputHandled::Rejected(Rejection::Malformed("pin")), "{pin}");
    }
    gives(&mut world, Input::Pin(MPIN.into()));
    world.is_active();
    assert_eq!(world.sent.len(), 2, "nothing left for them\n{}", world.transcript);
    for (ucc, mobile, wrong) in [
        ("", "0000000000", Rejection::Empty("ucc")),
        ("AB C12", "0000000000", Rejection::Malformed("ucc")),
        ("ABC12", "", Rejection::Empty("mobile")),
        ("ABC12", "000000000", Rejection::Malformed("mobile")),
    ] {
        assert_eq!(Neo::new(url(NEO), ucc, mobile).unwrap_err(), wrong, "{ucc} {mobile}");
    }
}

#[test]
fn a_number_is_sent_in_one_form_however_it_was_written() {
    for written in ["0000000000", "00000 00000", "00000000000", "910000000000", "+91-00000-00000"] {
        let provider = Neo::new(url(NEO), "ABC12", written).unwrap().dashboard_token(DASHBOARD).unwrap();
        let mut world = World::new(Session::new(provider, Options::default(), seed()), neo_server());
        needs(&mut world, NeedKind::Totp, NeedReason::Opening);
        give_code(&mut world);
        // The server compares it as text.
        needs(&mut world, NeedKind::Pin, NeedReason::Opening);
    }
}

#[test]
fn a_refused_answer_leaves_no_second_time() {
    let mut world = neo_half();
    assert_eq!(is_given(&mut world, Input::Pin("111111".into()), Source::Store), InputHandled::Used);
    needs(&mut world, NeedKind::Pin, NeedReason::Refused);
    for _ in 0..5 {
        let answered = is_given(&mut world, Input::Pin("111111".into()), Source::Store);
        assert_eq!(answered, InputHandled::Rejected(Rejection::Unattended));
        world.resumes(|snapshot, now| resumed(neo_provider(), snapshot, now));
        world.runs_for(MINUTE);
    }
    assert_eq!(sent(&world, "tradeApiValidate"), 1, "restarts included");
    gives(&mut world, Input::GiveUp);
    assert_eq!(world.runs_to_end().code(), "denied.pin");
}

#[test]
fn an_unattended_program_logs_in_every_day() {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 3 };
    let mut world = neo_with(options);
    for day in 1..=5 {
        world.runs_until(|world| open_need(&world.machine).is_some());
        let code = shown(world.now);
        assert_eq!(is_given(&mut world, Input::Totp(code), Source::Store), InputHandled::Used);
        needs(&mut world, NeedKind::Pin, if day == 1 { NeedReason::Opening } else { NeedReason::Expired });
        assert_eq!(is_given(&mut world, Input::Pin(MPIN.into()), Source::Store), InputHandled::Used);
        world.is_active();
        assert_eq!(status(&mut world, NEO_CALL), 200);
    }
    assert_eq!(world.server.log().count(Outcome::Accepted("validate")), 5);
    assert!(world.now.since(START) > 3 * 24 * HOUR, "midnights apart");
}

#[test]
fn a_shared_provider_tells_what_lives_on_and_refuses_foreign_hosts() {
    let shared = Arc::new(neo_provider());
    let mut world = World::new(Session::new(shared.clone(), Options::default(), seed()), neo_server());
    needs(&mut world, NeedKind::Totp, NeedReason::Opening);
    let code = shown(world.now);
    gives(&mut world, Input::Totp(code));
    needs(&mut world, NeedKind::Pin, NeedReason::Opening);
    gives(&mut world, Input::Pin(MPIN.into()));
    world.is_active();
    let text = world.machine.snapshot().expose_secrets().replace(OWN, "https://localhost");
    let tampered = Session::resume(shared, &Snapshot::from_text(text), Options::default(), None, [9; 32], world.now);
    assert!(matches!(tampered, Err(ResumeError::NotAdmitted(_))), "{tampered:?}");
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert!(was_told(&world, "may-live-on"));
    let mut world = World::new(Session::new(Arc::new(neo_provider()), Options::default(), seed()), neo_server());
    needs(&mut world, NeedKind::Totp, NeedReason::Opening);
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert!(!was_told(&world, "may-live-on"));
}

#[test]
fn a_dashboard_token_that_a_person_gave_outlives_the_session() {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    let provider = Neo::new(url(NEO), "ABC12", "0000000000").unwrap();
    let mut world = World::new(Session::new(provider, options, seed()), neo_server());
    needs(&mut world, NeedKind::GatewayToken, NeedReason::Opening);
    gives(&mut world, Input::Token(DASHBOARD.into()));
    needs(&mut world, NeedKind::Totp, NeedReason::Opening);
    give_code(&mut world);
    needs(&mut world, NeedKind::Pin, NeedReason::Opening);
    let answered = is_given(&mut world, Input::Pin("12ab56".into()), Source::Person);
    assert_eq!(answered, InputHandled::Rejected(Rejection::Malformed("pin")));
    gives(&mut world, Input::Pin(MPIN.into()));
    world.is_active();
    needs(&mut world, NeedKind::Totp, NeedReason::Expired);
}

#[test]
fn a_logout_after_a_lost_mpin_is_not_confirmed_until_another_one_opened_a_session() {
    let lost = || {
        let mut world = neo_half();
        world.server.disturb(1, &Mishap::Dropped);
        gives(&mut world, Input::Pin(MPIN.into()));
        needs(&mut world, NeedKind::Pin, NeedReason::Lost);
        assert!(was_told(&world, "may-live-on"));
        assert_eq!(world.server.open_sessions(world.now), 1, "of which nobody has the token");
        world
    };
    let mut world = lost();
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out.unconfirmed");
    // No logout of Neo's ends anything at the server, so it is told each time.
    let mut world = lost();
    world.told.clear();
    gives(&mut world, Input::Pin(MPIN.into()));
    world.is_active();
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert!(was_told(&world, "may-live-on"));
    assert_eq!(world.server.open_sessions(world.now), 2);
}
