//! Tokens that a server takes once and gives another one for, as transcripts.

use std::future::{Future, pending};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{self, Poll, Waker};
use std::time::Duration;

use crate::support::*;
use http::Request;
use http::request::Parts;
use sansession::drive::{self, blocking};
use sansession::drive::{Answer, DriveError, Ended, asynchronous};
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Identity, Judgment, Leave, Outcome, Plan, Provider, Rule, Unauthorized,
    Unbuildable, Verdict, View, When,
};
use sansession::testing::{Laws, Sample};
use sansession::{
    BaseUrl, CloseReason, Failure, Handled, Input, Machine, Need, NeedKind, Options, Output, Phase, Secret, Session,
    Timestamp, WaitingOn,
    machine::{FailureKind, NeedReason, SendPolicy},
};
use serde::{Deserialize, Serialize};

const RENEWAL: Duration = Duration::from_secs(300);

/// A code gives the first token, and each token the next one.
struct Rotor(BaseUrl);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Go {
    Exchange,
    Refresh,
    Check,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct State {
    token: Option<String>,
}

impl Provider for Rotor {
    type Step = Go;
    type State = State;
    type Live = String;

    fn identity(&self) -> Identity<'_> {
        Identity::new("rotor", &self.0).rotates()
    }

    fn rule(&self, step: Go) -> &Rule {
        const EXCHANGE: Rule = Rule::new("exchange").phase(Phase::LoggingIn).spends(&[NeedKind::Verifier]).rotates();
        const REFRESH: Rule = Rule::new("refresh").rotates();
        const CHECK: Rule = Rule::new("check");
        match step {
            Go::Exchange => &EXCHANGE,
            Go::Refresh => &REFRESH,
            Go::Check => &CHECK,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Go> {
        Ask::new(NeedKind::Verifier, because).then(Go::Exchange).into()
    }

    fn request(&self, view: &View<'_, State>, step: Go, answers: &Answers<'_>) -> Result<Build<Go>, Unbuildable> {
        let token = || view.state.token.as_deref().ok_or(Unbuildable::Part("there is no token"));
        let body = if step == Go::Exchange { answers.text(NeedKind::Verifier)?.expose() } else { token()? };
        let mut request = Request::new(body.as_bytes().to_vec());
        *request.uri_mut() = self.0.join(&format!("/{step:?}")).map_err(|_| Unbuildable::Part("path"))?;
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Go, outcome: Outcome<'_>) -> Verdict<Go> {
        let Outcome::Response(response) = outcome else {
            // The old one may have been used up, and nobody knows the next one.
            cx.state.token = None;
            return Ask::new(NeedKind::Verifier, NeedReason::Lost).then(Go::Exchange).into();
        };
        match (core::str::from_utf8(response.body), step) {
            (Ok(token), Go::Exchange | Go::Refresh) if token.starts_with("token-") => {
                cx.state.token = Some(token.to_owned());
                cx.tell(Fact::NewTokens);
                active()
            }
            (Ok("wrong"), Go::Exchange) => Ask::new(NeedKind::Verifier, NeedReason::Refused).then(step).into(),
            (Ok("alive"), Go::Check) if cx.state.token.is_some() => active(),
            (Ok("dead"), Go::Check | Go::Refresh) => Verdict::Dead { proof: "it says so" },
            (Ok("busy"), _) => Verdict::unavailable(),
            (Ok("broken"), _) => Verdict::Retry { after: None, answer: Judgment::Judged },
            _ => Verdict::Unreadable("not the rotor's"),
        }
    }

    fn probe(&self, state: &State) -> Option<Go> {
        state.token.as_ref().map(|_| Go::Check)
    }

    fn logout(&self, state: &State) -> Leave<Go> {
        if state.token.is_some() { Leave::Abandon } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, _: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        cx.state.token.as_ref().map(drop).ok_or(Unauthorized::NotReady(None))
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a String> {
        state.token.as_ref()
    }
}

fn active() -> Verdict<Go> {
    Plan::new().renew(Go::Refresh, When::In(RENEWAL)).into()
}

fn rotor() -> Rotor {
    Rotor(BaseUrl::parse("https://rotor.example.org").unwrap())
}

type Story = Script<Session<Rotor>>;

fn code(text: &str) -> Input {
    Input::Code(Secret::from(text))
}

fn stored(story: &Story) -> String {
    story.machine.snapshot().expose_secrets().to_owned()
}

fn sent(story: &Story) -> &[u8] {
    story.request.as_ref().unwrap().body()
}

/// It has its first token, which is stored.
fn open(options: Options) -> Story {
    let story = Script::new(Session::new(rotor(), options, seed())).starts().saves();
    let story = story.needs(NeedKind::Verifier, NeedReason::Opening).answers(code("code-1")).saves();
    let story = story.sends("GET /Exchange").gets(200, "token-1").saves();
    assert!(stored(&story).contains("token-1"));
    story.is(Phase::Active)
}

#[test]
fn it_is_stored_before_it_leaves_and_when_the_next_one_has_come() {
    for options in [Options::default(), durable()] {
        let story = open(options).waits(RENEWAL).sleeps().saves().sends("GET /Refresh");
        assert_eq!(sent(&story), b"token-1");
        let story = story.gets(200, "token-2").saves();
        assert!(stored(&story).contains("token-2") && !stored(&story).contains("token-1"));
        let story = story.waits(RENEWAL).sleeps().saves().sends("GET /Refresh");
        assert_eq!(sent(&story), b"token-2");
    }
}

/// A refusal before anybody looked leaves it what it is.
#[test]
fn a_busy_server_has_not_taken_it() {
    let story = open(Options::default()).sleeps().saves().sends("GET /Refresh").gets(503, "busy");
    let story = story.is(Phase::Active).sleeps().saves().sends("GET /Refresh");
    assert_eq!(sent(&story), b"token-1");
}

#[test]
fn one_of_unknown_fate_is_not_sent_again() {
    let story = open(Options::default()).sleeps().saves().sends("GET /Refresh").times_out();
    story.needs(NeedKind::Verifier, NeedReason::Lost).answers(code("code-2")).saves().sends("GET /Exchange");
}

/// The next one cannot be had again, so it is taken whenever it comes, but for a session that has another one by then.
#[test]
fn an_answer_that_comes_late_is_taken() {
    for by_timer in [false, true] {
        let late = http::Response::new("token-2");
        let mut story = open(Options::default()).sleeps().saves().sends("GET /Refresh");
        let WaitingOn::Response(id) = story.machine.status().on else { panic!("nothing is in flight") };
        if by_timer {
            // The laptop was shut, and nobody has said what became of the request.
            story.now = story.now + Duration::from_secs(600);
            assert!(matches!(story.machine.poll(story.now), Output::Cancel(_)));
        } else {
            story = story.times_out();
        }
        let mut story = story.forgets().needs(NeedKind::Verifier, NeedReason::Lost);
        let failed = story.machine.handle_failure(story.now, id, Failure::maybe_sent(FailureKind::Timeout));
        assert_eq!(failed, Ok(Handled::Stale));
        assert_eq!(story.machine.handle_response(story.now, id, (&late).into()), Ok(Handled::Used));
        assert_eq!(story.machine.handle_response(story.now, id, (&late).into()), Ok(Handled::Stale));
        let story = story.saves().is(Phase::Active).waits(RENEWAL);
        assert!(stored(&story).contains("token-2"));
    }
}

/// The text that was stored before it left says that it may have been used up.
#[test]
fn another_process_does_not_send_it_again() {
    let mut story = open(Options::default()).sleeps().saves();
    let text = story.machine.snapshot();
    story.machine = Session::resume(rotor(), &text, Options::default(), None, [9; 32], story.now).unwrap();
    story.saves().needs(NeedKind::Verifier, NeedReason::Lost);
}

#[test]
fn who_stores_nothing_says_so() {
    let mut options = Options::default();
    options.forgetful = true;
    let story = Script::new(Session::new(rotor(), options, seed())).starts();
    let story = story.answers(code("code-1")).sends("GET /Exchange").gets(200, "token-1").is(Phase::Active);
    story.waits(RENEWAL).sleeps().sends("GET /Refresh").gets(200, "token-2").is(Phase::Active).waits(RENEWAL);
}

/// It learns that at once, not after a person has logged in.
#[test]
fn a_driver_that_stores_nothing_is_stopped_before_anybody_is_asked() {
    let blocking = |options: Options| {
        let mut asked = 0;
        let handle = drive::Handle::new(Session::new(rotor(), options, seed()));
        let answers = |_: &Need| {
            asked += 1;
            Answer::GiveUp
        };
        let ended = blocking::drive(&handle, &blocking::Transport::new().unwrap(), &mut { answers });
        (ended, asked)
    };
    let asynchronous = |options: Options| {
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        let client = |_: Request<Vec<u8>>, _: SendPolicy| async { Err(Failure::not_sent(FailureKind::Connect)) };
        let answers = move |_: Need| {
            counts.fetch_add(1, Ordering::Relaxed);
            Answer::GiveUp
        };
        let session = Session::new(rotor(), options, seed());
        let (_handle, driver) = asynchronous::new(session, client, |_: Duration| pending::<()>(), answers);
        let Poll::Ready(ended) = pin!(driver).poll(&mut task::Context::from_waker(Waker::noop())) else {
            panic!("it waits for something");
        };
        (ended, asked.load(Ordering::Relaxed))
    };
    for (ended, asked) in [blocking(Options::default()), asynchronous(Options::default())] {
        match ended {
            Err(DriveError::Save(error)) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.to_string().contains("forgetful"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(asked, 0);
    }
    // Who accepts that says so.
    let mut options = Options::default();
    options.forgetful = true;
    for (ended, asked) in [blocking(options.clone()), asynchronous(options)] {
        assert!(matches!(ended, Ok(Ended::Closed(CloseReason::Denied(_)))), "{ended:?}");
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_rotor_keeps_the_laws() {
    let serves = |request: &Request<Vec<u8>>, _: Timestamp| {
        http::Response::new(if request.uri().path() == "/Check" { b"alive".to_vec() } else { b"token-7".to_vec() })
    };
    let texts = ["token-8", "wrong", "alive", "dead", "busy", "broken"];
    Laws::new(rotor).server(serves).samples(texts.map(|text| Sample::json(200, text))).check_runs();
}

#[test]
fn it_is_left_behind_by_a_logout() {
    let story = open(Options::default()).logs_out();
    assert!(matches!(story.closes("logged-out").machine.phase(), Phase::Closed));
}
