//! The flags of the brokerage session.

use crate::wire::{Text, json};
use crate::wire_object;

wire_object! {
    /// What `iserver/auth/status` and `iserver/auth/ssodh/init` answer; [`Standing`](crate::providers::ibkr::Standing) makes sense of it.
    pub struct Status<'a> {
        /// Whether the brokerage session is logged in.
        authenticated: bool = "authenticated",
        /// Whether the back end has sent its login message and loaded the accounts; missing from older bodies.
        established: bool = "established",
        /// Whether another session contests this one. `false` proves nothing: it was seen while a rival held the session.
        competing: bool = "competing",
        /// Whether the gateway is connected to the back end.
        connected: bool = "connected",
        /// A text for people, empty when all is well.
        message: Text<'a> = "message",
        /// The hardware address, whose octets may lack a leading zero (`12:B:B3:23:BF:A0`), see [`mac_octets`].
        mac: Text<'a> = "MAC" | "mac",
        /// The server behind the gateway.
        server_info: ServerInfo<'a> = "serverInfo",
        /// A machine id of eight characters, `|` and the hardware address; since October 2023.
        hardware_info: Text<'a> = "hardware_info",
        /// Why an init was refused, also inside HTTP 200; empty when all is well.
        fail: Text<'a> = "fail",
        /// Questions of the oldest interface.
        prompts: Vec<Text<'a>> = "prompts",
        /// Whether an init went through; only refused and legacy ones have it.
        passed: bool = "passed",
        /// An error inside HTTP 200, such as `no session`.
        error: Text<'a> = "error",
    }
}

wire_object! {
    /// The server behind the gateway; both fields may be `null`.
    pub struct ServerInfo<'a> {
        /// Its name.
        name: Text<'a> = "serverName",
        /// Its version, with the date of the build.
        version: Text<'a> = "serverVersion",
    }
}

impl<'a> Status<'a> {
    /// Gives the text of `fail`, unless it is empty.
    pub fn failure(&self) -> Option<&str> {
        self.fail.as_deref().filter(|fail| !fail.trim().is_empty())
    }

    /// Tells whether `fail` says that the takeover needs consent: "Force compete capability must be used together with compete flag".
    pub fn asks_for_compete(&self) -> bool {
        self.failure().is_some_and(|fail| super::error::contains(fail, "compete"))
    }

    /// Gives the machine id and the hardware address of `hardware_info`.
    pub fn hardware(&self) -> Option<(&str, &str)> {
        self.hardware_info.as_deref()?.split_once('|')
    }

    /// Tells whether the body holds at least one of the flags, and so is a status at all.
    pub const fn is_status(&self) -> bool {
        self.authenticated.is_some() || self.connected.is_some() || self.competing.is_some() || self.passed.is_some()
    }
}

/// Reads a hardware address whose octets may have one digit or two.
pub fn mac_octets(mac: &str) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    let mut parts = mac.split([':', '-']);
    for octet in &mut octets {
        let part = parts.next().filter(|part| matches!(part.len(), 1 | 2) && !part.starts_with('+'))?;
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// What `iserver/reauthenticate` answers.
#[derive(Debug)]
pub enum Reauthenticated<'a> {
    /// `{"message":"triggered"}`: it goes on by itself, the status tells later.
    Triggered,
    /// The flags themselves, as the oldest interface answers.
    Status(Box<Status<'a>>),
}

impl<'a> Reauthenticated<'a> {
    /// Reads a body; `None` where it is neither.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let status: Status<'a> = json(body)?;
        if status.is_status() {
            return Some(Self::Status(Box::new(status)));
        }
        status.message?.eq_ignore_ascii_case("triggered").then_some(Self::Triggered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Status<'_> {
        json(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_documented_status() {
        let status = read(
            r#"{"authenticated":true,"competing":false,"connected":true,"message":"","MAC":"12:B:B3:23:BF:A0",
            "serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p, Dec 5, 2023 5:48:12 PM"},
            "hardware_info":"3b0679ee|98:A2:B3:23:BC:A0","fail":""}"#,
        );
        assert_eq!((status.authenticated, status.connected, status.competing), (Some(true), Some(true), Some(false)));
        assert_eq!((status.established, status.failure()), (None, None));
        assert_eq!(mac_octets(&status.mac.clone().unwrap()), Some([0x12, 0x0B, 0xB3, 0x23, 0xBF, 0xA0]));
        assert_eq!(status.hardware(), Some(("3b0679ee", "98:A2:B3:23:BC:A0")));
        let server = status.server_info.unwrap();
        assert_eq!(server.name.as_deref(), Some("JifN19053"));
        assert_eq!(server.version.as_deref(), Some("Build 10.25.0p, Dec 5, 2023 5:48:12 PM"));
    }

    #[test]
    fn a_session_that_timed_out() {
        let status = read(r#"{"authenticated":false,"competing":false,"connected":false,"MAC":"98:B2:C3:45:DE:F6"}"#);
        assert_eq!((status.authenticated, status.connected), (Some(false), Some(false)));
        assert!(status.server_info.is_none() && status.is_status());
    }

    #[test]
    fn the_newer_status_says_established() {
        let status = read(
            r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":"","MAC":"AA:BB:CC:DD:EE:FF",
            "serverInfo":{"serverName":"TestServer01","serverVersion":"Build 10.44.1d, Mar 3, 2026 1:55:32 PM"},
            "hardware_info":"test1234|AA:BB:CC:DD:EE:FF","fail":""}"#,
        );
        assert_eq!(status.established, Some(true));
    }

    #[test]
    fn a_refused_init_comes_in_two_forms() {
        let status = read(r#"{"passed":false,"authenticated":false,"connected":true,"competing":false}"#);
        assert_eq!((status.passed, status.asks_for_compete()), (Some(false), false));

        let status = read(
            r#"{"authenticated":false,"competing":false,"connected":true,"message":"",
            "serverInfo":{"serverName":null,"serverVersion":null},
            "fail":"Force compete capability must be used together with compete flag"}"#,
        );
        assert!(status.asks_for_compete() && status.passed.is_none());
        assert!(status.server_info.unwrap().name.is_none());
    }

    #[test]
    fn odd_bodies_are_read_as_far_as_they_go() {
        assert!(read(r#"{"serverInfo":null,"authenticated":null}"#).server_info.is_none());
        assert!(!read(r#"{"error":"no session"}"#).is_status());
        assert_eq!(read(r#"{"prompts":["a",1,"b"],"authenticated":false}"#).prompts.unwrap(), ["a", "b"]);
        assert_eq!(read(r#"{"connected":"yes","authenticated":true}"#).connected, None);
    }

    #[test]
    fn what_is_no_hardware_address_is_refused() {
        for mac in ["", "1:2:3:4:5", "1:2:3:4:5:6:7", "1:2:3:4:5:", "001:2:3:4:5:6", "1:2:3:4:5:G", "+1:2:3:4:5:6"] {
            assert_eq!(mac_octets(mac), None, "{mac}");
        }
    }

    #[test]
    fn reauthenticate_is_triggered_or_answers_the_flags() {
        assert!(matches!(Reauthenticated::read(br#"{"message":"triggered"}"#), Some(Reauthenticated::Triggered)));
        let old = Reauthenticated::read(br#"{"authenticated":true,"connected":true,"competing":false,"prompts":[]}"#);
        assert!(matches!(old, Some(Reauthenticated::Status(status)) if status.authenticated == Some(true)));
        for body in [&b"{}"[..], br#"{"message":"later"}"#, b"<html>", b""] {
            assert!(Reauthenticated::read(body).is_none());
        }
    }
}
