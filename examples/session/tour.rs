//! Every provider through its whole life, on embedded simulators.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::time::Duration;

use sansession::Phase;
use sansession::blocking::drive;

use crate::args::{Args, Provider};
use crate::report::Report;
use crate::run::Tool;
use crate::world::{self, World};
use crate::{USAGE, Usage};

/// How long each session stays active: two keepalives.
const STAY: Duration = Duration::from_millis(2_500);

/// Runs the tour and gives the exit code: that of the first provider that failed.
pub fn tour() -> u8 {
    for provider in Provider::ALL {
        let code = visit(provider).unwrap_or_else(|Usage(error)| {
            eprintln!("{}: {error}", provider.name());
            USAGE
        });
        if code != 0 {
            return code;
        }
        println!();
    }
    let names = Provider::ALL.map(Provider::name);
    println!("{} lives, each from login to logout: {}", names.len(), names.join(", "));
    0
}

fn visit(provider: Provider) -> Result<u8, Usage> {
    let mut args = Args::new(provider);
    args.stay = STAY;
    // A tickle of IBKR's may be sent once a second.
    args.keepalive = Some(Duration::from_millis(1_100));
    let report = Report::new(false, provider.name());
    let World { handle, transport, answers, call, .. } = &mut world::open(&args, None)?;
    let mut tool = Tool::new(handle.clone(), std::mem::take(answers), report.clone(), &args);
    // A program's own calls come from other threads than the one that keeps the session alive.
    let (own, own_transport, path) = (handle.clone(), transport.clone(), *call);
    let caller = std::thread::spawn(move || {
        while own.phase() != Phase::Active {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(STAY / 2);
        let request = http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string());
        let outcome = request.and_then(|request| own.call(&own_transport, request).map_err(|error| error.to_string()));
        match &outcome {
            Ok(response) => report.called(path, response.status().as_str()),
            Err(error) => report.called(path, error),
        }
        outcome.is_ok_and(|response| response.status().is_success())
    });
    let ended = drive(handle, transport, &mut tool)?;
    let code = tool.finish(&ended);
    let called = caller.join().unwrap_or(false);
    Ok(if code == 0 && !called { 1 } else { code })
}
