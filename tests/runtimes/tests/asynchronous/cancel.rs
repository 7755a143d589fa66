//! The future that drives is dropped at every await and made anew, and nothing is lost: one login, one life, one logout.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use sansession::asynchronous::{self, Client, Reqwest, Transport};

use runtimes::{Bot, LIFE, LOGGED_OUT, asked, portal, session};

/// A life whose future is dropped each time that `drops` says so; it is asked at every await that waits.
async fn life(client: impl Client + Send + Sync + 'static, mut drops: impl FnMut(usize) -> bool) -> usize {
    let server = portal();
    let bot = Bot::default();
    let (session, mut driver) = asynchronous::new(session(server.url(), true), client, tokio::time::sleep, bot.clone());
    let (mut waits, mut told_to_end) = (0, false);
    let ended = loop {
        let ended = {
            let mut run = pin!(&mut driver);
            poll_fn(|cx| {
                if bot.0.kept.load(Ordering::SeqCst) == 2 && !std::mem::replace(&mut told_to_end, true) {
                    // The order stands although nobody waits for it.
                    drop(session.logout());
                }
                match run.as_mut().poll(cx) {
                    Poll::Ready(ended) => Poll::Ready(Some(ended.unwrap())),
                    Poll::Pending => {
                        waits += 1;
                        if bot.0.kept.load(Ordering::SeqCst) == 2 && !told_to_end {
                            cx.waker().wake_by_ref();
                        }
                        if drops(waits) { Poll::Ready(None) } else { Poll::Pending }
                    }
                }
            })
            .await
        };
        if let Some(ended) = ended {
            break ended;
        }
        // Time for what is in flight to arrive while nobody drives.
        tokio::time::sleep(Duration::from_millis(1 + waits as u64 % 7)).await;
    };
    assert_eq!(ended, LOGGED_OUT);
    assert_eq!(asked(&server), LIFE, "after {waits} waits");
    assert_eq!((bot.0.asked.load(Ordering::SeqCst), bot.0.kept.load(Ordering::SeqCst)), (1, 2));
    let saved = bot.0.saved.load(Ordering::SeqCst);
    assert!(saved >= 2, "before the login, and with the token");
    assert_eq!(saved, bot.0.saves.load(Ordering::SeqCst), "no save is given up");
    waits
}

#[tokio::test]
async fn dropped_at_every_await() {
    let waits = life(Transport::new().unwrap(), |_| true).await;
    assert!(waits > LIFE.len(), "{waits}");
}

#[tokio::test]
async fn dropped_once_at_each_await() {
    let waits = life(Transport::new().unwrap(), |_| false).await;
    let mut lives = tokio::task::JoinSet::new();
    for one in 1..=waits {
        lives.spawn(life(Transport::new().unwrap(), move |wait| wait == one));
    }
    while let Some(lived) = lives.join_next().await {
        lived.unwrap();
    }
}

#[tokio::test]
async fn dropped_at_every_await_over_reqwest() {
    life(Reqwest::new().unwrap(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_at_random_awaits_on_two_threads() {
    let mut lives = tokio::task::JoinSet::new();
    for seed in 0..40_usize {
        lives.spawn(life(Transport::new().unwrap(), move |wait| (wait * 2_654_435_761 + seed * 40_503) % 3 == 0));
    }
    while let Some(lived) = lives.join_next().await {
        lived.unwrap();
    }
}
