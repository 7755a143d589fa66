//! One session, from its opening to its end.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::sync::Arc;
use std::time::Duration;

use sansession::blocking::{Answer, DriveError, Driver, Ended, Handle, SendError, Stop, drive};
use sansession::{CloseReason, Denial, Event, Need, NeedId, Outgoing, Phase, Rejection, RequestId, Secret, Snapshot};

use crate::cli::Usage;
use crate::cli::answers::Answers;
use crate::cli::args::Args;
use crate::cli::exec::{self, Exec};
use crate::cli::files::{Files, Refused};
use crate::cli::hint::Trouble;
use crate::cli::proxy::{Listening, Recent};
use crate::cli::report::Report;
use crate::cli::signals::Signals;
use crate::cli::world::World;
use crate::cli::{file, gone, terminal, world};

const DENIED: u8 = 3;
const UNAVAILABLE: u8 = 4;
const PROTOCOL: u8 = 5;
const EXPIRED: u8 = 6;
const RIVAL: u8 = 7;

/// Takes one session through its life and gives the exit code.
pub fn run(args: &Args) -> Result<u8, Usage> {
    let report = Report::new(args.json, args.provider.name());
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
    let files = match Files::claim(args) {
        Ok(files) => files,
        Err(Refused::Unusable(words)) => return Err(Usage(words)),
        Err(Refused::InUse(words)) => {
            report.hint(&words);
            return Ok(UNAVAILABLE);
        }
    };
    if args.url.is_none() && !args.json {
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
            _ => report.say(&format!("the saved session has ended ({reason}); a new one begins")),
        }
    }
    let saved = saved.filter(|saved| ended(saved).is_none());
    let mut world = world::open(args, saved.as_ref())?;
    let signals = Signals::listen(&world.handle, exec.as_ref(), args.save.is_some())?;
    let proxy = listen(args, &world, &report)?;
    report.show(&world.handle);
    let mut tool = Tool::new(world.handle.clone(), std::mem::take(&mut world.answers), report, args);
    tool.proxy = proxy.as_ref().map(|proxy| (proxy.url.clone(), proxy.secret.clone()));
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
        gone::remove();
    }
}

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn drive_whole(world: &World, tool: &mut Tool, resumed: bool) -> Result<u8, Usage> {
    if resumed {
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

fn listen(args: &Args, world: &World, report: &Report) -> Result<Option<Listening>, Usage> {
    let Some(address) = args.listen else { return Ok(None) };
    let proxy = Listening::start(args, address, world, report)?;
    if let Some(path) = &args.secret_file {
        let named = |error| Usage(format!("--secret-file {}: {error}", path.display()));
        file::write_secret(path, proxy.secret.expose()).map_err(named)?;
    }
    // A command has it from its environment, and nobody else needs it.
    report.listening(&proxy, args.secret_file.is_some() || !args.exec.is_empty());
    Ok(Some(proxy))
}

/// What the tool does for a session.
pub struct Tool {
    handle: Handle,
    answers: Answers,
    report: Report,
    stay: Duration,
    leave: bool,
    files: Files,
    /// Whether a request has left.
    sent: bool,
    active: bool,
    asked: Option<NeedId>,
    trouble: Trouble,
    /// Where a proxy listens, and its secret.
    proxy: Option<(String, Secret)>,
    /// What the session gets, for the proxy's clients that ask the same.
    recent: Option<Arc<Recent>>,
    exec: Option<Exec>,
    signals: Option<Signals>,
}

impl Tool {
    pub fn new(handle: Handle, answers: Answers, report: Report, args: &Args) -> Self {
        let leave = args.save.is_some() && args.stay.is_some();
        // A proxy and a command have an end of their own.
        let stays_on = args.listen.is_some() || !args.exec.is_empty();
        Self {
            handle,
            answers,
            report,
            stay: args.stay.unwrap_or(if stays_on { Duration::MAX } else { Duration::ZERO }),
            leave,
            files: Files::default(),
            sent: false,
            active: false,
            asked: None,
            trouble: Trouble::new(args),
            proxy: None,
            recent: None,
            exec: None,
            signals: None,
        }
    }

    /// Says how it ended and gives the exit code.
    pub fn finish(&self, ended: &Ended) -> u8 {
        let Ended::Closed(reason) = ended else {
            self.report.left();
            return 0;
        };
        match reason {
            CloseReason::Left => self.report.left(),
            reason => self.report.closed(reason),
        }
        if let Some(hint) = self.trouble.hint(reason) {
            self.report.hint(&hint);
        }
        match reason {
            CloseReason::LoggedOut { confirmed: true } | CloseReason::Left => 0,
            CloseReason::LoggedOut { confirmed: false }
            | CloseReason::RetriesExhausted(_)
            | CloseReason::GivenUp(_) => UNAVAILABLE,
            CloseReason::Denied(_) => DENIED,
            CloseReason::Expired => EXPIRED,
            CloseReason::Rival => RIVAL,
            _ => PROTOCOL,
        }
    }

    fn save_last(&self) -> std::io::Result<()> {
        let snapshot = self.handle.snapshot();
        // A login that is not the expected one lives on, and somebody may expect it.
        let lives_on = matches!(snapshot.closed(), Some(CloseReason::Denied(Denial::WrongAccount)));
        if self.files.save(&snapshot)? {
            self.report.saved();
        } else if !lives_on && let Err(error) = self.files.save_end(&snapshot) {
            self.report.hint(&error.to_string());
        }
        Ok(())
    }

    /// The session is usable: it stays so for the time that was asked for.
    fn became_active(&mut self) {
        if std::mem::replace(&mut self.active, true) {
            return;
        }
        if let Err(words) = self.start_command() {
            self.report.hint(&words);
            self.handle.stop(Stop::Logout);
            return;
        }
        let stop = if self.leave { Stop::Leave } else { Stop::Logout };
        if self.stay.is_zero() {
            self.handle.stop(stop);
            return;
        }
        if self.stay == Duration::MAX {
            return;
        }
        let (handle, stay) = (self.handle.clone(), self.stay);
        std::thread::spawn(move || {
            std::thread::sleep(stay);
            handle.stop(stop);
        });
    }

    /// Starts the command, if there is one and nobody has told the tool to end.
    fn start_command(&self) -> Result<(), String> {
        let (Some(exec), Some(signals)) = (&self.exec, self.signals.clone()) else { return Ok(()) };
        if signals.told() {
            return Ok(());
        }
        let mut variables = match (exec::variables(&self.handle), &self.proxy) {
            (Ok(variables), _) => variables,
            (Err(_), Some(_)) => Vec::new(),
            (Err(words), None) => return Err(words),
        };
        if let Some((url, secret)) = &self.proxy {
            variables.push(("SANSESSION_PROXY", url.into()));
            variables.push(("SANSESSION_PROXY_SECRET", secret.expose().into()));
        }
        let (handle, report, ended) = (self.handle.clone(), self.report.clone(), exec.clone());
        let started = exec.start(variables, move || {
            if let Some(code) = ended.code() {
                report.ended(code);
            }
            handle.stop(if signals.leaves() { Stop::Leave } else { Stop::Logout });
        });
        started.map_err(|(_, words)| words)?;
        self.report.started(&exec.name());
        Ok(())
    }
}

impl Driver for Tool {
    fn answer(&mut self, need: &Need) -> Answer {
        if self.asked.replace(need.id) != Some(need.id) {
            self.report.need(need);
        }
        self.report.hide(true);
        let answer = self.answers.answer(need);
        self.report.hide(false);
        answer
    }

    fn rejected(&mut self, need: &Need, rejection: Rejection) {
        self.answers.rejected(need, rejection);
    }

    fn event(&mut self, event: &Event) {
        self.report.event(event);
        self.trouble.event(event);
        match event {
            Event::PhaseChanged { to: Phase::Active, .. } | Event::KeptAlive => self.became_active(),
            _ => {}
        }
    }

    fn save(&mut self, snapshot: &Snapshot) -> std::io::Result<()> {
        if self.files.save(snapshot)? {
            self.report.saved();
        }
        Ok(())
    }

    fn sending(&mut self, outgoing: &Outgoing) {
        self.sent = true;
        if let Some(recent) = &self.recent {
            recent.sending(outgoing);
        }
        self.trouble.sending(outgoing.path());
        self.report.sending(outgoing);
    }

    fn received(&mut self, id: RequestId, response: &http::Response<Vec<u8>>) {
        if let Some(recent) = &self.recent {
            recent.received(id, Some(response));
        }
        self.report.received(response.status().as_u16());
        self.trouble.received(response.status().as_u16());
    }

    fn failed(&mut self, id: RequestId, error: &SendError) {
        if let Some(recent) = &self.recent {
            recent.received(id, None);
        }
        self.report.failed(error);
        self.trouble.failed(error);
    }
}

/// Reads the file of `--resume`. One that is not there yet is no error where it is to be written, so
/// that the same command line serves a service's first start and all later ones.
fn saved_session(args: &Args, files: &Files, report: &Report) -> Result<Option<Snapshot>, Usage> {
    let Some(path) = &args.resume else { return Ok(None) };
    let named = |words: &dyn std::fmt::Display| Usage(format!("--resume {}: {words}", path.display()));
    match file::load(path) {
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

/// Tells why the session of a snapshot has ended, if it has.
fn ended(saved: &Snapshot) -> Option<CloseReason> {
    saved.closed()
}
