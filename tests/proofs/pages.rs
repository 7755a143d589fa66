//! Each provider's page tells all that the walk through its states has found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A page, and the walks that it is about.
const PAGES: [(&str, &[&str]); 7] = [
    ("cbrain/mod.rs", &["cbrain__cbrain", "cbrain__cbrain-adopted"]),
    ("ibkr/gateway/mod.rs", &["ibkr__ibkr-gateway"]),
    ("ibkr/direct/mod.rs", &["direct__ibkr-oauth1a", "direct__ibkr-oauth2"]),
    ("ibkr/direct/consent/mod.rs", &["direct__ibkr-consent"]),
    ("kotak/trade_api/mod.rs", &["kotak__kotak-trade"]),
    ("kotak/neo/mod.rs", &["kotak__kotak-neo"]),
    (
        "oauth2/mod.rs",
        &[
            "oauth2__oauth2-code",
            "oauth2__oauth2-device",
            "oauth2__oauth2-client-credentials",
            "oauth2__oauth2-given",
            "oauth2__oauth2-registered",
        ],
    ),
];

/// What a person looks for on each page.
const SECTIONS: [&str; 7] =
    ["Steps", "Needs", "Deadlines", "Why it closed, and what to do", "Moving a session", "Traps", "States"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the documentation of a module.
fn page(path: &str) -> String {
    let text = read(&format!("src/providers/{path}"));
    let lines = text.lines().filter(|line| line.starts_with("//!") || line.starts_with("#![doc"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the words that follow `before` in the tables of some walks.
fn found(walks: &[&str], before: &str) -> BTreeSet<String> {
    let tables = walks.iter().map(|walk| read(&format!("tests/proofs/walk/snapshots/proofs__walk__{walk}.snap")));
    let words = tables.flat_map(|file| {
        let table = file.splitn(3, "---").last().unwrap_or_default();
        let after = table.split(before).skip(1).map(|after| {
            let end = after.find(|c: char| !(c.is_ascii_lowercase() || "-.".contains(c))).unwrap_or(after.len());
            after[..end].to_owned()
        });
        after.collect::<Vec<_>>()
    });
    words.collect()
}

/// Returns the variant that a need's code stands for.
fn variant(code: &str) -> String {
    let words = code.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}

#[test]
fn every_close_reason_and_need_is_on_its_page() {
    for (path, walks) in PAGES {
        let page = page(path);
        let (reasons, needs) = (found(walks, "closed, "), found(walks, "asks for "));
        assert!(reasons.len() >= 6, "{path}: {reasons:?}");
        for reason in reasons {
            assert!(page.contains(&format!("`{reason}`")), "{path} does not tell of {reason}");
        }
        for need in needs {
            assert!(page.contains(&format!("[`NeedKind::{}`]", variant(&need))), "{path} does not tell of {need}");
        }
    }
}

#[test]
fn every_page_has_all_its_parts() {
    for (path, _) in PAGES {
        let page = page(path);
        for section in SECTIONS {
            assert!(page.contains(&format!("# {section}")), "{path} has no {section:?}");
        }
        assert!(page.contains("include_str!") && page.contains(".md\")"), "{path} has no diagram");
    }
}

/// A page of a private module is written for nobody.
#[test]
fn every_page_can_be_read() {
    for (path, _) in PAGES {
        let module = path.strip_suffix("/mod.rs").or(path.strip_suffix(".rs")).unwrap();
        let (parent, name) = module.rsplit_once('/').unwrap_or(("", module));
        let parent = read(&format!("src/providers/{parent}/mod.rs"));
        assert!(parent.contains(&format!("\npub mod {name};\n")), "{path} is private");
    }
}

/// What is told of each step is told under the name that it has in logs.
#[test]
fn every_step_is_on_its_page() {
    for (path, walks) in PAGES {
        let page = page(path);
        let steps = found(walks, ": ");
        assert!(steps.len() >= 2, "{path}: {steps:?}");
        for step in steps {
            let told = [format!("| `{step}"), format!("| {step} |"), format!(", `{step}` |")];
            assert!(told.iter().any(|told| page.contains(told)), "{path} does not tell of the step {step}");
        }
    }
}
