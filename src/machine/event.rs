//! What a session tells besides what it wants done.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::machine::shape::ResponseSummary;
use crate::redact::{escape, is_of_token, is_token};
use crate::{NeedKind, Phase, Timestamp, machine::FailureKind};

/// Something that happened; each has a stable [`Event::code`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The session moved on.
    PhaseChanged {
        /// Where it stood.
        from: Phase,
        /// Where it stands.
        to: Phase,
    },
    /// The server proved that the session lives.
    KeptAlive,
    /// The session was usable and its life is in doubt; it is looked after, nothing is lost yet.
    Suspect {
        /// What raised the doubt.
        cause: Cause,
        /// The shape of an answer that could not be read.
        shape: Option<Box<ResponseSummary>>,
    },
    /// The doubt is gone, or the session is usable again that was [stuck](Event::Stuck).
    Recovered,
    /// A request failed and is tried again.
    Retrying {
        /// How many in a row have failed.
        attempt: u16,
        /// When the next one leaves at the earliest.
        at: Timestamp,
        /// Why the last one failed.
        cause: Cause,
    },
    /// The server refused an answer; the next one must be another.
    Refused,
    /// The session has ended at the server; what follows is told by the phase.
    Expired {
        /// What proved it.
        proof: &'static str,
    },
    /// This machine's clock and the server's differ by more than 5 s.
    ClockSkew {
        /// The server's time less ours, in milliseconds.
        by_millis: i64,
    },
    /// The session lives but is of no use until a person has done something in a browser.
    ActionRequired {
        /// Where, if the server said so.
        url: Option<ServerText>,
        /// What, if the server said so.
        text: Option<ServerText>,
    },
    /// The server refuses calls to the address that this machine shows to it, although the session lives: the
    /// account does not list that address, or the session was opened from another one. Have the address listed
    /// at the provider, then log in again from it.
    IpNotAllowed {
        /// Which of the two, in the server's words.
        text: Option<ServerText>,
    },
    /// The server did not name the address of this account's calls, as it is documented to do: they go to the one
    /// of the login. If they are refused there, a new login may name it.
    BaseUrlAssumed {
        /// Where they go.
        url: Box<str>,
    },
    /// The server gave a reason in words.
    ServerSays(ServerText),
    /// Another client has taken the session, or holds it.
    Rival,
    /// The provider ends all sessions at this hour, as it does every night; this is no failure.
    Reset,
    /// A new session began at the server: what was set for the last one must be sent again.
    SettingsLost,
    /// The login lives, and no usable session comes of it whatever is tried: IBKR's brokerage session that no init
    /// opens. Somebody has to log in again, or restart the program that holds the login, such as IBKR's gateway. The
    /// session goes on trying; [`Event::Recovered`] tells if that helped.
    Stuck,
    /// The session may live on at the server although it is over here: it idles out, or end it there.
    /// A server that knows no logout says nothing else ([`CloseReason::LoggedOut`](crate::CloseReason::LoggedOut)
    /// is `confirmed` then: all was done that can be done).
    MayLiveOn,
    /// Calls of one of the server's APIs are held back for this long; all others go on.
    Limited {
        /// Which API, in the provider's words.
        api: &'static str,
        /// How long.
        lasts: Duration,
    },
    /// Nothing may be sent for this long: the server said so.
    ///
    /// A `Retry-After` is believed up to 15 minutes; where the server goes on naming a longer time, twice as long each
    /// time, up to 4 hours.
    Penalty {
        /// How long.
        lasts: Duration,
    },
}

impl Event {
    /// Returns a stable name for logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PhaseChanged { .. } => "phase",
            Self::KeptAlive => "kept-alive",
            Self::Suspect { .. } => "suspect",
            Self::Recovered => "recovered",
            Self::Retrying { .. } => "retrying",
            Self::Refused => "refused",
            Self::Expired { .. } => "expired",
            Self::ClockSkew { .. } => "clock-skew",
            Self::ActionRequired { .. } => "action-required",
            Self::IpNotAllowed { .. } => "ip-not-allowed",
            Self::BaseUrlAssumed { .. } => "base-url-assumed",
            Self::ServerSays(_) => "server-says",
            Self::Rival => "rival",
            Self::Reset => "reset",
            Self::SettingsLost => "settings-lost",
            Self::Stuck => "stuck",
            Self::MayLiveOn => "may-live-on",
            Self::Limited { .. } => "limited",
            Self::Penalty { .. } => "penalty",
        }
    }
}

