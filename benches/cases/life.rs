//! A session's own life: login, keepalive, waiting, being written down and taken up.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::{Gateway, wire};
use sansession::{BaseUrl, Machine, Options, Output, Session, Snapshot, Timestamp};
use serde::{Deserialize, Serialize};

use super::parse::{SessionInfo, Tickle};
use super::{Case, START, STATUS, TICKLE, TOKEN, VALIDATE, json, run};

pub fn gateway() -> Session<Arc<Gateway>> {
    let provider = Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
    let mut session = Session::new(Arc::new(provider), Options::default(), [7; 32]);
    session.start(START);
    run(&mut session, START, |path| json(if path.ends_with("validate") { VALIDATE } else { STATUS }));
    session
}

/// poll → Send → response → Wait, each minute, as a gateway session does all day.
pub fn keepalive_cycle() -> Case {
    let mut session = gateway();
    let mut now = START;
    let (response, status) = (json(TICKLE), json(STATUS));
    let floor_response = response.clone();
    let ours = move || {
        now = now + Duration::from_secs(60);
        loop {
            match session.poll(now) {
                Output::Send(outgoing) => {
                    let id = outgoing.id();
                    // Once a day, after midnight, the status is checked as well.
                    let answer = if outgoing.path().ends_with("tickle") { &response } else { &status };
                    black_box(&outgoing.into_request());
                    session.handle_response(now, id, answer.into()).unwrap();
                }
                Output::Wait { until, .. } => break until,
                other => _ = black_box(&other),
            }
        }
    };
    let uri: Uri = "https://localhost:5000/v1/api/tickle".parse().unwrap();
    let floor = move || {
        let mut request = Request::new(Vec::<u8>::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        request.headers_mut().insert(USER_AGENT, const { HeaderValue::from_static(wire::USER_AGENT) });
        request.headers_mut().insert(ACCEPT, const { HeaderValue::from_static("application/json") });
        request.headers_mut().insert(CONTENT_LENGTH, const { HeaderValue::from_static("0") });
        black_box(&request);
        let tickle: Tickle<'_> = serde_json::from_slice(floor_response.body()).unwrap();
        tickle.is_alive_for("bb665d0f55b6289d70bc7380089fc96f", 123_456_789)
    };
    Case::new(ours, floor)
}

pub fn cbrain_provider() -> Arc<Cbrain> {
    Arc::new(Cbrain::new(BaseUrl::parse("https://portal.example.org").unwrap()).unwrap())
}

pub fn info() -> String {
    format!(r#"{{"user_id":2,"cbrain_api_token":"{TOKEN}"}}"#)
}

/// Credentials in, session out.
pub fn login() -> Case {
    let (provider, options) = (cbrain_provider(), Arc::new(Options::default()));
    let response = json(&info());
    let floor_response = response.clone();
    let ours = move || {
        let mut session = Session::new(provider.clone(), options.clone(), [7; 32]);
        session.start(START);
        run(&mut session, START, |_| response.clone());
        session
    };
    let uri: Uri = "https://portal.example.org/session".parse().unwrap();
    let floor = move || {
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
        let response = floor_response.clone();
        let info: SessionInfo<'_> = serde_json::from_slice(response.body()).unwrap();
        (request, info.user_id, info.cbrain_api_token.to_owned())
    };
    Case::new(ours, floor)
}

/// The least that a timer needs: one deadline, compared and given.
fn wait() -> impl FnMut() -> Option<Timestamp> {
    let until = START + Duration::from_secs(60);
    move || black_box((black_box(until) > black_box(START)).then_some(until))
}

pub fn idle_poll() -> Case {
    let mut session = gateway();
    Case::new(move || session.poll(black_box(START)), wait())
}

pub fn idle_poll_dyn() -> Case {
    let mut session: Box<dyn Machine> = Box::new(gateway());
    Case::new(move || black_box(&mut session).poll(black_box(START)), wait())
}

/// Asked after a poll, as a driver does.
pub fn deadline() -> Case {
    let mut session = gateway();
    assert!(matches!(session.poll(START), Output::Wait { .. }), "it is idle");
    Case::new(move || black_box(&session).deadline(), wait())
}

pub fn snapshot() -> Case {
    let session = gateway();
    let text = session.snapshot().expose_secrets().to_owned();
    let read = serde_json::from_str(Box::leak(text.clone().into_boxed_str()));
    let written: Written<'static> = read.unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(serde_json::to_string(&written).unwrap(), text, "the floor writes something else");
    let floor = move || {
        let mut text = Vec::with_capacity(4096);
        serde_json::to_writer(&mut text, &written).unwrap();
        String::from_utf8(text).unwrap()
    };
    Case::new(move || session.snapshot(), floor)
}

pub fn resume() -> Case {
    let session = gateway();
    let text = Snapshot::from_text(session.snapshot().expose_secrets());
    let (provider, options) = (session.into_provider(), Arc::new(Options::default()));
    let floor_text = text.expose_secrets().to_owned();
    let ours = move || Session::resume(provider.clone(), &text, options.clone(), None, [9; 32], START).unwrap();
    let floor = move || {
        let written: Written<'_> = serde_json::from_str(&floor_text).unwrap();
        black_box(written.epoch)
    };
    Case::new(ours, floor)
}

/// The text of an active gateway session, and nothing more.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    format: u32,
    provider: &'a str,
    server: &'a str,
    epoch: u64,
    #[serde(borrow)]
    session: Core<'a>,
}

#[derive(Serialize, Deserialize)]
struct Core<'a> {
    clock: u64,
    #[serde(borrow)]
    life: Life<'a>,
    since: u64,
    #[serde(borrow)]
    state: State<'a>,
    alive: u64,
    #[serde(borrow)]
    agenda: Agenda<'a>,
    limits: Limits,
    counts: Counts,
}

