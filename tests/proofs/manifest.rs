//! `Cargo.toml`: what programs that depend on this crate can live with.

use std::fs;
use std::path::Path;

/// Returns each version that the manifest asks for, with its line.
fn versions(manifest: &str) -> Vec<(&str, &str)> {
    let dependencies = manifest.split("\n[").filter(|table| table.contains("dependencies"));
    let lines = dependencies.flat_map(|table| table.lines().skip(1));
    lines
        .filter_map(|line| {
            let value = line.split_once(" = ")?.1;
            let version = value.split_once("version = ").map_or(value, |(_, version)| version);
            Some((line, version.strip_prefix('"')?.split('"').next()?))
        })
        .collect()
}

/// An exact version makes every program fail to resolve that has another dependency on the same crate, and a
/// release candidate is chosen for nobody who does not name it.
#[test]
fn no_dependency_is_pinned_or_a_pre_release() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let versions = versions(&manifest);
    assert!(versions.len() > 30, "{versions:?}");
    for (line, version) in versions {
        assert!(!version.starts_with('=') && !version.contains('-'), "{line}");
    }
}
