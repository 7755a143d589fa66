//! What the portal does with a request, in the order of its filters.
//!
//! Route, parse, refuse what the API does not have, maintenance, banned addresses, the state of the
//! account, forgery protection, the action. Each may answer and so keep those after it from running.

use core::net::IpAddr;
use core::time::Duration;

use http::{Method, Request, StatusCode};

use super::actions::Action;
use super::answers::{self, Answer};
use super::call::{Call, Format};
use super::filters::{account_state, forgery, has_odd_bearer, outside_api, server_refuses};
use super::params::{Param, Unreadable};
use super::sessions::Found;
use super::{Account, CbrainSim, Outcome};
use crate::Timestamp;
use crate::sim::Reply;

/// How long a bad login is made to wait.
const BAD_LOGIN: Duration = Duration::from_secs(3);
/// How long an address stays banned.
const BAN: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// So many unexpected parameters get an address banned.
const SPURIOUS: usize = 3;
/// The parameters that a login may have.
const EXPECTED: [&str; 9] =
    ["login", "password", "cbrain_api_token", "format", "authenticity_token", "utf8", "commit", "id", "_method"];

/// Who makes a request.
pub(super) struct Who {
    pub(super) token: String,
    pub(super) account: Account,
}

/// What is known of a request's sender.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) now: Timestamp,
    pub(super) address: IpAddr,
}

impl CbrainSim {
    pub(super) fn serve(&mut self, now: Timestamp, address: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        if let Some(answer) = server_refuses(request) {
            return Reply::new(answer);
        }
        let call = Call::read(request);
        let address = call.address().unwrap_or(address);
        let reply = self.filter(Origin { now, address }, &call);
        Reply { response: answers::finish(reply.response, &call), ..reply }
    }

    fn filter(&mut self, origin: Origin, call: &Call<'_>) -> Reply {
        let Some(action) = Action::route(&call.method, &call.path) else {
            return Reply::new(answers::rails(StatusCode::NOT_FOUND, call.format));
        };
        match &call.params {
            Ok(_) if !has_odd_bearer(call) => {}
            Err(Unreadable::TooDeep) => {
                return Reply::new(answers::rails(StatusCode::INTERNAL_SERVER_ERROR, call.format));
            }
            _ => return Reply::new(answers::rails(StatusCode::BAD_REQUEST, call.format)),
        }
        if self.stopped || call.odd_token && call.token.is_none() {
            return Reply::new(answers::rails(StatusCode::INTERNAL_SERVER_ERROR, call.format));
        }
        if let Some(answer) = outside_api(call, &action).or_else(|| self.maintenance(origin, call, &action)) {
            return Reply::new(answer);
        }
        if self.bans.get(&origin.address).is_some_and(|until| origin.now < *until) {
            return Reply::new(banned());
        }
        let who = self.who(origin, call);
        if who.is_none() && call.token.is_some() {
            self.note(origin.now, Outcome::TokenRefused, None);
        }
        if let Some(answer) =
            account_state(call, &action, who.as_ref()).or_else(|| forgery(call, &action, who.as_ref()))
        {
            return Reply::new(answer);
        }
        match action {
            Action::Create => self.create(origin, call, who),
            Action::New => Reply::new(self.new_page(origin, call, who)),
            Action::Show => Reply::new(self.show(origin, call, who)),
            Action::Destroy => Reply::new(self.destroy(origin, call, who)),
            _ => Reply::new(self.other(origin, call, &action, who)),
        }
    }

    /// Finds out who makes a request, by its token or else by its cookie.
    ///
    /// A token that comes from another address than its own dies here.
    fn who(&mut self, origin: Origin, call: &Call<'_>) -> Option<Who> {
        if let Some(token) = &call.token {
            match self.sessions.find(origin.now, origin.address, token) {
                Found::Live { user } => {
                    let account = self.accounts.get(&user)?.clone();
                    return Some(Who { token: token.clone(), account });
                }
                Found::Moved { user } => self.note(origin.now, Outcome::AddressChanged, Some(user)),
                Found::Nothing => {}
            }
        }
        let (token, user) = self.sessions.find_cookie(origin.now, call.cookie?)?;
        Some(Who { token, account: self.accounts.get(&user)?.clone() })
    }

    /// Comes before anybody is asked for credentials, so an admin cannot log in either.
    fn maintenance(&mut self, origin: Origin, call: &Call<'_>, action: &Action) -> Option<Answer> {
        self.lock.as_ref()?;
        if self.who(origin, call).is_some_and(|who| who.account.admin) {
            return None;
        }
        let message = self.lock.as_ref()?.message.as_deref();
        match call.wanted {
            Format::Json | Format::Xml => {
                let answer = answers::told(StatusCode::SERVICE_UNAVAILABLE, "message", message, call.wanted);
                Some(answers::with_cookie(answer))
            }
            Format::Html if action.is_of_sessions() => None,
            Format::Html => Some(answers::redirect(call, "/logout")),
            Format::Other => Some(answers::unauthorized(call.wanted)),
        }
    }

    /// Bans an address that sends too many unexpected parameters; loopback is only refused.
    fn spurious(&mut self, origin: Origin, call: &Call<'_>) -> Option<Answer> {
        let login = call.path == "/session";
        let expected = |key: &str| EXPECTED.iter().skip(if login { 0 } else { 2 }).any(|known| *known == key);
        let spurious = call.params.iter().flatten().filter(|(key, _)| !expected(key)).count();
        if spurious < SPURIOUS {
            return None;
        }
        if !origin.address.is_loopback() {
            self.bans.insert(origin.address, origin.now + BAN);
            self.note(origin.now, Outcome::Banned, None);
        }
        Some(banned())
    }

