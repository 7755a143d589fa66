//! Logs in to HTTP providers, keeps the sessions alive and logs out, as sans-IO state machines.
//!
//! A [`Session`] takes HTTP responses, the time and a person's answers, and returns requests. It opens no socket, reads no
//! clock, draws no randomness and starts no thread, so it runs in any runtime, and a test of a whole day takes a
//! millisecond. Its state is one value: another process can resume a [`Snapshot`] of it later, without a login.
//!
//! # In ten lines
//!
//! A blocking program; the session runs in its own thread (`drive::blocking`, feature `ureq`):
//!
//! ```no_run
//! use sansession::{BaseUrl, Credentials, Need, drive::blocking, http::Request, providers::cbrain::Cbrain};
//! use std::{env, error::Error};
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let (portal, password) = (Cbrain::new(BaseUrl::parse(&env::var("PORTAL")?)?)?, env::var("PASSWORD")?);
//!     let session = blocking::open(portal, move |_: &Need| Credentials::new("alice", &*password).into())?;
//!     println!("{}", session.call(Request::get("/groups").body(vec![])?)?.status());
//!     Ok(session.logout()?)
//! }
//! ```
//!
//! The same on tokio (`drive::asynchronous`, feature `tokio`; feature `async` serves any other runtime):
//!
//! ```ignore
//! use sansession::drive::{Answer, asynchronous};
//! use sansession::{BaseUrl, Credentials, http::Request, providers::cbrain::Cbrain};
//! use std::{env, error::Error};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let (portal, password) = (Cbrain::new(BaseUrl::parse(&env::var("PORTAL")?)?)?, env::var("PASSWORD")?);
//!     let session = asynchronous::open(portal, move |_| Answer::from(Credentials::new("alice", &*password)))?;
//!     session.ready().await?;
//!     println!("{}", session.call(Request::get("/groups").body(vec![])?).await?.status());
//!     Ok(session.logout().await.into_result()?)
//! }
//! ```
//!
//! Both use the same loop around a [`Machine`]; you can write your own.
//!
//! # The contract
//!
//! 1. Call [`poll(now)`](Machine::poll) until it returns [`Wait`](Output::Wait) or [`Closed`](Output::Closed).
//! 2. Send each request that it returns; report its id once, with a
//!    [response](Machine::handle_response) or a [failure](Machine::handle_failure).
//! 3. Answer a [`Need`] with [`handle_input`](Machine::handle_input), by its id.
//! 4. Call `poll` again at `until`, or earlier if something happened.
//! 5. Any call is legal at any time. `Err(Misuse)` is a bug of the caller; events and close reasons report what happened
//!    outside.
//! 6. `now` is wall time and may jump either way: relative deadlines are re-anchored and never further away than their own
//!    length.
//!
//! Outputs are queued, so you need not drain them, and a timeout needs no call but `poll`. A loop of your own takes about
//! 20 lines:
//!
//! ```
//! use sansession::providers::cbrain::Cbrain;
//! use sansession::{
//!     InputHandled, BaseUrl, Source, Credentials, Input, Machine, Options, Output, Session, Timestamp, WaitingOn,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let portal = Cbrain::new(BaseUrl::parse("http://localhost:3000")?)?;
//! let seed = [7; 32]; // a real one comes from the system's randomness
//! let mut session = Session::new(portal, Options::default(), seed);
//! let mut now = Timestamp::from_secs(1_800_000_000);
//! let mut sent = Vec::new();
//!
//! session.start(now);
//! let reason = loop {
//!     match session.poll(now) {
//!         Output::Send(outgoing) => {
//!             let id = outgoing.id();
//!             sent.push(format!("{} {}", outgoing.method(), outgoing.path()));
//!             let response = answer(outgoing.into_request())?; // your HTTP client stands here
//!             session.handle_response(now, id, (&response).into())?;
//!             if sent.len() == 3 {
//!                 session.logout(now);
//!             }
//!         }
//!         Output::Wait { on: WaitingOn::Need(need), .. } => {
//!             let answer = Input::Credentials(Credentials::new("norm", "correct horse")?);
//!             if session.handle_input(now, need.id, answer, Source::Store) != InputHandled::Used {
//!                 let _ = session.handle_input(now, need.id, Input::GiveUp, Source::Store);
//!             }
//!         }
//!         Output::Wait { until, .. } => now = until, // your sleep stands here
//!         Output::Event(event) => println!("{now:?} {}", event.code()),
//!         Output::Save | Output::Cancel(_) => {}
//!         Output::Closed(reason) => break reason,
//!     }
//! };
//!
//! assert_eq!(sent, ["POST /session", "GET /session", "GET /session", "DELETE /session"]);
//! assert_eq!(now, Timestamp::from_secs(1_800_000_000 + 24 * 3600)); // a keepalive every 12 hours
//! assert_eq!(reason.code(), "logged-out");
//! # Ok(())
//! # }
//! # fn answer(request: http::Request<Vec<u8>>) -> http::Result<http::Response<&'static str>> {
//! #     let body = r#"{"user_id":2,"cbrain_api_token":"0123456789abcdef0123456789abcdef"}"#;
//! #     let body = if request.method() == http::Method::DELETE { "" } else { body };
//! #     http::Response::builder().header("content-type", "application/json").body(body)
//! # }
//! ```
//!
//! Your own calls use the session: [`authorize`](Machine::authorize) adds base URL, tokens and signature to a request, and
//! [`observe`](Machine::observe) reports its response. A 401 makes the session check whether it is still alive; a 429
//! pauses all requests until the server's limit has passed (the penalty box).
//!
//! # Phases
//!
//! ```text
//!            start          a login is needed     a code or a PIN is needed
//!     Idle ────────▶ Opening ◀──────▶ LoggingIn ────────▶ SecondFactor
//!                     │   ▲               │                    │
//!       alive already │   │ proven expiry │ success, proven    │
//!       or adopted    ▼   │ and a relogin ▼ by a body          │
//!                    Active ◀─────────────┴────────────────────┘
//!                    keepalive, renewal, check; in doubt (Suspect) until Recovered
//!
//!     Active ── a login is needed again ──▶ LoggingIn
//!     any phase ── logout ──▶ LoggingOut ──▶ Closed
//!     any phase ── a reason to close ──▶ Closed
//! ```
//!
//! An active session ends only by logout, by a response that proves it has expired, by another client that takes it over,
//! or when [`Options::open_patience`] runs out (unset by default). An outage, a known expiry that passes and an unreadable
//! response put it in doubt: it is checked at a limited rate, keeps its tokens, and `authorize` still works. The module of
//! each provider has its own diagram.
//!
//! # The map
//!
//! | module | what it is |
//! |---|---|
//! | the root | [`Session`] and what every driver names: [`Machine`], [`Output`], [`Need`], [`Input`], [`Event`], [`CloseReason`], [`Snapshot`] |
//! | [`machine`] | what belongs to these: causes, denials, prompts, backoff |
//! | [`provider`] | what a protocol is: steps with a rule each, a state, pure functions; open to other crates |
//! | [`providers`] | the protocols of this crate, each with its wire layer, usable alone |
//! | [`drive`] | what drives machines: `drive::blocking` (threads, on ureq), `drive::asynchronous` (any runtime, on hyper or reqwest), [`drive::fleet`] (many sessions in one loop) |
//! | [`wire`] | reading what servers really send: the field that proves success decides alone |
//! | [`secret`] | text that is wiped on drop and never printed |
//! | `sim` | simulators of the servers, and a loopback server for them |
//! | `testing` | for authors of providers: the laws that each provider must keep (`Laws`), and a walk through all its states that draws them (`Walk`) |
//! | `guide` | how to write a provider, test a program offline, run unattended, drive from async code; what other programs do |
//!
//! # Features
//!
//! None is on by default. Features only add. The last column counts the crates that a build with this feature alone
//! compiles, build dependencies included (`cargo tree -e normal,build`).
//!
//! | feature | what it adds | crates |
//! |---|---|---|
//! | `async` | `drive::asynchronous`: a handle and a driver for any runtime | 19 |
//! | `tokio` | `open`, `spawn` and `Transport` of `drive::asynchronous`, a client on hyper and rustls | 69 |
//! | `reqwest` | `drive::asynchronous::Reqwest`, for programs that have reqwest already | 102 |
//! | `tracing` | a span for each session, an event for each of its events, requests and answers | 23 |
//! | `ureq` | `drive::blocking`, the adapter on ureq 3 and rustls | 50 |
//! | `sim` | `sim`, the simulators and the loopback server | 51 |
//! | `ibkr-oauth` | IBKR's OAuth 1.0a and 2.0: `providers::ibkr::oauth1a`, `providers::ibkr::oauth2` and the direct machines | 46 |
//! | `entropy` | [`Entropy::bytes`](provider::Entropy) and `Entropy::text`: nonces by label, for providers outside this crate | 31 |
//! | `oauth2` | `providers::oauth2`: requests and answers of any OAuth 2 server | 31 |
//! | `totp` | `totp`, the codes of an authenticator from its secret | 36 |
//! | `testing` | `testing`, the laws that each provider must keep, as a property-test harness | 34 |
//! | `cli` | the command `sansession` (`cargo install --path . --features cli`); programs have no use for it | 141 |
//!
//! Without features there are 19: `http`, `serde`, `serde_json`, `serde_urlencoded`, `zeroize` and `base64` with their
//! dependencies; none of them does I/O or reads a clock.
//!
//! # Panics, errors and secrets
//!
//! **Input never causes a panic.** `unwrap`, `expect`, `panic!` and indexing are denied by lint outside tests, `unsafe` is
//! forbidden. A panic is a bug of this crate.
//!
//! **The error type says whose fault it is.** [`Misuse`] is the caller's: an id that was never issued, a
//! call to a foreign origin. [`Rejection`](machine::Rejection) and [`UrlError`] name the field of an answer or a URL that
//! cannot be used, before anything is sent. [`ResumeError`] says why a snapshot is rejected. Everything else
//! happened outside: an [`Event`] while the session goes on, a [`CloseReason`] with its
//! [advice](CloseReason::advice) when it has ended. A late answer is normal: [`Handled::Stale`].
//!
//! **Errors describe a response without its values.** A [`ResponseSummary`](machine::ResponseSummary) gives step, status, length,
//! and the keys and types of a JSON body; error texts of parsers, which quote values, are dropped. Text
//! from a server is cut and escaped ([`ServerText`](machine::ServerText)).
//!
//! **Secrets are wiped on drop and print as `Secret(..)`.** Only explicitly named methods expose them:
//! [`Outgoing::into_request`], [`Secret::expose`], [`Snapshot::expose_secrets`]. `http` and HTTP clients do not wipe what
//! they free.
//!
//! # Intentional omissions
//!
//! - **No async in the core.** A machine is a value that is polled, so a dropped future cannot harm it; [`drive`] has the
//!   futures.
//! - **No clock, no timers.** [`Timestamp`]s are wall time, since monotonic clocks stop in suspend and
//!   mean nothing in a snapshot.
//! - **No locks.** The adapters share a session: see `drive::Handle`.
//! - **No redirects, no client-side cookie jar, no proxy from the environment.** A redirect could carry a token elsewhere,
//!   and a cookie of another session could hide that a token has expired. Cookies that are a session's tokens are part of
//!   its state ([`wire::Cookies`]).
//! - **No XML for CBRAIN.** The portal calls its XML not fully supported; JSON has the same content.
//! - **No browser.** Where a provider requires one, [`NeedKind::Browser`] and [`NeedKind::Redirect`] give the URL.
//! - **No storage.** [`Output::Save`] says when to store, the program decides where.
//! - **No market data, orders or jobs.** Those are the user's own calls.

