//! Where a server's endpoints are: RFC 8414 and OpenID Connect Discovery.

use core::fmt;

use http::{Method, Request};

use super::{Endpoint, filled, request};
use crate::wire::{self, Text};
use crate::{Response, UrlError};

/// The identifier of an authorization server: the URL that metadata must repeat to the letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issuer {
    url: Endpoint,
    text: Box<str>,
    /// What the document may call itself instead.
    alias: Option<Box<str>>,
}

impl Issuer {
    /// Takes an issuer.
    ///
    /// # Errors
    /// [`UrlError`]; an issuer has no query and no fragment (RFC 8414, section 2).
    pub fn new(url: &str) -> Result<Self, UrlError> {
        if url.contains('?') {
            return Err(UrlError::QueryOrFragment);
        }
        Ok(Self { url: Endpoint::parse(url)?, text: url.into(), alias: None })
    }

    /// Allows the document that is found here to call itself this, and nothing else: a mismatch that is known of this very
    /// server, such as a slash at the end.
    pub fn calls_itself(mut self, issuer: &str) -> Self {
        self.alias = Some(issuer.into());
        self
    }

    /// Returns the identifier as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(in crate::providers::oauth2) fn is(&self, named: &str) -> bool {
        named == &*self.text || self.alias.as_deref() == Some(named)
    }
}

/// Builds the requests that look for an issuer's metadata, to be tried in this order: OAuth's place before the path, OpenID's
/// there, OpenID's behind it (RFC 8414, section 5).
pub fn well_known(issuer: &Issuer) -> Vec<Request<Vec<u8>>> {
    let uri = issuer.url.uri();
    let origin = format!("{}://{}", uri.scheme_str().unwrap_or("https"), uri.authority().map_or("", |a| a.as_str()));
    let path = uri.path().trim_end_matches('/');
    let mut places = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ];
    places.dedup();
    // Each is the issuer's own URL with a path that fits one.
    places
        .iter()
        .filter_map(|url| Endpoint::parse(url).ok())
        .map(|url| request(Method::GET, &url, Vec::new()))
        .collect()
}

crate::wire_object! {
    /// The fields of the document.
    struct MetadataBody<'a> {
        /// What it calls itself.
        issuer: Text<'a> = "issuer",
        /// Where a person consents.
        authorization: Text<'a> = "authorization_endpoint",
        /// Where tokens come from.
        token: Text<'a> = "token_endpoint",
        /// Where a device grant begins.
        device: Text<'a> = "device_authorization_endpoint",
        /// Where tokens are revoked.
        revocation: Text<'a> = "revocation_endpoint",
        /// Where clients are registered.
        registration: Text<'a> = "registration_endpoint",
        /// How clients may authenticate.
        methods: Vec<Text<'a>> = "token_endpoint_auth_methods_supported",
        /// The scopes.
        scopes: Vec<Text<'a>> = "scopes_supported",
        /// Whether redirects name their issuer.
        names_issuer: bool = "authorization_response_iss_parameter_supported",
    }
}

/// Where an authorization server's endpoints are.
///
/// It is a hint at the opening: keep what was found with the session, and never guess a path instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// What the document calls itself; redirects are held against it.
    pub issuer: Box<str>,
    /// Where a person consents.
    pub authorization: Option<Endpoint>,
    /// Where tokens come from.
    pub token: Option<Endpoint>,
    /// Where a device grant begins.
    pub device: Option<Endpoint>,
    /// Where tokens are revoked; without one they live on after a logout.
    pub revocation: Option<Endpoint>,
    /// Where clients are registered.
    pub registration: Option<Endpoint>,
    /// How clients may authenticate; `client_secret_basic` where the server does not say.
    pub auth_methods: Vec<Box<str>>,
    /// The scopes; empty where the server does not say.
    pub scopes: Vec<Box<str>>,
    /// Whether redirects name their issuer (RFC 9207).
    pub names_issuer: bool,
}

/// Why a document is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// It is no document: another status than 200, a page, an empty or cut body. Ask again later.
    NoDocument,
    /// It names another issuer or resource than was asked for: it must not be used.
    OtherName,
    /// An endpoint is not https; its field.
    Insecure(&'static str),
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDocument => f.write_str("there are no metadata there"),
            Self::OtherName => f.write_str("the metadata are those of another server"),
            Self::Insecure(field) => write!(f, "{field} is no https URL"),
        }
    }
}

impl std::error::Error for DiscoveryError {}

