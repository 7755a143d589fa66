//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use sansession::blocking::Pin;
use sansession::providers::ibkr::{OrElse, Region, Takeover};

use crate::Usage;

pub const HELP: &str = "\
Opens, keeps alive and ends a login session.

  cargo run --example session                      every provider's whole life, on simulators
  cargo run --example session -- PROVIDER [OPTIONS]
  cargo run --example session -- --serve PROVIDER [--port N]

PROVIDER is one of
  cbrain         CBRAIN (BrainPortal), /session
  ibkr-gateway   Interactive Brokers, Client Portal Gateway
  ibkr-oauth1a   Interactive Brokers, Web API with OAuth 1.0a
  ibkr-oauth2    Interactive Brokers, Web API with OAuth 2.0
  kotak-trade    Kotak Securities, Trade API
  kotak-neo      Kotak Securities, Neo

OPTIONS
  --url URL             the server; without it an embedded simulator with users of its own
  --for SECONDS         stay so long once active, then log out (default 0)
  --keepalive SECONDS   look so often whether the session lives (default: the provider's)
  --save FILE           write the session to FILE (mode 0600) whenever a crash must not lose something;
                        with --for the session is left open at the server in the end
  --resume FILE         go on with the session in FILE; asks for no password while that one lives
  --relogin             log in again after a proven expiry, at most 3 times a day
  --patience SECONDS    give up after so long in trouble (default 60); a logout after 30 at the latest
  --ca-file PEM         trust these roots instead of Mozilla's; ibkr-gateway: its own certificate
  --pin SHA256          trust the certificate with this fingerprint, whatever its names and dates
  --allow-plain-http    let passwords and tokens go to another machine in clear
  --again               give an answer that was refused before once more
  --compete HOW         ibkr-*: never (default, exit code 7), wait or always, where another
                        client holds the brokerage session
  --region REGION       ibkr-*: new-york (default), zug or hong-kong, whose midnight ends sessions
  --signature-key PEM   ibkr-oauth*: the private key that signs
  --encryption-key PEM  ibkr-oauth1a: the private key that the access token secret is encrypted for
  --dh-param PEM        ibkr-oauth1a: the Diffie-Hellman parameters
  --realm REALM         ibkr-oauth1a: limited_poa (default), test_realm for TESTCONS
  --key-id ID           ibkr-oauth2: the key's id at IBKR
  --egress-ip IP        ibkr-oauth2: the address that IBKR sees this machine under
  --json                one JSON object a line on stdout; words go to stderr
  --serve PROVIDER      only the simulator, until Ctrl-C; prints its URL and its users
  --port N              the simulator's port (default: any)

SECRETS come from the environment, each also as NAME_FILE with a path, or from a prompt on a terminal,
never from arguments:
  SANSESSION_USER, SANSESSION_PASSWORD, SANSESSION_CODE, SANSESSION_PIN
  SANSESSION_CONSUMER_KEY, SANSESSION_ACCESS_TOKEN, SANSESSION_ACCESS_TOKEN_SECRET (ibkr-oauth1a)
  SANSESSION_CLIENT_ID, SANSESSION_USER (ibkr-oauth2)
  SANSESSION_TOKEN      a token that somebody already has: no login, only a look
                        (kotak-trade: the session token, beside SANSESSION_ACCESS_TOKEN)

KOTAK takes these besides, in the same ways:
  SANSESSION_ACCESS_TOKEN      kotak-trade: the gateway's bearer; kotak-neo: the dashboard's token.
                               With _FILE it is read again when a newer one is needed
  SANSESSION_CONSUMER_KEY      kotak-trade: the application's key
  SANSESSION_CONSUMER_SECRET   kotak-trade: its secret, so that bearers are fetched and renewed
  SANSESSION_IP                kotak-trade: the header ip (default 127.0.0.1);
                               kotak-neo: a name for the way out that a saved session is bound to
  SANSESSION_APP_ID            kotak-trade: the header appId (default sansession)
  SANSESSION_UCC               kotak-neo: the client code
  SANSESSION_MOBILE            kotak-neo: the mobile number, with +91 or of ten digits
  SANSESSION_TOTP_SECRET       kotak-neo: the authenticator's secret (Base32), so that nobody types codes;
                               without it SANSESSION_CODE is good for one try
SANSESSION_CODE is kotak-trade's access code, SANSESSION_PIN is kotak-neo's MPIN. Nothing keeps these
sessions alive, so --keepalive does nothing for them.

JSON LINES have \"t\" (milliseconds since the Unix epoch) and \"event\": send, response, failure, phase,
retrying, need, saved, call, closed and the codes of the library's events.

Ctrl-C logs out. SIGTERM logs out, with --save it saves and leaves the session open.

EXIT CODES
  0 logged out or saved    3 denied      4 unavailable, or the logout was not confirmed
  5 protocol error         6 expired     7 another client holds the session     64 usage

EXAMPLES
  SANSESSION_USER=norm SANSESSION_PASSWORD_FILE=/run/secrets/cbrain \\
    cargo run --example session -- cbrain --url https://portal.example.org --for 3600 --save cbrain.json
  cargo run --example session -- cbrain --url https://portal.example.org --resume cbrain.json
  SANSESSION_ACCESS_TOKEN_FILE=token SANSESSION_UCC=ABC12 SANSESSION_MOBILE=+910000000000 \\
  SANSESSION_TOTP_SECRET_FILE=totp SANSESSION_PIN_FILE=mpin \\
    cargo run --example session -- kotak-neo --url https://mis.kotaksecurities.com --for 3600
";

/// The providers that the tool knows by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provider {
    Cbrain,
    IbkrGateway,
    IbkrOauth1a,
    IbkrOauth2,
    KotakTrade,
    KotakNeo,
}

