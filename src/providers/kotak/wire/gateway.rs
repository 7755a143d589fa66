//! The gateway's own tokens: `POST …/token` and `POST …/revoke`, with the application's key and secret.
//!
//! Sources name three places for them: below the base path (`…/apim/token`, the vendor's second SDK),
//! below `…/apim/oauth/1.0` (its documents), and without any base path (a program in use). So the
//! [base](Client::base) is separate from the API's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use zeroize::Zeroizing;

use crate::provider::RequestBuilder;
use crate::provider::Unbuildable;
use crate::secret::Secret;
use crate::url::BaseUrl;
use crate::wire::Text;

/// An application at the gateway.
#[derive(Debug)]
pub struct Client<'a> {
    /// The base URL of `/token` and `/revoke`.
    pub base: &'a BaseUrl,
    /// The key of the application.
    pub consumer_key: &'a Secret,
    /// The secret of the application.
    pub consumer_secret: &'a Secret,
}

impl Client<'_> {
    /// Builds the request for a bearer token for the application itself (`client_credentials`).
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn token(&self) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call("/token").form(&[("grant_type", "client_credentials")]).finish()
    }

    /// Builds the request for a bearer token with the password of a user of the developer portal.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn token_by_password(&self, username: &str, password: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call("/token").form(&[("grant_type", "password"), ("username", username), ("password", password)]).finish()
    }

    /// Builds the request for a bearer token with a refresh token.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn token_by_refresh(&self, refresh_token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call("/token").form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())]).finish()
    }

    /// Builds the request that revokes a token; the hint is `access_token` or `refresh_token`.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn revoke(&self, token: &Secret, hint: Option<&str>) -> Result<Request<Vec<u8>>, Unbuildable> {
        let mut fields = vec![("token", token.expose())];
        fields.extend(hint.map(|hint| ("token_type_hint", hint)));
        self.call("/revoke").form(&fields).finish()
    }

    fn call(&self, path: &str) -> RequestBuilder {
        let pair = Zeroizing::new(format!("{}:{}", self.consumer_key.expose(), self.consumer_secret.expose()));
        let pair = Secret::new(STANDARD.encode(pair.as_bytes()));
        RequestBuilder::new(Method::POST, self.base, path).authorization("Basic ", &pair)
    }
}

crate::wire_object! {
    /// The response of `/token`, refusals included; the access token proves success.
    pub struct Token<'a> {
        /// The bearer token.
        access_token: Secret = "access_token",
        /// The refresh token; there is none for `client_credentials`.
        refresh_token: Secret = "refresh_token",
        /// The lifetime of the bearer in seconds: 3600 by default, -1 (once reported: -2) for no expiry.
        expires_in: i64 = "expires_in",
        /// `Bearer`.
        token_type: Text<'a> = "token_type",
        /// The scope of the token.
        scope: Text<'a> = "scope",
        /// An error code such as `invalid_client` where there is no token.
        error: Text<'a> = "error",
        /// The text of that error.
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
            let client = Client { base: &base, consumer_key: &"key".into(), consumer_secret: &"secret".into() };
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
