//! OAuth 2 at any server: a session that is opened, renewed without a gap, consented to again in time, and revoked.
//!
//! [`wire`] has every request and every answer for use alone; [`OAuth2`] is the session. Facts are from the RFCs that each
//! place names, and from what was seen of servers.
//!
//! # Steps
//!
//! | step | request | when |
//! |---|---|---|
//! | `discover` | `GET` of the issuer's metadata | at the opening, where an issuer is configured and nothing is known of it; never while the session lives |
//! | `register` | `POST` to the registration endpoint | where the client is [registered](ClientOf::Register) and has no id yet, or the server has forgotten it, once |
//! | `code` | the code of a redirect, with PKCE | when a person has consented |
//! | `device-begin`, `device-poll` | the device grant | at the opening, and for each new consent |
//! | `grant` | client credentials | at the opening and as the renewal |
//! | `refresh` | the refresh token | before the access token ends: at least 30 s and at most a tenth of its life earlier, spread by the seed; and once where a call is refused with `invalid_token` |
//! | `revoke` | the refresh token, then the access token | at the logout |
//! | `probe` | a `GET` that the user names ([`OAuth2::probe`]) | against a doubt |
//!
//! # Needs
//!
//! | need | why it comes (again) |
//! |---|---|
//! | [`NeedKind::Redirect`](crate::NeedKind::Redirect), for the code grant | A person opens [`Need::url`](crate::Need::url) and consents; the answer ([`Input::Redirect`](crate::Input::Redirect)) is the URL that the browser is sent to then, or what people paste for it: [`wire::Redirect::read`]. One of another attempt is [rejected](crate::machine::Rejection::Unfit) with the reason, and the question stays. `Renewing`: the consent ends soon, or there is no refresh token; the session goes on. `Lost`: it is unknown whether a refresh token or a code was used up. `Refused`: the code was not taken. `Expired`: the consent is dead. While the access token is good the session goes on, whatever the reason |
//! | [`NeedKind::Browser`](crate::NeedKind::Browser), for the device grant | A person opens the URL on any device and types [`Prompt::user_code`](crate::machine::Prompt::user_code); [`Event::ActionRequired`](crate::Event::ActionRequired) tells both as well. The session notices by itself. The reasons are the same, and `Stale`: the code is over; [`Input::Done`](crate::Input::Done) begins again |
//! | [`NeedKind::GatewayToken`](crate::NeedKind::GatewayToken), for [`Grant::Given`] | a refresh token from the server's page |
//! | [`NeedKind::Signature`](crate::NeedKind::Signature), for [`ClientOf::jwt`] | each request has an assertion of its own: sign the digest with RSASSA-PKCS1-v1_5 |
//!
//! A person who says no to the next consent, on the page or with [`Input::GiveUp`](crate::Input::GiveUp), is not asked again before the
//! present one is over, and the session of today goes on.
//!
//! # Deadlines
//!
//! Those that the server names, counted from when the request left. Where it names none, the access token is renewed when a
//! call is refused. The end of a consent is asked for a fourteenth of its life before: half a day of a week. Every request has 10 s.
//!
//! # A refresh token that rotates
//!
//! Such a token serves once, and its second use kills the consent at most servers. So a renewal is stored before it leaves
//! ([`Rule::rotates`](crate::provider::Rule::rotates)), and one whose answer was lost is **not** sent again, unless the server is known not
//! to rotate ([`Rotation::Fixed`], or it has shown so) or forgives a repetition ([`Rotation::Grace`]). The session goes on with its
//! access token, in doubt, and a person is asked at once; an answer that comes late is taken all the same. When the access token
//! ends before anybody has consented, no call leaves any more, and the question stays.
//!
//! A refresh token that the server calls dead (`invalid_grant`, or its [own word](OAuth2::dead_word)) ends nothing at once either: the
//! access token is used to its end while a person is asked. Then the session is over, as [`Options::relogin`](crate::Options::relogin) says.
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the tokens were revoked, with those that a lost renewal may have left, or the server has no revocation ([`Event::MayLiveOn`](crate::Event::MayLiveOn) tells) | nothing |
//! | `logged-out.unconfirmed` | the revocation got no answer, or was refused | end the consent on the server's page |
//! | `left` | its tokens were adopted, and [`Options::ends`](crate::Options::ends) spares them | nothing |
//! | `denied.refused` | the code was not taken, and no other one came | consent again |
//! | `denied.gateway-token` | the refresh token that was given is dead, and no other one came | make a new one on the server's page |
//! | `denied.unanswered` | nobody answered | answer |
//! | `denied.rejected` | the person said no, or the server refuses this client or this request whatever is tried: its words | mend the configuration |
//! | `denied.not-entitled` | a required scope was not granted, or another one than the allowed ones was; the tokens were revoked, as by a logout ([`Event::MayLiveOn`](crate::Event::MayLiveOn) where that failed) | consent to what is asked for |
//! | `expired` | the consent is dead: expired, revoked, or its token was used twice | consent again, or let [`Options::relogin`](crate::Options::relogin) ask |
//! | `retries-exhausted` | the server was out of reach during the opening | try again later |
//! | `protocol` | an answer that is not OAuth's; metadata of another issuer | look at the shape |
//!
//! # Moving a session
//!
//! To another process and address: yes, to **one** place at a time. Two processes that renew with one refresh token kill the
//! consent of both.
//!
//! # Each grant
//!
//! All that is here needs no network: a driver ([`drive`](crate::drive)) sends what leaves, stores what is to be saved, and brings
//! the answers. Each example stops where the first request or the first question comes out.
//!
//! A person consents in a browser:
//!
//! ```
//! use sansession::providers::oauth2::{ClientOf, Grant, OAuth2, Server, wire::Endpoint};
//! use sansession::{Machine, Options, Output, Session, WaitingOn};
//!
//! # let (seed, now) = ([7; 32], sansession::Timestamp::from_secs(1_790_000_000));
//! let server = Server::endpoints("https://login.example.org/token")?
//!     .authorization(Endpoint::parse("https://login.example.org/authorize")?);
//! let grant = Grant::Code { redirect: "http://127.0.0.1:8400/callback".into() };
//! let provider = OAuth2::new(server, grant, ClientOf::public("my-app")).scopes("read", "read write");
//! let mut session = Session::new(provider, Options::default(), seed);
//! session.start(now);
//! while let Output::Save | Output::Event(_) = session.poll(now) {} // store `session.snapshot()` at each `Save`
//! let WaitingOn::Need(need) = session.status().on else { return Err("nobody is asked".into()) };
//! // Show it; the address that the browser comes back to is the answer: `Input::Redirect`.
//! assert!(need.url.unwrap().starts_with("https://login.example.org/authorize?response_type=code&client_id=my-app"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A person consents on another device. Where an issuer is named, its metadata are looked up first:
//!
//! ```
//! use sansession::providers::oauth2::{ClientOf, Grant, OAuth2, Server};
//! use sansession::{Machine, Options, Output, Session};
//!
//! # let (seed, now) = ([7; 32], sansession::Timestamp::from_secs(1_790_000_000));
//! let server = Server::issuer("https://login.example.org")?;
//! let provider = OAuth2::new(server, Grant::Device, ClientOf::public("my-tv")).scopes("read", "");
//! let mut session = Session::new(provider, Options::default(), seed);
//! session.start(now);
//! let request = loop {
//!     if let Output::Send(outgoing) = session.poll(now) {
//!         break outgoing.into_request();
//!     }
//! };
//! assert_eq!(request.uri(), "https://login.example.org/.well-known/oauth-authorization-server");
//! # Ok::<(), sansession::UrlError>(())
//! ```
//!
//! A machine has tokens of its own, and nobody is asked:
//!
//! ```
//! use sansession::providers::oauth2::{ClientOf, Grant, OAuth2, Server};
//! use sansession::{Machine, Options, Output, Session};
//!
//! # let (seed, now) = ([7; 32], sansession::Timestamp::from_secs(1_790_000_000));
//! let server = Server::endpoints("https://login.example.org/token")?;
//! let provider = OAuth2::new(server, Grant::ClientCredentials, ClientOf::basic("daemon", "secret")).scopes("read", "");
//! let mut session = Session::new(provider, Options::default(), seed);
//! session.start(now);
//! let request = loop {
//!     if let Output::Send(outgoing) = session.poll(now) {
//!         break outgoing.into_request();
//!     }
//! };
//! assert_eq!(request.body().as_slice(), b"grant_type=client_credentials&scope=read");
//! # Ok::<(), sansession::UrlError>(())
//! ```
//!
//! Somebody has a refresh token, from a page of the server's or from another program:
//!
//! ```
//! use sansession::providers::oauth2::{ClientOf, Given, Grant, OAuth2, Server};
//! use sansession::{Machine, Options, Output, Secret, Session};
//!
//! # let (seed, now) = ([7; 32], sansession::Timestamp::from_secs(1_790_000_000));
//! let server = Server::endpoints("https://login.example.org/token")?;
//! let provider = OAuth2::new(server, Grant::Given, ClientOf::post("my-app", "secret"));
//! let tokens = Given::refresh(Secret::from("from-the-page"));
//! let mut session = Session::adopt(provider, tokens, Options::default(), seed)?;
//! session.start(now);
//! assert!(matches!(session.poll(now), Output::Save), "it may serve once, so it is stored before it leaves");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Traps
//!
//! Sources: the RFCs, reports of clients that broke, and a certified OpenID provider with rotation.
//!
//! - **A refresh token that comes a second time kills the consent**, the newest tokens included, also where the answer to its
//!   first use was lost. Two programs that share a file of tokens do this to each other: one session, one place.
//! - **A refresh token that is missing in a renewal's answer, `null` or empty, is the old one**, and not none.
//! - **An error with status 200**, lives that are text, answers that are forms and answers without `token_type` are read all the same.
//!   A status in words (`"error":"Bad Gateway"`), or whatever a server in trouble writes there, is no error of OAuth.
//! - **A page of an edge judges nothing**: 403 as HTML comes and goes by itself. Edges refuse requests without `User-Agent`.
//! - **Only `invalid_grant` proves that a consent is dead**, and no server says why. `invalid_client` is the configuration, or a
//!   registration that the server has pruned: a client that registers itself does so again, once.
//! - **A page that says "unknown client" comes back to nobody.** The question for a consent has no other end than its answer: ask for
//!   the session again, and it registers again.
//! - **A bare 401 to a call may be the call's own fault.** Without a [probe](OAuth2::probe) the look is a renewal, so there is one in
//!   a quarter of an hour.
//! - **Revoking an access token kills the refresh token at some servers**: only a logout revokes, the refresh token first. One whose
//!   renewal got lost is revoked as well: its successors may live on.
//! - **An absolute end is not moved by renewals**, and hardly a server names it: [`OAuth2::refresh_lasts`].
//! - **Registered redirect URIs are compared to the letter**, the port included, whatever RFC 8252 says of loopback addresses.
//!
//! # States
//!
//! The phases and questions, and the transitions between them, generated from walks through all states. With
//! [`Grant::Code`]:
//!
#![doc = include_str!("code.md")]
//!
//! With [`Grant::Device`]:
//!
#![doc = include_str!("device.md")]
//!
//! With [`Grant::ClientCredentials`]:
//!
#![doc = include_str!("client_credentials.md")]
//!
//! With [`Grant::Given`] and a [probe](OAuth2::probe):
//!
#![doc = include_str!("given.md")]

mod config;
mod consent;
mod end;
mod judge;
mod named;
mod request;
mod session;
mod state;
mod tokens;
mod who;
pub mod wire;

pub use self::config::{Grant, OAuth2, Rotation, Server};
pub use self::named::{schwab, tastytrade};
pub use self::state::{Given, OAuth2Live, OAuth2State, OAuth2Step};
pub use self::who::{ClientOf, Described};
