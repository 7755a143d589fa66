//! IBKR's Web API with OAuth: keys from files, or made at start for the simulator.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sansession::drive::{now, seed};
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{OAuth, OAuth1a, OAuth2, WebApi};
use sansession::sim::Server;
use sansession::sim::ibkr::oauth::{Issued, OAuthServer};
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::sim::ibkr::oauth2::OAuth2Server;
use sansession::sim::ibkr::{self as sim, Settings, TickleBody};
use sansession::{Secret, Session, Snapshot, Timestamp};

use crate::cli::answers::{Answers, variable};
use crate::cli::args::Args;
use crate::cli::proxy::Opens;
use crate::cli::served::Served;
use crate::cli::world::{self, World};
use crate::cli::{Usage, called, own};

const CONSUMER: &str = "ABCDEFGHI";
const CLIENT: &str = "client-1";
const KEY_ID: &str = "main";
/// The user of the simulators.
const USER: &str = "tester";

pub fn open_oauth1a(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let Some(url) = &args.url else {
        let (simulator, keys, issued) = oauth1a_simulator()?;
        let oauth = OAuth1a::new(
            Consumer::new(CONSUMER)?,
            &Grant::new(issued.access_token, issued.encrypted_secret)?,
            PrivateKey::from_pem(keys.signature.expose())?,
            &PrivateKey::from_pem(keys.encryption.expose())?,
            DhParams::from_pem(&keys.dh_params)?,
        )?;
        return embedded(args, simulator, oauth.into());
    };
    let consumer = needed("SANSESSION_CONSUMER_KEY")?;
    let consumer = match &args.oauth.realm {
        Some(realm) => Consumer::with_realm(consumer.expose(), realm)
            .map_err(|error| named("SANSESSION_CONSUMER_KEY or --realm", error))?,
        None => Consumer::new(consumer.expose()).map_err(|error| named("SANSESSION_CONSUMER_KEY", error))?,
    };
    let grant = Grant::new(needed("SANSESSION_ACCESS_TOKEN")?, needed("SANSESSION_ACCESS_TOKEN_SECRET")?)
        .map_err(|error| named("SANSESSION_ACCESS_TOKEN and SANSESSION_ACCESS_TOKEN_SECRET", error))?;
    let encryption = key("--encryption-key", args.oauth.encryption_key.as_deref())?;
    let path = args.oauth.dh_param.as_deref();
    let params = DhParams::from_pem(text("--dh-param", path)?.expose())
        .map_err(|error| Usage(format!("{}: {error}", shown("--dh-param", path))))?;
    let signature = key("--signature-key", args.oauth.signature_key.as_deref())?;
    let oauth = OAuth1a::new(consumer, &grant, signature, &encryption, params)
        .map_err(|error| named("SANSESSION_ACCESS_TOKEN_SECRET or --encryption-key", error))?;
    session(args, url, oauth.into(), saved, None)
}

pub fn open_oauth2(args: &Args, saved: Option<&Snapshot>) -> Result<World, Usage> {
    let Some(url) = &args.url else {
        let (simulator, keys) = oauth2_simulator()?;
        let key = PrivateKey::from_pem(keys.signature.expose())?;
        let oauth = OAuth2::new(Client::new(CLIENT, KEY_ID)?, key, USER, IpAddr::V4(Ipv4Addr::LOCALHOST))?;
        return embedded(args, simulator, oauth.into());
    };
    let id = args.oauth.key_id.as_deref().ok_or_else(|| Usage("--key-id is missing".into()))?;
    let client = Client::new(needed("SANSESSION_CLIENT_ID")?.expose(), id)
        .map_err(|error| named("SANSESSION_CLIENT_ID or --key-id", error))?;
    let ip = args.oauth.egress_ip.ok_or_else(|| Usage("--egress-ip is missing".into()))?;
    let path = args.oauth.signature_key.as_deref();
    let signature = key("--signature-key", path)?;
    let oauth = OAuth2::new(client, signature, needed("SANSESSION_USER")?.expose(), ip)
        .map_err(|error| named(&shown("--signature-key", path), error))?;
    session(args, url, oauth.into(), saved, None)
}

/// Serves a simulator, with its client's keys in files.
pub fn serve_oauth1a(port: u16, served: Served) -> Result<Box<dyn Any>, Usage> {
    let (simulator, keys, issued) = oauth1a_simulator()?;
    let server = serve(port, simulator)?;
    server.with(|api| served.prepare(&mut api.gateway));
    let directory = directory("ibkr-oauth1a")?;
    let [signature, encryption] = [("signature", &keys.signature), ("encryption", &keys.encryption)];
    let [signature, encryption] = [write(&directory, signature)?, write(&directory, encryption)?];
    let dh_param = write(&directory, ("dhparam", &Secret::new(keys.dh_params)))?;
    println!("ibkr-oauth1a simulator at {}/v1/api; to call it:", server.url());
    println!("  SANSESSION_CONSUMER_KEY={CONSUMER} SANSESSION_ACCESS_TOKEN={} \\", issued.access_token);
    println!("  SANSESSION_ACCESS_TOKEN_SECRET={} \\", issued.encrypted_secret);
    println!("  {} ibkr-oauth1a --url {}/v1/api \\", called(), server.url());
    println!("    --signature-key {signature} --encryption-key {encryption} --dh-param {dh_param}");
    Ok(Box::new(server))
}

