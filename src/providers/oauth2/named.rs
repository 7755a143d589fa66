//! Servers by name: what is known of each, as a configuration of [`OAuth2`].

use core::time::Duration;

use super::wire::Endpoint;
use super::{ClientOf, Grant, OAuth2, Server};
use crate::{BaseUrl, Secret, UrlError};

/// Charles Schwab's Trader API for individuals.
///
/// The redirect URI is https and compared exactly, so the URL after the login is pasted; a code lives about 30 s, and a
/// consent 7 days, which no renewal moves: the next one is asked for half a day before. A dead refresh token is told as
/// `unsupported_token_type`. There are no metadata, no PKCE that is published, and no revocation: a logout says that
/// the tokens live on.
///
/// What is not known: whether a second consent ends the first one, and how often tokens may be asked for.
///
/// # Errors
/// [`UrlError`], which no URL in here causes.
pub fn schwab(id: &str, secret: impl Into<Secret>, redirect: &str) -> Result<OAuth2, UrlError> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
    let server = Server::endpoints("https://api.schwabapi.com/v1/oauth/token")?
        .authorization(Endpoint::parse("https://api.schwabapi.com/v1/oauth/authorize")?);
    Ok(OAuth2::new(server, Grant::Code { redirect: redirect.into() }, ClientOf::basic(id, secret))
        .named("schwab")
        .refresh_lasts(WEEK)
        .access_lasts(Duration::from_secs(1_800))
        .dead_word("unsupported_token_type"))
}

/// tastytrade, with a refresh token that the account's page gives ("Create Grant"); `sandbox` takes that server.
///
/// No browser is needed: [adopt](crate::Session::adopt) a [`Given`](super::Given), or answer the question for the token. An access
/// token lives 15 minutes. Requests without a `User-Agent` get 401. Whether the refresh token rotates is told both ways, so one
/// whose fate is unknown is not sent again. No revocation by the API is known: end the grant on the page.
///
/// # Errors
/// [`UrlError`], which no URL in here causes.
pub fn tastytrade(id: &str, secret: impl Into<Secret>, sandbox: bool) -> Result<OAuth2, UrlError> {
    let base = if sandbox { "https://api.cert.tastyworks.com" } else { "https://api.tastyworks.com" };
    let server = Server::endpoints(&format!("{base}/oauth/token"))?;
    Ok(OAuth2::new(server, Grant::Given, ClientOf::post(id, secret))
        .named("tastytrade")
        .calls(BaseUrl::parse(base)?)
        .access_lasts(Duration::from_secs(900)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;

    #[test]
    fn each_has_a_name_and_calls_its_own_host() {
        let schwab = schwab("id", "secret", "https://127.0.0.1:8182").unwrap();
        assert_eq!((schwab.identity().provider, schwab.calls.host()), ("schwab", "api.schwabapi.com"));
        for (sandbox, host) in [(false, "api.tastyworks.com"), (true, "api.cert.tastyworks.com")] {
            let tastytrade = tastytrade("id", "secret", sandbox).unwrap();
            assert_eq!((tastytrade.identity().provider, tastytrade.calls.host()), ("tastytrade", host));
        }
    }
}
