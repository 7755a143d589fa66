//! Where the sessions are: servers that exist, and simulators that stand in for them.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sansession::drive::{Handle, Pin, Trust, blocking::Transport, now, seed};
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr as api;
use sansession::sim::{self, Certificate, Server};
use sansession::{BaseUrl, Options, Provider, Relogin, ResumeError, Session, Snapshot, provider::Adopts};

use crate::cli::answers::Answers;
use crate::cli::args::{self, Args};
use crate::cli::proxy::Opens;
use crate::cli::served::Served;
use crate::cli::{Usage, file, ibkr, kotak, oauth2};

/// A session that is about to begin, and the way to its server.
pub struct World {
    pub handle: Handle,
    pub transport: Transport,
    /// What both clients trust, this one and the proxy's.
    pub trust: Trust,
    pub answers: Answers,
    /// What opens the provider's WebSocket, where it has one.
    pub streams: Option<Arc<dyn Opens>>,
    /// The simulator, which lives as long as this.
    _server: Option<Box<dyn std::any::Any>>,
}

impl World {
    pub fn new<P, S>(
        handle: Handle<Session<P>>,
        trust: Trust,
        answers: Answers,
        server: Option<Server<S>>,
    ) -> Result<Self, Usage>
    where
        P: Provider + Send + 'static,
        S: 'static,
    {
        let transport = Transport::builder().trust(trust.clone()).build()?;
        Ok(Self {
            handle: handle.erased(),
            transport,
            trust,
            answers,
            streams: None,
            _server: server.map(|server| Box::new(server) as _),
        })
    }

    /// Has something live as long as this.
    pub fn beside(self, server: impl std::any::Any) -> Self {
        Self { _server: Some(Box::new(server)), ..self }
    }

    /// Names what opens the provider's WebSocket.
    pub fn with_streams(self, streams: Arc<dyn Opens>) -> Self {
        Self { streams: Some(streams), ..self }
    }
}

/// The user of every embedded simulator.
const USER: &str = "alice";
const PASSWORD: &str = "wonderland";

/// Creates the session that the command line wants.
pub fn open(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    match args.provider {
        args::Provider::Cbrain => open_cbrain(args, saved),
        args::Provider::IbkrGateway => open_gateway(args, saved),
        args::Provider::IbkrOauth1a => ibkr::open_oauth1a(args, saved),
        args::Provider::IbkrOauth2 => ibkr::open_oauth2(args, saved),
        args::Provider::KotakTrade => kotak::open_trade(args, saved),
        args::Provider::KotakNeo => kotak::open_neo(args, saved),
        args::Provider::OAuth2 => oauth2::open(args, saved),
        args::Provider::IbkrRetail => oauth2::open_retail(args, saved),
    }
}

/// Runs a simulator until the process ends.
pub fn serve(provider: args::Provider, port: u16, served: Served) -> Result<(), Usage> {
    let port_taken = |error| Usage(format!("--port {port}: {error}"));
    let _server: Box<dyn std::any::Any> = match provider {
        args::Provider::Cbrain => {
            let server = Server::start_on(port, cbrain_simulator(), now).map_err(port_taken)?;
            println!("{} simulator at {}", provider.name(), server.url());
            println!("user {USER}, password {PASSWORD}");
            Box::new(server)
        }
        args::Provider::IbkrGateway => {
            let server =
                Server::start_tls_on(port, Certificate::NoNames, gateway_simulator(), now).map_err(port_taken)?;
            server.with(|gateway| served.prepare(gateway));
            println!("{} simulator at {}/v1/api", provider.name(), server.url());
            println!("certificate --pin {}", pin_of(&server)?);
            println!("its user logs in in the browser by himself, 20 s after it is needed");
            Box::new(server)
        }
        args::Provider::IbkrOauth1a => ibkr::serve_oauth1a(port, served)?,
        args::Provider::IbkrOauth2 => ibkr::serve_oauth2(port, served)?,
        args::Provider::KotakTrade => kotak::serve_trade(port)?,
        args::Provider::KotakNeo => kotak::serve_neo(port, served)?,
        args::Provider::OAuth2 => oauth2::serve(port)?,
        args::Provider::IbkrRetail => oauth2::serve_retail(port)?,
    };
    if std::io::stdout().is_terminal() {
        println!("Ctrl-C ends it");
    }
    loop {
        std::thread::park();
    }
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
            begin(Session::new(provider, options(args), seed()?), args)?
        }
    };
    World::new(handle, trust(args)?, answers, server)
}

fn cbrain_simulator() -> sim::CbrainSim {
    let mut portal = sim::CbrainSim::new(now().as_millis());
    portal.add_user(USER, PASSWORD);
    portal
}

fn open_gateway(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let mut trust = Trust::mozilla();
    let (url, server) = match &args.url {
        Some(url) => (url.clone(), None),
        None => {
            let server = Server::start_tls(Certificate::NoNames, embedded_gateway(), now)?;
            trust = Trust::pin(pin_of(&server)?);
            (format!("{}/v1/api", server.url()), Some(server))
        }
    };
    if server.is_none() || args.pin.is_some() || args.ca_file.is_some() {
        trust = self::trust(args)?;
    }
    let mut provider = api::Gateway::new(&base(args, &url)?)?.takeover(args.takeover).region(args.region);
    provider = provider.expect(args.expect());
    if let Some(every) = args.keepalive {
        provider = provider.keepalive(every);
    }
    let handle = match saved {
        Some(saved) => resume(provider, saved, args)?,
        None => begin(Session::new(provider, options(args), seed()?), args)?,
    };
    let answers = Answers::read(args.again, None)?;
    let streams: Arc<dyn Opens> = Arc::new(handle.clone());
    Ok(World::new(handle, trust, answers, server)?.with_streams(streams))
}

