//! Which account is expected, and which one is there.

use super::wire::{Login, Validate};

/// The account that a session must be of; another one is [`Denial::WrongAccount`](crate::Denial::WrongAccount), and never used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expect {
    /// The user's name, in any case; `None` takes any.
    pub user: Option<String>,
    /// Whether the account trades with play money; `None` takes both.
    pub paper: Option<bool>,
}

impl Expect {
    /// Tells whether the logged-in user is the expected one, by all the names that the server has for it.
    pub(super) fn admits_user(&self, validate: &Validate<'_>) -> bool {
        let Some(expected) = &self.user else { return true };
        let names = [&validate.user_name, &validate.credential, &validate.paper_user_name];
        names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(expected))
    }

    /// Tells whether the kind of the account is the expected one; `None` where it is not known.
    pub(super) fn admits_kind(&self, paper: Option<bool>) -> Option<bool> {
        match (self.paper, paper) {
            (None, _) => Some(true),
            (Some(expected), Some(paper)) => Some(expected == paper),
            (Some(_), None) => None,
        }
    }
}

/// Tells whether the login is one with play money, where the answer says so.
pub(super) fn is_paper(validate: &Validate<'_>) -> Option<bool> {
    validate.login().map(|login| login == Login::Paper)
}
