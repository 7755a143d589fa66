//! The tool as people run it: a process, its lines, its exit code and its files.
//!
//! One test runs `examples/session`, which `cargo test` builds. Whoever runs this file alone
//! (`cargo test --test tool`) builds it first: `cargo build --example session`.

#![cfg(unix)] // signals and file modes

mod attack;
mod clients;
mod crowd;
mod denials;
mod doctor;
mod endings;
mod examples;
mod exec;
mod files;
mod flow;
mod front;
mod gateway;
mod home;
mod https;
mod ibkr;
mod kept;
mod killed;
mod kotak;
mod lent;
mod listen;
mod lives;
mod locks;
mod notify;
mod oauth2;
mod oidc;
mod output;
mod patience;
mod planted;
mod process;
mod profiles;
mod restarts;
mod terminal;
mod typos;
mod unsaved;
mod usage;
mod verbs;
