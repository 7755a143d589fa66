//! A fleet of sessions as transcripts: what leaves when, and for whom.

mod boxes;
mod keys;
mod leases;
mod paces;
mod simulated;
mod story;
mod times;