/// Serves a simulator, with its client's key in a file.
pub fn serve_oauth2(port: u16, served: Served) -> Result<Box<dyn Any>, Usage> {
    let (simulator, keys) = oauth2_simulator()?;
    let server = serve(port, simulator)?;
    server.with(|api| served.prepare(&mut api.gateway));
    let signature = write(&directory("ibkr-oauth2")?, ("signature", &keys.signature))?;
    println!("ibkr-oauth2 simulator at {}/v1/api; to call it:", server.url());
    println!("  SANSESSION_CLIENT_ID={CLIENT} SANSESSION_USER={USER} \\");
    println!("  {} ibkr-oauth2 --url {}/v1/api \\", called(), server.url());
    println!("    --signature-key {signature} --key-id {KEY_ID} --egress-ip 127.0.0.1");
    Ok(Box::new(server))
}

fn serve(port: u16, simulator: sim::WebApiSim) -> Result<Server<sim::WebApiSim>, Usage> {
    Server::start_on(port, simulator, now).map_err(|error| Usage(format!("--port {port}: {error}")))
}

fn embedded(args: &Args, simulator: sim::WebApiSim, oauth: OAuth) -> Result<World, Usage> {
    let server = serve(0, simulator)?;
    let url = format!("{}/v1/api", server.url());
    session(args, &url, oauth, None, Some(server))
}

fn session(
    args: &Args,
    url: &str,
    oauth: OAuth,
    saved: Option<&Snapshot>,
    server: Option<Server<sim::WebApiSim>>,
) -> Result<World, Usage> {
    let mut provider = WebApi::new(&world::base(args, url)?, oauth)?.takeover(args.takeover).region(args.region);
    if let Some(paper) = args.expect().paper {
        provider = provider.expect_paper(paper);
    }
    if let Some(every) = args.keepalive {
        provider = provider.keepalive(every);
    }
    let handle = match saved {
        Some(saved) => world::resume(provider, saved, args)?,
        None => world::begin(Session::new(provider, world::options(args), seed()?), args)?,
    };
    let answers = Answers::read(args.again, None)?;
    let streams: Arc<dyn Opens> = Arc::new(handle.clone());
    Ok(World::new(handle, world::trust(args)?, answers, server)?.with_streams(streams))
}

fn oauth1a_simulator() -> Result<(sim::WebApiSim, Keys, Issued), Usage> {
    let keys = keys(2_048)?;
    let mut server = OAuthServer::new(random()?);
    let upload = keys.upload();
    server.register(CONSUMER, &upload, Timestamp::from_secs(0))?;
    let issued = server.issue(CONSUMER).ok_or_else(|| Usage("the simulator gives no access token".into()))?;
    Ok((sim::WebApiSim::oauth1a(server, settings(TickleBody::OAuth)), keys, issued))
}

fn oauth2_simulator() -> Result<(sim::WebApiSim, Keys), Usage> {
    let keys = keys(3_072)?;
    let mut server = OAuth2Server::new(random()?);
    server.believes_loopback = true;
    server.register(CLIENT, KEY_ID, &keys.signature_public, &[USER])?;
    Ok((sim::WebApiSim::oauth2(server, settings(TickleBody::Full)), keys))
}

fn settings(tickle: TickleBody) -> Settings {
    Settings { establish: Duration::from_millis(500), tickle, ..sim::WebApiSim::settings() }
}

fn keys(bits: usize) -> Result<Keys, Usage> {
    Keys::generate(random()?, bits).ok_or_else(|| Usage("no keys can be made".into()))
}

fn random() -> Result<[u8; 32], Usage> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn needed(name: &str) -> Result<Secret, Usage> {
    let value = variable(name)?.ok_or_else(|| Usage(format!("{name} is not set")))?;
    if value.is_empty() { Err(Usage(format!("{name} is empty"))) } else { Ok(value) }
}

fn key(option: &str, path: Option<&Path>) -> Result<PrivateKey, Usage> {
    PrivateKey::from_pem(text(option, path)?.expose())
        .map_err(|error| Usage(format!("{}: {error}", shown(option, path))))
}

fn text(option: &str, path: Option<&Path>) -> Result<Secret, Usage> {
    let path = path.ok_or_else(|| Usage(format!("{option} is missing: it names a PEM file")))?;
    let text = std::fs::read_to_string(path);
    text.map(Secret::new).map_err(|error| Usage(format!("{option} {}: {error}", path.display())))
}

fn shown(option: &str, path: Option<&Path>) -> String {
    path.map_or_else(|| option.to_owned(), |path| format!("{option} {}", path.display()))
}

fn named(option: &str, error: impl std::fmt::Display) -> Usage {
    Usage(format!("{option}: {error}"))
}

fn directory(name: &str) -> Result<PathBuf, Usage> {
    Ok(tempfile::Builder::new().prefix(&format!("sansession-{name}-")).tempdir()?.keep())
}

/// Writes a throw-away key and gives its path.
fn write(directory: &Path, (name, pem): (&str, &Secret)) -> Result<String, Usage> {
    let path = directory.join(format!("{name}.pem"));
    std::io::Write::write_all(&mut own::create(&path)?, pem.expose().as_bytes())?;
    Ok(path.display().to_string())
}
