//! Clients and timers that break their promises: nothing is lost, nothing is sent twice, and nobody starves.

use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use sansession::drive::{
    Client, Ended, SendError, Timer,
    asynchronous::{self, Transport},
};
use sansession::{
    CloseReason, Event, Failure, Need, Phase,
    machine::{Delivery, FailureKind, SendPolicy},
};

use runtimes::world::{BEGAN, PORTAL, World};
use runtimes::{Bot, LIFE, LOGGED_OUT, alice, asked, by_a_person, portal, session};

const SECOND: Duration = Duration::from_secs(1);

/// Polls a driver until something else is done.
async fn drive_until<T>(driver: &mut asynchronous::Driver, other: impl Future<Output = T>) -> T {
    let mut other = pin!(other);
    poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut *driver).poll(cx) {
            panic!("it has ended: {ended:?}");
        }
        other.as_mut().poll(cx)
    })
    .await
}

#[test]
fn a_login_that_is_never_answered_is_a_doubt_and_is_let_go() {
    struct Sent(Arc<AtomicUsize>);
    impl Drop for Sent {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (world, dropped) = (World::new(SECOND), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&dropped);
    let client = move |_: Request<Vec<u8>>, _: SendPolicy| {
        let sent = Sent(Arc::clone(&counted));
        async move {
            let _sent = sent;
            pending::<Result<Response<Vec<u8>>, SendError>>().await
        }
    };
    let questions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&questions);
    let program = move |need: Need| {
        // The second question is of a person, since the first login may have been judged.
        (counted.fetch_add(1, Ordering::SeqCst) == 0)
            .then(|| ready(by_a_person(need)))
            .map_or_else(|| Box::pin(pending()) as Pin<Box<dyn Future<Output = _> + Send>>, |answer| Box::pin(answer))
    };
    let (session, mut driver) = asynchronous::new(session(PORTAL, false), client, world.clone(), program);
    let mut events = session.events();
    world.run(drive_until(&mut driver, world.sleep(5 * 60 * SECOND)));
    assert_eq!((questions.load(Ordering::SeqCst), dropped.load(Ordering::SeqCst)), (2, 1));
    assert_eq!(session.phase(), Phase::LoggingIn);
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.contains(&Event::MayLiveOn), "{told:?}");
    let ended = world.run(async { tokio::join!(session.logout(), &mut driver).0 });
    assert!(matches!(ended, Ended::Closed(CloseReason::LoggedOut { .. })));
}

/// A future that says when it is polled after its end, which `async` blocks punish with a panic and others with nonsense.
struct Once<F>(Pin<Box<F>>, bool, Arc<AtomicBool>);

impl<F: Future> Future for Once<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.1 {
            self.2.store(true, Ordering::SeqCst);
        }
        let polled = self.0.as_mut().poll(cx);
        self.1 |= polled.is_ready();
        polled
    }
}

#[derive(Clone)]
struct Careful(World, Arc<AtomicBool>);

impl Client for Careful {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        policy: SendPolicy,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, SendError>> + Send {
        Once(Box::pin(self.0.send(request, policy)), false, Arc::clone(&self.1))
    }
}

impl Timer for Careful {
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        Once(Box::pin(self.0.sleep(time)), false, Arc::clone(&self.1))
    }

    fn now(&self) -> sansession::Timestamp {
        self.0.now()
    }
}

#[test]
fn no_future_is_polled_after_its_end() {
    for way in [0, 7, 900] {
        let world = World::new(Duration::from_millis(way));
        let careful = Careful(world.clone(), Arc::default());
        let bot = Bot::default();
        let (session, mut driver) =
            asynchronous::new(session(PORTAL, true), careful.clone(), careful.clone(), bot.clone());
        world.run(drive_until(&mut driver, async {
            session.ready().await.unwrap();
            // Others wake the driver while it sleeps, at any moment.
            for millis in 0..500 {
                world.sleep(Duration::from_millis(millis % 23)).await;
                session.with(|_| ());
            }
        }));
        let (ended, driven) = world.run(async { tokio::join!(session.logout(), driver) });
        assert_eq!((ended, driven.unwrap()), (LOGGED_OUT, LOGGED_OUT));
        assert!(!careful.1.load(Ordering::SeqCst), "way {way}");
        assert!(bot.0.kept.load(Ordering::SeqCst) > 1);
    }
}

