//! The same requests in a bare loop on ureq: sent, the answers read and not checked.

//!
//! With `--no-look-up` the agent knows where the server is. ureq's own resolver starts a thread for each look-up that
//! may take only so long, for addresses and open connections too.

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use sansession_peers::{AGENT, JSON, Task};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Knows of one machine, this one.
#[derive(Debug)]
struct Here;

impl Resolver for Here {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push((Ipv4Addr::LOCALHOST, uri.port_u16().ok_or(ureq::Error::HostNotFound)?).into());
        Ok(found)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let task = Task::from_arguments();
    let config = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .tls_config(TlsConfig::builder().disable_verification(true).build())
        .user_agent(AGENT)
        .accept(JSON)
        .accept_encoding("")
        .build();
    let agent = if task.no_look_up { Agent::with_parts(config, DefaultConnector::new(), Here) } else { config.into() };
    let [status, validate, tickle] =
        ["iserver/auth/status", "sso/validate", "tickle"].map(|path| format!("{}/{path}", task.url));
    let post = |url: &str| -> Result<Vec<u8>, ureq::Error> { agent.post(url).send_empty()?.body_mut().read_to_vec() };
    for _ in 0..task.sessions {
        post(&status)?;
        for sent in 0..task.tickles {
            post(&tickle)?;
            if sent == 0 {
                agent.get(&validate).call()?.body_mut().read_to_vec()?;
            }
        }
    }
    Ok(())
}
