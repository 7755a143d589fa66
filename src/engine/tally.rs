//! What a login has cost so far: answers that the server refused, and those that it may have refused.
//!
//! Accounts lock after about three refusals, however many processes caused them. So the tally is in every snapshot, that of
//! a closed session included, and a new session of the same login [takes it over](super::Session::remember).
//! Nothing in it is made of a password, a PIN or a code: a changed one cannot be distinguished from the one that was refused.

use serde::{Deserialize, Serialize};

use super::chain::Chain;
use crate::{
    CloseReason, Input, NeedKind, Source,
    machine::{Cause, Denial, Rejection},
};

/// How many entries are kept: there are a few kinds, and now and then another login name.
const MOST: usize = 16;

/// What became of an answer that was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spoilt {
    Refused,
    /// It left, and no reply tells whether it was refused.
    Lost,
}

/// Counts answers by their kind.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    /// The login name that was given last.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<u16>,
    /// The one that was counted last comes last.
    #[serde(skip_serializing_if = "Chain::is_empty")]
    tried: Chain<Tried>,
}

/// The answers of one kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Tried {
    /// Unknown where only a sum was written down: it counts for every kind then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<NeedKind>,
    /// The login name that they were for, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<u16>,
    #[serde(default)]
    refused: u8,
    #[serde(default)]
    lost: u8,
    /// Counted by an earlier session, and nothing of this kind was given since.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    earlier: bool,
    /// A person has given another answer since, so it keeps no program from answering the other questions.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    attended: bool,
}

impl Tally {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts an answer.
    pub(super) fn note(&mut self, kind: NeedKind, fate: Spoilt) {
        let key = (Some(kind), self.login);
        let known = self.tried.remove(|tried| (tried.kind, tried.login) == key);
        let mut tried = known.unwrap_or(Tried::new(Some(kind), self.login));
        match fate {
            Spoilt::Refused => tried.refused = tried.refused.saturating_add(1),
            Spoilt::Lost => tried.lost = tried.lost.saturating_add(1),
        }
        (tried.earlier, tried.attended) = (false, false);
        self.push(tried);
    }

    /// Notes an answer that was taken and may leave.
    pub(super) fn given(&mut self, kind: NeedKind, input: &Input, by: Source) {
        self.login = name_of(input).or(self.login);
        let login = self.login;
        for tried in self.tried.iter_mut().filter(|tried| tried.counts_for(kind) && tried.is_of(login)) {
            tried.earlier = false;
            tried.attended |= by == Source::Person;
        }
    }

    /// The server has accepted an answer of this kind: earlier ones do not count any more.
    pub(super) fn accepted(&mut self, kind: NeedKind) {
        let login = self.login;
        self.tried.retain(|tried| tried.kind != Some(kind) || !tried.is_of(login));
    }

    /// The session is usable: every answer that was given for it was right.
    pub(super) fn opened(&mut self) {
        let login = self.login;
        self.tried.retain(|tried| tried.earlier || !tried.is_of(login));
        if self.tried.is_empty() {
            self.login = None;
        }
    }

    /// Takes over what an earlier session of the same login had counted.
    pub(super) fn remember(&mut self, earlier: &Self) {
        for other in earlier.tried.iter() {
            let known = self.tried.iter_mut().find(|tried| (tried.kind, tried.login) == (other.kind, other.login));
            match known {
                Some(tried) => {
                    tried.refused = tried.refused.max(other.refused);
                    tried.lost = tried.lost.max(other.lost);
                }
                None => self.push(Tried { earlier: true, attended: false, ..other.clone() }),
            }
        }
    }

    /// Returns how many answers of the present login were refused, and how many may have been.
    pub(super) fn sums(&self) -> (u8, u8) {
        self.sum(|tried| tried.is_of(self.login))
    }

