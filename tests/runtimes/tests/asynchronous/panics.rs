//! A callback, a client or a timer that panics: the task dies, nobody hangs, and another driver goes on with what the
//! session is. What had not left is known not to have; what may have arrived is a doubt.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use sansession::drive::{
    Answer, Client, Ended, Program, SendError, Timer,
    asynchronous::{self, Driver, Handle},
};
use sansession::{
    Event, Failure, Input, Machine, Need, Outgoing, RequestId, Secret, Snapshot, Source, Timestamp,
    machine::{FailureKind, Rejection, SendPolicy},
};

use runtimes::world::{BEGAN, PORTAL, World};
use runtimes::{LOGGED_OUT, by_a_person, session};

/// A program with its client and its timer, in which one place panics once.
#[derive(Clone)]
struct Bomb {
    world: World,
    place: &'static str,
    armed: Arc<AtomicBool>,
}

impl Bomb {
    fn new(place: &'static str) -> Self {
        Self { world: World::new(Duration::from_millis(20)), place, armed: Arc::new(AtomicBool::new(true)) }
    }

    fn goes_off(&self, place: &str) -> bool {
        self.place == place && self.armed.swap(false, Ordering::SeqCst)
    }

    fn at(&self, place: &str) {
        assert!(!self.goes_off(place), "on purpose: {place}");
    }
}

impl Program for Bomb {
    fn answer(&self, need: Need) -> impl Future<Output = Answer> + Send {
        self.at("answer");
        let bomb = self.clone();
        async move {
            bomb.world.sleep(Duration::from_millis(5)).await;
            bomb.at("thinking");
            if bomb.place == "rejected" && bomb.armed.load(Ordering::SeqCst) {
                return Answer::Now(Input::Pin(Secret::new("1234")), Source::Person);
            }
            by_a_person(need)
        }
    }

    fn rejected(&self, _: &Need, _: Rejection) {
        self.at("rejected");
    }

    fn event(&self, event: &Event) {
        self.at("event");
        if matches!(event, Event::KeptAlive) {
            self.at("kept alive");
        }
    }

    fn save(&self, _: Snapshot) -> impl Future<Output = io::Result<()>> + Send {
        self.at("save");
        let bomb = self.clone();
        async move {
            bomb.world.sleep(Duration::from_millis(5)).await;
            bomb.at("storing");
            Ok(())
        }
    }

    fn sending(&self, _: &Outgoing) {
        self.at("sending");
    }

    fn received(&self, _: RequestId, _: &Response<Vec<u8>>) {
        self.at("received");
    }

    fn failed(&self, _: RequestId, _: &SendError) {
        self.at("failed");
    }
}

impl Client for Bomb {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        policy: SendPolicy,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, SendError>> + Send {
        self.at("client");
        async move {
            self.at("connecting");
            if self.place == "failed" && self.armed.load(Ordering::SeqCst) {
                return Err(Failure::not_sent(FailureKind::Connect).into());
            }
            let answer = self.world.send(request, policy).await;
            self.at("reading");
            answer
        }
    }
}

impl Timer for Bomb {
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.at("timer");
        async move {
            self.world.sleep(time).await;
            self.at("sleeping");
        }
    }

    fn now(&self) -> Timestamp {
        self.at("clock");
        self.world.now()
    }
}

/// Drives while the session is used for some seconds and ended.
fn life<M: Machine>(world: &World, session: &Handle<M>, driver: Driver) -> Ended {
    world.run(async {
        let mut driver = pin!(driver);
        let mut uses = pin!(async {
            session.ready().await?;
            world.sleep(Duration::from_secs(3)).await;
            Err(session.logout().await)
        });
        let ended: Result<(), Ended> = poll_fn(|cx| match driver.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Err(ended.unwrap())),
            Poll::Pending => uses.as_mut().poll(cx),
        })
        .await;
        ended.unwrap_err()
    })
}

#[test]
fn a_panic_is_told_to_all_who_wait_and_another_driver_goes_on() {
    // How many logins reach the portal.
    let places = [
        ("answer", 1),
        ("thinking", 1),
        ("rejected", 1),
        ("event", 1),
        ("kept alive", 1),
        ("save", 1),
        ("storing", 1),
        ("sending", 1),
        ("client", 1),
        ("connecting", 1),
        // The portal has opened a session, and nobody knows.
        ("reading", 2),
        ("received", 1),
        ("failed", 1),
        ("timer", 1),
        ("sleeping", 1),
        ("clock", 1),
    ];
    for (place, logins) in places {
        let bomb = Bomb::new(place);
        let world = bomb.world.clone();
        let (session, driver) = asynchronous::new(session(PORTAL, true), bomb.clone(), bomb.clone(), bomb.clone());
        let died = catch_unwind(AssertUnwindSafe(|| life(&world, &session, driver)));
        assert!(died.is_err(), "{place} was never reached");
        assert_eq!(world.run(session.ended()), Ended::Abandoned, "{place}");
        let since = world.now();
        let driver = session.driver(bomb.clone(), bomb).unwrap();
        assert_eq!(life(&world, &session, driver), LOGGED_OUT, "{place}");
        let asked = world.asked();
        assert_eq!(asked.iter().filter(|asked| *asked == "POST /session").count(), logins, "{place}: {asked:?}");
        assert_eq!(asked.last().unwrap(), "DELETE /session");
        // Nobody waits for the answer to what nobody sends any more.
        assert!(world.now().since(since) < Duration::from_secs(10), "{place}: {:?}", world.now().since(since));
        assert!(world.now().since(BEGAN) < Duration::from_secs(20), "{place}");
    }
}

#[test]
fn a_clock_that_panics_while_a_request_is_dropped_does_not_take_the_process_along() {
    #[derive(Clone)]
    struct Broken(World, Arc<AtomicBool>);
    impl Timer for Broken {
        fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
            self.0.sleep(time)
        }
        fn now(&self) -> Timestamp {
            assert!(!self.1.load(Ordering::SeqCst), "on purpose");
            self.0.now()
        }
    }
    let world = World::new(Duration::from_millis(20));
    let broken = Arc::new(AtomicBool::new(false));
    let (breaks, first, inner) = (Arc::clone(&broken), AtomicBool::new(true), world.clone());
    let client = move |request: Request<Vec<u8>>, policy| {
        // With the first request, a login, in flight.
        breaks.fetch_or(first.swap(false, Ordering::SeqCst), Ordering::SeqCst);
        let world = inner.clone();
        async move { world.send(request, policy).await }
    };
    let timer = Broken(world.clone(), Arc::clone(&broken));
    let (session, driver) = asynchronous::new(session(PORTAL, false), client, timer.clone(), by_a_person);
    assert!(catch_unwind(AssertUnwindSafe(|| life(&world, &session, driver))).is_err());
    broken.store(false, Ordering::SeqCst);
    assert_eq!(world.run(session.ended()), Ended::Abandoned);
    // Nobody could tell the session that its login is lost, so it finds that out by itself.
    let driver = session.driver(timer, by_a_person).unwrap();
    assert_eq!(life(&world, &session, driver), LOGGED_OUT);
}
