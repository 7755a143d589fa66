//! The URL where a person consents.

use core::fmt;

use super::{Client, Endpoint, Pkce};
use crate::Secret;

/// What a person is asked to consent to (RFC 6749, section 4.1.1, with PKCE of RFC 7636 and `resource` of RFC 8707).
#[derive(Clone, Copy)]
pub struct Authorization<'a> {
    /// The authorization endpoint; a query of its own stays.
    pub endpoint: &'a Endpoint,
    /// The client.
    pub client: &'a Client,
    /// Where the browser is sent back to, as it was registered.
    pub redirect_uri: &'a str,
    /// The scopes, with spaces between them; empty for none.
    pub scope: &'a str,
    /// A fresh random text, which comes back with the redirect.
    pub state: &'a Secret,
    /// Shows the challenge of the verifier that the code's request shows.
    pub pkce: &'a Pkce,
    /// The server that the tokens are for, where servers want that.
    pub resource: Option<&'a str>,
    /// What a server wants besides: `("access_type", "offline")` at Google.
    pub more: &'a [(&'a str, &'a str)],
}

impl Authorization<'_> {
    /// Returns the URL, to be opened in a browser.
    pub fn url(&self) -> String {
        let challenge = self.pkce.challenge();
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", self.client.id()),
            ("redirect_uri", self.redirect_uri),
            ("scope", self.scope),
            ("state", self.state.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("resource", self.resource.unwrap_or_default()),
        ];
        fields.extend_from_slice(self.more);
        // A parameter without a value counts as absent.
        fields.retain(|(_, value)| !value.is_empty());
        let endpoint = self.endpoint.to_string();
        let joint = match endpoint.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        // Writing into memory does not fail.
        format!("{endpoint}{joint}{}", serde_urlencoded::to_string(fields).unwrap_or_default())
    }
}

impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("endpoint", self.endpoint)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_has_all_that_was_asked_for_and_nothing_empty() {
        let url = |endpoint: &str, scope, resource, more| {
            Authorization {
                endpoint: &Endpoint::parse(endpoint).unwrap(),
                client: &Client::public("app").unwrap(),
                redirect_uri: "http://127.0.0.1:8400/cb",
                scope,
                state: &"s+1".into(),
                pkce: &Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()).unwrap(),
                resource,
                more,
            }
            .url()
        };
        let tail = "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8400%2Fcb";
        let pkce = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        assert_eq!(
            url(
                "https://login.example.org/authorize",
                "a b",
                Some("https://api.example.org"),
                &[("access_type", "offline")]
            ),
            format!(
                "https://login.example.org/authorize?response_type=code&client_id=app{tail}&scope=a+b&state=s%2B1{pkce}&resource=https%3A%2F%2Fapi.example.org&access_type=offline"
            )
        );
        let plain = format!("response_type=code&client_id=app{tail}&state=s%2B1{pkce}");
        assert_eq!(
            url("https://login.example.org/authorize?tenant=a", "", None, &[]),
            format!("https://login.example.org/authorize?tenant=a&{plain}")
        );
        assert_eq!(
            url("https://login.example.org/authorize?", "", None, &[]),
            format!("https://login.example.org/authorize?{plain}")
        );
    }
}
