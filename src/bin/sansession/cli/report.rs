//! What the tool prints: lines for people, or JSON.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansession::drive::{Handle, SendError, now};
use sansession::{CloseReason, Event, Need, Outgoing, Timestamp};
use serde_json::{Value, json};

use crate::cli::args::Args;
use crate::cli::line::Line;
use crate::cli::proxy::Listening;
use crate::cli::{notify, out, told};

/// Prints what happens as it happens.
#[derive(Clone)]
pub struct Report {
    json: bool,
    name: &'static str,
    /// The profile, where there is one.
    profile: Option<String>,
    began: Timestamp,
    /// Whether standard output belongs to somebody else.
    aside: bool,
    /// Whether people want to hear of nothing but trouble.
    quiet: bool,
    /// Whether they want to see requests.
    verbose: bool,
    /// The request that is under way.
    sent: Arc<Mutex<Option<(String, Timestamp)>>>,
    line: Option<Line>,
}

impl Report {
    pub fn new(args: &Args) -> Self {
        let (quiet, aside) = (args.task.is_quiet(), args.task.prints());
        let (json, verbose, name) = (args.json, args.verbose, args.provider.name());
        let profile = args.place.as_ref().map(|place| place.name.clone());
        Self { json, name, profile, began: now(), aside, quiet, verbose, sent: Arc::default(), line: None }
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
        *self.sent() = Some((format!("{} {}", outgoing.method(), outgoing.path()), now()));
        self.told("send", told::sent(outgoing));
    }

    pub fn received(&self, status: u16) {
        self.answered(&status.to_string());
        self.told("response", json!({ "status": status }));
        self.exchanged(&status.to_string());
    }

    pub fn failed(&self, error: &SendError) {
        let kind = error.failure.kind.code();
        self.answered(kind);
        let delivery = format!("{:?}", error.failure.delivery);
        let fields = json!({ "kind": kind, "delivery": delivery, "text": error.to_string() });
        self.told("failure", fields);
        self.exchanged(&error.to_string());
    }

    /// Shows people a request and how it ended.
    fn exchanged(&self, how: &str) {
        if let Some((request, at)) = self.sent().take()
            && self.verbose
            && !self.json
        {
            self.words(&format!("{request} {how} {} ms", now().since(at).as_millis()));
        }
    }

