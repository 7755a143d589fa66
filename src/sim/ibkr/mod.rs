//! The simulators of Interactive Brokers' servers.

#[cfg(feature = "ibkr-oauth")]
pub mod oauth;
#[cfg(feature = "ibkr-oauth")]
pub mod oauth2;
#[cfg(feature = "ibkr-oauth")]
pub mod oauth_keys;
#[cfg(feature = "ibkr-oauth")]
mod oauth_text;
