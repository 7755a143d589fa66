//! A session kept alive on smol: the driver is a loop around `poll`, and no runtime is assumed.

pub mod client;
pub mod driver;
