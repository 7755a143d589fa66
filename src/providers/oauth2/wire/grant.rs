//! The four ways to tokens that a session takes, all by one request to the token endpoint.

use http::Request;

use super::{Assertion, Client, ClientError, Endpoint, Pkce};
use crate::Secret;

/// What is given for tokens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Grant<'a> {
    /// The code of a redirect (RFC 6749, section 4.1.3; RFC 7636, section 4.5). It serves once: do not send it again after
    /// an answer was lost.
    Code {
        /// The code.
        code: &'a Secret,
        /// The redirect URI of the authorization URL, to the letter.
        redirect_uri: &'a str,
        /// The verifier of the authorization URL's challenge.
        pkce: &'a Pkce,
    },
    /// A refresh token (section 6), without a scope: what was granted stays. Where the server rotates it serves once.
    Refresh {
        /// The refresh token.
        token: &'a Secret,
    },
    /// The client itself (section 4.4), without a person. The renewal is the same request again.
    ClientCredentials {
        /// The scopes that are wanted, with spaces between them; empty for the server's choice.
        scope: &'a str,
    },
    /// A device code that a person approves elsewhere (RFC 8628, section 3.4).
    Device {
        /// The device code.
        code: &'a Secret,
    },
}

impl Grant<'_> {
    /// Builds the request. `resource` names the server that the access token is for (RFC 8707), where servers want that.
    ///
    /// # Errors
    /// [`ClientError::NoAssertion`] where the client has a key and `assertion` is missing.
    pub fn request(
        self,
        endpoint: &Endpoint,
        client: &Client,
        assertion: Option<&Assertion>,
        resource: Option<&str>,
    ) -> Result<Request<Vec<u8>>, ClientError> {
        let mut fields = match self {
            Self::Code { code, redirect_uri, pkce } => vec![
                ("grant_type", "authorization_code"),
                ("code", code.expose()),
                ("redirect_uri", redirect_uri),
                ("code_verifier", pkce.verifier().expose()),
            ],
            Self::Refresh { token } => vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())],
            Self::ClientCredentials { scope: "" } => vec![("grant_type", "client_credentials")],
            Self::ClientCredentials { scope } => vec![("grant_type", "client_credentials"), ("scope", scope)],
            Self::Device { code } => {
                vec![("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.expose())]
            }
        };
        fields.extend(resource.map(|resource| ("resource", resource)));
        client.post_as(endpoint, &fields, assertion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grant_as_the_specifications_have_it() {
        let endpoint = Endpoint::parse("https://login.example.org/token?tenant=a").unwrap();
        let client = Client::public("app").unwrap();
        let (code, token) = (Secret::from("c@1"), Secret::from("r/1"));
        let pkce = Pkce::from_verifier("v".repeat(43).into()).unwrap();
        let redirect_uri = "http://127.0.0.1:8400/callback";
        for (grant, resource, form) in [
            (
                Grant::Code { code: &code, redirect_uri, pkce: &pkce },
                Some("https://api.example.org/mcp"),
                format!(
                    "grant_type=authorization_code&code=c%401&redirect_uri=http%3A%2F%2F127.0.0.1%3A8400%2Fcallback&code_verifier={}&resource=https%3A%2F%2Fapi.example.org%2Fmcp&client_id=app",
                    "v".repeat(43)
                ),
            ),
            (
                Grant::Refresh { token: &token },
                None,
                "grant_type=refresh_token&refresh_token=r%2F1&client_id=app".into(),
            ),
            (Grant::ClientCredentials { scope: "" }, None, "grant_type=client_credentials&client_id=app".into()),
            (
                Grant::ClientCredentials { scope: "a b" },
                None,
                "grant_type=client_credentials&scope=a+b&client_id=app".into(),
            ),
            (
                Grant::Device { code: &code },
                None,
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=c%401&client_id=app"
                    .into(),
            ),
        ] {
            let request = grant.request(&endpoint, &client, None, resource).unwrap();
            assert_eq!(request.method(), "POST");
            assert_eq!(request.uri(), "https://login.example.org/token?tenant=a");
            assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
            assert_eq!(request.headers()["accept"], "application/json");
            assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("sansession/"));
            assert_eq!(String::from_utf8(request.into_body()).unwrap(), form);
            assert!(!format!("{grant:?}").contains("c@1"));
        }
    }
}
