//! What a provider may ask for, and questions about a later time, as transcripts.

use std::time::Duration;

use crate::support::*;
use http::Request;
use http::request::Parts;
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Identity, Leave, Outcome, Plan, Provider, Rule, Unauthorized, Unbuildable,
    Verdict, View,
};
use sansession::testing::{Laws, Sample};
use sansession::{
    BaseUrl, Input, InputHandled, Machine, NeedKind, Options, Phase, Session, Snapshot, Source, Timestamp,
    machine::{NeedReason, Rejection},
};
use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);
const WORD: NeedKind = NeedKind::Custom(0);

/// A consent in a browser, a word of its own kind, and a code that is typed on another device.
struct Guild(BaseUrl);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Go {
    Exchange,
    Look,
    Say,
    Device,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct State {
    open: bool,
}

impl Guild {
    fn consent(&self, because: NeedReason) -> Ask<Go> {
        Ask::new(NeedKind::Redirect, because).url(format!("{}/consent", self.0).into()).then(Go::Exchange)
    }

    fn word(because: NeedReason) -> Ask<Go> {
        Ask::new(WORD, because).name("watchword").text("What does the moon say?").then(Go::Say)
    }
}

impl Provider for Guild {
    type Step = Go;
    type State = State;
    type Live = State;

    fn identity(&self) -> Identity<'_> {
        Identity::new("guild", &self.0)
    }

