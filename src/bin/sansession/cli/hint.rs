//! What to do next, when a session did not open or has ended against its owner's wish.

use std::io::IsTerminal;

use sansession::drive::SendError;
use sansession::{
    CloseReason, Event, NeedKind,
    machine::{Cause, Denial, Ends, FailureKind},
};

use crate::cli::args::{Args, Provider};

/// What has gone wrong lately, and what was tried.
pub struct Trouble {
    provider: Provider,
    url: Option<String>,
    ca_file: bool,
    /// Whether a refusal is in a file, so that the next run has to be told to try again.
    remembers: bool,
    /// What a logout ends.
    ends: Ends,
    /// Whether the session is in a file.
    saves: bool,
    /// Whether that is a profile's, which nobody has to name.
    kept: bool,
    /// Whether the file of `--resume` stays what it is.
    reads_only: bool,
    /// Whether somebody gave a token in the place of a login.
    adopted: bool,
    /// Where the last request went.
    path: String,
    failure: Option<(FailureKind, String)>,
    status: Option<u16>,
    was_active: bool,
}

impl Trouble {
    pub fn new(args: &Args) -> Self {
        // What stands before an `@` is a password, most likely.
        let url = args.server().filter(|url| !url.contains('@')).map(ToOwned::to_owned);
        Self {
            provider: args.provider,
            url,
            ca_file: args.ca_file.is_some(),
            ends: args.ends,
            saves: args.save.is_some(),
            kept: args.place.is_some(),
            remembers: args.save.is_some() || args.resume.is_some(),
            reads_only: args.place.is_none()
                && args.save.is_some()
                && args.resume.is_some()
                && args.resume != args.save,
            adopted: ["SANSESSION_TOKEN", "SANSESSION_TOKEN_FILE"].iter().any(|name| std::env::var_os(name).is_some()),
            path: String::new(),
            failure: None,
            status: None,
            was_active: false,
        }
    }

    pub fn sending(&mut self, path: &str) {
        path.clone_into(&mut self.path);
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
            CloseReason::Left if self.ends == Ends::Opened => {
                Some("the login was there before, so it is left alone; --logout always ends it".into())
            }
            CloseReason::Denied(denial) => self.denied(denial),
            CloseReason::Expired if self.adopted => {
                Some("SANSESSION_TOKEN is not valid, or no longer: leave it out to log in".into())
            }
            CloseReason::Expired if self.reads_only => {
                Some("run it without --resume to log in, or with --relogin, which does it by itself".into())
            }
            CloseReason::Expired => Some("run it again to log in, or with --relogin, which does it by itself".into()),
            CloseReason::Rival => Some(
                "end the other client first (a browser, an app, another program of this user), or choose --compete wait or always".into(),
            ),
            CloseReason::RetriesExhausted(Cause::Stuck) | CloseReason::GivenUp(Cause::Stuck) => Some(self.stuck().into()),
            CloseReason::GivenUp(_) => Some(self.lives_on().into()),
            CloseReason::RetriesExhausted(Cause::MaybeRefused { .. }) => {
                // Where the last request failed in this run, what kept its answer from coming is to be mended first.
                let cause = self.failure.as_ref().map(|_| self.unreachable() + "; then ").unwrap_or_default();
                Some(format!(
                    "{cause}log in by hand to see whether the answer is right and nothing is locked, {}, which gives it once more",
                    self.again()
                ))
            }
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

    /// The login lives and gives no session that can be used.
    const fn stuck(&self) -> &'static str {
        match self.provider {
            Provider::IbkrGateway => {
                "the login lives and no brokerage session can be had: log in anew in the browser, or restart the gateway"
            }
            Provider::IbkrOauth1a | Provider::IbkrOauth2 => {
                "the login lives and no brokerage session can be had: run it again, which logs in anew, without --resume"
            }
            _ => "the login lives and no usable session can be had: log in anew",
        }
    }

