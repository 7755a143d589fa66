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
    Users,
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
            _ => return None,
        })
    }

    /// Tells whether the action is one of the sessions controller, which three checks pass over.
    pub(super) const fn is_of_sessions(&self) -> bool {
        matches!(self, Self::Show | Self::Create | Self::Destroy | Self::New)
    }

    /// Tells the name of an action that the API does not have, and those it has there.
    pub(super) const fn outside_api(&self) -> Option<(&'static str, &'static str)> {
        match self {
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
