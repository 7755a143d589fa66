//! The three calls of a CBRAIN session as pure requests and typed responses.
//!
//! Facts are from BrainPortal's code and from exchanges with the unmodified portal (7.0.0).
//! XML is left out on purpose: the portal itself calls it "not fully supported", and JSON says the same.
//! So are the other ways to a token (an account page, an administrator, a signed JWT), none of which the
//! portal's API description lists: [adopt](crate::Session::adopt) what they give.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use zeroize::Zeroizing;

use crate::wire::Text;
use crate::{BaseUrl, Secret, UrlError};

/// The media type that every call asks for, alone.
///
/// A missing `Accept`, `*/*` or any list that holds `*/*` makes the portal treat the call as one of a
/// browser: a login answers 302 without a session, a check answers 200 with an empty body, and a
/// logout answers 302 while the session lives on.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// What this crate calls itself.
pub(crate) const AGENT: HeaderValue = HeaderValue::from_static(concat!("sansession/", env!("CARGO_PKG_VERSION")));

/// The parsed address of the session resource.
#[derive(Clone, Debug)]
pub struct Endpoints {
    session: Uri,
}

impl Endpoints {
    /// Takes the base URL, such as `https://portal.cbrain.mcgill.ca`.
    ///
    /// # Errors
    /// [`UrlError`] where base and path make no URL.
    pub fn new(base: &BaseUrl) -> Result<Self, UrlError> {
        Ok(Self { session: base.join("/session")? })
    }

    /// Builds `POST /session`, the login.
    ///
    /// It carries no token and no parameter but these two: with a live token the portal answers for
    /// that token's session whatever the credentials, with a dead one it makes the next token from
    /// guessable numbers, and three unexpected parameters ban the client's address for two weeks.
    pub fn login(&self, login: &str, password: &str) -> Option<Request<Vec<u8>>> {
        let body = serde_urlencoded::to_string([("login", login), ("password", password)]).ok()?;
        let mut request = self.request(Method::POST, body.into_bytes());
        request.headers_mut().insert(CONTENT_TYPE, FORM);
        Some(request)
    }

    /// Builds `GET /session`, which shows the token's session and counts as use of it.
    ///
    /// The portal sends an `ETag`. Do not send it back, and let no cache do so: the answer to
    /// `If-None-Match` is 304 without a body.
    pub fn check(&self, token: &Secret) -> Option<Request<Vec<u8>>> {
        let mut request = self.request(Method::GET, Vec::new());
        request.headers_mut().insert(AUTHORIZATION, bearer(token)?);
        Some(request)
    }

    /// Builds `DELETE /session`, the logout.
    ///
    /// It ends this session only; others of the same user live on.
    pub fn logout(&self, token: &Secret) -> Option<Request<Vec<u8>>> {
        let mut request = self.request(Method::DELETE, Vec::new());
        request.headers_mut().insert(AUTHORIZATION, bearer(token)?);
        Some(request)
    }

    fn request(&self, method: Method, body: Vec<u8>) -> Request<Vec<u8>> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.session.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, AGENT);
        request
    }
}

/// Gives the header value `Bearer <token>`, marked as sensitive; the scheme is case-sensitive there.
///
/// The portal takes the token as the parameter `cbrain_api_token` too, where proxies write it into their logs.
pub fn bearer(token: &Secret) -> Option<HeaderValue> {
    let text = token.expose();
    let mut value = Zeroizing::new(String::with_capacity(7 + text.len()));
    value.push_str("Bearer ");
    value.push_str(text);
    let mut value = HeaderValue::from_str(&value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

crate::wire_object! {
    /// What login and check answer: exactly these two fields, with status 200.
    pub struct SessionInfo<'a> {
        /// The user's number; a string where an administrator made the session for somebody.
        user_id: u64 = "user_id",
        /// 32 lower-case hex characters; to be treated as opaque.
        token: Text<'a> = "cbrain_api_token",
    }
}

crate::wire_object! {
    /// What the portal says when it refuses: `message` on 503, `error` on 400, 403, 404 and 500.
    pub struct Refusal<'a> {
        /// The administrator's text while the portal is locked; may be null.
        message: Text<'a> = "message",
        /// Why the call was refused.
        error: Text<'a> = "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints::new(&BaseUrl::parse("http://localhost:3000").unwrap()).unwrap()
    }

    #[test]
    fn a_login_has_two_parameters_and_no_token() {
        let request = endpoints().login("norm", "a b&c=ü").unwrap();
        assert_eq!(request.uri(), "http://localhost:3000/session");
        assert_eq!(request.body(), b"login=norm&password=a+b%26c%3D%C3%BC");
        assert_eq!(request.headers()[ACCEPT], "application/json");
        assert!(!request.headers().contains_key(AUTHORIZATION));
    }

    #[test]
    fn a_token_travels_in_a_sensitive_header() {
        let token = Secret::new("933ccfadb75a91c45bd1a6f7adf86472");
        for request in [endpoints().check(&token).unwrap(), endpoints().logout(&token).unwrap()] {
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer 933ccfadb75a91c45bd1a6f7adf86472");
            assert!(!format!("{request:?}").contains("933ccf"), "{request:?}");
            assert_eq!(request.headers()[ACCEPT], "application/json");
            assert_eq!(request.uri().query(), None);
        }
        assert!(bearer(&Secret::new("a\r\nX-Evil: 1")).is_none());
    }
}
