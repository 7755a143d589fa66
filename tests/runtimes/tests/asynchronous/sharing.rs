//! Many tasks use one session while one drives it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, StatusCode};
use sansession::AuthorizeError;
use sansession::drive::{
    CallError,
    asynchronous::{self, Transport},
};

use runtimes::{Bot, LOGGED_OUT, alice, asked, portal, session};

fn groups() -> Request<Vec<u8>> {
    Request::get("/groups").body(Vec::new()).unwrap()
}

async fn two_tasks_call() {
    let server = portal();
    let bot = Bot::default();
    let (session, driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), tokio::time::sleep, bot.clone());
    let session = session.erased();
    assert!(matches!(session.call(groups()).await, Err(CallError::Authorize(AuthorizeError::NotReady { .. }))));
    let driver = tokio::spawn(driver);
    session.ready().await.unwrap();
    let callers = [session.clone(), session.clone()].map(|session| {
        tokio::spawn(async move {
            for _ in 0..40 {
                assert_eq!(session.call(groups()).await.unwrap().status(), StatusCode::OK);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    });
    for caller in callers {
        caller.await.unwrap();
    }
    // Whoever waits later finds it so.
    session.ready().await.unwrap();
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(driver.await.unwrap().unwrap(), LOGGED_OUT);
    assert_eq!(session.ready().await, Err(LOGGED_OUT));
    let asked = asked(&server);
    let calls = asked.iter().filter(|asked| *asked == "GET /groups").count();
    let kept = asked.iter().filter(|asked| *asked == "GET /session").count();
    assert_eq!(calls, 80);
    // 40 calls with their pauses take 0.8 s and more.
    assert!((1..=10).contains(&kept) || bot.0.kept.load(Ordering::SeqCst) == 0, "{kept}");
}

#[tokio::test]
async fn two_tasks_call_while_a_third_drives_in_one_thread() {
    two_tasks_call().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tasks_call_while_a_third_drives_in_two_threads() {
    two_tasks_call().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_wait_for_one_and_those_who_give_up_leave_nothing_behind() {
    let server = portal();
    let transport = Transport::new().unwrap();
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, alice);
    let waits: Vec<_> = (0..100)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.ready().await })
        })
        .collect();
    // As in a loop of `select!`, where one is made and dropped each time.
    for _ in 0..1_000 {
        assert!(tokio::time::timeout(Duration::ZERO, session.ready()).await.is_err());
    }
    tokio::spawn(driver);
    for wait in waits {
        wait.await.unwrap().unwrap();
    }
    assert_eq!(session.logout().await, LOGGED_OUT);
}

#[tokio::test]
async fn a_call_from_a_callback_is_no_deadlock() {
    use sansession::drive::{Answer, Program, asynchronous::Handle};
    use sansession::{Event, Need};
    use std::sync::OnceLock;

    #[derive(Default)]
    struct Inside(std::sync::Arc<OnceLock<Handle>>);
    impl Program for Inside {
        async fn answer(&self, need: Need) -> Answer {
            let session = self.0.get().unwrap();
            assert!(session.call(groups()).await.is_err());
            session.check();
            session.with(|machine| machine.phase());
            alice(need)
        }
        fn event(&self, event: &Event) {
            if matches!(event, Event::KeptAlive) {
                drop(self.0.get().unwrap().logout());
            }
        }
    }
    let server = portal();
    let inside = std::sync::Arc::new(OnceLock::new());
    let program = Inside(std::sync::Arc::clone(&inside));
    let transport = Transport::new().unwrap();
    let (session, driver) = asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, program);
    inside.set(session.erased()).unwrap();
    assert_eq!(driver.await.unwrap(), LOGGED_OUT);
}

#[tokio::test]
async fn a_call_that_is_refused_makes_the_driver_look_at_once_and_others_leave_it_asleep() {
    use http::Response;
    use sansession::drive::{Client, SendError};
    use sansession::providers::cbrain::Cbrain;
    use sansession::{BaseUrl, Options, Session, machine::SendPolicy};
    use std::future::{Future, poll_fn};
    use std::pin::Pin;

    #[derive(Clone)]
    struct Refusing(Transport);
    impl Client for Refusing {
        async fn send(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
            let refused = request.uri().path() == "/refused";
            let mut answer = self.0.send(request, policy).await?;
            if refused {
                *answer.status_mut() = StatusCode::UNAUTHORIZED;
            }
            Ok(answer)
        }
    }
    let server = portal();
    let provider = Cbrain::new(BaseUrl::parse(server.url()).unwrap()).unwrap();
    let machine = Session::new(provider, Options::default(), [7; 32]);
    let client = Refusing(Transport::new().unwrap());
    let (session, mut driver) = asynchronous::new(machine, client, tokio::time::sleep, alice);
    let polls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&polls);
    tokio::spawn(poll_fn(move |cx| {
        counted.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut driver).poll(cx)
    }));
    session.ready().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = polls.load(Ordering::SeqCst);
    for _ in 0..20 {
        session.call(groups()).await.unwrap();
    }
    assert_eq!(polls.load(Ordering::SeqCst), before, "a call that goes well is nothing to the driver");
    assert_eq!(session.call(Request::get("/refused").body(Vec::new()).unwrap()).await.unwrap().status(), 401);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(asked(&server).last().unwrap(), "GET /session");
    assert_eq!(session.logout().await, LOGGED_OUT);
}
