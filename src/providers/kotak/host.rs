//! Checks which host named by a server may get a bearer, a password or a token.
//!
//! Kotak spreads its users over several hosts and names the right one at runtime: in `redirect.host` of
//! init, in the description of fault 999024, in `baseUrl` of Neo's second step. A forged response
//! could send credentials anywhere, so a host is admitted only
//! - within `kotaksecurities.com`, over https, on the default port, if the present host is there too, or
//! - from loopback to loopback, for simulators and tests.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::machine::event::ServerText;
use crate::providers::table::named;
use crate::url::{BaseUrl, UrlError};

/// The domain whose hosts may get credentials.
pub const DOMAIN: &str = "kotaksecurities.com";

/// A host that a server named and that was admitted.
///
/// A snapshot stores the URL as text. A snapshot can be tampered with, so a resumed session checks the host again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told(BaseUrl);

impl Told {
    /// Returns the base URL.
    pub const fn base(&self) -> &BaseUrl {
        &self.0
    }

    /// Checks whether the host may get the credentials of a session that is configured for `from`.
    ///
    /// # Errors
    /// [`HostRefused`] names the host and the reason.
    pub fn admitted_from(&self, from: &BaseUrl) -> Result<(), HostRefused> {
        check(from, &self.0).map_err(|why| HostRefused::new(&self.0.to_string(), why))
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The session, which knows the configured host, checks whether it is admitted.
        let base = BaseUrl::parse_allowing_plain_http(&text)
            .map_err(|_| serde::de::Error::custom("the host is not a base URL"))?;
        Ok(Self(base))
    }
}

/// Parses and checks a host that a server named; `None` means that it is the present one.
///
/// `host` is a URL or a bare host; both occur. A URL has its own port, so `port` counts
/// for a bare host only. A URL without a path keeps the present path,
/// since fault 999024 names `https://ctradeapi.kotaksecurities.com/` and means its `/apim`.
///
/// # Errors
/// [`HostRefused`] names the host and the reason.
pub fn admit(from: &BaseUrl, host: &str, port: Option<u64>) -> Result<Option<Told>, HostRefused> {
    let host = host.trim();
    if host.is_empty() {
        return Ok(None);
    }
    let refused = |why| HostRefused::new(host, why);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let default = if from.scheme() == "https" { 443 } else { 80 };
    let url = match port {
        _ if host.contains("://") => host.to_owned(),
        Some(port) if !has_port && port != default => format!("{}://{host}:{port}", from.scheme()),
        _ => format!("{}://{host}", from.scheme()),
    };
    let told = BaseUrl::parse_allowing_plain_http(&url).map_err(|error| {
        refused(match error {
            UrlError::UserInfo => Refusal::UserInfo,
            UrlError::Port => Refusal::Port,
            _ => Refusal::NotAUrl,
        })
    })?;
    check(from, &told).map_err(refused)?;
    let told = if told.path().is_empty() && !from.path().is_empty() {
        let with_path = format!("{}://{}{}", told.scheme(), told.authority(), from.path());
        BaseUrl::parse_allowing_plain_http(&with_path).map_err(|_| refused(Refusal::Path))?
    } else {
        told
    };
    let same = told.host() == from.host() && told.port() == from.port() && told.path() == from.path();
    Ok((!same).then_some(Told(told)))
}

fn check(from: &BaseUrl, told: &BaseUrl) -> Result<(), Refusal> {
    if !plain_path(told.path()) {
        return Err(Refusal::Path);
    }
    if from.is_loopback() {
        return if told.is_loopback() { Ok(()) } else { Err(Refusal::Foreign) };
    }
    if !within_domain(told.host()) || !within_domain(from.host()) {
        return Err(Refusal::Foreign);
    }
    if told.scheme() != "https" {
        return Err(Refusal::NotHttps);
    }
    if told.port() != 443 {
        return Err(Refusal::Port);
    }
    Ok(())
}

