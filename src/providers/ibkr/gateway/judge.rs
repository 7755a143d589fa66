//! What the gateway's answers mean for the session.

use core::time::Duration;

use http::StatusCode;
use http::header::{SERVER, WWW_AUTHENTICATE};

use super::state::{GatewayLive, GatewayState};
use super::step::{GatewayStep, VALIDATE_INTERVAL};
use super::{Gateway, IDLE, PENALTY, TICKLE_BOUNDS, origin};
use crate::provider::{Ask, Cx, Fact, Spent, Verdict, When};
use crate::providers::ibkr::account::{Counted, is_paper};
use crate::providers::ibkr::brokerage::{ESTABLISHING, LOOK, Move};
use crate::providers::ibkr::refusal::says_denied;
use crate::providers::ibkr::wire::{Accounts, ErrorBody, Flags, Logout, LogoutOutcome, Pulse, Validate};
use crate::providers::ibkr::{Refusal, Standing, Tier};
use crate::wire::json;
use crate::{Because, CloseReason, Denial, Event, NeedKind, Response};

/// How often a person's login in a browser is looked for at first,
const BROWSER: Duration = Duration::from_secs(3);
/// for how long,
const BROWSER_SOON: Duration = Duration::from_secs(5 * 60);
/// and how often later, when the person is asleep rather than typing.
const BROWSER_LATER: Duration = Duration::from_secs(15);

/// How seldom `sso/validate` is asked while a person logs in, and only where an answer leaves open that it has happened.
const HINT: Duration = Duration::from_secs(5 * 60);

/// How long after midnight the session is looked at.
const AFTER_MIDNIGHT: Duration = Duration::from_secs(5);

type Judged = Verdict<GatewayStep>;
type Context<'a> = Cx<'a, GatewayState>;

impl Gateway {
    pub(super) fn judge(&self, cx: &mut Context<'_>, step: GatewayStep, response: Response<'_>) -> Judged {
        // What is none of IBKR's is told at once.
        if self.is_foreign(cx, response).is_none() && is_worth_the_other_origin(cx, step, response) {
            return Verdict::next(step);
        }
        if step == GatewayStep::Logout {
            return logged_out(cx, response);
        }
        // Bodies are read once: where the status is a success, the fields tell whether it is one. A web
        // page has none.
        if !response.status.is_success() {
            if let Some(why) = self.is_foreign(cx, response) {
                return Verdict::Unreadable(why);
            }
            let refusal = Refusal::of(response).unwrap_or(Refusal::Foreign);
            if step.is_status()
                && let Some(verdict) = cx.state.by_get.refused(step, response.status, refusal)
            {
                return verdict;
            }
            return self.refused(cx, step, refusal);
        }
        match step {
            GatewayStep::Tickle => self.tickled(cx, response),
            GatewayStep::Validate => match Refusal::of(response) {
                Some(refusal) => self.refused(cx, step, refusal),
                None => self.validated(cx, response),
            },
            GatewayStep::Accounts => match Refusal::of(response) {
                Some(refusal) => self.refused(cx, step, refusal),
                None => self.counted(cx, response),
            },
            step => self.flags(cx, step, response),
        }
    }

    /// Notes the regional midnight, which is told before anything that follows from it.
    pub(super) fn note_midnight(&self, cx: &mut Context<'_>) {
        if cx.state.brokerage.note_midnight(cx.now, self.region) {
            let told = cx.state.came_early(cx.now);
            cx.state.reset_at = Some(cx.now);
            if !told {
                cx.tell(Fact::Tell(Event::Reset));
            }
        }
    }

