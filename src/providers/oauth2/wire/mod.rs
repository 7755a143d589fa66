//! OAuth 2.0 as pure requests and typed answers (RFC 6749 and those around it).
//!
//! | errand | request | answer |
//! |---|---|---|
//! | where things are | [`well_known`] | [`Metadata::read`] |
//! | who protects a resource | [`Challenge::read`] of a 401 | [`ResourceMetadata::read`] |
//! | register a client | [`Registration::request`] | [`Registered::read`] |
//! | consent of a person | [`Authorization::url`] | [`Redirect::read`] |
//! | tokens for a code, a refresh token, a device code, or the client itself | [`Grant::request`] | [`TokenAnswer::read`] |
//! | begin a device grant | [`device_request`] | [`DeviceAnswer::read`] |
//! | revoke a token | [`revoke_request`] | [`Revocation::read`] |
//!
//! # How it reads
//!
//! Lenient where servers differ: JSON or a form whatever the media type says, lives as numbers or digits, no `token_type`,
//! errors with 200, unknown fields. Strict where a mistake gives tokens away: endpoints are https (or loopback), metadata
//! name the issuer that they were asked for by plain comparison, `state` and `iss` are checked before anything else, and
//! a redirect is never followed. A field that is empty counts as missing, and a parameter that is there twice makes a
//! redirect unusable (RFC 6749, section 3.1).
//!
//! # What an answer proves
//!
//! Only an OAuth error in a body judges anything. Pages of proxies, empty and cut bodies prove nothing: before a token
//! endpoint they are [`TokenAnswer::Unknown`], since the server may have spent the refresh token before the answer was
//! lost, unless the status says that nobody looked at the request.

mod answer;
mod authorize;
mod challenge;
mod client;
mod device;
mod discovery;
mod endpoint;
mod error;
mod grant;
mod pkce;
mod redirect;
mod register;
mod resource;
mod revoke;

pub use answer::{Scopes, TokenAnswer, Tokens};
pub use authorize::Authorization;
pub use challenge::Challenge;
pub use client::{Assertion, Client, ClientError, UnsignedAssertion};
pub use device::{DeviceAnswer, DeviceCode, device_request};
pub use discovery::{DiscoveryError, Issuer, Metadata, well_known};
pub use endpoint::Endpoint;
pub use error::{ErrorBody, Meaning, Purpose};
pub use grant::Grant;
pub use pkce::Pkce;
pub use redirect::{Expected, Redirect, RedirectError};
pub use register::{Fields, Registered, Registration, RegistrationAnswer};
pub use resource::ResourceMetadata;
pub use revoke::{Revocation, TokenKind, revoke_request};

use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};

use crate::wire::Text;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// What this crate calls itself: servers behind an edge refuse requests without a name.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("sansession/", env!("CARGO_PKG_VERSION")));

/// A request that wants JSON. An `Accept` that prefers a page gets a page, and GitHub answers with a form without one.
fn request(method: Method, endpoint: &Endpoint, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = endpoint.uri().clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, JSON);
    headers.insert(USER_AGENT, AGENT);
    request
}

fn post_form(endpoint: &Endpoint, fields: &[(&str, &str)]) -> Request<Vec<u8>> {
    // Writing into memory does not fail.
    let body = serde_urlencoded::to_string(fields).unwrap_or_default();
    let mut request = request(Method::POST, endpoint, body.into_bytes());
    request.headers_mut().insert(CONTENT_TYPE, FORM);
    request
}

/// A field that says something: an empty one counts as missing.
fn filled(text: Option<Text<'_>>) -> Option<Text<'_>> {
    text.filter(|text| !text.trim().is_empty())
}
