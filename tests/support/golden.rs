//! Snapshots that earlier versions wrote, in `tests/golden`, and what resumed sessions do with them.

use std::fs;
use std::path::PathBuf;

use sansession::{Machine, Output, Snapshot, Timestamp, WaitingOn};

/// Returns where a snapshot is, whose name begins with its provider's.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"))
}

#[track_caller]
pub fn load(name: &str) -> Snapshot {
    Snapshot::from_text(fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// Returns what a resumed session does first, however long it takes to do anything.
pub fn first_deed(session: &mut impl Machine, mut now: Timestamp) -> String {
    for _ in 0..100 {
        match session.poll(now) {
            Output::Send(outgoing) => return format!("{} {}", outgoing.method(), outgoing.path()),
            Output::Closed(reason) => return format!("closed {}", reason.code()),
            Output::Wait { on: WaitingOn::Need(need), .. } => {
                return format!("needs {} ({})", need.kind.code(), need.because.code());
            }
            Output::Wait { on: WaitingOn::Nothing | WaitingOn::Expiry | WaitingOn::Renewal, .. } => {
                return "rests".into();
            }
            Output::Wait { until, .. } => now = until,
            Output::Event(_) | Output::Save | Output::Cancel(_) => {}
        }
    }
    panic!("nothing happens")
}

/// Writes a snapshot that has no file yet.
pub fn write_missing(name: &str, text: impl FnOnce() -> String) {
    if !path(name).exists() {
        fs::write(path(name), format!("{}\n", text())).unwrap();
    }
}
