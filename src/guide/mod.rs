//! Guides, with code that is compiled and run as part of the tests.
//!
//! - [`add_a_provider`]: a protocol of your own, checked by the laws.
//! - [`test_your_bot_offline`]: simulators, the loopback server, days in milliseconds.
//! - [`running_unattended`]: relogin, takeover, refusals, vaults and HSMs, durable snapshots, health, fleets.
//! - [`asynchronous`]: the driver in any runtime, and what makes it safe to drop.
//! - [`comparison`]: beside other programs that hold such sessions, and what they have that is not here.

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