    /// Reports whether a program may give one more answer.
    ///
    /// # Errors
    /// The answers that were refused or may have been are as many as are allowed.
    pub(super) fn admit(&self, kind: NeedKind, input: &Input, max: u8) -> Result<(), Rejection> {
        let login = name_of(input).or(self.login);
        let speaks = |tried: &Tried| tried.is_of(login) && (tried.counts_for(kind) || !tried.attended);
        match self.sum(speaks) {
            (refused, lost) if refused.saturating_add(lost) < max => Ok(()),
            (0, 1..) => Err(Rejection::MaybeRefused),
            _ => Err(Rejection::Unattended),
        }
    }

    /// Returns why a login ends where nobody answers a question: because of the kind that was refused, whichever is asked for.
    pub(super) fn blamed(&self, asked: NeedKind) -> Option<CloseReason> {
        let found = |has: fn(&Tried) -> bool| {
            let all = self.tried.iter().filter(|tried| tried.is_of(self.login) && has(tried));
            let last = all.clone().last();
            all.filter(|tried| tried.counts_for(asked)).last().or(last).map(|tried| tried.kind.unwrap_or(asked))
        };
        let refused = found(|tried| tried.refused > 0).map(|kind| CloseReason::Denied(Denial::Refused { kind }));
        refused.or_else(|| {
            let kind = found(|tried| tried.lost > 0)?;
            Some(CloseReason::RetriesExhausted(Cause::MaybeRefused { kind }))
        })
    }

    /// Names the kinds of which answers were refused.
    #[cfg(feature = "testing")]
    pub(super) fn refused(&self) -> Vec<Option<NeedKind>> {
        self.tried.iter().filter(|tried| tried.refused > 0).map(|tried| tried.kind).collect()
    }

    fn sum(&self, which: impl Fn(&Tried) -> bool) -> (u8, u8) {
        let add = |(refused, lost): (u8, u8), tried: &Tried| {
            (refused.saturating_add(tried.refused), lost.saturating_add(tried.lost))
        };
        self.tried.iter().filter(|tried| which(tried)).fold((0, 0), add)
    }

    fn push(&mut self, tried: Tried) {
        if self.tried.iter().count() >= MOST {
            self.tried.remove(|_| true);
        }
        self.tried.push(tried);
    }
}

impl Tried {
    const fn new(kind: Option<NeedKind>, login: Option<u16>) -> Self {
        Self { kind, login, refused: 0, lost: 0, earlier: false, attended: false }
    }

    fn counts_for(&self, kind: NeedKind) -> bool {
        self.kind.is_none_or(|own| own == kind)
    }

    /// Reports whether it may be of that login name.
    fn is_of(&self, login: Option<u16>) -> bool {
        self.login.is_none() || login.is_none() || self.login == login
    }
}

