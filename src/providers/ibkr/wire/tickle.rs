//! The keepalive and what it tells.

use super::{Status, Token};
use crate::wire::Text;
use crate::wire_object;

wire_object! {
    /// What `tickle` answers. Under OAuth 1.0a only `session`, `hmds` and `iserver` are there.
    pub struct Tickle<'a> {
        /// The id of the session, 32 hexadecimal digits; it opens the stream, see [`session_cookie`](super::session_cookie).
        session: Token<'a> = "session",
        /// Milliseconds to the end of the outer session, as information only: the counter of about ten
        /// minutes falls with the time, a tickle does not reset it, and it renews itself near zero.
        sso_expires: u64 = "ssoExpires",
        /// Whether sessions collide; the server spells it with two l and an s.
        collission: bool = "collission" | "collision",
        /// The number of the user.
        user_id: u64 = "userId",
        /// The market-data history service; its `no bridge` is no fault.
        hmds: History<'a> = "hmds",
        /// The brokerage session; the block may be missing.
        iserver: Iserver<'a> = "iserver",
        /// An error inside HTTP 200: `no session`, `failed to process request`.
        error: Text<'a> = "error",
    }
}

wire_object! {
    /// The market-data history service in a tickle.
    pub struct History<'a> {
        /// `no bridge` where no history was asked for; that is no fault.
        error: Text<'a> = "error",
        /// The flags of its own connection, which the specification names.
        auth_status: Status<'a> = "authStatus",
    }
}

wire_object! {
    /// The brokerage session in a tickle.
    pub struct Iserver<'a> {
        /// Its flags.
        auth_status: Status<'a> = "authStatus",
        /// Whether it was kept alive; only older bodies under OAuth have it.
        tickle: bool = "tickle",
        /// An error of this part alone.
        error: Text<'a> = "error",
    }
}

impl<'a> Tickle<'a> {
    /// Gives the flags of the brokerage session, where the body has them.
    pub fn status(&self) -> Option<&Status<'a>> {
        self.iserver.as_ref()?.auth_status.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    fn read(body: &str) -> Tickle<'_> {
        json(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_documented_tickle() {
        let tickle = read(
            r#"{"session":"00000000000000000000000000000001","ssoExpires":460311,"collission":false,"userId":123456789,
            "hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,
            "message":"","MAC":"98:F2:B3:23:BF:A0","serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p, Dec 5, 2023 5:48:12 PM"}}}}"#,
        );
        assert_eq!(tickle.session.as_ref().map(Token::expose), Some("00000000000000000000000000000001"));
        assert_eq!(
            (tickle.sso_expires, tickle.collission, tickle.user_id),
            (Some(460_311), Some(false), Some(123_456_789))
        );
        assert_eq!(tickle.hmds.as_ref().unwrap().error.as_deref(), Some("no bridge"));
        assert!(tickle.error.is_none());
        assert_eq!(tickle.status().unwrap().authenticated, Some(true));
    }

    #[test]
    fn the_tickle_of_oauth_has_less() {
        let tickle = read(
            r#"{"session":"abc123def456","hmds":{"error":"no bridge"},
            "iserver":{"authStatus":{"authenticated":true,"established":true,"competing":false,"connected":true}}}"#,
        );
        assert!(tickle.sso_expires.is_none() && tickle.collission.is_none() && tickle.user_id.is_none());
        assert_eq!(tickle.status().unwrap().established, Some(true));

        let older = read(r#"{"session":"abc123def456","iserver":{"tickle":true}}"#);
        assert!(older.status().is_none());
        assert_eq!(older.iserver.unwrap().tickle, Some(true));
    }

    #[test]
    fn failures_inside_200() {
        for text in ["no session", "failed to process request"] {
            let body = format!(r#"{{"error":"{text}"}}"#);
            let tickle = read(&body);
            assert_eq!(tickle.error.as_deref(), Some(text));
            assert!(tickle.session.is_none() && tickle.status().is_none());
        }
    }

    #[test]
    fn a_block_may_be_missing_null_or_odd() {
        for body in [
            "{}",
            r#"{"iserver":null,"hmds":null}"#,
            r#"{"iserver":[],"hmds":[]}"#,
            r#"{"iserver":{"authStatus":"x"}}"#,
        ] {
            assert!(read(body).status().is_none(), "{body}");
        }
    }

    #[test]
    fn the_session_does_not_show_itself() {
        assert!(!format!("{:?}", read(r#"{"session":"opensesame"}"#)).contains("opensesame"));
    }
}
