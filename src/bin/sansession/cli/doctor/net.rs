//! The server of a profile: whether it can be reached, whom it says it is, and what time it has.
#![expect(clippy::disallowed_types, reason = "a tool has sockets")]

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use sansession::drive::{SendError, blocking::Transport, now};
use sansession::{
    Timestamp,
    machine::{FailureKind, SendPolicy},
};

use super::{Doctor, UNAVAILABLE, certificate, gateway_port, port};
use crate::cli::args::Args;
use crate::cli::hint::Trouble;
use crate::cli::{USAGE, Usage, world};

/// How long a server may take: one that is slower is as good as silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much a clock may differ: signatures and one-time codes bear some seconds, and the header has no fractions.
const SKEW: u64 = 5_000;
/// How many days before its end a certificate is worth a word.
const SOON: u64 = 21;
/// What other programs take for a way out of the network.
const PROXIES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Looks for proxies that others would use.
pub fn proxies(doctor: &mut Doctor) {
    let set: Vec<_> =
        PROXIES.into_iter().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())).collect();
    if !set.is_empty() {
        let words = "not used: a proxy would get the passwords of servers without TLS. Where it is the only way out, no server can be reached";
        doctor.note("proxy", &format!("{} is set and {words}", set.join(", ")));
    }
}

/// Looks at the server.
pub fn server(doctor: &mut Doctor, args: &Args) {
    let Some(url) = args.url.as_deref() else { return };
    let (base, trust) = match (world::base(args, url), world::trust(args)) {
        (Ok(base), Ok(trust)) => (base, trust),
        (Err(Usage(words)), _) => return doctor.fault("url", USAGE, &words),
        (_, Err(Usage(words))) => return doctor.fault("certificate", USAGE, &words),
    };
    let Ok(uri) = base.to_string().parse::<http::Uri>() else { return };
    let secure = uri.scheme_str() == Some("https");
    let (host, number) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(if secure { 443 } else { 80 }));
    let addresses: Vec<_> = match (host.trim_matches(['[', ']']), number).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return doctor.fault(
                "host",
                UNAVAILABLE,
                &format!("{host} does not resolve ({error}): check `url` and the name server"),
            );
        }
    };
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    doctor.fine("host", &format!("{host} is {}", shown.join(", ")));
    if let Some(number) = gateway_port(args) {
        match port::look(number) {
            found if found.kind == port::Kind::Gateway => doctor.fine("port", &format!("{number}: {}", found.told())),
            found if found.kind == port::Kind::Free => {
                return doctor.fault(
                    "port",
                    UNAVAILABLE,
                    &format!("nothing listens at {number}: start the gateway (bin/run.sh root/conf.yaml)"),
                );
            }
            found => {
                return doctor.fault(
                    "port",
                    UNAVAILABLE,
                    &format!(
                        "{number} is taken by {}, and not the gateway: set `listenPort` in its conf.yaml, and `url` here",
                        found.told()
                    ),
                );
            }
        }
    }
    // Closed at once: a server may serve one connection at a time.
    if !addresses.iter().any(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok()) {
        let words =
            format!("nothing answers at {host}:{number}: check host, port and firewall, and that the server runs");
        return doctor.fault("reachable", UNAVAILABLE, &words);
    }
    doctor.fine("reachable", &format!("{host}:{number} answers"));
    let sent = Transport::builder().trust(trust).build().map_err(|error| Usage(error.to_string()));
    let transport = match sent {
        Ok(transport) => transport,
        Err(Usage(words)) => return doctor.fault("certificate", USAGE, &words),
    };
    let Ok(request) = http::Request::get(&uri)
        .header("accept", "*/*")
        .header("user-agent", concat!("sansession/", env!("CARGO_PKG_VERSION")))
        .body(Vec::new())
    else {
        return;
    };
    let before = now();
    match transport.send_with(request, SendPolicy { timeout: PATIENCE, max_body: 1 << 20 }) {
        Ok(answer) => {
            if secure {
                trusted(doctor, addresses.iter().find_map(|address| certificate::end(*address, host, PATIENCE)));
            }
            let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
            clock(doctor, date.and_then(Timestamp::from_http_date), before);
        }
        Err(error) => unanswered(doctor, args, &error),
    }
}

/// Reports a certificate that is trusted, and when that ends.
fn trusted(doctor: &mut Doctor, end: Option<Timestamp>) {
    let Some(end) = end else { return doctor.fine("certificate", "is trusted") };
    let days = end.since(now()).as_secs() / 86_400;
    match (end > now(), days) {
        (false, _) => doctor.note("certificate", &format!("is trusted as it is, and has ended on {end}")),
        (true, days) if days < SOON => {
            doctor.note("certificate", &format!("is trusted, and ends in {days} days, on {end}: it has to be renewed"));
        }
        (true, days) => doctor.fine("certificate", &format!("is trusted, for {days} days more, until {end}")),
    }
}

/// Compares the server's clock, which tells whole seconds, with this machine's.
fn clock(doctor: &mut Doctor, date: Option<Timestamp>, before: Timestamp) {
    let Some(date) = date else { return doctor.note("clock", "the server tells no time") };
    let (early, late) = (before.since(date).as_millis(), date.since(now()).as_millis());
    let by = early.saturating_sub(1_000).max(late);
    if by <= u128::from(SKEW) {
        return doctor.fine("clock", "agrees with the server's");
    }
    let which = if late > 0 { "behind" } else { "ahead" };
    let seconds = by / 1_000;
    let words = format!("this machine is {seconds} s {which} of the server: set its clock (timedatectl set-ntp true)");
    doctor.fault("clock", UNAVAILABLE, &words);
}

fn unanswered(doctor: &mut Doctor, args: &Args, error: &SendError) {
    let mut trouble = Trouble::new(args);
    trouble.failed(error);
    let what = if error.failure.kind == FailureKind::Tls { "certificate" } else { "reachable" };
    doctor.fault(what, UNAVAILABLE, &format!("{error}; {}", trouble.unreachable()));
}
