//! The Client Portal Gateway: a program on the user's machine, a person's login in a browser, two tiers.

mod judge;
mod state;
mod step;
mod stream;

use core::time::Duration;

use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method, Request};

pub use state::{GatewayLive, GatewayState};
pub use step::GatewayStep;

use super::wire::{Endpoints, Init};
use super::{Expect, Refusal, Region, Takeover, Tier, wire};
use crate::provider::{Cx, Fact, Identity, Observed, Provider, Unauthorized, Unbuildable, Verdict};
use crate::{BaseUrl, Because, Input, NeedKind, Rejection, Response, Ticket, UrlError};

/// How often the session is kept alive: IBKR's page says about once a minute, and at most every 5.
const TICKLE: Duration = Duration::from_secs(60);

/// How often it may be kept alive.
const TICKLE_BOUNDS: (Duration, Duration) = (Duration::from_millis(1_100), Duration::from_secs(4 * 60));

/// After so long without a tickle the brokerage session may be gone: the page says 5 minutes and 6.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// How long a 429 keeps the address in the penalty box: IBKR's page says 15 minutes, newer texts 10.
pub(super) const PENALTY: Duration = Duration::from_secs(15 * 60);

/// The Client Portal Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    api: Endpoints,
    login_page: std::sync::Arc<str>,
    region: Region,
    takeover: Takeover,
    expect: Expect,
    tickle: Duration,
}

impl Gateway {
    /// Takes the gateway's base URL, such as `https://localhost:5000/v1/api`, or `/v1/portal` for its older alias.
    ///
    /// # Errors
    /// [`UrlError`] where the base's path has characters that no URL may have.
    pub fn new(base: &BaseUrl) -> Result<Self, UrlError> {
        let api = Endpoints::new(base)?;
        let login_page = api.login_page().to_string().into();
        Ok(Self {
            api,
            login_page,
            region: Region::default(),
            takeover: Takeover::default(),
            expect: Expect::default(),
            tickle: TICKLE,
        })
    }

    /// Sets the region whose midnight ends all sessions; New York otherwise.
    #[must_use]
    pub fn region(self, region: Region) -> Self {
        Self { region, ..self }
    }

    /// Sets whether another client may be thrown out; a need asks otherwise.
    #[must_use]
    pub fn takeover(self, takeover: Takeover) -> Self {
        Self { takeover, ..self }
    }

    /// Sets the account that the session must be of.
    #[must_use]
    pub fn expect(self, expect: Expect) -> Self {
        Self { expect, ..self }
    }

    /// Sets how often the session is kept alive, from 1.1 s, since more than one tickle a second is
    /// punished, to 4 min; every 60 s otherwise, which is IBKR's own advice.
    #[must_use]
    pub fn tickle(self, every: Duration) -> Self {
        Self { tickle: every.clamp(TICKLE_BOUNDS.0, TICKLE_BOUNDS.1), ..self }
    }
}

impl Provider for Gateway {
    type Step = GatewayStep;
    type State = GatewayState;
    type Live = GatewayLive;
    /// Nothing: the gateway holds the tokens, and every opening looks first what is there.
    type Tokens = ();

