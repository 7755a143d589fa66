//! The command line.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use sansession::Ends;
use sansession::blocking::Pin;
use sansession::providers::ibkr::{Expect, OrElse, Region, Takeover};

use crate::served::Served;
use crate::{Usage, options};

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
    Serve { provider: Provider, port: u16, served: Served },
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
    /// How long an opening may be in trouble.
    pub patience: Duration,
    /// How long a session that has been open may be, where somebody wants that to have an end.
    pub open_patience: Option<Duration>,
    pub ca_file: Option<PathBuf>,
    pub pin: Option<Pin>,
    pub takeover: Takeover,
    pub ends: Ends,
    pub region: Region,
    pub expect: Expect,
    pub oauth: OAuth,
    pub allow_plain_http: bool,
    pub again: bool,
    /// How many answers of the environment may have been refused before no more is sent.
    pub max_refused: u8,
    pub json: bool,
    pub exec: Vec<OsString>,
    pub listen: Option<SocketAddr>,
    pub secret_file: Option<PathBuf>,
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
            open_patience: None,
            ca_file: None,
            pin: None,
            takeover: Takeover::Never { then: OrElse::Close },
            ends: Ends::Opened,
            region: Region::default(),
            expect: Expect::default(),
            oauth: OAuth::default(),
            allow_plain_http: false,
            again: false,
            max_refused: 1,
            json: false,
            exec: Vec::new(),
            listen: None,
            secret_file: None,
        }
    }

    fn parse_from(mut parser: lexopt::Parser) -> Result<Command, Usage> {
        let mut args = Self::new(Provider::Cbrain);
        let (mut provider, mut serve, mut port, mut options) = (None, None, None, Vec::new());
        let mut open_patience = None;
        let mut served = Served::default();
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
                Long("limits") => served.limits(&parser.value()?.string()?)?,
                Long("body") => served.body(&parser.value()?.string()?)?,
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
                    args.patience = patience("--patience", &parser.value()?.string()?)?;
                    args.open_patience = Some(args.patience);
                }
                Long("open-patience") => {
                    let text = parser.value()?.string()?;
                    open_patience = Some(match text.as_str() {
                        "none" => None,
                        text => Some(patience("--open-patience", text)?),
                    });
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
                Long("logout") => {
                    args.ends = match parser.value()?.string()?.as_str() {
                        "opened" => Ends::Opened,
                        "always" => Ends::Always,
                        "never" => Ends::Never,
                        other => return Err(Usage(format!("--logout {other:?}: opened, always or never"))),
                    };
                }
                Long("region") => {
                    let region = parser.value()?.string()?;
                    args.region = region.parse().map_err(|error| Usage(format!("--region {region:?}: {error}")))?;
                }
                Long("expect") => {
                    args.expect.paper = Some(match parser.value()?.string()?.as_str() {
                        "paper" => true,
                        "live" => false,
                        other => return Err(Usage(format!("--expect {other:?}: paper or live"))),
                    });
                }
                Long("expect-user") => {
                    let user = parser.value()?.string()?;
                    if user.is_empty() || user.contains(|c: char| c.is_whitespace() || c.is_control()) {
                        return Err(Usage(format!("--expect-user {user:?}: the name of a user, without spaces")));
                    }
                    args.expect.user = Some(user);
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
                Long("max-refused") => {
                    let text = parser.value()?.string()?;
                    let most = text.parse().ok().filter(|most| (1..=9).contains(most));
                    args.max_refused = most.ok_or_else(|| Usage(format!("--max-refused: {text:?} is not 1 to 9")))?;
                }
                Long("json") => args.json = true,
                Long("listen") => args.listen = Some(loopback(&parser.value()?.string()?)?),
                Long("secret-file") => args.secret_file = Some(parser.value()?.into()),
                Long("exec") => {
                    args.exec = parser.raw_args()?.collect();
                    if args.exec.first().is_some_and(|first| first == "--") {
                        args.exec.remove(0);
                    }
                    if args.exec.is_empty() {
                        return Err(Usage("--exec: which command? Everything after it is the command".into()));
                    }
                }
                Value(name) if provider.is_none() => provider = Some(Provider::parse(&name.string()?)?),
                Long(name) => return Err(options::unknown(name)),
                other => return Err(other.unexpected().into()),
            }
        }
        args.open_patience = open_patience.unwrap_or(args.open_patience);
        let of_serve = |option: &&String| ["--port", "--limits", "--body"].contains(&option.as_str());
        let misplaced = options.iter().find(|option| *option != "--serve" && !of_serve(option));
        let without = options.iter().find(of_serve);
        match (provider, serve) {
            (Some(_), Some(_)) => Err(Usage("--serve runs the simulator alone: leave the other provider out".into())),
            (None, Some(provider)) => match misplaced {
                Some(option) => Err(Usage(format!("{option} does not go with --serve, which runs a simulator alone"))),
                None => {
                    served.check(provider)?;
                    Ok(Command::Serve { provider, port: port.unwrap_or(0), served })
                }
            },
            (None, None) if options.is_empty() => Ok(Command::Tour),
            (None, None) => Err(Usage("which provider?".into())),
            (Some(provider), None) => {
                if let Some(option) = without {
                    return Err(Usage(format!("{option} goes with --serve")));
                }
                args.provider = provider;
                options::check(provider.name(), &options, args.url.is_some())?;
                args.check()?;
                Ok(Command::Run(Box::new(args)))
            }
        }
    }

    fn check(&self) -> Result<(), Usage> {
        if self.url.is_none() && (self.save.is_some() || self.resume.is_some()) {
            return Err(Usage("--save and --resume need --url: the embedded server dies with this process".into()));
        }
        if !self.exec.is_empty() && self.stays {
            return Err(Usage("--for and --exec: the session lasts as long as the command".into()));
        }
        if self.secret_file.is_some() && self.listen.is_none() {
            return Err(Usage("--secret-file goes with --listen".into()));
        }
        if !self.exec.is_empty() && self.listen.is_none() && self.provider == Provider::IbkrOauth1a {
            let each = "ibkr-oauth1a signs each call, so there is no token to give to a command";
            return Err(Usage(format!(
                "{each}; put `--listen 127.0.0.1:0` before --exec and let it call $SANSESSION_PROXY"
            )));
        }
        Ok(())
    }
}