/// Reports whether a host is the provider's: its domain, or plain labels below it.
///
/// Punycode (`xn--`) is never admitted: the provider has no such name, and look-alikes do.
fn within_domain(host: &str) -> bool {
    if host == DOMAIN {
        return true;
    }
    let Some(labels) = host.strip_suffix(DOMAIN).and_then(|labels| labels.strip_suffix('.')) else { return false };
    labels.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with("xn--")
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

/// Reports whether a path has plain segments only: no escapes, no `..`.
fn plain_path(path: &str) -> bool {
    path.is_empty()
        || path.strip_prefix('/').is_some_and(|path| {
            path.split('/').all(|segment| {
                !matches!(segment, "" | "." | "..")
                    && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            })
        })
}

/// A host that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HostRefused {
    /// The host in the server's words, cut and escaped.
    pub host: ServerText,
    /// The reason.
    pub why: Refusal,
}

impl HostRefused {
    /// Creates a refusal of a host.
    pub fn new(host: &str, why: Refusal) -> Self {
        Self { host: ServerText::new(host), why }
    }
}

impl fmt::Display for HostRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server names the host {}, {}", self.host, self.why)
    }
}

impl std::error::Error for HostRefused {}

named! {
    /// Why a host is refused.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Refusal {
        /// The text is neither a URL nor a host.
        NotAUrl = "host.not-a-url" => "which is neither a URL nor a host",
        /// It is outside the provider's domain, or a loopback server named another machine.
        Foreign = "host.foreign" => "which is not the provider's",
        /// It does not use https.
        NotHttps = "host.not-https" => "which does not use https",
        /// It has another port than 443.
        Port = "host.port" => "on a port that is not 443",
        /// It has a user name or a password, as look-alikes do.
        UserInfo = "host.user-info" => "with a user name in it",
        /// Its path has segments that are not plain.
        Path = "host.path" => "with a path that is not plain",
        /// The host was switched once already: two hosts that name each other would loop for ever.
        Again = "host.again" => "after it was switched once already",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from() -> BaseUrl {
        BaseUrl::parse("https://sbx.kotaksecurities.com/apim").unwrap()
    }

    fn told(host: &str) -> Result<Option<String>, Refusal> {
        admit(&from(), host, Some(443))
            .map(|told| told.map(|told| told.base().to_string()))
            .map_err(|refused| refused.why)
    }

    fn moved(to: &str) -> Result<Option<String>, Refusal> {
        Ok(Some(to.to_owned()))
    }

    #[test]
    fn hosts_of_the_provider_are_admitted() {
        let ctrade = "https://ctradeapi.kotaksecurities.com/apim";
        assert_eq!(told("https://ctradeapi.kotaksecurities.com/apim"), moved(ctrade));
        assert_eq!(told("https://ctradeapi.kotaksecurities.com/"), moved(ctrade), "as fault 999024 names it");
        assert_eq!(told(" ctradeapi.kotaksecurities.com "), moved(ctrade));
        assert_eq!(told("HTTPS://CTradeAPI.KotakSecurities.COM/apim/"), moved(ctrade), "upper case");
        assert_eq!(
            told("https://ctradeapi.kotaksecurities.com/v2/apim"),
            moved("https://ctradeapi.kotaksecurities.com/v2/apim")
        );
        assert_eq!(told("https://kotaksecurities.com/apim"), moved("https://kotaksecurities.com/apim"));
    }

    #[test]
    fn the_present_host_is_no_move() {
        for host in [
            "",
            "https://sbx.kotaksecurities.com/apim",
            "sbx.kotaksecurities.com",
            "https://SBX.kotaksecurities.com:443",
        ] {
            assert_eq!(told(host), Ok(None), "{host}");
        }
    }

    #[test]
    fn other_hosts_get_nothing() {
        for (host, why) in [
            ("https://evilkotaksecurities.com/apim", Refusal::Foreign),
            ("https://kotaksecurities.com.evil.example/apim", Refusal::Foreign),
            ("https://kotaksecurities.co", Refusal::Foreign),
            ("evil.example", Refusal::Foreign),
            ("127.0.0.1", Refusal::Foreign),
            ("https://[::1]/apim", Refusal::Foreign),
            ("https://ctradeapi.kotaksecurities.com@evil.example/apim", Refusal::UserInfo),
            ("https://user:pw@ctradeapi.kotaksecurities.com/apim", Refusal::UserInfo),
            ("https://ctradeapi.kotaksecurities.com:8443/apim", Refusal::Port),
            ("https://ctradeapi.kotaksecurities.com:99999/apim", Refusal::Port),
            ("ctradeapi.kotaksecurities.com:8443", Refusal::Port),
            ("https://ctradeapi.kotaksecurities.com./apim", Refusal::NotAUrl),
            ("https://ctradeapi..kotaksecurities.com/apim", Refusal::Foreign),
            ("https://.kotaksecurities.com/apim", Refusal::Foreign),
            ("https://xn--kotaksecurities-8yb.com/apim", Refusal::Foreign),
            ("https://xn--trade-9xa.kotaksecurities.com/apim", Refusal::Foreign),
            ("https://k\u{43e}taksecurities.com/apim", Refusal::NotAUrl),
            ("https://evil.example%2ekotaksecurities.com/apim", Refusal::NotAUrl),
            ("https://evil.example\\.kotaksecurities.com/apim", Refusal::NotAUrl),
            ("http://ctradeapi.kotaksecurities.com/apim", Refusal::NotHttps),
            ("ftp://ctradeapi.kotaksecurities.com/apim", Refusal::NotAUrl),
            ("https://ctradeapi.kotaksecurities.com/../x", Refusal::Path),
            ("https://ctradeapi.kotaksecurities.com/a%2f..", Refusal::Path),
            ("https://ctradeapi.kotaksecurities.com//evil.example", Refusal::Path),
            ("https://ctradeapi.kotaksecurities.com/apim?x=y", Refusal::NotAUrl),
            ("https://", Refusal::NotAUrl),
            ("not a host", Refusal::NotAUrl),
        ] {
            assert_eq!(told(host), Err(why), "{host}");
        }
    }

    #[test]
    fn the_port_counts_for_a_bare_host_only() {
        let port = |host, port| admit(&from(), host, port).map_err(|refused| refused.why);
        assert!(port("https://ctradeapi.kotaksecurities.com/apim", Some(8443)).is_ok());
        assert_eq!(port("ctradeapi.kotaksecurities.com", Some(8443)), Err(Refusal::Port));
        assert_eq!(port("ctradeapi.kotaksecurities.com", Some(99_999)), Err(Refusal::Port));
        assert!(port("ctradeapi.kotaksecurities.com", None).is_ok());
    }

    #[test]
    fn this_machine_names_only_itself() {
        let from = BaseUrl::parse("http://localhost:5001/apim").unwrap();
        let told = admit(&from, "http://127.0.0.1:5002", None).unwrap().unwrap();
        assert_eq!(told.base().to_string(), "http://127.0.0.1:5002/apim");
        assert_eq!(admit(&from, "https://ctradeapi.kotaksecurities.com", None).unwrap_err().why, Refusal::Foreign);
        assert_eq!(admit(&from, "localhost.evil.example", Some(443)).unwrap_err().why, Refusal::Foreign);
    }

    #[test]
    fn a_server_outside_the_domain_may_not_lead_into_it() {
        let proxy = BaseUrl::parse("https://proxy.example/apim").unwrap();
        assert_eq!(admit(&proxy, "https://ctradeapi.kotaksecurities.com", None).unwrap_err().why, Refusal::Foreign);
        assert_eq!(admit(&proxy, "https://other.example", None).unwrap_err().why, Refusal::Foreign);
    }

    #[test]
    fn a_host_from_a_snapshot_is_admitted_again() {
        for (text, admitted) in [
            ("https://ctradeapi.kotaksecurities.com/apim", true),
            ("https://evil.example/apim", false),
            ("http://ctradeapi.kotaksecurities.com/apim", false),
            ("http://localhost:5001/apim", false),
        ] {
            let told: Told = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(told.admitted_from(&from()).is_ok(), admitted, "{text}");
            assert_eq!(serde_json::to_string(&told).unwrap(), format!("\"{text}\""));
        }
        assert!(serde_json::from_str::<Told>("\"https://u@ctradeapi.kotaksecurities.com\"").is_err());
    }

    #[test]
    fn the_error_names_the_host() {
        let refused = admit(&from(), "https://evil.example/\u{1b}[31m", None).unwrap_err();
        assert!(refused.to_string().contains("evil.example") && !refused.to_string().contains('\u{1b}'), "{refused}");
    }
}
