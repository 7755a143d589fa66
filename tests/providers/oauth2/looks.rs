//! Looks at a session that only a person can take further.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use http::Method;
use sansession::sim::Mishap;
use sansession::{Machine, Output, WaitingOn};

use crate::oauth2::{MINUTE, by_code, life, lives, open_need, server};

/// The access token is refused, and the answer to its renewal is lost: the next step is a consent. A look at that finds the
/// question, and is not due for ever.
#[test]
fn a_look_that_only_a_person_can_answer_ends_with_the_question() {
    let server = server();
    let mut life = life(&server, by_code());
    lives(&mut life, MINUTE);
    server.get().drop_access_tokens();
    server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Dropped);
    let _ = life.calls(Method::GET, "/api/quotes");
    life.runs_to(life.now + MINUTE, |life| open_need(&life.machine).is_some());
    let need = open_need(&life.machine).expect("a person is asked");
    let (mut session, now, (tell, told)) = (life.machine, life.now + MINUTE, channel());
    thread::spawn(move || {
        session.check(now);
        let end = loop {
            match session.poll(now) {
                Output::Wait { on, .. } => break on,
                Output::Closed(_) => break WaitingOn::Nothing,
                _ => {}
            }
        };
        let _ = tell.send(end);
    });
    let on = told.recv_timeout(Duration::from_secs(20)).expect("a poll comes to an end");
    assert!(matches!(&on, WaitingOn::Need(open) if open.kind == need.kind), "{on:?}");
}
