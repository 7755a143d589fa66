//! What people and secret stores answer, and what can be told of it before anything is sent.

use super::NeedKind;
use super::rejection::{LONGEST, Rejection};
use crate::{Secret, SecretBytes, Timestamp};

/// An answer to a [`Need`](crate::Need).
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// Login name and password.
    Credentials(Credentials),
    /// A code that the provider sent or showed.
    Code(Secret),
    /// The code of an authenticator.
    Totp(Totp),
    /// The PIN of the account.
    Pin(Secret),
    /// A bearer token.
    Token(Secret),
    /// The raw bytes of a signature, as long as the key's modulus; base64 is decoded first.
    Signature(SecretBytes),
    /// The raw bytes that a ciphertext was made of, without their padding.
    Decrypted(SecretBytes),
    /// The whole address that a browser was sent back to, with its query.
    Redirect(Secret),
    /// What a provider asked for in its own words.
    Text(Secret),
    /// What had to be done elsewhere is done.
    Done,
    /// The other client may be thrown out, once.
    TakeOver,
    /// Nobody will answer: the session closes. A usable session goes on where the question is about a later time, and does
    /// not put that one again.
    GiveUp,
}

impl Input {
    /// Reports whether this is an answer to a need of that kind.
    pub(crate) const fn fits(&self, kind: NeedKind) -> bool {
        matches!(
            (self, kind),
            (Self::Credentials(_), NeedKind::Credentials)
                | (Self::Code(_), NeedKind::AccessCode | NeedKind::Verifier)
                | (Self::Totp(_), NeedKind::Totp)
                | (Self::Pin(_), NeedKind::Pin)
                | (Self::Token(_), NeedKind::GatewayToken)
                | (Self::Signature(_), NeedKind::Signature)
                | (Self::Decrypted(_), NeedKind::Decryption)
                | (Self::Redirect(_), NeedKind::Redirect)
                | (Self::Text(_), NeedKind::Custom(_))
                | (Self::Done, NeedKind::Browser)
                | (Self::TakeOver, NeedKind::Takeover)
        )
    }

    /// Checks what can be checked before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        let (name, secret) = match self {
            Self::Code(code) => ("code", code),
            Self::Pin(pin) => ("pin", pin),
            Self::Token(token) => ("token", token),
            // People paste it with blanks and line breaks; it is read, and travels nowhere as it is.
            Self::Redirect(address) => {
                let odd = |c: char| c.is_control() && !c.is_whitespace();
                return match address.expose() {
                    blank if blank.trim().is_empty() => Err(Rejection::Empty("redirect")),
                    long if long.len() > LONGEST || long.chars().any(odd) => Err(Rejection::Malformed("redirect")),
                    _ => Ok(()),
                };
            }
            // What a person writes has spaces and letters of all kinds; where it goes decides the provider.
            Self::Text(text) => {
                return match text.expose() {
                    "" => Err(Rejection::Empty("text")),
                    long if long.len() > LONGEST || long.chars().any(char::is_control) => {
                        Err(Rejection::Malformed("text"))
                    }
                    _ => Ok(()),
                };
            }
            Self::Signature(bytes) => return check_bytes("signature", bytes),
            Self::Decrypted(bytes) => return check_bytes("decrypted", bytes),
            _ => return Ok(()),
        };
        // They travel in headers, too.
        Rejection::check_token(name, secret.expose())
    }
}

fn check_bytes(name: &'static str, bytes: &SecretBytes) -> Result<(), Rejection> {
    match bytes.expose().len() {
        0 => Err(Rejection::Empty(name)),
        // No key in use has a modulus of more than 8192 bits.
        1..=1024 => Ok(()),
        _ => Err(Rejection::Malformed(name)),
    }
}

/// Who gives an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Source {
    /// A person who read the question and typed the answer.
    Person,
    /// A program: an environment variable, a vault, a schedule. Past
    /// [`Options::max_refused`](crate::Options::max_refused) its answers are not sent, lost ones counted.
    Store,
}

/// What became of an answer.
///
/// Exhaustive on purpose: whoever asks a person must act on each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a rejected answer leaves the question open"]
pub enum InputHandled {
    /// The answer was taken.
    Used,
    /// That question is no longer open; the answer was wiped.
    Stale,
    /// The answer cannot be used and the question stays open.
    Rejected(Rejection),
}

/// Login name and password, neither of them empty.
#[derive(Debug)]
pub struct Credentials {
    login: Secret,
    password: Secret,
}

