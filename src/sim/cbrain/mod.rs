//! A simulator of CBRAIN's portal: `/session`, and a few calls of a user's own.
//!
//! It follows recordings of BrainPortal 7.0.0 with forgery protection on, as in production.
//! Notable behaviour:
//!
//! - The `Accept` header decides everything. None, `*/*` and any list with `*/*` in it count as HTML: a
//!   login is then a redirect, a check is 200 with an empty body, and **a logout is a redirect that logs
//!   nobody out**. Unknown types get 401, also with a live token.
//! - A 401 and the 200 of a logout have an empty body.
//! - A wrong password is answered after 3 s. A login that carries a live token answers for that token's
//!   user, whatever the credentials.
//! - A token dies after a day without use, and for good when it comes from another address. `X-Real-IP`,
//!   `X-Forwarded-For` and `Client-IP` are trusted to name that address. Only a
//!   completed action counts as use, recorded at most once a minute.
//! - Three parameters too many on a login ban the client's address for two weeks. Loopback is exempt.
//!
//! Omissions: HTML pages are stubs; there is no login by HTML form, OpenID or JWT
//! ([`CbrainSim::open_in_browser`] replaces them). Of the rest of the API, the calls that concern a session are
//! there (`/groups`, `/users` and below); lists such as `/userfiles` are empty, and
//! nothing can be created. Everything else is 404.
//!
//! ```
//! use sansession::Timestamp;
//! use sansession::sim::{CbrainSim, Simulator};
//!
//! let mut portal = CbrainSim::new(1);
//! portal.add_user("alice", "wonderland");
//! let login = http::Request::post("http://127.0.0.1:3000/session")
//!     .header("accept", "application/json")
//!     .header("content-type", "application/x-www-form-urlencoded")
//!     .body(b"login=alice&password=wonderland".to_vec())?;
//! let reply = portal.handle(Timestamp::from_secs(0), [127, 0, 0, 1].into(), &login);
//! assert_eq!(reply.response.status(), 200);
//! # Ok::<(), http::Error>(())
//! ```

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque, btree_map};

use http::Request;

use super::{Reply, Simulator};
use crate::Timestamp;

mod account;
mod actions;
mod answers;
mod call;
mod filters;
mod others;
mod params;
mod portal;
mod sessions;

use super::mishap::{Mishap, Mishaps, disturbed};
pub use account::Account;
use sessions::Sessions;

/// The id of the first user: the portal's own admin is 1.
const FIRST_USER: u64 = 2;
/// The most entries that the log keeps.
const LOG: usize = 10_000;

/// CBRAIN's portal as a state machine.
pub struct CbrainSim {
    accounts: BTreeMap<u64, Account>,
    sessions: Sessions,
    lock: Option<Lock>,
    /// Whether its database is stopped.
    stopped: bool,
    bans: BTreeMap<IpAddr, Timestamp>,
    seen_from: Option<IpAddr>,
    mishaps: Mishaps,
    log: VecDeque<Entry>,
}

/// The portal is locked for maintenance, with the admin's words.
struct Lock {
    message: Option<String>,
}

/// An entry of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The time.
    pub at: Timestamp,
    /// The action.
    pub outcome: Outcome,
    /// The login name of the account, where there is one.
    pub user: Option<String>,
}

/// An action of the portal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Opened a session for a login and a password.
    LoggedIn,
    /// Answered a login that carried a live token, without checking its credentials.
    LoginReused,
    /// Refused a login: wrong credentials, a locked account or an address outside the whitelist.
    LoginRefused,
    /// Showed a live session on `GET /session`.
    Checked,
    /// Completed another call of a logged-in user.
    Called,
    /// Created a token other than by a login.
    TokenMade,
    /// Ended a session on request.
    LoggedOut,
    /// Refused a token without a session, where the call has no other user.
    TokenRefused,
    /// Ended a session because its token came from another address.
    AddressChanged,
    /// Banned an address.
    Banned,
}

impl CbrainSim {
    /// Creates a portal without users; the same seed gives the same tokens.
    pub fn new(seed: u64) -> Self {
        Self {
            accounts: BTreeMap::new(),
            sessions: Sessions::new(seed),
            lock: None,
            stopped: false,
            bans: BTreeMap::new(),
            seen_from: None,
            mishaps: Mishaps::default(),
            log: VecDeque::new(),
        }
    }

