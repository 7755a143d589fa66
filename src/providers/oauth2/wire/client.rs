//! Who asks for tokens, and how that is proven.

use core::fmt;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Endpoint, post_form};
use crate::{Secret, Timestamp};

/// How long an assertion is good: it leaves at once, and clocks differ a little.
const ASSERTION_SECONDS: u64 = 60;

/// A client as the server knows it, and how it authenticates (RFC 6749, section 2.3; names of RFC 7591).
#[derive(Clone, Debug)]
pub struct Client {
    id: Box<str>,
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    None,
    Basic { secret: Secret, raw: bool },
    Post { secret: Secret },
    Assertion,
}

impl Client {
    /// Takes a public client: `none`, the id stands in the form.
    ///
    /// # Errors
    /// [`ClientError::Id`].
    pub fn public(id: &str) -> Result<Self, ClientError> {
        Self::new(id, Method::None)
    }

    /// Takes a client with `client_secret_basic`: id and secret, each form-encoded, in `Authorization: Basic`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn basic(id: &str, secret: impl Into<Secret>) -> Result<Self, ClientError> {
        Self::new(id, Method::Basic { secret: given(secret)?, raw: false })
    }

    /// Takes a client with `client_secret_basic` for a server that wants id and secret as they are, not form-encoded.
    ///
    /// # Errors
    /// [`ClientError`]; an id with a colon cannot be distinguished from its secret then.
    pub fn basic_raw(id: &str, secret: impl Into<Secret>) -> Result<Self, ClientError> {
        if id.contains(':') {
            return Err(ClientError::Id);
        }
        Self::new(id, Method::Basic { secret: given(secret)?, raw: true })
    }

    /// Takes a client with `client_secret_post`: id and secret in the form.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn post(id: &str, secret: impl Into<Secret>) -> Result<Self, ClientError> {
        Self::new(id, Method::Post { secret: given(secret)? })
    }

    /// Takes a client with `private_key_jwt`: each request shows a signed [`Client::assertion`] of its own.
    ///
    /// # Errors
    /// [`ClientError::Id`].
    pub fn jwt(id: &str) -> Result<Self, ClientError> {
        Self::new(id, Method::Assertion)
    }

    fn new(id: &str, method: Method) -> Result<Self, ClientError> {
        if id.is_empty() || id.chars().any(char::is_control) {
            return Err(ClientError::Id);
        }
        Ok(Self { id: id.into(), method })
    }

    /// Returns the client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name of the method, as registrations and metadata write it.
    pub const fn method(&self) -> &'static str {
        match self.method {
            Method::None => "none",
            Method::Basic { .. } => "client_secret_basic",
            Method::Post { .. } => "client_secret_post",
            Method::Assertion => "private_key_jwt",
        }
    }

    pub(in crate::providers::oauth2) const fn secret(&self) -> Option<&Secret> {
        match &self.method {
            Method::Basic { secret, .. } | Method::Post { secret } => Some(secret),
            Method::None | Method::Assertion => None,
        }
    }

    /// Reports whether each request needs an [`Assertion`].
    pub const fn needs_assertion(&self) -> bool {
        matches!(self.method, Method::Assertion)
    }

    /// Writes the assertion that stands for a secret (RFC 7523), good for 60 s.
    ///
    /// `audience` is the issuer or the token endpoint, by server. `id` must be new for every request: servers take each
    /// once. `algorithm` is that of the key, such as `RS256` or `ES256`.
    pub fn assertion(
        &self,
        algorithm: &str,
        key_id: Option<&str>,
        audience: &str,
        id: &str,
        now: Timestamp,
    ) -> UnsignedAssertion {
        let header = Header { alg: algorithm, typ: "JWT", kid: key_id };
        let iat = now.as_secs();
        let claims = Claims {
            iss: &self.id,
            sub: &self.id,
            aud: audience,
            jti: id,
            iat,
            exp: iat.saturating_add(ASSERTION_SECONDS),
        };
        let part = |json: Result<Vec<u8>, _>| BASE64_URL_SAFE_NO_PAD.encode(json.unwrap_or_default());
        // Neither can fail: there is no map with keys that are no strings.
        UnsignedAssertion(format!("{}.{}", part(serde_json::to_vec(&header)), part(serde_json::to_vec(&claims))))
    }

    /// Writes a form with the client's authentication; the assertion is that of [`Client::jwt`] and counts for no other.
    pub(super) fn post_as(
        &self,
        endpoint: &Endpoint,
        fields: &[(&str, &str)],
        assertion: Option<&Assertion>,
    ) -> Result<Request<Vec<u8>>, ClientError> {
        const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let mut form = fields.to_vec();
        match &self.method {
            // Two methods at once are refused, so the id stands in the form for none but these.
            Method::None => form.push(("client_id", &self.id)),
            Method::Post { secret } => {
                form.extend([("client_id", &*self.id), ("client_secret", secret.expose())]);
            }
            Method::Assertion => {
                let signed = assertion.ok_or(ClientError::NoAssertion)?;
                form.extend([
                    ("client_id", &*self.id),
                    ("client_assertion_type", BEARER),
                    ("client_assertion", signed.0.expose()),
                ]);
            }
            Method::Basic { .. } => {}
        }
        let mut request = post_form(endpoint, &form);
        if let Method::Basic { secret, raw } = &self.method {
            let encode = |text: &str| {
                let text = if *raw { text.to_owned() } else { encoded(text) };
                Zeroizing::new(text)
            };
            let (id, secret) = (encode(&self.id), encode(secret.expose()));
            let both = Zeroizing::new(format!("{}:{}", *id, *secret));
            let value = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(both.as_bytes())));
            let mut value = HeaderValue::from_str(&value).map_err(|_| ClientError::Secret)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

