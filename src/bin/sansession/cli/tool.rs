//! What happens to a session meanwhile: what is answered, told, saved and started.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sansession::drive::{
    Answer, Ended, Handle, SendError, Stop,
    blocking::{Driver, Transport},
};
use sansession::{
    CloseReason, Event, Need, NeedId, Outgoing, Phase, RequestId, Secret, Snapshot,
    machine::{Denial, Rejection},
};

use crate::cli::answers::Answers;
use crate::cli::args::Args;
use crate::cli::exec::{Credentials, Exec};
use crate::cli::files::Files;
use crate::cli::hint::Trouble;
use crate::cli::proxy::Recent;
use crate::cli::report::Report;
use crate::cli::signals::Signals;
use crate::cli::task::Task;
use crate::cli::world::World;
use crate::cli::{browser, notify};

pub const DENIED: u8 = 3;
pub const UNAVAILABLE: u8 = 4;
const PROTOCOL: u8 = 5;
const EXPIRED: u8 = 6;
const RIVAL: u8 = 7;

/// What the tool does for a session.
pub struct Tool {
    handle: Handle,
    answers: Answers,
    pub report: Report,
    stay: Duration,
    leave: bool,
    pub files: Files,
    /// Whether a request has left.
    pub sent: bool,
    active: bool,
    asked: Option<NeedId>,
    trouble: Trouble,
    /// Where a proxy listens, and its secret.
    pub proxy: Option<(String, Secret)>,
    /// What the session gets, for the proxy's clients that ask the same.
    pub recent: Option<Arc<Recent>>,
    pub exec: Option<Exec>,
    pub signals: Option<Signals>,
    pub task: Task,
    /// Whether a browser is opened where a login wants one.
    opens: bool,
    /// How the task ended, once it has.
    done: Arc<OnceLock<u8>>,
    transport: Transport,
}

impl Tool {
    pub fn new(world: &mut World, report: Report, args: &Args) -> Self {
        let leave = args.save.is_some() && args.stay.is_some();
        // A proxy and a command have an end of their own.
        let stays_on = args.listen.is_some() || !args.exec.is_empty();
        Self {
            handle: world.handle.clone(),
            answers: std::mem::take(&mut world.answers),
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
            task: args.task.clone(),
            opens: args.open,
            done: Arc::default(),
            transport: world.transport.clone(),
        }
    }

    /// Says how it ended and gives the exit code.
    pub fn finish(&self, ended: &Ended) -> u8 {
        let Ended::Closed(reason) = ended else {
            self.report.left();
            if self.task == Task::Login && self.active {
                self.report.result("logged in");
            }
            return self.task_code();
        };
        match reason {
            CloseReason::Left => self.report.left(),
            reason => self.report.closed(reason),
        }
        if matches!(reason, CloseReason::LoggedOut { confirmed: true }) {
            self.report.result("logged out");
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

    /// Returns the exit code of what was done with a session that was left open.
    fn task_code(&self) -> u8 {
        match (&self.task, self.done.get()) {
            (Task::Stay | Task::Logout, _) => 0,
            (_, Some(code)) => *code,
            (_, None) => self.signals.as_ref().map_or(0, Signals::code),
        }
    }

    pub fn save_last(&self) -> std::io::Result<()> {
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
        notify::ready();
        if let Err(words) = self.start_command() {
            self.report.hint(&words);
            self.handle.stop(Stop::Logout);
            return;
        }
        if self.task != Task::Stay {
            return self.perform();
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

    /// Does what the session was wanted for, and leaves it open. A thread does, so that Ctrl-C is heard.
    fn perform(&self) {
        let (task, handle, transport) = (self.task.clone(), self.handle.clone(), self.transport.clone());
        let (done, report) = (Arc::clone(&self.done), self.report.clone());
        std::thread::spawn(move || {
            let code = match task.perform(&handle, &transport, &report) {
                Ok(()) => 0,
                Err((code, words)) => {
                    report.hint(&words);
                    code
                }
            };
            let _ = done.set(code);
            handle.stop(Stop::Leave);
        });
    }

    /// Starts the command, if there is one and nobody has told the tool to end.
    fn start_command(&self) -> Result<(), String> {
        let (Some(exec), Some(signals)) = (&self.exec, self.signals.clone()) else { return Ok(()) };
        if signals.told() {
            return Ok(());
        }
        let mut variables = match (Credentials::of(&self.handle), &self.proxy) {
            (Ok(credentials), _) => credentials.variables(),
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
            if let Some(url) = need.url.as_deref().filter(|_| self.opens) {
                browser::open(url, &self.report);
            }
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
        if let Event::ActionRequired { url: Some(url), .. } = event
            && self.opens
        {
            browser::open(&url.to_string(), &self.report);
        }
        match event {
            Event::PhaseChanged { to: Phase::Active, .. } | Event::KeptAlive => self.became_active(),
            _ => {}
        }
    }

    fn save(&mut self, snapshot: &Snapshot) -> std::io::Result<()> {
        if self.files.save(snapshot)? {
            self.report.saved();
        } else if !self.files.saves() {
            let why = "this provider takes its tokens only once, so they are to be stored: give --save";
            return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, why));
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
