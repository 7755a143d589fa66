//! One session, from its opening to its end.

use std::sync::Arc;

use sansession::drive::{DriveError, Stop, blocking::drive};
use sansession::{CloseReason, Snapshot};

use crate::cli::args::Args;
use crate::cli::exec::Exec;
use crate::cli::files::{Files, Refused};
use crate::cli::holder::{self, Held, Holder};
use crate::cli::places::Place;
use crate::cli::proxy::Proxy;
use crate::cli::report::Report;
use crate::cli::signals::{OnCtrlC, Signals};
use crate::cli::task::Task;
use crate::cli::tool::{DENIED, Tool, UNAVAILABLE};
use crate::cli::world::World;
use crate::cli::{Usage, ask, file, gone, notify, terminal, variables, world};

/// Takes one session through its life and gives the exit code.
pub fn run(args: &Args) -> Result<u8, Usage> {
    let report = Report::new(args);
    if args.exec.is_empty() {
        return live(args, report, None);
    }
    let report = report.aside();
    terminal::ready();
    match Exec::new(&args.exec) {
        Ok(exec) => live(args, report, Some(exec)),
        Err((code, words)) => {
            report.hint(&words);
            Ok(code)
        }
    }
}

fn live(args: &Args, mut report: Report, exec: Option<Exec>) -> Result<u8, Usage> {
    let _gone = Gone;
    let _held = match held(args)? {
        Ok(held) => held,
        Err((place, holder)) => return Ok(elsewhere(args, place, holder.as_ref(), &report)),
    };
    let files = match Files::claim(args) {
        Ok(files) => files,
        Err(Refused::Unusable(words)) => return Err(Usage(words)),
        Err(Refused::InUse(words)) => {
            report.hint(&words);
            return Ok(UNAVAILABLE);
        }
    };
    if args.server().is_none() && !args.json {
        report.say("no --url, so this is an embedded simulator");
    }
    let saved = saved_session(args, &files, &report)?;
    if let Some(reason) = saved.as_ref().and_then(ended) {
        match reason {
            CloseReason::Denied(_) if !args.again => {
                report.say("the saved session was denied; --again tries the same answer once more");
                report.closed(&reason);
                return Ok(DENIED);
            }
            _ if args.place.is_some() => {}
            _ => report.say(&format!("the saved session has ended ({reason}); a new one begins")),
        }
    }
    let saved = saved.filter(|saved| ended(saved).is_none());
    if args.task == Task::Logout && saved.is_none() {
        report.say("nobody is logged in");
        return Ok(0);
    }
    if args.place.is_some() && saved.is_some() {
        // A token of a profile opens a session, and this one is open.
        variables::forget("SANSESSION_TOKEN");
    }
    let mut world = world::open(args, saved.as_ref())?;
    let on_ctrl_c = if args.task.prints() { OnCtrlC::Leaves } else { OnCtrlC::LogsOut };
    let signals = Signals::listen(&world.handle, exec.as_ref(), args.save.is_some(), on_ctrl_c)?;
    let proxy = listen(args, &world, &report)?;
    report.show(&world.handle);
    notify::watch(&world.handle);
    let mut tool = Tool::new(&mut world, report, args);
    let listening = proxy.as_ref().and_then(|proxy| proxy.listening.as_ref());
    tool.proxy = listening.map(|listening| (listening.url.clone(), listening.secret.clone()));
    tool.recent = proxy.as_ref().map(|proxy| Arc::clone(&proxy.recent));
    tool.exec = exec.clone();
    tool.files = files;
    // Whatever becomes of the tool, its command is not left running.
    let _end = exec.clone().map(EndsWith);
    tool.signals = Some(signals.clone());
    let own = drive_whole(&world, &mut tool, saved.is_some());
    // The terminal is the shell's again.
    tool.report.hide(true);
    let Some(exec) = exec else { return own };
    if exec.runs() {
        tool.report.hint("the session is over: the command is told to end");
        exec.end();
        return own;
    }
    exec.end();
    match (exec.code(), own) {
        (Some(code), _) => Ok(code),
        (None, Ok(0)) => Ok(signals.code()),
        (None, own) => own,
    }
}

/// A command that is ended with this value.
struct EndsWith(Exec);

