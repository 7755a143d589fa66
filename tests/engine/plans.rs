//! What is planned while a session is usable, as transcripts: several renewals, and looks that leave plans alone.

use std::time::Duration;

use crate::support::*;
use http::Request;
use http::request::Parts;
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Identity, Judgment, Leave, Outcome, Plan, Provider, Replay, Rule, Unauthorized,
    Unbuildable, Verdict, View, When,
};
use sansession::testing::{Laws, Sample};
use sansession::{
    BaseUrl, Input, Machine, NeedKind, Options, Output, Phase, Session, Timestamp, WaitingOn, machine::NeedReason,
};
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// A login, an hourly look, a token that lasts six hours and a permit that lasts a day.
struct Office {
    base: BaseUrl,
    /// Whether a look leaves the plans alone, or names them once more.
    stays: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Go {
    Login,
    Look,
    Refresh,
    Permit,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct State {
    open: bool,
}

impl Office {
    fn all() -> Plan<Go> {
        Plan::new()
            .keepalive(Go::Look, HOUR)
            .renew(Go::Refresh, When::In(HOUR * 6))
            .renew(Go::Permit, When::In(HOUR * 24))
    }
}

impl Provider for Office {
    type Step = Go;
    type State = State;
    type Live = State;

    fn identity(&self) -> Identity<'_> {
        Identity::new("office", &self.base)
    }

    fn rule(&self, step: Go) -> &Rule {
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Pin]);
        const LOOK: Rule = Rule::new("look");
        const REFRESH: Rule = Rule::new("refresh");
        const PERMIT: Rule = Rule::new("permit").replay(Replay::Probe);
        match step {
            Go::Login => &LOGIN,
            Go::Look => &LOOK,
            Go::Refresh => &REFRESH,
            Go::Permit => &PERMIT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Go> {
        Ask::new(NeedKind::Pin, because).then(Go::Login).into()
    }

    fn request(&self, _: &View<'_, State>, step: Go, answers: &Answers<'_>) -> Result<Build<Go>, Unbuildable> {
        let mut request = Request::new(Vec::new());
        if step == Go::Login {
            *request.body_mut() = answers.text(NeedKind::Pin)?.expose().into();
        }
        *request.uri_mut() = self.base.join(&format!("/{step:?}")).map_err(|_| Unbuildable::Part("path"))?;
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Go, outcome: Outcome<'_>) -> Verdict<Go> {
        let Outcome::Response(response) = outcome else {
            return Ask::new(NeedKind::Pin, NeedReason::Lost).then(Go::Login).into();
        };
        match (response.body, step) {
            (b"in", Go::Login) => {
                cx.state.open = true;
                cx.tell(Fact::NewTokens);
                Self::all().into()
            }
            (b"alive", Go::Look) if cx.state.open && self.stays => Verdict::alive(),
            (b"alive", Go::Look) if cx.state.open => Self::all().into(),
            (b"renewed", Go::Refresh) => Plan::staying().renew(step, When::In(HOUR * 6)).into(),
            (b"renewed", Go::Permit) => Plan::staying().renew(step, When::In(HOUR * 24)).into(),
            (b"for good", Go::Permit) => Verdict::alive(),
            (b"early", Go::Look) => Verdict::next(Go::Refresh),
            (b"busy", _) => Verdict::unavailable(),
            (b"broken", _) => Verdict::Retry { after: None, answer: Judgment::Judged },
            (b"dead", Go::Look) => Verdict::Dead { proof: "it says so" },
            _ => Verdict::Unreadable("not the office's"),
        }
    }

    fn probe(&self, state: &State) -> Option<Go> {
        state.open.then_some(Go::Look)
    }

    fn logout(&self, state: &State) -> Leave<Go> {
        if state.open { Leave::Abandon } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, _: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        if cx.state.open { Ok(()) } else { Err(Unauthorized::NotReady(None)) }
    }
}

fn office(stays: bool) -> Office {
    Office { base: BaseUrl::parse("https://office.example.org").unwrap(), stays }
}

type Story = Script<Session<Office>>;

fn open(stays: bool) -> Story {
    let story = Script::new(Session::new(office(stays), Options::default(), seed())).starts();
    story.answers(Input::Pin("1234".into())).sends("GET /Login").gets(200, "in").is(Phase::Active)
}

/// Takes what is to be told; tells whether something is to be sent then.
fn is_due(story: &mut Story) -> bool {
    loop {
        if story.machine.upcoming(story.now).is_some() {
            return true;
        }
        if matches!(story.machine.poll(story.now), Output::Wait { .. }) {
            return false;
        }
    }
}

/// Sends what is due until that time, and gets what each wants; gives what left, and after how many minutes.
fn lives(mut story: Story, lasts: Duration) -> (Story, Vec<(String, u64)>) {
    let (begun, mut sent) = (story.now, Vec::new());
    loop {
        let due = is_due(&mut story);
        if story.machine.deadline() > begun + lasts {
            return (story, sent);
        }
        let (after, line) = if due { story } else { story.sleeps() }.sends_next();
        sent.push((line.replace("GET /", ""), after.now.since(begun).as_secs() / 60));
        let body = if line.ends_with("Look") { "alive" } else { "renewed" };
        story = after.gets(200, body);
    }
}

fn times(sent: &[(String, u64)], step: &str) -> Vec<u64> {
    sent.iter().filter(|(name, _)| name == step).map(|(_, minute)| minute / 60).collect()
}

#[test]
fn each_renewal_comes_at_its_time_beside_an_hourly_look() {
    for stays in [true, false] {
        let (_, sent) = lives(open(stays), HOUR * 49);
        assert_eq!(times(&sent, "Refresh"), [6, 12, 18, 24, 30, 36, 42, 48], "{stays}: {sent:?}");
        assert_eq!(times(&sent, "Permit"), [24, 48], "{stays}: {sent:?}");
        assert_eq!(times(&sent, "Look").len(), 49, "{stays}: {sent:?}");
    }
}

#[test]
fn another_process_goes_on_with_every_plan() {
    let (mut story, _) = lives(open(true), HOUR * 5);
    let text = story.machine.snapshot();
    story.machine = Session::resume(office(true), &text, Options::default(), None, [9; 32], story.now).unwrap();
    let (_, sent) = lives(story, HOUR * 20);
    assert_eq!(times(&sent, "Refresh")[..2], [1, 7], "{sent:?}");
    assert_eq!(times(&sent, "Permit"), [19], "{sent:?}");
}

#[test]
fn renewals_that_are_due_together_and_fail_are_both_tried_again() {
    let (story, _) = lives(open(true), HOUR * 24 - MINUTE);
    let (story, first) = story.sleeps().sends_next();
    let (story, second) = story.gets(503, "busy").sends_next();
    let mut both = [first.as_str(), second.as_str()];
    both.sort_unstable();
    assert_eq!(both, ["GET /Permit", "GET /Refresh"]);
    let (_, sent) = lives(story.gets(503, "busy"), HOUR);
    assert_eq!((times(&sent, "Refresh").len(), times(&sent, "Permit").len()), (1, 1), "{sent:?}");
}

#[test]
fn a_look_in_between_does_not_forget_a_renewal_that_failed() {
    let (story, _) = lives(open(true), HOUR * 6 - MINUTE);
    let story = story.sleeps().sends("GET /Refresh").gets(503, "busy").sends("GET /Look").gets(200, "alive");
    let mut story = story.is(Phase::Active);
    assert!(matches!(story.poll(), Output::Wait { on: WaitingOn::Retry, .. }));
    story.sleeps().sends("GET /Refresh").gets(200, "renewed").is(Phase::Active);
}

/// A look and two renewals would be tried again 250 times an hour, each at its own pace of 30 to 60 s.
#[test]
fn an_outage_is_tried_by_one_request_for_all() {
    let (story, _) = lives(open(true), HOUR * 24 - MINUTE);
    let mut story = story.sleeps();
    let (begun, mut tried) = (story.now, 0);
    while story.now < begun + HOUR {
        let due = is_due(&mut story);
        story = if due { story } else { story.sleeps() }.sends_next().0.is_refused_connection();
        tried += 1;
    }
    assert!((60..=120).contains(&tried), "{tried}");
    let (_, sent) = lives(story, MINUTE * 3);
    assert_eq!((times(&sent, "Refresh").len(), times(&sent, "Permit").len()), (1, 1), "all follow: {sent:?}");
}

/// The server is asked first whether the session lives, and what it says leaves open whether the permit was given.
#[test]
fn a_renewal_of_unknown_fate_is_made_up_for_after_the_look() {
    let (story, _) = lives(open(true), HOUR * 24 - MINUTE);
    let story = story.sleeps().sends("GET /Permit").times_out().sends("GET /Refresh").gets(200, "renewed");
    let story = story.sends("GET /Look").gets(200, "alive").is(Phase::Active);
    let story = story.sleeps().sends("GET /Permit").gets(200, "renewed").is(Phase::Active);
    let (_, sent) = lives(story, HOUR * 24);
    assert_eq!(times(&sent, "Permit"), [24], "{sent:?}");
}

#[test]
fn one_that_succeeded_and_names_no_next_one_is_over() {
    let (story, _) = lives(open(true), HOUR * 24 - MINUTE);
    let story = story.sleeps().sends("GET /Permit").gets(200, "for good");
    let (_, sent) = lives(story, HOUR * 60);
    assert_eq!(times(&sent, "Permit"), [0; 0], "{sent:?}");
    assert_eq!(times(&sent, "Refresh").len(), 11, "{sent:?}");
}

/// Six hours count from the renewal that was made early.
#[test]
fn a_renewal_that_the_protocol_makes_early_is_not_made_again_at_its_old_time() {
    let (story, _) = lives(open(true), HOUR * 3 - MINUTE);
    let story = story.sleeps().sends("GET /Look").gets(200, "early");
    let (_, sent) = lives(story.sends("GET /Refresh").gets(200, "renewed"), HOUR * 7);
    assert_eq!(times(&sent, "Refresh"), [6], "{sent:?}");
}

#[test]
fn an_office_keeps_the_laws() {
    for stays in [true, false] {
        let serves = |request: &Request<Vec<u8>>, _: Timestamp| {
            let body: &[u8] = match request.uri().path() {
                "/Login" => b"in",
                "/Look" => b"alive",
                _ => b"renewed",
            };
            http::Response::new(body.to_vec())
        };
        let texts = ["in", "alive", "renewed", "for good", "early", "busy", "broken", "dead"];
        let laws = Laws::new(move || office(stays)).server(serves);
        laws.samples(texts.map(|text| Sample::json(200, text))).check_runs();
    }
}
