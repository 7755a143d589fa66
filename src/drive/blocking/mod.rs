//! The blocking adapter on ureq: sockets, clock, threads and randomness for the machines.
//!
//! - [`Transport`] sends requests, the machine's and the user's own, and says honestly whether a
//!   failed one may have arrived. [`Trust`](super::Trust) says which certificates it takes.
//! - [`Handle`](super::Handle) is one session in the hands of several threads.
//! - [`drive`] takes it through its life in one of them; a [`Driver`] answers what it needs.
//! - [`RedirectListener`] waits at a loopback address for the browser of a person who has consented.
//! - [`now`](super::now) and [`seed`](super::seed) are the clock and the randomness of this machine.
//!
//! ```no_run
//! use sansession::drive::{blocking::{drive, Transport}, Answer, Ended, Handle, Stop};
//! use sansession::{Source, Credentials, Input, Machine, Need};
//!
//! fn run(session: impl Machine + 'static) -> Result<Ended, Box<dyn std::error::Error>> {
//!     let (handle, transport) = (Handle::new(session), Transport::new()?);
//!     let (other, other_transport) = (handle.clone(), transport.clone());
//!     std::thread::spawn(move || {
//!         let request = http::Request::get("/userfiles").body(Vec::new()).unwrap();
//!         match other.call(&other_transport, request) {
//!             Ok(response) => println!("{}", response.status()),
//!             Err(error) => println!("{error}"),
//!         }
//!         other.stop(Stop::Logout);
//!     });
//!     let mut password = |_: &Need| match std::env::var("PASSWORD").map(|text| Credentials::new("me", text)) {
//!         Ok(Ok(credentials)) => Answer::Now(Input::Credentials(credentials), Source::Store),
//!         _ => Answer::GiveUp,
//!     };
//!     Ok(drive(&handle, &transport, &mut password)?)
//! }
//! ```
//!
//! A driver of one's own is as short:
//!
//! ```no_run
//! use sansession::drive::{Handle, blocking::Transport};
//! use sansession::{CloseReason, Event, Machine, Misuse, Need, Output, Snapshot, WaitingOn};
//!
//! # fn tell(_: Event) {}
//! # fn store(_: Snapshot) {}
//! # fn show(_: &Need) {}
//! fn run<M: Machine>(handle: &Handle<M>, transport: &Transport) -> Result<CloseReason, Misuse> {
//!     handle.start();
//!     loop {
//!         match handle.poll() {
//!             Output::Send(outgoing) => {
//!                 let id = outgoing.id();
//!                 match transport.send(outgoing) {
//!                     Ok(response) => handle.responded(id, &response)?,
//!                     Err(error) => handle.failed(id, error.failure)?,
//!                 };
//!             }
//!             Output::Save => {
//!                 store(handle.snapshot());
//!                 handle.saved();
//!             }
//!             Output::Wait { until, on } => {
//!                 if let WaitingOn::Need(need) = on {
//!                     show(&need); // somebody calls handle.answer(need.id, …)
//!                 }
//!                 handle.wait(until);
//!             }
//!             Output::Event(event) => tell(event),
//!             Output::Cancel(_) => {}
//!             Output::Closed(reason) => return Ok(reason),
//!         }
//!     }
//! }
//! ```
//!
//! # What it leaves out
//!
//! It cannot end a name look-up or a connect that is under way; each takes 10 s at most. Buffers of
//! rustls and ureq, through which secrets pass, are not wiped. Where many sessions share one process,
//! each has its thread; an async runtime carries more of them.

mod call;
mod delivery;
mod drive;
mod error;
mod keeper;
mod park;
mod redirect;
mod resolve;
mod tls;
mod transport;

pub use call::NotActive;
pub use drive::{Driver, drive};
pub use keeper::{Keeper, OpenError, open};
pub use redirect::RedirectListener;
pub use transport::{Transport, TransportBuilder};

#[cfg(test)]
mod tests;
