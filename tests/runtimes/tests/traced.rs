//! What `tracing` is told: each event by its code within the session's span, and no secret.
//!
//! A program of its own: with one subscriber in one thread, `tracing` may take what other threads meet first for unwanted.

use std::fmt::{Debug, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use runtimes::{LOGGED_OUT, alice, portal, session};
use sansession::Timestamp;
use sansession::drive::{
    asynchronous::{self, Transport},
    now,
};
use sansession::sim::{Reply, Server, Simulator};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    depth: Arc<Mutex<u32>>,
    spans: Arc<AtomicU64>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sansession"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("span {}", span.metadata().name()));
        span.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
        Id::from_u64(self.spans.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", *self.depth.lock().unwrap(), event.metadata().level()));
        event.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {
        *self.depth.lock().unwrap() += 1;
    }

    fn exit(&self, _: &Id) {
        *self.depth.lock().unwrap() -= 1;
    }
}

#[test]
fn a_life_is_told_by_codes_in_a_span_and_shows_no_secret() {
    let server = portal();
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let transport = Transport::new().unwrap();
            let (session, driver) =
                asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, alice);
            tokio::spawn(driver);
            session.ready().await.unwrap();
            let secret = session.snapshot();
            let request = Request::get("/groups?token=933ccfadb75a91c45bd1a6f7adf86472").body(Vec::new()).unwrap();
            session.call(request).await.unwrap();
            assert_eq!(session.logout().await, LOGGED_OUT);
            let token = secret.expose_secrets().split('"').find(|part| part.len() == 32).unwrap().to_owned();
            let told = lines.lines.lock().unwrap().join("\n");
            for secret in [&token, "wonderland", "alice", "933ccfadb75a91c45bd1a6f7adf86472"] {
                assert!(!told.contains(secret), "{told}");
            }
        });
    });
    let told = lines.lines.lock().unwrap();
    let codes: Vec<_> = told
        .iter()
        .filter_map(|line| line.split_once("code=\"").map(|(_, rest)| rest.split('"').next().unwrap()))
        .collect();
    assert_eq!(
        codes,
        ["phase", "phase", "need", "sending", "received", "phase", "phase", "sending", "received", "phase", "closed"],
        "{told:#?}"
    );
    assert!(told[0].starts_with("span session provider=\"cbrain\" server=\"127.0.0.1:"), "{}", told[0]);
    assert!(told[1..].iter().all(|line| line.starts_with("1 ")), "{told:#?}");
    // Nothing of a healthy minute is louder than DEBUG, nothing of a life as wanted louder than INFO.
    let loud = |line: &&String| line.starts_with("1 WARN") || line.starts_with("1 ERROR");
    assert_eq!(told.iter().find(loud), None);
    assert!(
        told.iter()
            .any(|line| line.contains("1 DEBUG code=\"received\"") && line.contains("http.response.status_code="))
    );
}

/// A server that quotes what it was sent, head and body, and refuses all of it.
struct Echo;

impl Simulator for Echo {
    fn handle(&mut self, _: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let sent = format!("{:?} {}", request.headers(), String::from_utf8_lossy(request.body()));
        let body = serde_json::to_vec(&serde_json::json!({ "error": sent, "message": sent })).unwrap();
        Reply::new(Response::builder().status(401).header("content-type", "application/json").body(body).unwrap())
    }
}

#[test]
fn a_server_that_quotes_the_password_gets_it_into_no_trace_and_the_end_is_an_error() {
    let server = Server::start(Echo, now).unwrap();
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let transport = Transport::new().unwrap();
            let (session, driver) =
                asynchronous::new(session(server.url(), false), transport, tokio::time::sleep, alice);
            tokio::spawn(driver);
            assert!(session.ready().await.is_err());
        });
    });
    let told = lines.lines.lock().unwrap();
    assert!(!told.join("\n").contains("wonderland"), "{told:#?}");
    let last = told.last().unwrap();
    assert!(last.starts_with("1 ERROR code=\"closed\" reason=\"denied."), "{last}");
}
