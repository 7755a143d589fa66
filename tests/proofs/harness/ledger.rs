//! A provider that does everything right, and one switch for each thing that it can do wrong.
//!
//! A PIN gives a ticket for one use, the ticket tokens; the refresh token is another one each time; a consent ends after
//! days; who is logged in is asked for; the login can be ended.

use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Identity, Judgment, Leave, Outcome, Plan, Provider, Replay, Rule, Unauthorized,
    Unbuildable, Verdict, View, When,
};
use sansession::{
    BaseUrl, CloseReason, NeedKind, Phase, Secret, Timestamp,
    machine::{Denial, NeedReason, Rejection},
    secret, wire,
};
use serde::{Deserialize, Serialize};

/// What a provider does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    Nothing,
    LostRefreshSentAgain,
    SafeRefresh,
    SpentRefreshKeptOverACrash,
    OldRefreshKept,
    NewTokensForgotten,
    ConsentNeverRenewed,
    AnyOkIsLife,
    AnyUnauthorizedIsDeath,
    TicketUsedTwice,
    TicketKeptOverACrash,
    AnyOkIsAProfile,
    LogoutWithoutAToken,
    RefusalAskedForAsStale,
    PageIsALogout,
    RenewalForgotten,
    SecondRenewalForgotten,
    BareHeader,
    UserNotStored,
}

pub struct Ledger {
    pub base: BaseUrl,
    pub wrong: Wrong,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Go {
    Login,
    Redeem,
    Profile,
    Look,
    Refresh,
    Consent,
    Logout,
}

#[derive(Default, Serialize, Deserialize)]
pub struct State {
    #[serde(default, with = "secret::exposed_option", skip_serializing_if = "Option::is_none")]
    ticket: Option<Secret>,
    #[serde(default, with = "secret::exposed_option", skip_serializing_if = "Option::is_none")]
    access: Option<Secret>,
    #[serde(default, with = "secret::exposed_option", skip_serializing_if = "Option::is_none")]
    refresh: Option<Secret>,
    /// What has left, so that the ticket or the refresh token may be used up.
    #[serde(default)]
    left: Vec<Go>,
    /// The same, where a snapshot does not tell.
    #[serde(skip)]
    left_here: Vec<Go>,
    ends: Timestamp,
    consent_until: Timestamp,
    /// A person is asked for a new consent.
    #[serde(default)]
    asked: bool,
    user: Option<String>,
    /// Who is logged in, where a snapshot does not tell.
    #[serde(skip)]
    shown: Option<String>,
}

impl State {
    fn has_left(&self, step: Go) -> bool {
        self.left.contains(&step) || self.left_here.contains(&step)
    }

    fn is_answered(&mut self, step: Go) {
        self.left.retain(|left| *left != step);
        self.left_here.retain(|left| *left != step);
    }
}

/// How long before its end a consent is asked for.
const BEFORE: Duration = Duration::from_secs(24 * 3_600);

sansession::wire_object! {
    /// What the server says.
    struct Said<'a> {
        error: wire::Text<'a> = "error",
        ticket: wire::Text<'a> = "ticket",
        access: wire::Text<'a> = "access",
        refresh: wire::Text<'a> = "refresh",
        lasts: u64 = "lasts",
        consent_until: u64 = "consent_until",
        user: wire::Text<'a> = "user",
        ended: bool = "ended",
    }
}