    /// The session was open when it was given up.
    const fn lives_on(&self) -> &'static str {
        if self.kept {
            "the session was open and may live: run it again, which looks first"
        } else if self.saves {
            "the session was open and may live: run it again with --resume and its file, which looks first"
        } else {
            "the session was open and may live on at the server; --save FILE keeps one for --resume"
        }
    }

    /// Says why no answer came, as far as that can be told.
    pub fn unreachable(&self) -> String {
        let url = self.url.as_deref().unwrap_or("the embedded simulator");
        match &self.failure {
            Some((FailureKind::Tls, why)) if why.contains("InvalidContentType") || why.contains("corrupt message") => {
                format!("what answers at {url} does not speak TLS: is the port right, or is it http:// ?")
            }
            Some((FailureKind::Tls, why)) if why.contains("not the pinned one") && self.ca_file => {
                "the certificate in --ca-file is not the one of this server: is it the right file? If the server's own is fine, give its SHA-256 with --pin".into()
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
        let fields = match denial {
            Denial::Refused { kind } => return self.refused(*kind),
            Denial::Unanswered { kind } => {
                let name = match kind {
                    NeedKind::Credentials => "SANSESSION_USER and SANSESSION_PASSWORD",
                    NeedKind::AccessCode => "SANSESSION_CODE",
                    NeedKind::Totp => "SANSESSION_TOTP_SECRET",
                    NeedKind::Pin => "SANSESSION_PIN",
                    NeedKind::Redirect => {
                        return Some("open the address that is shown, and consent; --redirect http://127.0.0.1:PORT/PATH listens for the answer".into());
                    }
                    NeedKind::GatewayToken if self.provider == Provider::OAuth2 => {
                        "SANSESSION_REFRESH_TOKEN to one that is valid now"
                    }
                    NeedKind::GatewayToken => "SANSESSION_ACCESS_TOKEN to a token that is valid now",
                    other => return Some(format!("nobody answered the {}", other.code())),
                };
                let typed = if std::io::stdin().is_terminal() { "" } else { ", or run it at a terminal" };
                return Some(format!("set {name}{typed}"));
            }
            Denial::Rejected(_) if matches!(self.status, Some(404 | 405)) => return Some(self.stranger(404)),
            Denial::Rejected(_) => self.rejected_fields(),
            Denial::KeyNotLive { .. } if self.provider == Provider::IbkrOauth2 => "SANSESSION_CLIENT_ID and --key-id",
            Denial::KeyNotLive { .. } => {
                "SANSESSION_CONSUMER_KEY (one that was made today works after the next midnight of --region)"
            }
            Denial::TokenRegenerated => "SANSESSION_ACCESS_TOKEN and SANSESSION_ACCESS_TOKEN_SECRET",
            Denial::SignatureRefused if self.provider == Provider::IbkrOauth2 => {
                "--signature-key, --key-id and SANSESSION_CLIENT_ID"
            }
            Denial::SignatureRefused => "--signature-key, SANSESSION_CONSUMER_KEY and --realm",
            Denial::ServerUnproven => "--dh-param, --encryption-key and SANSESSION_ACCESS_TOKEN_SECRET",
            Denial::ClockWrong { .. } => return Some("set this machine's clock (NTP)".into()),
            Denial::WrongAccount => return Some(self.another_account().into()),
            Denial::Locked => return Some("the account's owner has to unlock it at the provider".into()),
            Denial::IpNotAllowed => {
                let egress = if self.provider == Provider::IbkrOauth2 { ", or check --egress-ip" } else { "" };
                return Some(format!("have this machine's address allowed at the provider{egress}"));
            }
            Denial::NotEntitled => {
                return Some("the account's owner has to ask the provider for this interface".into());
            }
            _ => "--url",
        };
        Some(format!("check {fields}, {}", self.again()))
    }

    /// The account is not the expected one.
    const fn another_account(&self) -> &'static str {
        match self.provider {
            Provider::IbkrGateway => {
                "another account is logged in than --expect or --expect-user wants, and nothing was done with it: log in as the right user in the browser, or change the option"
            }
            _ => {
                "the account is of another kind than --expect wants, and nothing was done with it: take the keys of the right one, or change the option"
            }
        }
    }

    /// An answer was refused.
    fn refused(&self, kind: NeedKind) -> Option<String> {
        let fields = match (kind, self.provider) {
            (NeedKind::Credentials, _) => "SANSESSION_USER and SANSESSION_PASSWORD",
            (NeedKind::AccessCode, _) => "SANSESSION_CODE (the access code changes every day)",
            (NeedKind::Totp, _) => {
                "SANSESSION_TOTP_SECRET or SANSESSION_CODE, this machine's clock, SANSESSION_UCC and SANSESSION_MOBILE (a code is good once in its 30 s)"
            }
            (NeedKind::Pin, _) => "SANSESSION_PIN",
            (NeedKind::Redirect, _) => {
                return Some("the server did not take the code: consent again, and bring the address at once, since a code lives seconds to minutes".into());
            }
            (NeedKind::GatewayToken, Provider::OAuth2) => {
                return Some(format!(
                    "make a new refresh token on the server's page for SANSESSION_REFRESH_TOKEN, {}",
                    self.again()
                ));
            }
            (NeedKind::GatewayToken, Provider::KotakNeo) => {
                return Some(format!(
                    "check SANSESSION_ACCESS_TOKEN, which is the dashboard's token, without `Bearer`, {}",
                    self.again()
                ));
            }
            (NeedKind::GatewayToken, _) => {
                return Some(format!(
                    "check SANSESSION_ACCESS_TOKEN, or SANSESSION_CONSUMER_KEY and SANSESSION_CONSUMER_SECRET, and whether --url is the host that they are for ({}), {}",
                    self.example(),
                    self.again()
                ));
            }
            _ => return None,
        };
        let why = match self.provider {
            // No count locks there.
            Provider::Cbrain => {
                "the portal refuses a locked account, and an address outside the account's list, in the same way: a login in a browser tells which"
            }
            Provider::KotakNeo => "how many refusals lock an account is not published",
            _ => "accounts lock after about three refusals",
        };
        Some(format!("check {fields}, {}; {why}", self.again()))
    }

    /// Names what the server had been told when it did not take a request.
    fn rejected_fields(&self) -> &'static str {
        let to = |end: &str| self.path.ends_with(end);
        match self.provider {
            Provider::Cbrain => "SANSESSION_USER and SANSESSION_PASSWORD",
            Provider::IbkrOauth2 if to("/sso-sessions") => "SANSESSION_USER and --egress-ip",
            Provider::IbkrOauth2 => "SANSESSION_CLIENT_ID, --key-id and --signature-key",
            Provider::KotakTrade if to("/token") => "SANSESSION_CONSUMER_KEY and SANSESSION_CONSUMER_SECRET",
            Provider::KotakTrade if to("/init") => "SANSESSION_USER and SANSESSION_CONSUMER_KEY",
            Provider::KotakNeo => "SANSESSION_UCC and SANSESSION_MOBILE",
            Provider::OAuth2 => "--client-id, SANSESSION_CLIENT_SECRET, --client-auth and --scope",
            Provider::IbkrRetail => "--redirect and --scope",
            _ => "what the server says above",
        }
    }

    const fn again(&self) -> &'static str {
        if self.remembers { "then run it with --again" } else { "then run it again" }
    }

    fn example(&self) -> &'static str {
        match self.provider {
            Provider::Cbrain => "for CBRAIN such as https://portal.example.org",
            Provider::IbkrGateway => "the gateway's is https://localhost:5000/v1/api",
            Provider::IbkrOauth1a | Provider::IbkrOauth2 => "IBKR's is https://api.ibkr.com/v1/api",
            Provider::KotakTrade => "Kotak's is https://sbx.kotaksecurities.com/apim",
            Provider::KotakNeo => "Kotak's is https://mis.kotaksecurities.com",
            Provider::OAuth2 => "--issuer as in https://login.example.org",
            Provider::IbkrRetail => "IBKR's is https://api.ibkr.com/v1/api/mcp-public",
        }
    }
}
