//! What is known of a walked session: the fields of its snapshot, as words that a table can name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::state::{NEW, STAMP};

/// What is known of a session: the path of a field of its snapshot, and a word for its value.
pub(super) type Facts = BTreeMap<String, String>;

/// The word for what is not there, false or zero.
pub(super) const NO: &str = "no";

/// Larger counts are one.
const MANY: u64 = 3;

const MINUTE: u64 = 60_000;

/// Returns the facts of a snapshot.
pub(super) fn facts(snapshot: &str) -> Facts {
    let mut facts = Facts::new();
    let mut text: Value = serde_json::from_str(snapshot).unwrap_or_default();
    let Some(Value::Object(mut session)) = text.get_mut("session").map(Value::take) else { return facts };
    let clock = session.remove("clock").and_then(|clock| clock.as_u64()).unwrap_or_default();
    note_members(&mut facts, "", &session, clock);
    facts
}

/// Notes which plan is due first, and how soon each is.
fn note_plans(facts: &mut Facts, plans: &[Value], clock: u64) {
    let word = |plan: &Value, name: &str| plan.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut first: Option<(u64, String)> = None;
    for plan in plans {
        let at = |name: &str| plan.get(name).and_then(Value::as_u64);
        let due = at("retry").or(at("at")).unwrap_or(u64::MAX);
        let name = format!("{} {}", word(plan, "slot"), word(plan, "step"));
        let name = name.trim_end();
        facts.insert(name.to_owned(), moment(due, clock).to_owned());
        if plan.get("retry").is_some_and(|retry| !retry.is_null()) {
            facts.insert(format!("{name} retried"), "yes".to_owned());
        }
        if first.as_ref().is_none_or(|(known, _)| due < *known) {
            first = Some((due, name.to_owned()));
        }
    }
    if let Some((_, name)) = first {
        facts.insert("due first".to_owned(), name);
    }
}

fn note_members(facts: &mut Facts, path: &str, members: &Map<String, Value>, clock: u64) {
    // Stamps that lead nowhere, and the jitter of a wait.
    let tells =
        |name: &str| !matches!((path, name), ("" | "life.open", "since") | (_, "generation" | "renewed" | "nanos"));
    for (name, value) in members.iter().filter(|(name, _)| tells(name)) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Value::Array(plans) if name == "plans" => note_plans(facts, plans, clock),
            Value::Array(questions) if name == "questions" => {
                // The one that waits stands behind the one before it.
                let mut path = "question".to_owned();
                for question in questions {
                    note(facts, &path, question, clock);
                    path.push_str(".behind");
                }
            }
            value => note(facts, &path, value, clock),
        }
    }
}

fn note(facts: &mut Facts, path: &str, value: &Value, clock: u64) {
    let word = match value {
        Value::Object(members) => {
            facts.insert(tail(path), "yes".to_owned());
            return note_members(facts, path, members, clock);
        }
        Value::Array(list) => {
            // What a list is about stands in its first part, as a name.
            for (place, value) in list.iter().enumerate() {
                let name = value.get("step").or(value.get("api")).or(value.get(0)).and_then(Value::as_str);
                let name = name.map_or_else(|| place.to_string(), str::to_owned);
                note(facts, &format!("{path}.{name}"), value, clock);
            }
            return;
        }
        Value::Null | Value::Bool(false) => NO.to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::String(text) => written(text),
        Value::Number(number) => match number.as_u64() {
            Some(0) => NO.to_owned(),
            Some(stamp) if stamp > STAMP => moment(stamp, clock).to_owned(),
            Some(count) if count < MANY => count.to_string(),
            _ => format!("{MANY}+"),
        },
    };
    facts.insert(tail(path), word);
}

/// Returns the last two names of a path, by which a field is found.
fn tail(path: &str) -> String {
    let mut names: Vec<&str> = path.rsplit('.').take(2).filter(|name| *name != "state").collect();
    names.reverse();
    names.join(".")
}

/// Returns the name of a variant; of any other text, only that it is there.
fn written(text: &str) -> String {
    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    if is_name { text.to_owned() } else { "yes".to_owned() }
}

/// Reports whether a word is one of those that say how far away an instant is.
pub(super) fn is_moment(word: &str) -> bool {
    word.starts_with("in a") || word.ends_with(" ago") || matches!(word, "now" | "later" | "never")
}

/// Says how far away an instant is.
fn moment(at: u64, clock: u64) -> &'static str {
    match at.checked_sub(clock) {
        Some(0) => "now",
        Some(ahead) if at == u64::MAX || ahead > STAMP => "never",
        Some(ahead) if ahead <= MINUTE => "in a minute",
        Some(ahead) if ahead <= 60 * MINUTE => "in an hour",
        Some(ahead) if ahead <= 24 * 60 * MINUTE => "in a day",
        Some(_) => "later",
        None if clock - at <= NEW => "a minute ago",
        None if clock - at <= 60 * MINUTE => "an hour ago",
        None if clock - at <= 24 * 60 * MINUTE => "a day ago",
        None => "long ago",
    }
}
