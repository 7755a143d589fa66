//! The actions that the simulator has, and their routes.

use http::Method;

/// What a method and a path ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// The session's state.
    Show,
    /// Logging in.
    Create,
    /// Logging out.
    Destroy,
    /// The page with the login form.
    New,
    /// The start page.
    Welcome,
    Groups,
    Group(String),
    /// Making a group.
    CreateGroup,
    Users,
    /// Making a user, which a manager may.
    CreateUser,
    /// Removing a user, which a manager may.
    DestroyUser,
    /// A list or an object that has nothing in it here.
    Resource(&'static str),
    /// The same for who is not logged in.
    Open(&'static str),
    /// NeuroHub's page with a login form.
    SignIn,
    User(String),
    /// The page where a password is changed.
    ChangePassword,
    /// A further token for the user of this one.
    NewToken,
    /// A token for another user, made by an admin.
    CreateUserSession(String),
}

impl Action {
    pub(super) fn route(method: &Method, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let get = method == Method::GET || method == Method::HEAD;
        let post = method == Method::POST;
        let id = |id: &str| id.to_owned();
        Some(match *segments.as_slice() {
            ["session"] if post => Self::Create,
            ["session"] if method == Method::DELETE => Self::Destroy,
            ["users", "new_token"] if post => Self::NewToken,
            ["users", user, "create_user_session"] if post => Self::CreateUserSession(id(user)),
            ["users"] if post => Self::CreateUser,
            ["users", _] if method == Method::DELETE => Self::DestroyUser,
            ["groups"] if post => Self::CreateGroup,
            _ if !get => return None,
            ["session" | "session_status"] => Self::Show,
            ["session", "new"] | ["login"] => Self::New,
            ["logout"] => Self::Destroy,
            [] | ["home"] => Self::Welcome,
            ["groups"] => Self::Groups,
            ["groups", group] => Self::Group(id(group)),
            ["users"] => Self::Users,
            ["users", user] => Self::User(id(user)),
            ["users", _, "change_password"] => Self::ChangePassword,
            ["signin"] => Self::SignIn,
            ["session_data"] => Self::Resource("{}"),
            ["stats"] => Self::Open("{}"),
            ["swagger"] => {
                Self::Open(r#"{"swagger":"2.0","info":{"title":"CBRAIN API","version":"7.0.0"},"paths":{}}"#)
            }
            ["userfiles" | "tasks" | "tags" | "data_providers" | "bourreaux" | "tools" | "tool_configs"] => {
                Self::Resource("[]")
            }
            _ => return None,
        })
    }

    /// Reports whether the action is one of the sessions controller, which three checks pass over.
    pub(super) const fn is_of_sessions(&self) -> bool {
        matches!(self, Self::Show | Self::Create | Self::Destroy | Self::New)
    }

    /// Returns the name of an action that the API does not have, and those it has there.
    pub(super) const fn outside_api(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::SignIn => Some(("new", "[]")),
            Self::Welcome => Some(("welcome", "[:swagger, :stats]")),
            Self::ChangePassword => Some((
                "change_password",
                "[:index, :create, :show, :destroy, :update, :create_user_session, :push_keys, :new_token, \
                 :new_token_from_jwt]",
            )),
            _ => None,
        }
    }
}