    /// Adds a user, or replaces the one of that login; user ids count from 2.
    ///
    /// Logins match as MariaDB's collation has it: whatever their case, and spaces at the end do not count.
    pub fn add_user(&mut self, login: impl Into<String>, password: impl Into<String>) -> &mut Account {
        let login = login.into();
        let known = self.accounts.values().find(|account| account.matches(&login)).map(Account::id);
        let id = known.unwrap_or(FIRST_USER + self.accounts.len() as u64);
        let account = Account::new(id, login, password.into());
        match self.accounts.entry(id) {
            btree_map::Entry::Vacant(place) => place.insert(account),
            btree_map::Entry::Occupied(mut place) => {
                place.insert(account);
                place.into_mut()
            }
        }
    }

    /// Returns a user's account, whose fields are levers.
    pub fn account(&mut self, login: &str) -> Option<&mut Account> {
        self.accounts.values_mut().find(|account| account.matches(login))
    }

    /// Locks the portal for maintenance: 503 to every JSON or XML call but those of an admin with a live
    /// token, logins of admins included. Sessions survive it.
    pub fn lock_portal(&mut self, message: Option<&str>) {
        self.lock = Some(Lock { message: message.map(str::to_owned) });
    }

    /// Ends the maintenance.
    pub fn unlock_portal(&mut self) {
        self.lock = None;
    }

    /// Stops the portal's database: Rails answers 500 with `{"status":500,"error":"Internal Server Error"}`, or the
    /// same as XML or a page, to everything. Nothing is lost by it.
    pub fn stop_database(&mut self) {
        self.stopped = true;
    }

    /// Starts the database again.
    pub fn start_database(&mut self) {
        self.stopped = false;
    }

    /// Locks an account as an admin does on its page: all its sessions end too.
    ///
    /// [`Account::locked`] alone is the lock set in the database: live tokens go on working.
    pub fn lock_account(&mut self, login: &str) {
        if let Some(account) = self.account(login) {
            account.locked = true;
            let id = account.id();
            self.sessions.end_all_of(id);
        }
    }

    /// Removes all sessions that were last used so long ago or longer, as an admin may.
    pub fn purge_sessions(&mut self, now: Timestamp, unused: Duration) {
        self.sessions.purge(now, unused);
    }

    /// Ages all sessions as if they had not been used for a day.
    pub fn expire_sessions(&mut self) {
        self.sessions.expire_all();
    }

    /// Sets the address that all requests seem to come from; `None` uses their real one.
    ///
    /// Over loopback a client cannot change its address by itself.
    pub fn clients_come_from(&mut self, address: Option<IpAddr>) {
        self.seen_from = address;
    }

    /// Lifts the ban of an address.
    pub fn unban(&mut self, address: IpAddr) {
        self.bans.remove(&address);
    }

    /// Opens a session as a browser's login does; returns the value for a `Cookie` header.
    ///
    /// `None` where there is no such user. A request that brings this cookie and a token that is not
    /// live is answered for the cookie's session.
    pub fn open_in_browser(&mut self, now: Timestamp, address: IpAddr, login: &str) -> Option<String> {
        let id = self.account(login)?.id();
        let token = self.sessions.open(now, id, Some(address));
        Some(format!("{}={}", sessions::COOKIE, self.sessions.give_cookie(&token)?))
    }

    /// Counts the sessions of a user whose tokens work at this time.
    pub fn live_sessions(&self, now: Timestamp, login: &str) -> usize {
        let account = self.accounts.values().find(|account| account.matches(login));
        account.map_or(0, |account| self.sessions.live(now, account.id()))
    }

    /// Returns the log, oldest first: the last 10,000 entries.
    pub fn log(&self) -> impl Iterator<Item = &Entry> {
        self.log.iter()
    }

    /// Removes and returns the log, so that it stays short in a long run.
    pub fn take_log(&mut self) -> Vec<Entry> {
        self.log.drain(..).collect()
    }

    /// Counts one kind of outcome in the log.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.log.iter().filter(|entry| entry.outcome == outcome).count()
    }

    fn note(&mut self, at: Timestamp, outcome: Outcome, user: Option<u64>) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        let user = user.and_then(|id| self.accounts.get(&id));
        self.log.push_back(Entry { at, outcome, user: user.map(|account| account.login().to_owned()) });
    }
}

disturbed!(CbrainSim, mishaps);

impl Simulator for CbrainSim {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let peer = self.seen_from.unwrap_or(peer).to_canonical();
        Mishap::meet(self.mishaps.next(request), || self.serve(now, peer, request))
    }

    /// Files are uploaded to a portal, and tens of megabytes are ordinary.
    fn longest_body(&self) -> usize {
        64 << 20
    }
}

impl fmt::Debug for CbrainSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cbrain")
            .field("accounts", &self.accounts.len())
            .field("locked", &self.lock.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
