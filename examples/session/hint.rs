//! What to do next, when a session did not open or has ended against its owner's wish.

use sansession::blocking::SendError;
use sansession::{Cause, CloseReason, Denial, Event, FailureKind, NeedKind};

use crate::args::{Args, Provider};

/// What has gone wrong lately, and what was tried.
pub struct Trouble {
    provider: Provider,
    url: Option<String>,
    ca_file: bool,
    failure: Option<(FailureKind, String)>,
    status: Option<u16>,
    was_active: bool,
}

impl Trouble {
    pub fn new(args: &Args) -> Self {
        // What stands before an `@` is a password, most likely.
        let url = args.url.clone().filter(|url| !url.contains('@'));
        let ca_file = args.ca_file.is_some();
        Self { provider: args.provider, url, ca_file, failure: None, status: None, was_active: false }
    }

    pub fn event(&mut self, event: &Event) {
        self.was_active |= matches!(event, Event::PhaseChanged { to: sansession::Phase::Active, .. });
    }

    pub fn received(&mut self, status: u16) {
        (self.failure, self.status) = (None, Some(status));
    }

    pub fn failed(&mut self, error: &SendError) {
        self.failure = Some((error.failure.kind, error.reason.to_string()));
    }

    /// Says what a person should do, if there is anything.
    pub fn hint(&self, reason: &CloseReason) -> Option<String> {
        match reason {
            CloseReason::LoggedOut { .. } => None,
            CloseReason::Denied(denial) => self.denied(denial),
            CloseReason::Expired => Some("run it again to log in, or with --relogin, which does it by itself".into()),
            CloseReason::Rival => Some(
                "end the other client first (a browser, an app, another program of this user), or choose --compete wait or always".into(),
            ),
            CloseReason::RetriesExhausted(Cause::Failure(_)) => Some(self.unreachable()),
            CloseReason::RetriesExhausted(Cause::Status(status)) => Some(format!(
                "the server answers with {status} and no session; try later, or check --url, which may lead to another server ({})",
                self.example()
            )),
            CloseReason::RetriesExhausted(_) => Some("--patience SECONDS waits longer".into()),
            CloseReason::Protocol(shape) if shape.status >= 300 || !self.was_active => Some(self.stranger(shape.status)),
            _ => None,
        }
    }

    fn unreachable(&self) -> String {
        let url = self.url.as_deref().unwrap_or("the embedded simulator");
        match &self.failure {
            Some((FailureKind::Tls, why)) if why.contains("InvalidContentType") || why.contains("corrupt message") => {
                format!("what answers at {url} does not speak TLS: is the port right, or is it http:// ?")
            }
            Some((FailureKind::Tls, why)) if why.contains("not the pinned one") => {
                "check the certificate with whoever runs the server; if it is theirs, give its SHA-256 with --pin"
                    .into()
            }
            Some((FailureKind::Tls, _)) if self.ca_file => {
                "the certificate in --ca-file is not the one of this server, or not made for this host name".into()
            }
            Some((FailureKind::Tls, _)) => {
                format!(
                    "the certificate of {url} is not trusted: --ca-file PEM names its root, --pin SHA256 the certificate itself"
                )
            }
            Some((FailureKind::Timeout, _)) => format!("{url} is silent: check host, port and firewall"),
            Some((FailureKind::Interrupted | FailureKind::Other, _)) if url.starts_with("http:") => {
                format!("what answers at {url} does not speak plain http: is the port right, or is it https:// ?")
            }
            _ => {
                format!("nothing answers at {url}: check host and port, and that the server runs ({})", self.example())
            }
        }
    }

    /// Something answers that is not the provider.
    fn stranger(&self, status: u16) -> String {
        let url = self.url.as_deref().unwrap_or("the embedded simulator");
        let what = match status {
            404 | 405 => "has no such path: check the path in --url",
            300..=399 => {
                "sends elsewhere (redirects are not followed): give the address it redirects to, or check http and https"
            }
            400 if url.starts_with("http:") => "does not understand: is it https:// ?",
            _ => "is not this provider: check --url",
        };
        format!("what answers at {url} {what} ({})", self.example())
    }

    fn denied(&self, denial: &Denial) -> Option<String> {
        let again = "then give it once more with --again; accounts lock after about three refusals";
        let name = match denial {
            Denial::Refused { kind } => match (kind, self.provider) {
                (NeedKind::Credentials, _) => "SANSESSION_USER and SANSESSION_PASSWORD",
                (NeedKind::AccessCode, _) => "SANSESSION_CODE (the access code changes every day)",
                (NeedKind::Totp, _) => {
                    "SANSESSION_TOTP_SECRET and this machine's clock, or SANSESSION_UCC and SANSESSION_MOBILE"
                }
                (NeedKind::Pin, _) => "SANSESSION_PIN",
                (NeedKind::GatewayToken, _) => {
                    "SANSESSION_ACCESS_TOKEN, or SANSESSION_CONSUMER_KEY and SANSESSION_CONSUMER_SECRET"
                }
                _ => return None,
            },
            Denial::Unanswered { kind } => {
                return Some(match kind {
                    NeedKind::Credentials => {
                        "set SANSESSION_USER and SANSESSION_PASSWORD, or run it at a terminal".into()
                    }
                    NeedKind::AccessCode => "set SANSESSION_CODE, or run it at a terminal".into(),
                    NeedKind::Totp => "set SANSESSION_TOTP_SECRET, or run it at a terminal".into(),
                    NeedKind::Pin => "set SANSESSION_PIN, or run it at a terminal".into(),
                    NeedKind::GatewayToken => "set SANSESSION_ACCESS_TOKEN to a token that is valid now".into(),
                    other => format!("nobody answered the {}", other.code()),
                });
            }
            Denial::KeyNotLive { .. } if self.provider == Provider::IbkrOauth2 => "SANSESSION_CLIENT_ID and --key-id",
            Denial::KeyNotLive { .. } => "SANSESSION_CONSUMER_KEY",
            Denial::TokenRegenerated => "SANSESSION_ACCESS_TOKEN and SANSESSION_ACCESS_TOKEN_SECRET",
            Denial::SignatureRefused if self.provider == Provider::IbkrOauth2 => {
                "--signature-key, --key-id and SANSESSION_CLIENT_ID"
            }
            Denial::SignatureRefused => "--signature-key, SANSESSION_CONSUMER_KEY and --realm",
            Denial::ServerUnproven => "--dh-param, --encryption-key and SANSESSION_ACCESS_TOKEN_SECRET",
            Denial::ClockWrong { .. } => return Some("set this machine's clock (NTP)".into()),
            Denial::Locked => return Some("the account's owner has to unlock it at the provider".into()),
            Denial::IpNotAllowed => {
                return Some("have this machine's address allowed at the provider, or check --egress-ip".into());
            }
            Denial::NotEntitled => {
                return Some("the account's owner has to ask the provider for this interface".into());
            }
            _ => return Some(format!("check what the provider was told: {}", self.example())),
        };
        Some(format!("check {name}, {again}"))
    }

    fn example(&self) -> &'static str {
        match self.provider {
            Provider::Cbrain => "for CBRAIN such as https://portal.example.org",
            Provider::IbkrGateway => "the gateway's is https://localhost:5000/v1/api",
            Provider::IbkrOauth1a | Provider::IbkrOauth2 => "IBKR's is https://api.ibkr.com/v1/api",
            Provider::KotakTrade => "Kotak's is https://sbx.kotaksecurities.com/apim",
            Provider::KotakNeo => "Kotak's is https://mis.kotaksecurities.com",
        }
    }
}
