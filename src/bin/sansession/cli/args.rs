//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Parser, ValueEnum, ValueHint};
use clap_complete::Shell;
use sansession::drive::Pin;
use sansession::machine::Ends;
use sansession::providers::ibkr::{Expect, Region, Takeover};

use crate::cli::places::Place;
use crate::cli::served::Served;
use crate::cli::task::Task;
use crate::cli::values::Listen;
use crate::cli::verbs::{Serve, Verb};
use crate::cli::{help, oauth2, values, verbs};

/// The providers that the command knows by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provider {
    Cbrain,
    IbkrGateway,
    IbkrOauth1a,
    IbkrOauth2,
    KotakTrade,
    KotakNeo,
    OAuth2,
    IbkrRetail,
}

impl Provider {
    pub const ALL: [Self; 8] = [
        Self::Cbrain,
        Self::IbkrGateway,
        Self::IbkrOauth1a,
        Self::IbkrOauth2,
        Self::IbkrRetail,
        Self::KotakTrade,
        Self::KotakNeo,
        Self::OAuth2,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cbrain => "cbrain",
            Self::IbkrGateway => "ibkr-gateway",
            Self::IbkrOauth1a => "ibkr-oauth1a",
            Self::IbkrOauth2 => "ibkr-oauth2",
            Self::KotakTrade => "kotak-trade",
            Self::KotakNeo => "kotak-neo",
            Self::OAuth2 => "oauth2",
            Self::IbkrRetail => "ibkr-retail",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Cbrain => "CBRAIN (BrainPortal), /session",
            Self::IbkrGateway => "Interactive Brokers, Client Portal Gateway",
            Self::IbkrOauth1a => "Interactive Brokers, Web API with OAuth 1.0a",
            Self::IbkrOauth2 => "Interactive Brokers, Web API with OAuth 2.0",
            Self::KotakTrade => "Kotak Securities, Trade API",
            Self::KotakNeo => "Kotak Securities, Neo",
            Self::OAuth2 => "Any OAuth 2 server",
            Self::IbkrRetail => "Interactive Brokers, endpoint for private customers (OAuth 2.1)",
        }
    }

    /// Reports whether it is one of IBKR's with a brokerage session.
    pub fn has_brokerage(self) -> bool {
        matches!(self, Self::IbkrGateway | Self::IbkrOauth1a | Self::IbkrOauth2)
    }
}

