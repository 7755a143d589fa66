//! The verbs of the command line, and what they come to: a session's options, or a look at files.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::cli::args::{Args, Command, Provider};
use crate::cli::places::Place;
use crate::cli::profile::Profiles;
use crate::cli::served::Served;
use crate::cli::task::{Call, Task, TokenFormat};
use crate::cli::{Usage, options, parse, variables};

#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Logs in and keeps the session for the other verbs
    Login(Login),
    /// Reports where sessions stand; without --check nothing is sent
    Status(Status),
    /// Prints a session's token, after a look whether it lives
    Token(Token),
    /// Makes one call in a session and prints the body of the answer
    Call(CallArgs),
    /// Ends a session at the provider
    Logout(Login),
    /// Keeps a session alive in the foreground, for a terminal or systemd
    Run(Whole),
    /// Keeps a session alive and authorizes what other programs send
    Proxy(Whole),
    /// Runs a simulator of a provider until Ctrl-C; prints its URL and its users
    Serve(Simulator),
    /// Finds what is wrong: clock, host, certificate, ports, proxies, rights of files
    Doctor(Doctor),
    /// Writes the completions of a shell to standard output
    #[command(hide = true)]
    Completions { shell: Shell },
    /// Writes the manual page to standard output, or that of a verb
    #[command(hide = true)]
    Man { verb: Option<String> },
}

#[derive(clap::Args, Debug)]
pub struct Login {
    /// The profile, a table of ~/.config/sansession/profiles.toml
    name: String,
    /// Print one JSON object a line on stdout; words go to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    few: Few,
}

#[derive(clap::Args, Debug)]
pub struct Status {
    /// The profile (default: all of them)
    pub name: Option<String>,
    /// Ask the server whether the session lives; nobody is logged in for that
    #[arg(long)]
    pub check: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Show each request: method, path, status and time
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(clap::Args, Debug)]
pub struct Doctor {
    /// The profile (default: all of them, and port 5000)
    pub name: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args, Debug)]
pub struct Token {
    /// The profile, a table of ~/.config/sansession/profiles.toml
    name: String,
    /// Print each header that a call needs, as curl's `-H @-` takes them
    #[arg(long, conflicts_with = "json")]
    header: bool,
    /// Print a JSON object with base_url, headers and token
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    few: Few,
}

#[derive(clap::Args, Debug)]
pub struct CallArgs {
    /// The profile, a table of ~/.config/sansession/profiles.toml
    name: String,
    /// Such as GET
    method: String,
    /// The path below the session's base URL, with its query
    path: String,
    /// The body; @FILE reads a file, - standard input
    #[arg(short, long, value_name = "BODY", allow_hyphen_values = true)]
    data: Option<String>,
    /// A header; as often as you want. A body of JSON is called so without one
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Print status and headers of the answer before its body
    #[arg(short, long, conflicts_with = "json")]
    include: bool,
    /// Print a JSON object with status, headers and body
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    few: Few,
}

/// What every verb takes that may send something; the profile has the rest.
#[derive(clap::Args, Debug)]
pub struct Few {
    /// Show each request: method, path, status and time, never a query or a secret
    #[arg(short, long)]
    verbose: bool,
    /// Open the browser where a login wants one; its address is printed as well
    #[arg(long)]
    open: bool,
    /// Give each answer once more that was refused before, or may have been
    #[arg(long)]
    again: bool,
}

#[derive(clap::Args, Debug)]
pub struct Whole {
    /// The profile, a table of ~/.config/sansession/profiles.toml; options come before what it says
    name: String,
    #[command(flatten)]
    args: Args,
}

#[derive(clap::Args, Debug)]
pub struct Simulator {
    /// Whose simulator
    #[arg(value_enum)]
    pub provider: Provider,
    #[command(flatten)]
    pub how: How,
}

/// The options of a simulator that is served alone.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = options::OF_SIMULATORS)]
pub struct Serve {
    /// Run only the simulator, until Ctrl-C; prints its URL and its users
    #[arg(long, value_name = "PROVIDER", value_enum)]
    pub serve: Option<Provider>,
    #[command(flatten)]
    pub how: How,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = options::OF_SIMULATORS)]
pub struct How {
    /// The simulator's port (default: any)
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// --serve ibkr-*: which rate limits open the penalty box: reported (default), documented (all of the
    /// documentation's table) or off; --serve kotak-neo: documented (default) or off
    #[arg(long, value_name = "HOW")]
    pub limits: Option<String>,
    /// --serve ibkr-*: answer the JSON in FILE under PATH below /v1/api; as often as you want
    #[arg(long, value_name = "PATH=FILE", value_hint = ValueHint::Other)]
    pub body: Vec<String>,
}

