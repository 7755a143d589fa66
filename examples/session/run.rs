//! One session, from its opening to its end.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use sansession::blocking::{Answer, DriveError, Driver, Ended, Handle, SendError, Stop, drive};
use sansession::{CloseReason, Event, Need, NeedId, Outgoing, Phase, Rejection, RequestId, Snapshot};

use crate::Usage;
use crate::answers::{Answers, PROMPTING};
use crate::args::Args;
use crate::report::Report;
use crate::{file, world};

const DENIED: u8 = 3;
const UNAVAILABLE: u8 = 4;
const PROTOCOL: u8 = 5;
const EXPIRED: u8 = 6;
const RIVAL: u8 = 7;

/// Takes one session through its life and gives the exit code.
pub fn run(args: &Args) -> Result<u8, Usage> {
    let report = Report::new(args.json, args.provider.name());
    let saved = saved_session(args, &report)?;
    if let Some(reason) = saved.as_ref().and_then(ended) {
        match reason {
            CloseReason::Denied(_) if !args.again => {
                report.say("the saved session was denied; --again tries the same answer once more");
                report.closed(&reason);
                return Ok(DENIED);
            }
            _ => report.say(&format!("the saved session has ended ({reason}); a new one begins")),
        }
    }
    let saved = saved.filter(|saved| ended(saved).is_none());
    let world = world::open(args, saved.as_ref())?;
    let mut tool = Tool::new(world.handle.clone(), world.answers, report, args);
    listen_for_signals(&world.handle, args.save.is_some())?;
    if saved.is_some() {
        // The file may be older than the session's life.
        world.handle.check();
    }
    let error = match drive(&world.handle, &world.transport, &mut tool) {
        Ok(ended) => match tool.save_last() {
            Ok(()) => return Ok(tool.finish(&ended)),
            Err(error) => error,
        },
        Err(DriveError::Save(error)) if tool.sent => error,
        Err(error) => return Err(error.into()),
    };
    // Nobody could find the session again, so it is ended instead of left behind.
    eprintln!("session: {error}");
    tool.save = None;
    world.handle.saved();
    world.handle.stop(Stop::Logout);
    let ended = drive(&world.handle, &world.transport, &mut tool)?;
    tool.finish(&ended);
    Ok(UNAVAILABLE)
}

/// What the tool does for a session.
pub struct Tool {
    handle: Handle,
    answers: Answers,
    report: Report,
    stay: Duration,
    leave: bool,
    save: Option<PathBuf>,
    /// Whether a request has left.
    sent: bool,
    active: bool,
    asked: Option<NeedId>,
}

impl Tool {
    pub fn new(handle: Handle, answers: Answers, report: Report, args: &Args) -> Self {
        let leave = args.save.is_some() && args.stays;
        let (stay, save) = (args.stay, args.save.clone());
        Self { handle, answers, report, stay, leave, save, sent: false, active: false, asked: None }
    }

    /// Says how it ended and gives the exit code.
    pub fn finish(&self, ended: &Ended) -> u8 {
        let Ended::Closed(reason) = ended else {
            self.report.left();
            return 0;
        };
        self.report.closed(reason);
        match reason {
            CloseReason::LoggedOut { confirmed: true } => 0,
            CloseReason::LoggedOut { confirmed: false } | CloseReason::RetriesExhausted(_) => UNAVAILABLE,
            CloseReason::Denied(_) => DENIED,
            CloseReason::Expired => EXPIRED,
            CloseReason::Rival => RIVAL,
            _ => PROTOCOL,
        }
    }

    fn save_last(&self) -> std::io::Result<()> {
        self.save.as_ref().map_or(Ok(()), |path| self.store(path, &self.handle.snapshot()))
    }

    fn store(&self, path: &Path, snapshot: &Snapshot) -> std::io::Result<()> {
        file::save(path, snapshot)
            .map_err(|error| std::io::Error::new(error.kind(), format!("--save {}: {error}", path.display())))?;
        self.report.saved();
        Ok(())
    }

    /// The session is usable: it stays so for the time that was asked for.
    fn became_active(&mut self) {
        if std::mem::replace(&mut self.active, true) {
            return;
        }
        let stop = if self.leave { Stop::Leave } else { Stop::Logout };
        if self.stay.is_zero() {
            self.handle.stop(stop);
            return;
        }
        let (handle, stay) = (self.handle.clone(), self.stay);
        std::thread::spawn(move || {
            std::thread::sleep(stay);
            handle.stop(stop);
        });
    }
}

impl Driver for Tool {
    fn answer(&mut self, need: &Need) -> Answer {
        if self.asked.replace(need.id) != Some(need.id) {
            self.report.need(need);
        }
        self.answers.answer(need)
    }

    fn rejected(&mut self, need: &Need, rejection: Rejection) {
        self.answers.rejected(need, rejection);
    }

    fn event(&mut self, event: &Event) {
        self.report.event(event);
        match event {
            Event::PhaseChanged { to: Phase::Active, .. } | Event::KeptAlive => self.became_active(),
            _ => {}
        }
    }

    fn save(&mut self, snapshot: &Snapshot) -> std::io::Result<()> {
        match &self.save {
            Some(path) => self.store(path, snapshot),
            None => Ok(()),
        }
    }

    fn sending(&mut self, outgoing: &Outgoing) {
        self.sent = true;
        self.report.sending(outgoing);
    }

    fn received(&mut self, _: RequestId, status: http::StatusCode) {
        self.report.received(status.as_u16());
    }

    fn failed(&mut self, _: RequestId, error: &SendError) {
        self.report.failed(error);
    }
}

/// Reads the file of `--resume`. One that is not there yet is no error where it is to be written, so
/// that the same command line serves a service's first start and all later ones.
fn saved_session(args: &Args, report: &Report) -> Result<Option<Snapshot>, Usage> {
    let Some(path) = &args.resume else { return Ok(None) };
    match file::load(path) {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && args.save.as_ref() == Some(path) => {
            report.say(&format!("{} is not there yet; a new session begins", path.display()));
            Ok(None)
        }
        Err(error) => Err(Usage(format!("--resume {}: {error}", path.display()))),
    }
}

/// Tells why the session of a snapshot has ended, if it has.
fn ended(saved: &Snapshot) -> Option<CloseReason> {
    saved.closed()
}

/// Ctrl-C and SIGTERM end the session as its owner wants; a second one ends the program.
fn listen_for_signals(handle: &Handle, saves: bool) -> Result<(), Usage> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let handle = handle.clone();
    std::thread::spawn(move || {
        let mut before = false;
        for signal in signals.forever() {
            if before || PROMPTING.load(Ordering::SeqCst) {
                // A hidden prompt leaves the terminal without its echo.
                let _ = std::process::Command::new("stty").arg("echo").status();
                std::process::exit(128 + signal);
            }
            before = true;
            handle.stop(if signal == SIGTERM && saves { Stop::Leave } else { Stop::Logout });
        }
    });
    Ok(())
}
