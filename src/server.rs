//! The address of a provider's server, checked before anything is sent to it.

use core::fmt;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// The base URL of a server: `https`, or `http` to a loopback host only.
///
/// It is parsed once; the requests of a session share its parts.
///
/// ```
/// use sansession::BaseUrl;
///
/// let base = BaseUrl::parse("https://localhost:5000/v1/api/")?;
/// assert_eq!(base.to_string(), "https://localhost:5000/v1/api");
/// assert!(BaseUrl::parse("http://portal.example.org").is_err());
/// # Ok::<(), sansession::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    scheme: Scheme,
    authority: Authority,
    path: String,
}

impl BaseUrl {
    /// Reads a base URL; a trailing slash does not matter.
    ///
    /// # Errors
    /// [`UrlError`] tells which part is wrong. Plain `http` is refused unless the host is a loopback
    /// one, since a session's requests carry passwords and tokens.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let base = Self::parse_allowing_plain_http(url)?;
        if base.0.scheme == Scheme::HTTP && !base.is_loopback() {
            return Err(UrlError::PlainHttp);
        }
        Ok(base)
    }

    /// Reads a base URL that may carry passwords and tokens in clear to any host.
    ///
    /// # Errors
    /// [`UrlError`] tells which part is wrong.
    pub fn parse_allowing_plain_http(url: &str) -> Result<Self, UrlError> {
        if url.contains('#') {
            return Err(UrlError::QueryOrFragment);
        }
        // The parser lets everything but ASCII through, and DEL.
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::NotAUrl);
        }
        let uri: Uri = url.parse().map_err(|_| UrlError::NotAUrl)?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or(UrlError::NotAUrl)?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(UrlError::Scheme);
        }
        let authority = parts.authority.ok_or(UrlError::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        if authority.host().is_empty() || authority.host().ends_with('.') {
            return Err(UrlError::Host);
        }
        if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none() {
            return Err(UrlError::Port);
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        if path.query().is_some() {
            return Err(UrlError::QueryOrFragment);
        }
        let authority = lower_case(authority)?;
        let path = path.path().trim_end_matches('/').to_owned();
        Ok(Self(Arc::new(Parts { scheme, authority, path })))
    }

    /// Gives the URI of a path below the base, which begins with a slash and may have a query.
    ///
    /// Providers call it once for each of their operations and keep the result.
    ///
    /// # Errors
    /// [`UrlError::NotAUrl`] where the path has characters that no URL may have.
    pub fn join(&self, path_and_query: &str) -> Result<Uri, UrlError> {
        let mut path = String::with_capacity(self.0.path.len() + path_and_query.len());
        path.push_str(&self.0.path);
        path.push_str(path_and_query);
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.0.scheme.clone());
        parts.authority = Some(self.0.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(|_| UrlError::NotAUrl)?);
        Uri::from_parts(parts).map_err(|_| UrlError::NotAUrl)
    }

    /// Gives `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.0.scheme.as_str()
    }

    /// Gives host and port as written, in lower case.
    pub fn authority(&self) -> &Authority {
        &self.0.authority
    }

    /// Gives the host in lower case, without brackets removed from an IPv6 address.
    pub fn host(&self) -> &str {
        self.0.authority.host()
    }

    /// Gives the port, the scheme's own where none was written.
    pub fn port(&self) -> u16 {
        self.0.authority.port_u16().unwrap_or(if self.0.scheme == Scheme::HTTPS { 443 } else { 80 })
    }

    /// Gives the path, without a trailing slash; empty for the root.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Tells whether the host is this machine itself: `localhost`, `127.0.0.0/8` or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    /// Tells whether a URI has this server's scheme, host and port.
    pub fn same_origin(&self, uri: &Uri) -> bool {
        let port = uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 });
        uri.scheme() == Some(&self.0.scheme)
            && uri.host().is_some_and(|host| host.eq_ignore_ascii_case(self.host()))
            && port == self.port()
            && !uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.0.scheme, self.0.authority, self.0.path)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Tells whether a host is this machine itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .and_then(|host| host.parse::<std::net::Ipv6Addr>().ok())
            .is_some_and(|ip| ip.is_loopback())
}