    fn flags(&self, cx: &mut Context<'_>, step: GatewayStep, response: Response<'_>) -> Judged {
        let Some(flags) = json::<Flags<'_>>(response.body) else {
            return self.not_json(cx, step, response);
        };
        if let Some(error) = flags.error() {
            return self.refused(cx, step, Refusal::inside(error));
        }
        if step.is_status() {
            cx.state.by_get.answered();
        }
        let init = matches!(step, GatewayStep::Init | GatewayStep::TakeOver);
        let standing = if init { Standing::of_init(&flags) } else { Standing::of(&flags) };
        self.weigh(cx, &flags, standing)
    }

    fn tickled(&self, cx: &mut Context<'_>, response: Response<'_>) -> Judged {
        // The older specifications have a void answer, which proves neither life nor death.
        if response.body.trim_ascii().is_empty() {
            return Verdict::next(GatewayStep::Status);
        }
        let Some(pulse) = json::<Pulse<'_>>(response.body) else {
            return self.not_json(cx, GatewayStep::Tickle, response);
        };
        if let Some(error) = pulse.error() {
            return self.refused(cx, GatewayStep::Tickle, Refusal::inside(error));
        }
        if let (Some(session), Some(live)) = (&pulse.session, &mut cx.state.live)
            && !live.session.as_ref().is_some_and(|known| known.matches(session.expose()))
        {
            let another = live.session.replace(session.to_secret()).is_some();
            live.user_id = pulse.user_id.or(live.user_id);
            // Another login may be another user's.
            if another && self.expect.is_any() {
                cx.state.identified = false;
            }
        }
        match pulse.flags() {
            Some(flags) => self.weigh(cx, flags, Standing::of(flags)),
            // The block may be missing; the status has the flags then.
            None if pulse.session.is_some() => Verdict::next(GatewayStep::Status),
            None => Verdict::Unreadable("a tickle answers with session or iserver"),
        }
    }

    /// Makes sense of flags, wherever they came from.
    fn weigh(&self, cx: &mut Context<'_>, flags: &Flags<'_>, standing: Standing) -> Judged {
        let now = cx.now;
        self.note_midnight(cx);
        cx.state.met |= standing != Standing::Unknown;
        // Only with a login are there a back end and a verdict on it.
        let login = flags.connected == Some(true) || flags.authenticated == Some(true);
        if login {
            note_login(cx);
        }
        if login && !cx.state.identified {
            // Nothing is opened, and nobody thrown out, for a user who is not the expected one.
            if self.expect.is_any() {
                return Verdict::next(GatewayStep::Validate);
            }
            cx.state.identified = true;
            cx.tell(Fact::Usable(true));
        }
        let sso = cx.state.is_sso_alive(now);
        let was_ready = cx.state.brokerage.ready;
        let mut told = None;
        let next = cx.state.brokerage.weigh(now, self.takeover, flags, standing, sso, &mut |event| told = Some(event));
        if let Some(event) = told {
            cx.tell(Fact::Tell(event));
        }
        if let Some(stuck) = cx.state.brokerage.stuck(standing, next) {
            cx.tell(Fact::Stuck(stuck));
        }
        match next {
            // What was usable a moment ago is looked at once more at once, which also tells the phase.
            Move::Look(after) if was_ready && after > ESTABLISHING => Verdict::next(GatewayStep::Look),
            next => self.follow(cx, next),
        }
    }

    fn follow(&self, cx: &mut Context<'_>, next: Move) -> Judged {
        match next {
            Move::Use => self.admit(cx),
            Move::Look(after) => Verdict::Next { step: GatewayStep::Look, after },
            // Flags may stay as they are after the login, too.
            Move::CheckSso if cx.state.asked.is_some() => self.watch(cx, true),
            Move::CheckSso if cx.state.is_denied(cx.now) => self.sso_is_dead(cx),
            Move::CheckSso => Verdict::next(GatewayStep::Validate),
            Move::Init => Verdict::next(GatewayStep::Init),
            Move::TakeOver => Verdict::next(GatewayStep::TakeOver),
            Move::Ask => Ask::new(NeedKind::Takeover, Because::Rival).poll(GatewayStep::Look, LOOK).into(),
            Move::Yield => Verdict::Close(CloseReason::Rival),
            Move::Puzzle => Verdict::Unreadable("the flags of a brokerage session are missing"),
        }
    }

    /// The brokerage session is usable: is it the expected account's?
    fn admit(&self, cx: &mut Context<'_>) -> Judged {
        let Some(live) = cx.state.live.as_ref().filter(|_| cx.state.identified) else {
            return Verdict::next(GatewayStep::Validate);
        };
        match self.expect.admits_kind(live.paper) {
            Some(true) => {}
            Some(false) => return Verdict::Close(CloseReason::Denied(Denial::WrongAccount)),
            // Some answers lack the kind of the login; the list of accounts has it.
            None => return Verdict::next(GatewayStep::Accounts),
        }
        let (has_stream, has_name) = (live.session.is_some(), live.user.is_some());
        let admitted = *cx.state.admitted.get_or_insert(cx.now);
        let midnight = cx.state.brokerage.midnight.map(|midnight| (GatewayStep::Status, midnight + AFTER_MIDNIGHT));
        // Who is logged in is asked late, so that a program which is started twice in a minute does
        // not put its address into the penalty box.
        let name = (!has_name && !cx.state.nameless).then(|| (GatewayStep::Validate, admitted + VALIDATE_INTERVAL));
        // The first tickle brings the stream's key. One that was sent by a program which crashed and was
        // started again must be a second old.
        let stream = (!has_stream).then_some((GatewayStep::Tickle, admitted + TICKLE_BOUNDS.0));
        let first = [stream, name, midnight].into_iter().flatten().min_by_key(|(_, at)| *at);
        Verdict::Active {
            keepalive: Some((GatewayStep::Tickle, self.tickle)),
            renew: first.map(|(step, at)| (step, When::At(at))),
            expires: Some(When::In(IDLE)),
        }
    }

    fn validated(&self, cx: &mut Context<'_>, response: Response<'_>) -> Judged {
        let validate = json::<Validate<'_>>(response.body);
        let Some((validate, result)) = validate.and_then(|validate| validate.result.map(|result| (validate, result)))
        else {
            return self.not_validated(cx, Verdict::Unreadable("sso/validate answers with RESULT"));
        };
        if !result {
            return self.denied(cx);
        }
        self.note_midnight(cx);
        cx.state.met = true;
        cx.state.validated = Some(cx.now);
        cx.state.denied = None;
        cx.state.done = false;
        note_login(cx);
        let live = cx.state.live.get_or_insert_default();
        live.user_id = validate.user_id.or(live.user_id);
        live.user = validate.user_name.as_deref().map(Box::from);
        live.paper = is_paper(&validate).or(live.paper);
        let kind = self.expect.admits_kind(live.paper);
        cx.state.nameless = live.user.is_none();
        if !self.expect.admits_user(&validate) || kind == Some(false) {
            cx.state.identified = false;
            return Verdict::Close(CloseReason::Denied(Denial::WrongAccount));
        }
        cx.state.identified = true;
        // Where the kind is not known yet, the outer tier may not be used either.
        cx.tell(Fact::Usable(kind == Some(true)));
        if cx.state.brokerage.ready {
            return self.admit(cx);
        }
        Verdict::next(GatewayStep::Look)
    }

    fn counted(&self, cx: &mut Context<'_>, response: Response<'_>) -> Judged {
        let Some(accounts) = json::<Accounts<'_>>(response.body) else {
            return self.not_json(cx, GatewayStep::Accounts, response);
        };
        let Some(live) = &mut cx.state.live else { return Verdict::next(GatewayStep::Look) };
        match Counted::of(&accounts) {
            Counted::Paper(paper) => {
                live.paper = Some(paper);
                self.admit(cx)
            }
            Counted::Empty => Verdict::unavailable(),
            Counted::Untold => Verdict::Unreadable("nothing tells whether the account is a paper one"),
        }
    }

    /// Follows an answer of `sso/validate` that says nobody is logged in.
    fn denied(&self, cx: &mut Context<'_>) -> Judged {
        // The flags say that all is well, and one answer alone proves no death.
        if cx.state.brokerage.ready && cx.state.identified {
            return self.not_validated(cx, Verdict::next(GatewayStep::Status));
        }
        cx.state.denied = Some(cx.now);
        self.sso_is_dead(cx)
    }

    /// Goes on without an answer of `sso/validate`, where none is needed, or a person is awaited.
    fn not_validated(&self, cx: &mut Context<'_>, otherwise: Judged) -> Judged {
        if cx.state.asked.is_some() {
            return self.ask_for_browser(cx, Because::Opening);
        }
        if !cx.state.brokerage.ready || !cx.state.identified {
            return otherwise;
        }
        cx.state.nameless = true;
        Verdict::next(GatewayStep::Status)
    }

    /// Nobody is logged in at the gateway (any more).
    fn sso_is_dead(&self, cx: &mut Context<'_>) -> Judged {
        self.note_midnight(cx);
        let ends = cx.state.is_worn_out(cx.now) || cx.state.is_before_midnight(cx.now);
        if ends && !cx.state.is_reset(cx.now) {
            cx.state.reset_at = Some(cx.now);
            cx.tell(Fact::Tell(Event::Reset));
        }
        let was_usable = cx.state.admitted.is_some();
        if cx.state.live.is_some() {
            cx.tell(Fact::NewTokens);
        }
        cx.state.end_login();
        let reset = cx.state.is_reset(cx.now);
        if was_usable && !reset {
            return Verdict::Dead { proof: "nobody is logged in at the gateway" };
        }
        let because = if reset { Because::Reset } else { cx.state.because.unwrap_or(Because::Opening) };
        self.ask_for_browser(cx, because)
    }

    /// Goes on waiting for the person in the browser; `hint` tells whether the login may have happened.
    fn watch(&self, cx: &mut Context<'_>, hint: bool) -> Judged {
        let last = cx.state.denied.max(cx.state.hinted);
        let hint = hint && last.is_none_or(|at| cx.now.since(at) >= HINT);
        if hint || cx.state.done && !cx.state.is_denied(cx.now) {
            cx.state.done = false;
            cx.state.hinted = Some(cx.now);
            return Verdict::next(GatewayStep::Validate);
        }
        self.ask_for_browser(cx, Because::Opening)
    }

    fn ask_for_browser(&self, cx: &mut Context<'_>, because: Because) -> Judged {
        cx.state.met = true;
        // A midnight that passes while a person is asked makes it no other question.
        let because = cx.state.because.filter(|_| cx.state.asked.is_some()).unwrap_or(because);
        cx.state.because = Some(because);
        let since = *cx.state.asked.get_or_insert(cx.now);
        let pace = if cx.now.since(since) < BROWSER_SOON { BROWSER } else { BROWSER_LATER };
        Ask::new(NeedKind::Browser, because)
            .url(self.api.login_page().to_string().into())
            .poll(GatewayStep::Watch, pace)
            .into()
    }

    /// Follows an error answer to a step.
    fn refused(&self, cx: &mut Context<'_>, step: GatewayStep, refusal: Refusal) -> Judged {
        use GatewayStep as S;
        match refusal {
            Refusal::PenaltyBox => {
                cx.tell(Fact::Penalty(PENALTY));
                Verdict::unavailable()
            }
            Refusal::EdgeDenied | Refusal::Forbidden | Refusal::IpNotAuthorized if cx.state.met => {
                Verdict::Retry { after: None, answer: Spent::Unjudged }
            }
            Refusal::EdgeDenied | Refusal::Forbidden | Refusal::IpNotAuthorized => {
                Verdict::Close(CloseReason::Denied(Denial::IpNotAllowed))
            }
            refusal if refusal.doubts().is_some() => self.doubted(cx, step, refusal),
            // What an init did is seen by looking; the init itself waits its turn.
            _ if matches!(step, S::Init | S::TakeOver) => {
                // One may fail by chance.
                if cx.state.brokerage.is_stuck(2) {
                    cx.tell(Fact::Stuck(true));
                }
                Verdict::Next { step: S::Look, after: LOOK }
            }
            refusal if refusal.is_passing() => Verdict::Retry { after: None, answer: Spent::Judged },
            _ if step == S::Validate => self.not_validated(cx, unknown(refusal)),
            refusal => unknown(refusal),
        }
    }

    /// Follows an answer that casts doubt on a tier.
    fn doubted(&self, cx: &mut Context<'_>, step: GatewayStep, refusal: Refusal) -> Judged {
        let outer = refusal.doubts() == Some(Tier::Sso);
        if step == GatewayStep::Validate {
            return self.denied(cx);
        }
        let was_ready = cx.state.brokerage.ready;
        cx.state.brokerage.doubt(cx.now);
        cx.tell(Fact::Doubt(refusal.cause()));
        if matches!(step, GatewayStep::Init | GatewayStep::TakeOver) && !outer {
            return Verdict::Next { step: GatewayStep::Look, after: LOOK };
        }
        if cx.state.asked.is_some() {
            // The brokerage tier alone being refused hints that the outer one has been opened.
            return self.watch(cx, !outer);
        }
        // Tickles fail now and then while all is well: what was usable a moment ago is looked at at once.
        if was_ready && step == GatewayStep::Tickle {
            return Verdict::next(GatewayStep::Look);
        }
        // A 401 may be one of the brokerage tier alone: the outer one is asked before a person is.
        if if outer { cx.state.is_sso_surely_alive(cx.now) } else { cx.state.is_sso_alive(cx.now) } {
            let next = cx.state.brokerage.open(cx.now, self.takeover);
            if matches!(next, Move::Look(_)) && cx.state.brokerage.is_stuck(1) {
                cx.tell(Fact::Stuck(true));
            }
            return self.follow(cx, next);
        }
        let plain = matches!(refusal, Refusal::LoginRedirect | Refusal::NotLoggedIn) && cx.state.live.is_none();
        if plain || cx.state.is_denied(cx.now) {
            return self.sso_is_dead(cx);
        }
        Verdict::next(GatewayStep::Validate)
    }

    fn not_json(&self, cx: &mut Context<'_>, step: GatewayStep, response: Response<'_>) -> Judged {
        match Refusal::of(response) {
            Some(refusal) => self.refused(cx, step, refusal),
            // Empty bodies come with restarts.
            None if response.body.is_empty() && cx.state.met => Verdict::unavailable(),
            None => Verdict::Unreadable("the gateway answers with a JSON object"),
        }
    }

    /// Tells what shows that an error is none of IBKR's, while nothing has shown that the server is.
    fn is_foreign(&self, cx: &Context<'_>, response: Response<'_>) -> Option<&'static str> {
        if cx.state.met {
            return None;
        }
        match response.status {
            StatusCode::FORBIDDEN if response.header(SERVER).is_some_and(|server| server.starts_with("AirTunes")) => {
                Some("the AirPlay receiver of macOS has this port; give the gateway another one")
            }
            StatusCode::FORBIDDEN if !says_denied(response.body) => Some("403, not in IBKR's words"),
            StatusCode::UNAUTHORIZED if response.headers.contains_key(WWW_AUTHENTICATE) => {
                Some("a server that wants HTTP authentication, which IBKR's does not")
            }
            StatusCode::UNAUTHORIZED if json::<ErrorBody<'_>>(response.body).is_some_and(|e| e.text().is_none()) => {
                Some("401 in JSON that is not IBKR's")
            }
            _ => None,
        }
    }
}

