//! The same requests in a bare loop on hyper's client, the answers' fields read by serde.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_LENGTH, USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sansession_peers::{AGENT, JSON, Task, Tickle};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let task = Task::from_arguments();
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
    let [status, validate, tickle] =
        ["iserver/auth/status", "sso/validate", "tickle"].map(|path| format!("{}/{path}", task.url));
    let send = async |request: Request<Full<Bytes>>| {
        let exchange = async { Ok::<_, Box<dyn Error>>(client.request(request).await?.collect().await?.to_bytes()) };
        timeout(LIMIT, exchange).await?
    };
    let post = async |url: &str| {
        let request = Request::post(url).header(USER_AGENT, AGENT).header(ACCEPT, JSON).header(CONTENT_LENGTH, "0");
        send(request.body(Full::default())?).await
    };
    for _ in 0..task.sessions {
        post(&status).await?;
        for sent in 0..task.tickles {
            if !Tickle::is_alive(&post(&tickle).await?)? {
                return Err("the session is dead".into());
            }
            if sent == 0 {
                let request = Request::get(&validate).header(USER_AGENT, AGENT).header(ACCEPT, JSON);
                send(request.body(Full::default())?).await?;
            }
        }
    }
    Ok(())
}
