//! The laws that every provider must keep, as a harness: one line checks a provider written anywhere.
//!
//! ```
//! use sansession::providers::cbrain::Cbrain;
//! use sansession::testing::{Laws, Sample};
//! use sansession::{BaseUrl, Secret};
//!
//! let provider = || Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap();
//! Laws::new(provider)
//!     .sample(Sample::json(200, r#"{"user_id": 2, "cbrain_api_token": "0123"}"#))
//!     .tokens(|| Secret::from("0123"))
//!     .cases(10)
//!     .check();
//! ```
//!
//! A run makes calls on a session in any order: it polls, sleeps, lets the clock jump both ways, answers
//! rightly and wrongly, in time and late, authorizes calls and observes their outcome, writes
//! snapshots, dies and resumes. A server that means no good answers with samples under any status, with
//! junk, with pages, with too much, with any `Retry-After`, or not at all. What it finds, it shrinks to
//! a short run and panics with that run's transcript and the law that it broke.
//!
//! With a [simulator](Laws::simulator) behind the provider it sees more: see [`Simulated`] for how to write one. Whole
//! lives are lived before it, first such in which nothing goes wrong (with restarts, with wrong answers, logged out at
//! each moment), then one for each request and each thing that can happen to it: it does not leave, it or its answer is
//! lost, the process dies, a proxy answers with a page. What breaks a law is told with that life.
//!
//! ```
//! use http::{Request, Response};
//! use sansession::providers::cbrain::Cbrain;
//! use sansession::testing::{Laws, Simulated};
//! use sansession::{BaseUrl, Credentials, Input, Need, Timestamp};
//!
//! #[derive(Default)]
//! struct Portal {
//!     token: Option<String>,
//!     issued: Vec<String>,
//! }
//!
//! impl Simulated for Portal {
//!     fn handle(&mut self, _: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
//!         let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
//!         let known = self.token.is_some() && given.and_then(|value| value.strip_prefix("Bearer ")) == self.token.as_deref();
//!         let body = String::from_utf8_lossy(request.body());
//!         let (status, said) = match request.method().as_str() {
//!             "POST" if body.contains("password=right-one") => {
//!                 let token = format!("{:032}", self.issued.len());
//!                 self.issued.push(token.clone());
//!                 self.token = Some(token);
//!                 (200, format!(r#"{{"user_id": 2, "cbrain_api_token": "{}"}}"#, self.issued[self.issued.len() - 1]))
//!             }
//!             "GET" if known => (200, format!(r#"{{"user_id": 2, "cbrain_api_token": "{}"}}"#, self.issued[self.issued.len() - 1])),
//!             "DELETE" if known => {
//!                 self.token = None;
//!                 (200, String::new())
//!             }
//!             _ => (401, String::new()),
//!         };
//!         Response::builder().status(status).header("content-type", "application/json").body(said.into_bytes()).unwrap()
//!     }
//!
//!     fn answer(&mut self, _: Timestamp, _: &Need) -> Option<Input> {
//!         Credentials::new("norm", "right-one").ok().map(Input::Credentials)
//!     }
//!
//!     fn secrets(&self) -> &[String] {
//!         &self.issued
//!     }
//!
//!     fn is_open(&self, _: Timestamp) -> Option<bool> {
//!         Some(self.token.is_some())
//!     }
//! }
//!
//! Laws::new(|| Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap())
//!     .simulator(Portal::default)
//!     .lasts(std::time::Duration::from_secs(24 * 60 * 60))
//!     .cases(10)
//!     .check();
//! ```
//!
//! The laws:
//!
//! 1. *No panic, no spin*: every call comes back, and a poll at one instant ends in `Wait` or `Closed`.
//! 2. *One at a time*: no request leaves before the last one was reported or given up with `Cancel`.
//! 3. *Ids*: no request id repeats, also if one snapshot is resumed twice.
//! 4. *Deadlines*: `Wait.until` is `deadline()`, is later than now, and no further away than the
//!    longest length that the provider's rules and verdicts name, after any jump of the clock.
//! 5. *No dead end*: a session that waits for ever waits for a person, for its start, or is active and not in doubt.
//! 6. *Answers*: an answer that a server may have judged never leaves again, and none is sent by a step that does not spend one.
//! 7. *No login without its answer*: a step that spends an answer is built with one of its kind.
//! 8. *Taken answers*: an answer that was taken is sent, or grows stale, or is made needless; it is not asked for again unsent.
//! 9. *Unattended answers*: once `max_refused` were refused, or may have been, none leaves before the next success:
//!    wherever it crashes, and in a new session that knows what the last one has cost. A person's answer lets a program
//!    answer the other questions.
//! 10. *Write-ahead*: with `durable`, a harmful step leaves only while the stored snapshot names it.
//! 11. *No harm twice*: with `durable`, whatever the crash point, a harmful step of unknown fate is not
//!     sent again before the server was asked or the provider said how to go on.
//! 12. *Outages close nothing*: an active session is closed by a logout, a proof of death or a verdict to close,
//!     never by failures or unreadable answers.
//! 13. *Penalties*: nothing leaves before a served `Retry-After` (or its cap: 15 minutes, twice as long each
//!     time that it is exceeded in a row, 4 hours at most) or a penalty box ends.
//! 14. *Closed is absorbing*: every later poll says the same reason, and so does a resumed snapshot.
//! 15. *Snapshots*: written, resumed and written again, a session is the same but for its epoch; with a
//!     request in flight it is what that request's unknown fate would have left. It shows the same ([`Laws::live`]), and
//!     before a simulator signs a call with the same.
//! 16. *Logout*: from every state it leads to `Closed` in bounded time, whatever the server does. Before a simulator:
//!     where nothing is open nothing is sent, and what counts as confirmed is over there.
//! 17. *Late news*: a report for an id that is over, an observation with a ticket of earlier tokens and
//!     an answer to a question that is over change nothing; an id that was never issued is misuse.
//!     Before a simulator: where calls are signed with something else than before, the earlier ones are of earlier tokens.
//! 18. *Nothing shows an answer*: not a snapshot, not the `Debug` of an output; and a header that carries one, or a
//!     token of the simulator's, is marked as sensitive.
//! 19. *Bounded pace*: however fast and whatever the server answers, an hour has no more than
//!     [`Laws::per_hour`] requests.
//! 20. *Foreign hosts*: a call to another origin is never authorized.
//! 21. *Gets in*: some run makes the session active. Where none does, the provider takes no good answer, or no sample is
//!     one, and the other laws have seen only how a session is not opened.
//!
//! Before a simulator also:
//!
//! 22. *Values for one use*: what the server has taken and takes once ([`Simulated::spent`]) is in no later request, be it in
//!     the query, in a header or in the body, whatever was lost; with `durable` also wherever the process died.
//! 23. *Pages*: a page of HTML in the server's place is no proof of life, of death or of a logout and no refusal, whatever
//!     its status.
//! 24. *The user's own calls*: while nothing goes wrong, none that the session has authorized is
//!     [refused](Simulated::refuses); some time after a mishap none is again.
//! 25. *Renewals*: while nothing goes wrong, what a verdict plans to renew is renewed.
//! 26. *A calm life*: while nothing goes wrong and each question is answered, one login lasts ([`Laws::lasts`]): with all
//!     renewals of its tokens and consents the session does not die, and each step can be built.
//! 27. *Refusals*: an answer that the server refuses is asked for again as [refused](crate::machine::NeedReason::Refused).
//! 28. *Mishaps pass*: whatever happens to one request, a session that was active is so again.

mod answers;
mod bytes;
mod calls;
mod check;
mod course;
mod diff;
mod given;
mod known;
mod late;
mod laws;
mod outputs;
mod own_calls;
mod pace;
mod recorder;
mod restart;
mod sample;
mod served;
mod simulated;
mod twist;
mod walk;
mod wire;
mod world;

pub use self::check::Laws;
pub use self::sample::Sample;
pub use self::simulated::Simulated;
pub use self::walk::{Map, Walk};