fn lower_case(authority: Authority) -> Result<Authority, UrlError> {
    if authority.as_str().bytes().any(|byte| byte.is_ascii_uppercase()) {
        return authority.as_str().to_ascii_lowercase().parse().map_err(|_| UrlError::Host);
    }
    Ok(authority)
}

/// Why a base URL is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UrlError {
    /// The text is no absolute URL.
    NotAUrl,
    /// The scheme is neither `https` nor `http`.
    Scheme,
    /// The host is empty or ends with a dot.
    Host,
    /// The port is no number from 0 to 65535.
    Port,
    /// The URL holds a user name or a password.
    UserInfo,
    /// The URL has a query or a fragment.
    QueryOrFragment,
    /// Plain `http` to a host that is not this machine would show passwords and tokens to the network.
    PlainHttp,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAUrl => "url: not an absolute URL such as https://host:port/path",
            Self::Scheme => "url: the scheme must be https (or http to a loopback host)",
            Self::Host => "url: the host is empty or ends with a dot",
            Self::Port => "url: the port is not a number from 0 to 65535",
            Self::UserInfo => "url: it must not hold a user name or a password",
            Self::QueryOrFragment => "url: it must not have a query or a fragment",
            Self::PlainHttp => "url: plain http to a host that is not this machine would show passwords and tokens to the network; use https or allow it by name",
        })
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_url_has_its_own_error() {
        for (url, error) in [
            ("", UrlError::NotAUrl),
            ("localhost:3000", UrlError::NotAUrl),
            ("/session", UrlError::NotAUrl),
            ("ftp://localhost", UrlError::Scheme),
            ("https://localhost/a b", UrlError::NotAUrl),
            ("https://localhost/\u{85}", UrlError::NotAUrl),
            ("https://localhost/\u{7f}", UrlError::NotAUrl),
            ("https://user:pw@localhost", UrlError::UserInfo),
            ("https://localhost./", UrlError::Host),
            ("https://localhost:99999/", UrlError::Port),
            ("https://localhost/?a=b", UrlError::QueryOrFragment),
            ("https://localhost/#a", UrlError::QueryOrFragment),
            ("http://portal.example.org/", UrlError::PlainHttp),
            ("http://127.0.0.1.example.org/", UrlError::PlainHttp),
            ("http://localhost.example.org/", UrlError::PlainHttp),
        ] {
            assert_eq!(BaseUrl::parse(url).map(|base| base.to_string()), Err(error), "{url}");
        }
    }

    #[test]
    fn loopback_may_be_plain() {
        for url in ["http://localhost:3000", "http://127.0.0.1", "http://127.9.9.9:1/", "http://[::1]:8/x"] {
            assert!(BaseUrl::parse(url).is_ok(), "{url}");
        }
        assert!(BaseUrl::parse_allowing_plain_http("http://portal.example.org").is_ok());
    }

    #[test]
    fn paths_are_joined_below_the_base() {
        let base = BaseUrl::parse("https://LocalHost:5000/v1/api/").unwrap();
        assert_eq!(base.join("/tickle").unwrap(), "https://localhost:5000/v1/api/tickle");
        assert_eq!(base.join("/a?b=c").unwrap(), "https://localhost:5000/v1/api/a?b=c");
        assert!(base.join("/a b").is_err());
    }

    #[test]
    fn the_origin_is_scheme_host_and_port() {
        let base = BaseUrl::parse("https://api.example.org").unwrap();
        for (uri, same) in [
            ("https://api.example.org/x", true),
            ("https://API.example.org:443/x", true),
            ("http://api.example.org/x", false),
            ("https://api.example.org:444/x", false),
            ("https://u@api.example.org/x", false),
            ("https://api.example.org.evil.org/x", false),
            ("/x", false),
        ] {
            assert_eq!(base.same_origin(&uri.parse().unwrap()), same, "{uri}");
        }
    }
}
