//! The gateway's own tokens: `POST …/token` and `POST …/revoke`, with the application's key and secret.
//!
//! Where they live is told in three ways: below the base path (`…/apim/token`, the vendor's second SDK),
//! below `…/apim/oauth/1.0` (its documents), and without any base path (a program in use). So the
//! [base](Client::base) is given apart from the API's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use zeroize::Zeroizing;

use super::Build;
use crate::provider::Unbuildable;
use crate::secret::Secret;
use crate::server::BaseUrl;
use crate::wire::Text;

/// An application at the gateway.
#[derive(Debug)]
pub struct Client<'a> {
    /// What `/token` and `/revoke` are below of.
    pub base: &'a BaseUrl,
    /// The key of the application.
    pub consumer_key: &'a str,
    /// The secret of the application.
    pub consumer_secret: &'a Secret,
}

impl Client<'_> {
    /// Asks for a bearer token for the application itself (`client_credentials`).
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn token(&self) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call("/token").form(&[("grant_type", "client_credentials")]).done()
    }

    /// Asks for a bearer token with the password of a user of the developer portal.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn token_by_password(&self, username: &str, password: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call("/token").form(&[("grant_type", "password"), ("username", username), ("password", password)]).done()
    }

    /// Asks for a bearer token with a refresh token.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn token_by_refresh(&self, refresh_token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call("/token").form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())]).done()
    }

    /// Takes a token back; the hint is `access_token` or `refresh_token`.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn revoke(&self, token: &Secret, hint: Option<&str>) -> Result<Request<Vec<u8>>, Unbuildable> {
        let mut fields = vec![("token", token.expose())];
        fields.extend(hint.map(|hint| ("token_type_hint", hint)));
        self.call("/revoke").form(&fields).done()
    }

    fn call(&self, path: &str) -> Build {
        let pair = Zeroizing::new(format!("{}:{}", self.consumer_key, self.consumer_secret.expose()));
        let pair = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Build::new(Method::POST, self.base, path).authorization("Basic ", &pair)
    }
}

crate::wire_object! {
    /// What `/token` answers, refusals included; the access token proves it.
    pub struct Token<'a> {
        /// The bearer token.
        access_token: Secret = "access_token",
        /// A token to get the next one with, not for `client_credentials`.
        refresh_token: Secret = "refresh_token",
        /// How many seconds the bearer lives: 3600 by default, -1 (once reported: -2) for ever.
        expires_in: i64 = "expires_in",
        /// `Bearer`.
        token_type: Text<'a> = "token_type",
        /// What the token is good for.
        scope: Text<'a> = "scope",
        /// A name such as `invalid_client` where there is no token.
        error: Text<'a> = "error",
        /// Words to that name.
        error_description: Text<'a> = "error_description",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn requests_are_forms_with_basic_authorization() {
        for (base, url) in [
            ("https://ctradeapi.kotaksecurities.com", "https://ctradeapi.kotaksecurities.com/token"),
            ("https://tradeapi.kotaksecurities.com/apim", "https://tradeapi.kotaksecurities.com/apim/token"),
        ] {
            let base = BaseUrl::parse(base).unwrap();
            let client = Client { base: &base, consumer_key: "key", consumer_secret: &"secret".into() };
            let request = client.token().unwrap();
            assert_eq!(request.uri(), url);
            assert_eq!(request.headers()["authorization"], "Basic a2V5OnNlY3JldA==");
            assert!(request.headers()["authorization"].is_sensitive());
            assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
            assert_eq!(request.body(), b"grant_type=client_credentials");
            let revoke = client.revoke(&"a&b".into(), Some("access_token")).unwrap();
            assert_eq!(revoke.body(), b"token=a%26b&token_type_hint=access_token");
            assert_eq!(
                client.token_by_password("u", "p w").unwrap().body(),
                b"grant_type=password&username=u&password=p+w"
            );
            assert_eq!(
                client.token_by_refresh(&"r".into()).unwrap().body(),
                b"grant_type=refresh_token&refresh_token=r"
            );
        }
    }

    #[test]
    fn the_life_may_be_endless_or_a_text() {
        for (body, life) in [
            (r#"{"access_token":"b","scope":"default","token_type":"Bearer","expires_in":3600}"#, Some(3600)),
            (r#"{"access_token":"b","expires_in":"3600"}"#, Some(3600)),
            (r#"{"access_token":"b","expires_in":-1}"#, Some(-1)),
            (r#"{"access_token":"b"}"#, None),
        ] {
            let token: Token<'_> = json(body.as_bytes()).unwrap();
            assert!(token.access_token.is_some());
            assert_eq!(token.expires_in, life, "{body}");
        }
    }
}