    fn sent(&self) -> MutexGuard<'_, Option<(String, Timestamp)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn event(&self, event: &Event) {
        if let Some(line) = &self.line {
            match event {
                Event::Retrying { attempt, .. } => line.retries(u32::from(*attempt)),
                Event::PhaseChanged { .. } | Event::KeptAlive | Event::Recovered => line.retries(0),
                _ => {}
            }
        }
        let words = match event {
            Event::PhaseChanged { from, to } => format!("{from} -> {to}"),
            Event::Retrying { attempt, at, cause } => {
                let secs = at.since(now()).as_secs_f32();
                format!("attempt {attempt} failed ({cause}), the next one in {secs:.1} s")
            }
            Event::Suspect { cause, shape } => {
                format!("in doubt: {}", shape.as_ref().map_or_else(|| cause.to_string(), ToString::to_string))
            }
            Event::ClockSkew { by_millis } => {
                format!("the server's clock differs by {:.1} s", *by_millis as f64 / 1000.0)
            }
            Event::ActionRequired { url, text } => {
                let [text, url] = [text, url].map(|words| words.as_ref().map(ToString::to_string).unwrap_or_default());
                format!("a person must act in a browser: {text} {url}")
            }
            Event::IpNotAllowed { text } => {
                let why = text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
                format!("calls are refused to this machine's address{why}; have it listed, then log in anew from here")
            }
            Event::BaseUrlAssumed { url } => format!("the server does not say where calls go; they go to {url}"),
            Event::Limited { api, lasts } => format!("too many calls of {api}: none for {} s", lasts.as_secs()),
            Event::ServerSays(text) => format!("the server says: {text}"),
            Event::Stuck => "stuck: the login lives, and no usable session comes of it".into(),
            Event::Expired { proof } => format!("ended at the server: {proof}"),
            Event::Penalty { lasts } => format!("penalty box until {} ({} s)", now() + *lasts, lasts.as_secs()),
            other => other.code().replace('-', " "),
        };
        notify::status(&words);
        self.line(event.code(), told::event(event), &words);
    }

    pub fn need(&self, need: &Need) {
        let mut words = format!("needs {} ({})", need.kind.code(), need.because.code());
        if let Some(url) = &need.url {
            words.push_str(&format!(": open {url}"));
        }
        if let Some(code) = need.prompt.as_ref().and_then(|prompt| prompt.user_code.as_ref()) {
            words.push_str(&format!(" and type {code}"));
        }
        notify::status(&words);
        match need.url {
            // Somebody has to do something.
            Some(_) if self.quiet && !self.json => self.hint(&words),
            _ => self.line("need", told::need(need), &words),
        }
    }

    /// Reports a call that went through the proxy; people who have not asked have the line at the bottom.
    pub fn called(&self, method: &http::Method, path: &str, status: u16, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let path = path.split('?').next().unwrap_or_default();
        if self.json {
            self.told("call", json!({ "method": method.as_str(), "path": path, "status": status, "millis": took }));
        } else if self.verbose {
            self.words(&format!("{method} {path} {status} {took} ms"));
        }
    }

    /// Reports where other programs may send their calls. A secret that the user has not chosen is told
    /// too, unless it is in a file.
    pub fn listening(&self, listening: &Listening, in_file: bool) {
        let url = &listening.url;
        let secret = (!listening.chosen && !in_file).then(|| listening.secret.expose());
        let mut fields = json!({ "url": url, "secret": secret });
        let mut words = format!("listening at {url}");
        if let (Some(fingerprint), Some(fields)) = (listening.fingerprint, fields.as_object_mut()) {
            let fingerprint = fingerprint.to_string();
            words.push_str(&format!(", certificate SHA-256 {fingerprint} (--print-ca shows whom to trust)"));
            fields.insert("fingerprint".into(), fingerprint.into());
        }
        self.line("listening", fields, &words);
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
            Some(line) => line.above(&format!("sansession: {words}")),
            None => eprintln!("sansession: {words}"),
        }
    }

    pub fn saved(&self) {
        self.line("saved", json!({}), "saved");
    }

    pub fn left(&self) {
        self.line("left", json!({}), "left open at the server");
    }

    pub fn closed(&self, reason: &CloseReason) {
        let fine = matches!(reason, CloseReason::LoggedOut { confirmed: true } | CloseReason::Left);
        if self.quiet && !self.json && !fine {
            return self.hint(&reason.to_string());
        }
        self.line("closed", told::closed(reason), &format!("closed: {reason}"));
    }

    /// Says what came of it, to people who hear nothing else.
    pub fn result(&self, words: &str) {
        if self.quiet && !self.json && !self.aside {
            self.write(&format_args!("{}: {words}", self.profile.as_deref().unwrap_or(self.name)));
        }
    }

    /// Says something to people only.
    pub fn say(&self, words: &str) {
        if self.json || self.quiet {
            eprintln!("{words}");
        } else {
            self.words(words);
        }
    }

    fn line(&self, event: &str, fields: Value, words: &str) {
        self.told(event, fields);
        if !self.json && !self.quiet {
            self.words(words);
        }
    }

    /// Reports programs alone.
    fn told(&self, event: &str, fields: Value) {
        if self.json {
            self.write(&told::line(now(), self.name, event, fields));
        }
    }

    fn words(&self, words: &str) {
        let secs = now().since(self.began).as_secs_f32();
        self.write(&format_args!("{:<13}{secs:>7.2} s  {words}", self.profile.as_deref().unwrap_or(self.name)));
    }

    fn write(&self, text: &dyn std::fmt::Display) {
        match &self.line {
            Some(line) => line.above(&text.to_string()),
            None if self.aside => out::aside(&text.to_string()),
            None => out::write(&format!("{text}\n")),
        }
    }

    fn answered(&self, how: &str) {
        if let Some(line) = &self.line {
            line.answered(how);
        }
    }
}