    fn create(&mut self, origin: Origin, call: &Call<'_>, who: Option<Who>) -> Reply {
        if let Some(who) = who {
            self.note(origin.now, Outcome::LoginReused, Some(who.account.id()));
            return Reply::new(logged_in(call, &who));
        }
        if let Some(answer) = self.spurious(origin, call) {
            return Reply::new(answer);
        }
        if !call.is_api() {
            return Reply::new(if call.wanted == Format::Html {
                answers::with_cookie(answers::redirect(call, "/session/new"))
            } else {
                answers::unauthorized(call.wanted)
            });
        }
        let (logins, password) = credentials(call);
        let named = |account: &&Account| logins.iter().any(|login| account.matches(login));
        let account = self.accounts.values().find(named);
        let Some(account) = account else {
            return self.refuse(origin, call, None, BAD_LOGIN);
        };
        let user = account.id();
        let right = match password {
            Ok(password) => account.has_password(&password),
            Err(error) => {
                return Reply::new(answers::told(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "error",
                    Some(&error),
                    call.wanted,
                ));
            }
        };
        if !right {
            return self.refuse(origin, call, Some(user), BAD_LOGIN);
        }
        let outside = !account.ip_whitelist.is_empty() && !account.ip_whitelist.contains(&origin.address);
        if outside || account.locked {
            return self.refuse(origin, call, Some(user), Duration::ZERO);
        }
        let who = Who { account: account.clone(), token: self.sessions.open(origin.now, user, Some(origin.address)) };
        self.note(origin.now, Outcome::LoggedIn, Some(user));
        Reply::new(logged_in(call, &who))
    }

    fn refuse(&mut self, origin: Origin, call: &Call<'_>, user: Option<u64>, delay: Duration) -> Reply {
        self.note(origin.now, Outcome::LoginRefused, user);
        let answer = match call.wanted {
            Format::Html => answers::page(StatusCode::OK, "Login to CBRAIN"),
            format => answers::unauthorized(format),
        };
        Reply::new(answer).after(delay)
    }

    fn new_page(&mut self, origin: Origin, call: &Call<'_>, who: Option<Who>) -> Answer {
        if let Some(who) = who {
            return logged_in(call, &who);
        }
        if let Some(answer) = self.spurious(origin, call) {
            return answer;
        }
        match call.wanted {
            Format::Html => answers::with_cookie(answers::page(StatusCode::OK, "Login to CBRAIN")),
            _ if call.method == Method::HEAD => answers::empty(StatusCode::OK, call.wanted),
            format => answers::unauthorized(format),
        }
    }

    fn show(&mut self, origin: Origin, call: &Call<'_>, who: Option<Who>) -> Answer {
        let Some(who) = who else { return answers::unauthorized(call.wanted) };
        let answer = match call.wanted {
            Format::Json | Format::Xml => answers::session(who.account.id(), &who.token, call.wanted),
            // A browser that polls only wants to know whether it still is logged in.
            Format::Html => answers::empty(StatusCode::OK, Format::Html),
            Format::Other => return answers::unauthorized(call.wanted),
        };
        self.sessions.touch(origin.now, &who.token);
        self.note(origin.now, Outcome::Checked, Some(who.account.id()));
        answer
    }

    fn destroy(&mut self, origin: Origin, call: &Call<'_>, who: Option<Who>) -> Answer {
        let Some(who) = who else {
            return match call.wanted {
                Format::Html => answers::with_cookie(answers::redirect(call, "/session/new")),
                format => answers::unauthorized(format),
            };
        };
        self.sessions.end(&who.token);
        self.note(origin.now, Outcome::LoggedOut, Some(who.account.id()));
        match call.wanted {
            Format::Json | Format::Xml => answers::empty(StatusCode::OK, call.wanted),
            Format::Html => answers::redirect(call, "/session/new"),
            Format::Other => answers::unauthorized(call.wanted),
        }
    }
}

/// Returns the session after a login, or sends the browser to its start page.
fn logged_in(call: &Call<'_>, who: &Who) -> Answer {
    match call.wanted {
        Format::Json | Format::Xml => answers::session(who.account.id(), &who.token, call.wanted),
        Format::Html => answers::redirect(call, start_page(&who.account)),
        Format::Other => answers::unauthorized(call.wanted),
    }
}

/// Reads logins and password; an error is what Ruby says about a password that is no text.
///
/// A list of logins finds whoever has one of them.
fn credentials(call: &Call<'_>) -> (Vec<String>, Result<String, String>) {
    let param = |name| call.params.as_ref().ok().and_then(|params| params.get(name));
    let login = |login: &Param| match login {
        Param::Text(login) => Some(login.clone()),
        Param::Other("Integer", login) => Some(login.clone()),
        _ => None,
    };
    let logins = match param("login") {
        Some(Param::List(logins)) => logins.iter().filter_map(login).collect(),
        Some(one) => login(one).into_iter().collect(),
        None => Vec::new(),
    };
    let password = match param("password") {
        Some(Param::Text(password)) => Ok(password.clone()),
        None | Some(Param::Null) => Err("password not set".to_owned()),
        Some(other) => Err(format!("no implicit conversion of {} into String", other.kind())),
    };
    (logins, password)
}

pub(super) fn start_page(account: &Account) -> &'static str {
    if account.admin { "/" } else { "/groups" }
}

fn banned() -> Answer {
    answers::with_cookie(answers::unauthorized(Format::Html))
}
