//! Interactive Brokers: the client portal gateway and the Web API.

#[cfg(feature = "ibkr-oauth")]
mod draw;
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