/// Notes that somebody is logged in: because a person was asked to, or before anybody was.
fn note_login(cx: &mut Context<'_>) {
    let asked = cx.state.asked.take().is_some();
    if asked {
        cx.tell(Fact::Settled(NeedKind::Browser));
    }
    if cx.state.live.is_none() {
        cx.state.live = Some(GatewayLive::default());
        cx.tell(Fact::Found(!asked));
    }
}

/// Notes what an answer says of the gateway's wish for its own `Origin`; tells whether the step is worth being sent once
/// more with the other one before anything is made of its refusal.
fn is_worth_the_other_origin(cx: &mut Context<'_>, step: GatewayStep, response: Response<'_>) -> bool {
    if !step.is_post() || step.is_status() && cx.state.by_get.is_used() {
        return false;
    }
    // Bodies of successes are read once, and elsewhere.
    let refusal = if response.status.is_success() { None } else { Refusal::of(response) };
    // `sso/validate`, which is asked by GET, says the contrary of such a refusal.
    if cx.state.is_sso_surely_alive(cx.now) && origin::is_missed(response.status, refusal) {
        cx.state.origin.doubt();
    }
    let again = cx.state.origin.note(response.status, refusal);
    let knows_nobody = cx.state.asked.is_some() || cx.state.is_denied(cx.now);
    // An init waits its turn.
    again && !knows_nobody && !matches!(step, GatewayStep::Init | GatewayStep::TakeOver)
}

