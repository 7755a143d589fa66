//! What a session costs beside the bytes it has to build and read.
//!
//! The floor is straight code for the same bytes: `Request::new` and setters with a parsed URI, and a
//! typed read of the fields that the machine needs, no more.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::{Gateway, wire};
use sansession::{
    BaseUrl, By, Credentials, Input, Machine, Options, Output, Provider, Session, Snapshot, Timestamp, WaitingOn,
};
use serde::Deserialize;
use support::{Row, alone, pair};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const START: Timestamp = Timestamp::from_secs(1_790_000_000);
const TICKLE: &str = r#"{"session":"bb665d0f55b6289d70bc7380089fc96f","ssoExpires":460311,"collission":false,"userId":123456789,"hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,"message":"","MAC":"98:F2:B3:23:BF:A0","serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p, Dec 5, 2023 5:48:12 PM"}}}}"#;
const STATUS: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":"","MAC":"AA:BB:CC:DD:EE:FF","serverInfo":{"serverName":"TestServer01","serverVersion":"Build 10.44.1d, Mar 3, 2026 1:55:32 PM"},"hardware_info":"test1234|AA:BB:CC:DD:EE:FF","fail":""}"#;
const VALIDATE: &str = r#"{"USER_ID":123456789,"USER_NAME":"user1234","RESULT":true,"AUTH_TIME":1702580846836,"EXPIRES":415890,"lastAccessed":1702581069652,"LOGIN_TYPE":2}"#;

fn main() {
    let rows = [keepalive_cycle(), login(), authorize(), tickle()];
    let (name, idle, allocations) = idle_poll();
    println!("{name}: {idle:.1} ns, {allocations} allocations");
    let (name, idle, allocations) = idle_poll_dyn();
    println!("{name}: {idle:.1} ns, {allocations} allocations");
    for (name, nanos, allocations) in [snapshot(), resume()] {
        println!("{name}: {:.2} µs, {allocations} allocations", nanos / 1e3);
    }
    println!("an idle gateway session: {} bytes, what it points to aside", size_of::<Session<Arc<Gateway>>>());
    for Row { name, ratio, ours, floor, allocations } in rows {
        println!("{name}: ours {ours:.0} ns, floor {floor:.0} ns");
        println!("ratio {name} ours/floor {ratio:.3} allocs {}/{}", allocations.0, allocations.1);
    }
}

