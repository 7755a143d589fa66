//! The server's half of OAuth 2.0: it verifies assertions, binds sessions to an address, and knows its
//! bearers.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Sign, PublicKey as RsaPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::oauth_keys::Random;
use super::oauth_text;
use crate::Timestamp;

type Reply = Response<Vec<u8>>;

/// What the authorization server knows: clients, their tokens, and the sessions of their users.
#[derive(Debug)]
pub struct OAuth2Server {
    random: Random,
    clients: BTreeMap<String, Client>,
    tokens: BTreeMap<String, (String, Timestamp)>,
    sessions: BTreeMap<String, Session>,
    /// How far a client's clock may be ahead. IBKR's own tolerance is not known. Default: 30 seconds.
    pub tolerance: Duration,
    /// Whether a client on loopback may claim any address. Clients ask the Internet for theirs, which a server on
    /// loopback cannot see. No.
    pub believes_loopback: bool,
}

#[derive(Debug)]
struct Client {
    key_id: String,
    key: RsaPublicKey,
    users: Vec<String>,
}

#[derive(Debug)]
struct Session {
    user: String,
    addresses: Vec<IpAddr>,
    ends: Timestamp,
}

/// Why the server refuses a request: status and words, which are the simulator's own but for an expired
/// bearer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused(u16, &'static str);

impl Refused {
    /// Returns the answer, a problem document with the server's time in its `Date`.
    pub fn answer(self, now: Timestamp) -> Response<Vec<u8>> {
        let Self(status, detail) = self;
        let title = if status == 401 { "Unauthorized" } else { "Bad Request" };
        let body = json!({ "type": "/simple", "title": title, "status": status, "detail": detail });
        oauth_text::answer(now, status, "application/problem+json", body.to_string())
    }
}