/// Reads where to listen: at this machine's own address and no other.
fn loopback(text: &str) -> Result<SocketAddr, Usage> {
    let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = named
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| Usage(format!("--listen: {text:?} is no address and port; 127.0.0.1:0 takes a free port")))?;
    if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return Ok(address);
    }
    Err(Usage(format!("--listen {text}: only 127.0.0.1, since whoever reaches it could use the session")))
}

fn seconds(option: &str, text: &str) -> Result<Duration, Usage> {
    text.parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| time.as_secs() <= 100 * 365 * 86_400)
        .ok_or_else(|| Usage(format!("{option}: {text:?} is no number of seconds")))
}

fn patience(option: &str, text: &str) -> Result<Duration, Usage> {
    let patience = seconds(option, text)?;
    if patience.is_zero() {
        return Err(Usage(format!("{option}: more than 0 seconds, or nothing could be tried")));
    }
    Ok(patience)
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
            (&["cbrain", "--open-patience", "0"], "--open-patience"),
            (&["cbrain", "--open-patience", "never"], "--open-patience"),
            (&["cbrain", "--max-refused", "0"], "--max-refused"),
            (&["cbrain", "--max-refused", "10"], "--max-refused"),
            (&["cbrain", "--max-refused", "two"], "--max-refused"),
            (&["cbrain", "--save", "x"], "--url"),
            (&["cbrain", "--resume", "x"], "--url"),
            (&["cbrain", "kotak-neo"], "kotak-neo"),
            (&["cbrain", "--port", "3"], "--serve"),
            (&["--serve", "x"], "x"),
            (&["--serve", "cbrain", "--port", "70000"], "70000"),
            (&["--serve", "cbrain", "--json"], "--json"),
            (&["--serve", "cbrain", "--limits", "off"], "ibkr"),
            (&["--serve", "ibkr-gateway", "--limits", "some"], "documented"),
            (&["--serve", "kotak-neo", "--limits", "reported"], "documented"),
            (&["--serve", "kotak-trade", "--limits", "off"], "kotak-neo"),
            (&["--serve", "kotak-neo", "--body", "/a=Cargo.toml"], "ibkr"),
            (&["--serve", "ibkr-gateway", "--body", "stocks.json"], "path"),
            (&["--serve", "ibkr-gateway", "--body", "/a=/nowhere/a.json"], "/nowhere"),
            (&["ibkr-gateway", "--limits", "off"], "--serve"),
            (&["--json"], "provider"),
            (&["ibkr-gateway", "--compete", "sometimes"], "wait"),
            (&["ibkr-gateway", "--logout", "sometimes"], "opened"),
            (&["ibkr-gateway", "--region", "london"], "london"),
            (&["ibkr-gateway", "--expect", "Paper"], "live"),
            (&["ibkr-gateway", "--expect", ""], "paper or live"),
            (&["ibkr-gateway", "--expect"], "--expect"),
            (&["ibkr-gateway", "--expct", "paper"], "--expect meant"),
            (&["ibkr-gateway", "--expect-user", ""], "name"),
            (&["ibkr-gateway", "--expect-user", "two words"], "spaces"),
            (&["ibkr-gateway", "--expect-usr", "norm"], "--expect-user meant"),
            (&["ibkr-oauth2", "--expect-user", "norm"], "ibkr-gateway"),
            (&["cbrain", "--expect", "paper"], "ibkr-*"),
            (&["ibkr-gateway", "--pin", "abc"], "abc"),
            (&["ibkr-oauth2", "--egress-ip", "1.2.3"], "1.2.3"),
            (&["cbrain", "--exec"], "command"),
            (&["cbrain", "--for", "3", "--exec", "true"], "--for"),
            (&["cbrain", "--listen", "8080"], "127.0.0.1"),
            (&["cbrain", "--listen", "0.0.0.0:8080"], "127.0.0.1"),
            (&["cbrain", "--secret-file", "x"], "--listen"),
            (&["ibkr-oauth1a", "--exec", "true"], "--listen"),
        ] {
            let Err(Usage(error)) = parse(args) else { panic!("{args:?}") };
            assert!(error.contains(word), "{args:?}: {error}");
        }
    }

    #[test]
    fn everything_after_exec_is_the_command() {
        for args in
            [&["cbrain", "--exec", "curl", "--json", "-s"][..], &["cbrain", "--exec", "--", "curl", "--json", "-s"]]
        {
            let Ok(Command::Run(args)) = parse(args) else { panic!("{args:?}") };
            assert_eq!(args.exec, ["curl", "--json", "-s"]);
            assert!(!args.json);
        }
    }

    #[test]
    fn an_open_session_has_the_patience_that_was_given_by_name_and_none_else() {
        let minute = Duration::from_secs(60);
        for (args, opening, open) in [
            (&["cbrain"][..], minute, None),
            (&["cbrain", "--patience", "5"], minute / 12, Some(minute / 12)),
            (&["cbrain", "--open-patience", "60"], minute, Some(minute)),
            (&["cbrain", "--open-patience", "none", "--patience", "5"], minute / 12, None),
            (&["cbrain", "--patience", "5", "--open-patience", "60"], minute / 12, Some(minute)),
        ] {
            let Ok(Command::Run(parsed)) = parse(args) else { panic!("{args:?}") };
            assert_eq!((parsed.patience, parsed.open_patience), (opening, open), "{args:?}");
        }
    }

    #[test]
    fn no_arguments_are_the_tour() {
        assert!(matches!(parse(&[]), Ok(Command::Tour)));
        assert!(matches!(parse(&["--help"]), Ok(Command::Help)));
        assert!(matches!(parse(&["cbrain"]), Ok(Command::Run(_))));
    }
}
