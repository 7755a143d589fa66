//! What is measured: ours and the floor, side by side.
//!
//! The floor is straight code for the same bytes: `Request::new` and setters with a parsed URI, and a
//! typed read of the fields that the machine needs, no more.

mod calls;
mod drive;
mod life;
mod parse;

use http::Response;
use http::header::CONTENT_TYPE;
use sansession::{Credentials, Input, Machine, Output, Provider, Session, Source, Timestamp, WaitingOn};

/// One comparison.
pub struct Case {
    pub ours: Box<dyn FnMut()>,
    pub floor: Box<dyn FnMut()>,
}

impl Case {
    fn new<A, B>(mut ours: impl FnMut() -> A + 'static, mut floor: impl FnMut() -> B + 'static) -> Self {
        Self {
            ours: Box::new(move || drop(std::hint::black_box(ours()))),
            floor: Box::new(move || drop(std::hint::black_box(floor()))),
        }
    }
}

/// Creates a comparison, which is set up first.
type Make = fn() -> Case;

/// The comparisons by their names.
pub const CASES: &[(&str, Make)] = &[
    ("keepalive-cycle", life::keepalive_cycle),
    ("login", life::login),
    ("shared-loop", drive::shared_loop),
    ("idle-poll", life::idle_poll),
    ("idle-poll-dyn", life::idle_poll_dyn),
    ("deadline", life::deadline),
    ("snapshot", life::snapshot),
    ("resume", life::resume),
    ("authorize-bearer", calls::bearer),
    ("authorize-gateway", calls::gateway),
    ("authorize-hmac", calls::hmac),
    ("authorize-two-tokens", calls::two_tokens),
    ("parse-tickle", parse::tickle),
    ("parse-status", parse::status),
    ("parse-validate", parse::validate),
    ("parse-session-info", parse::session_info),
];

const START: Timestamp = Timestamp::from_secs(1_790_000_000);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const TICKLE: &str = r#"{"session":"bb665d0f55b6289d70bc7380089fc96f","ssoExpires":460311,"collission":false,"userId":123456789,"hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,"message":"","MAC":"98:F2:B3:23:BF:A0","serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p, Dec 5, 2023 5:48:12 PM"}}}}"#;
const STATUS: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":"","MAC":"AA:BB:CC:DD:EE:FF","serverInfo":{"serverName":"TestServer01","serverVersion":"Build 10.44.1d, Mar 3, 2026 1:55:32 PM"},"hardware_info":"test1234|AA:BB:CC:DD:EE:FF","fail":""}"#;
const VALIDATE: &str = r#"{"USER_ID":123456789,"USER_NAME":"user1234","RESULT":true,"AUTH_TIME":1702580846836,"EXPIRES":415890,"lastAccessed":1702581069652,"LOGIN_TYPE":2}"#;

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
                let _ = session.handle_input(now, need.id, Input::Credentials(credentials), Source::Person);
            }
            Output::Wait { .. } => return,
            _ => {}
        }
    }
}
