//! What the flags of a status say together.

use super::wire::Status;

/// How the brokerage session stands, by the flags of a status, a tickle or an init.
///
/// | connected | authenticated | established | competing | |
/// |---|---|---|---|---|
/// | any | any | any | true | [`Competing`](Self::Competing) |
/// | true | true | true or missing | false | [`Ready`](Self::Ready) |
/// | true | true | false | false | [`Establishing`](Self::Establishing) |
/// | any | false, with `passed:false` or a `fail` that wants the compete flag | any | false | [`TakeoverNeeded`](Self::TakeoverNeeded) |
/// | true | false | any | false | [`NeedsInit`](Self::NeedsInit) |
/// | false or missing | false | any | false | [`LoggedOut`](Self::LoggedOut) |
/// | false | true | any | false | [`Contradictory`](Self::Contradictory) |
///
/// A missing `connected` beside `authenticated:true` counts as true and a missing `competing` as
/// false: the field that proves success alone decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Standing {
    /// Calls to `/iserver` work; a tickle each minute keeps it so.
    Ready,
    /// Being logged in: calls to `/iserver` answer empty data, not errors. Wait and look again, without another init.
    Establishing,
    /// Timed out while the outer session lives: open it with an init.
    NeedsInit,
    /// Held by another client, or refused without the compete flag although nobody holds it; nothing tells which.
    TakeoverNeeded,
    /// Another client holds or contests the session. Taking it over throws that client out.
    Competing,
    /// Logged out, or the back end is lost: `sso/validate` tells which.
    LoggedOut,
    /// The flags contradict each other: not ready, look again.
    Contradictory,
    /// There are no flags.
    Unknown,
}

impl Standing {
    /// Makes sense of a status or of the flags in a tickle.
    pub fn of(status: &Status<'_>) -> Self {
        Self::from_flags(status, status.passed == Some(false) || status.asks_for_compete())
    }

    /// Makes sense of the answer to an init, where any `fail` text is a refusal.
    ///
    /// With a rival logged in and no compete flag, an init was seen to answer HTTP 200 with
    /// `passed:false` and `competing:false`; the rival's session went on.
    pub fn of_init(status: &Status<'_>) -> Self {
        Self::from_flags(status, status.passed == Some(false) || status.failure().is_some())
    }

    fn from_flags(status: &Status<'_>, refused: bool) -> Self {
        if status.competing == Some(true) {
            return Self::Competing;
        }
        match (status.authenticated, status.connected) {
            (Some(true), Some(false)) => Self::Contradictory,
            (Some(true), _) if status.passed == Some(false) => Self::Contradictory,
            (Some(true), _) if status.established == Some(false) => Self::Establishing,
            (Some(true), _) => Self::Ready,
            _ if refused => Self::TakeoverNeeded,
            (Some(false), Some(true)) => Self::NeedsInit,
            (Some(false), _) | (None, Some(false)) => Self::LoggedOut,
            (None, _) => Self::Unknown,
        }
    }

    /// Gives a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Establishing => "establishing",
            Self::NeedsInit => "needs-init",
            Self::TakeoverNeeded => "takeover-needed",
            Self::Competing => "competing",
            Self::LoggedOut => "logged-out",
            Self::Contradictory => "contradictory",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    fn standing(body: &str) -> Standing {
        Standing::of(&json(body.as_bytes()).unwrap())
    }

    fn standing_of_init(body: &str) -> Standing {
        Standing::of_init(&json(body.as_bytes()).unwrap())
    }

    #[test]
    fn every_combination_of_the_flags() {
        let texts = |flag: Option<bool>| flag.map_or("null".to_owned(), |flag| flag.to_string());
        for number in 0..81 {
            let flag = |place: u32| [Some(true), Some(false), None][number / 3_usize.pow(place) % 3];
            let (connected, authenticated, established, competing) = (flag(0), flag(1), flag(2), flag(3));
            let body = format!(
                r#"{{"connected":{},"authenticated":{},"established":{},"competing":{}}}"#,
                texts(connected),
                texts(authenticated),
                texts(established),
                texts(competing)
            );
            let expected = match (connected, authenticated, established, competing) {
                (_, _, _, Some(true)) => Standing::Competing,
                (Some(false), Some(true), _, _) => Standing::Contradictory,
                (_, Some(true), Some(false), _) => Standing::Establishing,
                (_, Some(true), _, _) => Standing::Ready,
                (Some(true), Some(false), _, _) => Standing::NeedsInit,
                (_, Some(false), _, _) | (Some(false), None, _, _) => Standing::LoggedOut,
                (_, None, _, _) => Standing::Unknown,
            };
            assert_eq!(standing(&body), expected, "{body}");
            assert_eq!(standing_of_init(&body), expected, "{body}");
        }
    }

    #[test]
    fn a_refused_init_is_a_rival_not_a_success() {
        let refused = r#"{"passed":false,"authenticated":false,"connected":true,"competing":false}"#;
        assert_eq!(standing_of_init(refused), Standing::TakeoverNeeded);
        let refused = r#"{"authenticated":false,"competing":false,"connected":true,"message":"","serverInfo":{"serverName":null,"serverVersion":null},
            "fail":"Force compete capability must be used together with compete flag"}"#;
        assert_eq!(standing_of_init(refused), Standing::TakeoverNeeded);
        assert_eq!(standing(refused), Standing::TakeoverNeeded);
        let other = r#"{"authenticated":false,"competing":false,"connected":true,"fail":"try later"}"#;
        assert_eq!((standing_of_init(other), standing(other)), (Standing::TakeoverNeeded, Standing::NeedsInit));
        assert_eq!(standing_of_init(r#"{"passed":false}"#), Standing::TakeoverNeeded);
    }

    #[test]
    fn passed_false_denies_what_authenticated_says() {
        assert_eq!(
            standing_of_init(r#"{"passed":false,"authenticated":true,"connected":true}"#),
            Standing::Contradictory
        );
        assert_eq!(standing_of_init(r#"{"passed":true,"authenticated":true,"connected":true}"#), Standing::Ready);
    }

    #[test]
    fn the_bodies_of_the_documentation() {
        for (body, expected) in [
            (r#"{"authenticated":true,"competing":false,"connected":true,"message":"","fail":""}"#, Standing::Ready),
            (
                r#"{"authenticated":false,"competing":false,"connected":false,"MAC":"98:B2:C3:45:DE:F6"}"#,
                Standing::LoggedOut,
            ),
            (
                r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"fail":""}"#,
                Standing::Ready,
            ),
            (
                r#"{"authenticated":true,"established":false,"competing":false,"connected":true}"#,
                Standing::Establishing,
            ),
            (r#"{"error":"no session"}"#, Standing::Unknown),
            (r#"{"message":"triggered"}"#, Standing::Unknown),
            ("{}", Standing::Unknown),
        ] {
            assert_eq!(standing(body), expected, "{body}");
        }
    }
}