impl Provider {
    pub const ALL: [Self; 6] =
        [Self::Cbrain, Self::IbkrGateway, Self::IbkrOauth1a, Self::IbkrOauth2, Self::KotakTrade, Self::KotakNeo];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cbrain => "cbrain",
            Self::IbkrGateway => "ibkr-gateway",
            Self::IbkrOauth1a => "ibkr-oauth1a",
            Self::IbkrOauth2 => "ibkr-oauth2",
            Self::KotakTrade => "kotak-trade",
            Self::KotakNeo => "kotak-neo",
        }
    }

    fn parse(name: &str) -> Result<Self, Usage> {
        let known = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| Usage(format!("there is no provider {name:?}; there are {known}")))
    }
}

pub enum Command {
    Help,
    Tour,
    Serve { provider: Provider, port: u16 },
    Run(Box<Args>),
}

#[derive(Debug)]
pub struct Args {
    pub provider: Provider,
    pub url: Option<String>,
    pub stay: Duration,
    pub stays: bool,
    pub keepalive: Option<Duration>,
    pub save: Option<PathBuf>,
    pub resume: Option<PathBuf>,
    pub relogin: bool,
    pub patience: Duration,
    pub ca_file: Option<PathBuf>,
    pub pin: Option<Pin>,
    pub takeover: Takeover,
    pub region: Region,
    pub oauth: OAuth,
    pub allow_plain_http: bool,
    pub again: bool,
    pub json: bool,
}

/// What OAuth needs beside secrets.
#[derive(Debug, Default)]
pub struct OAuth {
    pub signature_key: Option<PathBuf>,
    pub encryption_key: Option<PathBuf>,
    pub dh_param: Option<PathBuf>,
    pub realm: Option<String>,
    pub key_id: Option<String>,
    pub egress_ip: Option<IpAddr>,
}

impl Args {
    /// Reads the command line.
    pub fn parse() -> Result<Command, Usage> {
        Self::parse_from(lexopt::Parser::from_env())
    }

    pub fn new(provider: Provider) -> Self {
        Self {
            provider,
            url: None,
            stay: Duration::ZERO,
            stays: false,
            keepalive: None,
            save: None,
            resume: None,
            relogin: false,
            patience: Duration::from_secs(60),
            ca_file: None,
            pin: None,
            takeover: Takeover::Never { then: OrElse::Close },
            region: Region::default(),
            oauth: OAuth::default(),
            allow_plain_http: false,
            again: false,
            json: false,
        }
    }

