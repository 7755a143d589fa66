//! Requests of clients that others wrote, byte for byte as they left them, for the tests of the simulators.
//!
//! Each was recorded with the client's own code, its clock and randomness stood still. `### 200` before a request
//! is the status that it got.

use core::net::{IpAddr, Ipv4Addr};

use http::{Request, Response};

use super::server::request::received;
use super::{Arrival, Simulator};
use crate::Timestamp;

/// Where the recorded requests went to: part of what some of them sign.
const ARRIVAL: Arrival =
    Arrival { scheme: "http", address: core::net::SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 18_731) };

/// Sends all requests of a recording, each some seconds after the other; returns the answers.
///
/// # Panics
/// Where one is answered with another status than the recording has.
pub(crate) fn replay(
    simulator: &mut impl Simulator,
    mut now: Timestamp,
    pause: core::time::Duration,
    recording: &str,
) -> Vec<Response<Vec<u8>>> {
    let answers = requests(recording).into_iter().map(|(status, request)| {
        now = now + pause;
        let reply = simulator.handle(now, ARRIVAL.address.ip(), &request);
        let body = String::from_utf8_lossy(reply.response.body());
        assert_eq!(reply.response.status(), status, "{} {}: {body}", request.method(), request.uri());
        reply.response
    });
    answers.collect()
}

/// Reads a recording, in which lines end with `\n` alone.
fn requests(recording: &str) -> Vec<(u16, Request<Vec<u8>>)> {
    let parts = recording.split("### ").skip(1).map(|part| {
        let (status, request) = part.split_once('\n').unwrap();
        let (head, body) = request.split_once("\n\n").unwrap();
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let body = &body[..length.unwrap_or(0)];
        let bytes = format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"));
        (status.trim().parse().unwrap(), received(bytes.as_bytes(), ARRIVAL))
    });
    parts.collect()
}
