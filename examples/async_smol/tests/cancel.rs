//! The driver's future is dropped at every await, and nothing is lost: one login, one life, one logout.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use async_smol::driver::{Driver, now};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, CloseReason, Event, Options, Session};
use smol::Timer;

const LIFE: [&str; 4] = ["POST /session", "GET /session", "GET /session", "DELETE /session"];

/// A life whose driver is dropped each time that `drops` says so; it is asked at every await that waits.
async fn life(mut drops: impl FnMut(usize) -> bool) -> usize {
    let mut portal = sim::Cbrain::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now).unwrap();
    let provider = Cbrain::new(BaseUrl::parse(server.url()).unwrap()).unwrap().keepalive(Duration::from_secs(1));
    let (mut driver, orders) = Driver::new(Session::new(provider, Options::default(), [7; 32]));
    let (mut kept, mut waits) = (0, 0);
    let mut told = |event| {
        kept += usize::from(matches!(event, Event::KeptAlive));
        if kept == 2 && matches!(event, Event::KeptAlive) {
            orders.try_send(Box::new(|machine, now| machine.logout(now))).unwrap();
        }
    };
    let reason = loop {
        let ended = {
            let mut run = pin!(driver.run(&mut told));
            poll_fn(|cx| match run.as_mut().poll(cx) {
                Poll::Ready(reason) => Poll::Ready(Some(reason)),
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
        Timer::after(Duration::from_millis(1 + waits as u64 % 7)).await;
    };
    assert_eq!(reason, CloseReason::LoggedOut { confirmed: true });
    let asked: Vec<String> = server.log().iter().map(|served| format!("{} {}", served.method, served.path)).collect();
    assert_eq!(asked, LIFE, "after {waits} waits");
    waits
}

#[test]
fn dropped_at_every_await() {
    let waits = smol::block_on(life(|_| true));
    assert!(waits > LIFE.len(), "{waits}");
}

#[test]
fn dropped_once_at_each_await() {
    smol::block_on(async {
        let waits = life(|_| false).await;
        let lives: Vec<_> = (1..=waits).map(|one| smol::spawn(life(move |wait| wait == one))).collect();
        for lived in lives {
            lived.await;
        }
    });
}

#[test]
fn the_program_plays_its_story() {
    let output = Command::new(env!("CARGO_BIN_EXE_async_smol")).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("KeptAlive") && told.ends_with("logged out\n"), "{told}");
}
