//! OAuth 2 of any server, and IBKR's endpoint for private customers: what they need, and simulators that stand in for them.

mod consent;
mod options;

use std::any::Any;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use sansession::drive::{blocking::RedirectListener, now, seed};
use sansession::providers::ibkr;
use sansession::providers::oauth2::{ClientOf, Given, Grant, OAuth2, Rotation, Server as Place};
use sansession::sim::oauth2::{Browsed, Client};
use sansession::sim::{OAuth2Sim, Server};
use sansession::{Input, Need, NeedKind, Secret, Session, Snapshot};

pub use self::consent::Consents;
use self::consent::Embedded;
pub use self::options::{GrantKind, OAuth2 as Options};
use self::options::{Proof, origin, wrong};
use crate::cli::answers::{Answers, variable};
use crate::cli::args::Args;
use crate::cli::world::{self, World};
use crate::cli::{Usage, called};

/// The clients of the simulators: one that a person consents for, and a machine.
const APP: &str = "app";
const DAEMON: &str = "daemon";
const DAEMON_SECRET: &str = "simulated-secret";
/// Where the browser of an embedded simulator's person ends: nobody listens there.
const NOWHERE: &str = "http://127.0.0.1/callback";
/// IBKR's access tokens live so long.
const RETAIL_LIFE: Duration = Duration::from_secs(599);
const RETAIL_SCOPE: &str = "mcp.read";

/// Creates a session of any server.
pub fn open(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let options = &args.oauth2;
    options.check()?;
    let (place, server) = match (options.server()?, &args.url) {
        (Some(place), _) => (place, None),
        (None, Some(_)) => return Err("--url is where calls go: --issuer or --token-url is missing".into()),
        (None, None) => {
            let server = Arc::new(simulator(0, |_| {})?);
            (Place::issuer(server.url())?, Some(server))
        }
    };
    let listener = listener(args)?;
    let redirect = redirect(options, listener.as_ref());
    let grant = match options.grant() {
        GrantKind::Code => Grant::Code { redirect: redirect.into() },
        GrantKind::Device => Grant::Device,
        GrantKind::ClientCredentials => Grant::ClientCredentials,
        GrantKind::Given => Grant::Given,
    };
    let mut provider = OAuth2::new(place, grant, client(args, server.is_some())?)
        .scopes(options.scope.as_deref().unwrap_or_default(), options.allow_scope.as_deref().unwrap_or_default())
        .rotation(options.rotation());
    if let Some(url) = args.url.clone().or_else(|| server.as_ref().map(|server| format!("{}/api", server.url()))) {
        provider = provider.calls(world::base(args, &url)?);
    }
    for (name, value) in &options.parameter {
        provider = provider.parameter(name, value);
    }
    if let Some(resource) = &options.resource {
        provider = provider.resource(resource);
    }
    if let Some(lasts) = options.refresh_lasts {
        provider = provider.refresh_lasts(lasts);
    }
    if let Some(lasts) = options.access_lasts {
        provider = provider.access_lasts(lasts);
    }
    if let Some(path) = &options.probe {
        provider = provider.probe(path).map_err(|error| wrong("--probe", path, &error))?;
    }
    session(args, provider, saved, listener, server)
}

/// Creates a session of IBKR's endpoint for private customers.
pub fn open_retail(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let options = &args.oauth2;
    if args.url.is_some() && options.redirect.is_none() {
        return Err(
            "--redirect is missing: where the browser is sent back to, such as http://127.0.0.1:8400/callback".into()
        );
    }
    let server = if args.url.is_none() { Some(Arc::new(simulator(0, retail_like)?)) } else { None };
    let url = args.url.clone().or_else(|| server.as_ref().map(|server| format!("{}/api", server.url())));
    let url = world::base(args, &url.unwrap_or_default())?;
    let listener = listener(args)?;
    let redirect = redirect(options, listener.as_ref());
    let scope = options.scope.as_deref().unwrap_or(RETAIL_SCOPE);
    let provider = ibkr::retail::retail_at(&url, options.client_name(), redirect, scope)
        .map_err(|error| wrong("--url", &origin(&url), &error))?;
    session(args, provider, saved, listener, server)
}

