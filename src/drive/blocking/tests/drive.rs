//! One session, several threads.

use std::io;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use http::{Request, Response};

use super::fake::{Fake, Line, Log};
use super::{OK, Server};
use crate::drive::{
    Answer, CallError, DriveError, Ended, Handle, SendError, Stop,
    blocking::{Driver, Transport, drive},
    now,
};
use crate::{
    CloseReason, Event, Input, InputHandled, Need, NeedId, Outgoing, RequestId, Secret, Snapshot, Source,
    machine::Rejection,
};

const ENDED: Ended = Ended::Closed(CloseReason::LoggedOut { confirmed: true });
const GAVE_UP: Ended = Ended::Closed(CloseReason::LoggedOut { confirmed: false });

fn pin(text: &str, by: Source) -> Answer {
    Answer::Now(Input::Pin(Secret::new(text)), by)
}

fn nobody(_: &Need) -> Answer {
    panic!("nothing is to be asked")
}

fn inputs(log: &Log) -> usize {
    log.lock().unwrap().iter().filter(|line| line.starts_with("Pin")).count()
}

/// Notes all that it is told; `saves` is how many saves fail first.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    failing_saves: usize,
}

impl Driver for Notes {
    fn answer(&mut self, need: &Need) -> Answer {
        self.lines.push(format!("asked for {}", need.kind.code()));
        pin("1234", Source::Store)
    }

    fn event(&mut self, event: &Event) {
        self.lines.push(event.code().into());
    }

    fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.lines.push(format!("save {}", snapshot.expose_secrets()));
        match self.failing_saves.checked_sub(1) {
            Some(left) => {
                self.failing_saves = left;
                Err(io::ErrorKind::StorageFull.into())
            }
            None => Ok(()),
        }
    }

    fn sending(&mut self, outgoing: &Outgoing) {
        self.lines.push(format!("sending {} {}", outgoing.method(), outgoing.path()));
    }

    fn received(&mut self, _: RequestId, response: &Response<Vec<u8>>) {
        self.lines.push(format!("received {}", response.status().as_u16()));
    }

    fn failed(&mut self, _: RequestId, error: &SendError) {
        self.lines.push(error.failure.kind.code().into());
    }
}

#[test]
fn a_whole_life() {
    let server = Server::answering(OK);
    let dropping = Server::plain(|_| false);
    let script = [
        Line::Ask { attended: false },
        Line::Save,
        Line::Send(server.url() + "login"),
        Line::Tell(Event::KeptAlive),
        Line::Wait(Duration::from_millis(30)),
        Line::Send(dropping.url() + "keepalive"),
    ];
    let (fake, log) = Fake::new(script);
    let mut notes = Notes::default();
    assert_eq!(drive(&Handle::new(fake).erased(), &Transport::new().unwrap(), &mut notes).unwrap(), ENDED);
    assert_eq!(
        notes.lines,
        [
            "asked for pin",
            "save {\"seq\":0}",
            "sending POST /login",
            "received 200",
            "kept-alive",
            "sending POST /keepalive",
            "interrupted"
        ]
    );
    assert_eq!(
        *log.lock().unwrap(),
        ["start", "Pin(Secret(..)) by Store", "1-00000001-1 got 200", "1-00000001-2 failed interrupted MaybeSent"]
    );
}

#[test]
fn what_could_not_be_saved_is_not_sent() {
    let server = Server::answering(OK);
    let handle = Handle::new(Fake::new([Line::Save, Line::Send(server.url())]).0);
    let transport = Transport::new().unwrap();
    let mut notes = Notes { failing_saves: 2, ..Notes::default() };
    for _ in 0..2 {
        let error = drive(&handle, &transport, &mut notes).unwrap_err();
        assert!(matches!(&error, DriveError::Save(cause) if cause.kind() == io::ErrorKind::StorageFull), "{error}");
        assert!(server.saw_nothing());
    }
    assert_eq!(drive(&handle, &transport, &mut notes).unwrap(), ENDED);
    server.seen();

    let handle = Handle::new(Fake::new([Line::Save, Line::Send(server.url())]).0);
    let error = drive(&handle, &transport, &mut nobody).unwrap_err();
    assert!(matches!(&error, DriveError::Save(cause) if cause.kind() == io::ErrorKind::Unsupported), "{error}");
    handle.saved();
    assert_eq!(drive(&handle, &transport, &mut nobody).unwrap(), ENDED);
}

