//! The tool as people run it: a process, its lines, its exit code and its files.
//!
//! `cargo test` builds the example that these tests run. Whoever runs this file alone
//! (`cargo test --test tool`) builds it first: `cargo build --example session`.

#![cfg(unix)] // signals and file modes

mod denials;
mod endings;
mod files;
mod ibkr;
mod lives;
mod process;
mod usage;