impl Metadata {
    /// Reads the document of an issuer.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub fn read(response: Response<'_>, issuer: &Issuer) -> Result<Self, DiscoveryError> {
        let body = document::<MetadataBody<'_>>(response)?;
        let named = filled(body.issuer).ok_or(DiscoveryError::NoDocument)?;
        if !issuer.is(&named) {
            return Err(DiscoveryError::OtherName);
        }
        let texts = |list: Option<Vec<Text<'_>>>| list.map(|list| list.into_iter().map(Into::into).collect());
        Ok(Self {
            issuer: named.into(),
            authorization: endpoint(body.authorization, "authorization_endpoint")?,
            token: endpoint(body.token, "token_endpoint")?,
            device: endpoint(body.device, "device_authorization_endpoint")?,
            revocation: endpoint(body.revocation, "revocation_endpoint")?,
            registration: endpoint(body.registration, "registration_endpoint")?,
            auth_methods: texts(body.methods).unwrap_or_else(|| vec!["client_secret_basic".into()]),
            scopes: texts(body.scopes).unwrap_or_default(),
            names_issuer: body.names_issuer.unwrap_or(false),
        })
    }
}

pub(super) fn document<'a, T: wire::Lenient<'a>>(response: Response<'a>) -> Result<T, DiscoveryError> {
    let found = wire::json(response.body).filter(|_| response.status.as_u16() == 200);
    found.ok_or(DiscoveryError::NoDocument)
}

fn endpoint(url: Option<Text<'_>>, field: &'static str) -> Result<Option<Endpoint>, DiscoveryError> {
    let Some(url) = filled(url) else { return Ok(None) };
    Endpoint::parse(&url).map(Some).map_err(|_| DiscoveryError::Insecure(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> http::Response<String> {
        http::Response::builder().status(status).body(body.to_owned()).unwrap()
    }

    fn read(body: &str, issuer: &Issuer) -> Result<Metadata, DiscoveryError> {
        Metadata::read((&response(200, body)).into(), issuer)
    }

    #[test]
    fn metadata_are_looked_for_in_three_places() {
        let places = |issuer| -> Vec<String> {
            well_known(&Issuer::new(issuer).unwrap()).iter().map(|request| request.uri().to_string()).collect()
        };
        assert_eq!(
            places("https://login.example.org/tenant/"),
            [
                "https://login.example.org/.well-known/oauth-authorization-server/tenant",
                "https://login.example.org/.well-known/openid-configuration/tenant",
                "https://login.example.org/tenant/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            places("https://login.example.org"),
            [
                "https://login.example.org/.well-known/oauth-authorization-server",
                "https://login.example.org/.well-known/openid-configuration",
            ]
        );
        assert_eq!(Issuer::new("https://a.example.org?x"), Err(UrlError::QueryOrFragment));
        assert_eq!(Issuer::new("http://a.example.org"), Err(UrlError::PlainHttp));
    }

    #[test]
    fn a_document_must_name_its_issuer_to_the_letter() {
        let issuer = Issuer::new("https://login.example.org").unwrap();
        let named =
            |name: &str| read(&format!(r#"{{"issuer":"{name}","token_endpoint":"https://t.example.org/x"}}"#), &issuer);
        assert!(named("https://login.example.org").is_ok());
        for other in ["https://login.example.org/", "https://LOGIN.example.org", "https://evil.example.org"] {
            assert_eq!(named(other).unwrap_err(), DiscoveryError::OtherName, "{other}");
        }
        assert_eq!(named("").unwrap_err(), DiscoveryError::NoDocument);
        let pair = issuer.clone().calls_itself("https://login.example.org/oauth2");
        let body = r#"{"issuer":"https://login.example.org/oauth2"}"#;
        assert_eq!(&*read(body, &pair).unwrap().issuer, "https://login.example.org/oauth2");
        assert_eq!(read(r#"{"issuer":"https://login.example.org/other"}"#, &pair), Err(DiscoveryError::OtherName));
    }

    #[test]
    fn endpoints_are_https_and_defaults_those_of_the_specification() {
        let issuer = Issuer::new("https://login.example.org").unwrap();
        let all = read(
            r#"{"issuer":"https://login.example.org","authorization_endpoint":"https://login.example.org/a?x=1","token_endpoint":"https://login.example.org/t","revocation_endpoint":"","authorization_response_iss_parameter_supported":true,"scopes_supported":["a"],"more":{}}"#,
            &issuer,
        )
        .unwrap();
        assert_eq!(all.authorization.unwrap().uri(), "https://login.example.org/a?x=1");
        assert_eq!((all.revocation, all.device, all.registration), (None, None, None));
        assert_eq!((all.auth_methods, all.scopes), (vec!["client_secret_basic".into()], vec!["a".into()]));
        assert!(all.names_issuer);
        let plain = r#"{"issuer":"https://login.example.org","token_endpoint":"http://login.example.org/t"}"#;
        assert_eq!(read(plain, &issuer), Err(DiscoveryError::Insecure("token_endpoint")));
        for body in ["", "<html>", "[]", r#"{"issuer":"https://login.exa"#] {
            assert_eq!(read(body, &issuer), Err(DiscoveryError::NoDocument), "{body}");
        }
        let busy = Metadata::read((&response(503, r#"{"issuer":"https://login.example.org"}"#)).into(), &issuer);
        assert_eq!(busy, Err(DiscoveryError::NoDocument));
    }
}
