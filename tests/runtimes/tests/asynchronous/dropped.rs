//! The driver itself is dropped, as an aborted task does it: nobody hangs, and what was in flight is told as what it is.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use sansession::drive::{
    Answer, Ended, Program,
    asynchronous::{self, Transport},
};
use sansession::{Need, Phase, Snapshot};

use runtimes::{LOGGED_OUT, alice, asked, by_a_person, portal, session, slow_portal};

#[tokio::test]
async fn a_driver_that_is_dropped_is_told_to_all_who_wait() {
    let server = slow_portal(Duration::from_secs(5));
    let transport = Transport::new().unwrap();
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, alice);
    let driver = tokio::spawn(driver);
    let waits = [session.clone(), session.clone()].map(|session| tokio::spawn(async move { session.ready().await }));
    tokio::time::sleep(Duration::from_millis(50)).await;
    driver.abort();
    for wait in waits {
        assert_eq!(wait.await.unwrap(), Err(Ended::Abandoned));
    }
    assert_eq!(session.logout().await, Ended::Abandoned);
    assert_eq!(session.ended().await, Ended::Abandoned);
    // Nobody is there to leave, so nothing is waited for.
    session.leave().await;
}

#[tokio::test]
async fn a_callback_that_panics_is_told_and_another_driver_goes_on() {
    let server = portal();
    let transport = Transport::new().unwrap();
    let panics = |_: Need| -> Answer { panic!("on purpose") };
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, panics);
    let driver = tokio::spawn(driver);
    assert_eq!(session.ready().await, Err(Ended::Abandoned));
    assert!(driver.await.unwrap_err().is_panic());
    tokio::spawn(session.driver(tokio::time::sleep, alice).unwrap());
    session.ready().await.unwrap();
    assert!(session.driver(tokio::time::sleep, alice).is_err());
    assert_eq!(session.logout().await, LOGGED_OUT);
}

/// Drops the driver at one await and makes a new one.
async fn dropped_at(one: usize) -> (usize, usize) {
    let server = portal();
    let (session, mut driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), tokio::time::sleep, by_a_person);
    let (mut waits, began) = (0, Instant::now());
    let mut logout = Box::pin(async {
        let ready = session.ready().await;
        (ready, session.logout().await)
    });
    let ended = loop {
        let step = poll_fn(|cx| {
            if let Poll::Ready(ended) = Pin::new(&mut driver).poll(cx) {
                return Poll::Ready(Some(ended.unwrap()));
            }
            waits += 1;
            if waits == one {
                return Poll::Ready(None);
            }
            if let Poll::Ready((ready, ended)) = logout.as_mut().poll(cx) {
                assert_eq!(ready, Ok(()));
                return Poll::Ready(Some(ended));
            }
            Poll::Pending
        })
        .await;
        match step {
            Some(ended) => break ended,
            None => {
                drop(driver);
                driver = session.driver(tokio::time::sleep, by_a_person).unwrap();
            }
        }
    };
    assert_eq!(ended, LOGGED_OUT, "dropped at {one}: {:?}", asked(&server));
    assert_eq!(session.phase(), Phase::Closed);
    // Nobody waits for the end of a request that nobody sends any more.
    assert!(began.elapsed() < Duration::from_secs(10), "dropped at {one}: {:?}", began.elapsed());
    let logins = asked(&server).iter().filter(|asked| *asked == "POST /session").count();
    (waits, logins)
}

#[tokio::test]
async fn a_new_driver_goes_on_honestly_wherever_the_last_one_was_dropped() {
    let (waits, logins) = dropped_at(0).await;
    assert_eq!(logins, 1);
    let mut repeated = 0;
    for one in 1..=waits {
        let (_, logins) = dropped_at(one).await;
        // A login that was in flight has an unknown fate: a person is asked again, and no program.
        assert!(logins <= 2, "{logins}");
        repeated += logins - 1;
    }
    assert!(repeated >= 1);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_stored_is_told_and_the_next_drive_begins_with_it() {
    struct Full(Arc<AtomicUsize>);
    impl Program for Full {
        async fn answer(&self, need: Need) -> Answer {
            alice(need)
        }
        async fn save(&self, _: Snapshot) -> io::Result<()> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => Err(io::ErrorKind::StorageFull.into()),
                _ => Ok(()),
            }
        }
    }
    let server = portal();
    let saves = Arc::new(AtomicUsize::new(0));
    let program = Full(Arc::clone(&saves));
    let transport = Transport::new().unwrap();
    let (session, mut driver) = asynchronous::new(session(server.url(), true), transport, tokio::time::sleep, program);
    for _ in 0..2 {
        assert!((&mut driver).await.is_err());
        assert_eq!(session.ready().await, Err(Ended::Unsaved(io::ErrorKind::StorageFull)));
        assert!(asked(&server).is_empty());
    }
    tokio::spawn(driver);
    tokio::task::yield_now().await; // it is told until somebody drives again
    session.ready().await.unwrap();
    assert!(saves.load(Ordering::SeqCst) >= 3);
    assert_eq!(session.logout().await, LOGGED_OUT);
}
