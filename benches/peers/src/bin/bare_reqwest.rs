//! The same requests in a bare loop on reqwest, the answers' fields read by serde.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_LENGTH};
use reqwest::{Client, RequestBuilder};
use rustls::{ClientConfig, RootCertStore};
use sansession_peers::{AGENT, JSON, Task, Tickle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let task = Task::from_arguments();
    // reqwest wants TLS to be set up, over plain http too.
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = Client::builder()
        .no_proxy()
        .user_agent(AGENT)
        .timeout(Duration::from_secs(10))
        .tls_backend_preconfigured(tls)
        .build()?;
    let [status, validate, tickle] =
        ["iserver/auth/status", "sso/validate", "tickle"].map(|path| format!("{}/{path}", task.url));
    let send = async |request: RequestBuilder| request.header(ACCEPT, JSON).send().await?.bytes().await;
    let post = async |url: &str| send(client.post(url).header(CONTENT_LENGTH, "0")).await;
    for _ in 0..task.sessions {
        post(&status).await?;
        for sent in 0..task.tickles {
            if !Tickle::is_alive(&post(&tickle).await?)? {
                return Err("the session is dead".into());
            }
            if sent == 0 {
                send(client.get(&validate)).await?;
            }
        }
    }
    Ok(())
}
