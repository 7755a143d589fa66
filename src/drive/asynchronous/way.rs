//! How a connection is made: straight to the server, or through a proxy that was named.

use core::future::ready;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tower_service::Service;

use super::transport::BoxError;

/// The connector below TLS.
#[derive(Clone)]
pub(super) enum Way {
    Direct(HttpConnector<Known>),
    Tunnel(Tunnel<HttpConnector<Known>>),
}

impl Service<Uri> for Way {
    type Response = <HttpConnector<Known> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Direct(direct) => direct.poll_ready(cx).map_err(Into::into),
            Self::Tunnel(tunnel) => tunnel.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Direct(direct) => {
                let connected = direct.call(uri);
                Box::pin(async move { Ok(connected.await?) })
            }
            Self::Tunnel(tunnel) => {
                let connected = tunnel.call(with_port(uri));
                Box::pin(async move { Ok(connected.await?) })
            }
        }
    }
}

/// Names the port: a tunnel takes 443 for one that is left out, also with plain http.
fn with_port(uri: Uri) -> Uri {
    let named = match (uri.host(), uri.port(), uri.scheme()) {
        (Some(host), None, Some(scheme)) if *scheme == Scheme::HTTP => format!("{scheme}://{host}:80/").parse().ok(),
        _ => None,
    };
    named.unwrap_or(uri)
}

/// Reads `http://host:port` or `http://user:password@host:port`.
pub(super) fn proxy(url: &str) -> Option<Intercept> {
    let anywhere = Uri::from_static("https://server.invalid");
    let proxy = Matcher::builder().all(url).build().intercept(&anywhere)?;
    (url.starts_with("http://") && proxy.uri().scheme_str() == Some("http")).then_some(proxy)
}

impl Way {
    pub(super) fn new(proxy: Option<&Intercept>, http: HttpConnector<Known>) -> Self {
        let Some(proxy) = proxy else { return Self::Direct(http) };
        let tunnel = Tunnel::new(proxy.uri().clone(), http);
        Self::Tunnel(match proxy.basic_auth() {
            Some(authorization) => tunnel.with_auth(authorization.clone()),
            None => tunnel,
        })
    }
}

/// Looks names up as the system does; `localhost` is known: plain http with a password goes there, so it is this
/// machine itself whatever a name server says.
#[derive(Clone)]
pub(super) struct Known(pub(super) GaiResolver);

impl Service<Name> for Known {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if name.as_str().eq_ignore_ascii_case("localhost") {
            let hosts = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let found = hosts.map(|host| SocketAddr::new(host, 0)).to_vec();
            return Box::pin(ready(Ok(found.into_iter())));
        }
        let found = self.0.call(name);
        Box::pin(async move { Ok(found.await?.collect::<Vec<_>>().into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read() {
        let plain = proxy("http://proxy.example.org:3128/").unwrap();
        assert_eq!((plain.uri().host(), plain.uri().port_u16()), (Some("proxy.example.org"), Some(3128)));
        assert!(plain.basic_auth().is_none());
        let named = proxy("http://me:p%40ss%3aword@[::1]:3128").unwrap();
        assert_eq!((named.uri().host(), named.uri().port_u16()), (Some("[::1]"), Some(3128)));
        let authorization = named.basic_auth().unwrap();
        assert_eq!(authorization, "Basic bWU6cEBzczp3b3Jk");
        assert!(authorization.is_sensitive());
        for url in ["socks5://localhost:1080", "https://localhost:3128", "localhost:3128", "", "http://", "http://a b"]
        {
            assert!(proxy(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_tunnel_for_plain_http_names_its_port() {
        let named = |uri: &str| with_port(uri.parse().unwrap()).to_string();
        assert_eq!(named("http://portal.example.org/x"), "http://portal.example.org:80/");
        assert_eq!(named("http://[::1]/x"), "http://[::1]:80/");
        assert_eq!(named("http://portal.example.org:3000/x"), "http://portal.example.org:3000/x");
        assert_eq!(named("https://portal.example.org/x"), "https://portal.example.org/x");
    }
}
