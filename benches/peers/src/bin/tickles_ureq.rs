//! The same requests in a bare loop on ureq: sent, the answers read and not looked at.

use std::error::Error;
use std::time::Duration;

use sansession_peers::Task;
use ureq::Agent;
use ureq::tls::TlsConfig;

const AGENT: &str = concat!("sansession/", "0.1.0");

fn main() -> Result<(), Box<dyn Error>> {
    let task = Task::from_arguments();
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .tls_config(TlsConfig::builder().disable_verification(true).build())
        .user_agent(AGENT)
        .accept("")
        .accept_encoding("")
        .build()
        .into();
    let [status, validate, tickle] =
        ["iserver/auth/status", "sso/validate", "tickle"].map(|path| format!("{}/{path}", task.url));
    let post = |url: &str| -> Result<Vec<u8>, ureq::Error> {
        agent.post(url).header("content-type", "application/json").send("{}")?.body_mut().read_to_vec()
    };
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
