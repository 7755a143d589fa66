//! What is to be done while a session is usable.

use core::time::Duration;

use super::Verdict;
use crate::Timestamp;

/// What is to be done while a session is usable.
///
/// ```
/// use core::time::Duration;
/// use sansession::provider::{Plan, Verdict, When};
///
/// const HOUR: Duration = Duration::from_secs(3_600);
///
/// // After a login: a look each hour, the access token each six hours, and the consent on the sixth day.
/// let verdict: Verdict<&str> = Plan::new()
///     .keepalive("look", HOUR)
///     .renew("refresh", When::In(HOUR * 6))
///     .renew("consent", When::In(HOUR * 24 * 6))
///     .into();
/// // After each look: it lives, and what was planned stays planned.
/// let lives: Verdict<&str> = Verdict::alive();
/// # let _ = (verdict, lives);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan<S> {
    /// Whether what was planned before stays where nothing else is said.
    pub stays: bool,
    /// The step that keeps the session usable, and how often.
    pub keepalive: Option<(S, Duration)>,
    /// When the tokens end, as far as known.
    pub expires: Option<When>,
    // Most providers have one or two, for which nothing is allocated.
    renewals: [Option<(S, When)>; 2],
    more: Vec<(S, When)>,
}

impl<S> Plan<S> {
    /// Creates a plan that takes the place of the one before: what is not said in it is not done.
    pub const fn new() -> Self {
        Self { stays: false, keepalive: None, expires: None, renewals: [None, None], more: Vec::new() }
    }

    /// Creates a plan that changes the one before: what is not said in it stays planned as it is.
    pub const fn staying() -> Self {
        Self { stays: true, keepalive: None, expires: None, renewals: [None, None], more: Vec::new() }
    }

    /// Keeps the session usable with a step, so often.
    #[must_use]
    pub fn keepalive(self, step: S, every: Duration) -> Self {
        Self { keepalive: Some((step, every)), ..self }
    }

    /// Renews something with a step at some time; or looks then whether the session still lives, since it may have ended
    /// although nothing speaks against it. There may be several, one for each step: the last word on a step counts.
    ///
    /// A renewal that is planned already comes no later because the same length of time is named again. Once it has succeeded it
    /// is not planned any more: the verdict on it says when the next one is due. One that failed is tried again at the pace
    /// of its rule, whatever else goes on.
    #[must_use]
    pub fn renew(mut self, step: S, when: When) -> Self {
        match self.renewals.iter_mut().find(|renewal| renewal.is_none()) {
            Some(free) => *free = Some((step, when)),
            None => self.more.push((step, when)),
        }
        self
    }

    /// Returns when the tokens end. Passing it proves nothing: the session is checked then.
    #[must_use]
    pub fn expires(self, when: When) -> Self {
        Self { expires: Some(when), ..self }
    }

    /// Returns the renewals, in the order in which they were named.
    pub fn renewals(&self) -> impl Iterator<Item = &(S, When)> {
        self.renewals.iter().flatten().chain(&self.more)
    }

    /// Leaves out the renewals of some steps.
    #[must_use]
    pub fn without(mut self, left_out: impl Fn(&S) -> bool) -> Self {
        for renewal in &mut self.renewals {
            renewal.take_if(|(step, _)| left_out(step));
        }
        self.more.retain(|(step, _)| !left_out(step));
        self
    }
}

impl<S> Default for Plan<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> From<Plan<S>> for Verdict<S> {
    fn from(plan: Plan<S>) -> Self {
        Self::Active(plan)
    }
}

/// An instant, or a length of time from now.
///
/// The difference matters when this machine's clock is set: what a server named stays, a length of
/// time stays a length of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum When {
    /// At an instant that the server named.
    At(Timestamp),
    /// After so long.
    In(Duration),
}
