//! The token endpoint.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Request;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::books::Worth;
use super::client::Proof;
use super::{Form, Life, OAuth2Sim, Outcome, Said, words};
use crate::Timestamp;

impl OAuth2Sim {
    pub(super) fn token(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Said {
        let said = self.token_or(now, request);
        said.unwrap_or_else(|refused| {
            if let Said::Error(400, "invalid_request" | "unsupported_grant_type" | "invalid_target", _) = refused {
                self.note(now, Outcome::BadRequest, None);
            }
            refused
        })
    }

    fn token_or(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Result<Said, Said> {
        let form = Form::read(request)?;
        let client = self.authenticate(now, request, &form)?;
        let grant = form.get("grant_type").ok_or(Said::Error(400, "invalid_request", "grant_type is missing"))?;
        if !self.clients.get(&client).is_some_and(|client| client.may(grant)) {
            return Err(Said::Error(400, "unauthorized_client", "the client may not use this grant"));
        }
        match grant {
            "authorization_code" => self.redeem(now, &client, &form),
            "refresh_token" => self.refresh(now, &client, &form),
            "client_credentials" => self.grant_client(now, &client, &form),
            "urn:ietf:params:oauth:grant-type:device_code" => self.poll_device(now, &client, &form),
            _ => Err(Said::Error(400, "unsupported_grant_type", "the grant is unknown")),
        }
    }

    fn redeem(&mut self, now: Timestamp, client: &str, form: &Form) -> Result<Said, Said> {
        let text = form.get("code").ok_or(Said::Error(400, "invalid_request", "code is missing"))?;
        self.check_resource(form)?;
        let refused = |this: &mut Self, outcome, why| {
            this.note(now, outcome, Some(client));
            Err(Said::Error(400, "invalid_grant", why))
        };
        let Some(code) = self.codes.get(text) else {
            return refused(self, Outcome::CodeRefused, "the code is unknown");
        };
        if let Some(family) = code.family {
            // The first use may have been a thief's (RFC 6749, section 4.1.2).
            self.books.kill(family);
            return refused(self, Outcome::CodeReused, "the code was used");
        }
        let proven = match (&code.challenge, form.get("code_verifier")) {
            (Some(challenge), Some(verifier)) => {
                *challenge == BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
            }
            (None, None) => true,
            _ => false,
        };
        let fits = code.client == client && code.ends > now && code.redirect_uri.as_deref() == form.get("redirect_uri");
        if !proven || !fits {
            return refused(
                self,
                Outcome::CodeRefused,
                "the code is expired, or of another client, redirect URI or verifier",
            );
        }
        let scopes = code.scopes.clone();
        let family = self.books.begin(now, client, scopes);
        if let Some(code) = self.codes.get_mut(text) {
            code.family = Some(family);
        }
        self.books.spend(text);
        self.note(now, Outcome::Redeemed, Some(client));
        Ok(self.give(now, family, true))
    }

    fn refresh(&mut self, now: Timestamp, client: &str, form: &Form) -> Result<Said, Said> {
        let token = form.get("refresh_token").ok_or(Said::Error(400, "invalid_request", "refresh_token is missing"))?;
        self.check_resource(form)?;
        let worth = self.books.worth(now, token, client, &self.settings);
        let (family, outcome) = match worth {
            Worth::Good(family) => (family, Outcome::Refreshed),
            Worth::Forgiven(family) => (family, Outcome::Forgiven),
            Worth::Spent(family) => {
                // Nobody can tell the thief from the owner (RFC 9700, section 4.14.2).
                self.books.kill(family);
                return Err(self.dead(now, client, Outcome::Reused));
            }
            Worth::Dead => return Err(self.dead(now, client, Outcome::RefreshRefused)),
        };
        let granted = self.books.family(family).map(|family| family.scopes.clone()).unwrap_or_default();
        if words(form.get("scope")).iter().any(|scope| !granted.contains(scope)) {
            return Err(Said::Error(400, "invalid_scope", "more than was granted"));
        }
        let grace = !self.settings.grace.is_zero();
        self.books.use_refresh(now, token, self.settings.rotates, grace);
        if self.settings.one_access {
            self.books.drop_access_of(family);
        }
        self.note(now, outcome, Some(client));
        Ok(self.give(now, family, self.settings.rotates))
    }

    fn dead(&mut self, now: Timestamp, client: &str, outcome: Outcome) -> Said {
        self.note(now, outcome, Some(client));
        let (status, code) = self.settings.dead;
        Said::Error(status, code, "the refresh token is expired, revoked or spent")
    }

    fn grant_client(&mut self, now: Timestamp, client: &str, form: &Form) -> Result<Said, Said> {
        let Some(known) = self.clients.get(client) else {
            return Err(Said::Error(401, "invalid_client", "client is unknown"));
        };
        if matches!(known.proof, Proof::None) {
            return Err(Said::Error(400, "unauthorized_client", "a public client has no grant of its own"));
        }
        if self.wrong_resource(form.get("resource")) {
            return Err(Said::Error(400, "invalid_target", "the resource is unknown"));
        }
        let asked = words(form.get("scope"));
        // What is unknown is left out without a word.
        let scopes = if asked.is_empty() {
            known.scopes.clone()
        } else {
            asked.into_iter().filter(|scope| known.scopes.contains(scope)).collect()
        };
        let family = self.books.begin(now, client, scopes);
        self.note(now, Outcome::Granted, Some(client));
        let mut answer = self.body(now, family);
        if let Some(body) = answer.as_object_mut() {
            body.remove("refresh_token_expires_in");
        }
        Ok(Said::good(answer))
    }

    fn check_resource(&self, form: &Form) -> Result<(), Said> {
        if self.wrong_resource(form.get("resource")) {
            return Err(Said::Error(400, "invalid_target", "the resource is unknown"));
        }
        Ok(())
    }

    /// Returns tokens; a refresh token as well where one is new.
    pub(super) fn give(&mut self, now: Timestamp, family: u64, new_refresh: bool) -> Said {
        let mut answer = self.body(now, family);
        let refresh = if !self.settings.refreshes {
            None
        } else if new_refresh {
            Some(Value::String(self.books.give_refresh(now, family)))
        } else {
            self.settings.unchanged_refresh.map(json_of)
        };
        if let (Some(body), Some(refresh)) = (answer.as_object_mut(), refresh) {
            body.insert("refresh_token".to_owned(), refresh);
        }
        Said::good(answer)
    }

    fn body(&mut self, now: Timestamp, family: u64) -> Value {
        let access = self.books.give_access(now, family, &self.settings);
        let seconds = self.settings.access_life.as_secs();
        let mut answer = json!({ "access_token": access });
        let mut put = |name: &str, value: Option<Value>| {
            if let (Some(body), Some(value)) = (answer.as_object_mut(), value) {
                body.insert(name.to_owned(), value);
            }
        };
        put("token_type", self.settings.token_type.map(Value::from));
        put(
            "expires_in",
            match &self.settings.life {
                Life::Number => Some(seconds.into()),
                Life::Text => Some(seconds.to_string().into()),
                Life::Missing => None,
                Life::Is(text) => Some(json_of(text)),
            },
        );
        let granted = self.books.family(family).map(|family| family.scopes.join(" "));
        let scope = self.settings.scope.clone().or(granted).filter(|scope| !scope.is_empty());
        put("scope", scope.map(Value::from));
        if self.settings.tells_refresh_life {
            let ends = self.books.ends(now, family, &self.settings);
            put("refresh_token_expires_in", ends.map(|ends| ends.since(now).as_secs().into()));
        }
        answer
    }
}

/// Reads what a test wants to be answered; what is no JSON is a text.
fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