/// Tells login names apart without holding them: the 16 bits say next to nothing about a password that somebody has
/// typed in the wrong place. Servers take `Norm` and `norm ` for the same.
fn name_of(input: &Input) -> Option<u16> {
    let Input::Credentials(given) = input else { return None };
    let letters = given.login().trim().chars().flat_map(char::to_lowercase);
    let mixed = letters.fold(0, |mixed, letter| crate::machine::backoff::split_mix(mixed ^ u64::from(letter)));
    Some((mixed >> 48) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;

    fn login(name: &str) -> Input {
        Input::Credentials(Credentials::new(name, "x").unwrap())
    }

    fn pin() -> Input {
        Input::Pin("1234".into())
    }

    /// A login whose password was given and came to this.
    fn tally(name: &str, fate: Spoilt) -> Tally {
        let mut tally = Tally::default();
        tally.given(NeedKind::Credentials, &login(name), Source::Store);
        tally.note(NeedKind::Credentials, fate);
        tally
    }

    #[test]
    fn refused_and_lost_answers_count_together_and_are_told_apart() {
        let refused = tally("norm", Spoilt::Refused);
        let lost = tally("norm", Spoilt::Lost);
        assert_eq!(refused.admit(NeedKind::Credentials, &login("norm"), 1), Err(Rejection::Unattended));
        assert_eq!(lost.admit(NeedKind::Credentials, &login("norm"), 1), Err(Rejection::MaybeRefused));
        let mut both = lost.clone();
        assert_eq!(both.admit(NeedKind::Credentials, &login("norm"), 2), Ok(()));
        both.note(NeedKind::Credentials, Spoilt::Refused);
        assert_eq!(both.admit(NeedKind::Credentials, &login("norm"), 2), Err(Rejection::Unattended));
        assert_eq!((both.sums(), lost.sums(), refused.sums()), ((1, 1), (0, 1), (1, 0)));
    }

    #[test]
    fn another_login_name_is_another_account() {
        let tally = tally("norm", Spoilt::Refused);
        assert_eq!(tally.admit(NeedKind::Credentials, &login("alice"), 1), Ok(()));
        for same in ["norm", "NORM", " norm "] {
            assert!(tally.admit(NeedKind::Credentials, &login(same), 1).is_err(), "{same}");
        }
        let text = serde_json::to_string(&tally).unwrap();
        assert!(!text.contains("norm"), "{text}");
    }

    #[test]
    fn what_is_accepted_counts_no_more_and_the_rest_does() {
        let mut tally = tally("norm", Spoilt::Refused);
        tally.note(NeedKind::Pin, Spoilt::Lost);
        tally.accepted(NeedKind::Credentials);
        assert_eq!(tally.sums(), (0, 1));
        tally.opened();
        assert_eq!(tally.sums(), (0, 0));
    }

    #[test]
    fn a_token_that_lives_says_nothing_of_an_earlier_password() {
        let mut adopted = Tally::default();
        adopted.remember(&tally("norm", Spoilt::Refused));
        adopted.opened();
        assert_eq!(adopted.sums(), (1, 0));
        adopted.given(NeedKind::Credentials, &login("norm"), Source::Person);
        adopted.opened();
        assert!(adopted.sums() == (0, 0));
    }

    #[test]
    fn two_files_of_one_login_are_not_added_up() {
        let mut both = tally("norm", Spoilt::Lost);
        both.remember(&tally("norm", Spoilt::Lost));
        both.remember(&tally("norm", Spoilt::Refused));
        assert_eq!(both.sums(), (1, 1));
    }

    #[test]
    fn a_person_who_has_seen_to_it_lets_a_program_answer_the_rest() {
        let mut tally = Tally::default();
        tally.note(NeedKind::GatewayToken, Spoilt::Refused);
        assert_eq!(tally.admit(NeedKind::Pin, &pin(), 1), Err(Rejection::Unattended));
        tally.given(NeedKind::GatewayToken, &Input::Token("t".into()), Source::Person);
        assert_eq!(tally.admit(NeedKind::Pin, &pin(), 1), Ok(()));
        assert!(tally.admit(NeedKind::GatewayToken, &Input::Token("t".into()), 1).is_err());
    }

    #[test]
    fn the_kind_that_was_refused_is_blamed() {
        let mut tally = Tally::default();
        assert_eq!(tally.blamed(NeedKind::Totp), None);
        let denied = |kind| Some(CloseReason::Denied(Denial::Refused { kind }));
        tally.note(NeedKind::Pin, Spoilt::Lost);
        let unclear = CloseReason::RetriesExhausted(Cause::MaybeRefused { kind: NeedKind::Pin });
        assert_eq!(tally.blamed(NeedKind::Totp), Some(unclear));
        tally.note(NeedKind::GatewayToken, Spoilt::Refused);
        assert_eq!(tally.blamed(NeedKind::Totp), denied(NeedKind::GatewayToken));
        tally.note(NeedKind::Totp, Spoilt::Refused);
        assert_eq!(tally.blamed(NeedKind::GatewayToken), denied(NeedKind::GatewayToken), "that of the question first");
        assert_eq!(tally.blamed(NeedKind::Pin), denied(NeedKind::Totp), "then the last one");
    }

    #[test]
    fn a_list_of_many_logins_ends() {
        let mut tally = Tally::default();
        for number in 0..1_000 {
            tally.given(NeedKind::Credentials, &login(&format!("user {number}")), Source::Person);
            tally.note(NeedKind::Credentials, Spoilt::Refused);
        }
        assert_eq!((tally.tried.iter().count(), tally.sums()), (MOST, (1, 0)));
    }
}