fn session(
    args: &Args,
    provider: OAuth2,
    saved: Option<&Snapshot>,
    listener: Option<RedirectListener>,
    server: Option<Arc<Server<OAuth2Sim>>>,
) -> Result<World, Usage> {
    let options = &args.oauth2;
    let mut answers = Answers::read(args.again, None)?;
    let refresh = token("SANSESSION_REFRESH_TOKEN", variable("SANSESSION_REFRESH_TOKEN")?)?;
    let access = token("SANSESSION_TOKEN", answers.token.take())?;
    // Whoever is given a token that serves once keeps the next one, or it is lost.
    let keeps = args.save.is_some() || options.rotation() == Rotation::Fixed;
    let rotates = options.grant() != GrantKind::ClientCredentials;
    if !keeps && args.resume.is_some() && rotates {
        return Err("--resume needs --save here, of the same FILE or another: a refresh token may serve once, and the next one is to be kept".into());
    }
    if !keeps && (refresh.is_some() || options.grant() == GrantKind::Given) {
        return Err(
            "a refresh token may serve once: --save FILE keeps the next one, or --rotation fixed says that it stays"
                .into(),
        );
    }
    let mut more = world::options(args);
    more.forgetful = args.save.is_none();
    let browser = if listener.is_none() { server.as_ref().map(person) } else { None };
    let handle = match (saved, access, refresh) {
        (Some(_), Some(_), _) => return Err("SANSESSION_TOKEN and --resume: which one?".into()),
        // A token of the environment is older than that of the file.
        (Some(saved), None, _) => world::resume_with(provider, saved, args, more)?,
        (None, None, None) => {
            answerable(options, listener.is_some() || browser.is_some())?;
            world::begin(Session::new(provider, more, seed()?), args)?
        }
        (None, access, refresh) => {
            let given = match (access, refresh) {
                (Some(access), Some(refresh)) => Given::access(access, None).and_refresh(refresh),
                (Some(access), None) => Given::access(access, None),
                (None, refresh) => Given::refresh(refresh.unwrap_or_default()),
            };
            world::adopt_with(provider, given, args, more)?
        }
    };
    answers.oauth2 = Some(Consents { handle: handle.clone().erased(), listener, embedded: browser });
    Ok(World::new::<_, OAuth2Sim>(handle, world::trust(args)?, answers, None)?.beside(server))
}

/// Listens where the redirect leads to this machine.
fn listener(args: &Args) -> Result<Option<RedirectListener>, Usage> {
    let options = &args.oauth2;
    let Some(redirect) = options.redirect.as_ref().filter(|_| !options.paste) else { return Ok(None) };
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    if !here.iter().any(|host| redirect.strip_prefix(host).is_some_and(|rest| rest.starts_with([':', '/', '?']))) {
        return Ok(None);
    }
    RedirectListener::bind(redirect).map(Some).map_err(|error| Usage(format!("--redirect {redirect}: {error}")))
}

/// Returns the redirect URI, with the port that was taken.
fn redirect<'a>(options: &'a Options, listener: Option<&'a RedirectListener>) -> &'a str {
    listener.map(RedirectListener::redirect_uri).or(options.redirect.as_deref()).unwrap_or(NOWHERE)
}

/// Reads who asks for tokens.
fn client(args: &Args, embedded: bool) -> Result<ClientOf, Usage> {
    let options = &args.oauth2;
    let machine = options.grant() == GrantKind::ClientCredentials;
    let known = |value: &str| embedded.then(|| Secret::from(value));
    let id = match &options.client_id {
        Some(id) => Some(Secret::from(id.as_str())),
        None => variable("SANSESSION_CLIENT_ID")?,
    };
    let id = id.or_else(|| known(if machine { DAEMON } else { APP }));
    let secret = variable("SANSESSION_CLIENT_SECRET")?.or_else(|| if machine { known(DAEMON_SECRET) } else { None });
    if secret.as_ref().is_some_and(Secret::is_empty) {
        return Err("SANSESSION_CLIENT_SECRET is empty".into());
    }
    let Some(id) = id else {
        return match options.grant() {
            GrantKind::Code | GrantKind::Device if secret.is_none() => Ok(ClientOf::register(options.client_name())),
            _ => Err("--client-id is missing".into()),
        };
    };
    let client = match (options.client_auth, secret) {
        (None | Some(Proof::None), None) => ClientOf::public(id.expose()),
        (None | Some(Proof::Basic), Some(secret)) => ClientOf::basic(id.expose(), secret),
        (Some(Proof::Post), Some(secret)) => ClientOf::post(id.expose(), secret),
        (Some(Proof::None), Some(_)) => {
            return Err("--client-auth none and SANSESSION_CLIENT_SECRET: which one?".into());
        }
        (Some(Proof::Basic | Proof::Post), None) => return Err("SANSESSION_CLIENT_SECRET is not set".into()),
    };
    match client {
        ClientOf::Wrong(error) => Err(Usage(format!("--client-id: {error}"))),
        client => Ok(client),
    }
}

