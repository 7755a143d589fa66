//! Where a host is, without a thread for what needs no look-up.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Looks names up as ureq does; an address and `localhost` are known.
///
/// ureq starts a thread for each look-up that may take only so long, before it sees whether there is a
/// connection already, and for addresses too: a third of what a request to a gateway costs. And
/// `localhost` is this machine itself whatever a name server says: plain http with a password goes there.
#[derive(Debug, Default)]
pub(super) struct Known(DefaultResolver);

impl Resolver for Known {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let Some((hosts, port)) = known(uri) else { return self.0.resolve(uri, config, timeout) };
        let mut found = self.empty();
        for host in hosts.into_iter().flatten() {
            found.push(SocketAddr::new(host, port));
        }
        Ok(found)
    }
}

/// Returns the addresses of a host that needs no look-up, in the order in which they are tried.
fn known(uri: &Uri) -> Option<([Option<IpAddr>; 2], u16)> {
    let host = uri.host()?;
    let port = uri.port_u16().or(match uri.scheme_str()? {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    if host.eq_ignore_ascii_case("localhost") {
        return Some(([Some(Ipv4Addr::LOCALHOST.into()), Some(Ipv6Addr::LOCALHOST.into())], port));
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(([Some(bare.parse().ok()?), None], port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_need_no_look_up() {
        let looked = |uri: &str| {
            let (hosts, port) = known(&uri.parse().unwrap())?;
            Some(hosts.into_iter().flatten().map(|host| SocketAddr::new(host, port).to_string()).collect::<Vec<_>>())
        };
        assert_eq!(looked("https://127.0.0.1/v1/api"), Some(vec!["127.0.0.1:443".into()]));
        assert_eq!(looked("http://[::1]:3000/session"), Some(vec!["[::1]:3000".into()]));
        assert_eq!(looked("https://LocalHost:5000/"), Some(vec!["127.0.0.1:5000".into(), "[::1]:5000".into()]));
        for asked in ["https://api.ibkr.com/", "https://localhost.example.org/", "http://127.1/", "socks5://127.0.0.1"]
        {
            assert_eq!(looked(asked), None, "{asked}");
        }
    }
}
