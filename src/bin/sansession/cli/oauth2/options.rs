//! The options of OAuth 2: where the server is, who asks, and for what.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ValueEnum, ValueHint};
use sansession::BaseUrl;
use sansession::providers::oauth2::wire::Endpoint;
use sansession::providers::oauth2::{Rotation, Server};

use crate::cli::{Usage, values};

/// How tokens are come by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum GrantKind {
    /// A person consents in a browser
    Code,
    /// A person consents on another device
    Device,
    /// The client has tokens of its own
    ClientCredentials,
    /// Somebody gives a refresh token
    Given,
}

/// How the client proves who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    None,
    Basic,
    Post,
}

#[derive(clap::Args, Clone, Debug, Default)]
pub struct OAuth2 {
    /// The authorization server, whose metadata tell its endpoints
    #[arg(long, help_heading = "For oauth2", value_name = "URL", value_hint = ValueHint::Url)]
    pub issuer: Option<String>,
    /// The token endpoint, of a server without metadata
    #[arg(long, help_heading = "For oauth2", value_name = "URL", value_hint = ValueHint::Url, conflicts_with = "issuer")]
    pub token_url: Option<String>,
    /// Where a person consents, beside --token-url
    #[arg(long, help_heading = "For oauth2", value_name = "URL", value_hint = ValueHint::Url, requires = "token_url")]
    authorize_url: Option<String>,
    /// Where a device grant begins, beside --token-url
    #[arg(long, help_heading = "For oauth2", value_name = "URL", value_hint = ValueHint::Url, requires = "token_url")]
    device_url: Option<String>,
    /// Where tokens are revoked, beside --token-url
    #[arg(long, help_heading = "For oauth2", value_name = "URL", value_hint = ValueHint::Url, requires = "token_url")]
    revoke_url: Option<String>,
    /// Where clients register themselves, beside --token-url
    #[arg(long, help_heading = "For oauth2", value_name = "URL", value_hint = ValueHint::Url, requires = "token_url")]
    register_url: Option<String>,
    /// How tokens are come by: code (default), device, client-credentials or given
    ///
    /// `code`: a person consents in a browser. `device`: on another device. `given`: SANSESSION_REFRESH_TOKEN, or asked for.
    #[arg(long, help_heading = "For oauth2", value_name = "HOW", value_enum, hide_possible_values = true)]
    pub grant: Option<GrantKind>,
    /// The client's id; without one, and without SANSESSION_CLIENT_ID, it registers itself
    #[arg(long, help_heading = "For oauth2", value_name = "ID")]
    pub client_id: Option<String>,
    /// A parameter of the address where a person consents, such as prompt=consent; as often as you want
    #[arg(long, help_heading = "For oauth2", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameter: Vec<(String, String)>,
    /// How the client shows its secret: none, basic (default with a secret) or post
    #[arg(long, help_heading = "For oauth2", value_name = "HOW", value_parser = proof())]
    pub client_auth: Option<Proof>,
    /// Whether a refresh token serves once: unknown (default), fixed (it does not), or a time of grace as in 30s
    #[arg(long, help_heading = "For oauth2", value_name = "HOW", value_parser = rotation)]
    rotation: Option<Rotation>,
    /// How long a consent lasts, where the server does not say: the next one is asked for before
    #[arg(long, help_heading = "For oauth2", value_name = "TIME", value_parser = values::patience)]
    pub refresh_lasts: Option<Duration>,
    /// How long an access token lasts, where the server does not say
    #[arg(long, help_heading = "For oauth2", value_name = "TIME", value_parser = values::patience)]
    pub access_lasts: Option<Duration>,
    /// What the tokens are for (RFC 8707)
    #[arg(long, help_heading = "For oauth2", value_name = "URL", value_hint = ValueHint::Url)]
    pub resource: Option<String>,
    /// A cheap GET below --url that needs a token, to look with against a doubt
    #[arg(long, help_heading = "For oauth2", value_name = "PATH")]
    pub probe: Option<String>,
    /// Where the browser is sent back to, to the letter as it is registered
    ///
    /// At http://127.0.0.1:PORT/PATH the tool listens (port 0: a free one); elsewhere, or with --paste, the address is
    /// typed at the prompt.
    #[arg(long, help_heading = "For oauth2, ibkr-retail", value_name = "URI")]
    pub redirect: Option<String>,
    /// Type the address that the browser was sent back to; for a browser on another machine
    #[arg(long, help_heading = "For oauth2, ibkr-retail")]
    pub paste: bool,
    /// The scopes that are asked for and must be granted, with spaces between (ibkr-retail: mcp.read)
    #[arg(long, help_heading = "For oauth2, ibkr-retail", value_name = "SCOPES")]
    pub scope: Option<String>,
    /// The scopes that may be granted beside them; without it any may
    #[arg(long, help_heading = "For oauth2", value_name = "SCOPES")]
    pub allow_scope: Option<String>,
    /// What people read on the page of consent of a client that registers itself (default sansession)
    #[arg(long, help_heading = "For oauth2, ibkr-retail", value_name = "NAME")]
    pub client_name: Option<String>,
}

