//! Leases that end, workers that come late, databases that go away.

use std::thread::sleep;
use std::time::Duration;

use sansession::sim::cbrain::Outcome;

use crate::stage::Stage;

#[test]
#[ignore = "needs PostgreSQL: `.ci/run postgres`"]
fn a_stale_worker_changes_no_row() {
    let mut stage = Stage::with(2);
    let (early, _) = stage.store.take_lease("early", Duration::ZERO).unwrap();
    let first = stage.claims(early);
    assert_eq!((first.len(), first[0].fence), (2, 2));
    let (late, _) = stage.store.take_lease("late", Duration::from_secs(60)).unwrap();
    let second = stage.claims(late);
    assert_eq!((second.len(), second[0].fence), (2, 3));

    let drafts: Vec<_> = first.iter().map(|row| stage.draft(row)).collect();
    assert!(stage.store.write(&drafts.iter().collect::<Vec<_>>()).unwrap().is_empty());
    assert_eq!(stage.number("SELECT count(*) FROM sessions WHERE phase = 'idle' AND sealed_at = 1"), 2);
    assert_eq!(stage.store.renew(early, Duration::from_secs(60), "{}").unwrap(), None);

    let drafts: Vec<_> = second.iter().map(|row| stage.draft(row)).collect();
    assert_eq!(stage.store.write(&drafts.iter().collect::<Vec<_>>()).unwrap().len(), 2);
    assert!(stage.claims(late).is_empty(), "what is driven is not free");
}

#[test]
#[ignore = "needs PostgreSQL: `.ci/run postgres`"]
fn a_database_that_goes_away_and_returns() {
    for (in_good_order, away) in [(true, Duration::from_secs(1)), (false, Duration::from_secs(18))] {
        let mut stage = Stage::with(20);
        // No request may take longer than the 15 s of a login, and the second time the lease is over meanwhile.
        stage.settings.lease = if in_good_order { Duration::from_secs(20) } else { Duration::from_secs(16) };
        let workers = [stage.works("one"), stage.works("two")];
        sleep(Duration::from_millis(300));
        stage.server.stop(in_good_order).unwrap();
        sleep(Duration::from_secs(1));
        stage.returns();
        stage.opens(20);

        stage.server.stop(in_good_order).unwrap();
        // The tokens are in memory and the leases run: what is due is sent.
        stage.are_kept_alive(1..=20, 1);
        sleep(away);
        stage.returns();
        stage.are_kept_alive(1..=20, 3);
        workers.into_iter().for_each(|worker| worker.stops());
        assert_eq!(stage.number("SELECT count(*) FROM sessions WHERE phase = 'active' AND lease = 0"), 20);
        stage.portals.with(|portals| {
            assert_eq!(portals.log().crimes(), []);
            assert_eq!(portals.count(Outcome::LoginRefused), 0);
        });
    }
}

#[test]
#[ignore = "needs PostgreSQL: `.ci/run postgres`"]
fn a_session_that_rests_is_given_back_until_it_is_due() {
    let mut stage = Stage::with(3);
    stage.settings.keepalive = Duration::from_secs(12 * 60 * 60);
    let worker = stage.works("worker");
    stage.opens(3);
    stage.until("them to be free", |stage| stage.number("SELECT count(*) FROM sessions WHERE lease = 0") == 3);
    let sql = "SELECT count(*) FROM sessions WHERE due_at BETWEEN now() + interval '11 hours' AND now() + interval '12 hours'";
    assert_eq!(stage.number(sql), 3);
    stage.runs("UPDATE sessions SET due_at = now()");
    stage.until("somebody to look", |stage| stage.number("SELECT min(fence) FROM sessions") > 3);
    worker.stops();
}
