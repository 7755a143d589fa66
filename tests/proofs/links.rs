//! The pages of the repository link to files that exist.

use std::fs;
use std::path::Path;

const PAGES: [&str; 8] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "benches/peers/README.md",
    "examples/fleet_postgres/README.md",
    "packaging/README.md",
    "tests/README.md",
];

/// Returns the targets of a page's links that are files.
fn targets(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.filter(|link| !link.contains("://") && !link.starts_with('#')).map(|link| link.split('#').next().unwrap())
}

#[test]
fn links_lead_to_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for page in PAGES.map(|page| root.join(page)) {
        // A published package has some of them only.
        let Ok(text) = fs::read_to_string(&page) else { continue };
        for target in targets(&text) {
            assert!(page.with_file_name(target).exists(), "{} links to {target}", page.display());
            found += 1;
        }
    }
    assert!(found > 50, "{found} links");
}
