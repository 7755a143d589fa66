//! What the person at the browser reads.

use crate::machine::ServerText;

/// What became of a request.
pub(super) enum Page {
    /// The redirect was taken.
    Taken,
    /// The server says no.
    Refused(ServerText),
    /// It is not the redirect that is waited for.
    NotOurs,
    /// Nobody waits any more.
    Nobody,
    /// Another path than that of the redirect.
    NoSuchPath,
    /// Another method than `GET`.
    NoSuchMethod,
    /// Another host than that of the redirect.
    OtherHost,
    /// Not a request.
    Unreadable,
    /// More than a redirect has.
    TooLong,
}

impl Page {
    const fn status(&self) -> &'static str {
        match self {
            Self::Taken | Self::Refused(_) => "200 OK",
            Self::NotOurs | Self::Unreadable => "400 Bad Request",
            Self::NoSuchPath => "404 Not Found",
            Self::NoSuchMethod => "405 Method Not Allowed\r\nAllow: GET",
            Self::Nobody => "410 Gone",
            Self::OtherHost => "421 Misdirected Request",
            Self::TooLong => "431 Request Header Fields Too Large",
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::Taken => "Done",
            Self::Refused(_) => "No consent",
            _ => "Nothing done",
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Taken => "The program has the answer. You may close this window.".into(),
            Self::Refused(text) => format!("The server says: {text}"),
            Self::NotOurs => {
                "This is not the answer that the program waits for. Open the address that it shows now.".into()
            }
            Self::Nobody => "No program waits for this answer any more.".into(),
            _ => "This is not the address of the answer.".into(),
        }
    }

    /// Writes the whole answer. It is kept nowhere, loads nothing, and tells no other page where it was.
    pub(super) fn answer(&self) -> String {
        let (status, title, words) = (self.status(), self.title(), escaped(&self.words()));
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{words}</p></html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Writes a text so that HTML shows it as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
