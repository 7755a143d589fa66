//! IBKR's endpoint for private customers: OAuth 2.1 with PKCE and a client that registers itself.
//!
//! Opened to any client on 28 July 2026 at `https://api.ibkr.com/v1/api/mcp-public`. What it serves is MCP, which is the user's
//! own: the session hands out the bearer. It is an [`OAuth2`] with what is known of this server:
//!
//! - The issuer is `https://api.ibkr.com`; the metadata of the resource once named `https://api.ibkr.com/oauth2` instead.
//!   Exactly these two are taken.
//! - Every request has a `User-Agent`: without one an edge answers 403 with a page.
//! - `resource` is the URL of the endpoint, when a person consents, for the code and at each renewal.
//! - An access token lives 599 s. The refresh token rotates at each renewal; it was seen dead about 10 days after the consent, and
//!   nothing is published of its end, of reuse detection or of grace. So one whose fate is unknown is not sent again.
//! - The server registers a client for more scopes than it asks for, so the scope of every token is checked: one that
//!   was not asked for ends the session, and the tokens are revoked.
//! - The person picks one account for each consent, and a new consent replaces the client that is connected. Consents are listed in
//!   Client Portal under Settings, Manage Third-Party Consents.
//! - A 401 has no `error`: it raises a doubt, and the next renewal tells.
//!
//! Not known: limits, https redirects, the bodies of errors beyond `invalid_grant`, whether a login elsewhere disturbs it.

use crate::providers::oauth2::wire::Issuer;
use crate::providers::oauth2::{ClientOf, Grant, OAuth2, Rotation, Server};
use crate::{BaseUrl, UrlError};

/// The endpoint, which is the resource that tokens are for as well.
pub const RESOURCE: &str = "https://api.ibkr.com/v1/api/mcp-public";

/// Configures a session: the name that people read on the page of consent, a loopback redirect URI such as
/// `http://127.0.0.1:8400/callback`, and the scopes, of which `mcp.read` is one and `mcp.write` another.
///
/// # Errors
/// [`UrlError`], which no URL in here causes.
pub fn retail(name: &str, redirect: &str, scopes: &str) -> Result<OAuth2, UrlError> {
    retail_at(&BaseUrl::parse(RESOURCE)?, name, redirect, scopes)
}

/// Configures a session as [`retail`] does, at another server of the same kind, such as a simulator.
///
/// The issuer is the origin of the resource.
///
/// # Errors
/// [`UrlError`].
pub fn retail_at(resource: &BaseUrl, name: &str, redirect: &str, scopes: &str) -> Result<OAuth2, UrlError> {
    let origin = format!("{}://{}", resource.scheme(), resource.authority());
    let issuer = Issuer::new(&origin)?.calls_itself(&format!("{origin}/oauth2"));
    let grant = Grant::Code { redirect: redirect.into() };
    Ok(OAuth2::new(Server::of_issuer(issuer)?, grant, ClientOf::register(name))
        .named("ibkr-retail")
        .scopes(scopes, scopes)
        .resource(&resource.to_string())
        .calls(resource.clone())
        .rotation(Rotation::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;

    #[test]
    fn calls_go_to_the_endpoint_and_nowhere_else() {
        let provider = retail("a bot", "http://127.0.0.1:8400/callback", "mcp.read").unwrap();
        assert_eq!(provider.identity().provider, "ibkr-retail");
        assert_eq!(provider.target(&Default::default(), "").base.path(), "/v1/api/mcp-public");
    }
}
