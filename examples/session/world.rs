//! Where the sessions are: servers that exist, and simulators that stand in for them.

use std::io::IsTerminal;

use sansession::blocking::{Handle, Transport, Trust, now, seed};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, Options, Provider, Relogin, Session, Snapshot};

use crate::Usage;
use crate::answers::Answers;
use crate::args::{self, Args};

/// A session that is about to begin, and the way to its server.
pub struct World {
    pub handle: Handle,
    pub transport: Transport,
    pub answers: Answers,
    /// A call of the user's own that every account may make.
    pub call: &'static str,
    /// The simulator, which lives as long as this.
    _server: Option<Box<dyn std::any::Any>>,
}

/// The user of every embedded simulator.
const USER: &str = "alice";
const PASSWORD: &str = "wonderland";

/// Makes the session that the command line wants.
pub fn open(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    match args.provider {
        args::Provider::Cbrain => open_cbrain(args, saved),
        other => Err(not_there(other)),
    }
}

/// Tells whether this version has the provider.
pub const fn is_there(provider: args::Provider) -> bool {
    matches!(provider, args::Provider::Cbrain)
}

/// Runs a simulator until the process ends.
pub fn serve(provider: args::Provider, port: u16) -> Result<(), Usage> {
    let server = match provider {
        args::Provider::Cbrain => {
            Server::start_on(port, cbrain_simulator(), now).map_err(|error| Usage(format!("--port {port}: {error}")))?
        }
        other => return Err(not_there(other)),
    };
    println!("{} simulator at {}", provider.name(), server.url());
    println!("user {USER}, password {PASSWORD}");
    if std::io::stdout().is_terminal() {
        println!("Ctrl-C ends it");
    }
    loop {
        std::thread::park();
    }
}

fn not_there(provider: args::Provider) -> Usage {
    Usage(format!("this version does not have {} yet", provider.name()))
}

fn open_cbrain(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let (url, server) = match &args.url {
        Some(url) => (url.clone(), None),
        None => {
            let server = Server::start(cbrain_simulator(), now)?;
            (server.url().to_owned(), Some(server))
        }
    };
    let known = server.is_some().then_some((USER, PASSWORD));
    let mut answers = Answers::read(args.again, known)?;
    let mut provider = Cbrain::new(base(args, &url)?)?;
    if let Some(every) = args.keepalive {
        provider = provider.keepalive(every);
    }
    let token = answers.token.take();
    let handle = match (saved, token) {
        (Some(_), Some(_)) => return Err(Usage("SANSESSION_TOKEN and --resume: which one?".into())),
        (Some(saved), None) => resume(provider, saved, args)?,
        (None, Some(token)) => adopt(provider, token, args)?,
        (None, None) => {
            answers.check()?;
            Handle::new(Session::new(provider, options(args), seed()?)).erased()
        }
    };
    Ok(World {
        handle,
        transport: transport(args)?,
        answers,
        call: "/groups",
        _server: server.map(|server| Box::new(server) as _),
    })
}

fn cbrain_simulator() -> sim::Cbrain {
    let mut portal = sim::Cbrain::new(now().as_millis());
    portal.add_user(USER, PASSWORD);
    portal
}

fn adopt<P>(provider: P, token: P::Tokens, args: &Args) -> Result<Handle, Usage>
where
    P: Provider + Send + 'static,
{
    let session = Session::adopt(provider, token, options(args), seed()?);
    Ok(Handle::new(session.map_err(|rejection| Usage(format!("SANSESSION_TOKEN: {rejection}")))?).erased())
}

fn resume<P>(provider: P, saved: &Snapshot, args: &Args) -> Result<Handle, Usage>
where
    P: Provider + Send + 'static,
{
    let session = Session::resume(provider, saved, options(args), None, seed()?, now());
    let file = args.resume.as_deref().unwrap_or_else(|| "".as_ref()).display();
    Ok(Handle::new(session.map_err(|error| Usage(format!("--resume {file}: {error}")))?).erased())
}

fn options(args: &Args) -> Options {
    let mut options = Options::default();
    options.durable = args.save.is_some();
    options.patience = Some(args.patience);
    options.logout_patience = options.logout_patience.min(args.patience);
    if args.relogin {
        options.relogin = Relogin::AskAgain { per_day: 3 };
    }
    options
}

fn base(args: &Args, url: &str) -> Result<BaseUrl, Usage> {
    let base = if args.allow_plain_http { BaseUrl::parse_allowing_plain_http(url) } else { BaseUrl::parse(url) };
    base.map_err(|error| {
        let hint = if error == sansession::UrlError::PlainHttp { " (--allow-plain-http)" } else { "" };
        // What stands before an `@` is a password, most likely.
        let shown = if url.contains('@') { String::new() } else { format!(" {url:?}") };
        Usage(format!("--url{shown}: {error}{hint}"))
    })
}

fn transport(args: &Args) -> Result<Transport, Usage> {
    let trust = match &args.ca_file {
        Some(path) => {
            Trust::roots_file(path).map_err(|error| Usage(format!("--ca-file {}: {error}", path.display())))?
        }
        None => Trust::mozilla(),
    };
    Ok(Transport::builder().trust(trust).build()?)
}
