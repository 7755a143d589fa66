//! The listener for a redirect, and what else comes to its port.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use super::fake::{Fake, Line, Log, consent};
use crate::drive::{Answer, Handle, blocking::RedirectListener};
use crate::{Input, Source};

/// The longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const GOOD: &str = "/callback?code=c%2B1&state=s-1&iss=https%3A%2F%2Flogin.example.org";

/// A listener at a free port.
fn listener() -> RedirectListener {
    RedirectListener::bind("http://127.0.0.1:0/callback").unwrap()
}

fn port(listener: &RedirectListener) -> u16 {
    listener.redirect_uri().split([':', '/']).nth(4).unwrap().parse().unwrap()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends just this, and gives the answer.
fn raw(port: u16, text: &[u8]) -> String {
    let mut stream = connect(port);
    stream.write_all(text).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn asks(port: u16, line: &str) -> String {
    raw(port, format!("{line} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nAccept: text/html\r\n\r\n").as_bytes())
}

fn gets(port: u16, target: &str) -> String {
    asks(port, &format!("GET {target}"))
}

#[track_caller]
fn status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    for header in ["Cache-Control: no-store", "Connection: close", "default-src 'none'", "no-referrer"] {
        assert!(head.contains(header), "{header}: {answer}");
    }
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}");
    for secret in ["c%2B1", "c+1", "s-1"] {
        assert!(!answer.contains(secret), "{answer}");
    }
}

/// Lets a listener answer a session that has asked for a consent.
fn listens(listener: &mut RedirectListener) -> (Handle<Fake>, Log) {
    let (fake, log) = Fake::new([Line::Consent, Line::Stay]);
    let handle = Handle::new(fake);
    let answer = listener.answer(&handle, &consent()).unwrap();
    assert!(matches!(answer, Answer::Later(_)), "{answer:?}");
    (handle, log)
}

/// The address that a session has been given.
fn given(log: &Log) -> Option<String> {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().find(|line| line.starts_with("http://")).cloned()
}

fn is_closed(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, PATIENCE).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn the_redirect_is_given_to_the_session_whole_and_the_port_is_closed() {
    let mut listener = listener();
    let port = port(&listener);
    let (_handle, log) = listens(&mut listener);
    let page = gets(port, GOOD);
    status(&page, 200);
    assert!(page.contains("You may close this window"), "{page}");
    assert_eq!(given(&log).unwrap(), format!("http://127.0.0.1:{port}{GOOD}"));
    listener.present.take().unwrap().thread.join().unwrap();
    assert!(is_closed(port));
}

#[test]
fn the_next_question_opens_the_same_port_again() {
    let mut listener = listener();
    let port = port(&listener);
    for _ in 0..2 {
        let (_handle, log) = listens(&mut listener);
        status(&gets(port, GOOD), 200);
        assert!(given(&log).is_some());
    }
    drop(listener);
    assert!(is_closed(port));
}

#[test]
fn whoever_waits_in_this_thread_gets_it_too() {
    let mut listener = listener();
    let port = port(&listener);
    let browser = thread::spawn(move || {
        status(&gets(port, "/callback?code=x&state=s-0"), 400);
        gets(port, GOOD)
    });
    let answer = listener.wait(&consent()).unwrap();
    let Answer::Now(Input::Redirect(address), Source::Person) = answer else { panic!("{answer:?}") };
    assert_eq!(address.expose(), format!("http://127.0.0.1:{port}{GOOD}"));
    status(&browser.join().unwrap(), 200);
}

/// None of it reaches the session, and the good one is still taken.
#[test]
fn what_is_not_the_redirect_changes_nothing() {
    let mut listener = listener();
    let port = port(&listener);
    let (_handle, log) = listens(&mut listener);
    for (line, expected) in [
        ("GET /favicon.ico", 404),
        ("GET /", 404),
        ("GET /callback/", 404),
        ("GET /Callback?code=x&state=s-1", 404),
        ("GET /callbac%6b?code=x&state=s-1", 404),
        ("GET //callback?code=x&state=s-1", 404),
        ("GET http://127.0.0.1/callback?code=x&state=s-1", 404),
        ("POST /callback?code=x&state=s-1", 405),
        ("HEAD /callback?code=x&state=s-1", 405),
        ("OPTIONS /callback?code=x&state=s-1", 405),
        ("POST /", 404),
        ("GET /callback", 400),
        ("GET /callback?code=x", 400),
        ("GET /callback?code=x&state=", 400),
        ("GET /callback?code=x&state=s-2", 400),
        ("GET /callback?code=x&state=s-1&state=s-1", 400),
        ("GET /callback?code=x&state=s-2&state=s-1", 400),
        ("GET /callback?error=access_denied&state=s-2", 400),
        // The session itself does not take this one.
        ("GET /callback?code=odd&state=s-1", 400),
        ("GET /callback?code=\u{e9}&state=s-1", 400),
        ("GET /callback?code=x &state=s-1", 400),
        ("/callback?code=x&state=s-1", 400),
        ("", 400),
    ] {
        let answer = asks(port, line);
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{line}: {answer}");
    }
    let with_host = |hosts: &str| raw(port, format!("GET {GOOD} HTTP/1.1\r\n{hosts}\r\n").as_bytes());
    for host in ["evil.example.org", "127.0.0.1", "127.0.0.1:1", "localhost:80", "evil.example.org:80"] {
        status(&with_host(&format!("Host: {host}\r\n")), 421);
    }
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    for hosts in [String::new(), own.repeat(2)] {
        status(&with_host(&hosts), 400);
    }
    status(&raw(port, &[&b"GET /callback?code=\xff HTTP/1.1\r\n"[..], own.as_bytes(), b"\r\n"].concat()), 400);
    status(&raw(port, format!("GET {GOOD} HTTP/2.0\r\n{own}\r\n").as_bytes()), 400);
    assert_eq!(given(&log), None);
    status(&gets(port, GOOD), 200);
    assert!(given(&log).is_some());
}

