//! What can be read of a request by whoever sees it: path, query, headers and body, as written and decoded.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Request, Uri};
use serde_json::Value;

/// The texts of a request.
pub(super) struct Wire(Vec<String>);

impl Wire {
    pub(super) fn of(request: &Request<Vec<u8>>) -> Self {
        let mut texts = Self::head(request.uri(), request.headers());
        let body = String::from_utf8_lossy(request.body()).into_owned();
        texts.push(unescaped(&body));
        match serde_json::from_str(&body) {
            Ok(value) => strings(value, &mut texts),
            Err(_) => texts.extend(base64(&body)),
        }
        texts.push(body);
        Self(texts)
    }

    fn head(uri: &Uri, headers: &HeaderMap) -> Vec<String> {
        let uri = uri.to_string();
        let mut texts = vec![unescaped(&uri), uri];
        for value in headers.values() {
            texts.extend(readings(value));
        }
        texts
    }

    /// Reports whether a value is in it, however it is written.
    pub(super) fn holds(&self, value: &str) -> bool {
        self.0.iter().any(|text| text.contains(value))
    }
}

/// Returns the name of a header that shows a value and is not marked as sensitive.
pub(super) fn bare(headers: &HeaderMap, mut secret: impl FnMut(&str) -> bool) -> Option<&str> {
    let shows = |value: &HeaderValue| readings(value).iter().any(|text| secret(text));
    let mut headers = headers.iter().filter(|(_, value)| !value.is_sensitive());
    let mut shows = shows;
    headers.find(|(_, value)| shows(value)).map(|(name, _)| name.as_str())
}

/// Reads a header as it is, without escapes, and what of it is Base64, as in Basic authentication.
fn readings(value: &HeaderValue) -> Vec<String> {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut texts = vec![unescaped(&text)];
    texts.extend(text.split([' ', ',', ';', '"']).flat_map(base64));
    texts.push(text);
    texts
}

fn base64(text: &str) -> Option<String> {
    let text = text.trim();
    // Shorter ones are words.
    let decoded =
        if text.len() < 8 { None } else { STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok() };
    String::from_utf8(decoded?).ok()
}

/// Undoes the escapes of queries and forms.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|hex| u8::from_str_radix(core::str::from_utf8(hex).ok()?, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Gathers the strings of a JSON text, whose escapes are undone.
fn strings(value: Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.into_iter().for_each(|value| strings(value, texts)),
        Value::Object(members) => members.into_iter().for_each(|(_, value)| strings(value, texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "p&ss \"word\"/1";

    fn holds(request: http::request::Builder, body: &str) -> bool {
        Wire::of(&request.body(body.as_bytes().to_vec()).unwrap()).holds(SECRET)
    }

    #[test]
    fn a_value_is_found_wherever_it_is_and_however_it_is_written() {
        let escaped = "p%26ss+%22word%22%2F1";
        assert!(holds(Request::get("/"), &format!("a=1&pin={escaped}")));
        assert!(holds(Request::get(format!("/login?pin={escaped}")), ""));
        assert!(holds(Request::get("/"), r#"{"given":[{"pin":"p&ss \"word\"\/1"}]}"#));
        assert!(holds(Request::get("/").header("x-pin", SECRET), ""));
        let basic = format!("Basic {}", STANDARD.encode(format!("ann:{SECRET}")));
        assert!(holds(Request::get("/").header("authorization", basic), ""));
        assert!(holds(Request::get("/"), &STANDARD.encode(SECRET)));
        assert!(!holds(Request::get("/?pin=p%26ss").header("x-pin", "word"), "p&ss"));
    }

    #[test]
    fn a_header_that_shows_a_value_is_named_unless_it_is_marked() {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("*/*"));
        let mut value = HeaderValue::from_static("Bearer token-1");
        headers.insert("authorization", value.clone());
        assert_eq!(bare(&headers, |text| text.contains("token-1")), Some("authorization"));
        value.set_sensitive(true);
        headers.insert("authorization", value);
        assert_eq!(bare(&headers, |text| text.contains("token-1")), None);
    }
}
