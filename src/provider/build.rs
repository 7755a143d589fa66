//! Building requests.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde::Serialize;

use super::Unbuildable;
use crate::{BaseUrl, Secret};

/// `application/json`.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `application/x-www-form-urlencoded`.
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The `User-Agent` of this crate.
pub(crate) const AGENT: HeaderValue = HeaderValue::from_static(concat!("sansession/", env!("CARGO_PKG_VERSION")));

/// Builds a request whose secrets are marked as sensitive and whose errors name the part that is wrong, not its value.
///
/// The first error is kept and returned by [`finish`](RequestBuilder::finish).
///
/// ```
/// use sansession::http::{HeaderName, Method};
/// use sansession::provider::{RequestBuilder, Unbuildable};
/// use sansession::{BaseUrl, Secret};
///
/// let base = BaseUrl::parse("https://api.example.com/v2")?;
/// let (token, pin) = (Secret::new("0a1b"), Secret::new("123456"));
/// let request = RequestBuilder::new(Method::POST, &base, "/session")
///     .authorization("Bearer ", &token)
///     .header(HeaderName::from_static("x-app"), "app", "tests")
///     .json_fields(&[("user", "ann"), ("pin", pin.expose())])
///     .finish()
///     .unwrap();
/// assert_eq!(request.uri(), "https://api.example.com/v2/session");
/// assert_eq!(request.body(), br#"{"user":"ann","pin":"123456"}"#);
///
/// let broken = RequestBuilder::new(Method::GET, &base, "/session").authorization("Bearer ", &Secret::new("a\nb"));
/// assert_eq!(broken.finish().unwrap_err(), Unbuildable::Part("bearer"));
/// # Ok::<(), sansession::UrlError>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it is finished"]
pub struct RequestBuilder {
    request: Request<Vec<u8>>,
    broken: Option<&'static str>,
}

impl RequestBuilder {
    /// Creates a request for a path below a base URL, with `Accept: application/json`.
    pub fn new(method: Method, base: &BaseUrl, path: &str) -> Self {
        match base.join(path) {
            Ok(uri) => Self::to(method, uri),
            Err(_) => Self { broken: Some("path"), ..Self::to(method, Uri::default()) },
        }
    }

    /// Creates a request for a URL, with `Accept: application/json`.
    pub fn to(method: Method, uri: Uri) -> Self {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, JSON);
        Self { request, broken: None }
    }

    /// Sets `User-Agent` to the name and version of this crate.
    pub fn agent(self) -> Self {
        self.insert(USER_AGENT, AGENT)
    }

    /// Sets a header whose value may be logged; `field` names it in an error.
    pub fn header(self, name: HeaderName, field: &'static str, value: &str) -> Self {
        self.set(name, field, HeaderValue::from_str(value))
    }

    /// Sets a header whose value is a secret.
    pub fn secret(self, name: HeaderName, field: &'static str, value: &Secret) -> Self {
        self.set(name, field, value.header(""))
    }

    /// Sets `Authorization` to a scheme, such as `"Bearer "` or `""`, and a token.
    pub fn authorization(self, scheme: &str, token: &Secret) -> Self {
        self.set(AUTHORIZATION, "bearer", token.header(scheme))
    }

    /// Sets a JSON body.
    pub fn json(self, body: &impl Serialize) -> Self {
        self.body(JSON, serde_json::to_vec(body))
    }

    /// Sets a JSON object of texts as the body, in this order.
    pub fn json_fields(self, fields: &[(&str, &str)]) -> Self {
        self.json(&Fields(fields))
    }

    /// Sets a form body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        self.body(FORM, serde_urlencoded::to_string(fields).map(String::into_bytes))
    }

    /// Returns the request.
    ///
    /// # Errors
    /// [`Unbuildable::Part`] names the first part that cannot be written.
    pub fn finish(self) -> Result<Request<Vec<u8>>, Unbuildable> {
        match self.broken {
            Some(part) => Err(Unbuildable::Part(part)),
            None => Ok(self.request),
        }
    }

    fn body<E>(mut self, media: HeaderValue, body: Result<Vec<u8>, E>) -> Self {
        match body {
            Ok(body) => *self.request.body_mut() = body,
            Err(_) => self.broken = self.broken.or(Some("body")),
        }
        self.insert(CONTENT_TYPE, media)
    }

    fn set<E>(mut self, name: HeaderName, field: &'static str, value: Result<HeaderValue, E>) -> Self {
        match value {
            Ok(value) => self.insert(name, value),
            Err(_) => {
                self.broken = self.broken.or(Some(field));
                self
            }
        }
    }

    fn insert(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request.headers_mut().insert(name, value);
        self
    }
}

/// Texts as a JSON object.
struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Fields<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}
