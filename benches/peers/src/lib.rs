//! What the clients and the server have in common: arguments, and the bodies of a gateway's answers.

pub mod held;
pub mod passing;
pub mod serving;

use std::env;

use serde::Deserialize;

/// What `iserver/auth/status` answers.
pub const STATUS: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
/// What `sso/validate` answers.
pub const VALIDATE: &str =
    r#"{"USER_ID":123456789,"USER_NAME":"user1234","RESULT":true,"EXPIRES":415890,"LOGIN_TYPE":2}"#;
/// What `tickle` answers.
pub const TICKLE: &str = r#"{"session":"bb665d0f55b6289d70bc7380089fc96f","ssoExpires":460311,"collission":false,"userId":123456789,"hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,"message":"","MAC":"98:F2:B3:23:BF:A0","serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p, Dec 5, 2023 5:48:12 PM"}}}}"#;
/// The port of the gateway, to which the `ibkr` crate goes whatever it is told.
pub const GATEWAY_PORT: u16 = 5000;

/// As long as what sansession says of itself, so that the bytes are as many.
pub const AGENT: &str = "sansession/0.0.0";

/// What all clients want for an answer.
pub const JSON: &str = "application/json";

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

/// The fields of a tickle's answer that tell whether a session lives, and whose it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tickle<'a> {
    session: &'a str,
    user_id: u64,
    #[serde(default)]
    error: Option<&'a str>,
    #[serde(borrow)]
    iserver: Iserver<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iserver<'a> {
    #[serde(borrow)]
    auth_status: Flags<'a>,
}

#[derive(Deserialize)]
struct Flags<'a> {
    authenticated: bool,
    #[serde(default)]
    established: Option<bool>,
    competing: bool,
    connected: bool,
    #[serde(default)]
    fail: Option<&'a str>,
}

impl Tickle<'_> {
    /// Reads an answer, and tells whether the session lives.
    ///
    /// # Errors
    /// Those of `serde_json`.
    pub fn is_alive(body: &[u8]) -> Result<bool, serde_json::Error> {
        let Tickle { session, user_id, error, iserver: Iserver { auth_status: flags } } = serde_json::from_slice(body)?;
        let fine = [error, flags.fail].into_iter().flatten().all(str::is_empty);
        let ready = flags.authenticated && flags.connected && !flags.competing && flags.established != Some(false);
        Ok(fine && ready && !session.is_empty() && user_id > 0)
    }
}