fn json(body: &str) -> Response<Vec<u8>> {
    Response::builder().header(CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

/// Takes a session to its first wait, with an answer for each request.
fn run<P: Provider + Send>(
    session: &mut Session<P>,
    now: Timestamp,
    mut answer: impl FnMut(&str) -> Response<Vec<u8>>,
) {
    loop {
        match session.poll(now) {
            Output::Send(outgoing) => {
                let (id, response) = (outgoing.id(), answer(outgoing.path()));
                session.handle_response(now, id, (&response).into()).unwrap();
            }
            Output::Wait { on: WaitingOn::Need(need), .. } => {
                let credentials = Credentials::new("norm", "correct horse").unwrap();
                let _ = session.handle_input(now, need.id, Input::Credentials(credentials), By::Person);
            }
            Output::Wait { .. } => return,
            _ => {}
        }
    }
}

fn gateway() -> Session<Arc<Gateway>> {
    let provider = Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
    let mut session = Session::new(Arc::new(provider), Options::default(), [7; 32]);
    session.start(START);
    run(&mut session, START, |path| json(if path.ends_with("validate") { VALIDATE } else { STATUS }));
    session
}

fn cbrain_provider() -> Arc<Cbrain> {
    Arc::new(Cbrain::new(BaseUrl::parse("https://portal.example.org").unwrap()).unwrap())
}

fn info() -> Response<Vec<u8>> {
    json(&format!(r#"{{"user_id":2,"cbrain_api_token":"{TOKEN}"}}"#))
}

fn cbrain() -> Session<Arc<Cbrain>> {
    let mut session = Session::new(cbrain_provider(), Options::default(), [7; 32]);
    session.start(START);
    run(&mut session, START, |_| info());
    session
}

/// poll → Send → response → Wait, each minute, as a gateway session does all day.
fn keepalive_cycle() -> Row {
    let mut session = gateway();
    let mut now = START;
    let (response, status) = (json(TICKLE), json(STATUS));
    let ours = || {
        now = now + Duration::from_secs(60);
        let mut sent = None;
        loop {
            match session.poll(now) {
                Output::Send(outgoing) => {
                    let (id, request) = (outgoing.id(), outgoing.into_request());
                    // Once a day, after midnight, the status is looked at as well.
                    let answer = if request.uri().path().ends_with("tickle") { &response } else { &status };
                    sent = Some(black_box(request));
                    session.handle_response(now, id, answer.into()).unwrap();
                }
                Output::Wait { until, .. } => break (until, sent),
                other => drop(black_box(other)),
            }
        }
    };
    let uri: Uri = "https://localhost:5000/v1/api/tickle".parse().unwrap();
    let floor = || {
        let mut request = Request::new(b"{}".to_vec());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        request.headers_mut().insert(USER_AGENT, const { HeaderValue::from_static(wire::USER_AGENT) });
        request.headers_mut().insert(CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
        let request = black_box(request);
        let tickle: Tickle<'_> = serde_json::from_slice(response.body()).unwrap();
        let flags = &tickle.iserver.auth_status;
        (request, tickle.session == "bb665d0f55b6289d70bc7380089fc96f", flags.is_ready())
    };
    pair("keepalive-cycle", ours, floor)
}

/// Credentials in, session out.
fn login() -> Row {
    let provider = cbrain_provider();
    let response = info();
    let ours = || {
        let mut session = Session::new(provider.clone(), Options::default(), [7; 32]);
        session.start(START);
        run(&mut session, START, |_| response.clone());
        session
    };
    let uri: Uri = "https://portal.example.org/session".parse().unwrap();
    let floor = || {
        let (login, password) = ("norm".to_owned(), "correct horse".to_owned());
        let body = serde_urlencoded::to_string([("login", &login), ("password", &password)]).unwrap();
        let mut request = Request::new(body.into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        request.headers_mut().insert(ACCEPT, const { HeaderValue::from_static("application/json") });
        request.headers_mut().insert(USER_AGENT, const { HeaderValue::from_static(wire::USER_AGENT) });
        request
            .headers_mut()
            .insert(CONTENT_TYPE, const { HeaderValue::from_static("application/x-www-form-urlencoded") });
        let response = response.clone();
        let info: Info<'_> = serde_json::from_slice(response.body()).unwrap();
        (request, info.user_id, info.cbrain_api_token.to_owned())
    };
    pair("login", ours, floor)
}

/// A call of the user's own, with a bearer token.
fn authorize() -> Row {
    let mut session = cbrain();
    let ours = || {
        session
            .authorize_request(START, Request::get("/groups").body(()).map(|r| r.map(|()| [0_u8; 0])).unwrap())
            .unwrap()
    };
    let base = "https://portal.example.org".to_owned();
    let floor = || {
        let mut request = Request::get("/groups").body([0_u8; 0]).unwrap();
        let uri: Uri = format!("{base}{}", request.uri().path()).parse().unwrap();
        *request.uri_mut() = uri;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap();
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        request.headers_mut().insert(ACCEPT, const { HeaderValue::from_static("application/json") });
        request.headers_mut().insert(USER_AGENT, const { HeaderValue::from_static(wire::USER_AGENT) });
        request
    };
    pair("authorize-bearer", ours, floor)
}

/// The body of a keepalive.
fn tickle() -> Row {
    let body = TICKLE.as_bytes();
    let ours = || {
        let tickle: wire::Tickle<'_> = sansession::wire::json(black_box(body)).unwrap();
        tickle.status().and_then(|status| status.authenticated)
    };
    let floor = || {
        let tickle: Tickle<'_> = serde_json::from_slice(black_box(body)).unwrap();
        tickle.iserver.auth_status.authenticated
    };
    pair("parse-tickle", ours, floor)
}

fn idle_poll() -> (&'static str, f64, u64) {
    let mut session = gateway();
    alone("idle poll", move || session.poll(black_box(START)))
}

fn idle_poll_dyn() -> (&'static str, f64, u64) {
    let mut session: Box<dyn Machine> = Box::new(gateway());
    alone("idle poll through dyn", move || black_box(&mut session).poll(black_box(START)))
}

fn snapshot() -> (&'static str, f64, u64) {
    let session = gateway();
    alone("snapshot", move || session.snapshot())
}

fn resume() -> (&'static str, f64, u64) {
    let session = gateway();
    let text = Snapshot::from_text(session.snapshot().expose_secrets());
    let provider = session.into_provider();
    alone("resume", move || Session::resume(provider.clone(), &text, Options::default(), None, [9; 32], START).unwrap())
}

#[derive(Deserialize)]
struct Info<'a> {
    user_id: u64,
    cbrain_api_token: &'a str,
}

#[derive(Deserialize)]
struct Tickle<'a> {
    session: &'a str,
    iserver: Iserver<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iserver<'a> {
    #[serde(borrow)]
    auth_status: Flags<'a>,
}

#[derive(Deserialize)]
struct Flags<'a> {
    authenticated: bool,
    #[serde(default)]
    established: Option<bool>,
    competing: bool,
    connected: bool,
    #[serde(default)]
    fail: Option<&'a str>,
}

impl Flags<'_> {
    fn is_ready(&self) -> bool {
        let fine = self.fail.is_none_or(str::is_empty);
        self.authenticated && self.connected && !self.competing && self.established != Some(false) && fine
    }
}
