//! What a state is called, and what tells it from others of the same name.

use serde_json::{Map, Value};

use super::State;
use crate::{CloseReason, NeedKind, Phase, Provider, Session, Status};

/// Larger numbers are stamps: this is in 1973, and no length of time or count is that large.
pub(super) const STAMP: u64 = 100_000_000_000;

/// A stamp is new for as long as anything is that was answered a moment ago, in milliseconds.
pub(super) const NEW: u64 = 70_000;

/// The name of a state and of its node in the diagram.
pub(super) fn name(status: &Status, asks: Option<NeedKind>, step: Option<&str>, closed: Option<&CloseReason>) -> State {
    if let Some(reason) = closed {
        return State { name: format!("closed, {}", reason.code()), node: "closed".to_owned() };
    }
    let mut name = status.phase.code().to_owned();
    let mut node = name.clone();
    // In an opening it makes no difference to somebody who looks at a table or a diagram.
    if status.suspect && status.phase == Phase::Active {
        name.push_str(", suspect");
        node.push_str(", suspect");
    }
    // What was asked before a logout is asked no more.
    if let Some(kind) = asks.filter(|_| status.phase != Phase::LoggingOut) {
        name.push_str(&format!(", asks for {}", kind.code()));
        node = format!("{}, asks for {}", status.phase.code(), kind.code());
    }
    if let Some(step) = step {
        name.push_str(": ");
        name.push_str(step);
    }
    State { name, node }
}

/// Returns what is known of a session in so far as it tells states apart.
pub(super) fn key<P: Provider>(session: &Session<P>, ignored: &[&str]) -> String {
    let (known, clock) = session.known();
    let mut known = serde_json::to_value(known).unwrap_or_default();
    if let Value::Object(members) = &mut known {
        blur_members(members, clock.as_millis(), ignored);
    }
    known.to_string()
}

fn blur_members(members: &mut Map<String, Value>, clock: u64, ignored: &[&str]) {
    members.retain(|name, _| !ignored.contains(&name.as_str()));
    for value in members.values_mut() {
        blur(value, clock, ignored);
    }
}

fn blur(value: &mut Value, clock: u64, ignored: &[&str]) {
    match value {
        Value::Object(members) => blur_members(members, clock, ignored),
        Value::Array(list) => list.iter_mut().for_each(|value| blur(value, clock, ignored)),
        Value::Number(number) => {
            let word = match number.as_u64() {
                Some(stamp) if stamp > STAMP && stamp > clock => "to come",
                Some(stamp) if stamp > STAMP && clock - stamp < NEW => "new",
                Some(stamp) if stamp > STAMP => "old",
                Some(0) => "0",
                Some(1) => "1",
                _ => "2",
            };
            *value = Value::from(word);
        }
        _ => {}
    }
}