#[test]
fn sleeps_that_are_woken_early_are_gone_on_with_and_end_in_time() {
    // Of the sleeps that are made, and how long they are.
    #[derive(Clone)]
    struct Counting(World, Arc<AtomicUsize>);
    impl Timer for Counting {
        fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
            assert!(time <= 10 * SECOND);
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.sleep(time)
        }
        fn now(&self) -> sansession::Timestamp {
            self.0.now()
        }
    }
    let world = World::new(Duration::from_millis(1));
    let timer = Counting(world.clone(), Arc::default());
    let provider = sansession::providers::cbrain::Cbrain::new(sansession::BaseUrl::parse(PORTAL).unwrap()).unwrap();
    let machine = sansession::Session::new(provider.keepalive(60 * SECOND), sansession::Options::default(), [7; 32]);
    let (session, mut driver) = asynchronous::new(machine, world.clone(), timer.clone(), alice);
    world.run(drive_until(&mut driver, async {
        session.ready().await.unwrap();
        for _ in 0..1_000 {
            world.sleep(Duration::from_millis(50)).await;
            session.with(|_| ());
        }
    }));
    let made = timer.1.load(Ordering::SeqCst);
    assert!(made < 20, "{made} sleeps in 50 s");
    world.run(drive_until(&mut driver, world.sleep(15 * SECOND)));
    assert_eq!(world.asked(), LIFE[..2], "the keepalive of the first minute is in time");
    assert!(world.now().since(BEGAN) < 66 * SECOND);
}

#[tokio::test]
async fn a_timer_that_is_over_at_once_starves_nobody_in_its_thread() {
    let server = portal();
    let bot = Bot::default();
    let (session, driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), |_| ready(()), bot.clone());
    let driver = tokio::spawn(driver);
    session.ready().await.unwrap();
    while bot.0.kept.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(driver.await.unwrap().unwrap(), LOGGED_OUT);
    assert_eq!(asked(&server), LIFE, "nothing is sent before its time");
}

#[tokio::test]
async fn a_timer_that_is_always_early_changes_nothing() {
    let server = portal();
    let bot = Bot::default();
    let early = |time: Duration| tokio::time::sleep(time / 100);
    let (session, driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), early, bot.clone());
    let driver = tokio::spawn(driver);
    while bot.0.kept.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(driver.await.unwrap().unwrap(), LOGGED_OUT);
    assert_eq!(asked(&server), LIFE);
}

#[tokio::test]
async fn with_a_timer_that_is_never_over_all_goes_on_but_the_keepalive_until_somebody_looks() {
    let server = portal();
    let (session, driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), |_| pending::<()>(), alice);
    let driver = tokio::spawn(driver);
    session.ready().await.unwrap();
    let groups = Request::get("/groups").body(Vec::new()).unwrap();
    assert_eq!(session.call(groups).await.unwrap().status(), StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(asked(&server), ["POST /session", "GET /groups"]);
    session.with(|_| ());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(asked(&server), ["POST /session", "GET /groups", "GET /session"], "what was due is sent once");
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert_eq!(driver.await.unwrap().unwrap(), LOGGED_OUT);
}

/// A client that follows redirects, as it must not, to a page that answers 200 to all.
#[derive(Clone)]
struct Following(World);

impl Client for Following {
    async fn send(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        if request.method() == Method::GET {
            return self.0.send(request, policy).await;
        }
        let page = "<html><form action='/login'><input name='password'></form></html>";
        Ok(Response::builder().header("content-type", "text/html").body(page.into()).unwrap())
    }
}

#[test]
fn a_page_that_a_client_was_redirected_to_is_no_login() {
    let world = World::new(SECOND);
    let (session, driver) = asynchronous::new(session(PORTAL, false), Following(world.clone()), world.clone(), alice);
    let ended = world.run(driver).unwrap();
    assert!(matches!(ended, Ended::Closed(reason) if !matches!(reason, CloseReason::LoggedOut { .. })));
    assert_eq!(session.status().last_alive, None);
    assert!(world.asked().is_empty());
}

#[test]
fn what_a_client_says_of_a_login_decides_how_often_it_is_repeated() {
    // Nobody's store is asked again after a login that may have been judged. Ones that never left are tried as often as an
    // opening is.
    for (delivery, logins) in [(Delivery::NotSent, 3..100), (Delivery::MaybeSent, 1..2)] {
        let world = World::new(Duration::from_millis(10));
        let (tries, failure) = (Arc::new(AtomicUsize::new(0)), Failure { kind: FailureKind::Interrupted, delivery });
        let tried = Arc::clone(&tries);
        let client = move |_: Request<Vec<u8>>, _: SendPolicy| {
            tried.fetch_add(1, Ordering::SeqCst);
            ready(Err::<Response<Vec<u8>>, _>(failure))
        };
        let (session, driver) = asynchronous::new(session(PORTAL, false), client, world.clone(), alice);
        let ended = world.run(driver).unwrap();
        assert!(logins.contains(&tries.load(Ordering::SeqCst)), "{delivery:?}: {tries:?}, {ended}");
        assert_eq!(session.phase(), Phase::Closed);
    }
}
