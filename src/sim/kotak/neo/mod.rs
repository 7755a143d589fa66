//! Neo: one login host, and a host of its own for each account's other calls.
//!
//! - **Login**: the dashboard's token raw in `Authorization`, an authenticator's code that counts once in
//!   its 30 s, then the MPIN with the view token. Nothing locks: none of it is documented.
//! - **Session**: the trade token ends at midnight in India, as the one public sample does. There is no
//!   logout and no keepalive. A new token of the dashboard ends every session of the account.
//! - **Calls**: the trade token's two headers, and for quotes and the list of scrips the dashboard's token alone.
//! - **Limits** are counted by the second, for each account and each API by itself: 25 requests, and 10 of all that is
//!   done with orders. A 429 has `X-RateLimit-Limit`, `-Remaining` and `-Reset`, and `Retry-After`.
//! - **Address**: orders are taken only from an address that is listed and that the session was made
//!   from; everything else is answered from anywhere.

mod answers;
mod limits;
#[cfg(test)]
mod tests;

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use http::{Request, StatusCode};

use self::limits::Limits;
use super::{Desk, Log, host, is_host_of};
use crate::sim::mishap::disturbed;
use crate::sim::{Reply, Simulator};
use crate::{BaseUrl, Timestamp};

pub use self::limits::{LimitTold, RateLimits};

/// The simulated Neo API.
#[derive(Debug)]
pub struct NeoSim {
    login: BaseUrl,
    accounts: BTreeMap<String, Account>,
    grants: BTreeMap<String, Grant>,
    settings: Settings,
    limits: Limits,
    desk: Desk,
}

#[derive(Debug)]
struct Settings {
    errors: Errors,
    death: Death,
    life: Option<Duration>,
    names_end: bool,
    base_url: Option<String>,
    outage: Option<StatusCode>,
}

/// A token that a login step granted.
#[derive(Debug)]
struct Grant {
    ucc: String,
    sid: String,
    trade: bool,
    ends: Timestamp,
    from: IpAddr,
}

/// How a refused login is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Errors {
    /// Status 401 and `{"status":"error","message":…,"errorCode":"401"}`, as the documents have it.
    Documented,
    /// Status 200 and `{"stCode":401,"errMsg":…,"status":"failure"}`, as the vendor's tests have it.
    Inside200,
    /// Status 401 and `{"stat":"Not_Ok","message":"Invalid credentials"}`.
    NotOk,
}

/// How the end of a session is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Death {
    /// `{"stCode":100022,"errMsg":"invalid session token",…}` with status 200.
    Code100022,
    /// `{"stat":"Not_Ok","emsg":"Invalid session","stCode":1003}` with status 200.
    Code1003,
    /// The gateway's 900901 with status 401.
    Code900901,
}

/// An account of Neo.
pub struct Account {
    ucc: String,
    mobile: String,
    mpin: String,
    dashboard_token: String,
    base: BaseUrl,
    code: Box<dyn Fn(Timestamp) -> String + Send>,
    /// The 30 s in which a code was last taken.
    spent: Option<u64>,
    listed: Option<Vec<IpAddr>>,
}

impl Account {
    /// Creates an account whose other calls go to `base`; its authenticator shows `000000` for ever
    /// until [`Account::accepts_totp`] says otherwise.
    pub fn new(
        ucc: impl Into<String>,
        mobile: impl Into<String>,
        mpin: impl Into<String>,
        dashboard_token: impl Into<String>,
        base: BaseUrl,
    ) -> Self {
        Self {
            ucc: ucc.into(),
            mobile: mobile.into(),
            mpin: mpin.into(),
            dashboard_token: dashboard_token.into(),
            base,
            code: Box::new(|_| "000000".to_owned()),
            spent: None,
            listed: None,
        }
    }

    /// Sets what the authenticator shows at a time.
    #[must_use]
    pub fn accepts_totp(self, code: impl Fn(Timestamp) -> String + Send + 'static) -> Self {
        Self { code: Box::new(code), ..self }
    }

