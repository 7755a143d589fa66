//! Counts what a tickle costs in instructions, by callgrind, and holds the ratios to what they may be.
//!
//! `cargo build --release && cargo run --release --bin instructions`; it needs `valgrind`. Counted is the whole process of
//! a client, without the kernel and without the server: what 1,002 tickles cost more than two, by a
//! thousand.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

use sansession_peers::serving::Server;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Ours, what stands beside it, and how much more it may cost.
const PAIRS: [(&str, &str, f64); 3] = [
    ("tickles_loop", "tickles_sansession", 1.03),
    ("tickles_hyper", "bare_hyper", 1.35),
    ("tickles_reqwest", "bare_reqwest", 1.2),
];

fn main() -> Result<ExitCode> {
    let bins = env::current_exe()?.parent().ok_or("no directory")?.to_owned();
    let server = Server::start(&bins)?;
    println!("| ours | beside | instructions | instructions | ratio | at most |\n|---|---|---:|---:|---:|---:|");
    let mut fine = true;
    for (ours, beside, most) in PAIRS {
        let [(cost, sent), (floor, sent_beside)] = [count(&bins, &server, ours)?, count(&bins, &server, beside)?];
        if sent != sent_beside {
            return Err(format!("{ours} and {beside} do not send the same: {sent:?}, {sent_beside:?}").into());
        }
        let ratio = cost as f64 / floor as f64;
        println!("| {ours} | {beside} | {cost} | {floor} | {ratio:.3} | {most} |");
        fine &= ratio <= most;
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Counts the instructions of one tickle, and what a thousand and two send.
fn count(bins: &Path, server: &Server, client: &str) -> Result<(u64, (u64, u64))> {
    // With the first one, the user is asked for.
    let few = run(bins, server, client, 2)?;
    server.seen()?;
    let many = run(bins, server, client, 1_002)?;
    Ok(((many - few) / 1_000, server.seen()?))
}

fn run(bins: &Path, server: &Server, client: &str, tickles: u32) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(bins.join(client));
    // No proxy and no configuration of whoever runs this.
    let path = env::var_os("PATH").unwrap_or_default();
    let output = command.args([&server.plain, "1", &tickles.to_string()]).env_clear().env("PATH", path).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text.lines().find_map(|line| line.split_once("Collected :"));
    match counted.map(|(_, number)| number.trim().parse()) {
        Some(Ok(number)) if output.status.success() => Ok(number),
        _ => Err(format!("callgrind did not count {client}:\n{text}").into()),
    }
}
