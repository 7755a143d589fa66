//! Where answers come from: the environment, files, a prompt on a terminal.

use std::io::{ErrorKind, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sansession::drive::Answer;
use sansession::{Credentials, Input, Need, NeedKind, Secret, Source, machine::Rejection};

pub use crate::cli::variables::variable;
use crate::cli::{Usage, kotak, oauth2, out, terminal};

/// Whether somebody is typing: a Ctrl-C then ends the program at once.
pub static PROMPTING: AtomicBool = AtomicBool::new(false);

/// How long a signal may take that ends the program.
const INTERRUPTED: Duration = Duration::from_secs(1);

/// How many refused answers end a conversation: accounts lock after about three.
const TRIES: u8 = 2;

/// How often somebody may type what can be no answer; it is not sent, so it costs nothing.
const TYPOS: u8 = 5;

/// Answers of which some are known before.
#[derive(Default)]
pub struct Answers {
    pub user: Option<Secret>,
    password: Option<Secret>,
    pub code: Option<Secret>,
    pub pin: Option<Secret>,
    pub token: Option<Secret>,
    pub kotak: kotak::Codes,
    pub oauth2: Option<oauth2::Consents>,
    again: Again,
    /// How many refusals there were before anything was typed in this run.
    before: Option<u8>,
}

/// A person's word for answers that a program keeps: each kind may be given once more.
#[derive(Default)]
pub struct Again {
    allowed: bool,
    given: Vec<NeedKind>,
}

impl Again {
    pub fn is_left(&self, kind: NeedKind) -> bool {
        self.allowed && !self.given.contains(&kind)
    }

    /// Uses it up for this kind; tells whether it was there.
    pub fn take(&mut self, kind: NeedKind) -> bool {
        let left = self.is_left(kind);
        self.given.push(kind);
        left
    }
}

impl Answers {
    /// Reads the environment; `known` are the embedded simulator's user and password.
    pub fn read(again: bool, known: Option<(&str, &str)>) -> Result<Self, Usage> {
        let (user, password) = (variable("SANSESSION_USER")?, variable("SANSESSION_PASSWORD")?);
        Ok(Self {
            user: user.or_else(|| known.map(|(user, _)| user.into())),
            password: password.or_else(|| known.map(|(_, password)| password.into())),
            code: variable("SANSESSION_CODE")?,
            pin: variable("SANSESSION_PIN")?,
            token: variable("SANSESSION_TOKEN")?,
            kotak: kotak::Codes::default(),
            oauth2: None,
            again: Again { allowed: again, given: Vec::new() },
            before: None,
        })
    }

    /// Checks that a login can be answered at all, before anything is sent.
    pub fn check(&self) -> Result<(), Usage> {
        for (name, value) in [("SANSESSION_USER", &self.user), ("SANSESSION_PASSWORD", &self.password)] {
            match value {
                None if !std::io::stdin().is_terminal() => {
                    return Err(Usage(format!("{name} is not set and there is no terminal to ask at")));
                }
                Some(value) if value.is_empty() => return Err(Usage(format!("{name} is empty"))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reports whether a person may type one more answer: refusals of earlier runs do not count.
    fn may_type(&mut self, need: &Need) -> bool {
        let before = self.before.unwrap_or(need.refused).min(need.refused);
        self.before = Some(before);
        need.refused - before < TRIES
    }

    /// Answers a need.
    pub fn answer(&mut self, need: &Need) -> Answer {
        let may_type = self.may_type(need);
        if let Some(answer) = self.oauth2.as_mut().and_then(|consents| consents.answer(need, may_type)) {
            return answer;
        }
        let input = match need.kind {
            NeedKind::Credentials => self.credentials(need, may_type),
            NeedKind::AccessCode => {
                self.one(may_type, "code", self.code.as_ref()).map(|(code, by)| (Input::Code(code), by))
            }
            NeedKind::Pin => self.one(may_type, "PIN", self.pin.as_ref()).map(|(pin, by)| (Input::Pin(pin), by)),
            NeedKind::Totp | NeedKind::GatewayToken => {
                return self.kotak.answer(need, &mut self.code, &mut self.again, may_type);
            }
            // The session looks by itself whether it has happened.
            NeedKind::Browser | NeedKind::Takeover => return Answer::Later(Duration::from_secs(60)),
            _ => None,
        };
        match input {
            // `--again` is a person's word for an answer that a program keeps.
            Some((input, Source::Store)) if self.again.take(need.kind) => Answer::Now(input, Source::Person),
            Some((input, by)) => Answer::Now(input, by),
            None => Answer::GiveUp,
        }
    }

    /// Says why an answer was not taken.
    pub fn rejected(&self, need: &Need, rejection: Rejection) {
        let more = match rejection {
            Rejection::Unattended | Rejection::MaybeRefused => "; --again gives it once more",
            _ => "",
        };
        eprintln!("{}{more}", explained(need.kind, rejection));
    }

    fn credentials(&self, need: &Need, may_type: bool) -> Option<(Input, Source)> {
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            return Some((Input::Credentials(Credentials::new(user.clone(), password.clone()).ok()?), Source::Store));
        }
        if !may_type {
            return None;
        }
        let user = match &self.user {
            Some(user) => user.clone(),
            None => prompt_line("login: ")?.into(),
        };
        let password = match &self.password {
            Some(password) => password.clone(),
            None => typed("password: ", |password| match password.is_empty() {
                true => Err(Rejection::Empty("password")),
                false => Ok(password),
            })?,
        };
        match Credentials::new(user, password) {
            Ok(credentials) => Some((Input::Credentials(credentials), Source::Person)),
            Err(rejection) => {
                self.rejected(need, rejection);
                None
            }
        }
    }

    fn one(&self, may_type: bool, name: &str, known: Option<&Secret>) -> Option<(Secret, Source)> {
        match known {
            Some(secret) => Some((secret.clone(), Source::Store)),
            None if !may_type => None,
            None => Some((prompt_hidden(&format!("{name}: "))?, Source::Person)),
        }
    }
}

/// Asks until somebody types what can be used.
pub fn typed<T>(prompt: &str, read: impl Fn(Secret) -> Result<T, Rejection>) -> Option<T> {
    for _ in 0..TYPOS {
        match read(prompt_hidden(prompt)?) {
            Ok(value) => return Some(value),
            Err(rejection) => eprintln!("{rejection}"),
        }
    }
    None
}

/// Names the answer that cannot be used, once.
pub fn explained(kind: NeedKind, rejection: Rejection) -> String {
    let (kind, words) = (kind.code(), rejection.to_string());
    if words.starts_with(&format!("{kind}: ")) { words } else { format!("{kind}: {words}") }
}

fn prompt_line(prompt: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let _typing = terminal::borrow();
    // Whoever reads the prompt may interrupt it at once.
    PROMPTING.store(true, Ordering::SeqCst);
    out::prompt(prompt);
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    PROMPTING.store(false, Ordering::SeqCst);
    let line = line.trim_end_matches(['\r', '\n']);
    (read.is_ok() && !line.is_empty()).then(|| line.to_owned())
}

pub fn prompt_hidden(prompt: &str) -> Option<Secret> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let _typing = terminal::borrow();
    PROMPTING.store(true, Ordering::SeqCst);
    let typed = rpassword::prompt_password(prompt);
    if typed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
        // A Ctrl-C that was read here is raised as a signal, whose thread ends the program while somebody is typing. It is
        // waited for, or the exit code would depend on who is faster. A command that runs gets the signal instead.
        std::thread::park_timeout(INTERRUPTED);
    }
    PROMPTING.store(false, Ordering::SeqCst);
    typed.ok().map(Secret::new)
}
