//! The page where a person consents.

use http::header::LOCATION;
use http::{Response, StatusCode};

use super::{Form, OAuth2Sim, Outcome, Person, words};
use crate::Timestamp;
use crate::sim::web;

/// What a code is good for.
pub(super) struct Code {
    pub(super) client: String,
    pub(super) redirect_uri: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) ends: Timestamp,
    /// What its first use brought.
    pub(super) family: Option<u64>,
}

/// Where a browser ends that was sent to an authorization URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Browsed {
    /// It is sent back to the client: the URL.
    Redirect(String),
    /// It stays on a page of the server: the status. The client hears nothing.
    Page(u16),
}

impl Browsed {
    pub(super) fn into_response(self) -> Response<Vec<u8>> {
        match self {
            Self::Redirect(url) => {
                let mut response = web::answer(StatusCode::FOUND, "text/html", "");
                web::set(&mut response, LOCATION, &url);
                response
            }
            Self::Page(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                web::answer(status, "text/html", format!("<html><h1>{status}</h1></html>"))
            }
        }
    }
}

impl OAuth2Sim {
    /// Opens an authorization URL as a person's browser does, and does what [`Settings::person`](super::Settings::person) says.
    pub fn browse(&mut self, now: Timestamp, url: &str) -> Browsed {
        let query = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or(query));
        let Ok(form) = Form::of(web::pairs(query.as_bytes())) else { return self.page(now, 400, None) };
        let id = form.get("client_id").unwrap_or_default().to_owned();
        let Some(client) = self.clients.get(&id) else { return self.page(now, 400, Some(&id)) };
        let named = form.get("redirect_uri").map(str::to_owned);
        let redirect = match (&named, client.redirect_uris.as_slice()) {
            (Some(uri), _) if client.has_redirect(uri) => uri.clone(),
            (None, [only]) => only.clone(),
            _ => return self.page(now, 400, Some(&id)),
        };
        let known = client.scopes.clone();
        let asked = words(form.get("scope"));
        let public = matches!(client.proof, super::client::Proof::None);
        let challenge = form.get("code_challenge").map(str::to_owned);
        let error = if form.get("response_type") != Some("code") {
            Some("unsupported_response_type")
        } else if !client.may("authorization_code") {
            Some("unauthorized_client")
        } else if challenge.is_some() && form.get("code_challenge_method") != Some("S256")
            || challenge.is_none() && public
        {
            Some("invalid_request")
        } else if asked.iter().any(|scope| !known.contains(scope)) {
            Some("invalid_scope")
        } else if self.wrong_resource(form.get("resource")) {
            Some("invalid_target")
        } else {
            match self.settings.person {
                Person::Consents => None,
                Person::Declines => {
                    self.note(now, Outcome::Declined, Some(&id));
                    Some("access_denied")
                }
                Person::Hesitates => return Browsed::Page(200),
            }
        };
        let mut answer = Vec::new();
        match error {
            Some(error) => answer.push(("error", error.to_owned())),
            None => {
                self.note(now, Outcome::Consented, Some(&id));
                if self.settings.one_consent {
                    self.books.kill_client(&id);
                }
                let text = self.books.make("code");
                let scopes = if asked.is_empty() { known } else { asked };
                let ends = now + self.settings.code_life;
                let code = Code { client: id, redirect_uri: named, challenge, scopes, ends, family: None };
                self.codes.insert(text.clone(), code);
                answer.push(("code", text));
            }
        }
        answer.extend(form.get("state").map(|state| ("state", state.to_owned())));
        if self.settings.names_issuer {
            answer.push(("iss", self.settings.calls_itself.clone().unwrap_or_else(|| self.issuer.clone())));
        }
        let joint = if redirect.contains('?') { '&' } else { '?' };
        Browsed::Redirect(format!("{redirect}{joint}{}", serde_urlencoded::to_string(answer).unwrap_or_default()))
    }

    /// Issues a refresh token to a client without a browser, as a page of the account does; none for a client that is unknown.
    pub fn grant(&mut self, now: Timestamp, client: &str) -> Option<String> {
        let scopes = self.clients.get(client)?.scopes.clone();
        self.note(now, Outcome::Consented, Some(client));
        let family = self.books.begin(now, client, scopes);
        Some(self.books.give_refresh(now, family))
    }

    fn page(&mut self, now: Timestamp, status: u16, client: Option<&str>) -> Browsed {
        self.note(now, Outcome::Page, client);
        Browsed::Page(status)
    }

    pub(super) fn wrong_resource(&self, named: Option<&str>) -> bool {
        match named {
            Some(named) => named != self.resource(),
            None => self.settings.wants_resource,
        }
    }
}
