//! The future that drives is dropped at every await and created again, and nothing is lost: one login, one life, one logout.
//! On tokio with one thread and with two, on smol, and by an executor written by hand.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use sansession::Session;
use sansession::drive::{
    Client, Timer,
    asynchronous::{self, Reqwest, Transport},
};
use sansession::providers::cbrain::Cbrain;

use runtimes::world::{PORTAL, World};
use runtimes::{Bot, LIFE, LOGGED_OUT, asked, portal, session};

/// A life whose future is dropped each time that `drops` says so; it is asked at every await that waits, and tells how
/// many those were. `pause` lets what is in flight arrive while nobody drives.
async fn life(
    machine: Session<Cbrain>,
    client: impl Client + Send + Sync + 'static,
    timer: impl Timer + Send + Sync + 'static,
    pause: impl AsyncFn(Duration),
    mut drops: impl FnMut(usize) -> bool,
) -> usize {
    let bot = Bot::default();
    let (session, mut driver) = asynchronous::new(machine, client, timer, bot.clone());
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
        pause(Duration::from_millis(1 + waits as u64 % 7)).await;
    };
    assert_eq!(ended, LOGGED_OUT);
    assert_eq!((bot.0.asked.load(Ordering::SeqCst), bot.0.kept.load(Ordering::SeqCst)), (1, 2));
    let saved = bot.0.saved.load(Ordering::SeqCst);
    assert!(saved >= 2, "before the login, and with the token");
    assert_eq!(saved, bot.0.saves.load(Ordering::SeqCst), "no save is given up");
    waits
}

async fn on_tokio(client: impl Client + Send + Sync + 'static, drops: impl FnMut(usize) -> bool) -> usize {
    let server = portal();
    let machine = session(server.url(), true);
    let waits = life(machine, client, tokio::time::sleep, tokio::time::sleep, drops).await;
    assert_eq!(asked(&server), LIFE, "after {waits} waits");
    waits
}

#[tokio::test]
async fn dropped_at_every_await() {
    let waits = on_tokio(Transport::new().unwrap(), |_| true).await;
    assert!(waits > LIFE.len(), "{waits}");
}

#[tokio::test]
async fn dropped_once_at_each_await() {
    let waits = on_tokio(Transport::new().unwrap(), |_| false).await;
    let mut lives = tokio::task::JoinSet::new();
    for one in 1..=waits {
        lives.spawn(on_tokio(Transport::new().unwrap(), move |wait| wait == one));
    }
    while let Some(lived) = lives.join_next().await {
        lived.unwrap();
    }
}

#[tokio::test]
async fn dropped_at_every_await_over_reqwest() {
    on_tokio(Reqwest::new().unwrap(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_at_every_await_and_at_random_ones_on_two_threads() {
    let mut lives = tokio::task::JoinSet::new();
    lives.spawn(on_tokio(Transport::new().unwrap(), |_| true));
    lives.spawn(on_tokio(Reqwest::new().unwrap(), |_| true));
    for seed in 0..40_usize {
        lives.spawn(on_tokio(Transport::new().unwrap(), move |wait| (wait * 2_654_435_761 + seed * 40_503) % 3 == 0));
    }
    while let Some(lived) = lives.join_next().await {
        lived.unwrap();
    }
}

async fn on_smol(drops: impl FnMut(usize) -> bool) -> usize {
    let server = portal();
    let machine = session(server.url(), true);
    let pause = async |time| _ = smol::Timer::after(time).await;
    let waits = life(machine, crate::runtimes::send, smol::Timer::after, pause, drops).await;
    assert_eq!(asked(&server), LIFE, "after {waits} waits");
    waits
}

#[test]
fn dropped_at_every_await_on_smol() {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let (every, none) = smol::future::zip(on_smol(|_| true), on_smol(|_| false)).await;
        assert!(every > LIFE.len() && none > LIFE.len(), "{every}, {none}");
        let lives: Vec<_> =
            (1..=none).map(|one| executor.spawn(async move { on_smol(move |wait| wait == one).await })).collect();
        for life in lives {
            life.await;
        }
    }));
}

fn in_virtual_time(way: u64, drops: impl FnMut(usize) -> bool) -> usize {
    let world = World::new(Duration::from_millis(way));
    let pause = async |time| world.sleep(time).await;
    let waits = world.run(life(session(PORTAL, true), world.clone(), world.clone(), pause, drops));
    assert_eq!(world.asked(), LIFE, "after {waits} waits");
    waits
}

#[test]
fn dropped_at_every_await_and_at_each_pair_in_virtual_time() {
    for way in [1, 40] {
        in_virtual_time(way, |_| true);
        let waits = in_virtual_time(way, |_| false);
        assert!(waits > 2 * LIFE.len(), "{waits}");
        for one in 1..=waits {
            for other in one..=waits + 1 {
                in_virtual_time(way, move |wait| wait == one || wait == other);
            }
        }
    }
}
