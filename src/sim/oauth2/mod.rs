//! An OAuth 2 server: authorization server and resource server in one, as the specifications have them.
//!
//! It follows RFC 6749 (code, refresh, client credentials), 6750 (bearers), 7009 (revocation), 7591 (registration), 7636
//! (PKCE), 8414 and OpenID's discovery, 8628 (device grant), 8707 (`resource`), 9207 (`iss`), 9700 (rotation) and 9728
//! (metadata of a resource). What surprises most clients:
//!
//! - **A refresh token serves once.** The second use, by whomever, kills everything that stems from the same consent, the
//!   newest tokens included. An answer that was lost on its way has spent the token all the same. [`Settings::grace`]
//!   forgives a repetition within a time, [`Settings::rotates`] turns it off.
//! - A code serves once as well: its second use kills what its first one brought.
//! - Revoking an access token revokes its refresh token, and revoking a spent refresh token its successors.
//! - Two ways of client authentication at once are refused, and so is a form of which a parameter comes twice.
//! - A redirect URI or a client that is not registered gets a page, and no redirect: the client hears nothing.
//!
//! Where servers differ, [`Settings`] has a lever: lives that are text or missing, errors with 200, form answers, refresh
//! tokens that are missing, `null` or empty, ends of a consent that are idle, absolute or both, requests without a
//! `User-Agent` that an edge refuses. [`OAuth2Sim::disturb`] lets answers get lost, late, cut, or replaced by a proxy's page.
//!
//! | path below the issuer | what |
//! |---|---|
//! | `/.well-known/oauth-authorization-server`, `/.well-known/openid-configuration` | metadata |
//! | `/.well-known/oauth-protected-resource/api` | metadata of the resource |
//! | `/authorize` | where a person consents; [`OAuth2Sim::browse`] is that person's browser |
//! | `/token`, `/revoke`, `/register`, `/device` | the endpoints |
//! | `/api/…` | the resource: 200 for a live bearer, and the scope `write` for anything but GET |
//!
//! ```
//! use sansession::Timestamp;
//! use sansession::sim::{OAuth2Sim, Simulator, oauth2};
//!
//! let mut server = OAuth2Sim::new("https://login.example.org", 1);
//! server.add_client(oauth2::Client::basic("app", "secret").scopes("read"));
//! let request = http::Request::post("https://login.example.org/token")
//!     .header("content-type", "application/x-www-form-urlencoded")
//!     .header("authorization", "Basic YXBwOnNlY3JldA==")
//!     .body(b"grant_type=client_credentials&scope=read".to_vec())?;
//! let reply = server.handle(Timestamp::from_secs(0), [127, 0, 0, 1].into(), &request);
//! assert_eq!(reply.response.status(), 200);
//! # Ok::<(), http::Error>(())
//! ```

mod authorize;
mod books;
mod client;
mod device;
mod form;
mod log;
mod register;
mod revoke;
mod settings;
#[cfg(test)]
mod tests;
mod token;

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

pub use self::authorize::Browsed;
use self::authorize::Code;
use self::books::Books;
pub use self::client::Client;
use self::device::Device;
use self::form::Form;
pub use self::log::{Entry, Outcome};
pub use self::settings::{Life, Person, Settings};
use super::mishap::{Mishap, Mishaps, disturbed};
use super::{Reply, Simulator, web};
use crate::Timestamp;

/// The most entries that the log keeps.
const LOG: usize = 10_000;

/// An authorization server and its resource as a state machine.
pub struct OAuth2Sim {
    /// How the server behaves; may be changed at any time.
    pub settings: Settings,
    issuer: String,
    clients: BTreeMap<String, Client>,
    codes: BTreeMap<String, Code>,
    devices: BTreeMap<String, Device>,
    books: Books,
    mishaps: Mishaps,
    log: VecDeque<Entry>,
}

/// An answer of an endpoint before it is written.
enum Said {
    /// JSON with 200.
    Good(Box<Value>),
    /// JSON with another status.
    With(StatusCode, Box<Value>),
    /// An error of OAuth.
    Error(u16, &'static str, &'static str),
    /// A response that is made already.
    Whole(Box<Response<Vec<u8>>>),
}

impl Said {
    fn good(body: Value) -> Self {
        Self::Good(Box::new(body))
    }

    fn whole(response: Response<Vec<u8>>) -> Self {
        Self::Whole(Box::new(response))
    }
}

