//! The lines of `--json`: what they are called and what is in them. `examples/timeline` reads and writes them too.

use sansession::{CloseReason, Event, Need, Outgoing, Timestamp};
use serde_json::{Value, json};

/// Creates a line: when it was, whose session, what happened, and the fields that go with it.
pub fn line(now: Timestamp, provider: &str, event: &str, mut fields: Value) -> Value {
    let mut line = json!({ "t": now.as_millis(), "provider": provider, "event": event });
    if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object_mut()) {
        line.append(fields);
    }
    line
}

/// What is told of a request, as `send`.
pub fn sent(outgoing: &Outgoing) -> Value {
    json!({ "method": outgoing.method().as_str(), "path": outgoing.path() })
}

/// What is told of an event, as its code.
pub fn event(event: &Event) -> Value {
    match event {
        Event::PhaseChanged { from, to } => json!({ "from": from.code(), "to": to.code() }),
        Event::Retrying { attempt, at, cause } => {
            json!({ "attempt": attempt, "at": at.as_millis(), "cause": cause.code() })
        }
        Event::Suspect { cause, shape } => {
            json!({ "cause": cause.code(), "shape": shape.as_ref().map(ToString::to_string) })
        }
        Event::ClockSkew { by_millis } => json!({ "by": by_millis }),
        Event::ActionRequired { url, text } => {
            let [url, text] = [url, text].map(|text| text.as_ref().map(ToString::to_string));
            json!({ "url": url, "text": text })
        }
        Event::IpNotAllowed { text } => json!({ "text": text.as_ref().map(ToString::to_string) }),
        Event::BaseUrlAssumed { url } => json!({ "url": url }),
        Event::Limited { api, lasts } => json!({ "api": api, "seconds": lasts.as_secs() }),
        Event::ServerSays(text) => json!({ "text": text.to_string() }),
        Event::Expired { proof } => json!({ "proof": proof }),
        Event::Penalty { lasts } => json!({ "seconds": lasts.as_secs() }),
        _ => json!({}),
    }
}

/// What is told of a question, as `need`.
pub fn need(need: &Need) -> Value {
    json!({
        "need": need.kind.code(), "because": need.because.code(), "refused": need.refused,
        "lost": need.lost,
        "url": need.url.as_deref(),
        "user_code": need.prompt.as_ref().and_then(|prompt| prompt.user_code.as_deref()),
    })
}

/// What is told of the end, as `closed`.
pub fn closed(reason: &CloseReason) -> Value {
    let resumable = matches!(reason, CloseReason::GivenUp(_));
    json!({ "reason": reason.code(), "text": reason.to_string(), "resumable": resumable })
}