#[test]
fn stops_are_heard_within_a_second() {
    for (stop, ended) in [(Stop::Logout, ENDED), (Stop::Leave, Ended::Left)] {
        let handle = Handle::new(Fake::new([Line::Stay]).0);
        let (tell, told) = channel();
        let driver = thread::spawn({
            let handle = handle.clone();
            move || tell.send(drive(&handle, &Transport::new().unwrap(), &mut nobody).unwrap()).unwrap()
        });
        thread::sleep(Duration::from_millis(50));
        handle.stop(stop);
        assert_eq!(told.recv_timeout(Duration::from_secs(1)).unwrap(), ended);
        driver.join().unwrap();
    }
}

#[test]
fn a_stop_before_the_drive_is_not_lost() {
    let (fake, log) = Fake::new([Line::Stay]);
    let handle = Handle::new(fake);
    handle.stop(Stop::Leave);
    let transport = Transport::new().unwrap();
    assert_eq!(drive(&handle, &transport, &mut nobody).unwrap(), Ended::Left);
    handle.stop(Stop::Logout);
    assert_eq!(drive(&handle, &transport, &mut nobody).unwrap(), ENDED);
    assert_eq!(*log.lock().unwrap(), ["start", "logout", "start"]);
}

#[test]
fn leaving_in_a_hurry_reports_the_interrupted_request_first() {
    let silent = Server::plain(|_| {
        thread::sleep(Duration::from_secs(30));
        false
    });
    let (fake, log) = Fake::new([Line::Send(silent.url()), Line::Stay]);
    let (handle, transport) = (Handle::new(fake), Transport::new().unwrap());
    let began = Instant::now();
    let driver = thread::spawn({
        let (handle, transport) = (handle.clone(), transport.clone());
        move || drive(&handle, &transport, &mut nobody).unwrap()
    });
    silent.seen();
    handle.stop(Stop::Leave);
    transport.interrupt();
    assert_eq!(driver.join().unwrap(), Ended::Left);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(log.lock().unwrap().last().unwrap(), "1-00000001-1 failed interrupted MaybeSent");
}

#[test]
fn two_threads_call_while_a_third_drives() {
    let server = Server::answering(OK);
    let (mut fake, log) = Fake::new([Line::Stay]);
    fake.base = server.url();
    let (handle, transport) = (Handle::new(fake).erased(), Transport::new().unwrap());
    let driver = thread::spawn({
        let (handle, transport) = (handle.clone(), transport.clone());
        move || drive(&handle, &transport, &mut nobody).unwrap()
    });
    let callers = ["/a", "/b"].map(|path| {
        let (handle, transport) = (handle.clone(), transport.clone());
        thread::spawn(move || {
            for _ in 0..20 {
                let answer = handle.call(&transport, Request::get(path).body(Vec::new()).unwrap()).unwrap();
                assert_eq!(answer.body(), b"ok");
            }
        })
    });
    for caller in callers {
        caller.join().unwrap();
    }
    handle.stop(Stop::Logout);
    assert_eq!(driver.join().unwrap(), ENDED);
    for path in ["own /a got 200", "own /b got 200"] {
        assert_eq!(log.lock().unwrap().iter().filter(|line| *line == path).count(), 20);
    }
    assert!(server.seen().contains("authorization: Bearer x"));
}

#[test]
fn calls_that_fail_are_told_to_the_session() {
    let dropping = Server::plain(|_| false);
    let (fake, log) = Fake::new([Line::Stay]);
    let (handle, transport) = (Handle::new(fake), Transport::new().unwrap());
    let request = || Request::get("/a").body(Vec::new()).unwrap();
    assert!(matches!(handle.call(&transport, request()), Err(CallError::Authorize(_))));
    handle.with(|fake| fake.base = dropping.url());
    assert!(matches!(handle.call(&transport, request()), Err(CallError::Send(_))));
    assert_eq!(*log.lock().unwrap(), ["own /a failed MaybeSent"]);
}

#[test]
fn whatever_others_do_wakes_the_driver() {
    let (fake, log) = Fake::new([Line::Stay, Line::Stay]);
    let handle = Handle::new(fake);
    let driver = thread::spawn({
        let handle = handle.clone();
        move || drive(&handle, &Transport::new().unwrap(), &mut nobody).unwrap()
    });
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(20));
        handle.check();
    }
    assert_eq!(driver.join().unwrap(), ENDED);
    assert_eq!(*log.lock().unwrap(), ["start", "check", "check"]);
    assert_eq!(handle.take_over(), InputHandled::Stale);
    assert_eq!(log.lock().unwrap().last().unwrap(), "TakeOver by Person");
}

