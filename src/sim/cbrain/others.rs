//! The calls of a user's own.

use http::StatusCode;
use serde_json::{Value, json};

use super::actions::Action;
use super::answers::{self, Answer};
use super::call::{Call, Format};
use super::portal::{Origin, Who};
use super::{Account, CbrainSim, Outcome};

/// The id of the first user's own group.
const FIRST_GROUP: u64 = 1;

impl CbrainSim {
    pub(super) fn other(&mut self, origin: Origin, call: &Call<'_>, action: &Action, who: Option<Who>) -> Answer {
        if let Action::Open(body) = action {
            return match call.wanted {
                Format::Json => answers::json(StatusCode::OK, (*body).to_owned()),
                Format::Html => answers::page(StatusCode::OK, "CBRAIN"),
                format => answers::unauthorized(format),
            };
        }
        let Some(who) = who else {
            return match call.wanted {
                Format::Html if *action == Action::SignIn => answers::page(StatusCode::OK, "NeuroHub"),
                Format::Html if *action == Action::Welcome => answers::with_cookie(answers::redirect(call, "/login")),
                Format::Html => answers::with_cookie(answers::redirect(call, "/session/new")),
                format => answers::unauthorized(format),
            };
        };
        if call.wanted == Format::Html {
            self.used(origin, &who, Outcome::Called);
            return answers::page(StatusCode::OK, "CBRAIN");
        }
        let account = &who.account;
        if call.wanted == Format::Xml && *action == Action::Groups {
            let answer = answers::xml_list(&group(account));
            self.used(origin, &who, Outcome::Called);
            return answer;
        }
        if call.wanted != Format::Json {
            // Other lists as XML are left out.
            return answers::unauthorized(call.wanted);
        }
        let found = |value: Value| answers::json(StatusCode::OK, value.to_string());
        let (answer, outcome) = match action {
            Action::Groups => (found(json!([group(account)])), Outcome::Called),
            Action::Group(id) if *id == group_id(account).to_string() => (found(group(account)), Outcome::Called),
            Action::Group(id) => return missing("Group", id),
            // Another role is needed: an empty 401 that says nothing about the session.
            Action::Users | Action::CreateUserSession(_) | Action::CreateUser | Action::DestroyUser
                if !account.admin =>
            {
                return answers::unauthorized(call.wanted);
            }
            Action::Resource(body) => (answers::json(StatusCode::OK, (*body).to_owned()), Outcome::Called),
            // Nothing is made or removed here.
            Action::CreateGroup | Action::CreateUser => {
                let body = json!({ "name": ["can't be blank"] });
                return answers::json(StatusCode::UNPROCESSABLE_ENTITY, body.to_string());
            }
            Action::DestroyUser => return answers::empty(StatusCode::CONFLICT, call.wanted),
            Action::Users => (found(self.accounts.values().map(user).collect()), Outcome::Called),
            // The portal's own admin, who is in no list of this simulator.
            Action::User(id) if id == "1" && !account.admin => {
                let text = "You don't have permission to view this user.";
                return answers::told(StatusCode::BAD_REQUEST, "error", Some(text), call.wanted);
            }
            Action::User(id) => match self.by_id(id) {
                None => return missing("User", id),
                Some(other) if other.id() != account.id() && !account.admin => {
                    let text = "You don't have permission to view this user.";
                    return answers::told(StatusCode::BAD_REQUEST, "error", Some(text), call.wanted);
                }
                Some(other) => (found(user(other)), Outcome::Called),
            },
            Action::NewToken => {
                // Bound to no address before its first use.
                let token = self.sessions.open(origin.now, account.id(), None);
                (found(json!({ "cbrain_api_token": token })), Outcome::TokenMade)
            }
            Action::CreateUserSession(id) => {
                let Some(user) = self.by_id(id).map(Account::id) else { return missing("User", id) };
                let token = self.sessions.open(origin.now, user, Some(origin.address));
                // The id is a string here, as it stood in the path.
                (found(json!({ "cbrain_api_token": token, "user_id": id })), Outcome::TokenMade)
            }
            _ => return answers::rails(StatusCode::NOT_FOUND, call.format),
        };
        self.used(origin, &who, outcome);
        answer
    }

    fn used(&mut self, origin: Origin, who: &Who, outcome: Outcome) {
        self.sessions.touch(origin.now, &who.token);
        self.note(origin.now, outcome, Some(who.account.id()));
    }

    fn by_id(&self, id: &str) -> Option<&Account> {
        self.accounts.get(&id.parse().ok()?)
    }
}

fn missing(model: &str, id: &str) -> Answer {
    let body = json!({
        "error": format!("The {model} with id = {id} doesn't exist"),
        "message": "The object you requested does not exist or is not accessible to you.",
        "type": "object not found",
        "model": model,
        "id": id,
    });
    answers::json(StatusCode::NOT_FOUND, body.to_string())
}

fn group_id(account: &Account) -> u64 {
    FIRST_GROUP + account.id()
}

fn group(account: &Account) -> Value {
    json!({
        "id": group_id(account),
        "name": account.login(),
        "description": null,
        "type": "UserGroup",
        "site_id": null,
        "invisible": false,
    })
}

fn user(account: &Account) -> Value {
    json!({
        "id": account.id(),
        "login": account.login(),
        "full_name": account.login(),
        "type": if account.admin { "AdminUser" } else { "NormalUser" },
        "account_locked": account.locked,
    })
}