impl OAuth2Server {
    /// Creates a server without any client.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            random: Random::new(seed),
            clients: BTreeMap::new(),
            tokens: BTreeMap::new(),
            sessions: BTreeMap::new(),
            tolerance: Duration::from_secs(30),
            believes_loopback: false,
        }
    }

    /// Registers a client with the public half of its key (PEM) and the users it may act for.
    ///
    /// # Errors
    /// Says so where the key cannot be read.
    pub fn register(&mut self, id: &str, key_id: &str, key: &str, users: &[&str]) -> Result<(), &'static str> {
        let key = RsaPublicKey::from_public_key_pem(key).map_err(|_| "the key cannot be read")?;
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        self.clients.insert(id.to_owned(), Client { key_id: key_id.to_owned(), key, users });
        Ok(())
    }

    /// Ends all sessions; their bearers are refused from now on.
    pub fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    /// Answers a request to `/oauth2/api/v1/token` or `/gw/api/v1/sso-sessions` that came from `peer`;
    /// `None` for every other path.
    pub fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Option<Reply> {
        let answer = match request.uri().path() {
            "/oauth2/api/v1/token" => Self::token,
            "/gw/api/v1/sso-sessions" => Self::session,
            _ => return None,
        };
        if let Some(refused) = oauth_text::edge(now, request) {
            return Some(refused);
        }
        if request.method() != Method::POST {
            return Some(Refused(405, "Method Not Allowed").answer(now));
        }
        Some(answer(self, now, peer, request).unwrap_or_else(|refused| refused.answer(now)))
    }

    /// Checks the bearer of a call that came from `peer` and gives the user's name.
    ///
    /// # Errors
    /// [`Refused`] is to be [answered](Refused::answer).
    pub fn verify(&self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Result<String, Refused> {
        self.knows(now, peer, bearer(request).unwrap_or_default())
    }

    /// Checks a bearer, as the query of a handshake has it.
    pub(super) fn knows(&self, now: Timestamp, peer: IpAddr, bearer: &str) -> Result<String, Refused> {
        let session = self.sessions.get(bearer);
        let session = session.filter(|session| session.ends > now && session.addresses.contains(&peer));
        session.map(|session| session.user.clone()).ok_or(Refused(401, "Access token expired"))
    }

    fn token(&mut self, now: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Result<Reply, Refused> {
        if !has_media(request, "application/x-www-form-urlencoded") {
            return Err(Refused(400, "content type refused"));
        }
        let form: BTreeMap<String, String> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
        let is = |name: &str, expected: &str| form.get(name).is_some_and(|value| value == expected);
        if !is("grant_type", "client_credentials")
            || !is("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            || !is("scope", "sso-sessions.write")
        {
            return Err(Refused(400, "parameter refused"));
        }
        let assertion = form.get("client_assertion").map(String::as_str).unwrap_or_default();
        let (client, claims) = self.open(assertion).ok_or(Refused(400, "assertion refused"))?;
        if claims.get("sub") != Some(&json!(client)) || claims.get("aud") != Some(&json!("/token")) {
            return Err(Refused(400, "claims refused"));
        }
        self.check_times(now, &claims)?;
        let (token, life) = (self.random.token(48), 86_399);
        self.tokens.insert(token.clone(), (client, now + Duration::from_secs(life)));
        let body = json!({
            "access_token": token, "token_type": "Bearer", "scope": "sso-sessions.write", "expires_in": life,
        });
        Ok(oauth_text::json(now, 200, &body))
    }

    fn session(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Result<Reply, Refused> {
        let owner = bearer(request).and_then(|token| self.tokens.get(token)).filter(|(_, ends)| *ends > now);
        let owner = owner.ok_or(Refused(401, "Access token expired"))?.0.clone();
        if !has_media(request, "application/jwt") {
            return Err(Refused(400, "content type refused"));
        }
        let claims = core::str::from_utf8(request.body()).ok().and_then(|body| self.open(body));
        let (client, claims) = claims.ok_or(Refused(400, "claims refused"))?;
        let user = claims.get("credential").and_then(Value::as_str).unwrap_or_default().to_owned();
        let known = self.clients.get(&client).is_some_and(|client| client.users.contains(&user));
        if client != owner || !known {
            return Err(Refused(400, "credential refused"));
        }
        self.check_times(now, &claims)?;
        let more = claims.get("alternativeIps").and_then(Value::as_array);
        let named = claims.get("ip").into_iter().chain(more.into_iter().flatten());
        let mut addresses: Vec<IpAddr> = named.filter_map(|ip| ip.as_str()?.parse().ok()).collect();
        if self.believes_loopback && peer.is_loopback() && !addresses.is_empty() {
            addresses.push(peer);
        }
        if !addresses.contains(&peer) {
            return Err(Refused(400, "ip refused"));
        }
        let token = self.random.token(64);
        let ends = now + Duration::from_secs(86_400);
        self.sessions.insert(token.clone(), Session { user, addresses, ends });
        Ok(oauth_text::json(now, 200, &json!({ "active": true, "access_token": token, "token_type": "Bearer" })))
    }

    /// Verifies a JWT and gives its issuer and claims.
    fn open(&self, jwt: &str) -> Option<(String, Value)> {
        let (text, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = text.split_once('.')?;
        let part =
            |part: &str| -> Option<Value> { serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
        let (header, claims) = (part(header)?, part(claims)?);
        let issuer = claims.get("iss")?.as_str()?.to_owned();
        let client = self.clients.get(&issuer)?;
        if header.get("alg")? != "RS256" || header.get("typ")? != "JWT" || header.get("kid")? != client.key_id.as_str()
        {
            return None;
        }
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        client.key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text), &signature).ok()?;
        Some((issuer, claims))
    }

    fn check_times(&self, now: Timestamp, claims: &Value) -> Result<(), Refused> {
        let seconds = |name: &str| claims.get(name).and_then(Value::as_u64).map(Timestamp::from_secs);
        match (seconds("iat"), seconds("exp")) {
            (Some(issued), Some(ends)) if issued <= now + self.tolerance && ends > now => Ok(()),
            _ => Err(Refused(400, "time refused")),
        }
    }
}

fn bearer(request: &Request<Vec<u8>>) -> Option<&str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn has_media(request: &Request<Vec<u8>>, expected: &str) -> bool {
    request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(expected.as_bytes()))
}

#[cfg(test)]
mod tests;
