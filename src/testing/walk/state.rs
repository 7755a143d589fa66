//! What a state is called, and what tells it from others of the same name.

use serde_json::{Map, Value};

use super::State;
use crate::{CloseReason, Phase, Status};

/// Larger numbers are stamps: this is in 1973, and no length of time or count is that large.
const STAMP: u64 = 100_000_000_000;

/// A stamp is new for as long as anything is that was answered a moment ago, in milliseconds.
const NEW: u64 = 70_000;

/// Names a state and its node in the diagram.
pub(super) fn name(status: &Status, text: &Value, step: Option<&str>, closed: Option<&CloseReason>) -> State {
    if let Some(reason) = closed {
        return State { name: format!("closed, {}", reason.code()), node: "closed".to_owned() };
    }
    let known = text.get("session").and_then(Value::as_object);
    let known = |field: &str| known.and_then(|known| known.get(field));
    let mut name = status.phase.code().to_owned();
    let mut node = name.clone();
    // In an opening it makes no difference to somebody who looks at a table or a diagram.
    if status.suspect && status.phase == Phase::Active {
        name.push_str(", suspect");
        node.push_str(", suspect");
    }
    // What was asked before a logout is asked no more.
    let open = known("need").filter(|_| status.phase != Phase::LoggingOut);
    let kind = open.and_then(|open| open.pointer("/need/kind")).and_then(Value::as_str);
    if let Some(kind) = kind.map(kebab) {
        name.push_str(&format!(", asks for {kind}"));
        node = format!("{}, asks for {kind}", status.phase.code());
    }
    if let Some(step) = step {
        name.push_str(": ");
        name.push_str(step);
    }
    State { name, node }
}

/// Gives what is known of a session in so far as it tells states apart.
pub(super) fn key(mut text: Value, ignored: &[&str]) -> String {
    let clock = text.pointer("/session/clock").and_then(Value::as_u64).unwrap_or_default();
    let Some(Value::Object(known)) = text.get_mut("session") else { return String::new() };
    // When things happened, and how often in all, leads nowhere else,
    for field in [
        "clock",
        "since",
        "needs",
        "generation",
        "flow",
        "cause",
        "refused_at",
        "alive",
        "renewed",
        "trouble",
        "attempt",
    ] {
        known.remove(field);
    }
    // and of these it is enough that they are there.
    for field in ["opened", "ending", "check_at"] {
        if let Some(value) = known.get_mut(field) {
            *value = Value::Bool(true);
        }
    }
    for field in ["hold", "penalty", "code_spent"] {
        if known.get(field).and_then(Value::as_u64).is_none_or(|until| until <= clock) {
            known.remove(field);
        }
    }
    for field in ["due", "keepalive"] {
        if let Some(Value::Object(plan)) = known.get_mut(field) {
            plan.retain(|name, _| name == "step");
        }
    }
    // Refused and lost answers are counted together, and a pace is held or not.
    let count_in = |known: &Value, field: &str| known.get(field).and_then(Value::as_u64).unwrap_or_default();
    let count = |field: &str| known.get(field).and_then(Value::as_u64).unwrap_or_default();
    let (refused, lost) = (count("refused"), count("lost"));
    known.insert("lost".to_owned(), Value::from(refused + lost));
    known.insert("refused".to_owned(), Value::Bool(refused > 0));
    // Of which kind they were tells who is to blame, and little else.
    if let Some(tally) = known.remove("tally") {
        let tried = tally.get("tried").and_then(Value::as_array);
        let refused = tried.into_iter().flatten().filter(|tried| count_in(tried, "refused") > 0);
        let kinds: Vec<Value> = refused.filter_map(|tried| tried.get("kind").cloned()).collect();
        known.insert("tally".to_owned(), Value::Array(kinds));
    }
    if let Some(Value::Array(paces)) = known.get_mut("paces") {
        paces.retain(|pace| pace.get("tries").and_then(Value::as_u64) > Some(0));
        for pace in paces {
            *pace = pace.get("step").cloned().unwrap_or_default();
        }
    }
    if known.contains_key("ending") {
        for field in ["refused", "lost", "tally", "relogins", "paces"] {
            known.remove(field);
        }
    }
    if known.get("leaving").and_then(Value::as_bool) == Some(true) {
        known.remove("state");
    }
    if let Some(Value::Array(relogins)) = known.get_mut("relogins") {
        relogins.retain(|value| value.as_u64().is_some_and(|count| count < STAMP));
    }
    if let Some(Value::Object(open)) = known.get_mut("need") {
        open.remove("poll");
    }
    if let Some(Value::Object(need)) = known.get_mut("need").and_then(|open| open.get_mut("need")) {
        need.remove("id");
        need.remove("refused");
        need.remove("lost");
    }
    let mut known = core::mem::take(known);
    blur_members(&mut known, clock, ignored);
    Value::Object(known).to_string()
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
                Some(stamp) if stamp > STAMP && stamp > clock => "ahead",
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

/// Writes `AccessCode` as `access-code`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(character.to_lowercase());
    }
    text
}