/// The files that go with the tool go with this value.
struct Gone;

impl Drop for Gone {
    fn drop(&mut self) {
        notify::finish();
        gone::remove();
    }
}

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn drive_whole(world: &World, tool: &mut Tool, resumed: bool) -> Result<u8, Usage> {
    if tool.task == Task::Logout {
        world.handle.stop(Stop::Logout);
    } else if resumed {
        // The file may be older than the session's life.
        world.handle.check();
    }
    let error = match drive(&world.handle, &world.transport, tool) {
        Ok(ended) => match tool.save_last() {
            Ok(()) => return Ok(tool.finish(&ended)),
            Err(error) => error,
        },
        Err(DriveError::Save(error)) if tool.sent => error,
        Err(error) => return Err(error.into()),
    };
    // Nobody could find the session again, so it is ended instead of left behind.
    tool.report.hint(&error.to_string());
    tool.files.fail();
    world.handle.saved();
    world.handle.stop(Stop::Logout);
    let ended = drive(&world.handle, &world.transport, tool)?;
    // There may be room again.
    if tool.files.save_after_all(&world.handle.snapshot()) {
        tool.report.saved();
    }
    tool.finish(&ended);
    Ok(UNAVAILABLE)
}

/// The session of a profile, or its place and who has it.
type Taken<'a> = Result<Option<Held>, (&'a Place, Option<Holder>)>;

/// Takes the session of a profile, unless another process has it.
fn held(args: &Args) -> Result<Taken<'_>, Usage> {
    let Some(place) = &args.place else { return Ok(Ok(None)) };
    place.prepare()?;
    let taken = holder::take(&place.lock, &place.verb);
    let taken = taken.map_err(|error| Usage(format!("{}: {error}", place.lock.display())))?;
    Ok(taken.map(Some).map_err(|holder| (place, holder)))
}

/// Has the process that keeps the session do what it can do for others, or says who that is; gives the exit code.
fn elsewhere(args: &Args, place: &Place, holder: Option<&Holder>, report: &Report) -> u8 {
    let (code, words) = match ask::perform(&args.task, &place.socket, report) {
        Some(Ok(())) => return 0,
        Some(Err(failed)) => failed,
        None => (UNAVAILABLE, holder::in_use(&place.name, holder)),
    };
    report.hint(&words);
    code
}

fn listen(args: &Args, world: &World, report: &Report) -> Result<Option<Proxy>, Usage> {
    // A command that is over soon has nothing to lend.
    let local = args.place.as_ref().filter(|_| args.task == Task::Stay).map(|place| place.socket.as_path());
    let proxy = Proxy::start(args, local, world, report)?;
    if let Some(listening) = proxy.as_ref().and_then(|proxy| proxy.listening.as_ref()) {
        if let Some(path) = &args.secret_file {
            let named = |error| Usage(format!("--secret-file {}: {error}", path.display()));
            file::write_secret(path, listening.secret.expose()).map_err(named)?;
        }
        // A command has it from its environment, and nobody else needs it.
        report.listening(listening, args.secret_file.is_some() || !args.exec.is_empty());
    }
    Ok(proxy)
}

/// Reads the file of `--resume`. One that is not there yet is no error where it is to be written, so
/// that the same command line serves a service's first start and all later ones.
fn saved_session(args: &Args, files: &Files, report: &Report) -> Result<Option<Snapshot>, Usage> {
    let Some(path) = &args.resume else { return Ok(None) };
    let named = |words: &dyn std::fmt::Display| Usage(format!("--resume {}: {words}", path.display()));
    match file::load(path) {
        Ok(snapshot) if snapshot.expose_secrets().trim().is_empty() && args.place.is_some() => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && args.place.is_some() => Ok(None),
        Ok(snapshot) if snapshot.expose_secrets().trim().is_empty() && files.saves_to(path) => {
            report.say(&format!("{} is not there yet; a new session begins", path.display()));
            Ok(None)
        }
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(named(&"no text, and so no saved session"))
        }
        Err(error) => Err(named(&error)),
    }
}

/// Reports why the session of a snapshot has ended, if it has.
fn ended(saved: &Snapshot) -> Option<CloseReason> {
    saved.closed()
}
