//! The hosts of the Web API: the configured one, and those that may take its place.
//!
//! The state of a session contains a number and no name, so neither a response nor a manipulated
//! snapshot can send a token to a foreign host.

use super::super::wire::Endpoints;
use crate::{BaseUrl, UrlError};

/// The plain host, whose numbered siblings serve the same interface.
const HOST: &str = "api.ibkr.com";
/// `1.api.ibkr.com` up to this number are known: two each in New Jersey, Chicago, Hong Kong and Zug.
const SIBLINGS: u8 = 8;

/// The configured host, number 0, and those that may take its place.
#[derive(Debug)]
pub(super) struct Hosts {
    configured: Endpoints,
    siblings: Box<[Endpoints]>,
}

impl Hosts {
    /// Creates the list from the configured host; only IBKR's own hosts, over https, have siblings.
    pub(super) fn new(base: &BaseUrl) -> Result<Self, UrlError> {
        let mut siblings = Vec::new();
        if base.scheme() == "https" && base.port() == 443 && is_ibkr(base.host()) {
            // The plain one first: it takes addresses that a numbered one refuses.
            let numbered = (1..=SIBLINGS).map(|number| format!("{number}.{HOST}"));
            for host in std::iter::once(HOST.to_owned()).chain(numbered) {
                if host != base.host() {
                    siblings.push(Endpoints::new(&BaseUrl::parse(&format!("https://{host}{}", base.path()))?)?);
                }
            }
        }
        Ok(Self { configured: Endpoints::new(base)?, siblings: siblings.into() })
    }

    /// Returns the configured host.
    pub(super) const fn configured(&self) -> &Endpoints {
        &self.configured
    }

    /// Returns the host of a number; `admits` has checked the number.
    pub(super) fn of(&self, number: usize) -> &Endpoints {
        let sibling = number.checked_sub(1).and_then(|place| self.siblings.get(place));
        sibling.unwrap_or(&self.configured)
    }

    /// Reports whether a host is a numbered one, whose refusals prove nothing.
    pub(super) fn is_numbered(&self, number: usize) -> bool {
        !self.siblings.is_empty() && self.of(number).base().host() != HOST
    }

    /// Returns the number of hosts.
    pub(super) const fn count(&self) -> usize {
        self.siblings.len() + 1
    }
}

fn is_ibkr(host: &str) -> bool {
    let number = host.strip_suffix(HOST).and_then(|rest| rest.strip_suffix('.'));
    host == HOST || number.is_some_and(|number| number.len() == 1 && ("1"..="8").contains(&number))
}

/// Returns the server's root, below which the endpoints of OAuth 2.0 lie.
pub(super) fn root(base: &BaseUrl) -> Result<BaseUrl, UrlError> {
    BaseUrl::parse_allowing_plain_http(&format!("{}://{}", base.scheme(), base.authority()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &str) -> Vec<String> {
        let hosts = Hosts::new(&BaseUrl::parse(base).unwrap()).unwrap();
        (0..hosts.count()).map(|number| hosts.of(number).base().to_string()).collect()
    }

    #[test]
    fn ibkr_has_siblings_and_nobody_else() {
        let siblings = names("https://api.ibkr.com/v1/api");
        assert_eq!((siblings.len(), siblings[8].as_str()), (9, "https://8.api.ibkr.com/v1/api"));
        let siblings = names("https://3.api.ibkr.com/v1/api");
        assert_eq!(siblings.len(), 9);
        assert_eq!(siblings[..4], ["3.", "", "1.", "2."].map(|n| format!("https://{n}api.ibkr.com/v1/api")));
        for (base, numbered) in
            [("https://api.ibkr.com/v1/api", [false, true]), ("https://8.api.ibkr.com", [true, false])]
        {
            let hosts = Hosts::new(&BaseUrl::parse(base).unwrap()).unwrap();
            assert_eq!([0, 1].map(|number| hosts.is_numbered(number)), numbered, "{base}");
        }
        for alone in [
            "https://api.ibkr.com:8443/v1/api",
            "https://9.api.ibkr.com/v1/api",
            "https://evil.api.ibkr.com/v1/api",
            "https://xapi.ibkr.com/v1/api",
            "https://api.ibkr.com.example.org/v1/api",
            "https://localhost:5000/v1/api",
            "http://127.0.0.1:5000/v1/api",
        ] {
            assert_eq!(names(alone), [alone]);
            assert!(!Hosts::new(&BaseUrl::parse(alone).unwrap()).unwrap().is_numbered(0));
        }
    }

    #[test]
    fn the_root_has_no_path() {
        let base = BaseUrl::parse("https://api.ibkr.com/v1/api").unwrap();
        assert_eq!(root(&base).unwrap().to_string(), "https://api.ibkr.com");
    }
}
