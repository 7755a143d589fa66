//! OAuth 2.0 at any server: so far the requests and answers, each usable alone.
//!
//! [`wire`] has every request of a client's session (authorization URL, code, refresh, client credentials, device grant,
//! revocation, registration, discovery) and reads every answer.

pub mod wire;