impl ValueEnum for Provider {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

/// What the command line asks for.
pub enum Command {
    /// The help or the version.
    Show(String),
    Serve {
        provider: Provider,
        port: u16,
        served: Served,
    },
    Run(Box<Args>),
    Status(verbs::Status),
    Doctor(verbs::Doctor),
    Complete(Shell),
    /// The manual page, or that of a verb.
    Man(Option<String>),
    /// Show whom clients of the proxy have to trust.
    PrintCa,
}

/// Opens, keeps alive and ends a login session.
#[derive(Parser, Debug)]
#[command(name = "sansession", version, args_conflicts_with_subcommands = true, args_override_self = true)]
#[command(override_usage = help::USAGE, after_help = help::SHORT, after_long_help = help::LONG)]
pub struct Line {
    /// Whose session
    #[arg(value_enum)]
    pub provider: Option<Provider>,
    #[command(flatten)]
    pub args: Args,
    #[command(flatten)]
    pub serve: Serve,
    /// Print the authority that clients of `--listen https://…` may trust (PEM), and make it if it is not there
    #[arg(long)]
    pub print_ca: bool,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[arg(skip = Provider::Cbrain)]
    pub provider: Provider,
    /// The profile that this is for, and where its session is.
    #[arg(skip)]
    pub place: Option<Place>,
    /// What is done once the session is usable.
    #[arg(skip)]
    pub task: Task,
    /// The server; without it an embedded simulator with users of its own
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub url: Option<String>,
    /// Stay so long once active, then log out (default 0)
    ///
    /// A time is a number of seconds, or as in 2m, 1h30m or 7days.
    #[arg(long = "for", value_name = "TIME", value_parser = values::time, allow_hyphen_values = true)]
    pub stay: Option<Duration>,
    /// Look so often whether the session lives (default: the provider's)
    #[arg(long, value_name = "TIME", value_parser = values::keepalive, allow_hyphen_values = true)]
    pub keepalive: Option<Duration>,
    /// Write the session to FILE (mode 0600) whenever a crash must not lose something
    ///
    /// With --for the session is left open at the server in the end. FILE is new, empty or a saved session: nothing else
    /// is overwritten. One process at a time has it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub save: Option<PathBuf>,
    /// Go on with the session in FILE; asks for no password while that one lives
    ///
    /// Without --save only the end of the session is written to FILE.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub resume: Option<PathBuf>,
    /// Log in again after a proven expiry, at most 3 times a day
    #[arg(long)]
    pub relogin: bool,
    /// Give an opening up after so long in trouble (default 60 s)
    ///
    /// A logout after 30 s at the latest; given by name, a session that has been open, too, which otherwise never is.
    #[arg(long, value_name = "TIME", value_parser = values::patience, allow_hyphen_values = true)]
    patience: Option<Duration>,
    /// The same for a session that has been open alone; none: never
    ///
    /// With --save its FILE stays good for --resume, which looks first whether it lives.
    #[arg(long, value_name = "TIME", value_parser = values::open_patience, allow_hyphen_values = true)]
    open_patience: Option<values::Patience>,
    /// What is logged out in the end: opened (default), always or never
    ///
    /// `opened` leaves a login alone that was found living or given with SANSESSION_TOKEN.
    #[arg(long = "logout", value_name = "HOW", default_value = "opened", hide_default_value = true, value_parser = values::ends())]
    pub ends: Ends,
    /// Trust these roots instead of Mozilla's; ibkr-gateway: its own certificate
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Trust the certificate with this fingerprint, whatever its names and dates
    #[arg(long, value_name = "SHA256")]
    pub pin: Option<Pin>,
    /// Let passwords and tokens go to another machine in clear
    #[arg(long)]
    pub allow_plain_http: bool,
    /// Give each answer once more that was refused before, or may have been
    ///
    /// The files of --save and --resume know how many were. Nothing is kept of the answers themselves, so a changed
    /// password needs it, too. Not for the command line of a service.
    #[arg(long)]
    pub again: bool,
    /// How many refused answers of the environment may be sent (1 to 9, default 1)
    ///
    /// Of one kind, refused or lost and so maybe refused, over all starts with one --save FILE: Kotak and IBKR lock
    /// accounts after a few.
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub max_refused: u8,
    /// Print one JSON object a line on stdout; words go to stderr
    #[arg(long)]
    pub json: bool,
    /// Show each request: method, path, status and time, never a query or a secret
    #[arg(short, long)]
    pub verbose: bool,
    /// Open the browser where a login wants one; its address is printed as well
    #[arg(long)]
    pub open: bool,
    /// Run the command while the session is open, then log out; exits with its code
    ///
    /// 128 + signal where it was killed. Everything after --exec is the command.
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true, value_hint = ValueHint::CommandName)]
    pub exec: Vec<OsString>,
    /// Authorize what other programs send to this port (0: a free one); see PROXY
    ///
    /// With https:// before it, by https with a certificate that is made at the first start, see --print-ca.
    #[arg(long, value_name = "127.0.0.1:PORT", value_parser = values::loopback)]
    pub listen: Option<Listen>,
    /// Write the proxy's secret to FILE (mode 0600) instead of showing it
    ///
    /// FILE is removed at the end.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub secret_file: Option<PathBuf>,
    /// Let clients of the proxy end the session at the provider
    #[arg(long)]
    pub allow_logout: bool,
    /// Where another client holds the brokerage session: never (default, exit code 7), wait or always
    #[arg(long = "compete", help_heading = "For ibkr-*", value_name = "HOW", default_value = "never", hide_default_value = true, value_parser = values::takeover())]
    pub takeover: Takeover,
    /// The kind that the account must be of: paper or live
    ///
    /// A session of another one is not used, and ends with exit code 3.
    #[arg(long, help_heading = "For ibkr-*", value_name = "KIND", value_parser = values::paper())]
    expect: Option<bool>,
    /// The midnight that ends sessions: new-york (default), zug or hong-kong
    #[arg(
        long,
        help_heading = "For ibkr-*",
        value_name = "REGION",
        default_value = "new-york",
        hide_default_value = true
    )]
    pub region: Region,
    /// The user who must be logged in; a session of another one is not used
    #[arg(long, help_heading = "For ibkr-gateway", value_name = "NAME", value_parser = values::user)]
    expect_user: Option<String>,
    #[command(flatten)]
    pub oauth: OAuth,
    #[command(flatten)]
    pub oauth2: oauth2::Options,
}

/// What OAuth needs beside secrets.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct OAuth {
    /// The private key that signs
    #[arg(long, help_heading = "For ibkr-oauth*", value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub signature_key: Option<PathBuf>,
    /// The private key that the access token secret is encrypted for
    #[arg(long, help_heading = "For ibkr-oauth1a", value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub encryption_key: Option<PathBuf>,
    /// The Diffie-Hellman parameters
    #[arg(long, help_heading = "For ibkr-oauth1a", value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub dh_param: Option<PathBuf>,
    /// limited_poa (default), test_realm for TESTCONS
    #[arg(long, help_heading = "For ibkr-oauth1a", value_name = "REALM")]
    pub realm: Option<String>,
    /// The key's id at IBKR
    #[arg(long, help_heading = "For ibkr-oauth2", value_name = "ID")]
    pub key_id: Option<String>,
    /// The address that IBKR sees this machine under
    #[arg(long, help_heading = "For ibkr-oauth2", value_name = "IP")]
    pub egress_ip: Option<IpAddr>,
}

impl Args {
    /// Names the server; none where it is an embedded simulator.
    pub fn server(&self) -> Option<&str> {
        self.url.as_deref().or(self.oauth2.server_url())
    }

    /// How long an opening may be in trouble.
    pub fn patience(&self) -> Duration {
        self.patience.unwrap_or(Duration::from_secs(60))
    }

    /// How long a session that has been open may be, where somebody wants that to have an end.
    pub fn open_patience(&self) -> Option<Duration> {
        self.open_patience.map_or(self.patience, |values::Patience(patience)| patience)
    }

    /// Whose account it must be.
    pub fn expect(&self) -> Expect {
        let mut expect = Expect::default();
        (expect.paper, expect.user) = (self.expect, self.expect_user.clone());
        expect
    }
}
