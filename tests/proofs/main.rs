//! What holds for every provider in every run: laws, walks, years on bad networks, and what the sources promise.

mod corpus;
mod faults;
mod foreign;
#[path = "../fuzzed/mod.rs"]
mod fuzzed;
mod harness;
mod laws;
mod layers;
mod links;
mod manifest;
mod pages;
mod shown;
#[path = "../support/specification.rs"]
mod specification;
#[path = "../support/mod.rs"]
mod support;
mod walk;
