//! The Web API without a gateway, browser or person: OAuth opens the outer tier, an init the inner one.
//!
//! ```text
//!  OAuth 1.0a   token ───────────────────────────┐
//!  OAuth 2.0    token ─▶ session ─▶ validate ────┤
//!                 ▲                              ▼
//!                 │                            look ◀─▶ init        (as behind the gateway)
//!                 │ 401, whatever asked          │
//!                 │                              ▼ established
//!                 └────────────── Active: tickle each minute, renew 1 to 3 h before the token ends
//! ```
//!
//! - A token lives for 24 hours. It is renewed while it still works: the session stays active, and calls
//!   with the old token still succeed. Their responses no longer count as evidence about the session ([`Handled::Stale`](crate::Handled::Stale)).
//! - A 401 while the session is open means that the token is dead: a new one is requested, and the session does not
//!   close. A refusal closes an opening only, with one of these reasons: a key that is not
//!   [live yet](crate::machine::Denial::KeyNotLive), a [regenerated](crate::machine::Denial::TokenRegenerated) access token,
//!   a [signature](crate::machine::Denial::SignatureRefused), a [clock](crate::machine::Denial::ClockWrong). A regenerated access token
//!   closes an open session, too, as soon as its last token is dead.
//! - The brokerage session, rivals and pace work as at the gateway: [`Takeover`](super::Takeover), [`Region`](super::Region).
//! - A 410 moves the session to the next of IBKR's hosts: the plain one, `api.ibkr.com`, and `1.api.ibkr.com` to
//!   `8.api.ibkr.com`. So does a refusal by a numbered host, which may refuse an address that the plain one accepts: it
//!   proves nothing about keys or address. From a configured numbered host the session moves to the plain one first. After one
//!   round the configured host is tried again, and then at least every 5 minutes; the others again
//!   after a minute, then after four times as long each time, up to every 4 hours. An opening makes one round. The session
//!   also leaves a host that does not answer three requests in a row, except the plain one if that is configured.
//!   Only these hosts, over https, ever get a token, and only if one of them is configured.
//! - Each request is signed when it leaves, with the time and randomness of that moment, retries included.
//! - OAuth 1.0a has no `sso/validate`: an answer to a signed call proves that the outer tier lives.
//!
//! 1.0a is for everybody: the self-service page accepts the public keys and issues a consumer key of nine characters,
//! an access token and its secret. Third parties get these by [`consent`]. 2.0 is for institutions that
//! IBKR has approved, with keys of 3072 bits or more. See [`oauth1a`](super::oauth1a) and
//! [`oauth2`](super::oauth2) for their parts.
//!
//! # Keys in a vault or an HSM
//! With [`OAuth1a::remote`], or a [`PublicKey`](super::keys::PublicKey) in place of the signature key, no
//! private key is in this process. The session asks instead: once for the access token secret
//! ([`NeedKind::Decryption`]) and for each token, thus about daily, for a signature
//! ([`NeedKind::Signature`]) of the digest in [`Need::message`](crate::Need::message), to be answered before
//! [`Need::until`](crate::Need::until), 15 s later, since the signed text contains the time. A late answer is not
//! used, and the question is asked again. A renewal begins an hour or more before the token ends, and the
//! session stays active meanwhile. A signature by another key is rejected before anything leaves.
//!
//! # Steps
//!
//! | step | request | when |
//! |---|---|---|
//! | `token`, `renew` | `POST oauth/live_session_token` (1.0a), `POST /oauth2/api/v1/token` (2.0) | without a valid token; 1 to 3 h before its expiry |
//! | `session`, `renew-session` | `POST /gw/api/v1/sso-sessions` | 2.0: with each token, names the user and this machine's address |
//! | `validate` | `GET sso/validate` | 2.0: after `session`, when the login is in doubt, and before anything is opened where a kind of account is expected and not known; at least 65 s apart, since one a minute is allowed |
//! | `look`, `status` | `POST iserver/auth/status`, by GET where the POST is refused | before the brokerage session is opened, each minute while there is none and every 2 s while it is being established; on [`Machine::check`](crate::Machine::check), five seconds after midnight, or where a tickle has no flags |
//! | `accounts` | `GET iserver/accounts` | where a kind of account is expected and nothing else names it |
//! | `init`, `take-over` | `POST iserver/auth/ssodh/init` | where no brokerage session is open, at the gateway's pace: with `compete:true` by [`Takeover`](super::Takeover) only |
//! | `tickle` | `POST tickle` | a second after the opening, and every 60 s; of the user's own calls only a tickle delays it, as at the [gateway](super::gateway) |
//! | `logout` | `POST logout` | ends both tiers; the access token of 1.0a stays valid |
//!
//! # Needs
//!
//! None with keys in this process, but [`NeedKind::Takeover`] (because of a `Rival`) under
//! [`Takeover::Ask`](super::Takeover::Ask): answer with [`Input::TakeOver`], or wait until the other client
//! has left. With keys elsewhere also those above, because of the `Opening` or, in an active session, because
//! it is `Renewing`.
//!
//! # Deadlines
//!
//! - Requests time out after 12 s: IBKR itself aborts after 10 s.
//! - Without an answered tickle for five minutes the session is in doubt; the sources say 5 and 6.
//! - A token lives 24 hours. One source reads the field as the time of creation, so a time
//!   that is nearly over is treated as that.
//! - Midnight of the [`Region`](super::Region) ends brokerage sessions ([`Event::Reset`](crate::Event::Reset)); the token outlives it.
//! - 429 is a penalty box of 15 minutes, or as long as its `Retry-After` says, for the whole address, the user's own
//!   calls included.
//!
//! # Answers
//!
//! A call is judged as at the [gateway](super::gateway#answers), by the same code. In addition, 401 means that the
//! [token](super::oauth1a::Refusal) is refused, and 410 or a refusal by a numbered host moves the session.
//!
//! # Why it closed, and what to do
//!
//! | code | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the server confirmed it, or refused a token that had worked before | nothing |
//! | `logged-out.unconfirmed` | no response for [`logout_patience`](crate::Options::logout_patience), a longer penalty box, or a token that was already refused | nothing: the brokerage session expires in minutes |
//! | `left` | its tokens were [adopted](crate::Session::adopt), so this session does not end them ([`Options::ends`](crate::Options::ends)) | nothing: the tokens are still valid |
//! | `denied.key-not-live` | the server does not know the consumer key | wait until the time in the reason: a new key works after the next midnight. If it still fails, check the key for typing errors |
//! | `denied.token-regenerated` | 1.0a: the access token was regenerated in the portal, or is mistyped | configure the new one, which works at once |
//! | `denied.signature-refused` | another key was registered than the one that signs, or the realm is wrong; 2.0: or three sessions in a row were refused | upload the public part again, or use the right file; a new key works after the next midnight. Check that the address in the session is the one that IBKR sees |
//! | `denied.clock-wrong` | the signed time is refused | set this machine's clock |
//! | `denied.server-unproven` | 1.0a: the server's proof does not fit | check that the Diffie-Hellman parameters and the token's secret are those of the portal, and that nobody intercepts the connection |
//! | `denied.rejected` | 2.0: client, key id, user or address are not those that were registered | as the text says |
//! | `denied.wrong-account` | another kind of account than [`WebApi::expect_paper`] requires; nothing was done with it | change the keys or the setting |
//! | `denied.ip-not-allowed` | the plain host, or its edge, refuses this address before any other response | use another address; addresses of data centres may be refused |
//! | `denied.unanswered` | nobody signed or decrypted | look at the vault |
//! | `rival` | another client holds the brokerage session, and a takeover is not allowed or was declined | ask its owner, or allow a takeover |
//! | `retries-exhausted` | an outage at the opening, or all hosts are retired or refuse | try later; if a numbered host is configured, use `https://api.ibkr.com` |
//! | `protocol` | a response at the opening that is not IBKR's | inspect the shape: a wrong base URL, a proxy's page |
//!
//! It never closes with `expired`: a dead token is replaced. An outage ends no open session.
//!
//! # The stream
//! [`Session::authorize_stream`](crate::Session::authorize_stream) makes the handshake of `/ws`, with the token in the
//! **query**: the specification has no other place for it. It may appear wherever URLs are logged: by the
//! WebSocket client, proxies, crash reports. This crate never shows it. The stream keeps only itself
//! alive: send [`TIC`](super::wire::TIC) at least once a minute; the session needs its tickles.
//!
//! # Moving a session
//! The keys come from the provider value and are in no snapshot. The tokens are. With OAuth 1.0a a session
//! **may move** to another address; no rule against it is known. With OAuth 2.0 it **may not**: the session
//! contains the address it was requested for, so a snapshot is resumed only with the same
//! [`Options::egress_label`](crate::Options::egress_label).
//!
//! A session that moved to another host stays there. If that host does not accept the new address, it moves on as
//! above.
//!
//! # Traps
//!
//! - The shared secret has a zero byte in front where its top bit is set, in up to half of all handshakes;
//!   clients that omit it fail sporadically (the official example has no such case; two open clients and their
//!   vectors do).
//! - The secret's bytes stand right before the method in what is signed, and values are not encoded one by
//!   one first, unlike RFC 5849 (IBKR's document, whose example is one of the tests).
//! - By the document the query is signed; some clients omit it, and the server seems to
//!   accept both. Here it is signed.
//! - The stamp is in seconds; one page says milliseconds.
//! - A retry needs a new nonce, so nothing that was signed is ever sent twice.
//! - A new access token ends the old one and works at once; a new consumer key works after the next reset, and is
//!   "invalid consumer" until then (IBKR's pages and several users; one saw production at once and paper a day later).
//! - Users of a new paper account got 500 to the init for a week or two under OAuth 2.0 (a client's README). The
//!   init is retried at its usual pace.
//! - A lost session shows in this order: 500 "query /accounts first" to a call, a tickle without a session, 401 (the same
//!   client's source). The first of them triggers a check.
//! - A first party must not request a request token: its access token comes from the portal.
//! - The traps of flags, inits and empty bodies at the [gateway](super::gateway) apply here, too.
//!
//! # States
//!
//! With OAuth 1.0a:
//!
#![doc = include_str!("oauth1a.md")]
//!
//! With OAuth 2.0:
//!
#![doc = include_str!("oauth2.md")]
//!
//! # Example
//!
//! ```no_run
//! use sansession::providers::ibkr::keys::PrivateKey;
//! use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
//! use sansession::providers::ibkr::{OAuth1a, WebApi};
//! use sansession::{BaseUrl, Options, Session};
//!
//! # fn read(_: &str) -> String { String::new() }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let grant = Grant::new(read("access-token"), read("access-token-secret"))?;
//! let oauth = OAuth1a::new(
//!     Consumer::new("ABCDEFGHI")?,
//!     &grant,
//!     PrivateKey::from_pem(&read("private_signature.pem"))?,
//!     &PrivateKey::from_pem(&read("private_encryption.pem"))?,
//!     DhParams::from_pem(&read("dhparam.pem"))?,
//! )?;
//! let provider = WebApi::new(&BaseUrl::parse("https://api.ibkr.com/v1/api")?, oauth)?;
//! let session = Session::new(provider, Options::default(), [0; 32]);
//! # Ok(())
//! # }
//! ```

