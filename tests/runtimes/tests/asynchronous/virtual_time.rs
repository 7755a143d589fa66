//! A week of an async program in a moment: no server, no runtime, no waiting.

use std::future::{Future, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use sansession::drive::{Client, Ended, SendError, Timer, asynchronous};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Simulator};
use sansession::{BaseUrl, Credentials, Event, Need, Options, Session, Timestamp, machine::SendPolicy};

const BEGAN: Timestamp = Timestamp::from_secs(1_800_000_000);

#[derive(Clone)]
struct World {
    now: Arc<Mutex<Timestamp>>,
    portal: Arc<Mutex<sim::CbrainSim>>,
}

impl Timer for World {
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        *self.now.lock().unwrap() = self.now() + time;
        ready(())
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }
}

impl Client for World {
    async fn send(&self, request: Request<Vec<u8>>, _: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        Ok(self.portal.lock().unwrap().handle(self.now(), [127, 0, 0, 1].into(), &request).response)
    }
}

#[test]
fn a_week_passes() {
    struct Week(Arc<Mutex<u32>>);
    impl sansession::drive::Program for Week {
        async fn answer(&self, _: Need) -> sansession::drive::Answer {
            Credentials::new("alice", "wonderland").into()
        }
        fn event(&self, event: &Event) {
            *self.0.lock().unwrap() += u32::from(matches!(event, Event::KeptAlive));
        }
    }
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    let world = World { now: Arc::new(Mutex::new(BEGAN)), portal: Arc::new(Mutex::new(portal)) };
    let kept = Arc::new(Mutex::new(0));
    let provider = Cbrain::new(BaseUrl::parse("http://127.0.0.1:3000").unwrap()).unwrap();
    let session = Session::new(provider, Options::default(), [7; 32]);
    let (session, driver) = asynchronous::new(session, world.clone(), world.clone(), Week(Arc::clone(&kept)));
    let mut driver = pin!(driver);
    let mut cx = Context::from_waker(Waker::noop());
    let end = BEGAN + Duration::from_secs(7 * 24 * 3600);
    let watched = world.clone();
    let mut logout = pin!(async {
        std::future::poll_fn(|_| if watched.now() < end { Poll::Pending } else { Poll::Ready(()) }).await;
        session.logout().await
    });
    // A timer that is always over makes the driver a loop that never waits, so it is stopped from outside of it.
    let watch = std::thread::spawn({
        let session = session.clone();
        move || {
            while world.now() < end {
                std::thread::yield_now();
            }
            drop(session.logout());
        }
    });
    let Poll::Ready(ended) = driver.as_mut().poll(&mut cx) else { panic!("nothing here waits") };
    watch.join().unwrap();
    assert!(logout.as_mut().poll(&mut cx).is_ready());
    assert_eq!(ended.unwrap(), Ended::Closed(sansession::CloseReason::LoggedOut { confirmed: true }));
    assert!(*kept.lock().unwrap() >= 13, "every 12 hours");
}
