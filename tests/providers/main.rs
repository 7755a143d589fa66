//! Each provider, step by step and trap by trap, and days and weeks of it before its simulator.

mod cbrain;
mod cbrain_golden;
mod cbrain_simulated;
mod ibkr_direct;
mod ibkr_gateway;
mod ibkr_week;
mod kotak;
mod oauth2;
mod restarts;
#[path = "../support/specification.rs"]
mod specification;
#[path = "../support/mod.rs"]
mod support;
