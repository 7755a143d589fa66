//! Opens, keeps alive and ends a session of any provider. `--help` lists what there is.
//!
//! The modules name each other from `crate::cli`, so that the binary and `examples/session` are both made of them.

#[macro_use]
mod out;

mod answers;
pub mod args;
mod ask;
mod browser;
mod doctor;
mod exec;
mod file;
mod files;
mod gone;
mod help;
mod hint;
mod holder;
mod ibkr;
mod kotak;
mod line;
mod names;
mod notify;
mod oauth2;
mod options;
mod own;
mod parse;
mod places;
mod profile;
mod proxy;
mod replace;
mod report;
mod run;
mod served;
mod signals;
mod status;
mod task;
mod terminal;
mod told;
mod tool;
mod values;
mod variables;
mod verbs;
mod wipe;
pub mod world;

use std::process::ExitCode;
use std::sync::OnceLock;

use args::{Args, Command};

/// A command line that cannot be followed (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

/// How the program was called, for lines that are to be copied.
static CALLED: OnceLock<&str> = OnceLock::new();

/// Does what the command line says; `called` is what stands before the arguments.
pub fn main(called: &'static str) -> ExitCode {
    let _ = CALLED.set(called);
    let code = match Args::parse(std::env::args_os()) {
        Ok(Command::Show(text)) => {
            println!("{}", text.trim_end());
            0
        }
        Ok(Command::Serve { provider, port, served }) => {
            world::serve(provider, port, served).map_or_else(complain, |()| 0)
        }
        Ok(Command::Run(args)) => {
            for words in names::misspelt() {
                eprintln!("sansession: {words}");
            }
            run::run(&args).unwrap_or_else(complain)
        }
        Ok(Command::Doctor(asked)) => doctor::doctor(&asked).unwrap_or_else(complain),
        Ok(Command::Status(asked)) => status::status(&asked).unwrap_or_else(complain),
        Ok(Command::Complete(shell)) => {
            help::complete(shell);
            0
        }
        Ok(Command::PrintCa) => proxy::Certificate::kept().map_or_else(complain, |certificate| {
            println!("{}", certificate.authority.trim_end());
            0
        }),
        Ok(Command::Man(verb)) => help::man(verb.as_deref()).map_or_else(complain, |()| 0),
        Err(error) => complain(error),
    };
    ExitCode::from(code)
}

fn called() -> &'static str {
    CALLED.get().copied().unwrap_or("sansession")
}

/// What is wrong with the command line, the environment or a file, in words.
pub struct Usage(pub String);

impl<E: std::fmt::Display> From<E> for Usage {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn complain(Usage(error): Usage) -> u8 {
    eprintln!("sansession: {error}");
    eprintln!("sansession: `{} --help` lists what there is", called());
    USAGE
}
