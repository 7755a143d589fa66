//! Proxies: none but by name.

use std::process::Command;

use http::Method;

use super::{OK, Server, get, request};
use crate::drive::{TransportError, Trust, blocking::Transport};
use crate::{Failure, machine::FailureKind};

const URL: &str = "SANSESSION_TEST_URL";

#[test]
fn a_proxy_in_the_environment_sees_nothing() {
    let (server, proxy) = (Server::answering(OK), Server::answering(OK));
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "drive::blocking::tests::proxy::sends_a_password", "--ignored"]).env(URL, server.url());
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, proxy.url());
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(server.seen().ends_with("password=x"));
    assert!(proxy.saw_nothing());
}

#[test]
#[ignore = "runs as the child of the test above, which sets its environment"]
fn sends_a_password() {
    let url = std::env::var(URL).unwrap();
    assert!(Transport::new().unwrap().call(request(Method::POST, url, "password=x")).is_ok());
}

#[test]
fn a_proxy_by_name_is_asked_for_a_tunnel() {
    let proxy = Server::answering("HTTP/1.1 200 OK\r\n\r\n");
    let transport = Transport::builder().proxy(&proxy.url()).unwrap().build().unwrap();
    let _ = transport.send_with(get("http://portal.example.org/x"), super::within(300));
    assert!(proxy.seen().starts_with("CONNECT portal.example.org:80 HTTP/1.1\r\n"));
    assert!(proxy.seen().starts_with("GET /x HTTP/1.1\r\n"));
}

#[test]
fn a_request_that_the_proxy_refused_was_not_sent() {
    let refusing = Server::answering("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let dropping = Server::plain(|stream| {
        stream.flush().unwrap();
        false
    });
    for proxy in [&refusing, &dropping] {
        let transport = Transport::builder().proxy(&proxy.url()).unwrap().build().unwrap();
        let error = transport.call(get("http://portal.example.org/")).unwrap_err();
        assert_eq!(error.failure, Failure::not_sent(FailureKind::Connect), "{error}");
        assert!(proxy.seen().starts_with("CONNECT "));
    }
}

#[test]
fn other_proxies_are_refused() {
    for url in ["socks5://localhost:1080", "https://localhost:3128", "", "http://"] {
        assert_eq!(Transport::builder().proxy(url).unwrap_err(), TransportError::BadProxy, "{url}");
    }
    let loopback =
        Transport::builder().trust(Trust::danger_anything_on_loopback()).proxy("http://localhost:1").unwrap();
    assert_eq!(loopback.build().unwrap_err(), TransportError::LoopbackByProxy);
}