impl Ledger {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }

    fn active(&self, state: &State) -> Verdict<Go> {
        let early = Timestamp::from_millis(state.ends.as_millis() - 300_000);
        let plan = Plan::new().keepalive(Go::Look, Duration::from_secs(1_800)).expires(When::At(state.ends));
        let plan = plan.renew(Go::Profile, When::In(Duration::from_secs(20 * 3_600)));
        let renews = state.refresh.is_some() && !state.has_left(Go::Refresh);
        if renews { plan.renew(Go::Refresh, When::At(early)) } else { plan }.into()
    }

    /// Takes the tokens of an answer.
    fn tokens(&self, cx: &mut Context<'_, State>, said: &Said<'_>, rotates: bool) -> bool {
        let (Some(access), Some(refresh), Some(lasts), Some(until)) =
            (&said.access, &said.refresh, said.lasts, said.consent_until)
        else {
            return false;
        };
        if Rejection::check_token("access", access).is_err() || Rejection::check_token("refresh", refresh).is_err() {
            return false;
        }
        cx.state.access = Some(Secret::new(access.as_ref()));
        if !rotates || !self.is(Wrong::OldRefreshKept) {
            cx.state.refresh = Some(Secret::new(refresh.as_ref()));
        }
        cx.state.is_answered(Go::Refresh);
        cx.state.ends = cx.now + Duration::from_secs(lasts);
        cx.state.consent_until = Timestamp::from_secs(until);
        if !rotates || !self.is(Wrong::NewTokensForgotten) {
            cx.tell(Fact::NewTokens);
        }
        true
    }

    /// Asks for what is to be consented to again, or says that all is well.
    fn lives(&self, cx: &mut Context<'_, State>) -> Verdict<Go> {
        let renews = !self.is(Wrong::ConsentNeverRenewed);
        if renews && !cx.state.asked && cx.now + BEFORE >= cx.state.consent_until {
            cx.state.asked = true;
            return Ask::new(NeedKind::Verifier, NeedReason::Renewing).then(Go::Consent).lasting().into();
        }
        match self.active(cx.state) {
            Verdict::Active(plan) if self.is(Wrong::RenewalForgotten) => plan.without(|_| true).into(),
            Verdict::Active(plan) if self.is(Wrong::SecondRenewalForgotten) => {
                plan.without(|step| *step == Go::Profile).into()
            }
            verdict => verdict,
        }
    }

    fn bearer(&self, token: &Secret) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
        value.set_sensitive(!self.is(Wrong::BareHeader));
        Some(value)
    }

    /// It is unknown whether a step arrived.
    fn lost(&self, cx: &mut Context<'_, State>, step: Go) -> Verdict<Go> {
        match step {
            Go::Redeem if self.is(Wrong::TicketUsedTwice) || !cx.state.has_left(Go::Redeem) => {
                Verdict::next(Go::Redeem)
            }
            Go::Refresh if self.is(Wrong::LostRefreshSentAgain) => Verdict::next(Go::Refresh),
            // The access token may live on; without it there is nothing to look at.
            Go::Refresh => Verdict::next(Go::Look),
            Go::Consent => Ask::new(NeedKind::Verifier, NeedReason::Lost).then(Go::Consent).lasting().into(),
            _ => {
                cx.state.ticket = None;
                Ask::new(NeedKind::Pin, NeedReason::Lost).then(Go::Login).into()
            }
        }
    }
}

impl Provider for Ledger {
    type Step = Go;
    type State = State;
    type Live = String;

