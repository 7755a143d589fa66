//! What the clients and the server have in common: arguments, and the bodies of a gateway's answers.

use std::env;

/// What `iserver/auth/status` answers.
pub const STATUS: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
/// What `sso/validate` answers.
pub const VALIDATE: &str =
    r#"{"USER_ID":123456789,"USER_NAME":"user1234","RESULT":true,"EXPIRES":415890,"LOGIN_TYPE":2}"#;
/// What `tickle` answers.
pub const TICKLE: &str = r#"{"session":"bb665d0f55b6289d70bc7380089fc96f","ssoExpires":460311,"collission":false,"userId":123456789,"hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,"message":"","MAC":"98:F2:B3:23:BF:A0","serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p, Dec 5, 2023 5:48:12 PM"}}}}"#;
/// The port of the gateway, to which the `ibkr` crate goes whatever it is told.
pub const GATEWAY_PORT: u16 = 5000;

/// What a client is asked to do.
pub struct Task {
    /// The base URL of the gateway.
    pub url: String,
    /// How many sessions it opens, one after the other.
    pub sessions: u32,
    /// How many tickles it sends in each.
    pub tickles: u32,
    /// Whether the server is known to be on this machine, so that no name is looked up.
    pub no_look_up: bool,
}

impl Task {
    /// Reads `[--no-look-up] URL SESSIONS TICKLES` from the command line.
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let no_look_up = arguments.first().is_some_and(|first| first == "--no-look-up");
        let [url, sessions, tickles] = &arguments[usize::from(no_look_up)..] else {
            panic!("usage: [--no-look-up] URL SESSIONS TICKLES")
        };
        Self {
            url: url.clone(),
            sessions: sessions.parse().expect("a number of sessions"),
            tickles: tickles.parse().expect("a number of tickles"),
            no_look_up,
        }
    }
}
