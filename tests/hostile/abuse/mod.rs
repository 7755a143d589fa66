//! Servers and users that mean no good: whatever they send, time, memory and requests stay bounded.
//!
//! All but the server that sends a byte at a time runs in virtual time. What each provider is asked and
//! answered stands in `world`.

mod bodies;
mod direct;
mod fields;
pub mod memory;
mod refused;
mod servers;
mod slow;
mod world;