    fn identity(&self) -> Identity<'_> {
        Identity::new("ledger", &self.base).rotates()
    }

    fn rule(&self, step: Go) -> &Rule {
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Pin]);
        const REDEEM: Rule = Rule::new("redeem").replay(Replay::Never).opens();
        const PROFILE: Rule = Rule::new("profile");
        const LOOK: Rule = Rule::new("look");
        const REFRESH: Rule = Rule::new("refresh").replay(Replay::Never);
        const SAFE_REFRESH: Rule = Rule::new("refresh");
        const CONSENT: Rule = Rule::new("consent").spends(&[NeedKind::Verifier]);
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match step {
            Go::Login => &LOGIN,
            Go::Redeem => &REDEEM,
            Go::Profile => &PROFILE,
            Go::Look => &LOOK,
            Go::Refresh if self.is(Wrong::SafeRefresh) => &SAFE_REFRESH,
            Go::Refresh => &REFRESH,
            Go::Consent => &CONSENT,
            Go::Logout => &LOGOUT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Go> {
        Ask::new(NeedKind::Pin, because).then(Go::Login).into()
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a String> {
        state.shown.as_ref().or(state.user.as_ref())
    }

    fn left(&self, cx: &mut Context<'_, State>, step: Go) {
        let forgets = match step {
            Go::Refresh => self.is(Wrong::SpentRefreshKeptOverACrash),
            Go::Redeem => self.is(Wrong::TicketKeptOverACrash),
            _ => true,
        };
        let left = if forgets { &mut cx.state.left_here } else { &mut cx.state.left };
        if !left.contains(&step) {
            left.push(step);
        }
    }

    fn request(&self, view: &View<'_, State>, step: Go, answers: &Answers<'_>) -> Result<Build<Go>, Unbuildable> {
        let state = view.state;
        let given = |kind| answers.text(kind).map(|text| text.expose().to_owned());
        let shown =
            |token: &'_ Option<Secret>| token.as_ref().map_or_else(String::new, |token| token.expose().to_owned());
        let (method, path, form) = match step {
            Go::Login => ("POST", "/login", vec![("pin", given(NeedKind::Pin)?)]),
            Go::Redeem => ("POST", "/token", vec![("grant", "ticket".to_owned()), ("ticket", shown(&state.ticket))]),
            Go::Profile | Go::Look => ("GET", "/me", Vec::new()),
            Go::Refresh => {
                ("POST", "/token", vec![("grant", "refresh".to_owned()), ("refresh", shown(&state.refresh))])
            }
            Go::Consent => ("POST", "/consent", vec![("code", given(NeedKind::Verifier)?)]),
            Go::Logout => ("DELETE", "/login", Vec::new()),
        };
        let body = serde_urlencoded::to_string(&form).map_err(|_| Unbuildable::Part("form"))?;
        let mut request = Request::new(body.into_bytes());
        *request.method_mut() = method.parse().map_err(|_| Unbuildable::Part("method"))?;
        *request.uri_mut() = self.base.join(path).map_err(|_| Unbuildable::Part("url"))?;
        if !matches!(step, Go::Login | Go::Redeem | Go::Refresh) {
            let bearer = state
                .access
                .as_ref()
                .and_then(|access| self.bearer(access))
                .ok_or(Unbuildable::Part("there is no token"))?;
            request.headers_mut().insert("authorization", bearer);
        }
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Go, outcome: Outcome<'_>) -> Verdict<Go> {
        let Outcome::Response(response) = outcome else { return self.lost(cx, step) };
        let said = wire::json::<Said<'_>>(response.body).unwrap_or_default();
        let (ok, error) = (response.status == StatusCode::OK, said.error.as_deref());
        let over = error == Some("unknown_token") || error == Some("consent_ended");
        match step {
            Go::Login
                if ok && said.ticket.as_deref().is_some_and(|text| Rejection::check_token("ticket", text).is_ok()) =>
            {
                cx.state.ticket = said.ticket.map(Secret::new);
                cx.state.is_answered(Go::Redeem);
                cx.tell(Fact::Accepted(NeedKind::Pin));
                Verdict::next(Go::Redeem)
            }
            Go::Login if error == Some("wrong_pin") => {
                let stale = self.is(Wrong::RefusalAskedForAsStale);
                Ask::new(NeedKind::Pin, if stale { NeedReason::Stale } else { NeedReason::Refused }).then(step).into()
            }
            Go::Login if error == Some("locked") => Verdict::Close(CloseReason::Denied(Denial::Locked)),
            Go::Redeem if ok && self.tokens(cx, &said, false) => {
                cx.state.ticket = None;
                Verdict::next(Go::Profile)
            }
            Go::Redeem if error == Some("ticket_used") => {
                cx.state.ticket = None;
                Ask::new(NeedKind::Pin, NeedReason::Lost).then(Go::Login).into()
            }
            Go::Profile if ok && (said.user.is_some() || self.is(Wrong::AnyOkIsAProfile)) => {
                let user = Some(said.user.map_or_else(String::new, |user| user.into_owned()));
                if self.is(Wrong::UserNotStored) {
                    (cx.state.user, cx.state.shown) = (Some("nobody".to_owned()), user);
                } else {
                    cx.state.user = user;
                }
                self.active(cx.state)
            }
            Go::Look if ok && (said.user.is_some() || self.is(Wrong::AnyOkIsLife)) => self.lives(cx),
            Go::Look if response.status == StatusCode::UNAUTHORIZED && self.is(Wrong::AnyUnauthorizedIsDeath) => {
                Verdict::Dead { proof: "401" }
            }
            Go::Profile | Go::Look | Go::Consent if over => {
                Verdict::Dead { proof: "the server does not know the token" }
            }
            Go::Refresh if ok && self.tokens(cx, &said, true) => self.active(cx.state),
            Go::Refresh if error == Some("invalid_refresh") => {
                cx.state.refresh = None;
                Verdict::next(Go::Look)
            }
            Go::Consent if ok && said.consent_until.is_some() => {
                cx.state.consent_until = Timestamp::from_secs(said.consent_until.unwrap_or_default());
                cx.state.asked = false;
                self.active(cx.state)
            }
            Go::Consent if error == Some("wrong_code") => {
                Ask::new(NeedKind::Verifier, NeedReason::Refused).then(Go::Consent).lasting().into()
            }
            Go::Logout
                if ok && (said.ended == Some(true) || self.is(Wrong::PageIsALogout)) || step == Go::Logout && over =>
            {
                Verdict::Close(CloseReason::LoggedOut { confirmed: true })
            }
            _ if response.status == StatusCode::SERVICE_UNAVAILABLE => Verdict::unavailable(),
            _ if response.status.is_server_error() => Verdict::Retry { after: None, answer: Judgment::Failed },
            _ => Verdict::Unreadable("not an answer of the ledger"),
        }
    }

    fn probe(&self, state: &State) -> Option<Go> {
        state.access.as_ref().map(|_| Go::Look)
    }

    fn logout(&self, state: &State) -> Leave<Go> {
        let ends = state.access.is_some() || self.is(Wrong::LogoutWithoutAToken);
        if ends { Leave::Step(Go::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let bearer =
            cx.state.access.as_ref().and_then(|access| self.bearer(access)).ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert("authorization", bearer);
        Ok(())
    }
}
