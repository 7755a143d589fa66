//! Clients, and how they prove who they are.

use core::fmt;
use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::Request;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::{Form, OAuth2Sim, Outcome, Said};
use crate::Timestamp;

/// A client that the server knows.
pub struct Client {
    pub(super) id: String,
    pub(super) proof: Proof,
    pub(super) redirect_uris: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) grants: Option<Vec<String>>,
    /// The ids of assertions that were taken.
    seen: BTreeSet<String>,
}

/// Reports whether a signature is that of a text.
type Verify = Box<dyn Fn(&[u8], &[u8]) -> bool + Send>;

pub(super) enum Proof {
    None,
    Basic(String),
    Post(String),
    Jwt(Verify),
}

impl Client {
    /// A public client.
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id, Proof::None)
    }

    /// A client with `client_secret_basic`.
    pub fn basic(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id, Proof::Basic(secret.into()))
    }

    /// A client with `client_secret_post`.
    pub fn post(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id, Proof::Post(secret.into()))
    }

    /// A client with `private_key_jwt`; `verify` takes the signed text and the signature.
    pub fn jwt(id: impl Into<String>, verify: impl Fn(&[u8], &[u8]) -> bool + Send + 'static) -> Self {
        Self::new(id, Proof::Jwt(Box::new(verify)))
    }

    fn new(id: impl Into<String>, proof: Proof) -> Self {
        let scopes = super::words(Some("read write offline_access"));
        Self { id: id.into(), proof, redirect_uris: Vec::new(), scopes, grants: None, seen: BTreeSet::new() }
    }

    /// Adds a redirect URI. That of a loopback address may have any port.
    #[must_use]
    pub fn redirect(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Sets the scopes that it may have, with spaces between them; `read write offline_access` otherwise.
    #[must_use]
    pub fn scopes(self, scopes: &str) -> Self {
        Self { scopes: super::words(Some(scopes)), ..self }
    }

    pub(super) fn may(&self, grant: &str) -> bool {
        self.grants.as_ref().is_none_or(|grants| grants.iter().any(|known| known == grant))
    }

    /// Reports whether a redirect URI is registered; of a loopback address the port may differ (RFC 8252, section 7.3).
    pub(super) fn has_redirect(&self, uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|known| known == uri || loopback(known).is_some() && loopback(known) == loopback(uri))
    }
}

/// Returns scheme, host and path of a redirect URI at a loopback address.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let host = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| uri.starts_with(host))?;
    let rest = uri.get(host.len()..)?;
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
    rest.starts_with([':', '/']).then_some((host, path))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

impl OAuth2Sim {
    /// Finds out who asks (RFC 6749, section 2.3).
    pub(super) fn authenticate(
        &mut self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        form: &Form,
    ) -> Result<String, Said> {
        let refused = |this: &mut Self, why| {
            this.note(now, Outcome::ClientRefused, form.get("client_id"));
            Err(Said::Error(401, "invalid_client", why))
        };
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let basic = match header.map(|header| self.read_basic(header)) {
            Some(Some(pair)) => Some(pair),
            Some(None) => {
                return Err(Said::Error(
                    400,
                    "invalid_request",
                    "client_id and client_secret are not properly encoded",
                ));
            }
            None => None,
        };
        let ways = [basic.is_some(), form.get("client_secret").is_some(), form.get("client_assertion").is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err(Said::Error(400, "invalid_request", "client authentication must be by one way"));
        }
        let id = match (&basic, form.get("client_id")) {
            (Some((id, _)), Some(named)) if id != named => {
                return Err(Said::Error(400, "invalid_request", "two client ids"));
            }
            (Some((id, _)), _) => id.clone(),
            (None, Some(id)) => id.to_owned(),
            (None, None) => return refused(self, "no client authentication"),
        };
        let assertion = form.get("client_assertion").map(str::to_owned);
        if assertion.is_some()
            && form.get("client_assertion_type") != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        {
            return refused(self, "client_assertion_type");
        }
        let audiences = [self.issuer.clone(), format!("{}/token", self.issuer)];
        let Some(client) = self.clients.get_mut(&id) else { return refused(self, "client is unknown") };
        let secret = basic.as_ref().map(|(_, secret)| secret.as_str()).or(form.get("client_secret"));
        let proven = match (&client.proof, secret, &assertion) {
            (Proof::None, None, None) => true,
            // One that is registered for one of the two may use the other, as at a certified provider.
            (Proof::Basic(known) | Proof::Post(known), Some(given), None) => known == given,
            (Proof::Jwt(verify), None, Some(text)) => {
                let id = is_good(now, text, &client.id, &audiences, verify).filter(|id| !client.seen.contains(id));
                id.is_some_and(|id| client.seen.insert(id))
            }
            _ => false,
        };
        if proven { Ok(id) } else { refused(self, "client authentication failed") }
    }

    /// Reads `Authorization: Basic`: two texts, each of them form-encoded (section 2.3.1).
    fn read_basic(&self, header: &str) -> Option<(String, String)> {
        let (scheme, rest) = header.split_once(' ')?;
        let bytes = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(rest.trim()).ok())??;
        let text = String::from_utf8(bytes).ok()?;
        let (id, secret) = text.split_once(':')?;
        if self.settings.basic_raw {
            return Some((id.to_owned(), secret.to_owned()));
        }
        let decode = |text: &str| {
            let broken = text.match_indices('%').any(|(at, _)| {
                !text.get(at + 1..at + 3).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            });
            if broken || text.contains([':', ' ', '&', '=']) {
                return None;
            }
            serde_urlencoded::from_str::<Vec<(String, String)>>(&format!("x={text}"))
                .ok()?
                .pop()
                .map(|(_, value)| value)
        };
        Some((decode(id)?, decode(secret)?))
    }
}

/// Checks an assertion (RFC 7523, section 3) and gives its id.
fn is_good(now: Timestamp, text: &str, client: &str, audiences: &[String], verify: &Verify) -> Option<String> {
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
    let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
    let claims: Value = serde_json::from_slice(&decode(claims)?).ok()?;
    let text_of = |name: &str| claims.get(name).and_then(Value::as_str);
    let number = |name: &str| claims.get(name).and_then(Value::as_u64);
    let audience = text_of("aud")?;
    let lives = number("exp")? > now.as_secs() && number("iat")? <= now.as_secs() + 30;
    let fits = header.get("alg")?.as_str()? != "none"
        && text_of("iss") == Some(client)
        && text_of("sub") == Some(client)
        && lives;
    let ours = audiences.iter().any(|known| known == audience);
    (fits && ours && verify(signed.as_bytes(), &decode(signature)?)).then(|| text_of("jti").map(str::to_owned))?
}
