//! A user's account and its levers.

use core::net::IpAddr;

use crate::Secret;

/// A user of the portal; the fields are levers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    id: u64,
    login: String,
    password: Secret,
    /// An admin goes on working in a locked portal with a live token, and may list all users.
    pub admin: bool,
    /// Logging in is refused at once with an empty 401; live tokens go on working.
    ///
    /// [`CbrainSim::lock_account`](super::CbrainSim::lock_account) ends the sessions as well.
    pub locked: bool,
    /// Where this is not empty, a login from another address is refused at once with an empty 401.
    pub ip_whitelist: Vec<IpAddr>,
    /// The user must choose a new password first: other calls are redirected to a page for that.
    pub password_reset: bool,
    /// The user has a licence to sign: other calls are answered 403.
    pub license_unsigned: bool,
    /// The user must link an OpenID identity: other calls are answered 403.
    pub must_link_openid: bool,
}

impl Account {
    pub(super) fn new(id: u64, login: String, password: String) -> Self {
        Self {
            id,
            login,
            password: Secret::new(password),
            admin: false,
            locked: false,
            ip_whitelist: Vec::new(),
            password_reset: false,
            license_unsigned: false,
            must_link_openid: false,
        }
    }

    /// Returns the user's id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the login name.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Changes the password; live tokens go on working.
    pub fn set_password(&mut self, password: impl Into<String>) {
        self.password = Secret::new(password);
    }

    pub(super) fn matches(&self, login: &str) -> bool {
        let login = login.trim_end_matches(' ');
        self.login.trim_end_matches(' ').to_lowercase() == login.to_lowercase()
    }

    pub(super) fn has_password(&self, password: &str) -> bool {
        self.password.matches(password)
    }
}
