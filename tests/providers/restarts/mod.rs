//! Programs that are started again and again with an answer that may be wrong: over all starts no more of a program's
//! answers leave than `Options::max_refused` allows, lost ones counted.

mod counts;
mod kinds;
mod loops;
mod service;
