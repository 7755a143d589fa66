//! Interactive Brokers: the Client Portal Gateway and the Web API behind it.
//!
//! A session has two tiers. The outer one (SSO, "portal") is what a person's login in a browser
//! opens; it serves `/portfolio` and the like, read-only. The inner one, the brokerage session,
//! serves `/iserver`, and a user name has one of it over all of IBKR's products: desktop, phone, API.
//!
//! - [`gateway`]: how a session at the gateway lives, step by step.
//! - [`wire`]: each operation as a request and a typed response, usable alone.
//! - [`Standing`]: what the flags of a status say together.
//! - [`Refusal`]: what an error answer says, and about which tier.
//! - [`Gateway`]: the session behind a gateway on the user's machine.
//! - `direct` (feature `ibkr-oauth`): the session without one, over OAuth 1.0a or 2.0.
//! - [`Region`]: the midnight at which all sessions end.

mod account;
mod brokerage;
#[cfg(feature = "ibkr-oauth")]
pub mod direct;
#[cfg(feature = "ibkr-oauth")]
mod draw;
mod flags;
pub mod gateway;
#[cfg(feature = "ibkr-oauth")]
mod hex;
#[cfg(feature = "ibkr-oauth")]
pub mod keys;
#[cfg(feature = "ibkr-oauth")]
pub mod oauth1a;
#[cfg(feature = "ibkr-oauth")]
pub mod oauth2;
#[cfg(feature = "ibkr-oauth")]
mod pem;
mod refusal;
mod region;
mod takeover;
mod tier;
pub mod wire;

pub use account::Expect;
#[cfg(feature = "ibkr-oauth")]
pub use direct::{Consent, OAuth, OAuth1a, OAuth2, WebApi};
pub use flags::Standing;
pub use gateway::{Gateway, GatewayLive, GatewayState, GatewayStep};
pub use refusal::Refusal;
pub use region::{Region, UnknownRegion};
pub use takeover::{OrElse, Takeover};
pub use tier::Tier;
