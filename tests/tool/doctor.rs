//! `doctor`: each of its faults is made, and found.
#![expect(clippy::disallowed_types, reason = "a program that holds a port is faked with a socket")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use sansession::Timestamp;
use sansession::drive::{Pin, now};
use sansession::sim::ibkr::{GatewaySim, Settings};
use sansession::sim::{CbrainSim, Certificate, Server};
use serde_json::Value;

use crate::home::{Home, mode, portal as profile};
use crate::process::{PASSWORD, Run, Tool, portal};

/// A program that answers every connection in its own way. It is left behind with its thread.
fn program(answer: impl Fn() -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut part = [0; 4096];
            let _ = stream.read(&mut part);
            let _ = stream.write_all(answer().as_bytes());
        }
    });
    port
}

fn web(headers: &str) -> String {
    format!("HTTP/1.1 404 Not Found\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
}

fn at(date: Timestamp) -> String {
    web(&format!("Date: {date}\r\n"))
}

/// Runs it and gives what it found, as `check level: text`.
#[track_caller]
fn found(tool: Tool, code: i32) -> Vec<String> {
    let run: Run = tool.runs().exits(code);
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
    run.json()
        .iter()
        .map(|line| format!("{} {}: {}", text(line, "check"), text(line, "level"), text(line, "text")))
        .collect()
}

#[track_caller]
fn finds(tool: Tool, code: i32, check: &str, words: &[&str]) {
    let found = found(tool, code);
    let fits = |line: &String| line.starts_with(check) && words.iter().all(|word| line.contains(word));
    assert!(found.iter().any(fits), "{check} {words:?} is not in {found:#?}");
}

#[test]
fn a_healthy_profile_has_no_fault() {
    let port = program(|| at(now()));
    let home = Home::new();
    home.secret("password", PASSWORD);
    home.profiles(&profile(&format!("http://127.0.0.1:{port}"), ""));
    let found = found(home.tool("doctor portal --json"), 0);
    for line in ["profile ok", "rights ok", "host ok", "reachable ok", "clock ok", "lock ok"] {
        assert!(found.iter().any(|found| found.starts_with(line)), "{line}: {found:#?}");
    }
    assert!(!found.iter().any(|line| line.contains(" fault: ")), "{found:#?}");
    let words = home.tool("doctor portal").runs().exits(0);
    assert!(words.lines.last().unwrap().contains("nothing is wrong"), "{words:#?}");
}

#[test]
fn a_denied_session_is_a_fault_with_the_way_out() {
    let server = portal();
    let home = Home::of(&server);
    home.secret("password", "wrong");
    home.tool("login portal").runs().exits(3);
    finds(home.tool("doctor portal --json"), 3, "session fault", &["refused", "login portal --again"]);
    home.secret("password", PASSWORD);
    home.tool("login portal").runs().exits(3);
    home.tool("login portal --again").runs().exits(0);
    finds(home.tool("doctor portal --json"), 0, "session ok", &[]);
    home.tool("logout portal").runs().exits(0);
}

#[test]
fn the_clock_is_compared_with_the_servers() {
    let home = Home::new();
    home.secret("password", PASSWORD);
    for (by, word) in [(3_600, "behind"), (-3_600, "ahead"), (20, "behind")] {
        let skewed = move || Timestamp::from_millis(now().as_millis().checked_add_signed(by * 1_000).unwrap());
        let port = program(move || at(skewed()));
        home.profiles(&profile(&format!("http://127.0.0.1:{port}"), ""));
        finds(home.tool("doctor portal --json"), 4, "clock fault", &[word, "timedatectl"]);
    }
    let port = program(|| web(""));
    home.profiles(&profile(&format!("http://127.0.0.1:{port}"), ""));
    finds(home.tool("doctor portal --json"), 0, "clock note", &["no time"]);
}

#[test]
fn a_server_that_cannot_be_had_is_told_apart() {
    let home = Home::new();
    home.secret("password", PASSWORD);
    let gone = portal().url().to_owned();
    let mut secure = CbrainSim::new(1);
    secure.add_user("norm", PASSWORD);
    let secure = Server::start_tls(Certificate::Plain, secure, now).unwrap();
    let silent = program(|| "this is no HTTP\r\n".into());
    for (url, code, check, words) in [
        ("https://no-such-host.invalid", 4, "host fault", &["does not resolve", "no-such-host.invalid"][..]),
        (&gone, 4, "reachable fault", &["nothing answers"]),
        (secure.url(), 4, "certificate fault", &["not trusted", "--pin"]),
        (&format!("http://127.0.0.1:{silent}"), 4, "reachable fault", &[]),
        (&format!("https://127.0.0.1:{silent}"), 4, "certificate fault", &["does not speak TLS"]),
    ] {
        home.profiles(&profile(url, ""));
        finds(home.tool("doctor portal --json"), code, check, words);
    }
    let pin = Pin::of(secure.certificate_der().unwrap());
    home.profiles(&profile(secure.url(), &format!("pin = \"{pin}\"")));
    finds(home.tool("doctor portal --json"), 0, "certificate ok", &["days more", "until "]);
}

#[test]
fn a_port_that_is_taken_is_told_with_the_kind_of_program() {
    let home = Home::new();
    home.secret("password", PASSWORD);
    let server = program(|| at(now()));
    let url = format!("http://127.0.0.1:{server}");
    let airplay = program(|| web("Server: AirTunes/770.8.1\r\n"));
    let nginx = program(|| web("Server: nginx/1.26\r\n"));
    let other = program(|| "220 mail\r\n".into());
    for (port, kind) in [(airplay, "AirPlay"), (nginx, "nginx/1.26"), (other, "does not speak HTTP")] {
        home.profiles(&profile(&url, &format!("listen = \"127.0.0.1:{port}\"")));
        finds(home.tool("doctor portal --json"), 64, "port fault", &[kind, &port.to_string(), "listen"]);
        // In the place of the gateway.
        home.profiles(&format!("[portal]\nprovider = \"ibkr-gateway\"\nurl = \"https://localhost:{port}/v1/api\""));
        finds(home.tool("doctor portal --json"), 4, "port fault", &[kind, "listenPort"]);
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home.profiles(&profile(&url, &format!("listen = \"127.0.0.1:{free}\"")));
    finds(home.tool("doctor portal --json"), 0, "port ok", &["free"]);
    home.profiles(&format!("[portal]\nprovider = \"ibkr-gateway\"\nurl = \"https://localhost:{free}/v1/api\""));
    finds(home.tool("doctor portal --json"), 4, "port fault", &["start the gateway"]);
    let gateway = Server::start_tls(Certificate::NoNames, GatewaySim::new(Settings::default()), now).unwrap();
    let pin = Pin::of(gateway.certificate_der().unwrap());
    home.profiles(&format!(
        "[portal]\nprovider = \"ibkr-gateway\"\nurl = \"https://localhost:{}/v1/api\"\npin = \"{pin}\"",
        gateway.port()
    ));
    finds(home.tool("doctor portal --json"), 0, "port ok", &["IBKR's gateway"]);
}

#[test]
fn a_proxy_of_ones_own_holds_its_port() {
    let server = portal();
    let home = Home::of(&server);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home.profiles(&profile(server.url(), &format!("listen = \"127.0.0.1:{free}\"")));
    let mut run = home.tool("run portal --json").starts();
    run.is_active();
    finds(home.tool("doctor portal --json"), 0, "port ok", &["the proxy of this profile"]);
    finds(home.tool("doctor portal --json"), 0, "lock note", &["in use by `run`", &format!("pid {}", run.id())]);
    run.gets("KILL");
    while crate::process::runs(&run.id().to_string()) {
        std::thread::yield_now();
    }
    finds(home.tool("doctor portal --json"), 0, "lock note", &["was killed", &format!("pid {}", run.id())]);
}

#[test]
fn the_rights_of_files_are_looked_at() {
    let server = program(|| at(now()));
    let url = format!("http://127.0.0.1:{server}");
    let home = Home::new();
    home.secret("password", PASSWORD);
    home.profiles(&profile(&url, ""));
    let doctor = || home.tool("doctor portal --json");
    mode(&home.config("password"), 0o644);
    finds(doctor(), 64, "rights fault", &["password", "mode 644", "chmod 600"]);
    home.secret("password", "\n");
    finds(doctor(), 64, "rights fault", &["password", "is empty"]);
    fs::remove_file(home.config("password")).unwrap();
    finds(doctor(), 64, "rights fault", &["password", "No such file"]);
    home.secret("password", PASSWORD);
    mode(&home.config("profiles.toml"), 0o666);
    finds(doctor(), 64, "rights fault", &["profiles.toml", "mode 666"]);
    mode(&home.config("profiles.toml"), 0o644);
    fs::create_dir_all(home.state("")).unwrap();
    mode(&home.state(""), 0o755);
    finds(doctor(), 64, "rights fault", &["mode 755", "chmod 700"]);
    mode(&home.state(""), 0o700);
    fs::write(home.state("portal.session"), "{").unwrap();
    mode(&home.state("portal.session"), 0o644);
    finds(doctor(), 64, "session fault", &["portal.session", "mode 644"]);
    mode(&home.state("portal.session"), 0o600);
    finds(doctor(), 64, "session fault", &["damaged"]);
    fs::remove_file(home.state("portal.session")).unwrap();
    found(doctor(), 0);
}

#[test]
fn profiles_and_variables_are_looked_at() {
    let server = program(|| at(now()));
    let home = Home::new();
    home.secret("password", PASSWORD);
    finds(home.tool("doctor portal --json"), 64, "profiles fault", &["not there"]);
    finds(home.tool("doctor --json"), 0, "profiles note", &["not there"]);
    finds(home.tool("doctor --json"), 0, "port note", &["5000: "]);
    home.profiles(&profile(&format!("http://127.0.0.1:{server}"), "password = \"hunter2\""));
    finds(home.tool("doctor portal --json"), 64, "profile fault", &["profiles.toml:7: ", "is a secret"]);
    home.profiles(&profile(&format!("http://127.0.0.1:{server}"), ""));
    let doctor = || home.tool("doctor portal --json").without("HTTPS_PROXY").without("ALL_PROXY");
    finds(doctor().env("SANSESSION_PASSWROD", "x"), 0, "variables note", &["SANSESSION_PASSWORD meant"]);
    finds(doctor().env("SANSESSION_USER", "x"), 0, "variables note", &["SANSESSION_USER is set"]);
    finds(doctor().env("HTTPS_PROXY", "http://127.0.0.1:1"), 0, "proxy note", &["HTTPS_PROXY"]);
    assert!(!found(doctor(), 0).iter().any(|line| line.contains("HTTPS_PROXY")));
}

/// Nobody waits for long where something accepts and says nothing.
#[test]
fn what_says_nothing_is_not_waited_for_for_long() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new();
    home.secret("password", PASSWORD);
    home.profiles(&profile(&format!("http://{}", listener.local_addr().unwrap()), ""));
    let begun = now();
    finds(home.tool("doctor portal --json"), 4, "reachable fault", &["silent"]);
    assert!(now().since(begun) < Duration::from_secs(40));
}
