//! The providers, each with its wire layer and its machine.

pub mod ibkr;
