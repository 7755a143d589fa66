//! The driver's future is dropped at every await, and nothing is lost: one login, one life, one logout.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_tokio::client::Client;
use async_tokio::driver::{Driver, Program};
use async_tokio::session::{Shared, now};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, CloseReason, Credentials, Event, Input, Need, Options, Session, Snapshot};

const LIFE: [&str; 4] = ["POST /session", "GET /session", "GET /session", "DELETE /session"];

/// Logs in, is kept alive twice, logs out; every other save takes a while.
struct Bot {
    session: Arc<Shared>,
    kept: usize,
    asked: usize,
    saves: usize,
    saved: usize,
}

impl Program for Bot {
    fn answer(&mut self, _: &Need) -> Option<Input> {
        self.asked += 1;
        Credentials::new("alice", "wonderland").ok().map(Input::Credentials)
    }

    fn event(&mut self, event: &Event) {
        self.kept += usize::from(matches!(event, Event::KeptAlive));
        if self.kept == 2 {
            self.session.with(|machine, now| machine.logout(now));
        }
    }

    async fn save(&mut self, _: &Snapshot) -> io::Result<()> {
        self.saves += 1;
        if self.saves % 2 == 1 {
            tokio::task::yield_now().await;
        }
        self.saved += 1;
        Ok(())
    }
}

/// A life whose driver is dropped each time that `drops` says so; it is asked at every await that waits.
async fn life(mut drops: impl FnMut(usize) -> bool) -> usize {
    let mut portal = sim::Cbrain::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now).unwrap();
    let provider = Cbrain::new(BaseUrl::parse(server.url()).unwrap()).unwrap().keepalive(Duration::from_secs(1));
    let mut options = Options::default();
    options.durable = true;
    let mut driver = Driver::new(Session::new(provider, options, [7; 32]), Client::new().unwrap());
    let mut bot = Bot { session: Arc::clone(&driver.session), kept: 0, asked: 0, saves: 0, saved: 0 };
    let mut waits = 0;
    let reason = loop {
        let ended = {
            let mut run = pin!(driver.run(&mut bot));
            poll_fn(|cx| match run.as_mut().poll(cx) {
                Poll::Ready(reason) => Poll::Ready(Some(reason.unwrap())),
                Poll::Pending => {
                    waits += 1;
                    if drops(waits) { Poll::Ready(None) } else { Poll::Pending }
                }
            })
            .await
        };
        if let Some(reason) = ended {
            break reason;
        }
        // Time for what is in flight to arrive while nobody drives.
        tokio::time::sleep(Duration::from_millis(1 + waits as u64 % 7)).await;
    };
    assert_eq!(reason, CloseReason::LoggedOut { confirmed: true });
    let asked: Vec<String> = server.log().iter().map(|served| format!("{} {}", served.method, served.path)).collect();
    assert_eq!(asked, LIFE, "after {waits} waits");
    assert_eq!((bot.asked, bot.kept), (1, 2));
    assert!(bot.saved >= 2, "before the login, and with the token");
    waits
}

#[tokio::test]
async fn dropped_at_every_await() {
    let waits = life(|_| true).await;
    assert!(waits > LIFE.len(), "{waits}");
}

#[tokio::test]
async fn dropped_once_at_each_await() {
    let waits = life(|_| false).await;
    let mut lives = tokio::task::JoinSet::new();
    for one in 1..=waits {
        lives.spawn(life(move |wait| wait == one));
    }
    while let Some(lived) = lives.join_next().await {
        lived.unwrap();
    }
}
