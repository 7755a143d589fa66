//! `sansession`: opens, keeps alive and ends a login session of any provider.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main("sansession")
}
