//! Servers that mean no good, and secrets that must not show themselves, neither in texts nor in freed memory.

mod abuse;
mod allocator;
mod freed;
mod held;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
