//! Runs all clients against one server, in turns, and prints what they cost as Markdown.
//!
//! `cargo build --release && cargo run --release -- --python PATH` (a Python that has ibind; without it the rows
//! of ibind are left out).

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sansession_peers::serving::Server;
use wait4::Wait4;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often each client runs for the table.
const ROUNDS: usize = 9;
/// How often the two of a pair run for a ratio.
const PAIRS: usize = 41;
const TICKLES: u32 = 1_000;

fn main() -> Result<()> {
    // `cargo run` builds this program alone: the others are there by `cargo build --release`.
    let bins = env::current_exe()?.parent().ok_or("no directory")?.to_owned();
    let python = python()?;
    let server = Server::start(&bins)?;
    let clients = clients(&bins, python.as_deref(), &server);
    table(&clients, &server)?;
    overhead(&clients, &server)?;
    println!();
    let tokens = Command::new(bins.join("tokens")).stderr(Stdio::inherit()).output()?;
    print!("{}", String::from_utf8(tokens.stdout)?);
    Ok(())
}

fn python() -> Result<Option<PathBuf>> {
    match &env::args().skip(1).collect::<Vec<_>>()[..] {
        [] => Ok(None),
        [flag, path] if flag == "--python" => Ok(Some(path.into())),
        _ => Err("usage: compare [--python PATH]".into()),
    }
}

/// A program that sends tickles to one URL.
struct Client {
    name: &'static str,
    scheme: &'static str,
    url: String,
    command: Vec<PathBuf>,
}

fn clients(bins: &Path, python: Option<&Path>, server: &Server) -> Vec<Client> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ibind_tickles.py");
    let bin = |name: &str| Some(vec![bins.join(name)]);
    let no_look_up = || Some(vec![bins.join("tickles_ureq"), "--no-look-up".into()]);
    let ibind = python.map(|python| vec![python.to_owned(), script]);
    let all = [
        ("bare ureq", "http", bin("tickles_ureq")),
        ("bare ureq, no look-ups", "http", no_look_up()),
        ("sansession", "http", bin("tickles_sansession")),
        ("ibind", "http", ibind.clone()),
        ("bare ureq", "https", bin("tickles_ureq")),
        ("bare ureq, no look-ups", "https", no_look_up()),
        ("sansession", "https", bin("tickles_sansession")),
        ("ibkr", "https", bin("tickles_ibkr")),
        ("ibind", "https", ibind),
    ];
    let url = |scheme| if scheme == "http" { &server.plain } else { &server.secure };
    all.into_iter()
        .filter_map(|(name, scheme, command)| {
            Some(Client { name, scheme, url: url(scheme).clone(), command: command? })
        })
        .collect()
}

/// What one run of a process took.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
    memory: u64,
}

impl Client {
    fn run(&self, sessions: u32, tickles: u32) -> Result<Cost> {
        let [program, arguments @ ..] = &self.command[..] else { return Err("no program".into()) };
        let mut command = Command::new(program);
        // No proxy, no log level, no configuration of whoever runs this.
        command.args(arguments).arg(&self.url).args([sessions.to_string(), tickles.to_string()]).env_clear();
        let began = Instant::now();
        let used = command.spawn()?.wait4()?;
        let wall = began.elapsed();
        if !used.status.success() {
            return Err(format!("{} over {} has failed", self.name, self.scheme).into());
        }
        let rusage = used.rusage;
        Ok(Cost { cpu: rusage.utime + rusage.stime, wall, memory: rusage.maxrss })
    }
}

/// What each process costs as a whole.
fn table(clients: &[Client], server: &Server) -> Result<()> {
    let mut costs: Vec<(Vec<Cost>, Vec<Cost>)> = clients.iter().map(|_| Default::default()).collect();
    let mut seen = vec![(0, 0); clients.len()];
    for round in 0..ROUNDS {
        for turn in 0..clients.len() {
            // Each client follows each other one in some round.
            let index = (turn * (round % (clients.len() - 1) + 1) + round) % clients.len();
            server.seen()?;
            costs[index].0.push(clients[index].run(1, TICKLES)?);
            seen[index] = server.seen()?;
            costs[index].1.push(clients[index].run(1, 1)?);
        }
    }
    println!(
        "| client, {TICKLES} tickles | over | CPU, ms | wall, ms | peak memory, MB | CPU of 1 tickle, ms | requests | bytes each |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for ((client, (full, one)), (requests, bytes)) in clients.iter().zip(&costs).zip(&seen) {
        println!(
            "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {requests} | {} |",
            client.name,
            client.scheme,
            middle(full, |cost| millis(cost.cpu)),
            middle(full, |cost| millis(cost.wall)),
            middle(full, |cost| cost.memory as f64 / 1e6),
            middle(one, |cost| millis(cost.cpu)),
            bytes / requests.max(&1),
        );
    }
    Ok(())
}

/// What the adapter costs beside a bare loop, in pairs.
fn overhead(clients: &[Client], server: &Server) -> Result<()> {
    println!("\n| sansession beside | over | sessions of 1,000 tickles | CPU | wall |\n|---|---|---:|---:|---:|");
    for (bare, sessions) in [("bare ureq", 1), ("bare ureq, no look-ups", 1), ("bare ureq, no look-ups", 10)] {
        for scheme in ["http", "https"] {
            let find = |name| clients.iter().find(|client| client.name == name && client.scheme == scheme);
            let (Some(ours), Some(bare)) = (find("sansession"), find(bare)) else { continue };
            let pairs = (0..PAIRS).map(|round| pair([ours, bare], round, sessions, server));
            let pairs = pairs.collect::<Result<Vec<_>>>()?;
            let cpu = middle(&pairs, |[ours, bare]| ours.cpu.as_secs_f64() / bare.cpu.as_secs_f64());
            let wall = middle(&pairs, |[ours, bare]| ours.wall.as_secs_f64() / bare.wall.as_secs_f64());
            println!("| {} | {scheme} | {sessions} | {cpu:.3} | {wall:.3} |", bare.name);
        }
    }
    Ok(())
}

/// Runs two clients one after the other, and checks that they send the same.
fn pair(mut clients: [&Client; 2], round: usize, sessions: u32, server: &Server) -> Result<[Cost; 2]> {
    clients.rotate_left(round % 2);
    let run = |client: &Client| -> Result<_> {
        server.seen()?;
        Ok((client.run(sessions, TICKLES)?, server.seen()?))
    };
    let ((first, seen), (second, seen_then)) = (run(clients[0])?, run(clients[1])?);
    if seen != seen_then {
        return Err(format!("the two do not send the same: {seen:?}, {seen_then:?}").into());
    }
    let mut costs = [first, second];
    costs.rotate_left(round % 2);
    Ok(costs)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn middle<T>(runs: &[T], value: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
