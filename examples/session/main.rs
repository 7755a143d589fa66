//! Every provider through its whole life, on simulators: login, keepalive, a call of one's own, logout.
//!
//! With arguments it is the command `sansession`, whose sources it shares; `-- --help` lists what that does.

#[path = "../../src/bin/sansession/cli/mod.rs"]
mod cli;
mod consent;
mod tour;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        return cli::main("cargo run --example session --");
    }
    match tour::tour() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("session: {error}");
            ExitCode::FAILURE
        }
    }
}
