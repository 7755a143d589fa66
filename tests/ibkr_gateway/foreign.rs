//! Servers that are no gateway of IBKR's: the opening ends and says what was found.

use sansession::CloseReason;

use super::*;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const BASIC: &[(&str, &str)] = &[("content-type", "application/json"), ("www-authenticate", "Basic realm=\"x\"")];
const AIRPLAY: &[(&str, &str)] = &[("server", "AirTunes/775.3.1")];

#[test]
fn what_is_not_ibkrs_ends_the_opening() {
    for (status, headers, body, found) in [
        (200, HTML, "<!doctype html><title>Router</title>", "text/html, 36 bytes"),
        (200, TEXT, "hello", "text/plain"),
        (200, JSON, r#"{"version":"1.2","uptime":12}"#, "JSON {version: string, uptime: number}"),
        (200, JSON, "[1,2]", "JSON array"),
        (200, JSON, "", "0 bytes"),
        (204, &[], "", "status 204"),
        (404, JSON, r#"{"message":"no route"}"#, "is the base URL right"),
        (404, HTML, "<html>", "is the base URL right"),
        (405, TEXT, "", "status 405"),
        (400, TEXT, "The plain HTTP request was sent to HTTPS port", "status 400"),
        (418, TEXT, "", "status 418"),
        (301, &[("location", "https://example.org/login")], "", "leads to no login"),
        (403, AIRPLAY, "", "AirPlay"),
        (403, &[], "", "status 403"),
        (403, JSON, r#"{"message":"Missing Authentication Token"}"#, "JSON {message: string}"),
        (401, BASIC, "", "HTTP authentication"),
        (401, JSON, r#"{"message":"Unauthorized"}"#, "JSON {message: string}"),
    ] as [(u16, &[(&str, &str)], &str, &str); 17]
    {
        let mut story = opening().sends(STATUS).gets_as(status, headers, body).closes("protocol");
        let Output::Closed(CloseReason::Protocol(shape)) = story.poll() else { panic!("{body}") };
        assert!(shape.to_string().contains(found), "{status} {body}: {shape}");
    }
}

#[test]
fn an_address_that_the_gateway_refuses_is_no_foreign_server() {
    for (headers, body) in [(TEXT, "Access Denied"), (HTML, "<HTML><TITLE>Access Denied</TITLE></HTML>")] {
        opening().sends(STATUS).gets_as(403, headers, body).closes("denied.ip-not-allowed");
    }
}

#[test]
fn an_open_session_survives_a_foreign_answer() {
    for (status, headers) in
        [(403, AIRPLAY), (401, BASIC), (404, HTML), (301, &[("location", "https://example.org")][..])]
    {
        let story = active().sleeps().sends(TICKLE).gets_as(status, headers, "");
        let mut story = story.is_not_closed();
        lives(&mut story, 5 * MINUTE, |_, path| flags_for(path, READY));
        story.is(Phase::Active);
    }
}

trait Lives {
    fn is_not_closed(self) -> Self;
}

impl Lives for Story {
    fn is_not_closed(self) -> Self {
        assert_ne!(self.machine.phase(), Phase::Closed);
        self
    }
}