// Marks in the documentation which feature an item needs; docs.rs sets `docsrs`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]
// Nothing panics on input; tests may.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod drive;
mod engine;
pub mod machine;
pub mod provider;
pub mod providers;
mod redact;
pub mod secret;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
#[cfg(feature = "totp")]
pub mod totp;
mod url;
pub mod wire;

pub use engine::Session;
pub use http;
pub use machine::call::{AuthorizeError, Handled, Misuse, Ticket};
pub use machine::close::CloseReason;
pub use machine::contract::Machine;
pub use machine::event::Event;
pub use machine::exchange::{Failure, Outgoing, RequestId, Response};
pub use machine::need::{Credentials, Input, InputHandled, Need, NeedId, NeedKind, Source};
pub use machine::options::{Options, Relogin, Seed};
pub use machine::output::{Output, WaitingOn};
pub use machine::snapshot::{ResumeError, Snapshot};
pub use machine::status::{Phase, Status};
pub use provider::Provider;
pub use secret::{Secret, SecretBytes};
pub use time::Timestamp;
pub use url::{BaseUrl, UrlError};

// What the guides show needs all features, and no program needs the guides.
#[cfg(all(any(doc, doctest), feature = "ureq", feature = "sim", feature = "ibkr-oauth", feature = "testing"))]
pub mod guide;