/// Makes a verdict of an error that says nothing about the session.
fn unknown(refusal: Refusal) -> Judged {
    match refusal {
        Refusal::Gone | Refusal::ErrorInside => Verdict::unavailable(),
        Refusal::NotFound => Verdict::Unreadable("there is no such operation: is the base URL right?"),
        Refusal::Foreign => Verdict::Unreadable("a web page, or a redirect that leads to no login of IBKR's"),
        _ => Verdict::Unreadable("an error that IBKR's gateway is not known to answer with"),
    }
}

fn logged_out(cx: &mut Context<'_>, response: Response<'_>) -> Judged {
    let done = || Verdict::Close(CloseReason::LoggedOut { confirmed: true });
    match Refusal::of(response) {
        Some(Refusal::LoginRedirect | Refusal::NotLoggedIn | Refusal::NoSession) => return done(),
        Some(Refusal::PenaltyBox) => {
            cx.tell(Fact::Penalty(PENALTY));
            return Verdict::unavailable();
        }
        Some(_) => return Verdict::Retry { after: None, answer: Spent::Judged },
        None => {}
    }
    match json::<Logout<'_>>(response.body).and_then(|logout| logout.outcome()) {
        Some(LogoutOutcome::Ended) => done(),
        Some(LogoutOutcome::LivesOn) => Verdict::unavailable(),
        None => Verdict::Unreadable("a logout answers with status"),
    }
}