impl OAuth2 {
    pub fn grant(&self) -> GrantKind {
        self.grant.unwrap_or(GrantKind::Code)
    }

    pub fn rotation(&self) -> Rotation {
        self.rotation.unwrap_or_default()
    }

    pub fn client_name(&self) -> &str {
        self.client_name.as_deref().unwrap_or("sansession")
    }

    /// Names the server, if one is named.
    pub fn server_url(&self) -> Option<&str> {
        self.issuer.as_deref().or(self.token_url.as_deref())
    }

    /// Reads where the server is.
    pub fn server(&self) -> Result<Option<Server>, Usage> {
        if let Some(issuer) = &self.issuer {
            return Ok(Some(Server::issuer(issuer).map_err(|error| wrong("--issuer", issuer, &error))?));
        }
        let Some(token) = &self.token_url else { return Ok(None) };
        let mut server = Server::endpoints(token).map_err(|error| wrong("--token-url", token, &error))?;
        type Set = fn(Server, Endpoint) -> Server;
        let places: [(&str, &Option<String>, Set); 4] = [
            ("--authorize-url", &self.authorize_url, Server::authorization),
            ("--device-url", &self.device_url, Server::device),
            ("--revoke-url", &self.revoke_url, Server::revocation),
            ("--register-url", &self.register_url, Server::registration),
        ];
        for (option, url, set) in places {
            if let Some(url) = url {
                server = set(server, Endpoint::parse(url).map_err(|error| wrong(option, url, &error))?);
            }
        }
        Ok(Some(server))
    }

    /// Says what is missing for the grant that is wanted.
    pub fn check(&self) -> Result<(), Usage> {
        let grant = self.grant();
        if self.token_url.is_some() {
            let missing = match grant {
                GrantKind::Code if self.authorize_url.is_none() => Some("--authorize-url"),
                GrantKind::Device if self.device_url.is_none() => Some("--device-url"),
                _ => None,
            };
            if let Some(option) = missing {
                return Err(Usage(format!("{option} is missing: --token-url alone does not tell it")));
            }
        }
        match (grant, &self.redirect) {
            (GrantKind::Code, None) if self.server_url().is_some() => {
                Err("--redirect is missing: where the browser is sent back to, such as http://127.0.0.1:8400/callback"
                    .into())
            }
            (GrantKind::Code, _) => Ok(()),
            (_, Some(_)) => Err("--redirect goes with --grant code".into()),
            (_, None) if self.paste => Err("--paste goes with --grant code".into()),
            (_, None) => Ok(()),
        }
    }
}

/// Says which URL is wrong, and why.
pub fn wrong(option: &str, url: &str, error: &sansession::UrlError) -> Usage {
    let text = error.to_string();
    // What stands before an `@` is a password, most likely.
    let shown = if url.contains('@') { String::new() } else { format!(" {url:?}") };
    Usage(format!("{option}{shown}: {}", text.strip_prefix("url: ").unwrap_or(&text)))
}

/// Returns scheme, host and port of a URL.
pub fn origin(url: &BaseUrl) -> String {
    format!("{}://{}", url.scheme(), url.authority())
}

fn proof() -> impl TypedValueParser<Value = Proof> {
    PossibleValuesParser::new(["none", "basic", "post"]).map(|how| match how.as_str() {
        "basic" => Proof::Basic,
        "post" => Proof::Post,
        _ => Proof::None,
    })
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("a name and a value, as in access_type=offline")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn rotation(text: &str) -> Result<Rotation, String> {
    match text {
        "unknown" => Ok(Rotation::Unknown),
        "fixed" => Ok(Rotation::Fixed),
        time => values::patience(time)
            .map(Rotation::Grace)
            .map_err(|_| "unknown, fixed, or a time of grace as in 30s".into()),
    }
}
