//! What a session asks of people and secret stores; their answers are in `input`.

mod input;
mod rejection;

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use input::{Credentials, Input, InputHandled, Source, Totp};
pub use rejection::Rejection;

use crate::Timestamp;

/// Names one open question; it survives a resume.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub struct NeedId(pub(crate) u32);

impl NeedId {
    /// The id for an answer that nobody asked for: [`Input::TakeOver`] may be given at any time.
    pub const UNSOLICITED: Self = Self(0);
}

/// What a person or a secret store must give before the session can go on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Need {
    /// The id under which the answer is given.
    pub id: NeedId,
    /// What is needed.
    pub kind: NeedKind,
    /// Why it is needed (again).
    pub because: NeedReason,
    /// How many answers of this login the server has refused; at most providers, accounts lock after about three.
    pub refused: u8,
    /// How many answers of this login got no clear reply, so that they may have been refused: the reply was lost or
    /// could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u8,
    /// A one-time code must be made at this time or later, since an earlier one may have been used up.
    pub fresh_after: Option<Timestamp>,
    /// Where a person has to go, for [`NeedKind::Browser`], [`NeedKind::Verifier`] and [`NeedKind::Redirect`].
    pub url: Option<Arc<str>>,
    /// What to tell the person beside that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Arc<Prompt>>,
    /// What the key is to work on, for [`NeedKind::Signature`] and [`NeedKind::Decryption`]. It stays in
    /// this process: after a resume the question is asked again.
    #[serde(skip)]
    pub message: Option<Message>,
    /// The answer must be here by then, since the time is in what it signs; a late one is not used, and
    /// the question is asked again, with another id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What to tell a person where the kind of a need does not say it all.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Prompt {
    /// The provider's own name of what it needs, such as `captcha`, for [`NeedKind::Custom`]; stable, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// A sentence, such as the question that a server puts: show it as text, it may come from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// The code that the person types at [`Need::url`], as a device shows it (RFC 8628, section 3.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_code: Option<Arc<str>>,
}

impl Prompt {
    /// Reports whether there is nothing to tell.
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.text.is_none() && self.user_code.is_none()
    }

    /// Most questions have nothing to tell, and waits hand them out again and again.
    pub(crate) fn shared(self) -> Option<Arc<Self>> {
        if self.is_empty() { None } else { Some(Arc::new(self)) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(count: &u8) -> bool {
    *count == 0
}

/// What a key that is kept elsewhere has to sign or to decrypt.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Arc<[u8]>);

impl Message {
    /// Creates one from bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes)", self.0.len())
    }
}

/// The kinds of answers that a session may need.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NeedKind {
    /// Login name and password: answer with [`Input::Credentials`].
    Credentials,
    /// A code that the provider sent by SMS or e-mail: answer with [`Input::Code`].
    AccessCode,
    /// The code that an authenticator shows now: answer with [`Input::Totp`].
    Totp,
    /// The PIN of the account: answer with [`Input::Pin`].
    Pin,
    /// A login in a browser at [`Need::url`]. Show the person the URL; the session notices by itself
    /// when it has happened, [`Input::Done`] only makes it look at once.
    Browser,
    /// The consent to throw another client out: answer with [`Input::TakeOver`], or wait: the
    /// session goes on by itself if the other client leaves.
    Takeover,
    /// The bearer token of the provider's gateway, from its developer portal: answer with [`Input::Token`].
    GatewayToken,
    /// The code that the provider's consent page shows: answer with [`Input::Code`].
    Verifier,
    /// The signature of a key that is kept in a vault or an HSM. [`Need::message`] is the SHA-256 digest
    /// (32 bytes): sign it with RSASSA-PKCS1-v1_5 as a digest that is made already, and answer with
    /// [`Input::Signature`] before [`Need::until`].
    Signature,
    /// What a key that is kept in a vault or an HSM decrypts. [`Need::message`] is the ciphertext:
    /// decrypt it with RSAES-PKCS1-v1_5 and answer with [`Input::Decrypted`].
    Decryption,
    /// The address that the browser was sent back to after a consent at [`Need::url`]: answer with [`Input::Redirect`].
    Redirect,
    /// What a protocol asks for that has no kind here, under a number of the provider's own: [`Prompt::name`] and
    /// [`Prompt::text`] say what it is. Answer with [`Input::Text`].
    Custom(u8),
}

impl NeedKind {
    /// Returns a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::AccessCode => "access-code",
            Self::Totp => "totp",
            Self::Pin => "pin",
            Self::Browser => "browser",
            Self::Takeover => "takeover",
            Self::GatewayToken => "gateway-token",
            Self::Verifier => "verifier",
            Self::Signature => "signature",
            Self::Decryption => "decryption",
            Self::Redirect => "redirect",
            Self::Custom(_) => "custom",
        }
    }

    /// Reports whether an answer is something that the server judges and may count against the account.
    pub const fn is_judged(self) -> bool {
        // Who signs wrongly has the wrong key, which is found out before anything leaves.
        !matches!(self, Self::Browser | Self::Takeover | Self::Signature | Self::Decryption)
    }
}

/// Why something is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NeedReason {
    /// The session is being opened.
    Opening,
    /// Tokens are renewed before their end; the session goes on meanwhile.
    Renewing,
    /// The server refused the last answer: do not give the same one again.
    Refused,
    /// It is unknown whether the last answer arrived, so it is not sent again by itself.
    Lost,
    /// The last answer grew too old before it could be used; it was not refused.
    Stale,
    /// The session that was open has ended.
    Expired,
    /// The provider ended all sessions, as it does every night.
    Reset,
    /// Another client has taken the session, or holds it.
    Rival,
}

impl NeedReason {
    /// Returns a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Renewing => "renewing",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Reset => "reset",
            Self::Rival => "rival",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_is_to_work_on_shows_its_length() {
        assert_eq!(format!("{:?}", Message::new(b"digest")), "Message(6 bytes)");
    }
}
