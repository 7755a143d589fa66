//! Guides, with code that is compiled and run as part of the tests.
//!
//! - [`add_a_provider`]: write a provider of your own and check it with the laws.
//! - [`test_your_bot_offline`]: test against simulators, in virtual time or over loopback.
//! - [`running_unattended`]: relogin, takeover, refusals, vaults and HSMs, durable snapshots, health checks, fleets.
//! - [`asynchronous`]: drive a session in any runtime; cancel safety.
//! - [`comparison`]: other programs that hold such sessions, and what they have that this crate does not.

#[doc = include_str!("add_a_provider.md")]
#[doc = "```"]
#[doc = include_str!("../../examples/custom_provider/provider.rs")]
#[doc = "mod server {"]
#[doc = include_str!("../../examples/custom_provider/server.rs")]
#[doc = "}\n"]
#[doc = include_str!("laws.txt")]
#[doc = "```"]
pub mod add_a_provider {}

#[doc = include_str!("test_your_bot_offline.md")]
pub mod test_your_bot_offline {}

#[doc = include_str!("running_unattended.md")]
pub mod running_unattended {}

#[doc = include_str!("asynchronous.md")]
pub mod asynchronous {}

#[doc = include_str!("comparison.md")]
pub mod comparison {}