#[test]
fn only_one_thread_drives() {
    let handle = Handle::new(Fake::new([Line::Ask { attended: false }]).0);
    let transport = Transport::new().unwrap();
    let again = (handle.clone(), transport.clone());
    let mut driver = |_: &Need| {
        assert!(matches!(drive(&again.0, &again.1, &mut nobody), Err(DriveError::Driven)));
        pin("1234", Source::Person)
    };
    assert_eq!(drive(&handle, &transport, &mut driver).unwrap(), ENDED);
    assert_eq!(drive(&handle, &transport, &mut nobody).unwrap(), ENDED);
}

#[test]
fn a_person_is_asked_again_a_few_times() {
    struct Typist(Vec<Rejection>);
    impl Driver for Typist {
        fn answer(&mut self, _: &Need) -> Answer {
            pin("", Source::Person)
        }
        fn rejected(&mut self, _: &Need, rejection: Rejection) {
            self.0.push(rejection);
        }
    }
    let (fake, log) = Fake::new([Line::Ask { attended: false }]);
    let mut typist = Typist(Vec::new());
    assert_eq!(drive(&Handle::new(fake), &Transport::new().unwrap(), &mut typist).unwrap(), GAVE_UP);
    assert_eq!(typist.0, [Rejection::Malformed("pin"); 5]);
    assert_eq!(inputs(&log), 5);
}

/// The next code is a matter of seconds, however often somebody types the last one.
#[test]
fn a_code_that_comes_too_early_costs_a_person_no_try() {
    struct Typist(Vec<Rejection>);
    impl Driver for Typist {
        fn answer(&mut self, _: &Need) -> Answer {
            pin(if self.0.len() < 8 { "early" } else { "1234" }, Source::Person)
        }
        fn rejected(&mut self, _: &Need, rejection: Rejection) {
            self.0.push(rejection);
        }
    }
    let (handle, mut typist) = (Handle::new(Fake::new([Line::Ask { attended: false }]).0), Typist(Vec::new()));
    let began = now();
    assert_eq!(drive(&handle, &Transport::new().unwrap(), &mut typist).unwrap(), ENDED);
    assert_eq!(typist.0, [Rejection::NotFresh; 8]);
    assert!(now().since(began) >= Duration::from_millis(800), "no hot loop");
}

#[test]
fn a_program_is_asked_once() {
    for (attended, text) in [(true, "1234"), (false, "wrong")] {
        let (fake, log) = Fake::new([Line::Ask { attended }]);
        let mut store = |_: &Need| pin(text, Source::Store);
        assert_eq!(drive(&Handle::new(fake), &Transport::new().unwrap(), &mut store).unwrap(), GAVE_UP);
        assert_eq!(inputs(&log), 1);
    }
}

#[test]
fn later_is_asked_later_and_not_in_a_hot_loop() {
    let (handle, began) = (Handle::new(Fake::new([Line::Ask { attended: false }]).0), now());
    let mut asked = Vec::new();
    let mut driver = |_: &Need| {
        asked.push(now().since(began));
        if asked.len() < 3 { Answer::Later(Duration::ZERO) } else { pin("1234", Source::Store) }
    };
    assert_eq!(drive(&handle, &Transport::new().unwrap(), &mut driver).unwrap(), ENDED);
    assert!(asked[1] >= Duration::from_millis(100) && asked[2] >= Duration::from_millis(200), "{asked:?}");
}

#[test]
fn another_thread_answers_while_the_driver_says_later() {
    let handle = Handle::new(Fake::new([Line::Ask { attended: true }]).0);
    let driver = thread::spawn({
        let handle = handle.clone();
        move || {
            drive(&handle, &Transport::new().unwrap(), &mut |_: &Need| Answer::Later(Duration::from_secs(60))).unwrap()
        }
    });
    thread::sleep(Duration::from_millis(50));
    assert_eq!(handle.answer(NeedId(7), Input::Pin(Secret::new("1234")), Source::Person), InputHandled::Used);
    assert_eq!(driver.join().unwrap(), ENDED);
}

#[test]
fn a_thread_that_panics_spoils_nothing() {
    let handle = Handle::new(Fake::new([Line::Stay]).0);
    let clone = handle.clone();
    assert!(thread::spawn(move || clone.with(|_| panic!("on purpose"))).join().is_err());
    handle.stop(Stop::Logout);
    assert_eq!(drive(&handle, &Transport::new().unwrap(), &mut nobody).unwrap(), ENDED);
}
