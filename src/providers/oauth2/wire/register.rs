//! The registration of a client by itself (RFC 7591).

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use serde::Serialize;

use super::{Client, ClientError, Endpoint, ErrorBody, JSON, filled, request};
use crate::wire::{self, Text};
use crate::{Response, Secret, Timestamp};

/// What a client asks to be registered as.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Registration<'a> {
    /// What people read on the consent page.
    pub client_name: &'a str,
    /// Where browsers may be sent back to.
    pub redirect_uris: &'a [&'a str],
    /// The grants, such as `authorization_code` and `refresh_token`: without the latter there are no refresh tokens.
    pub grant_types: &'a [&'a str],
    /// `code`, or nothing without a redirect.
    pub response_types: &'a [&'a str],
    /// How the client will authenticate, such as `none`.
    pub token_endpoint_auth_method: &'a str,
    /// The scopes, with spaces between them; empty for the server's choice.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub scope: &'a str,
    /// What the server wants besides, such as `application_type`.
    #[serde(flatten)]
    pub more: Option<&'a Fields>,
}

/// Fields of a registration that have no place of their own, by name.
pub type Fields = std::collections::BTreeMap<Box<str>, Box<str>>;

impl Registration<'_> {
    /// Builds the request. A repetition leaves another client behind, and does no other harm.
    pub fn request(&self, endpoint: &Endpoint) -> Request<Vec<u8>> {
        // There is no map with keys that are no strings.
        let mut request = request(Method::POST, endpoint, serde_json::to_vec(self).unwrap_or_default());
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        request
    }
}

crate::wire_object! {
    /// The fields of the answer.
    struct RegisteredBody<'a> {
        /// The id.
        client_id: Text<'a> = "client_id",
        /// The secret.
        client_secret: Secret = "client_secret",
        /// When the secret ends; 0 for never.
        expires_at: u64 = "client_secret_expires_at",
        /// How the client authenticates.
        method: Text<'a> = "token_endpoint_auth_method",
        /// Where browsers may be sent back to.
        redirect_uris: Vec<Text<'a>> = "redirect_uris",
        /// The grants.
        grant_types: Vec<Text<'a>> = "grant_types",
        /// The code of an error.
        error: Text<'a> = "error",
        /// Its description.
        error_description: Text<'a> = "error_description",
    }
}

/// A client as the server has registered it, which may differ from what was asked for.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The id, which belongs to its issuer and to its redirect URI.
    pub client_id: Box<str>,
    /// The secret, where it has one.
    pub client_secret: Option<Secret>,
    /// When the secret ends; none for never.
    pub secret_expires: Option<Timestamp>,
    /// How it authenticates; where the server does not say, as it asked for.
    pub auth_method: Option<Box<str>>,
    /// Where browsers may be sent back to; empty where the server does not say.
    pub redirect_uris: Vec<Box<str>>,
    /// The grants; empty where the server does not say.
    pub grant_types: Vec<Box<str>>,
}

/// What a registration got.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RegistrationAnswer {
    /// The client.
    Registered(Box<Registered>),
    /// An error of OAuth.
    Error(ErrorBody),
    /// Nothing that proves anything.
    Unknown,
}

impl Registered {
    /// Reads the answer: 201, and 200 where servers say so.
    pub fn read(response: Response<'_>) -> RegistrationAnswer {
        let Some(body) = wire::json::<RegisteredBody<'_>>(response.body) else { return RegistrationAnswer::Unknown };
        if let Some(error) = ErrorBody::of(response.status, body.error, body.error_description, None) {
            return RegistrationAnswer::Error(error);
        }
        let Some(client_id) = filled(body.client_id).filter(|_| response.status.is_success()) else {
            return RegistrationAnswer::Unknown;
        };
        let texts = |list: Option<Vec<Text<'_>>>| list.unwrap_or_default().into_iter().map(Into::into).collect();
        RegistrationAnswer::Registered(Box::new(Self {
            client_id: client_id.into(),
            client_secret: body.client_secret.filter(|secret| !secret.is_empty()),
            secret_expires: body.expires_at.filter(|at| *at > 0).map(Timestamp::from_secs),
            auth_method: filled(body.method).map(Into::into),
            redirect_uris: texts(body.redirect_uris),
            grant_types: texts(body.grant_types),
        }))
    }