    fn identity(&self) -> Identity<'_> {
        let account = self.expect.user.as_deref();
        Identity { provider: "ibkr-gateway", server: self.api.base(), account, key: None, binds_ip: false }
    }

    fn base<'a>(&'a self, _: &'a GatewayState) -> &'a BaseUrl {
        self.api.base()
    }

    fn open(&self, cx: &mut Cx<'_, GatewayState>, because: Because) -> Verdict<GatewayStep> {
        cx.state.because = Some(because);
        cx.state.brokerage.note_midnight(cx.now, self.region);
        Verdict::next(GatewayStep::Look)
    }

    fn adopt(&self, (): ()) -> Result<GatewayState, Rejection> {
        Ok(GatewayState::default())
    }

    fn live<'a>(&self, state: &'a GatewayState) -> Option<&'a GatewayLive> {
        state.live.as_ref()
    }

    fn forget(&self, state: &mut GatewayState) {
        state.end_login();
        state.asked = None;
        state.done = false;
    }

    fn answered(
        &self,
        cx: &mut Cx<'_, GatewayState>,
        kind: NeedKind,
        _: &Input,
    ) -> Result<Verdict<GatewayStep>, Rejection> {
        match kind {
            // A word of the person is worth asking the outer tier itself, as soon as it may be asked.
            NeedKind::Browser => {
                cx.state.done = cx.state.is_denied(cx.now);
                Ok(Verdict::next(if cx.state.done { GatewayStep::Watch } else { GatewayStep::Validate }))
            }
            NeedKind::Takeover => {
                // One consent is one takeover, however often it is given before it is used.
                cx.state.brokerage.granted = 1;
                Ok(Verdict::next(match &cx.state.brokerage {
                    _ if cx.state.asked.is_some() => GatewayStep::Watch,
                    brokerage if brokerage.rival && cx.state.identified => GatewayStep::TakeOver,
                    brokerage if brokerage.ready => GatewayStep::Status,
                    _ => GatewayStep::Look,
                }))
            }
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(
        &self,
        cx: &mut Cx<'_, GatewayState>,
        step: GatewayStep,
        _: Option<&Input>,
    ) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.note_midnight(cx);
        Ok(match step {
            GatewayStep::Status | GatewayStep::Look | GatewayStep::Watch => self.api.status(),
            GatewayStep::Validate => self.api.validate(),
            GatewayStep::Accounts => self.api.accounts(),
            GatewayStep::Init | GatewayStep::TakeOver => {
                let takes_over = step == GatewayStep::TakeOver;
                cx.state.brokerage.note_init(cx.now, takes_over, cx.entropy);
                self.api.init(if takes_over { Init::TAKE_OVER } else { Init::POLITE })
            }
            GatewayStep::Tickle => self.api.tickle(),
            GatewayStep::Logout => self.api.logout(),
        })
    }

    fn interpret(
        &self,
        cx: &mut Cx<'_, GatewayState>,
        step: GatewayStep,
        response: Response<'_>,
    ) -> Verdict<GatewayStep> {
        self.judge(cx, step, response)
    }

    fn lost(&self, _: &mut Cx<'_, GatewayState>, _: GatewayStep) -> Verdict<GatewayStep> {
        Verdict::next(GatewayStep::Look)
    }

    fn probe(&self, state: &GatewayState) -> Option<GatewayStep> {
        Some(match state.asked {
            Some(_) => GatewayStep::Watch,
            None if state.brokerage.ready => GatewayStep::Status,
            None => GatewayStep::Look,
        })
    }

    fn logout(&self, state: &GatewayState) -> Option<GatewayStep> {
        // A login that may be somebody else's is left alone.
        state.identified.then_some(GatewayStep::Logout)
    }

    fn authorize(&self, cx: &mut Cx<'_, GatewayState>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        let tier = Tier::of_path(parts.uri.path());
        if !cx.state.identified || tier == Tier::Brokerage && !cx.state.brokerage.ready {
            return Err(Unauthorized::NotReady(Some(tier.code())));
        }
        complete(parts, body);
        Ok(())
    }

    fn observe(&self, cx: &mut Cx<'_, GatewayState>, _: &Ticket, response: Response<'_>) -> Observed {
        // Bodies of successes are the user's own, and may be large.
        if response.status.is_success() {
            return Observed::Nothing;
        }
        match Refusal::of(response) {
            Some(Refusal::PenaltyBox) => {
                cx.tell(Fact::Penalty(PENALTY));
                Observed::Nothing
            }
            // As 500 it was seen as the first sign of a lost session.
            Some(Refusal::AccountsFirst) if response.status.is_server_error() => Observed::Doubt,
            Some(refusal) if refusal.doubts().is_some() => Observed::Doubt,
            _ => Observed::Nothing,
        }
    }

    fn tier(&self, path: &str) -> Option<&'static str> {
        Some(Tier::of_path(path).code())
    }
}

/// Adds what the transport in front of IBKR's servers demands of every call.
pub(super) fn complete(parts: &mut Parts, body: &[u8]) {
    let agent = const { HeaderValue::from_static(wire::USER_AGENT) };
    parts.headers.entry(USER_AGENT).or_insert(agent);
    // A POST without a length is answered with 411.
    if body.is_empty() && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        parts.headers.entry(CONTENT_LENGTH).or_insert(const { HeaderValue::from_static("0") });
    }
}