/// Why a request did not get what it was sent for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cause {
    /// No answer came.
    Failure(FailureKind),
    /// The server answered with this status and could not help.
    Status(u16),
    /// The answer could not be read.
    Unreadable,
    /// The known end of the tokens has passed.
    Expiry,
    /// The user's own call was refused.
    OwnCall,
    /// The server had not got so far.
    Waiting,
    /// The server says that the session, or the part of it that is needed, is not there; that alone proves nothing.
    NoSession,
    /// The login lives and no usable session comes of it, see [`Event::Stuck`].
    Stuck,
    /// An answer got no clear reply, so it may have been refused, and nobody gave the next one.
    MaybeRefused {
        /// What was answered.
        kind: NeedKind,
    },
}

impl Cause {
    /// Returns a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failure(kind) => kind.code(),
            Self::Status(_) => "status",
            Self::Unreadable => "unreadable",
            Self::Expiry => "expiry",
            Self::OwnCall => "own-call",
            Self::Waiting => "waiting",
            Self::NoSession => "no-session",
            Self::Stuck => "stuck",
            Self::MaybeRefused { .. } => "maybe-refused",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(kind) => f.write_str(kind.code()),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Stuck => f.write_str(
                "the login lives, but no usable session comes of it; log in anew, or restart what holds the login",
            ),
            Self::MaybeRefused { kind } => {
                write!(f, "the {} got no clear reply and may have been refused", kind.code())
            }
            other => f.write_str(other.code()),
        }
    }
}

/// Text that a server wrote: at most 200 characters, control characters escaped, tokens left out.
///
/// A run of 20 letters and digits or more with three digits in it, or of 40, is shown as `…`: servers
/// quote what they were sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerText(Box<str>);

/// The most characters that are shown.
const SHOWN: usize = 200;

impl ServerText {
    /// Creates one from a server's text, which is cut and escaped.
    pub fn new(text: &str) -> Self {
        let mut cut = String::new();
        let (mut shown, mut rest) = (0, text);
        while shown < SHOWN
            && let Some(first) = rest.chars().next()
        {
            // A token is checked whole, also where its end is not shown.
            let end = rest.find(|character| !is_of_token(character)).unwrap_or(rest.len()).max(first.len_utf8());
            let (run, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if is_token(run) {
                cut.push('…');
                shown += 1;
            } else {
                for character in run.chars().take(SHOWN - shown) {
                    escape(character, &mut cut);
                    shown += 1;
                }
            }
            rest = after;
        }
        Self(cut.into())
    }

    /// Escapes a text and neither cuts nor hides anything.
    pub(crate) fn escaped(text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        text.chars().for_each(|character| escape(character, &mut escaped));
        escaped
    }

    /// Takes a text of this kind from which something was taken out.
    pub(crate) const fn from_redacted(text: Box<str>) -> Self {
        Self(text)
    }

    /// Shows the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_text_is_cut_and_escaped() {
        let text = ServerText::new(&format!("a\u{1b}[31m\r\n\u{202e}{}", "word ".repeat(100)));
        assert!(text.as_str().starts_with(r"a\u{1b}[31m\r\n\u{202e}word "), "{text}");
        assert!(text.as_str().len() < 240);
    }

    #[test]
    fn server_text_shows_no_tokens() {
        let token = "933ccfadb75a91c45bd1a6f7adf86472";
        for (text, shown) in [
            (format!("token {token} is unknown"), "token … is unknown".to_owned()),
            (token.to_owned(), "…".to_owned()),
            (format!("https://a.example/users/2?t={token}"), "https://a.example/users/2?…".to_owned()),
            (format!("{} {token}", "x ".repeat(97)), format!("{} …", "x ".repeat(97))),
            (
                "see https://ctradeapi.kotaksecurities.com/apim".into(),
                "see https://ctradeapi.kotaksecurities.com/apim".into(),
            ),
        ] {
            assert_eq!(ServerText::new(&text).as_str(), shown);
        }
    }
}