#[test]
fn a_head_that_has_no_end_is_cut_off() {
    let mut listener = listener();
    let port = port(&listener);
    let (_handle, _log) = listens(&mut listener);
    let long = format!("GET /callback?code={} HTTP/1.1\r\n", "x".repeat(8 << 10));
    status(&raw(port, long.as_bytes()), 431);
    // One that fits to the byte is read.
    let head = format!("GET {GOOD} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX: ");
    let rest = "x".repeat((8 << 10) - head.len() - 3);
    status(&raw(port, format!("{head}{rest}\r\n\r\n").as_bytes()), 431);
    let rest = &rest[1..];
    status(&raw(port, format!("{head}{rest}\r\n\r\n").as_bytes()), 200);
}

#[test]
fn a_body_that_nobody_wants_costs_no_answer() {
    let mut listener = listener();
    let port = port(&listener);
    let (_handle, _log) = listens(&mut listener);
    let length = 40_000;
    let head = format!("POST /callback HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {length}\r\n\r\n");
    status(&raw(port, format!("{head}{}", "x".repeat(length)).as_bytes()), 405);
}

/// Browsers open connections in advance.
#[test]
fn connections_that_say_nothing_are_in_nobodys_way() {
    let mut listener = listener();
    let port = port(&listener);
    let (_handle, log) = listens(&mut listener);
    let mut silent: Vec<_> = (0..20).map(|_| connect(port)).collect();
    for stream in &mut silent {
        stream.write_all(b"GET /callb").unwrap();
    }
    // The head may come in any pieces.
    let mut slow = connect(port);
    for byte in format!("GET {GOOD} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").bytes() {
        slow.write_all(&[byte]).unwrap();
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    status(&answer, 200);
    assert!(given(&log).is_some());
}

#[test]
fn a_connection_has_so_long_and_no_longer() {
    let mut listener = listener();
    listener.patience = Duration::from_millis(50);
    let port = port(&listener);
    let (_handle, _log) = listens(&mut listener);
    let mut stuck = connect(port);
    stuck.write_all(b"GET /callback").unwrap();
    let mut nothing = Vec::new();
    // Closed, or reset since it had said something.
    assert!(!matches!(stuck.read_to_end(&mut nothing), Err(error) if error.kind() == ErrorKind::WouldBlock));
    assert!(nothing.is_empty());
}

#[test]
fn the_servers_words_are_shown_as_text_and_its_tokens_are_not() {
    let mut listener = listener();
    let port = port(&listener);
    let (_handle, log) = listens(&mut listener);
    let token = "0123456789abcdef0123456789abcdef";
    let target = format!(
        "/callback?error=access_denied&error_description=%3Cscript%3E%22a%22+%26+%27b%27%3C%2Fscript%3E+{token}&state=s-1"
    );
    let page = gets(port, &target);
    status(&page, 200);
    assert!(page.contains("access_denied: &lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt; …"), "{page}");
    assert!(!page.contains("<script") && !page.contains(token), "{page}");
    assert!(given(&log).unwrap().contains("error=access_denied"));
}

#[test]
fn a_question_that_is_no_longer_open_is_told_so() {
    let mut listener = listener();
    let port = port(&listener);
    let (handle, log) = listens(&mut listener);
    handle.stop(crate::drive::Stop::Logout);
    status(&gets(port, GOOD), 410);
    assert_eq!(given(&log), None);
}

#[test]
fn a_redirect_uri_is_one_of_this_machine() {
    for (uri, own) in [
        ("http://127.0.0.1:0", "http://127.0.0.1:{}"),
        ("http://127.0.0.1:0/", "http://127.0.0.1:{}/"),
        ("http://localhost:0/a/b?x=1", "http://localhost:{}/a/b?x=1"),
    ] {
        let mut listener = RedirectListener::bind(uri).unwrap();
        let port = listener.address.port();
        assert_eq!(listener.redirect_uri(), own.replace("{}", &port.to_string()), "{uri}");
        let (_handle, log) = listens(&mut listener);
        let (host, path) = own.trim_start_matches("http://").split_once(":{}").unwrap();
        let path = if path.is_empty() { "/" } else { path };
        let joint = if path.contains('?') { '&' } else { '?' };
        let head = format!("GET {path}{joint}code=x&state=s-1 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        status(&raw(port, head.as_bytes()), 200);
        // The path is that of the configuration, whose absence a browser writes as a slash.
        let bare = listener.redirect_uri().split('?').next().unwrap().to_owned();
        assert!(given(&log).unwrap().starts_with(&format!("{bare}?")), "{log:?}");
    }
    for uri in [
        "https://127.0.0.1:0/callback",
        "http://example.org:0/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1:70000/callback",
        "http://127.0.0.1.example.org:0/callback",
        "http://me@127.0.0.1:0/callback",
        "http://127.0.0.1:0/callback#x",
        "http://0.0.0.0:0/callback",
        "/callback",
        "urn:ietf:wg:oauth:2.0:oob",
        "",
    ] {
        assert_eq!(RedirectListener::bind(uri).unwrap_err().kind(), ErrorKind::InvalidInput, "{uri}");
    }
    let taken = listener();
    assert_eq!(RedirectListener::bind(taken.redirect_uri()).unwrap_err().kind(), ErrorKind::AddrInUse);
}