fn given(secret: impl Into<Secret>) -> Result<Secret, ClientError> {
    let secret = secret.into();
    if secret.is_empty() { Err(ClientError::Secret) } else { Ok(secret) }
}

/// Writes a text as a form has it, without a name: a space is a plus.
fn encoded(text: &str) -> String {
    let pair = Zeroizing::new(serde_urlencoded::to_string([("", text)]).unwrap_or_default());
    pair.trim_start_matches('=').to_owned()
}

/// Why a client cannot be one, or cannot ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The id is empty or has control characters, or a colon where it may have none.
    Id,
    /// The secret is empty.
    Secret,
    /// A request of a client with a key lacks its assertion.
    NoAssertion,
    /// A signature is empty.
    Signature,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "the client id is empty or has characters that it may not have",
            Self::Secret => "the client secret is empty",
            Self::NoAssertion => "a client with a key needs a signed assertion for each request",
            Self::Signature => "the signature is empty",
        })
    }
}

impl std::error::Error for ClientError {}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

/// An assertion that lacks only its signature: sign the [text](UnsignedAssertion::text) here, in a vault or in an HSM.
#[derive(Clone, Debug)]
pub struct UnsignedAssertion(String);

impl UnsignedAssertion {
    /// Returns the text that is to be signed, which is no secret.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Takes the signature's bytes, as JWS has them (for `ES256` the two numbers, not DER).
    ///
    /// # Errors
    /// [`ClientError::Signature`] where there are none.
    pub fn finish(&self, signature: &[u8]) -> Result<Assertion, ClientError> {
        if signature.is_empty() {
            return Err(ClientError::Signature);
        }
        Ok(Assertion(Secret::new(format!("{}.{}", self.0, BASE64_URL_SAFE_NO_PAD.encode(signature)))))
    }
}

/// A signed assertion, good for one request.
#[derive(Clone, Debug)]
pub struct Assertion(Secret);

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(client: &Client, assertion: Option<&Assertion>) -> (Option<String>, String) {
        let endpoint = Endpoint::parse("https://login.example.org/token").unwrap();
        let request = client.post_as(&endpoint, &[("grant_type", "x")], assertion).unwrap();
        let header = request.headers().get(AUTHORIZATION);
        assert!(header.is_none_or(HeaderValue::is_sensitive));
        let plain = header.map(|value| {
            let text = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
            String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap()
        });
        (plain, String::from_utf8(request.into_body()).unwrap())
    }

    #[test]
    fn each_method_puts_the_secret_where_it_belongs_and_nowhere_else() {
        assert_eq!(sent(&Client::public("app").unwrap(), None), (None, "grant_type=x&client_id=app".into()));
        let form = "grant_type=x".to_owned();
        let odd = "p%+: é";
        let basic = Client::basic("my app", odd).unwrap();
        assert_eq!(sent(&basic, None), (Some("my+app:p%25%2B%3A+%C3%A9".into()), form.clone()));
        assert_eq!(sent(&Client::basic_raw("app", odd).unwrap(), None), (Some(format!("app:{odd}")), form));
        let posted = "grant_type=x&client_id=app&client_secret=p%25%2B%3A+%C3%A9".to_owned();
        assert_eq!(sent(&Client::post("app", odd).unwrap(), None), (None, posted));
        assert!(!format!("{basic:?}").contains(odd));
    }

    #[test]
    fn an_assertion_names_the_client_twice_and_is_good_for_a_minute() {
        let client = Client::jwt("app").unwrap();
        let now = Timestamp::from_secs(1_800_000_000);
        let unsigned = client.assertion("ES256", Some("k1"), "https://login.example.org", "n-1", now);
        let parts: Vec<_> = unsigned
            .text()
            .split('.')
            .map(|part| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], r#"{"alg":"ES256","typ":"JWT","kid":"k1"}"#);
        assert_eq!(
            parts[1],
            r#"{"iss":"app","sub":"app","aud":"https://login.example.org","jti":"n-1","iat":1800000000,"exp":1800000060}"#
        );
        let signed = unsigned.finish(&[1, 2, 3]).unwrap();
        let (header, form) = sent(&client, Some(&signed));
        assert_eq!(header, None);
        assert!(form.ends_with(&format!("&client_assertion={}.AQID", unsigned.text())), "{form}");
        assert!(
            form.contains("client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer")
        );
        assert_eq!(unsigned.finish(&[]).unwrap_err(), ClientError::Signature);
        let endpoint = Endpoint::parse("https://login.example.org/token").unwrap();
        assert_eq!(client.post_as(&endpoint, &[], None).unwrap_err(), ClientError::NoAssertion);
    }

    #[test]
    fn what_cannot_be_a_client_is_refused_by_field() {
        assert_eq!(Client::public("").unwrap_err(), ClientError::Id);
        assert_eq!(Client::public("a\nb").unwrap_err(), ClientError::Id);
        assert_eq!(Client::basic_raw("a:b", "s").unwrap_err(), ClientError::Id);
        assert_eq!(Client::post("a", "").unwrap_err(), ClientError::Secret);
    }
}