impl Credentials {
    /// Creates credentials from login name and password.
    ///
    /// # Errors
    /// [`Rejection::Empty`] names the field that is empty, before anything is sent; servers answer
    /// a missing password with errors of their own (CBRAIN: 500 "password not set").
    pub fn new(login: impl Into<Secret>, password: impl Into<Secret>) -> Result<Self, Rejection> {
        let (login, password) = (login.into(), password.into());
        match (login.is_empty(), password.is_empty()) {
            (true, _) => Err(Rejection::Empty("login")),
            (_, true) => Err(Rejection::Empty("password")),
            _ => Ok(Self { login, password }),
        }
    }

    /// Shows the login name.
    pub fn login(&self) -> &str {
        self.login.expose()
    }

    /// Shows the password.
    pub fn password(&self) -> &str {
        self.password.expose()
    }
}

/// A one-time code and the time it was made for.
#[derive(Debug)]
pub struct Totp {
    code: Secret,
    made_at: Timestamp,
}

impl Totp {
    /// The life of one code (RFC 6238's default step).
    pub const STEP: core::time::Duration = core::time::Duration::from_secs(30);

    /// Takes a code and the time at which the authenticator showed it.
    ///
    /// # Errors
    /// [`Rejection`] where the code is empty or not six to eight digits.
    pub fn new(code: impl Into<Secret>, made_at: Timestamp) -> Result<Self, Rejection> {
        let code = code.into();
        if code.is_empty() {
            return Err(Rejection::Empty("totp"));
        }
        if !(6..=8).contains(&code.expose().len()) || !code.expose().bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Rejection::Malformed("totp"));
        }
        Ok(Self { code, made_at })
    }

    /// Shows the code.
    pub fn code(&self) -> &str {
        self.code.expose()
    }

    /// Returns when the code stops being the one that an authenticator shows.
    pub fn ends(&self) -> Timestamp {
        step_end(self.made_at)
    }

    /// Returns when the code was made.
    pub const fn made_at(&self) -> Timestamp {
        self.made_at
    }
}

/// Returns the first instant of the TOTP step after the one that holds `at`.
fn step_end(at: Timestamp) -> Timestamp {
    let step = crate::time::millis(Totp::STEP);
    Timestamp::from_millis((at.as_millis() / step + 1).saturating_mul(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_named() {
        assert_eq!(Credentials::new("", "x").unwrap_err(), Rejection::Empty("login"));
        assert_eq!(Credentials::new("x", "").unwrap_err(), Rejection::Empty("password"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_beforehand() {
        let long = |length: usize| "1".repeat(length);
        for (text, wrong) in [
            ("1234", None),
            ("!~", None),
            ("", Some(Rejection::Empty("pin"))),
            ("12 34", Some(Rejection::Malformed("pin"))),
            ("12\r\n34", Some(Rejection::Malformed("pin"))),
            ("12\u{7f}", Some(Rejection::Malformed("pin"))),
            ("１２", Some(Rejection::Malformed("pin"))),
            (&long(16 << 10), None),
            (&long((16 << 10) + 1), Some(Rejection::Malformed("pin"))),
        ] {
            assert_eq!(Input::Pin(text.into()).check().err(), wrong, "{}", text.len());
        }
        assert_eq!(Input::Code("".into()).check(), Err(Rejection::Empty("code")));
        for (text, fits) in
            [("a", true), ("a b", true), ("", false), (" a", false), ("a ", false), ("a\tb", false), ("ä", false)]
        {
            assert_eq!(Rejection::check_words("name", text).is_ok(), fits, "{text:?}");
        }
        assert_eq!(Input::Token("".into()).check(), Err(Rejection::Empty("token")));
        for (length, signature, decrypted) in [
            (0, Some(Rejection::Empty("signature")), Some(Rejection::Empty("decrypted"))),
            (1, None, None),
            (1024, None, None),
            (1025, Some(Rejection::Malformed("signature")), Some(Rejection::Malformed("decrypted"))),
        ] {
            let bytes = || SecretBytes::new(vec![1; length]);
            assert_eq!(Input::Signature(bytes()).check().err(), signature, "{length}");
            assert_eq!(Input::Decrypted(bytes()).check().err(), decrypted, "{length}");
        }
    }

    #[test]
    fn a_code_ends_with_its_step() {
        let totp = Totp::new("123456", Timestamp::from_secs(61)).unwrap();
        assert_eq!(totp.ends(), Timestamp::from_secs(90));
        assert_eq!(Totp::new("12345", Timestamp::from_secs(1)).unwrap_err(), Rejection::Malformed("totp"));
        assert_eq!(Totp::new("12345a", Timestamp::from_secs(1)).unwrap_err(), Rejection::Malformed("totp"));
    }
}