    fn parse_from(mut parser: lexopt::Parser) -> Result<Command, Usage> {
        let mut args = Self::new(Provider::Cbrain);
        let (mut provider, mut serve, mut port, mut options) = (None, None, None, Vec::new());
        while let Some(arg) = parser.next()? {
            if let Long(name) = arg {
                options.push(format!("--{name}"));
            }
            match arg {
                Short('h') | Long("help") => return Ok(Command::Help),
                Long("serve") => serve = Some(Provider::parse(&parser.value()?.string()?)?),
                Long("port") => {
                    let text = parser.value()?.string()?;
                    port = Some(text.parse().map_err(|_| Usage(format!("--port: {text:?} is no port")))?);
                }
                Long("url") => args.url = Some(parser.value()?.string()?),
                Long("for") => {
                    args.stay = seconds("--for", &parser.value()?.string()?)?;
                    args.stays = true;
                }
                Long("keepalive") => {
                    let every = seconds("--keepalive", &parser.value()?.string()?)?;
                    if every < Duration::from_secs(1) {
                        return Err(Usage("--keepalive: at least 1 second".into()));
                    }
                    args.keepalive = Some(every);
                }
                Long("save") => args.save = Some(parser.value()?.into()),
                Long("resume") => args.resume = Some(parser.value()?.into()),
                Long("relogin") => args.relogin = true,
                Long("patience") => {
                    args.patience = seconds("--patience", &parser.value()?.string()?)?;
                    if args.patience.is_zero() {
                        return Err(Usage("--patience: more than 0 seconds, or nothing could be tried".into()));
                    }
                }
                Long("ca-file") => args.ca_file = Some(parser.value()?.into()),
                Long("pin") => {
                    let pin = parser.value()?.string()?;
                    args.pin = Some(pin.parse().map_err(|error| Usage(format!("--pin {pin:?}: {error}")))?);
                }
                Long("compete") => {
                    args.takeover = match parser.value()?.string()?.as_str() {
                        "never" => Takeover::Never { then: OrElse::Close },
                        "wait" => Takeover::Never { then: OrElse::Wait },
                        "always" => Takeover::ALWAYS,
                        other => return Err(Usage(format!("--compete {other:?}: never, wait or always"))),
                    };
                }
                Long("region") => {
                    let region = parser.value()?.string()?;
                    args.region = region.parse().map_err(|error| Usage(format!("--region {region:?}: {error}")))?;
                }
                Long("signature-key") => args.oauth.signature_key = Some(parser.value()?.into()),
                Long("encryption-key") => args.oauth.encryption_key = Some(parser.value()?.into()),
                Long("dh-param") => args.oauth.dh_param = Some(parser.value()?.into()),
                Long("realm") => args.oauth.realm = Some(parser.value()?.string()?),
                Long("key-id") => args.oauth.key_id = Some(parser.value()?.string()?),
                Long("egress-ip") => {
                    let text = parser.value()?.string()?;
                    let ip = text.parse().map_err(|_| Usage(format!("--egress-ip: {text:?} is no IP address")))?;
                    args.oauth.egress_ip = Some(ip);
                }
                Long("allow-plain-http") => args.allow_plain_http = true,
                Long("again") => args.again = true,
                Long("json") => args.json = true,
                Value(name) if provider.is_none() => provider = Some(Provider::parse(&name.string()?)?),
                other => return Err(other.unexpected().into()),
            }
        }
        let misplaced = options.iter().find(|option| !["--serve", "--port"].contains(&option.as_str()));
        match (provider, serve) {
            (Some(_), Some(_)) => Err(Usage("--serve runs the simulator alone: leave the other provider out".into())),
            (None, Some(provider)) => match misplaced {
                Some(option) => Err(Usage(format!("{option} does not go with --serve, which runs a simulator alone"))),
                None => Ok(Command::Serve { provider, port: port.unwrap_or(0) }),
            },
            (None, None) if options.is_empty() => Ok(Command::Tour),
            (None, None) => Err(Usage("which provider?".into())),
            (Some(_), None) if port.is_some() => Err(Usage("--port goes with --serve".into())),
            (Some(provider), None) => {
                args.provider = provider;
                args.check()?;
                Ok(Command::Run(Box::new(args)))
            }
        }
    }

    fn check(&self) -> Result<(), Usage> {
        if self.url.is_none() && (self.save.is_some() || self.resume.is_some()) {
            return Err(Usage("--save and --resume need --url: the embedded server dies with this process".into()));
        }
        Ok(())
    }
}

fn seconds(option: &str, text: &str) -> Result<Duration, Usage> {
    text.parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| time.as_secs() <= 100 * 365 * 86_400)
        .ok_or_else(|| Usage(format!("{option}: {text:?} is no number of seconds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Command, Usage> {
        Args::parse_from(lexopt::Parser::from_args(args))
    }

    #[test]
    fn a_typo_in_each_field_explains_itself() {
        for (args, word) in [
            (&["cbrian"][..], "cbrian"),
            (&["cbrain", "--fro", "3"], "--fro"),
            (&["cbrain", "--for", "3s"], "3s"),
            (&["cbrain", "--for"], "--for"),
            (&["cbrain", "--for", "-1"], "-1"),
            (&["cbrain", "--keepalive", "0"], "--keepalive"),
            (&["cbrain", "--patience", "nan"], "nan"),
            (&["cbrain", "--patience", "0"], "--patience"),
            (&["cbrain", "--save", "x"], "--url"),
            (&["cbrain", "--resume", "x"], "--url"),
            (&["cbrain", "kotak-neo"], "kotak-neo"),
            (&["cbrain", "--port", "3"], "--serve"),
            (&["--serve", "x"], "x"),
            (&["--serve", "cbrain", "--port", "70000"], "70000"),
            (&["--serve", "cbrain", "--json"], "--json"),
            (&["--json"], "provider"),
            (&["ibkr-gateway", "--compete", "sometimes"], "wait"),
            (&["ibkr-gateway", "--region", "london"], "london"),
            (&["ibkr-gateway", "--pin", "abc"], "abc"),
            (&["ibkr-oauth2", "--egress-ip", "1.2.3"], "1.2.3"),
        ] {
            let Err(Usage(error)) = parse(args) else { panic!("{args:?}") };
            assert!(error.contains(word), "{args:?}: {error}");
        }
    }

    #[test]
    fn no_arguments_are_the_tour() {
        assert!(matches!(parse(&[]), Ok(Command::Tour)));
        assert!(matches!(parse(&["--help"]), Ok(Command::Help)));
        assert!(matches!(parse(&["cbrain"]), Ok(Command::Run(_))));
    }
}
