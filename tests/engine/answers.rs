//! Steps that take several answers, as transcripts: a PIN and a code in one request, and a password that goes along once more
//! with the code for a new device.

use std::time::Duration;

use crate::support::*;
use http::Request;
use http::request::Parts;
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Given, Identity, Judgment, Leave, Outcome, Plan, Provider, Rule, Unauthorized,
    Unbuildable, Verdict, View,
};
use sansession::testing::{Laws, Sample};
use sansession::{
    BaseUrl, CloseReason, Credentials, Input, InputHandled, Machine, NeedKind, Options, Output, Phase, Secret, Session,
    Source, Timestamp,
    machine::{NeedReason, Rejection, Totp},
};
use serde::{Deserialize, Serialize};

const PIN_AND_CODE: &[NeedKind] = &[NeedKind::Pin, NeedKind::Totp];

/// A bank that wants two factors in one request, and once more a password from a device that it does not know.
struct Bank(BaseUrl);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Go {
    /// The PIN and the code.
    Login,
    /// The password.
    Password,
    /// The password again, and the code for the device.
    Device,
    Check,
    Logout,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    token: Option<u32>,
}

fn ask(kind: NeedKind, because: NeedReason) -> Verdict<Go> {
    let step = match kind {
        NeedKind::AccessCode => Go::Device,
        NeedKind::Credentials => Go::Password,
        _ => Go::Login,
    };
    Ask::new(kind, because).then(step).into()
}

impl Provider for Bank {
    type Step = Go;
    type State = State;
    type Live = u32;

