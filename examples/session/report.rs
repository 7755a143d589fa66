//! What the tool prints: lines for people, or JSON.

use std::io::Write;

use sansession::blocking::{SendError, now};
use sansession::{CloseReason, Event, Need, Outgoing, Timestamp};
use serde_json::{Value, json};

/// Prints what happens as it happens.
#[derive(Clone)]
pub struct Report {
    json: bool,
    name: &'static str,
    began: Timestamp,
}

impl Report {
    pub fn new(json: bool, name: &'static str) -> Self {
        Self { json, name, began: now() }
    }

    pub fn sending(&self, outgoing: &Outgoing) {
        let (method, path) = (outgoing.method().as_str(), outgoing.path());
        self.line("send", json!({ "method": method, "path": path }), &format!("-> {method} {path}"));
    }

    pub fn received(&self, status: u16) {
        self.line("response", json!({ "status": status }), &format!("<- {status}"));
    }

    pub fn failed(&self, error: &SendError) {
        let kind = error.failure.kind.code();
        let delivery = format!("{:?}", error.failure.delivery);
        let fields = json!({ "kind": kind, "delivery": delivery, "text": error.to_string() });
        self.line("failure", fields, &format!("<- {error}"));
    }

    pub fn event(&self, event: &Event) {
        let (fields, words) = match event {
            Event::PhaseChanged { from, to } => {
                (json!({ "from": from.code(), "to": to.code() }), format!("{from} -> {to}"))
            }
            Event::Retrying { attempt, at, cause } => {
                let secs = at.since(now()).as_secs_f32();
                let fields = json!({ "attempt": attempt, "at": at.as_millis(), "cause": cause.code() });
                (fields, format!("attempt {attempt} failed ({cause}), the next one in {secs:.1} s"))
            }
            Event::Suspect { cause, shape } => {
                let shape = shape.as_ref().map(ToString::to_string);
                let words = format!("in doubt: {}", shape.clone().unwrap_or_else(|| cause.to_string()));
                (json!({ "cause": cause.code(), "shape": shape }), words)
            }
            Event::ClockSkew { by_millis } => {
                let words = format!("the server's clock differs by {:.1} s", *by_millis as f64 / 1000.0);
                (json!({ "by": by_millis }), words)
            }
            Event::ActionRequired { url, text } => {
                let (url, text) = (url.as_ref().map(ToString::to_string), text.as_ref().map(ToString::to_string));
                let words = format!(
                    "a person must act in a browser: {} {}",
                    text.as_deref().unwrap_or_default(),
                    url.as_deref().unwrap_or_default()
                );
                (json!({ "url": url, "text": text }), words)
            }
            Event::ServerSays(text) => (json!({ "text": text.to_string() }), format!("the server says: {text}")),
            Event::Expired { proof } => (json!({ "proof": proof }), format!("ended at the server: {proof}")),
            Event::Penalty { lasts } => {
                (json!({ "seconds": lasts.as_secs() }), format!("penalty box for {} s", lasts.as_secs()))
            }
            other => (json!({}), other.code().replace('-', " ")),
        };
        self.line(event.code(), fields, &words);
    }

    pub fn need(&self, need: &Need) {
        let mut words = format!("needs {} ({})", need.kind.code(), need.because.code());
        if let Some(url) = &need.url {
            words.push_str(&format!(": open {url}"));
        }
        let fields = json!({
            "need": need.kind.code(), "because": need.because.code(), "refused": need.refused,
            "url": need.url.as_deref(),
        });
        self.line("need", fields, &words);
    }

    pub fn called(&self, path: &str, outcome: &str) {
        self.line("call", json!({ "path": path, "outcome": outcome }), &format!("own call {path}: {outcome}"));
    }

    pub fn saved(&self) {
        self.line("saved", json!({}), "saved");
    }

    pub fn left(&self) {
        self.line("left", json!({}), "left open at the server");
    }

    pub fn closed(&self, reason: &CloseReason) {
        let fields = json!({ "reason": reason.code(), "text": reason.to_string() });
        self.line("closed", fields, &format!("closed: {reason}"));
    }

    /// Says something to people only.
    pub fn say(&self, words: &str) {
        if self.json {
            eprintln!("{words}");
        } else {
            self.words(words);
        }
    }

    fn line(&self, event: &str, mut fields: Value, words: &str) {
        if self.json {
            let mut line = json!({ "t": now().as_millis(), "event": event });
            if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object_mut()) {
                line.append(fields);
            }
            // Whoever closes the pipe no longer wants to know; the session matters more.
            let _ = writeln!(std::io::stdout(), "{line}");
        } else {
            self.words(words);
        }
    }

    fn words(&self, words: &str) {
        let secs = now().since(self.began).as_secs_f32();
        let _ = writeln!(std::io::stdout(), "{:<13}{secs:>7.2} s  {words}", self.name);
    }
}
