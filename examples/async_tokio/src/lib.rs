//! A session kept alive on tokio, with hyper.

pub mod client;
pub mod driver;
pub mod session;
