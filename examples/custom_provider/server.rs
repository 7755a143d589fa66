//! The server of the provider, simulated: as strict as the real one, a pure function of request and time.

use std::net::IpAddr;
use std::time::Duration;

use http::{Request, Response};
use sansession::Timestamp;
use sansession::sim::{Reply, Simulator};

/// Without a knock the door shuts itself after so long.
const SHUTS_AFTER: Duration = Duration::from_secs(300);

/// A door with the PIN `4711`.
#[derive(Default)]
pub struct DoorServer {
    opened: u32,
    knocked: Option<Timestamp>,
}

impl Simulator for DoorServer {
    fn handle(&mut self, now: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("");
        let open = self.knocked.is_some_and(|at| now.since(at) < SHUTS_AFTER) && given == format!("t-{}", self.opened);
        let (status, body) = match (request.method().as_str(), request.uri().path()) {
            ("POST", "/door") if given == "4711" => {
                self.opened += 1;
                self.knocked = Some(now);
                (200, format!(r#"{{"door":"open","token":"t-{}"}}"#, self.opened))
            }
            ("GET", _) if open => {
                self.knocked = Some(now);
                (200, r#"{"door":"open"}"#.to_owned())
            }
            ("DELETE", "/door") if open => {
                self.knocked = None;
                (200, r#"{"door":"shut"}"#.to_owned())
            }
            _ => (403, r#"{"door":"shut"}"#.to_owned()),
        };
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        Reply::new(response)
    }
}