fn gateway_simulator() -> sim::ibkr::GatewaySim {
    sim::ibkr::GatewaySim::new(sim::ibkr::Settings::default())
}

/// A gateway whose person logs in soon.
fn embedded_gateway() -> sim::ibkr::GatewaySim {
    let soon = sim::ibkr::Login::After { delay: Duration::from_secs(2), person: sim::ibkr::Person::default() };
    sim::ibkr::GatewaySim::new(sim::ibkr::Settings {
        login: soon,
        opens_itself: false,
        establish: Duration::from_millis(500),
        ..sim::ibkr::Settings::default()
    })
}

fn pin_of<S>(server: &Server<S>) -> Result<Pin, Usage>
where
    S: sim::Simulator + 'static,
{
    server.certificate_der().map(Pin::of).ok_or_else(|| Usage("the simulator has no certificate".into()))
}

pub fn adopt<P>(provider: P, token: P::Tokens, args: &Args) -> Result<Handle<Session<P>>, Usage>
where
    P: Adopts + Send + 'static,
{
    adopt_with(provider, token, args, options(args))
}

pub fn adopt_with<P>(provider: P, token: P::Tokens, args: &Args, options: Options) -> Result<Handle<Session<P>>, Usage>
where
    P: Adopts + Send + 'static,
{
    let session = Session::adopt(provider, token, options, seed()?);
    begin(session.map_err(|rejection| Usage(format!("SANSESSION_TOKEN: {rejection}")))?, args)
}

pub fn resume<P>(provider: P, saved: &Snapshot, args: &Args) -> Result<Handle<Session<P>>, Usage>
where
    P: Provider + Send + 'static,
{
    resume_with(provider, saved, args, options(args))
}

pub fn resume_with<P>(provider: P, saved: &Snapshot, args: &Args, options: Options) -> Result<Handle<Session<P>>, Usage>
where
    P: Provider + Send + 'static,
{
    let session = Session::resume(provider, saved, options, None, seed()?, now());
    let file = args.resume.as_deref().unwrap_or_else(|| "".as_ref()).display();
    let named = |error| match args.place {
        Some(_) => Usage(format!("{file}: {error}; mend the profile, or remove that file and log in anew")),
        None => Usage(format!("--resume {file}: {error}; without --resume a new login begins")),
    };
    begin(session.map_err(named)?, args)
}

/// Makes a session ready that knows what earlier ones of the same login have cost: the file of `--resume` may be of one
/// that has ended, and that of `--save` is about to be replaced.
pub fn begin<P>(mut session: Session<P>, args: &Args) -> Result<Handle<Session<P>>, Usage>
where
    P: Provider + Send + 'static,
{
    for (option, path) in [("--resume", &args.resume), ("--save", &args.save)] {
        let Some(path) = path.as_deref().filter(|path| path.is_file()) else { continue };
        let Ok(earlier) = file::load(path) else { continue };
        // Nobody was refused by a session that has not begun.
        let is_session = !earlier.expose_secrets().trim().is_empty();
        match session.remember(&earlier) {
            Err(error @ (ResumeError::Damaged | ResumeError::NewerFormat { .. })) if is_session && !args.again => {
                let unknown = "so nobody knows how many answers were refused; --again begins anew";
                return Err(Usage(format!("{option} {}: {error}, {unknown}", path.display())));
            }
            // Another login's refusals say nothing of this one.
            _ => {}
        }
    }
    Ok(Handle::new(session))
}

pub fn options(args: &Args) -> Options {
    let mut options = Options::default();
    options.durable = args.save.is_some();
    options.patience = Some(args.patience());
    options.ends = args.ends;
    options.max_refused = args.max_refused;
    options.open_patience = args.open_patience();
    options.logout_patience = options.logout_patience.min(args.patience());
    if args.relogin {
        options.relogin = Relogin::AskAgain { per_day: 3 };
    }
    options
}

pub fn base(args: &Args, url: &str) -> Result<BaseUrl, Usage> {
    let base = if args.allow_plain_http { BaseUrl::parse_allowing_plain_http(url) } else { BaseUrl::parse(url) };
    base.map_err(|error| {
        let hint = if error == sansession::UrlError::PlainHttp { " (--allow-plain-http)" } else { "" };
        // What stands before an `@` is a password, most likely.
        let shown = if url.contains('@') { String::new() } else { format!(" {url:?}") };
        let error = error.to_string();
        let what = match error.strip_prefix("url: ") {
            _ if url.contains(char::is_whitespace) => "there is a space in it",
            what => what.unwrap_or(&error),
        };
        Usage(format!("--url{shown}: {what}{hint}"))
    })
}

fn ca_file(path: &Path, error: &impl std::fmt::Display) -> Usage {
    Usage(format!("--ca-file {}: {error}", path.display()))
}

pub fn trust(args: &Args) -> Result<Trust, Usage> {
    Ok(match (&args.pin, &args.ca_file) {
        (Some(pin), _) => Trust::pin(*pin),
        // A gateway signs its certificate itself, so the file is the certificate and no root.
        (None, Some(path)) if args.provider == args::Provider::IbkrGateway => {
            Trust::pin_file(path).map_err(|error| ca_file(path, &error))?
        }
        (None, Some(path)) => Trust::roots_file(path).map_err(|error| ca_file(path, &error))?,
        (None, None) => Trust::mozilla(),
    })
}
