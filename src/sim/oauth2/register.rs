//! The registration endpoint (RFC 7591).

use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{Client, OAuth2Sim, Outcome, Said};
use crate::Timestamp;

impl OAuth2Sim {
    pub(super) fn register(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Said {
        let refused = |this: &mut Self, error, why| {
            this.note(now, Outcome::RegistrationRefused, None);
            Said::Error(400, error, why)
        };
        let Ok(asked) = serde_json::from_slice::<Value>(request.body()) else {
            return refused(self, "invalid_client_metadata", "the body is not JSON");
        };
        let texts = |name: &str| -> Vec<String> {
            let list = asked.get(name).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut grants = texts("grant_types");
        if grants.is_empty() {
            grants.push("authorization_code".to_owned());
        }
        let redirects = texts("redirect_uris");
        let by_code = grants.iter().any(|grant| grant == "authorization_code");
        let good = |uri: &String| {
            uri.starts_with("https://") || uri.starts_with("http://127.0.0.1") || uri.starts_with("http://[::1]")
        };
        if by_code && redirects.is_empty() || !redirects.iter().all(good) {
            return refused(self, "invalid_redirect_uri", "redirects are https or to a loopback address");
        }
        let method = asked.get("token_endpoint_auth_method").and_then(Value::as_str).unwrap_or("client_secret_basic");
        let id: String = self.books.make("client").chars().take(16).collect();
        let secret = if method == "none" { None } else { Some(self.books.make("secret")) };
        let mut client = match (method, &secret) {
            ("none", _) => Client::public(&id),
            ("client_secret_basic", Some(secret)) => Client::basic(&id, secret),
            ("client_secret_post", Some(secret)) => Client::post(&id, secret),
            _ => return refused(self, "invalid_client_metadata", "token_endpoint_auth_method"),
        };
        client = client.scopes(&self.settings.registered_scopes);
        client.redirect_uris = redirects.clone();
        client.grants = Some(grants.clone());
        self.add_client(client);
        self.note(now, Outcome::Registered, Some(&id));
        let mut answer = json!({
            "client_id": id,
            "client_id_issued_at": now.as_secs(),
            "client_name": asked.get("client_name"),
            "token_endpoint_auth_method": method,
            "redirect_uris": redirects,
            "grant_types": grants,
        });
        if let (Some(secret), Some(body)) = (secret, answer.as_object_mut()) {
            body.insert("client_secret".to_owned(), secret.into());
            body.insert("client_secret_expires_at".to_owned(), 0.into());
        }
        Said::With(StatusCode::CREATED, Box::new(answer))
    }
}