mod api;
pub mod consent;
mod host;
mod judge;
mod moves;
mod oauth;
mod remote;
mod state;
mod step;
mod stream;
mod token;

use http::Request;
use http::request::Parts;

pub use api::WebApi;
pub use consent::{Consent, ConsentState, ConsentStep};
pub use oauth::{OAuth, OAuth1a, OAuth2, OAuth2Error};
pub use state::{WebApiState, WebApiToken};
pub use step::WebApiStep;

use self::api::what;
use self::remote::{Stamp, signed};
use super::inner::{Call, Judge, Live, Outer};
use super::oauth1a::AccessTokenSecret;
use crate::provider::{
    Adopts, Answers, Build, Context, Given, Identity, Leave, Observed, Outcome, Provider, Rule, Target, Unauthorized,
    Unbuildable, Verdict, View,
};
use crate::{
    Input, NeedKind, Response, Ticket,
    machine::{NeedReason, Rejection},
};

type Cx<'a> = Context<'a, WebApiState>;
type Judged = Verdict<WebApiStep>;
type Built = Result<Build<WebApiStep>, Unbuildable>;

impl Provider for WebApi {
    type Step = WebApiStep;
    type State = WebApiState;
    type Live = Live;

    fn identity(&self) -> Identity<'_> {
        let (provider, account, binds_ip) = match &self.oauth {
            OAuth::V1a(oauth) => ("ibkr-oauth1a", &oauth.account, false),
            OAuth::V2(oauth) => ("ibkr-oauth2", &oauth.user, true),
        };
        let server = self.hosts.configured().base();
        Identity { binds_ip, ..Identity::new(provider, server).account(account).key(self.oauth.key().fingerprint()) }
    }

    fn rule(&self, step: WebApiStep) -> &Rule {
        step.rule(self.oauth.key().is_remote())
    }

    fn open(&self, cx: &mut Cx<'_>, _: NeedReason) -> Judged {
        cx.state.inner.brokerage.note_midnight(cx.now, self.settings.region);
        Verdict::next(WebApiStep::Token)
    }

    fn admits(&self, state: &WebApiState) -> Result<(), &'static str> {
        if state.host >= self.hosts.count() {
            return Err("a host that this server does not have");
        }
        let carried = match &state.token {
            Some(WebApiToken::Bearer(bearer)) => Some(bearer),
            Some(WebApiToken::Live(_)) | None => None,
        };
        match carried.into_iter().chain(&state.bearer).all(|bearer| bearer.check().is_ok()) {
            true => Ok(()),
            false => Err("the bearer token cannot be carried by a header"),
        }
    }

    fn live<'a>(&self, state: &'a WebApiState) -> Option<&'a Live> {
        state.inner.live.as_ref()
    }

    fn answered(&self, cx: &mut Cx<'_>, given: &Given<'_, WebApiStep>) -> Result<Judged, Rejection> {
        match (given.kind, given.input) {
            (NeedKind::Takeover, _) => Ok(Judge::new(self, cx).consented()),
            (_, Input::Signature(signature)) => signed(self.oauth.key(), given, signature),
            (_, Input::Decrypted(secret)) => {
                let step = given.step.ok_or(Rejection::NotFresh)?;
                let secret = AccessTokenSecret::new(secret.expose().to_vec().into());
                cx.state.secret = Some(secret.map_err(|_| Rejection::Malformed("decrypted"))?);
                Ok(Verdict::next(step))
            }
            _ => Err(Rejection::WrongKind),
        }
    }

    fn left(&self, cx: &mut Cx<'_>, step: WebApiStep) {
        self.counts_request(cx.state, step);
        match step.call() {
            Some(call) => self.note_leaving(cx, call),
            None => {
                let (host, at, counter) = (cx.state.host, cx.now, cx.entropy.counter);
                cx.state.stamp = Some(Box::new(Stamp { step, host, at, counter }));
            }
        }
    }

    fn request(&self, view: &View<'_, WebApiState>, step: WebApiStep, answers: &Answers<'_>) -> Built {
        let Some(call) = step.call() else { return self.login_request(view, step, answers) };
        let request = call.request(self.api(view.state), view.state.inner.by_get);
        let (mut parts, body) = request.into_parts();
        match self.sign(view.state, &mut parts, &body, view.now, &view.entropy) {
            Ok(()) => Ok(Request::from_parts(parts, body).into()),
            Err(Unauthorized::Unsignable(part)) => Err(Unbuildable::Part(part)),
            Err(Unauthorized::NotReady(_)) => Err(Unbuildable::Part("there is no token")),
        }
    }

    fn interpret(&self, cx: &mut Cx<'_>, step: WebApiStep, outcome: Outcome<'_>) -> Judged {
        let Outcome::Response(response) = outcome else { return self.lost(cx.state, step) };
        match (self.leaves(cx, step, response), step.call()) {
            (Some(verdict), _) => verdict,
            (None, None) => self.judge_login(cx, step, response),
            (None, Some(call)) => self.judge(cx, step, call, response),
        }
    }

    fn probe(&self, state: &WebApiState) -> Option<WebApiStep> {
        state.token.as_ref().filter(|_| !state.doubted)?;
        Some(state.inner.probe().into())
    }

    fn logout(&self, state: &WebApiState) -> Leave<WebApiStep> {
        if state.token.is_some() { Leave::Step(Call::Logout.into()) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        self.lets_through(cx.state, parts, body)?;
        self.sign(cx.state, parts, body, cx.now, &cx.entropy)
    }

    fn observe(&self, cx: &mut Cx<'_>, _: &Ticket, response: Response<'_>) -> Observed {
        Judge::new(self, cx).observed(response)
    }

    fn target<'a>(&'a self, state: &'a WebApiState, path: &str) -> Target<'a, WebApiStep> {
        self.goes_to(self.api(state).base(), path)
    }
}

impl Adopts for WebApi {
    type Tokens = WebApiToken;

    fn adopt(&self, token: WebApiToken) -> Result<WebApiState, Rejection> {
        match (&self.oauth, &token) {
            (OAuth::V1a(_), WebApiToken::Live(_)) | (OAuth::V2(_), WebApiToken::Bearer(_)) => {}
            _ => return Err(Rejection::WrongKind),
        }
        let (paper, expires) = (self.known_paper(), token.expires());
        let mut state = WebApiState { token: Some(token), ..WebApiState::default() };
        state.inner.live = Some(Live { paper, expires, ..Live::default() });
        Ok(state)
    }
}