#[derive(Serialize, Deserialize)]
struct Agenda<'a> {
    #[serde(borrow)]
    plans: (End<'a>, Renewal<'a>, Every<'a>),
}

#[derive(Serialize, Deserialize)]
struct Life<'a> {
    #[serde(borrow)]
    open: Open<'a>,
}

#[derive(Serialize, Deserialize)]
struct Open<'a> {
    since: u64,
    #[serde(borrow)]
    stage: Stage<'a>,
}

#[derive(Serialize, Deserialize)]
struct Stage<'a> {
    phase: &'a str,
    calls: bool,
    found: bool,
}

#[derive(Serialize, Deserialize)]
struct Limits {
    hold: u64,
    penalty: u64,
    flow: u64,
}

#[derive(Serialize, Deserialize)]
struct Counts {
    needs: u32,
    generation: u32,
}

#[derive(Serialize, Deserialize)]
struct State<'a> {
    #[serde(borrow)]
    inner: Inner<'a>,
    identified: bool,
    nameless: bool,
    because: &'a str,
    done: bool,
    origin: Origin,
}

#[derive(Serialize, Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    live: Live<'a>,
    brokerage: Brokerage,
    admitted: u64,
    met: bool,
}

#[derive(Serialize, Deserialize)]
struct Origin {
    sent: bool,
    known: bool,
    asked_both: bool,
}

#[derive(Serialize, Deserialize)]
struct Live<'a> {
    user_id: Option<u64>,
    #[serde(borrow)]
    user: Option<&'a str>,
    paper: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct Brokerage {
    ready: bool,
    same: bool,
    rival: bool,
    shown: bool,
    lost_at: Option<u64>,
    thrown_out: Option<u64>,
    granted: u8,
    takeovers: u8,
    tries: u16,
    tried: u64,
    wait: Duration,
    took: bool,
    inits: u16,
    disconnected: bool,
    establishing: u8,
    midnight: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct End<'a> {
    slot: &'a str,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct Renewal<'a> {
    slot: &'a str,
    step: &'a str,
    at: u64,
    named: bool,
}

#[derive(Serialize, Deserialize)]
struct Every<'a> {
    slot: &'a str,
    step: &'a str,
    at: u64,
    every: u32,
}
