//! Requests of clients that others wrote for IBKR's gateway, as they leave them, through the proxy in its place. Only the
//! address is another one: it has the secret as the first part of its path.

use sansession::drive::now;
use sansession::sim::Server;
use sansession::sim::ibkr::{End, GatewaySim, Happening, Lever, Login, Person, RateLimits, Settings};

use crate::process::{Proxy, tool};

/// What each sends in a session of it, with the status that the gateway gave; a logout ends the recording.
const CLIENTS: [(&str, &str); 4] = [
    ("ibind", include_str!("../../src/sim/ibkr/tests/foreign/ibind-gateway.http")),
    ("easyib", include_str!("../../src/sim/ibkr/tests/foreign/easyib-gateway.http")),
    ("ibeam", include_str!("../../src/sim/ibkr/tests/foreign/ibeam-gateway.http")),
    ("ibw", include_str!("../../src/sim/ibkr/tests/foreign/ibw-gateway.http")),
];

/// A gateway that keeps to every limit of the documentation, and at which somebody is logged in.
fn gateway() -> GatewaySim {
    let settings =
        Settings { login: Login::Never, maintenance: None, limits: RateLimits::Documented, ..Settings::default() };
    let mut gateway = GatewaySim::new(settings);
    gateway.pull(now(), Lever::LogIn(Person::default()));
    gateway
}

/// Returns the requests of a recording, each with its status, as they leave for the proxy.
fn requests(recording: &str, proxy: &Proxy) -> Vec<(u16, String)> {
    let Proxy { address, secret } = proxy;
    let read = |part: &str| {
        let (status, request) = part.split_once('\n').unwrap();
        let (head, body) = request.split_once("\n\n").unwrap();
        let (line, fields) = head.split_once('\n').unwrap();
        let line = line.replacen(" /", &format!(" /{secret}/"), 1);
        let length = |field: &str| field.to_lowercase().strip_prefix("content-length: ")?.parse().ok();
        let body = &body[..fields.lines().find_map(length).unwrap_or(0)];
        let fields = fields.lines().map(|field| match field.split_once(": ").unwrap().0.to_lowercase().as_str() {
            "host" => format!("Host: {address}\r\n"),
            // Read to its end; what is upgraded has no other one.
            "connection" if !field.contains("pgrade") => "Connection: close\r\n".into(),
            _ => format!("{field}\r\n"),
        });
        (status.trim().parse().unwrap(), format!("{line}\r\n{}\r\n{body}", fields.collect::<String>()))
    };
    recording.split("### ").skip(1).map(read).collect()
}

#[test]
fn clients_of_the_gateway_live_on_the_proxy() {
    for (client, recording) in CLIENTS {
        let server = Server::start(gateway(), now).unwrap();
        let tool = tool("ibkr-gateway --json --listen 127.0.0.1:0");
        let mut run = tool.arg("--url", format!("{}/v1/api", server.url())).starts();
        let proxy = run.listens();
        proxy.is_ready();
        for (status, request) in requests(recording, &proxy) {
            // A stream stays open; the tests of the proxy's streams have them.
            if status == 101 {
                continue;
            }
            let answer = proxy.raw(&request);
            let line = request.lines().next().unwrap().replace(&proxy.secret, "");
            let is = answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap();
            match line.contains("/logout ") {
                true => assert!(is == 403 && answer.contains("--allow-logout"), "{client}: {line}: {answer}"),
                false => assert!(is == status, "{client}: {line}: {answer}"),
            }
        }
        run.gets("INT");
        let run = run.ends().exits(0);
        let count = |what: Happening| server.with(|gateway| gateway.count(|happened| *happened == what));
        assert_eq!(count(Happening::Boxed), 0, "{client}: {run:#?}");
        assert_eq!(count(Happening::LoginEnded(End::Logout)), 0, "{client}: the login was there before");
    }
}
