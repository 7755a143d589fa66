//! Finds the crates whose types or traits a library's public interface names, and holds them against a list.
//!
//! ```sh
//! export JSON=$PWD/target/api.json RUSTDOC=$PWD/tools/foreign_types/rustdoc
//! cargo rustdoc --lib -- -Z unstable-options --output-format json
//! cargo run -p foreign_types -- $JSON http serde_core
//! ```
//!
//! A new major version of such a crate is a new major version of the library. It reads rustdoc's JSON as plain
//! JSON, by the few names that have stayed the same, since the typed readers are bound to one compiler each.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use serde_json::Value;

/// The standard library, under its names.
const STANDARD: [&str; 5] = ["std", "core", "alloc", "proc_macro", "test"];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(path) = args.next() else { return complain("which JSON of rustdoc's?") };
    let allowed: BTreeSet<String> = args.collect();
    let json = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let json = json.and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    match json.and_then(|json| foreign(&json)) {
        Err(error) => complain(&format!("{path}: {error}")),
        Ok(found) => {
            let wrong = wrong(&found, &allowed);
            for line in &wrong {
                eprintln!("error: {line}");
            }
            println!("the public interface names {}", found.keys().cloned().collect::<Vec<_>>().join(", "));
            if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn complain(words: &str) -> ExitCode {
    eprintln!("foreign_types: {words}");
    ExitCode::from(2)
}

/// What differs between that which was found and that which is allowed.
fn wrong(found: &Foreign, allowed: &BTreeSet<String>) -> Vec<String> {
    let unlisted = found.iter().filter(|(name, _)| !allowed.contains(*name));
    let unlisted = unlisted.flat_map(|(_, uses)| uses.iter().map(|(item, what)| format!("{item} shows {what}")));
    let unused = allowed.iter().filter(|name| !found.contains_key(*name));
    unlisted.chain(unused.map(|name| format!("{name} is on the list and not shown anywhere"))).collect()
}

/// By crate: which item shows what.
type Foreign = BTreeMap<String, BTreeSet<(String, String)>>;

/// Finds the foreign types and traits in rustdoc's JSON.
fn foreign(json: &Value) -> Result<Foreign, String> {
    let section = |name: &str| json[name].as_object().ok_or(format!("it has no {name:?}: not rustdoc's JSON"));
    let (index, paths, crates) = (section("index")?, section("paths")?, section("external_crates")?);
    let mut found = Foreign::new();
    for (id, item) in index {
        // The items of other crates are there too, and those that the compiler gives to every type.
        let made = &item["inner"]["impl"];
        if item["crate_id"] != 0 || made["is_synthetic"] == true || !made["blanket_impl"].is_null() {
            continue;
        }
        let mut ids = Vec::new();
        named(&item["inner"], &mut ids);
        for path in ids.iter().filter_map(|id| paths.get(id)) {
            let Some(name) = crates.get(&path["crate_id"].to_string()).and_then(|entry| entry["name"].as_str()) else {
                continue;
            };
            if !STANDARD.contains(&name) {
                found.entry(name.to_owned()).or_default().insert((describe(id, item, json), joined(path)));
            }
        }
    }
    if index.values().all(|item| item["crate_id"] != 0) {
        return Err("it has no items of its own: not rustdoc's JSON, or of a new format".into());
    }
    Ok(found)
}

/// Collects the ids that a signature names: of types and traits with their path, and of re-exports.
fn named(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("path") || fields.contains_key("source") {
                match fields.get("id") {
                    Some(Value::String(id)) => ids.push(id.clone()),
                    Some(Value::Number(id)) => ids.push(id.to_string()),
                    _ => {}
                }
            }
            fields.values().for_each(|value| named(value, ids));
        }
        Value::Array(values) => values.iter().for_each(|value| named(value, ids)),
        _ => {}
    }
}

fn describe(id: &str, item: &Value, json: &Value) -> String {
    let made = &item["inner"]["impl"];
    if !made.is_null() {
        let of = &made["for"]["resolved_path"]["path"];
        let of = of.as_str().unwrap_or("a type");
        return made["trait"]["path"].as_str().map_or(format!("impl {of}"), |name| format!("impl {name} for {of}"));
    }
    match json["paths"].get(id) {
        Some(path) => joined(path),
        None => {
            let line = &item["span"]["begin"][0];
            let (name, file) = (item["name"].as_str().unwrap_or("?"), item["span"]["filename"].as_str().unwrap_or("?"));
            format!("{name} ({file}:{line})")
        }
    }
}

fn joined(path: &Value) -> String {
    let parts = path["path"].as_array().into_iter().flatten().filter_map(Value::as_str);
    parts.collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        let path = |id: u32| json!({ "resolved_path": { "path": "there::Thing", "id": id, "args": null } });
        json!({
            "index": {
                "1": { "crate_id": 0, "name": "shown", "span": { "filename": "src/a.rs", "begin": [7, 1] },
                    "inner": { "function": { "sig": { "inputs": [["x", path(10)]], "output": path(11) } } } },
                "2": { "crate_id": 0, "name": null, "inner": { "impl": {
                    "is_synthetic": false, "blanket_impl": null, "items": [],
                    "for": { "resolved_path": { "path": "Mine", "id": 3 } }, "trait": { "path": "Walk", "id": 12 } } } },
                "4": { "crate_id": 0, "name": null, "inner": { "impl": {
                    "is_synthetic": false, "blanket_impl": { "generic": "T" }, "trait": { "path": "Any", "id": 13 } } } },
                "5": { "crate_id": 0, "name": "re", "inner": { "use": { "source": "last::Item", "id": 14 } } },
                "6": { "crate_id": 9, "name": "theirs", "inner": { "function": { "output": path(13) } } },
            },
            "paths": {
                "3": { "crate_id": 0, "path": ["own", "Mine"] },
                "10": { "crate_id": 1, "path": ["std", "string", "String"] },
                "11": { "crate_id": 2, "path": ["there", "Thing"] },
                "12": { "crate_id": 3, "path": ["legs", "Walk"] },
                "13": { "crate_id": 4, "path": ["blanket", "Any"] },
                "14": { "crate_id": 5, "path": ["last", "Item"] },
            },
            "external_crates": {
                "1": { "name": "std" }, "2": { "name": "there" }, "3": { "name": "legs" },
                "4": { "name": "blanket" }, "5": { "name": "last" },
            },
        })
    }

    #[test]
    fn signatures_impls_and_re_exports_are_found() {
        let found = foreign(&sample()).unwrap();
        let shown: Vec<_> = found.values().flatten().map(|(item, what)| format!("{item} shows {what}")).collect();
        assert_eq!(
            shown,
            [
                "re (?:null) shows last::Item",
                "impl Walk for Mine shows legs::Walk",
                "shown (src/a.rs:7) shows there::Thing"
            ]
        );
    }

    #[test]
    fn the_list_is_exact() {
        let found = foreign(&sample()).unwrap();
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert!(wrong(&found, &list(&["there", "legs", "last"])).is_empty());
        assert_eq!(wrong(&found, &list(&["there", "last"])), ["impl Walk for Mine shows legs::Walk"]);
        let unused = wrong(&found, &list(&["there", "legs", "last", "gone"]));
        assert_eq!(unused, ["gone is on the list and not shown anywhere"]);
    }

    #[test]
    fn what_is_not_rustdocs_is_refused() {
        assert!(foreign(&json!({})).is_err());
        assert!(foreign(&json!({ "index": {}, "paths": {}, "external_crates": {} })).is_err());
    }
}
