//! The corpus of the fuzz targets, replayed through the functions that they call.

use std::path::Path;

use crate::fuzzed::TARGETS;

#[test]
fn the_corpus_of_each_target_passes() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !fuzz.exists() {
        return; // A published package comes without it.
    }
    let corpus = fuzz.join("corpus");
    for (name, target) in TARGETS {
        let mut paths: Vec<_> = corpus.join(name).read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{name} has no corpus");
        for path in paths {
            let input = std::fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "replayed {}", path.display());
        }
    }
}
