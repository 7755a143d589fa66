//! Runtimes other than tokio, and a client of one's own.

use std::io;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use sansession::drive::asynchronous;
use sansession::{
    Failure,
    machine::{FailureKind, SendPolicy},
};
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

use runtimes::{LOGGED_OUT, alice, asked, portal, session};

/// One request on one connection, in plain http: a client as somebody writes it in an afternoon.
pub(crate) async fn send(request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, Failure> {
    let late = async {
        smol::Timer::after(policy.timeout).await;
        Err(Failure::maybe_sent(FailureKind::Timeout))
    };
    exchange(request, policy.max_body).or(late).await
}

async fn exchange(request: Request<Vec<u8>>, max_body: usize) -> Result<Response<Vec<u8>>, Failure> {
    let authority = request.uri().authority().unwrap().as_str();
    let connected = TcpStream::connect(authority).await;
    let mut stream = connected.map_err(|_| Failure::not_sent(FailureKind::Connect))?;
    let broken = |_: io::Error| Failure::maybe_sent(FailureKind::Interrupted);
    let path = request.uri().path_and_query().unwrap();
    let mut head = format!("{} {path} HTTP/1.0\r\nhost: {authority}\r\nconnection: close\r\n", request.method());
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    head += &format!("content-length: {}\r\n\r\n", request.body().len());
    stream.write_all(&[head.as_bytes(), request.body()].concat()).await.map_err(broken)?;
    let mut answer = Vec::new();
    stream.take(max_body as u64 + 16_384).read_to_end(&mut answer).await.map_err(broken)?;
    let cut = Failure::maybe_sent(FailureKind::Interrupted);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(cut)?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| cut)?;
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.get(9..12)).and_then(|code| code.parse::<StatusCode>().ok()).ok_or(cut)?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(name.parse::<HeaderName>().map_err(|_| cut)?, HeaderValue::from_str(value).map_err(|_| cut)?);
    }
    let mut response = Response::new(answer[end + 4..].to_vec());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[test]
fn smol_with_a_client_of_ones_own() {
    let server = portal();
    let (session, driver) = asynchronous::new(session(server.url(), false), send, smol::Timer::after, alice);
    smol::block_on(async {
        let driver = smol::spawn(driver);
        session.ready().await.unwrap();
        let request = Request::get("/groups").body(Vec::new()).unwrap();
        assert_eq!(session.call(request).await.unwrap().status(), 200);
        smol::Timer::after(Duration::from_millis(1_200)).await;
        assert_eq!(session.logout().await, LOGGED_OUT);
        assert_eq!(driver.await.unwrap(), LOGGED_OUT);
    });
    assert_eq!(asked(&server), ["POST /session", "GET /groups", "GET /session", "DELETE /session"]);
}

#[test]
fn no_spawn_at_all() {
    let server = portal();
    let (session, driver) = asynchronous::new(session(server.url(), false), send, smol::Timer::after, alice);
    let uses = async {
        session.ready().await.unwrap();
        session.logout().await
    };
    let (ended, driven) = smol::block_on(smol::future::zip(uses, driver));
    assert_eq!((ended, driven.unwrap()), (LOGGED_OUT, LOGGED_OUT));
}

#[test]
fn a_runtime_whose_client_stays_in_its_thread() {
    use std::cell::Cell;
    use std::rc::Rc;
    // Runtimes with one ring per core have clients that are not `Send`; what promises to stay in its thread is.
    let server = portal();
    let sent = Rc::new(Cell::new(0));
    let local = send_wrapper::SendWrapper::new(Rc::clone(&sent));
    let client = move |request: Request<Vec<u8>>, policy: SendPolicy| {
        local.set(local.get() + 1);
        let counted = Rc::clone(&local);
        send_wrapper::SendWrapper::new(async move {
            let answer = send(request, policy).await;
            counted.set(counted.get() + 100);
            answer
        })
    };
    let (session, driver) = asynchronous::new(session(server.url(), false), client, smol::Timer::after, alice);
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let driver = executor.spawn(driver);
        session.ready().await.unwrap();
        assert_eq!(session.logout().await, LOGGED_OUT);
        assert_eq!(driver.await.unwrap(), LOGGED_OUT);
    }));
    assert_eq!(sent.get(), 202);
}

#[test]
fn outside_of_tokio_there_is_an_error_and_no_panic() {
    let server = portal();
    let transport = asynchronous::Transport::new().unwrap();
    let error = asynchronous::spawn(session(server.url(), false), transport, alice).unwrap_err();
    assert!(error.to_string().contains("outside of a tokio runtime"), "{error}");
}

#[test]
fn a_client_of_tokio_in_another_runtime_is_an_error_and_sends_nothing() {
    use sansession::Phase;
    use sansession::drive::{
        Client,
        asynchronous::{Reqwest, Transport},
    };

    async fn ends(client: impl Client + Send + Sync + 'static) {
        let server = portal();
        let request = Request::get(server.url()).body(Vec::new()).unwrap();
        let policy = SendPolicy { timeout: Duration::from_secs(5), max_body: 100 };
        let error = client.send(request, policy).await.unwrap_err();
        assert_eq!(error.failure, Failure::not_sent(FailureKind::Other));
        assert!(error.to_string().contains("in a runtime of tokio only"), "{error}");
        let (session, driver) = asynchronous::new(session(server.url(), false), client, smol::Timer::after, alice);
        let uses = async {
            smol::Timer::after(Duration::from_millis(100)).await;
            assert_eq!(session.phase(), Phase::LoggingIn);
            session.logout().await
        };
        let (ended, driven) = smol::future::zip(uses, driver).await;
        assert_eq!((ended, driven.unwrap()), (LOGGED_OUT, LOGGED_OUT));
        assert!(asked(&server).is_empty());
    }
    smol::block_on(ends(Transport::new().unwrap()));
    smol::block_on(ends(Reqwest::new().unwrap()));
}
