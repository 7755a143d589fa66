//! OAuth 2: a consent, a refresh token that serves once, and a renewal whose answer is lost.
#![expect(clippy::disallowed_methods, reason = "a program waits; a machine does not")]

use std::time::Duration;

use sansession::drive::{Answer, Handle, blocking::Transport, now, seed};
use sansession::http::Method;
use sansession::providers::oauth2::{ClientOf, Grant, OAuth2, Server as At};
use sansession::sim::oauth2::{Browsed, Client, Outcome};
use sansession::sim::{Mishap, OAuth2Sim, Server};
use sansession::{BaseUrl, Input, Need, Options, Session, Source};

use crate::tour::{Result, live};

const REDIRECT: &str = "http://127.0.0.1:8400/callback";

/// A session whose access tokens live two seconds: it renews after one, and once a minute after that.
pub fn oauth2() -> Result<()> {
    let server = Server::start(OAuth2Sim::new("http://127.0.0.1", 1), now)?;
    server.with(|sim| {
        sim.set_issuer(server.url());
        sim.settings.access_life = Duration::from_secs(2);
        sim.add_client(Client::public("app").redirect(REDIRECT));
    });
    let grant = Grant::Code { redirect: REDIRECT.into() };
    let calls = BaseUrl::parse(&format!("{}/api", server.url()))?;
    let provider =
        OAuth2::new(At::issuer(server.url())?, grant, ClientOf::public("app")).scopes("read", "").calls(calls);
    let mut options = Options::default();
    options.forgetful = true; // A program that keeps its session writes it to a file: the refresh token serves once.
    let handle = Handle::new(Session::new(provider, options, seed()?)).erased();
    let person = |need: &Need| match server.with(|sim| sim.browse(now(), need.url.as_deref().unwrap_or_default())) {
        Browsed::Redirect(address) => Answer::Now(Input::Redirect(address.into()), Source::Person),
        Browsed::Page(_) => Answer::GiveUp,
    };
    let until = |deed, count| {
        while server.with(|sim| sim.count(deed)) < count {
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    live("oauth2", &handle, &Transport::new()?, person, |program| {
        until(Outcome::Refreshed, 1);
        program.call("/things")?;
        // The access token ends early, and the answer to its renewal is lost: the refresh token is spent, so it is not sent
        // again, and the person is asked.
        server.with(|sim| {
            sim.drop_access_tokens();
            sim.disturb_calls(Method::POST, "/token", 1, &Mishap::Dropped);
        });
        let _ = program.call("/things");
        until(Outcome::Redeemed, 2);
        program.call("/things")
    })?;
    if server.with(|sim| sim.count(Outcome::Reused)) == 0 { Ok(()) } else { Err("a token was used twice".into()) }
}