/// Looks for what can be no token.
fn token(name: &str, token: Option<Secret>) -> Result<Option<Secret>, Usage> {
    match token.as_ref().map(Secret::expose) {
        Some("") => Err(Usage(format!("{name} is empty"))),
        Some(text) if text.starts_with("Bearer ") => Err(Usage(format!("{name}: the token alone, without `Bearer`"))),
        Some(text) if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(Usage(format!("{name} has a character in it that no token has")))
        }
        _ => Ok(token),
    }
}

/// Checks that a consent can be answered at all, before anything is sent.
fn answerable(options: &Options, is_heard: bool) -> Result<(), Usage> {
    if is_heard || std::io::stdin().is_terminal() {
        return Ok(());
    }
    match options.grant() {
        GrantKind::Code => {
            Err("there is no terminal to paste the address at: --redirect http://127.0.0.1:PORT/PATH without --paste listens for it".into())
        }
        GrantKind::Given => Err("SANSESSION_REFRESH_TOKEN is not set and there is no terminal to ask at".into()),
        GrantKind::Device | GrantKind::ClientCredentials => Ok(()),
    }
}

/// A simulated person, who consents to whatever is asked.
fn person(server: &Arc<Server<OAuth2Sim>>) -> Embedded {
    let server = Arc::clone(server);
    Box::new(move |need: &Need| match need.kind {
        NeedKind::Redirect => match server.with(|sim| sim.browse(now(), need.url.as_deref().unwrap_or_default())) {
            Browsed::Redirect(address) => Some(Input::Redirect(address.into())),
            Browsed::Page(_) => None,
        },
        NeedKind::Browser => {
            // An address may have the code in it, so that nobody types it.
            let in_url = || Some(need.url.as_ref()?.split_once("user_code=")?.1.into());
            let code: Option<Arc<str>> =
                need.prompt.as_ref().and_then(|prompt| prompt.user_code.clone()).or_else(in_url);
            server.with(|sim| sim.approve_device(now(), code.as_deref().unwrap_or_default()));
            None
        }
        _ => None,
    })
}

/// Starts an authorization server that describes itself by its own address.
fn simulator(port: u16, like: impl FnOnce(&mut OAuth2Sim)) -> Result<Server<OAuth2Sim>, Usage> {
    let mut sim = OAuth2Sim::new("http://127.0.0.1", now().as_millis());
    sim.add_client(Client::public(APP).redirect(NOWHERE));
    sim.add_client(Client::basic(DAEMON, DAEMON_SECRET));
    like(&mut sim);
    let server = Server::start_on(port, sim, now).map_err(|error| Usage(format!("--port {port}: {error}")))?;
    let url = server.url().to_owned();
    server.with(|sim| sim.set_issuer(url));
    Ok(server)
}

/// As IBKR's is known to be.
fn retail_like(sim: &mut OAuth2Sim) {
    let settings = &mut sim.settings;
    settings.access_life = RETAIL_LIFE;
    settings.registered_scopes = "mcp.read mcp.write mcp.orders.submit".into();
    (settings.wants_user_agent, settings.wants_resource, settings.terse) = (true, true, true);
    (settings.has_device, settings.one_consent) = (false, true);
}

/// Serves a simulator and tells how it is called.
pub fn serve(port: u16) -> Result<Box<dyn Any>, Usage> {
    let server = simulator(port, |_| {})?;
    let (url, called) = (server.url().to_owned(), called());
    println!("oauth2 simulator at {url}; to call it:");
    println!(
        "  {called} oauth2 --issuer {url} --url {url}/api --client-id {APP} --redirect http://127.0.0.1:0/callback"
    );
    println!("  {called} oauth2 --issuer {url} --url {url}/api --client-id {APP} --grant device");
    println!("  SANSESSION_CLIENT_SECRET={DAEMON_SECRET} \\");
    println!("  {called} oauth2 --issuer {url} --url {url}/api --client-id {DAEMON} --grant client-credentials");
    println!(
        "whoever opens the address that is shown consents; a device's code is typed as {url}/activate?user_code=CODE"
    );
    Ok(Box::new(server))
}

/// Serves the simulator of IBKR's endpoint and tells how it is called.
pub fn serve_retail(port: u16) -> Result<Box<dyn Any>, Usage> {
    let server = simulator(port, retail_like)?;
    println!("ibkr-retail simulator at {}/api; to call it:", server.url());
    println!("  {} ibkr-retail --url {}/api --redirect http://127.0.0.1:0/callback", called(), server.url());
    println!("whoever opens the address that is shown consents");
    Ok(Box::new(server))
}
