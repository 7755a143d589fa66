//! What the tool prints: lines for people, or JSON.

use std::io::Write;

use sansession::blocking::{Handle, SendError, now};
use sansession::{CloseReason, Event, Need, Outgoing, Timestamp};
use serde_json::{Value, json};

use crate::line::Line;
use crate::listen::Listening;

/// Prints what happens as it happens.
#[derive(Clone)]
pub struct Report {
    json: bool,
    name: &'static str,
    began: Timestamp,
    /// Whether standard output belongs to somebody else.
    aside: bool,
    line: Option<Line>,
}

impl Report {
    pub fn new(json: bool, name: &'static str) -> Self {
        Self { json, name, began: now(), aside: false, line: None }
    }

    /// Leaves standard output to a command and writes to standard error.
    pub fn aside(self) -> Self {
        Self { aside: true, ..self }
    }

    /// Shows, on a terminal, where the session stands.
    pub fn show(&mut self, handle: &Handle) {
        if !self.json && !self.aside {
            self.line = Line::new();
        }
        if let Some(line) = &self.line {
            line.show(handle);
        }
    }

    /// Leaves the terminal to somebody who types, or to whoever comes after this program.
    pub fn hide(&self, hidden: bool) {
        if let Some(line) = &self.line {
            line.hide(hidden);
        }
    }

    pub fn sending(&self, outgoing: &Outgoing) {
        let (method, path) = (outgoing.method().as_str(), outgoing.path());
        self.line("send", json!({ "method": method, "path": path }), &format!("-> {method} {path}"));
    }

    pub fn received(&self, status: u16) {
        self.answered(&status.to_string());
        self.line("response", json!({ "status": status }), &format!("<- {status}"));
    }

    pub fn failed(&self, error: &SendError) {
        let kind = error.failure.kind.code();
        self.answered(kind);
        let delivery = format!("{:?}", error.failure.delivery);
        let fields = json!({ "kind": kind, "delivery": delivery, "text": error.to_string() });
        self.line("failure", fields, &format!("<- {error}"));
    }

    pub fn event(&self, event: &Event) {
        if let Some(line) = &self.line {
            match event {
                Event::Retrying { attempt, .. } => line.retries(u32::from(*attempt)),
                Event::PhaseChanged { .. } | Event::KeptAlive | Event::Recovered => line.retries(0),
                _ => {}
            }
        }
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

    /// Tells where other programs may send their calls. A secret that the user has not chosen is told
    /// too, unless it is in a file.
    pub fn listening(&self, listening: &Listening, in_file: bool) {
        let url = &listening.url;
        let secret = (!listening.chosen && !in_file).then(|| listening.secret.expose());
        self.line("listening", json!({ "url": url, "secret": secret }), &format!("listening at {url}"));
        if let (Some(secret), false) = (secret, self.json) {
            self.hint(&format!("each call needs the header X-Sansession-Secret: {secret}"));
        }
    }

    pub fn started(&self, command: &str) {
        self.line("started", json!({ "command": command }), &format!("started {command}"));
    }

    pub fn ended(&self, code: u8) {
        self.line("ended", json!({ "code": code }), &format!("the command ended with {code}"));
    }

    /// Tells people what to do next.
    pub fn hint(&self, words: &str) {
        match &self.line {
            Some(line) => line.above(|out| drop(writeln!(out, "session: {words}"))),
            None => eprintln!("session: {words}"),
        }
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
            self.write(&line);
        } else {
            self.words(words);
        }
    }

    fn words(&self, words: &str) {
        let secs = now().since(self.began).as_secs_f32();
        self.write(&format_args!("{:<13}{secs:>7.2} s  {words}", self.name));
    }

    /// Whoever closes the pipe no longer wants to know; the session matters more.
    fn write(&self, text: &dyn std::fmt::Display) {
        let _ = match &self.line {
            Some(line) => {
                line.above(|out| drop(writeln!(out, "{text}")));
                Ok(())
            }
            None if self.aside => writeln!(std::io::stderr(), "{text}"),
            None => writeln!(std::io::stdout(), "{text}"),
        };
    }

    fn answered(&self, how: &str) {
        if let Some(line) = &self.line {
            line.answered(how);
        }
    }
}
