//! The proxy before what real clients and servers do with HTTP: long bodies, events, heads, trailers, and nonsense.
#![expect(clippy::disallowed_types, reason = "another program's calls come over a socket")]
#![expect(clippy::disallowed_methods, reason = "a server takes its time, and an idle proxy is watched")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::front::{Front, Hand, field, head};
use crate::process::{Proxy, Running, tool};

pub fn before(hand: Hand) -> (Front, Running, Proxy) {
    before_with(hand, "")
}

fn before_with(hand: Hand, more: &str) -> (Front, Running, Proxy) {
    let front = Front::start(hand);
    let tool = tool(&format!("cbrain --json --listen 127.0.0.1:0 {more}"));
    let mut run = tool.arg("--url", &front.url).norm().starts();
    let proxy = run.listens();
    proxy.is_ready();
    (front, run, proxy)
}

/// Writes an answer. One after which the connection ends must say so, or the proxy may send its next call on it.
pub fn says(reader: &mut BufReader<TcpStream>, text: &str) {
    let _ = reader.get_mut().write_all(text.as_bytes());
}

pub fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(&proxy.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

pub fn asks(proxy: &Proxy, line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {}\r\nX-Sansession-Secret: {}\r\n{more}\r\n", proxy.address, proxy.secret)
}

/// Counts a body that has no end of its own, and answers with one as long.
fn echo_of_length(head: &str, reader: &mut BufReader<TcpStream>) {
    let length = field(head, "content-length").unwrap().parse::<u64>().unwrap();
    let counted = std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    says(reader, &format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {counted}\r\n\r\n"));
    let _ = std::io::copy(&mut std::io::repeat(b'x').take(counted), reader.get_mut());
}

#[test]
fn long_bodies_flow_both_ways_and_take_no_memory() {
    const LONG: u64 = 100 << 20;
    let (_front, run, proxy) = before(echo_of_length);
    #[cfg(target_os = "linux")]
    let before = run.peak();
    let mut client = connect(&proxy);
    write!(client, "{}", asks(&proxy, "POST /raw", &format!("Content-Length: {LONG}\r\nConnection: close\r\n")))
        .unwrap();
    std::io::copy(&mut std::io::repeat(b'y').take(LONG), &mut client).unwrap();
    let mut answer = BufReader::new(client);
    let told = head(&mut answer).unwrap();
    assert_eq!(field(&told, "content-length"), Some(LONG.to_string().as_str()), "{told}");
    assert_eq!(std::io::copy(&mut answer, &mut std::io::sink()).unwrap(), LONG);
    #[cfg(target_os = "linux")]
    assert!(run.peak() - before < 8 << 20, "{} bytes more", run.peak() - before);
    run.gets("INT");
    let run = run.ends().exits(0);
    let calls: Vec<_> = run.json().into_iter().filter(|line| line["event"] == "call").collect();
    let call = calls.iter().find(|call| call["path"] == "/raw").unwrap();
    assert_eq!((&call["method"], &call["status"]), (&"POST".into(), &200.into()), "{call}");
}

#[test]
fn informational_answers_and_trailers_pass_or_stay_where_they_belong() {
    fn hand(head: &str, reader: &mut BufReader<TcpStream>) {
        // The client's own expectation is the proxy's to meet: what it has sent already leaves at once.
        assert_eq!(field(head, "expect"), None);
        says(reader, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        let (mut body, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            body.push_str(&line);
        }
        let trailer = body.to_ascii_lowercase().contains("x-sum: 7");
        says(
            reader,
            &format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\nX-Trailer: {trailer}\r\n\r\n"),
        );
    }
    let (_front, _run, proxy) = before(hand);
    let mut reader = BufReader::new(connect(&proxy));
    let more = "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n";
    write!(reader.get_mut(), "{}", asks(&proxy, "POST /raw", more)).unwrap();
    assert!(head(&mut reader).unwrap().starts_with("HTTP/1.1 100"));
    write!(reader.get_mut(), "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n").unwrap();
    let answer = head(&mut reader).unwrap().to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 200") && answer.contains("x-trailer: true"), "{answer}");
}

/// One more than there are places.
#[test]
fn a_call_without_a_place_waits_for_one() {
    fn hand(_: &str, reader: &mut BufReader<TcpStream>) {
        std::thread::sleep(Duration::from_millis(300));
        says(reader, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    }
    let (front, _run, proxy) = before(hand);
    let calls: Vec<_> = (0..70)
        .map(|_| {
            let proxy = proxy.clone();
            std::thread::spawn(move || proxy.asks("GET /raw", "", ""))
        })
        .collect();
    for call in calls {
        let answer = call.join().unwrap();
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
    }
    assert_eq!(front.heads().len(), 70);
}

/// Neither clients that keep their connections nor the proxy itself wake the process: the session sleeps for ten seconds.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_proxy_sleeps() {
    fn hand(_: &str, reader: &mut BufReader<TcpStream>) {
        says(reader, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    let (_front, run, proxy) = before(hand);
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut reader = BufReader::new(connect(&proxy));
            write!(reader.get_mut(), "{}", asks(&proxy, "GET /raw/kept", "")).unwrap();
            head(&mut reader).unwrap();
            reader
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let before = run.sleeps();
    std::thread::sleep(Duration::from_secs(3));
    let woken = run.sleeps() - before;
    assert!(woken <= 2, "{woken} times in 3 s");
    drop(clients);
}

#[test]
fn an_event_comes_when_it_is_sent() {
    fn events(_: &str, reader: &mut BufReader<TcpStream>) {
        says(reader, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        says(reader, "a\r\ndata: one\n\r\n");
        // The second one follows what the client does after the first.
        let _ = reader.get_ref().set_read_timeout(Some(Duration::from_secs(30)));
        let _ = reader.read(&mut [0]);
    }
    let (_front, _run, proxy) = before(events);
    let mut client = connect(&proxy);
    write!(client, "{}", asks(&proxy, "GET /raw", "")).unwrap();
    let mut reader = BufReader::new(client);
    head(&mut reader).unwrap();
    let mut first = [0; 15];
    reader.read_exact(&mut first).unwrap();
    assert!(String::from_utf8_lossy(&first).contains("data: one"), "{first:?}");
}

#[test]
fn heads_lengths_trailers_and_codings_are_the_providers() {
    fn hand(head: &str, reader: &mut BufReader<TcpStream>) {
        if head.starts_with("HEAD") {
            says(reader, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 12345\r\n\r\n");
        } else if head.contains("/raw/trailers") {
            says(
                reader,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n",
            );
        } else {
            let coding = field(head, "accept-encoding").unwrap_or("none");
            says(
                reader,
                &format!("HTTP/1.1 200 OK\r\nConnection: close\r\nX-Asked: {coding}\r\nContent-Length: 0\r\n\r\n"),
            );
        }
    }
    let (front, _run, proxy) = before(hand);
    let answer = proxy.asks("HEAD /raw", "", "");
    assert!(answer.starts_with("http/1.1 200") && answer.contains("content-length: 12345"), "{answer}");
    let answer = proxy.asks("GET /raw/trailers", "TE: trailers\r\n", "");
    assert!(answer.to_ascii_lowercase().contains("x-sum: 7"), "{answer}");
    assert!(proxy.asks("GET /raw", "", "").contains("x-asked: none"));
    assert!(proxy.asks("GET /raw", "Accept-Encoding: gzip\r\n", "").contains("x-asked: gzip"));
    let odd = proxy.asks("PROPFIND /raw/odd", "", "");
    assert!(odd.starts_with("http/1.1 200"), "{odd}");
    assert!(front.heads().last().unwrap().starts_with("PROPFIND /raw/odd "));
}

#[test]
fn one_connection_serves_many_calls_on_both_sides() {
    fn hand(_: &str, reader: &mut BufReader<TcpStream>) {
        says(reader, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    let (front, _run, proxy) = before(hand);
    let mut reader = BufReader::new(connect(&proxy));
    for _ in 0..20 {
        write!(reader.get_mut(), "{}", asks(&proxy, "GET /raw/kept", "")).unwrap();
        assert!(head(&mut reader).unwrap().starts_with("HTTP/1.1 200"));
        let mut body = [0; 2];
        reader.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"ok");
    }
    assert_eq!(front.heads().len(), 20);
}

#[test]
fn a_secret_may_stand_in_the_path_or_be_a_password_and_goes_no_further() {
    fn hand(head: &str, reader: &mut BufReader<TcpStream>) {
        let host = field(head, "host").unwrap();
        says(
            reader,
            &format!(
                "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://{host}/there?a=b\r\nContent-Length: 0\r\n\r\n"
            ),
        );
    }
    let (front, _run, proxy) = before(hand);
    let bare = |line: &str, more: &str| {
        proxy.raw(&format!("{line} HTTP/1.1\r\nHost: {}\r\n{more}Connection: close\r\n\r\n", proxy.address))
    };
    let secret = &proxy.secret;
    let answer = bare(&format!("GET /{secret}/raw/a?q=1"), "");
    assert!(answer.contains(&format!("location: http://{}/{secret}/there?a=b", proxy.address)), "{answer}");
    let basic = |password: &str| format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("me:{password}")));
    let answer = bare("GET /raw/b", &basic(secret));
    assert!(answer.contains(&format!("location: http://{}/there?a=b", proxy.address)), "{answer}");
    for (line, more) in [
        ("GET /raw".to_owned(), basic("wrong")),
        (format!("GET /{}/raw", &secret[1..]), String::new()),
        (format!("GET /raw/{secret}"), String::new()),
        (format!("GET /{secret}/raw"), "X-Sansession-Secret: wrong\r\n".to_owned()),
    ] {
        let answer = bare(&line, &more);
        assert!(answer.starts_with("http/1.1 403") && answer.contains("connection: close"), "{line}: {answer}");
    }
    let heads = front.heads();
    assert!(heads[0].starts_with("GET /raw/a?q=1 ") && heads[1].starts_with("GET /raw/b "), "{heads:?}");
    assert!(heads.len() == 2 && !heads.concat().contains(secret.as_str()), "{heads:?}");
}

#[test]
fn only_whoever_allows_it_lets_clients_log_out() {
    fn hand(_: &str, reader: &mut BufReader<TcpStream>) {
        says(reader, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    }
    let (front, _run, proxy) = before(hand);
    for line in ["DELETE /session", "POST /logout", "POST //LOGOUT/", "GET /raw/sso/Logout?a=b"] {
        let answer = proxy.asks(line, "", "");
        assert!(answer.starts_with("http/1.1 403") && answer.contains("--allow-logout"), "{line}: {answer}");
    }
    assert!(proxy.asks("GET /groups", "", "").starts_with("http/1.1 200"), "it lives");
    assert!(front.heads().is_empty());
    let (front, run, proxy) = before_with(hand, "--allow-logout");
    assert!(proxy.asks("POST /raw/logout", "", "").starts_with("http/1.1 200"));
    assert_eq!(front.heads().len(), 1);
    assert!(proxy.asks("DELETE /session", "", "").starts_with("http/1.1 200"));
    drop(run);
}

#[test]
fn nonsense_is_refused_and_costs_no_session() {
    fn hand(head: &str, reader: &mut BufReader<TcpStream>) {
        says(
            reader,
            match head.split(' ').nth(1) {
                Some("/raw/switch") => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                Some("/raw/nonsense") => "nonsense\r\n\r\n",
                Some("/raw/cut") => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                _ => "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            },
        );
    }
    let (front, _run, proxy) = before(hand);
    let sends = |line: &str, more: &str, body: &str| proxy.raw(&format!("{}{body}", asks(&proxy, line, more)));
    for (line, more, body) in [
        ("POST /raw", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("POST /raw", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        ("POST /raw", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("POST /raw", "Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
        ("POST /raw", "Content-Length: +3\r\n", "abc"),
        ("GET /raw?q=%E9%zz", "Connection: close\r\n", ""),
        ("GET /raw/%", "Connection: close\r\n", ""),
        ("GET /raw\u{1}", "", ""),
        ("G@T /raw", "", ""),
        ("GET /raw", "X-Bad\u{0}: a\r\n", ""),
        ("GET /raw", " folded\r\n", ""),
    ] {
        let answer = sends(line, more, body);
        assert!(answer.starts_with("http/1.1 400"), "{line:?} {more:?}: {answer}");
    }
    assert!(front.heads().is_empty(), "{:?}", front.heads());
    // Of two lengths the one that HTTP/1.1 ranks higher counts, and it alone goes on.
    for both in
        ["Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"]
    {
        let answer = sends("POST /raw/both", &format!("{both}Connection: close\r\n"), "3\r\nabc\r\n0\r\n\r\n");
        assert!(answer.starts_with("http/1.1 413") || answer.starts_with("http/1.1 400"), "{answer}");
    }
    let lengths = |head: &String| (field(head, "content-length").is_some(), field(head, "transfer-encoding").is_some());
    assert!(front.heads().iter().map(lengths).all(|both| both == (false, true)), "{:?}", front.heads());
    for sign in ["+3", "-3", "0x3", "3g", " ", "fffffffffffffffff"] {
        let answer = sends(
            "POST /groups",
            "Transfer-Encoding: chunked\r\nConnection: close\r\n",
            &format!("{sign}\r\nabc\r\n0\r\n\r\n"),
        );
        assert!(!answer.starts_with("http/1.1 2"), "{sign}: {answer}");
    }
    for path in ["/raw/switch", "/raw/nonsense"] {
        let answer = sends(&format!("GET {path}"), "Connection: close\r\n", "");
        assert!(answer.starts_with("http/1.1 502"), "{path}: {answer}");
    }
    let answer = sends("GET /raw/cut", "Connection: close\r\n", "");
    assert!(answer.ends_with("half"), "{answer}");
    assert!(sends("POST /raw", "Content-Length: 3\r\nConnection: close\r\n", "abc").starts_with("http/1.1 413"));
    assert!(proxy.asks("GET /_session", "", "").contains(r#""phase":"active""#), "it lives");
    assert!(proxy.asks("GET /groups", "", "").starts_with("http/1.1 200"));
}