impl How {
    /// Serves a simulator.
    ///
    /// # Errors
    /// What that one does not have.
    pub fn serve(&self, provider: Provider) -> Result<Command, Usage> {
        let mut served = Served::default();
        if let Some(how) = &self.limits {
            served.limits(how)?;
        }
        for body in &self.body {
            served.body(body)?;
        }
        served.check(provider)?;
        Ok(Command::Serve { provider, port: self.port.unwrap_or(0), served })
    }
}

/// Resolves a verb; `matches` are those of the whole line.
pub fn resolve(verb: Verb, matches: &ArgMatches) -> Result<Command, Usage> {
    let mut definition = parse::definition();
    definition.build();
    let given = matches.subcommand().and_then(|(name, matches)| {
        Some((
            definition.find_subcommand(name)?.get_name(),
            options::written(definition.find_subcommand(name)?, matches),
        ))
    });
    let (called, mut words) = given.unwrap_or_default();
    let (name, task) = match verb {
        Verb::Login(login) => (login.name, Task::Login),
        Verb::Logout(login) => (login.name, Task::Logout),
        Verb::Token(token) => (
            token.name,
            Task::Token(if token.json {
                TokenFormat::Json
            } else if token.header {
                TokenFormat::Headers
            } else {
                TokenFormat::Token
            }),
        ),
        Verb::Call(call) => {
            let read = Call::new(&call.method, &call.path, call.data.as_deref(), &call.header)?;
            (call.name, Task::Call(Box::new(read.printed(call.include, call.json))))
        }
        Verb::Run(whole) | Verb::Proxy(whole) => (whole.name, Task::Stay),
        Verb::Doctor(doctor) => return Ok(Command::Doctor(doctor)),
        Verb::Status(status) => return Ok(Command::Status(status)),
        Verb::Serve(Simulator { provider, how }) => return how.serve(provider),
        Verb::Completions { shell } => return Ok(Command::Complete(shell)),
        Verb::Man { verb } => return Ok(Command::Man(verb)),
    };
    // Their JSON is what they print, and no lines of events.
    if matches!(task, Task::Token(_) | Task::Call(_)) {
        words.retain(|word| word != "--json");
    }
    of_profile(&Profiles::trusted()?, &name, called, task, words)
}

/// Makes the options of a profile's session; `more` come after those of the profile, and so before them.
pub fn of_profile(
    profiles: &Profiles,
    name: &str,
    verb: &str,
    task: Task,
    more: Vec<OsString>,
) -> Result<Command, Usage> {
    let profile = profiles.find(name)?;
    let place = Place::of(name, verb)?;
    let own = ["--save", "--resume"].map(OsString::from);
    if let Some(option) = more.iter().find(|word| own.contains(word)) {
        return Err(Usage(format!("{}: the session of a profile has a file of its own", option.display())));
    }
    let listens = |words: &[OsString]| words.iter().any(|word| word.to_string_lossy().starts_with("--listen"));
    let lends = verb == "proxy" || (task == Task::Stay && (listens(&profile.words) || listens(&more)));
    let mut line: Vec<OsString> = vec!["sansession".into()];
    // Options of the proxy are right in every profile, and another one's place of it comes later and counts.
    line.push("--listen=127.0.0.1:0".into());
    line.extend(profile.words);
    line.extend(more);
    let Command::Run(mut args) = Args::parse(line).map_err(|Usage(words)| Usage(format!("{}: {words}", profile.at)))?
    else {
        return Err(Usage(format!("{}: no session comes of this", profile.at)));
    };
    if !lends {
        (args.listen, args.secret_file, args.allow_logout) = (None, None, false);
    }
    if args.server().is_none() {
        return Err(Usage(format!(
            "{}: [{name}] has no `url`: an embedded simulator dies with this process",
            profile.at
        )));
    }
    args.keep_at(place, task);
    variables::set(profile.variables);
    Ok(Command::Run(args))
}

impl Args {
    /// Has the session be that of a profile.
    fn keep_at(&mut self, place: Place, task: Task) {
        let file: PathBuf = place.session.clone();
        // A logout, too, may need a token that serves once.
        (self.resume, self.save) = (Some(file.clone()), Some(file));
        match task {
            // A command has an end of its own.
            Task::Stay if self.exec.is_empty() => {
                self.stay.get_or_insert(std::time::Duration::MAX);
            }
            Task::Stay => {}
            _ => self.stay = Some(std::time::Duration::ZERO),
        }
        // To look at a session or to end it is no reason to open another one.
        self.relogin &= !matches!(task, Task::Check | Task::Logout);
        self.place = Some(place);
        self.task = task;
    }
}
