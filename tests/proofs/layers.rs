//! Modules import downwards only: the tree of `src` is the architecture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the root with their layers. A module imports from lower layers and from itself.
const LAYERS: [(&str, u8); 14] = [
    ("redact", 0),
    ("secret", 0),
    ("time", 0),
    ("url", 0),
    ("machine", 1),
    ("wire", 2),
    ("provider", 3),
    ("engine", 4),
    ("providers", 4),
    ("totp", 4),
    ("drive", 5),
    ("sim", 5),
    ("testing", 6),
    ("guide", 7),
];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the code of a file without comments, texts, imports for the documentation alone, and unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut code = String::new();
    let mut documentation = false;
    for line in text.lines().map(str::trim) {
        if line == "#[cfg(doc)]" {
            documentation = true;
        } else if documentation {
            documentation = !line.ends_with(';');
        } else if !line.starts_with("//") {
            let line = line.split(" // ").next().unwrap_or_default();
            code.extend(line.split('"').step_by(2));
            code.push('\n');
        }
    }
    code
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// Returns the first names of what follows each `crate::`, also within braces.
fn imports(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let (mut depth, mut fresh) = (0, true);
        for (at, character) in list.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                _ if fresh && !character.is_whitespace() => {
                    found.push(word(&list[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn modules_import_downwards_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = BTreeMap::from(LAYERS);
    // What the root shows belongs to the module that it comes from.
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
    let root = read(&source.join("lib.rs"));
    for statement in root.split("\npub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let names = statement.rsplit("::").next().unwrap_or_default();
        for name in names.split(|c: char| !c.is_alphanumeric()).filter(|name| !name.is_empty()) {
            homes.insert(name.to_owned(), word(statement).to_owned());
        }
    }
    assert!(homes.len() > 30, "{homes:?}");
    for module in root.lines().filter_map(|line| line.strip_prefix("pub mod ").or(line.strip_prefix("mod "))) {
        assert!(layers.contains_key(word(module)), "{module} has no layer");
    }

    let (mut paths, mut checked, mut upwards) = (Vec::new(), 0, Vec::new());
    files(&source, &mut paths);
    for path in paths {
        let inner = path.strip_prefix(&source).unwrap();
        let module = inner.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let is_test = inner.iter().any(|part| part == "tests" || part == "tests.rs" || part == "harness.rs");
        let Some(layer) = layers.get(module).filter(|_| !is_test) else { continue };
        for import in imports(&code(&read(&path))) {
            let home = homes.get(import).map_or(import, String::as_str);
            if let Some(other) = layers.get(home) {
                checked += 1;
                if home != module && other >= layer && !(*other == 0 && *layer == 0) {
                    upwards.push(format!("{} imports {import} of {home}", inner.display()));
                }
            }
        }
    }
    assert!(checked > 500, "{checked} imports were found");
    assert_eq!(upwards, Vec::<String>::new());
}

/// Returns the structs of a file, each with how many named fields it has.
fn structs(code: &str) -> Vec<(&str, usize)> {
    let declared = code.split("struct ").skip(1).filter_map(|rest| {
        let (head, body) = rest.split_once('{')?;
        let fields = body.split("\n}").next()?.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let field = line.strip_prefix("pub").map_or(line, |line| line.trim_start_matches("(super)"));
            let field = field.trim_start_matches("(crate)").trim_start_matches("(in super::super)").trim_start();
            field.strip_prefix(word(field)).is_some_and(|rest| rest.starts_with(": "))
        });
        (!head.contains([';', '('])).then(|| (word(head), fields.filter(|is_field| *is_field).count()))
    });
    declared.collect()
}

#[test]
fn no_struct_of_the_engine_has_more_than_ten_fields() {
    let (mut paths, mut counted, mut large) = (Vec::new(), 0, Vec::new());
    for module in ["engine", "machine", "provider"] {
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module), &mut paths);
    }
    for path in paths {
        for (name, fields) in structs(&code(&read(&path))) {
            counted += fields;
            if fields > 10 {
                large.push(format!("{name} of {} has {fields}", path.display()));
            }
        }
    }
    assert!(counted > 200, "{counted} fields were found");
    assert_eq!(large, Vec::<String>::new());
}
