//! Logout while a question is open, and leaving with a snapshot.

use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::Response;
use sansession::drive::{
    Answer, Ended, Program,
    asynchronous::{self, Transport},
    now,
};
use sansession::providers::cbrain::Cbrain;
use sansession::{BaseUrl, Event, Need, Options, Outgoing, Phase, RequestId, Session, Snapshot};

use runtimes::{LOGGED_OUT, alice, asked, portal, session, slow_portal};

/// Returns when it is dropped.
struct Prompt(Arc<AtomicBool>);

impl Drop for Prompt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_logout_during_an_open_question_withdraws_it() {
    let server = portal();
    let (asked_for, withdrawn) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let answers = {
        let (asked_for, withdrawn) = (Arc::clone(&asked_for), Arc::clone(&withdrawn));
        move |_: Need| {
            asked_for.store(true, Ordering::SeqCst);
            let prompt = Prompt(Arc::clone(&withdrawn));
            async move {
                let _prompt = prompt;
                pending::<Answer>().await
            }
        }
    };
    let transport = Transport::new().unwrap();
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, answers);
    tokio::spawn(driver);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(asked_for.load(Ordering::SeqCst) && !withdrawn.load(Ordering::SeqCst));
    assert_eq!(session.phase(), Phase::LoggingIn);
    let began = Instant::now();
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert!(began.elapsed() < Duration::from_secs(1), "the driver is woken at once: {:?}", began.elapsed());
    assert!(withdrawn.load(Ordering::SeqCst));
    assert!(asked(&server).is_empty());
}

#[tokio::test]
async fn a_logout_while_a_login_is_in_flight_ends_the_session_that_it_opens() {
    let server = slow_portal(Duration::from_millis(300));
    let transport = Transport::new().unwrap();
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, alice);
    let driver = tokio::spawn(driver);
    while asked(&server).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert!(began.elapsed() > Duration::from_millis(200), "{:?}", began.elapsed());
    assert_eq!(driver.await.unwrap().unwrap(), LOGGED_OUT);
    assert_eq!(session.ready().await, Err(LOGGED_OUT));
    assert_eq!(asked(&server), ["POST /session", "DELETE /session"]);
}

#[tokio::test]
async fn a_logout_from_any_callback_is_heard() {
    /// Logs out in the callback of this name, and waits for the end where it can.
    #[derive(Clone)]
    struct Weary(&'static str, Arc<OnceLock<asynchronous::Handle>>);
    impl Weary {
        fn logs_out_in(&self, callback: &str) {
            if self.0 == callback {
                drop(self.1.get().unwrap().logout());
            }
        }
    }
    impl Program for Weary {
        async fn answer(&self, need: Need) -> Answer {
            self.logs_out_in("answer");
            if self.0 == "answer, and waits" {
                let _ = self.1.get().unwrap().logout().await;
                unreachable!("nobody waits for this any more");
            }
            alice(need)
        }
        fn event(&self, event: &Event) {
            self.logs_out_in(event.code());
        }
        async fn save(&self, _: Snapshot) -> io::Result<()> {
            self.logs_out_in("save");
            Ok(())
        }
        fn sending(&self, _: &Outgoing) {
            self.logs_out_in("sending");
        }
        fn received(&self, _: RequestId, _: &Response<Vec<u8>>) {
            self.logs_out_in("received");
        }
    }
    let (nothing, a_session): (&[&str], &[&str]) = (&[], &["POST /session", "DELETE /session"]);
    for (callback, sent) in [
        ("answer", nothing),
        ("answer, and waits", nothing),
        ("phase", nothing),
        ("save", nothing),
        ("sending", a_session),
        ("received", a_session),
    ] {
        let server = portal();
        let weary = Weary(callback, Arc::default());
        let transport = Transport::new().unwrap();
        let (session, driver) =
            asynchronous::new(session(server.url(), true), transport, tokio::time::sleep, weary.clone());
        weary.1.set(session.erased()).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), driver).await.expect(callback);
        assert_eq!(ended.unwrap(), LOGGED_OUT, "{callback}");
        assert_eq!(asked(&server), sent, "{callback}");
    }
}

#[tokio::test]
async fn another_task_answers_while_a_person_thinks() {
    let server = portal();
    let need = Arc::new(std::sync::Mutex::new(None));
    let shown = Arc::clone(&need);
    let answers = move |need: Need| {
        *shown.lock().unwrap() = Some(need.id);
        pending::<Answer>()
    };
    let transport = Transport::new().unwrap();
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, answers);
    tokio::spawn(driver);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let id = need.lock().unwrap().take().unwrap();
    let input = sansession::Input::Credentials(sansession::Credentials::new("alice", "wonderland").unwrap());
    assert_eq!(session.answer(id, input, sansession::Source::Person), sansession::InputHandled::Used);
    session.ready().await.unwrap();
    assert_eq!(session.logout().await, LOGGED_OUT);
}

fn resume(url: &str, snapshot: &Snapshot) -> Session<Cbrain> {
    let provider = Cbrain::new(BaseUrl::parse(url).unwrap()).unwrap();
    Session::resume(provider, snapshot, Options::default(), None, [8; 32], now()).unwrap()
}

#[tokio::test]
async fn a_session_that_is_left_goes_on_elsewhere_without_a_login() {
    let server = portal();
    let transport = Transport::new().unwrap();
    let (session, driver) =
        asynchronous::new(session(server.url(), false), transport.clone(), tokio::time::sleep, alice);
    let driver = tokio::spawn(driver);
    session.ready().await.unwrap();
    let snapshot = session.leave().await;
    assert_eq!(driver.await.unwrap().unwrap(), Ended::Left);
    assert_eq!(session.ready().await, Ok(()), "it is usable, although nobody keeps it alive");
    assert_eq!(session.ended().await, Ended::Left);

    let nobody = |_: Need| -> Answer { panic!("no login is needed") };
    let (session, driver) = asynchronous::new(resume(server.url(), &snapshot), transport, tokio::time::sleep, nobody);
    tokio::spawn(driver);
    session.ready().await.unwrap();
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(asked(&server).iter().filter(|asked| *asked == "POST /session").count(), 1);
}

#[tokio::test]
async fn whoever_leaves_while_a_login_is_in_flight_waits_for_its_answer() {
    let server = slow_portal(Duration::from_millis(300));
    let transport = Transport::new().unwrap();
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, alice);
    tokio::spawn(driver);
    while asked(&server).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    let snapshot = session.leave().await;
    assert!(began.elapsed() > Duration::from_millis(200), "{:?}", began.elapsed());
    // The token that came is in it.
    let (session, driver) = asynchronous::new(
        resume(server.url(), &snapshot),
        Transport::new().unwrap(),
        tokio::time::sleep,
        |_: Need| -> Answer { panic!("no login is needed") },
    );
    tokio::spawn(driver);
    session.ready().await.unwrap();
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(asked(&server), ["POST /session", "DELETE /session"]);
}

#[tokio::test]
async fn a_driver_that_was_left_goes_on_when_it_is_polled_again() {
    let server = portal();
    let transport = Transport::new().unwrap();
    let (session, mut driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, alice);
    tokio::join!(
        async {
            session.ready().await.unwrap();
            session.leave().await;
        },
        async { assert_eq!((&mut driver).await.unwrap(), Ended::Left) }
    );
    let ((), ended) = tokio::join!(
        async {
            tokio::task::yield_now().await;
            assert_eq!(session.logout().await, LOGGED_OUT);
        },
        driver
    );
    assert_eq!(ended.unwrap(), LOGGED_OUT);
}