    /// Returns what of the registration is not what was asked for, by the name of the field; none where all is.
    ///
    /// What the server does not say counts as granted, and the scope is not compared: a token's own scope is what counts.
    pub fn differs(&self, asked: &Registration<'_>) -> Option<&'static str> {
        let has = |found: &[Box<str>], wanted: &[&str]| {
            found.is_empty() || wanted.iter().all(|wanted| found.iter().any(|found| &**found == *wanted))
        };
        if self.auth_method.as_deref().is_some_and(|method| method != asked.token_endpoint_auth_method) {
            return Some("token_endpoint_auth_method");
        }
        if !has(&self.redirect_uris, asked.redirect_uris) {
            return Some("redirect_uris");
        }
        (!has(&self.grant_types, asked.grant_types)).then_some("grant_types")
    }

    /// Returns the client that the server has registered. Without a method that the server names it is public if it has no
    /// secret, and uses Basic otherwise, the default of RFC 7591.
    ///
    /// # Errors
    /// [`ClientError`], also for a method that is not known here.
    pub fn client(&self) -> Result<Client, ClientError> {
        let secret = || self.client_secret.clone().ok_or(ClientError::Secret);
        match (self.auth_method.as_deref(), &self.client_secret) {
            (Some("none"), _) | (None, None) => Client::public(&self.client_id),
            (Some("client_secret_basic") | None, _) => Client::basic(&self.client_id, secret()?),
            (Some("client_secret_post"), _) => Client::post(&self.client_id, secret()?),
            (Some("private_key_jwt"), _) => Client::jwt(&self.client_id),
            (Some(_), _) => Err(ClientError::Secret),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Registration<'static> = Registration {
        client_name: "a bot",
        redirect_uris: &["http://127.0.0.1:8400/callback"],
        grant_types: &["authorization_code", "refresh_token"],
        response_types: &["code"],
        token_endpoint_auth_method: "none",
        scope: "",
        more: None,
    };

    fn read(status: u16, body: &str) -> RegistrationAnswer {
        Registered::read((&http::Response::builder().status(status).body(body).unwrap()).into())
    }

    fn registered(body: &str) -> Registered {
        match read(201, body) {
            RegistrationAnswer::Registered(registered) => *registered,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn the_request_is_json() {
        let request = ASKED.request(&Endpoint::parse("https://login.example.org/register").unwrap());
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(
            String::from_utf8(request.into_body()).unwrap(),
            r#"{"client_name":"a bot","redirect_uris":["http://127.0.0.1:8400/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#
        );
    }

    #[test]
    fn what_differs_from_what_was_asked_for_is_named() {
        assert_eq!(registered(r#"{"client_id":"c"}"#).differs(&ASKED), None);
        for (body, field) in [
            (r#"{"client_id":"c","token_endpoint_auth_method":"client_secret_basic"}"#, "token_endpoint_auth_method"),
            (r#"{"client_id":"c","redirect_uris":["http://localhost/x"]}"#, "redirect_uris"),
            (r#"{"client_id":"c","grant_types":["authorization_code"]}"#, "grant_types"),
        ] {
            assert_eq!(registered(body).differs(&ASKED), Some(field), "{body}");
        }
    }

    #[test]
    fn a_client_is_made_of_the_answer() {
        let method = |body: &str| registered(body).client().map(|client| client.method());
        assert_eq!(method(r#"{"client_id":"c"}"#), Ok("none"));
        assert_eq!(method(r#"{"client_id":"c","client_secret":"s"}"#), Ok("client_secret_basic"));
        let post = r#"{"client_id":"c","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}"#;
        assert_eq!(method(post), Ok("client_secret_post"));
        assert_eq!(
            method(r#"{"client_id":"c","token_endpoint_auth_method":"client_secret_post"}"#),
            Err(ClientError::Secret)
        );
        let secret = registered(r#"{"client_id":"c","client_secret":"s","client_secret_expires_at":1800000000}"#);
        assert_eq!(secret.secret_expires, Some(Timestamp::from_secs(1_800_000_000)));
        assert_eq!(registered(r#"{"client_id":"c","client_secret_expires_at":0}"#).secret_expires, None);
    }

    #[test]
    fn a_refusal_and_a_page_are_no_client() {
        assert!(matches!(read(400, r#"{"error":"invalid_redirect_uri"}"#), RegistrationAnswer::Error(_)));
        assert!(matches!(read(200, r#"{"client_id":"c"}"#), RegistrationAnswer::Registered(_)));
        for (status, body) in
            [(403, "<html>"), (201, "{}"), (201, r#"{"client_id":""}"#), (500, r#"{"client_id":"c"}"#)]
        {
            assert!(matches!(read(status, body), RegistrationAnswer::Unknown), "{status} {body}");
        }
    }
}
