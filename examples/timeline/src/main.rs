//! Draws a session's life as an SVG: from a `--json` log of the tool, or from a simulated day with faults.
//!
//! ```sh
//! cargo run --example session -- cbrain --for 60 --json | cargo run -p timeline > life.svg
//! cargo run -p timeline -- --simulate --seed 7 > day.svg
//! ```

mod axis;
mod day;
mod draw;
mod lane;
mod life;
mod log;
#[path = "../../../src/bin/sansession/cli/told.rs"]
mod told;

use std::fs::File;
use std::io::{BufReader, IsTerminal, Write, stderr, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use lexopt::prelude::*;

const HELP: &str = "\
Draws a session's life as an SVG.

Usage: timeline [LOG] > picture.svg
       timeline --simulate > picture.svg

LOG is what `cargo run --example session -- PROVIDER --json` printed; `-` or nothing reads standard input.

  --simulate    a day of a simulated IBKR gateway on a bad network instead of a log
  --seed N      which day; equal numbers give equal days (1)
  --hours N     how much of it, 1 to 48 (24)
  --log         the day as a log instead of a picture
  --help        this text";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "timeline: {error:#}");
            ExitCode::from(2)
        }
    }
}

struct Args {
    file: Option<PathBuf>,
    simulate: bool,
    seed: u64,
    hours: u32,
    log: bool,
}

fn run() -> anyhow::Result<()> {
    let Some(args) = parse(lexopt::Parser::from_env())? else { return print(HELP) };
    if !args.simulate {
        let (name, log) = match args.file.filter(|path| path.as_os_str() != "-") {
            Some(path) => {
                let file = File::open(&path).with_context(|| path.display().to_string())?;
                (path.display().to_string(), log::read(BufReader::new(file)))
            }
            None if stdin().is_terminal() => bail!("which log? `timeline --help` tells"),
            None => ("standard input".into(), log::read(stdin().lock())),
        };
        return picture(&name, log);
    }
    let lines: Vec<String> = day::lines(args.seed, args.hours)?.iter().map(ToString::to_string).collect();
    let text = lines.join("\n");
    if args.log { print(&text) } else { picture("the simulated day", log::read(text.as_bytes())) }
}

fn picture(name: &str, log: Result<log::Log, log::Unreadable>) -> anyhow::Result<()> {
    let log = log.with_context(|| name.to_owned())?;
    if let Some(number) = log.cut {
        let _ = writeln!(stderr(), "timeline: {name}: line {number}, the last, is cut off; drawn without it");
    }
    print(&draw::draw(&life::life(&log)).to_string())
}

/// Prints; whoever closes the pipe no longer wants to know.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("standard output"),
    }
}

fn parse(mut parser: lexopt::Parser) -> anyhow::Result<Option<Args>> {
    let mut args = Args { file: None, simulate: false, seed: 1, hours: 24, log: false };
    let mut of_a_day = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(None),
            Long("simulate") => args.simulate = true,
            Long("seed") => {
                of_a_day = Some("--seed");
                args.seed = parser.value()?.parse().context("--seed")?;
            }
            Long("hours") => {
                of_a_day = Some("--hours");
                args.hours = parser.value()?.parse().context("--hours")?;
                if !(1..=48).contains(&args.hours) {
                    bail!("--hours: 1 to 48");
                }
            }
            Long("log") => {
                of_a_day = Some("--log");
                args.log = true;
            }
            Value(path) if args.file.is_none() => args.file = Some(path.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    match of_a_day {
        Some(option) if !args.simulate => bail!("{option} goes with --simulate"),
        _ if args.simulate && args.file.is_some() => bail!("--simulate takes no log"),
        _ => Ok(Some(args)),
    }
}
