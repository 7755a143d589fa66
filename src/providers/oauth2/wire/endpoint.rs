//! Where a request of OAuth goes.

use core::fmt;

use http::Uri;

use crate::{BaseUrl, UrlError};

/// The URL of an endpoint: `https`, or `http` to a loopback host only. It may have a query of its own (RFC 6749, section 3.1).
///
/// ```
/// use sansession::providers::oauth2::wire::Endpoint;
///
/// assert!(Endpoint::parse("https://login.example.org/oauth2/token?tenant=a").is_ok());
/// assert!(Endpoint::parse("http://login.example.org/oauth2/token").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

impl Endpoint {
    /// Reads the URL of an endpoint.
    ///
    /// # Errors
    /// [`UrlError`] tells which part is wrong: a fragment, a user name, plain `http` to another host than this machine.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (bare, query) = match url.split_once('?') {
            Some((bare, query)) => (bare, Some(query)),
            None => (url, None),
        };
        BaseUrl::parse(bare)?;
        // A query is checked as the rest is; the path stays as it was written, a slash at its end included.
        if !query.unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(UrlError::QueryOrFragment);
        }
        url.parse().map(Self).map_err(|_| UrlError::NotAUrl)
    }

    /// Returns the URL.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// Returns the host, in the case in which it was written.
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    /// Reports whether the other endpoint has the same scheme, host and port.
    pub fn same_origin(&self, other: &Self) -> bool {
        let origin = |uri: &Uri| {
            let https = uri.scheme_str() == Some("https");
            (https, uri.host().map(str::to_ascii_lowercase), uri.port_u16().unwrap_or(if https { 443 } else { 80 }))
        };
        origin(&self.0) == origin(&other.0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_get_tokens() {
        for good in
            ["https://a.example.org", "https://a.example.org/t/", "http://127.0.0.1:3000/t?x=1", "http://localhost/t"]
        {
            assert_eq!(Endpoint::parse(good).unwrap().to_string().trim_end_matches('/'), good.trim_end_matches('/'));
        }
        for (bad, error) in [
            ("http://a.example.org/t", UrlError::PlainHttp),
            ("https://me:secret@a.example.org/t", UrlError::UserInfo),
            ("https://a.example.org/t#x", UrlError::QueryOrFragment),
            ("https://a.example.org/t?a=b#x", UrlError::QueryOrFragment),
            ("https://a.example.org/t?a=b c", UrlError::QueryOrFragment),
            ("ftp://a.example.org/t", UrlError::Scheme),
            ("/t", UrlError::NotAUrl),
            ("", UrlError::NotAUrl),
        ] {
            assert_eq!(Endpoint::parse(bad).unwrap_err(), error, "{bad}");
        }
    }

    #[test]
    fn origins_compare_without_case_and_with_the_port_of_the_scheme() {
        let endpoint = |url| Endpoint::parse(url).unwrap();
        assert!(endpoint("https://A.example.org/t").same_origin(&endpoint("https://a.example.org:443/u?x")));
        for other in ["https://b.example.org/t", "https://a.example.org:444/t", "http://localhost/t"] {
            assert!(!endpoint("https://a.example.org/t").same_origin(&endpoint(other)), "{other}");
        }
    }
}
