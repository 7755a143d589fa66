//! The requests and responses of both APIs, usable without a session.
//!
//! **Header names.** Kotak's documents pass parameters in headers with names such as `consumerKey` and
//! `oneTimeToken`. HTTP names are case-insensitive (RFC 9110, 5.1), and the `http` crate stores every
//! name in lower case, so HTTP/1.1 clients built on it write `consumerkey` on the wire; HTTP/2 requires
//! lower case. An option of the HTTP client that title-cases names (hyper's `title_case_headers`)
//! would write `Consumerkey`, which is no closer to the documents. The constants in [`header`]
//! therefore hold the lower-case form of the documented name.
//!
//! **Success.** Both APIs send errors with status 200, so only the token in a response proves success.
//! Read the response first, and ask [`fault`] what went wrong if the token is missing.

pub mod envelope;
pub mod fault;
pub mod gateway;
pub mod jwt;
pub mod neo;
pub mod trade_api;

/// The header names of both APIs; see the [module's page](self) for their case.
pub mod header {
    use http::HeaderName;

    /// `consumerKey`: the key of the application, from the gateway's developer portal.
    pub const CONSUMER_KEY: HeaderName = HeaderName::from_static("consumerkey");
    /// `ip`: the address of the client; the server does not check it.
    pub const IP: HeaderName = HeaderName::from_static("ip");
    /// `appId`: the name of the application; the server does not check it.
    pub const APP_ID: HeaderName = HeaderName::from_static("appid");
    /// `userid`: the user, as a header of init, of the request for a code, and of logout only.
    pub const USERID: HeaderName = HeaderName::from_static("userid");
    /// `oneTimeToken`: the token from the login, for the second factor.
    pub const ONE_TIME_TOKEN: HeaderName = HeaderName::from_static("onetimetoken");
    /// `sessionToken`: the token from the second factor, for logout and every later call.
    pub const SESSION_TOKEN: HeaderName = HeaderName::from_static("sessiontoken");
    /// `Sid` (Neo): the id of the session that the token in [`AUTH`] belongs to.
    pub const SID: HeaderName = HeaderName::from_static("sid");
    /// `Auth` (Neo): the view token before the second factor, the trade token after it.
    pub const AUTH: HeaderName = HeaderName::from_static("auth");
    /// `neo-fin-key` (Neo): a constant.
    pub const NEO_FIN_KEY: HeaderName = HeaderName::from_static("neo-fin-key");
}

/// Escapes a text for one segment of a path (RFC 3986, 2.3), so that a user id cannot change the path.
pub(crate) fn segment(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("1Y125"), "1Y125");
        assert_eq!(segment("../a?b#c%"), "%2E%2E%2Fa%3Fb%23c%25");
    }
}