    /// Lists the addresses that orders are taken from, in a session that was made from the same one; from any without
    /// such a list.
    #[must_use]
    pub fn listed(self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { listed: Some(addresses.into_iter().collect()), ..self }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("ucc", &self.ucc).field("base", &self.base).finish_non_exhaustive()
    }
}

impl NeoSim {
    /// Creates an API with this login host.
    pub fn new(login: BaseUrl) -> Self {
        Self {
            login,
            accounts: BTreeMap::new(),
            grants: BTreeMap::new(),
            settings: Settings {
                errors: Errors::Documented,
                death: Death::Code100022,
                life: None,
                names_end: true,
                base_url: None,
                outage: None,
            },
            limits: Limits::default(),
            desk: Desk::default(),
        }
    }

    /// Adds an account.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.insert(account.ucc.clone(), account);
        self
    }

    /// Returns an account a new token of the dashboard, which ends all of its sessions at once.
    pub fn reset_dashboard_token(&mut self, ucc: &str, token: impl Into<String>) {
        if let Some(account) = self.accounts.get_mut(ucc) {
            account.dashboard_token = token.into();
        }
        self.grants.retain(|_, grant| grant.ucc != ucc);
    }

    /// Ends every session.
    pub fn expire_sessions(&mut self) {
        self.grants.clear();
    }

    /// Sets how long tokens live from now on; to the next midnight in India otherwise.
    pub fn set_token_life(&mut self, life: Option<Duration>) {
        self.settings.life = life;
    }

    /// Sets whether tokens name their end in `exp`.
    pub fn set_tokens_name_their_end(&mut self, names_end: bool) {
        self.settings.names_end = names_end;
    }

    /// Sets how refused logins are written.
    pub fn set_errors(&mut self, errors: Errors) {
        self.settings.errors = errors;
    }

    /// Sets how the end of a session is written.
    pub fn set_death(&mut self, death: Death) {
        self.settings.death = death;
    }

    /// Sets the base URL in the response of the second step, for all accounts; an empty one omits it.
    pub fn set_base_url(&mut self, url: Option<String>) {
        self.settings.base_url = url;
    }

    /// Answers everything with a page of this status, until `None` ends the outage.
    pub fn set_outage(&mut self, status: Option<StatusCode>) {
        self.settings.outage = status;
    }

    /// Sets which limits count; the documented ones otherwise.
    pub fn set_limits(&mut self, limits: RateLimits) {
        self.limits.limits = limits;
    }

    /// Sets how a limit tells its end; by `Retry-After` otherwise.
    pub fn set_limit_told(&mut self, told: LimitTold) {
        self.limits.told = told;
    }

    /// Answers the API of this path with 429 until then, whoever asks: one was seen to be limited for hours
    /// (kotak-neo-python#35).
    pub fn set_limited(&mut self, path: &str, until: Timestamp) {
        self.limits.close(path, until);
    }

    /// Returns until when [`NeoSim::set_limited`] holds for a path.
    pub fn limited_until(&self, now: Timestamp, path: &str) -> Option<Timestamp> {
        self.limits.closed_until(now, path)
    }

    /// Returns the present code of an account's authenticator.
    pub fn totp(&self, ucc: &str, now: Timestamp) -> Option<String> {
        self.accounts.get(ucc).map(|account| (account.code)(now))
    }

    /// Counts the trade tokens that live.
    pub fn open_sessions(&self, now: Timestamp) -> usize {
        self.grants.values().filter(|grant| grant.trade && now < grant.ends).count()
    }

    /// Returns the log of requests.
    pub const fn log(&self) -> &Log {
        &self.desk.log
    }

    /// Removes and returns the log, so that it stays short in a long run.
    pub fn take_log(&mut self) -> Vec<super::Seen> {
        self.desk.log.take()
    }
}

disturbed!(NeoSim, desk.mishaps);

impl Simulator for NeoSim {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let host = host(request);
        let login = is_host_of(&self.login, &host);
        let own = self.accounts.values().any(|account| is_host_of(&account.base, &host));
        let mut desk = core::mem::take(&mut self.desk);
        let reply = desk.serve(now, request, !login && !own, |desk| self.answer(desk, now, peer, login, request));
        self.desk = desk;
        reply
    }
}
