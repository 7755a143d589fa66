//! Opens, keeps alive and ends a session of any provider: the tool to try first.
//!
//! Without arguments it takes every provider through its whole life on embedded simulators.
//! `--help` lists the rest.

#[macro_use]
mod out;

mod answers;
mod args;
mod exec;
mod file;
mod files;
mod forward;
mod gone;
mod help;
mod hint;
mod ibkr;
mod kotak;
mod line;
mod listen;
mod names;
mod options;
mod own;
mod replace;
mod report;
mod run;
mod served;
mod signals;
mod terminal;
mod told;
mod tour;
mod wipe;
mod world;

use std::process::ExitCode;

use args::{Args, Command};
use help::HELP;

/// A command line that cannot be followed (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let code = match Args::parse() {
        Ok(Command::Help) => {
            println!("{HELP}");
            0
        }
        Ok(Command::Tour) => tour::tour(),
        Ok(Command::Serve { provider, port, served }) => {
            world::serve(provider, port, served).map_or_else(complain, |()| 0)
        }
        Ok(Command::Run(args)) => {
            for words in names::misspelt() {
                eprintln!("session: {words}");
            }
            run::run(&args).unwrap_or_else(complain)
        }
        Err(error) => complain(error),
    };
    ExitCode::from(code)
}

/// What is wrong with the command line, the environment or a file, in words.
struct Usage(String);

impl<E: std::fmt::Display> From<E> for Usage {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn complain(Usage(error): Usage) -> u8 {
    eprintln!("session: {error}");
    eprintln!("session: `cargo run --example session -- --help` lists what there is");
    USAGE
}