    fn rule(&self, step: Go) -> &Rule {
        const EXCHANGE: Rule = Rule::new("exchange").spends(&[NeedKind::Redirect]);
        const LOOK: Rule = Rule::new("look");
        const SAY: Rule = Rule::new("say").spends(&[WORD]);
        const DEVICE: Rule = Rule::new("device");
        match step {
            Go::Exchange => &EXCHANGE,
            Go::Look => &LOOK,
            Go::Say => &SAY,
            Go::Device => &DEVICE,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Go> {
        self.consent(because).into()
    }

    fn request(&self, _: &View<'_, State>, step: Go, answers: &Answers<'_>) -> Result<Build<Go>, Unbuildable> {
        let text = match step {
            Go::Exchange => answers.text(NeedKind::Redirect)?.expose(),
            Go::Say => answers.text(WORD)?.expose(),
            Go::Look | Go::Device => "",
        };
        let mut request = Request::new(text.as_bytes().to_vec());
        *request.uri_mut() = self.0.join(&format!("/{step:?}")).map_err(|_| Unbuildable::Part("path"))?;
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Go, outcome: Outcome<'_>) -> Verdict<Go> {
        let Outcome::Response(response) = outcome else {
            let again = if step == Go::Say { Self::word(NeedReason::Lost) } else { self.consent(NeedReason::Lost) };
            return if cx.state.open { again.lasting() } else { again }.into();
        };
        match (response.body, step) {
            (b"in", Go::Exchange | Go::Say | Go::Device) => {
                cx.state.open = true;
                cx.tell(Fact::NewTokens);
                Plan::new().keepalive(Go::Look, MINUTE).into()
            }
            (b"word", Go::Exchange) => Self::word(NeedReason::Opening).into(),
            (b"device", Go::Exchange) => {
                let ask = Ask::new(NeedKind::Browser, NeedReason::Opening).url("https://guild.example.org/tv".into());
                ask.user_code("WDJB-MJHT").poll(Go::Device, MINUTE).into()
            }
            (b"pending", Go::Device) => Verdict::Next { step: Go::Device, after: MINUTE },
            (b"wrong", Go::Say) => Self::word(NeedReason::Refused).into(),
            (b"alive", Go::Look) if cx.state.open => Verdict::alive(),
            (b"consent ends", Go::Look) if cx.state.open => self.consent(NeedReason::Renewing).lasting().into(),
            (b"word ends", Go::Look) if cx.state.open => Self::word(NeedReason::Renewing).lasting().into(),
            (b"sign", Go::Look) if cx.state.open => Ask::new(NeedKind::Pin, NeedReason::Renewing).then(Go::Look).into(),
            (b"dead", Go::Look) => Verdict::Dead { proof: "it says so" },
            _ => Verdict::Unreadable("not the guild's"),
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

fn guild() -> Guild {
    Guild(BaseUrl::parse("https://guild.example.org").unwrap())
}

type Story = Script<Session<Guild>>;

fn begun() -> Story {
    Script::new(Session::new(guild(), Options::default(), seed())).starts()
}

fn address() -> Input {
    Input::Redirect("https://localhost/back?code=abc&state=xyz".into())
}

fn word(text: &str) -> Input {
    Input::Text(text.into())
}

fn exchanged(says: &str) -> Story {
    begun().answers(address()).sends("GET /Exchange").gets(200, says)
}

fn open() -> Story {
    exchanged("in").is(Phase::Active)
}

/// A usable session whose look got this.
fn looked(says: &str) -> Story {
    open().sleeps().sends("GET /Look").gets(200, says).is(Phase::Active)
}

fn serves(story: &mut Story) -> bool {
    let (mut parts, ()) = Request::new(()).into_parts();
    story.machine.authorize(story.now, &mut parts, b"").is_ok()
}

fn resumed(story: &mut Story, options: Options) {
    let text = Snapshot::from_text(story.machine.snapshot().expose_secrets().to_owned());
    story.machine = Session::resume(guild(), &text, options, None, [9; 32], story.now).unwrap();
}

#[test]
fn an_address_that_a_browser_came_back_to_is_an_answer() {
    let mut story = begun().is(Phase::LoggingIn);
    let need = story.need();
    assert_eq!((need.kind, need.url.as_deref()), (NeedKind::Redirect, Some("https://guild.example.org/consent")));
    let story = story.is_answered(Input::Code("abc".into()), InputHandled::Rejected(Rejection::WrongKind));
    let story = story.is_answered(Input::Redirect("".into()), InputHandled::Rejected(Rejection::Empty("redirect")));
    let story = story.answers(address()).sends("GET /Exchange");
    assert_eq!(story.request.as_ref().unwrap().body(), b"https://localhost/back?code=abc&state=xyz");
    let text = story.machine.snapshot().expose_secrets().to_owned();
    assert!(!text.contains("code=abc"), "{text}");
}

#[test]
fn a_kind_of_a_providers_own_has_a_name_and_a_text_for_people() {
    let mut story = exchanged("word");
    let need = story.need();
    assert_eq!((need.kind, need.kind.code()), (WORD, "custom"));
    assert_eq!(need.prompt.as_ref().and_then(|prompt| prompt.name.as_deref()), Some("watchword"));
    assert_eq!(need.prompt.as_ref().and_then(|prompt| prompt.text.as_deref()), Some("What does the moon say?"));
    resumed(&mut story, Options::default());
    assert_eq!(story.need(), need, "another process asks the same");
    let story = story.is_answered(word("a\nb"), InputHandled::Rejected(Rejection::Malformed("text")));
    let story = story.answers(word("nothing at all, señor")).sends("GET /Say");
    assert_eq!(story.request.as_ref().unwrap().body(), "nothing at all, señor".as_bytes());
    // It is counted as any other that a server judges.
    let story = story.gets(200, "wrong").needs(WORD, NeedReason::Refused).by(Source::Store);
    let story = story.is_answered(word("b"), InputHandled::Rejected(Rejection::Unattended));
    story.by(Source::Person).answers(Input::GiveUp).closes("denied.refused");
}

#[test]
fn a_code_is_shown_here_and_typed_on_another_device() {
    let mut story = exchanged("device");
    let need = story.need();
    assert_eq!(need.prompt.as_ref().and_then(|prompt| prompt.user_code.as_deref()), Some("WDJB-MJHT"));
    assert_eq!(need.url.as_deref(), Some("https://guild.example.org/tv"));
    story.sleeps().sends("GET /Device").gets(200, "in").is(Phase::Active);
}

#[test]
fn a_question_about_tomorrow_stops_no_call_and_is_answered_beside_the_session() {
    let mut story = looked("consent ends").needs(NeedKind::Redirect, NeedReason::Renewing);
    assert!(serves(&mut story));
    let mut story =
        story.sleeps().sends("GET /Look").gets(200, "alive").needs(NeedKind::Redirect, NeedReason::Renewing);
    assert!(serves(&mut story));
    story.answers(address()).sends("GET /Exchange").gets(200, "in").is(Phase::Active);
}

#[test]
fn who_declines_a_question_about_tomorrow_keeps_the_session_of_today() {
    for restarts in [false, true] {
        let mut story = looked("consent ends").needs(NeedKind::Redirect, NeedReason::Renewing).answers(Input::GiveUp);
        if restarts {
            resumed(&mut story, Options::default());
        }
        assert!(serves(&mut story));
        // It is not asked about again, and other questions are.
        let story = story.sleeps().sends("GET /Look").gets(200, "consent ends").is(Phase::Active).waits(MINUTE);
        let story = story.sleeps().sends("GET /Look").gets(200, "word ends").needs(WORD, NeedReason::Renewing);
        let story = story.answers(word("b")).sends("GET /Say").gets(200, "in").is(Phase::Active).waits(MINUTE);
        // A login that must be is another matter.
        story.sleeps().sends("GET /Look").gets(200, "dead").closes("expired");
    }
}

#[test]
fn a_question_about_tomorrow_waits_while_another_is_open() {
    let mut story = looked("word ends").needs(WORD, NeedReason::Renewing);
    let first = story.need();
    let story = story.sleeps().sends("GET /Look").gets(200, "consent ends").needs(WORD, NeedReason::Renewing);
    let mut story = story.sleeps().sends("GET /Look").gets(200, "sign").needs(NeedKind::Pin, NeedReason::Renewing);
    for restarts in [false, true] {
        if restarts {
            resumed(&mut story, Options::default());
        }
        assert_eq!(story.need().kind, NeedKind::Pin);
    }
    let story = story.answers(Input::Pin("1".into())).sends("GET /Look").gets(200, "alive");
    let mut story = story.needs(WORD, NeedReason::Renewing);
    assert_eq!(story.need().id, first.id, "the same question, to which the answer may be on its way");
    let story =
        story.answers(word("b")).sends("GET /Say").gets(200, "in").needs(NeedKind::Redirect, NeedReason::Renewing);
    story.answers(address()).sends("GET /Exchange").gets(200, "in").is(Phase::Active).waits(MINUTE);
}

#[test]
fn one_that_waits_may_be_answered_before_its_turn() {
    let mut story = looked("word ends");
    let first = story.need();
    let mut story = story.sleeps().sends("GET /Look").gets(200, "sign").needs(NeedKind::Pin, NeedReason::Renewing);
    assert_eq!(story.machine.handle_input(story.now, first.id, word("b"), Source::Person), InputHandled::Used);
    assert_eq!(story.machine.handle_input(story.now, first.id, word("b"), Source::Person), InputHandled::Stale);
    let story = story.sends("GET /Say");
    assert_eq!(story.request.as_ref().unwrap().body(), b"b");
    story.gets(200, "in").is(Phase::Active);
}

#[test]
fn a_guild_keeps_the_laws() {
    let serves = |request: &Request<Vec<u8>>, now: Timestamp| {
        let body: &[u8] = match (request.uri().path(), now.as_millis() / 60_000 % 7) {
            ("/Look", 3) => b"consent ends",
            ("/Look", 5) => b"word ends",
            ("/Look", _) => b"alive",
            _ => b"in",
        };
        http::Response::new(body.to_vec())
    };
    let texts = ["in", "word", "device", "pending", "wrong", "alive", "consent ends", "word ends", "sign", "dead"];
    Laws::new(guild).server(serves).samples(texts.map(|text| Sample::json(200, text))).check_runs();
}
