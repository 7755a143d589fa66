//! What a test does to a simulated gateway.

use core::time::Duration;

use super::{Login, Outage};
use crate::sim::Mishap;

/// Something that happens to a gateway, now by [`GatewaySim::pull`](super::GatewaySim::pull) or later by
/// [`GatewaySim::schedule`](super::GatewaySim::schedule).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Lever {
    /// A person logs in in the browser.
    LogIn(Person),
    /// From now on somebody logs in by themselves, or nobody does.
    Login(Login),
    /// The login ends for no reason that a client could see.
    EndLogin,
    /// The brokerage session ends for no reason that a client could see.
    EndBrokerage {
        /// Whether the flags go on saying `connected:true`; a session was revived that said `false`.
        connected: bool,
    },
    /// The login lives on and no brokerage session can be had any more, as was reported to last for hours: the
    /// status has all flags false, an init or reauthenticate opens nothing. Only another login ends it.
    Wedge,
    /// Another client takes the brokerage session, and throws this one out.
    RivalTakes(Rival),
    /// The other client logs out.
    RivalLeaves,
    /// The counter `ssoExpires` renews itself no more: the login ends when it is zero.
    StopRenewing,
    /// All calls fail for a while.
    Outage {
        /// How long.
        lasts: Duration,
        /// How.
        outage: Outage,
    },
    /// The next requests meet a mishap.
    Mishap {
        /// How many of them.
        next: usize,
        /// Only those whose path ends like this; all if it is empty.
        path: &'static str,
        /// What they meet.
        mishap: Mishap,
    },
    /// From now on some tickles fail by chance, or none.
    Flaky(Option<Flaky>),
    /// The client's address is put into the penalty box.
    Penalty,
}

/// Who logs in in the browser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The user's name.
    pub user: String,
    /// Whether it is the account with play money.
    pub paper: bool,
}

impl Person {
    /// Returns the number of the person's account.
    pub fn account(&self) -> &'static str {
        if self.paper { "DU0000001" } else { "U0000001" }
    }
}

impl Default for Person {
    /// The user `tester` on the paper account.
    fn default() -> Self {
        Self { user: "tester".into(), paper: true }
    }
}

/// Another client that wants the one brokerage session of the user: the desktop program, the phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rival {
    /// Whether the flags say `competing:true`. They were seen to say `false` while a rival held the session.
    pub shows: bool,
    /// How an init without the compete flag is refused.
    pub refusal: RefusedInit,
    /// How long after having been thrown out it takes the session again; never if there is none.
    pub returns: Option<Duration>,
}

/// How an init is refused, inside HTTP 200.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum RefusedInit {
    /// `passed:false`.
    #[default]
    Passed,
    /// A `fail` text that asks for the compete flag.
    Fail,
}

/// Tickles that fail by chance.
#[derive(Clone, Debug)]
pub struct Flaky {
    /// How many in a hundred.
    pub percent: u8,
    /// What they meet.
    pub mishap: Mishap,
}
