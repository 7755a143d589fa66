//! The shortest programs with a session: [blocking](../src/bin/short_blocking.rs), [on tokio](../src/bin/short_async.rs),
//! [on tokio with reqwest](../src/bin/short_reqwest.rs). The README and the guides show them.

/// Compiles the programs of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