    fn identity(&self) -> Identity<'_> {
        Identity::new("bank", &self.0)
    }

    fn rule(&self, step: Go) -> &Rule {
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).spends(PIN_AND_CODE).opens();
        const PASSWORD: Rule = Rule::new("password").phase(Phase::LoggingIn).carries(&[NeedKind::Credentials]);
        const DEVICE: Rule =
            Rule::new("device").spends(&[NeedKind::AccessCode]).carries(&[NeedKind::Credentials]).opens();
        const CHECK: Rule = Rule::new("check");
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match step {
            Go::Login => &LOGIN,
            Go::Password => &PASSWORD,
            Go::Device => &DEVICE,
            Go::Check => &CHECK,
            Go::Logout => &LOGOUT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Go> {
        Ask::new(NeedKind::Pin, because).into()
    }

    fn answered(&self, _: &mut Context<'_, State>, given: &Given<'_, Go>) -> Result<Verdict<Go>, Rejection> {
        match (given.kind, given.step) {
            // The code is asked for by the engine, since the step takes it.
            (NeedKind::Pin, None) => Ok(Verdict::next(Go::Login)),
            (_, step) => step.map(Verdict::next).ok_or(Rejection::WrongKind),
        }
    }

    fn request(&self, _: &View<'_, State>, step: Go, answers: &Answers<'_>) -> Result<Build<Go>, Unbuildable> {
        let body = match step {
            Go::Login => format!("{} {}", answers.text(NeedKind::Pin)?.expose(), answers.totp()?.code()),
            Go::Password => answers.credentials()?.password().to_owned(),
            Go::Device => {
                let code = answers.text(NeedKind::AccessCode)?;
                format!("{} {}", answers.credentials()?.password(), code.expose())
            }
            Go::Check | Go::Logout => String::new(),
        };
        let mut request = Request::new(body.into_bytes());
        *request.uri_mut() = self.0.join(&format!("/{step:?}")).map_err(|_| Unbuildable::Part("path"))?;
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Go, outcome: Outcome<'_>) -> Verdict<Go> {
        let Outcome::Response(response) = outcome else {
            return match step {
                Go::Login => ask(NeedKind::Pin, NeedReason::Lost),
                Go::Password | Go::Device => ask(NeedKind::Credentials, NeedReason::Lost),
                step => Verdict::next(step),
            };
        };
        match (response.body, step) {
            (b"wrong pin", Go::Login) => ask(NeedKind::Pin, NeedReason::Refused),
            // It says that it has not checked the PIN.
            (b"wrong code", Go::Login) => {
                cx.tell(Fact::Unspent(NeedKind::Pin));
                ask(NeedKind::Totp, NeedReason::Refused)
            }
            (b"password", Go::Login) => {
                cx.tell(Fact::Accepted(NeedKind::Pin));
                ask(NeedKind::Credentials, NeedReason::Opening)
            }
            (b"device", Go::Password) => ask(NeedKind::AccessCode, NeedReason::Opening),
            (b"wrong password", Go::Password | Go::Device) => ask(NeedKind::Credentials, NeedReason::Refused),
            (b"elsewhere", Go::Login) => {
                cx.tell(Fact::Unspent(NeedKind::Pin));
                cx.tell(Fact::Unspent(NeedKind::Totp));
                Verdict::next(Go::Login)
            }
            (b"in", Go::Login | Go::Password | Go::Device) => {
                cx.state.token = Some(1);
                cx.tell(Fact::NewTokens);
                active()
            }
            (b"in", Go::Check) if cx.state.token.is_some() => active(),
            (b"out", Go::Check) => Verdict::Dead { proof: "it says so" },
            (b"out", Go::Logout) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            (b"busy", _) => Verdict::unavailable(),
            (b"broken", _) => Verdict::Retry { after: None, answer: Judgment::Judged },
            _ => Verdict::Unreadable("not the bank's"),
        }
    }

    fn probe(&self, state: &State) -> Option<Go> {
        state.token.map(|_| Go::Check)
    }

    fn logout(&self, state: &State) -> Leave<Go> {
        if state.token.is_some() { Leave::Step(Go::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, _: &mut Context<'_, State>, _: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        Ok(())
    }

    /// It knows nothing of what has left meanwhile.
    fn left(&self, cx: &mut Context<'_, State>, _: Go) {
        cx.tell(Fact::Unspent(NeedKind::Pin));
        cx.tell(Fact::Unspent(NeedKind::Totp));
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a u32> {
        state.token.as_ref()
    }
}

fn active() -> Verdict<Go> {
    Plan::new().keepalive(Go::Check, Duration::from_secs(60)).into()
}

fn bank() -> Bank {
    Bank(BaseUrl::parse("https://bank.example.org").unwrap())
}

type Story = Script<Session<Bank>>;

fn pin(text: &str) -> Input {
    Input::Pin(Secret::from(text))
}

fn code(story: &Story, text: &str) -> Input {
    Input::Totp(Totp::new(text, story.now).unwrap())
}

fn password(text: &str) -> Input {
    Input::Credentials(Credentials::new("norm", text).unwrap())
}

/// What left last.
fn body(story: &Story) -> String {
    String::from_utf8(story.request.as_ref().unwrap().body().clone()).unwrap()
}

/// Both factors are on their way;
/// the code was asked for because it never came, not because it grew old.
fn both_leave(options: Options) -> Story {
    let story = Script::new(Session::new(bank(), options, seed())).starts();
    let story = story.needs(NeedKind::Pin, NeedReason::Opening).answers(pin("2468"));
    let story = story.needs(NeedKind::Totp, NeedReason::Opening);
    let code = code(&story, "111111");
    let story = story.answers(code).sends("GET /Login");
    assert_eq!(body(&story), "2468 111111");
    story
}

#[test]
fn two_factors_leave_in_one_request() {
    let story = both_leave(Options::default()).gets(200, "in").is(Phase::Active);
    assert!(!story.machine.snapshot().expose_secrets().contains("2468"));
}

/// What the server has not checked stays in hand, and leaves with what is given again.
#[test]
fn a_code_that_is_refused_leaves_the_pin_in_hand() {
    let mut story = both_leave(Options::default()).gets(200, "wrong code");
    let need = story.need();
    assert_eq!((need.kind, need.because, need.refused), (NeedKind::Totp, NeedReason::Refused, 1));
    let story = story.passes(Totp::STEP);
    let next = code(&story, "222222");
    let story = story.answers(next).sends_next().0;
    assert_eq!(body(&story), "2468 222222");
    story.gets(200, "in").is(Phase::Active);
}

/// Nothing is said of the code, so it may have been used up; it is not sent again with another PIN.
#[test]
fn a_pin_that_is_refused_takes_the_code_along() {
    let story = both_leave(Options::default()).gets(200, "wrong pin").needs(NeedKind::Pin, NeedReason::Refused);
    let story = story.answers(pin("1357")).passes(Totp::STEP).needs(NeedKind::Totp, NeedReason::Stale);
    let next = code(&story, "333333");
    let story = story.answers(next).sends_next().0;
    assert_eq!(body(&story), "1357 333333");
}

#[test]
fn both_stay_in_hand_where_nobody_looked() {
    for answer in ["busy", "elsewhere"] {
        let (story, _) = both_leave(Options::default()).gets(200, answer).sends_next();
        assert_eq!(body(&story), "2468 111111", "{answer}");
        story.gets(200, "in").is(Phase::Active);
    }
    let story = both_leave(Options::default()).is_refused_connection().sends_next().0;
    assert_eq!(body(&story), "2468 111111");
}

#[test]
fn none_is_sent_again_where_both_may_have_been_judged() {
    for answer in [Some("broken"), None] {
        let story = both_leave(Options::default());
        let story = match answer {
            Some(answer) => story.gets(200, answer),
            None => story.times_out(),
        };
        let mut story = story.needs(NeedKind::Pin, NeedReason::Lost);
        assert_eq!(story.need().lost, 2, "each may have been refused");
        let story = story.answers(pin("2468")).passes(Totp::STEP).needs(NeedKind::Totp, NeedReason::Stale);
        let next = code(&story, "222222");
        let story = story.answers(next).sends_next().0;
        assert_eq!(body(&story), "2468 222222");
    }
}

/// A code grows old, a PIN does not.
#[test]
fn only_what_grew_old_is_asked_for_again() {
    let story = both_leave(Options::default()).gets_as(503, &[("retry-after", "60")], "busy");
    let story = story.passes(Duration::from_secs(60)).needs(NeedKind::Totp, NeedReason::Stale);
    let next = code(&story, "222222");
    let story = story.answers(next).sends_next().0;
    assert_eq!(body(&story), "2468 222222");
}

#[test]
fn a_password_goes_along_until_it_has_let_in() {
    let story = both_leave(Options::default()).gets(200, "password").needs(NeedKind::Credentials, NeedReason::Opening);
    let story = story.answers(password("swordfish")).sends("GET /Password").gets(200, "device");
    let story = story.needs(NeedKind::AccessCode, NeedReason::Opening).answers(Input::Code(Secret::from("9876")));
    let story = story.sends("GET /Device");
    assert_eq!(body(&story), "swordfish 9876");
    story.gets(200, "in").is(Phase::Active);
}

/// A carried answer is no longer carried once it is refused, or may have been.
#[test]
fn a_password_that_was_refused_is_not_carried_on() {
    for answer in [Some("wrong password"), None] {
        let story = both_leave(Options::default()).gets(200, "password");
        let story = story.answers(password("swordfish")).sends("GET /Password");
        let (story, because) = match answer {
            Some(answer) => (story.gets(200, answer), NeedReason::Refused),
            None => (story.times_out(), NeedReason::Lost),
        };
        let story = story.needs(NeedKind::Credentials, because).answers(password("sesame")).sends_next().0;
        assert_eq!(body(&story), "sesame");
    }
}

/// Whoever takes it up has neither of them: answers are in no snapshot.
#[test]
fn another_process_asks_for_both() {
    let options = durable();
    let mut story = both_leave_durable(options.clone());
    let stored = story.machine.snapshot();
    let now = story.now + Totp::STEP * 2;
    story.machine = Session::resume(bank(), &stored, options, None, [9; 32], now).unwrap();
    story.now = now;
    let story = story.needs(NeedKind::Pin, NeedReason::Lost).answers(pin("2468"));
    story.needs(NeedKind::Totp, NeedReason::Stale);
}

fn both_leave_durable(options: Options) -> Story {
    let mut story = Script::new(Session::new(bank(), options, seed())).starts();
    story.auto_save = true;
    let story = story.answers(pin("2468")).needs(NeedKind::Totp, NeedReason::Opening);
    let code = code(&story, "111111");
    story.answers(code).sends("GET /Login")
}

/// A refusal of either counts for its kind, so a program may not try the PIN again when the code was wrong.
#[test]
fn each_kind_has_its_own_count() {
    let mut story = both_leave(Options::default()).by(Source::Store).gets(200, "wrong code");
    let need = story.need();
    let now = story.now + Totp::STEP;
    let again = Input::Totp(Totp::new("222222", now).unwrap());
    let refused = story.machine.handle_input(now, need.id, again, Source::Store);
    assert_eq!(refused, InputHandled::Rejected(Rejection::Unattended));
    assert!(matches!(story.machine.poll(now), Output::Event(_) | Output::Wait { .. }));
}

#[test]
fn a_bank_keeps_the_laws() {
    let serves = |request: &http::Request<Vec<u8>>, _: Timestamp| {
        http::Response::new(if request.uri().path() == "/Logout" { b"out".to_vec() } else { b"in".to_vec() })
    };
    let texts =
        ["in", "out", "wrong pin", "wrong code", "password", "device", "wrong password", "elsewhere", "busy", "broken"];
    Laws::new(bank).server(serves).samples(texts.map(|text| Sample::json(200, text))).check_runs();
}
