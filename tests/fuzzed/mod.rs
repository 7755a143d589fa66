//! What the fuzz targets do with their input, as plain functions.
//!
//! Each panics where something does not hold. The targets in `fuzz/fuzz_targets` hand them what libFuzzer
//! makes up, `tests/proofs/corpus.rs` replays the committed corpus through the same functions.
//! Inputs are text, but for `calls`: parts are separated by a line `===`, so that a fuzzer which cuts
//! and joins lines makes sense of them, and so does who reads a corpus.

mod calls;
mod drive;
#[path = "../lawful/mod.rs"]
pub mod lawful;
mod oauth;
mod oauth2;
mod providers;
mod responses;
mod simulators;
mod snapshot;

pub use calls::calls;
pub use oauth::oauth;
pub use oauth2::oauth2;
pub use responses::responses;
pub use simulators::simulators;
pub use snapshot::snapshot;

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 6] = [
    ("calls", calls),
    ("oauth", oauth),
    ("oauth2", oauth2),
    ("responses", responses),
    ("simulators", simulators),
    ("snapshot", snapshot),
];

/// Any morning.
const START: sansession::Timestamp = sansession::Timestamp::from_secs(1_790_000_000);

/// Splits an input at the lines `===`.
fn parts(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(5).position(|window| window == b"\n===\n") {
        parts.push(&rest[..at]);
        rest = &rest[at + 5..];
    }
    parts.push(rest);
    parts
}

/// Splits a part into its first line, its headers and its body, which begins after an empty line.
fn message(part: &[u8]) -> (&[u8], Vec<(http::HeaderName, http::HeaderValue)>, &[u8]) {
    let end = part.windows(2).position(|window| window == b"\n\n");
    let (head, body) = end.map_or((part, &[][..]), |end| (&part[..end], &part[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = http::HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, http::HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    (first, headers.collect(), body)
}
