//! A thousand sessions in one runtime of tokio: what each holds in memory, and what keeping it costs.
//!
//! `idle_sessions [SESSIONS]`, about four minutes. Each session is that of a gateway of its own, which answers from
//! memory. The seconds are real: of tasks that do nothing but sleep for 10 s again and again, which is the floor; of
//! sessions that only wait; and of sessions that tickle once a minute. `/proc` tells the time on the processor, so it is
//! Linux that this runs on.

use std::error::Error;
use std::fs;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use sansession::drive::{Answer, SendError, asynchronous, seed};
use sansession::providers::ibkr::Gateway;
use sansession::{BaseUrl, Need, Options, Session, machine::SendPolicy};
use sansession_peers::held::{Counting, Held};
use sansession_peers::{STATUS, TICKLE, VALIDATE};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static SENT: AtomicU64 = AtomicU64::new(0);

/// A gateway that is logged in.
fn answer(request: Request<Vec<u8>>, _: SendPolicy) -> Ready<Result<Response<Vec<u8>>, SendError>> {
    SENT.fetch_add(1, Ordering::Relaxed);
    let body = match request.uri().path() {
        path if path.ends_with("/tickle") => TICKLE,
        path if path.ends_with("/sso/validate") => VALIDATE,
        _ => STATUS,
    };
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
    ready(Ok(response))
}

fn nobody(need: Need) -> Answer {
    panic!("the gateway is logged in, and yet there is {need:?}")
}

/// The time that this thread was on a processor.
fn on_processor() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split(' ').next().ok_or("no time")?.parse()?))
}

/// Lets so many seconds pass, and prints what they cost each task.
async fn pass(what: &str, seconds: u64, tasks: u64) -> Result<(), Box<dyn Error>> {
    let (time, held, sent) = (on_processor()?, Held::now(), SENT.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (time, sent) = (on_processor()? - time, SENT.load(Ordering::Relaxed) - sent);
    let each = time.as_secs_f64() * 1e6 / (tasks * seconds) as f64;
    let [sent, allocations] = [sent, Held::now().allocations - held.allocations].map(|n| n as f64 / tasks as f64);
    println!("| {what}, {seconds} s | {each:.2} | {sent:.2} | {allocations:.2} |");
    Ok(())
}

/// Nobody starts all at once, and sleeps that end together cost less than they do in life.
async fn apart(tasks: u64) {
    tokio::time::sleep(Duration::from_secs(10) / tasks as u32).await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(1_000), |number| number.parse())?;
    let (mut sessions, mut handles) = (Vec::with_capacity(count as usize), Vec::with_capacity(count as usize));
    let per = |what: &str, held: Held| {
        let [bytes, blocks] = [held.bytes, held.blocks].map(|sum| sum as f64 / count as f64);
        println!("| {what} | {bytes:.0} | {blocks:.1} |");
    };
    println!("| {count} sessions, each | bytes | blocks |\n|---|---:|---:|");
    println!("| the machine, what it points to aside | {} | |", size_of::<Session<Gateway>>());
    let before = Held::now();
    for number in 0..count {
        let base = BaseUrl::parse(&format!("https://gateway-{number:06}.example.org/v1/api"))?;
        sessions.push(Session::new(Gateway::new(&base)?, Options::default(), seed()?));
    }
    per("what it points to, its provider's included", Held::now() - before);

    println!("\n| {count} tasks | CPU per second, us | requests | allocations |\n|---|---:|---:|---:|");
    let mut bare = tokio::task::JoinSet::new();
    for _ in 0..count {
        bare.spawn(async {
            loop {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        });
        apart(count).await;
    }
    pass("nothing but sleeps of 10 s", 30, count).await?;
    bare.shutdown().await;
    drop(bare);

    let before = Held::now();
    for session in sessions {
        handles.push(asynchronous::spawn(session, answer, nobody)?);
        apart(count).await;
    }
    for handle in &handles {
        handle.ready().await?;
    }
    let held = Held::now() - before;
    pass("open sessions that wait", 30, count).await?;
    // With the first tickle, each asks for its user.
    tokio::time::sleep(Duration::from_secs(60)).await;
    pass("open sessions that tickle", 60, count).await?;
    println!("\n| {count} open sessions, each | bytes | blocks |\n|---|---:|---:|");
    per("handle, driver and task, the machine in them and what it has learnt", held);
    Ok(())
}
