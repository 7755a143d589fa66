//! How a session behaves where its owner has a say.

use core::fmt;
use core::time::Duration;

use super::Ends;
#[cfg(doc)]
use crate::{Machine, Output, Source};

/// How a session behaves where its owner has a say.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What follows a proven expiry. Default: [`Relogin::Never`], since a login may throw somebody out.
    pub relogin: Relogin,
    /// How long trouble may last before an opening is given up. Default: none; an opening gives up by
    /// the number of its attempts. A step that the protocol has planned, and not a failure, is still made where it is due
    /// within a quarter of that time after it: IBKR's inits come no faster than once a minute.
    pub patience: Option<Duration>,
    /// How long trouble may last before a session that has been open is given up, be it that nothing answers or that
    /// the login lives and no usable session comes of it. Default: none, since an outage ends no session. The
    /// [snapshot](Machine::snapshot) of one that was given up stays that of an open session:
    /// [`CloseReason::GivenUp`](crate::CloseReason::GivenUp).
    pub open_patience: Option<Duration>,
    /// How many unattended answers ([`Source::Store`]) of one login may be refused before a person has to give the next
    /// one. Default: 1, since accounts lock after about three at some providers (Kotak; not CBRAIN).
    ///
    /// One that got no clear reply (a timeout, a cut connection, an unreadable page) may have been refused and counts as
    /// well. The count is in every snapshot: [`Session::resume`](crate::Session::resume) goes on with it, and
    /// [`Session::remember`](crate::Session::remember) takes it over from a session that has closed, so it holds over
    /// all processes of a program that stores its snapshots. An answer that the server accepts sets back what counts against
    /// its kind. Nothing is kept of the answers themselves, so a changed password is not taken for a new chance: somebody
    /// gives it once as [`Source::Person`].
    pub max_refused: u8,
    /// Whether [`Output::Save`] comes before every request whose replay would do harm, after what it brought, and when
    /// the session opens, is usable again, expires or is refused.
    pub durable: bool,
    /// Whether the program stores nothing at all, not even the tokens that a server takes only once
    /// ([`Rule::rotates`](crate::provider::Rule::rotates)); off. With it there is no [`Output::Save`] for them, and a login is lost
    /// with the process. Without it a session that may have such tokens says `Save` first of all, before anybody is asked for
    /// anything: a program that cannot store it should end there.
    pub forgetful: bool,
    /// What a logout ends at the server. Default: [`Ends::Opened`], since ending a login that was found living costs a
    /// person another one.
    pub ends: Ends,
    /// How long a logout is tried. Default: 30 s, since a program that ends has no longer.
    pub logout_patience: Duration,
    /// The name of the way out of this network, for providers that bind tokens to an IP address.
    pub egress_label: Option<Box<str>>,
    /// The largest answer in bytes that is read. Default: 1 MiB; the largest one known has 3 KiB.
    pub max_body: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            relogin: Relogin::Never,
            patience: None,
            open_patience: None,
            max_refused: 1,
            durable: false,
            forgetful: false,
            ends: Ends::Opened,
            logout_patience: Duration::from_secs(30),
            egress_label: None,
            max_body: 1 << 20,
        }
    }
}

/// What follows a proven expiry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Relogin {
    /// The session closes.
    Never,
    /// The session asks for a new login, at most so often in any 24 hours; then it closes.
    AskAgain {
        /// How often in 24 hours.
        per_day: u8,
    },
}

/// 32 bytes of randomness from the caller, the only ones that ever enter a session.
///
/// Take them from the system (`getrandom`; with the feature `ureq`, `drive::seed()`). They are
/// never stored in a snapshot: a resume takes fresh ones.
pub struct Seed(pub(crate) zeroize::Zeroizing<[u8; 32]>);

impl Seed {
    /// Creates a seed from 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(zeroize::Zeroizing::new(bytes))
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}
