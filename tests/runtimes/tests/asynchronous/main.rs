//! Sessions in the hands of tasks, against simulators over loopback.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "these tests are about sockets and time")]

mod cancel;
mod client;
mod cut_answers;
mod dropped;
mod events;
mod faulty;
mod gateway;
mod panics;
mod runtimes;
mod sharing;
mod stops;
mod virtual_time;
mod ways;