impl OAuth2Sim {
    /// Creates a server; equal seeds make equal tokens. The issuer is its own base URL, without a slash at the end.
    pub fn new(issuer: impl Into<String>, seed: u64) -> Self {
        Self {
            settings: Settings::default(),
            issuer: issuer.into(),
            clients: BTreeMap::new(),
            codes: BTreeMap::new(),
            devices: BTreeMap::new(),
            books: Books::new(seed),
            mishaps: Mishaps::default(),
            log: VecDeque::new(),
        }
    }

    /// Returns the issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Moves the server to another base URL, such as that of the socket that serves it.
    pub fn set_issuer(&mut self, issuer: impl Into<String>) {
        self.issuer = issuer.into();
    }

    /// Adds a client, or replaces the one of that id.
    pub fn add_client(&mut self, client: Client) {
        self.clients.insert(client.id.clone(), client);
    }

    /// Returns the ids of all clients, registered ones included.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.clients.keys().map(String::as_str)
    }

    /// Forgets a client, as servers do with registrations that nobody used for a while; its tokens die with it.
    pub fn prune(&mut self, client: &str) {
        if self.clients.remove(client).is_some() {
            self.books.kill_client(client);
        }
    }

    /// Revokes every consent, as a person does on the server's page or by a new password.
    pub fn revoke_consents(&mut self) {
        self.books.kill_all();
    }

    /// Ends every access token at once, as a restart of the server may; refresh tokens stay good.
    pub fn drop_access_tokens(&mut self) {
        self.books.drop_access();
    }

    /// Counts the consents whose refresh token or access token is good now.
    pub fn live_consents(&self, now: Timestamp) -> usize {
        self.books.live(now, &self.settings)
    }

    /// Reports whether a token is good now.
    pub fn is_live(&self, now: Timestamp, token: &str) -> bool {
        !self.books.is_dead(now, token, &self.settings)
    }

    /// Returns every refresh token and code that was taken once and is not taken again, oldest first.
    pub fn spent(&self) -> &[String] {
        self.books.spent()
    }

    /// Returns every token, code and secret that was given out, oldest first.
    pub fn issued(&self) -> &[String] {
        self.books.issued()
    }

    /// Returns what the server did, oldest first: the last 10,000 outcomes.
    pub fn log(&self) -> impl Iterator<Item = &Entry> {
        self.log.iter()
    }

    /// Takes what the server did since the last time, so that the log of a long run stays short.
    pub fn take_log(&mut self) -> Vec<Entry> {
        self.log.drain(..).collect()
    }

    /// Counts one kind of outcome in the log.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.log.iter().filter(|entry| entry.outcome == outcome).count()
    }

    fn note(&mut self, at: Timestamp, outcome: Outcome, client: Option<&str>) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(Entry { at, outcome, client: client.map(str::to_owned) });
    }

    fn serve(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Reply {
        if self.settings.wants_user_agent && request.headers().get(USER_AGENT).is_none_or(|name| name.is_empty()) {
            self.note(now, Outcome::EdgeRefused, None);
            let page = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1></BODY></HTML>";
            return Reply::new(web::answer(StatusCode::FORBIDDEN, "text/html", page));
        }
        let path = request.uri().path();
        let has = &self.settings;
        let said = match (request.method().as_str(), path) {
            ("GET", "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration")
                if has.describes =>
            {
                self.note(now, Outcome::Described, None);
                Said::good(self.metadata())
            }
            ("GET", "/.well-known/oauth-protected-resource/api") if has.describes => {
                self.note(now, Outcome::Described, None);
                let resource = self.resource();
                Said::good(
                    json!({ "resource": resource, "authorization_servers": [self.issuer], "scopes_supported": ["read", "write"], "bearer_methods_supported": ["header"] }),
                )
            }
            ("GET", "/authorize") => {
                let url = format!("{}{}", self.issuer, request.uri());
                let browsed = self.browse(now, &url);
                Said::whole(browsed.into_response())
            }
            ("GET", "/activate") if has.has_device => Said::whole(self.activate(now, request.uri().query())),
            ("POST", "/token") => self.token(now, request),
            ("POST", "/device") if has.has_device => self.begin_device(now, request),
            ("POST", "/revoke") if has.has_revocation => self.revoke(now, request),
            ("POST", "/register") if has.has_registration => self.register(now, request),
            _ if path == "/api" || path.starts_with("/api/") => self.call(now, request),
            (_, "/token" | "/device" | "/revoke" | "/register") => {
                Said::whole(web::answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "Method Not Allowed"))
            }
            _ => Said::whole(web::answer(StatusCode::NOT_FOUND, "text/html", "<html>Not Found</html>")),
        };
        Reply::new(self.write(request, said))
    }

    fn metadata(&self) -> Value {
        let has = &self.settings;
        let at = |path: &str| format!("{}{path}", self.issuer);
        let mut all = json!({
            "issuer": has.calls_itself.as_deref().unwrap_or(&self.issuer),
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
            "scopes_supported": ["read", "write", "offline_access"],
            "authorization_response_iss_parameter_supported": has.names_issuer,
        });
        for (wanted, field, path) in [
            (has.has_device, "device_authorization_endpoint", "/device"),
            (has.has_revocation, "revocation_endpoint", "/revoke"),
            (has.has_registration, "registration_endpoint", "/register"),
        ] {
            if let (true, Some(all)) = (wanted, all.as_object_mut()) {
                all.insert(field.to_owned(), at(path).into());
            }
        }
        all
    }

    fn resource(&self) -> String {
        format!("{}/api", self.issuer)
    }

    /// A call to the resource.
    fn call(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Said {
        let metadata = format!("{}/.well-known/oauth-protected-resource/api", self.issuer);
        let challenge = |status: u16, error: &str| {
            let body = if error.is_empty() { "" } else { "{}" };
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
            let mut response = web::answer(status, "application/json", body);
            let comma = if error.is_empty() { "" } else { ", " };
            web::set(
                &mut response,
                WWW_AUTHENTICATE,
                &format!("Bearer resource_metadata=\"{metadata}\"{comma}{error}"),
            );
            Said::whole(response)
        };
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        // The scheme has no case by the specification, and one here: servers that want the capital exist.
        let bearer = header.and_then(|header| header.strip_prefix("Bearer "));
        let Some(bearer) = bearer else {
            self.note(now, Outcome::CallRefused, None);
            return challenge(401, "");
        };
        let Some((client, scopes)) = self.books.bearer(now, bearer) else {
            self.note(now, Outcome::CallRefused, None);
            return challenge(401, if self.settings.terse { "" } else { "error=\"invalid_token\"" });
        };
        if request.method() != Method::GET && !scopes.iter().any(|scope| scope == "write") {
            self.note(now, Outcome::ScopeMissing, Some(&client));
            return challenge(403, "error=\"insufficient_scope\", scope=\"write\"");
        }
        self.note(now, Outcome::Called, Some(&client));
        Said::good(json!({ "ok": true }))
    }

    fn write(&self, request: &Request<Vec<u8>>, said: Said) -> Response<Vec<u8>> {
        let (status, body) = match said {
            Said::Good(body) => (StatusCode::OK, *body),
            Said::With(status, body) => (status, *body),
            Said::Whole(response) => return *response,
            Said::Error(status, error, text) => {
                let status = if self.settings.errors_with_200 { 200 } else { status };
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                (status, json!({ "error": error, "error_description": text }))
            }
        };
        let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_token = request.uri().path() == "/token";
        if is_token && status.is_client_error() && accept.starts_with("text/html") {
            return web::answer(
                status,
                "text/html; charset=utf-8",
                format!("<html><h1>{}</h1></html>", body.get("error").and_then(Value::as_str).unwrap_or_default()),
            );
        }
        let mut response =
            if is_token && (self.settings.form_answers || self.settings.form_unasked && !accept.contains("json")) {
                web::answer(status, "application/x-www-form-urlencoded; charset=utf-8", as_form(&body))
            } else {
                web::answer(status, "application/json", body.to_string())
            };
        web::set(&mut response, http::header::CACHE_CONTROL, "no-store");
        if status == StatusCode::UNAUTHORIZED && request.headers().contains_key(AUTHORIZATION) {
            web::set(&mut response, WWW_AUTHENTICATE, "Basic realm=\"login\"");
        }
        response
    }
}

fn as_form(body: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs: Vec<_> = body.as_object().into_iter().flatten().map(|(name, value)| (name, text(value))).collect();
    serde_urlencoded::to_string(pairs).unwrap_or_default()
}

/// What is asked for, as a list.
fn words(scope: Option<&str>) -> Vec<String> {
    scope.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

disturbed!(OAuth2Sim, mishaps);

impl Simulator for OAuth2Sim {
    fn handle(&mut self, now: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        Mishap::meet(self.mishaps.next(request), || self.serve(now, request))
    }
}

impl fmt::Debug for OAuth2Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("issuer", &self.issuer)
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}

const MINUTE: Duration = Duration::from_secs(60);
