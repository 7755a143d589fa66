//! What a session costs beside the bytes it has to build and read, in wall time and allocations.
//!
//! `cargo bench --bench cycle`, or with names to measure only these. The lines at the end are the medians
//! of interleaved pairs.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod cases;
mod support;

use std::sync::Arc;

use sansession::Session;
use sansession::providers::ibkr::{Gateway, WebApi};

use crate::cases::{CASES, Case};
use crate::support::{Row, pair};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut rows = Vec::new();
    for (name, make) in CASES {
        if wanted.is_empty() || wanted.iter().any(|want| want == name) {
            let Case { ours, floor } = make();
            rows.push(pair(name, ours, floor));
        }
    }
    println!("a session at a gateway: {} bytes, what it points to aside", size_of::<Session<Arc<Gateway>>>());
    println!("a direct session: {} bytes, what it points to aside", size_of::<Session<Arc<WebApi>>>());
    for Row { name, ours, floor, .. } in &rows {
        println!("{name}: ours {ours:.1} ns, floor {floor:.1} ns");
    }
    for Row { name, ratio, allocations, .. } in rows {
        println!("ratio {name} ours/floor {ratio:.3} allocs {}/{}", allocations.0, allocations.1);
    }
}
