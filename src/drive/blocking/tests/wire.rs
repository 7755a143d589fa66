//! What goes over the wire, and what a failure says.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use http::Method;

use super::{OK, Server, get, request, within};
use crate::drive::{Reason, blocking::Transport};
use crate::{
    Failure,
    machine::{Delivery, FailureKind, SendPolicy},
};

const PLENTY: SendPolicy = within(5_000);

fn fails(url: impl AsRef<str>, policy: SendPolicy) -> (FailureKind, Delivery) {
    let error = Transport::new().unwrap().send_with(get(url), policy).unwrap_err();
    let Failure { kind, delivery } = error.failure;
    println!("{error}");
    (kind, delivery)
}

#[test]
fn a_get_has_the_host_and_nothing_else() {
    let server = Server::answering(OK);
    let answer = Transport::new().unwrap().call(get(server.url())).unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (200, &b"ok"[..]));
    assert_eq!(server.seen(), format!("GET / HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n\r\n", server.port));
}

#[test]
fn bodies_have_their_length_exactly_once() {
    let server = Server::answering(OK);
    let transport = Transport::new().unwrap();
    for (method, written, body, length) in [
        (Method::GET, None, "", None),
        (Method::DELETE, None, "", None),
        (Method::DELETE, Some("0"), "", Some("0")),
        (Method::POST, None, "", Some("0")),
        (Method::POST, Some("0"), "", Some("0")),
        (Method::POST, Some("7"), "a=b", Some("3")),
        (Method::PUT, None, "", Some("0")),
        (Method::DELETE, None, "a=b", Some("3")),
    ] {
        let mut request = request(method.clone(), server.url(), body);
        if let Some(written) = written {
            request.headers_mut().insert("content-length", written.parse().unwrap());
        }
        transport.call(request).unwrap();
        let seen = server.seen();
        let lengths: Vec<_> = seen.lines().filter_map(|line| line.strip_prefix("content-length: ")).collect();
        assert_eq!(lengths, Vec::from_iter(length), "{method} {written:?} {body:?}");
        assert!(seen.ends_with(&format!("\r\n\r\n{body}")) && !seen.contains("transfer-encoding"), "{seen}");
    }
}

#[test]
fn headers_of_the_caller_are_kept() {
    let server = Server::answering(OK);
    let mut request = get(server.url());
    request.headers_mut().insert("user-agent", "mine".parse().unwrap());
    request.headers_mut().insert("accept", "application/json".parse().unwrap());
    Transport::new().unwrap().call(request).unwrap();
    let seen = server.seen();
    assert!(seen.contains("\r\nuser-agent: mine\r\n") && seen.contains("\r\naccept: application/json\r\n"), "{seen}");
}

#[test]
fn redirects_and_errors_are_answers_and_cookies_are_forgotten() {
    let transport = Transport::new().unwrap();
    let server = Server::answering(
        "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=b\r\ncontent-length: 4\r\n\r\ngone",
    );
    for _ in 0..2 {
        let answer = transport.call(get(server.url())).unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (302, &b"gone"[..]));
        assert!(!server.seen().contains("cookie"));
    }
    assert!(server.saw_nothing());
    let server = Server::answering("HTTP/1.1 503 Unavailable\r\ncontent-length: 4\r\n\r\nbusy");
    assert_eq!(transport.call(get(server.url())).unwrap().body(), b"busy");
}

#[test]
fn what_never_left_was_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(fails(format!("http://{closed}/"), PLENTY), (FailureKind::Connect, Delivery::NotSent));
    assert_eq!(fails("http://nowhere.invalid/", PLENTY), (FailureKind::Connect, Delivery::NotSent));

    let no_tls = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = format!("https://{}/", no_tls.local_addr().unwrap());
    let answering = thread::spawn(move || no_tls.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(fails(plain, PLENTY), (FailureKind::Tls, Delivery::NotSent));
    answering.join().unwrap().unwrap();

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://{}/", silent.local_addr().unwrap());
    assert_eq!(fails(silent, within(100)), (FailureKind::Timeout, Delivery::NotSent));
    assert_eq!(fails("/path/only", PLENTY), (FailureKind::Other, Delivery::NotSent));
}

#[test]
fn what_left_may_have_arrived() {
    let dropping = Server::plain(|_| false);
    assert_eq!(fails(dropping.url(), PLENTY), (FailureKind::Interrupted, Delivery::MaybeSent));

    let silent = Server::plain(|_| {
        thread::sleep(Duration::from_secs(2));
        false
    });
    assert_eq!(fails(silent.url(), within(100)), (FailureKind::Timeout, Delivery::MaybeSent));

    let slow = Server::plain(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").unwrap();
        (0..9).all(|_| {
            thread::sleep(Duration::from_millis(100));
            stream.write_all(b"x").is_ok()
        })
    });
    assert_eq!(fails(slow.url(), within(250)), (FailureKind::Timeout, Delivery::MaybeSent));

    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12345",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123",
        "HTTP/1.1 200",
    ] {
        let cutting = Server::plain(move |stream| {
            stream.write_all(cut.as_bytes()).unwrap();
            false
        });
        assert_eq!(fails(cutting.url(), PLENTY), (FailureKind::Interrupted, Delivery::MaybeSent), "{cut}");
    }
    let other = Server::plain(|stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").unwrap();
        false
    });
    assert_eq!(fails(other.url(), PLENTY), (FailureKind::Other, Delivery::MaybeSent));
}

#[test]
fn a_body_may_be_as_large_as_the_policy_says() {
    let ten = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789");
    assert_eq!(Transport::new().unwrap().send_with(get(ten.url()), PLENTY).unwrap().body().len(), 10);
    let eleven = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n01234567890");
    assert_eq!(fails(eleven.url(), PLENTY), (FailureKind::BodyTooLarge, Delivery::MaybeSent));
}

#[test]
fn a_connection_that_the_server_closed_is_not_used_again() {
    let server = Server::plain(|stream| {
        stream.write_all(OK.as_bytes()).unwrap();
        false
    });
    let transport = Transport::new().unwrap();
    for _ in 0..3 {
        assert!(transport.call(get(server.url())).is_ok());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_interrupt_ends_what_is_under_way_and_nothing_after_it() {
    let silent = Server::plain(|_| {
        thread::sleep(Duration::from_secs(30));
        false
    });
    let transport = Transport::new().unwrap();
    let began = Instant::now();
    let blocked = thread::spawn({
        let (transport, url) = (transport.clone(), silent.url());
        move || transport.call(get(url))
    });
    silent.seen();
    transport.interrupt();
    let error = blocked.join().unwrap().unwrap_err();
    assert_eq!(error.failure, Failure::maybe_sent(FailureKind::Interrupted));
    assert_eq!(error.reason, Reason::Interrupted);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(transport.call(get(Server::answering(OK).url())).is_ok());
}
