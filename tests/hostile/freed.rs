//! What is freed with a secret still in it.
//!
//! The allocator looks through every block that is freed while a test watches. What this crate holds is
//! wiped by then; what others free unwiped is counted, and SECURITY.md tells of it.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::Duration;

use sansession::providers::cbrain::Cbrain;
use sansession::{
    BaseUrl, Credentials, Input, Machine, Options, Output, Response, Secret, Session, Snapshot, Source, Timestamp,
    WaitingOn, machine::Totp,
};

/// Nothing else in this process has these bytes.
const MARK: &[u8] = b"mArKeD-s3cret-Zq81";
const DIGITS: &[u8] = b"90817263";

thread_local! {
    static WATCHES: Cell<bool> = const { Cell::new(false) };
    static FREED: Cell<usize> = const { Cell::new(0) };
    static TRACES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes a block that is freed with a secret in it, if this thread watches.
pub fn look_through(block: &[u8]) {
    if !WATCHES.try_with(Cell::get).unwrap_or(false) {
        return;
    }
    let has = |mark: &[u8]| block.windows(mark.len()).any(|window| window == mark);
    if has(MARK) || has(DIGITS) {
        let _ = FREED.try_with(|freed| freed.set(freed.get() + 1));
        if std::env::var_os("TRACE_FREED").is_some() {
            WATCHES.set(false);
            TRACES.with(|traces| {
                traces.borrow_mut().push(std::backtrace::Backtrace::force_capture().to_string());
            });
            WATCHES.set(true);
        }
    }
}

/// Counts the blocks that are freed with a secret in them.
fn freed(work: impl FnOnce()) -> usize {
    FREED.set(0);
    WATCHES.set(true);
    work();
    WATCHES.set(false);
    TRACES.with(|traces| traces.borrow_mut().drain(..).for_each(|trace| println!("{trace}")));
    FREED.get()
}

fn mark() -> String {
    String::from_utf8(MARK.to_vec()).unwrap()
}

#[test]
fn the_allocator_sees_what_is_not_wiped() {
    assert_eq!(freed(|| drop(black_box(mark()))), 1);
}

#[test]
fn answers_are_wiped() {
    let now = Timestamp::from_secs(1_790_769_600);
    let count = freed(|| {
        drop(Secret::new(mark()));
        let secret = Secret::new(mark());
        drop((secret.clone(), secret));
        drop(Input::Credentials(Credentials::new("norm", mark()).unwrap()));
        drop(Input::Totp(Totp::new(String::from_utf8(DIGITS.to_vec()).unwrap(), now).unwrap()));
        drop(Input::Pin(Secret::new(mark())));
        drop(Input::Token(Secret::new(mark())));
        drop(Input::Code(Secret::new(mark())));
    });
    assert_eq!(count, 0);
}

fn session() -> Session<Cbrain> {
    let provider = Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap();
    Session::new(provider, Options::default(), [7; 32])
}

const NOON: Timestamp = Timestamp::from_secs(1_790_769_600);

/// A session that asks for its password.
fn asking() -> (Session<Cbrain>, sansession::NeedId) {
    let mut session = session();
    session.start(NOON);
    loop {
        if let Output::Wait { on: WaitingOn::Need(need), .. } = session.poll(NOON) {
            return (session, need.id);
        }
    }
}

#[test]
fn an_answer_in_hand_is_wiped_with_its_session() {
    let (mut session, need) = asking();
    let count = freed(|| {
        let input = Input::Credentials(Credentials::new("norm", mark()).unwrap());
        let _ = session.handle_input(NOON, need, input, Source::Person);
        drop(session);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_late_answer_is_wiped() {
    let mut session = session();
    let count = freed(|| {
        let input = Input::Credentials(Credentials::new("norm", mark()).unwrap());
        let _ = session.handle_input(NOON, sansession::NeedId::UNSOLICITED, input, Source::Person);
    });
    assert_eq!(count, 0);
}

fn outgoing(session: &mut Session<Cbrain>) -> sansession::Outgoing {
    loop {
        match session.poll(NOON) {
            Output::Send(outgoing) => return outgoing,
            Output::Wait { .. } | Output::Closed(_) => panic!("nothing is sent"),
            _ => {}
        }
    }
}

/// A session with a token, and the number of blocks that its login left unwiped.
fn logged_in() -> (Session<Cbrain>, usize, usize) {
    let (mut session, need) = asking();
    let mut sent = None;
    let request = freed(|| {
        let input = Input::Credentials(Credentials::new("norm", mark()).unwrap());
        let _ = session.handle_input(NOON, need, input, Source::Person);
        let outgoing = outgoing(&mut session);
        sent = Some(outgoing.id());
        drop(outgoing.into_request());
    });
    let body = format!(r#"{{"user_id": 2, "cbrain_api_token": "{}"}}"#, mark());
    let response = http::Response::builder().header("content-type", "application/json").body(body).unwrap();
    let answer = freed(|| {
        let _ = session.handle_response(NOON, sent.unwrap(), Response::from(&response));
        assert!((0..50).any(|_| matches!(session.poll(NOON), Output::Wait { .. })));
    });
    drop(response);
    (session, request, answer)
}

/// What `http`, `serde_json` and `serde_urlencoded` leave of a login; a change is told in SECURITY.md.
#[test]
fn a_login_leaves_the_request_s_own_body_and_nothing_else() {
    let (session, request, answer) = logged_in();
    assert!(session.live().is_some());
    println!("unwiped: {request} of the request, {answer} of the answer");
    assert!((1..=4).contains(&request), "{request} blocks of the request were freed unwiped");
    assert_eq!(answer, 0, "the answer's token was copied into a block that was freed unwiped");
}

#[test]
fn tokens_are_wiped_with_their_session() {
    let (session, ..) = logged_in();
    assert_eq!(freed(|| drop(session)), 0);
}

#[test]
fn snapshots_are_wiped() {
    let (session, ..) = logged_in();
    let count = freed(|| {
        let snapshot = session.snapshot();
        assert!(snapshot.expose_secrets().contains("mArKeD"));
        drop(snapshot);
    });
    assert_eq!(count, 0);
    let snapshot = session.snapshot();
    let provider = session.into_provider();
    let resumed = freed(|| {
        let text = Snapshot::from_text(snapshot.expose_secrets());
        let later = NOON + Duration::from_secs(1);
        drop(Session::resume(provider, &text, Options::default(), None, [8; 32], later).unwrap());
    });
    assert_eq!(resumed, 0);
}

#[test]
fn a_logout_wipes_the_token() {
    let (mut session, ..) = logged_in();
    let count = freed(|| {
        session.logout(NOON);
        let id = outgoing(&mut session).id();
        let json = http::Response::builder().header("content-type", "application/json");
        let response = json.body(Vec::new()).unwrap();
        let _ = session.handle_response(NOON, id, Response::from(&response));
        assert!((0..50).any(|_| matches!(session.poll(NOON), Output::Closed(_))));
    });
    println!("unwiped: {count} of a logout");
    // The header of its request is `http`'s.
    assert!(count <= 1, "{count}");
}
