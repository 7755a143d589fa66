//! What drives sessions: over loopback, on threads, and many in one loop.

#[path = "../support/cut.rs"]
mod cut;
mod fleet;
mod ibkr_loopback;
mod keeper;
mod loopback;
#[path = "../support/mod.rs"]
mod support;
