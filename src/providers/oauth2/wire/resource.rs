//! Who gives tokens for a resource: RFC 9728.

use http::{Method, Request};

use super::discovery::document;
use super::{DiscoveryError, Endpoint, filled, request};
use crate::Response;
use crate::wire::Text;

crate::wire_object! {
    /// The fields of a protected resource's document.
    struct ResourceBody<'a> {
        /// What it calls itself.
        resource: Text<'a> = "resource",
        /// Who gives tokens for it.
        servers: Vec<Text<'a>> = "authorization_servers",
        /// The scopes.
        scopes: Vec<Text<'a>> = "scopes_supported",
    }
}

/// Who gives tokens for a resource (RFC 9728).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceMetadata {
    /// The issuers, in the server's order.
    pub authorization_servers: Vec<Box<str>>,
    /// The scopes; empty where the server does not say.
    pub scopes: Vec<Box<str>>,
}

impl ResourceMetadata {
    /// Builds the request for the document that a 401 named in its [`Challenge`](super::Challenge). Servers put it in other places than the
    /// specification says, so take the URL of the challenge and guess none.
    pub fn request(url: &Endpoint) -> Request<Vec<u8>> {
        request(Method::GET, url, Vec::new())
    }

    /// Reads the document of a resource.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub fn read(response: Response<'_>, resource: &str) -> Result<Self, DiscoveryError> {
        let body = document::<ResourceBody<'_>>(response)?;
        if filled(body.resource).ok_or(DiscoveryError::NoDocument)? != resource {
            return Err(DiscoveryError::OtherName);
        }
        let texts = |list: Option<Vec<Text<'_>>>| list.unwrap_or_default().into_iter().map(Into::into).collect();
        Ok(Self { authorization_servers: texts(body.servers), scopes: texts(body.scopes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> http::Response<String> {
        http::Response::builder().status(status).body(body.to_owned()).unwrap()
    }

    #[test]
    fn a_resource_names_its_servers() {
        let body = r#"{"resource":"https://api.example.org/mcp","authorization_servers":["https://login.example.org"],"scopes_supported":["r"]}"#;
        let read = |resource| ResourceMetadata::read((&response(200, body)).into(), resource);
        assert_eq!(
            read("https://api.example.org/mcp").unwrap().authorization_servers,
            ["https://login.example.org".into()]
        );
        assert_eq!(read("https://api.example.org/mcp/"), Err(DiscoveryError::OtherName));
    }
}
