//! The machine of the IBKR gateway as transcripts, point by point.

mod answers;
mod calls;
mod ends;
mod foreign;
mod golden;
mod login;
mod opening;
mod origin;
mod rivals;
mod streams;
mod trouble;

use std::time::Duration;

use crate::support::{START, Script, durable, seed};
use sansession::providers::ibkr::{Expect, Gateway, Takeover};
use sansession::{
    BaseUrl, Machine, NeedKind, Options, Output, Phase, Response, Session, Timestamp,
    machine::{Ends, NeedReason},
};

pub const STATUS: &str = "POST /v1/api/iserver/auth/status";
pub const INIT: &str = "POST /v1/api/iserver/auth/ssodh/init";
pub const VALIDATE: &str = "GET /v1/api/sso/validate";
pub const TICKLE: &str = "POST /v1/api/tickle";
pub const ACCOUNTS: &str = "GET /v1/api/iserver/accounts";
pub const LOGOUT: &str = "POST /v1/api/logout";

pub const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
pub const ESTABLISHING: &str = r#"{"authenticated":true,"established":false,"competing":false,"connected":true}"#;
/// The inner tier has timed out, the outer one lives.
pub const TIMED_OUT: &str = r#"{"authenticated":false,"competing":false,"connected":true,"message":"","fail":""}"#;
pub const GONE: &str = r#"{"authenticated":false,"competing":false,"connected":false,"MAC":"98:B2:C3:45:DE:F6"}"#;
pub const COMPETING: &str = r#"{"authenticated":false,"competing":true,"connected":true}"#;
/// An init that another client's session made fail, as it was seen.
pub const REFUSED: &str = r#"{"passed":false,"authenticated":false,"connected":true,"competing":false}"#;
pub const FORCE: &str = r#"{"authenticated":false,"competing":false,"connected":true,"message":"",
    "serverInfo":{"serverName":null,"serverVersion":null},
    "fail":"Force compete capability must be used together with compete flag"}"#;
pub const NOT_AUTHENTICATED: &str = r#"{"error":"not authenticated","statusCode":401}"#;
pub const NO_SESSION: &str = r#"{"error":"no session"}"#;
pub const LOGGED_IN: &str =
    r#"{"USER_ID":123456789,"USER_NAME":"tester","RESULT":true,"EXPIRES":415890,"LOGIN_TYPE":2}"#;
/// A login whose kind is not told.
pub const LOGGED_IN_SOMEHOW: &str = r#"{"USER_ID":123456789,"USER_NAME":"tester","RESULT":true,"EXPIRES":415890}"#;

pub const TEXT: &[(&str, &str)] = &[("content-type", "text/plain")];
pub const HTML: &[(&str, &str)] = &[("content-type", "text/html")];
pub const LOGIN_PAGE: &str = "https://localhost:5000/sso/Login?forwardTo=22&RL=1&ip2loc=US";

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);

/// An answer: status, headers, body.
pub type Answer<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);

pub type Story = Script<Session<Gateway>>;

pub fn gateway() -> Gateway {
    Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap()
}

pub fn opening() -> Story {
    opens(gateway())
}

pub fn opens(gateway: Gateway) -> Story {
    opens_with(gateway, Options::default())
}

pub fn opens_with(gateway: Gateway, options: Options) -> Story {
    Script::new(Session::new(gateway, options, seed())).starts()
}

/// A session that was found living and is to be ended all the same.
pub fn active_and_ended() -> Story {
    becomes_active(opens_with(gateway(), ends_always()))
}

pub fn ends_always() -> Options {
    let mut options = Options::default();
    options.ends = Ends::Always;
    options
}

/// A session that was found living.
pub fn active() -> Story {
    becomes_active(opening())
}

pub fn active_under(takeover: Takeover) -> Story {
    becomes_active(opens(gateway().takeover(takeover)))
}

pub fn becomes_active(story: Story) -> Story {
    let mut story = story.sends(STATUS).gets(200, READY).begins().is(Phase::Active);
    story.told.clear();
    story
}

pub fn expects(user: Option<&str>, paper: Option<bool>) -> Gateway {
    gateway().expect(Expect { user: user.map(str::to_owned), paper })
}

pub fn tickle(flags: &str) -> String {
    format!(
        r#"{{"session":"00000000000000000000000000000001","ssoExpires":460311,"collission":false,"userId":123456789,
        "hmds":{{"error":"no bridge"}},"iserver":{{"authStatus":{flags}}}}}"#
    )
}

pub fn call(path: &str) -> http::Request<&'static str> {
    http::Request::builder().uri(path).body("").unwrap()
}

/// Lets a session live for a while with a server that is a function; gives what was sent, with its second.
pub fn lives(
    story: &mut Story,
    time: Duration,
    mut server: impl FnMut(Timestamp, &str) -> (u16, String),
) -> Vec<(u64, String)> {
    let (start, mut sent) = (story.now, Vec::new());
    loop {
        match story.machine.poll(story.now) {
            Output::Send(outgoing) => {
                let path = outgoing.path().to_owned();
                let (status, body) = server(story.now, &path);
                sent.push((story.now.since(start).as_secs(), path));
                let response = http::Response::builder().status(status).header("content-type", "application/json");
                let response = response.body(body).unwrap();
                story.machine.handle_response(story.now, outgoing.id(), Response::from(&response)).unwrap();
            }
            Output::Event(event) => story.told.push(event),
            Output::Wait { until, .. } if until.since(start) <= time => story.now = until,
            Output::Wait { .. } => {
                story.now = start + time;
                return sent;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Answers any path as a living login with these flags does.
pub fn flags_for(path: &str, flags: &str) -> (u16, String) {
    let body = match path.rsplit('/').next() {
        Some("tickle") => tickle(flags),
        Some("validate") => LOGGED_IN.to_owned(),
        _ => flags.to_owned(),
    };
    (200, body)
}

/// What a gateway's session goes through often.
pub trait Often: Sized {
    fn tickles(self, flags: &str) -> Self;
    /// The session has just become usable, and tickles for the first time.
    fn begins(self) -> Self;
    /// An init leaves that throws nobody out.
    fn asks_politely(self) -> Self;
    /// An init leaves that throws others out.
    fn takes_over(self) -> Self;
    /// Whoever is logged in at the gateway is asked for after the first minute.
    fn learns_the_name(self) -> Self;
    /// The gateway says that nobody is logged in.
    fn finds_nobody(self) -> Self;
    /// The same at an opening, which asks once more with the gateway's own `Origin`.
    fn finds_nobody_twice(self) -> Self;
    fn needs_browser(self, because: NeedReason) -> Self;
    /// The next request leaves after so long, and it is this one.
    fn sends_after(self, time: Duration, request: &str) -> Self;
}

impl Often for Story {
    #[track_caller]
    fn tickles(self, flags: &str) -> Self {
        self.sends(TICKLE).gets(200, &tickle(flags))
    }

    #[track_caller]
    fn begins(self) -> Self {
        self.is(Phase::Active).waits(Duration::from_millis(1_100)).sleeps().tickles(READY)
    }

    #[track_caller]
    fn asks_politely(self) -> Self {
        let story = self.sends(INIT);
        assert_eq!(story.request.as_ref().unwrap().body(), br#"{"publish":true,"compete":false}"#);
        story
    }

    #[track_caller]
    fn takes_over(self) -> Self {
        let story = self.sends(INIT);
        assert_eq!(story.request.as_ref().unwrap().body(), br#"{"publish":true,"compete":true}"#);
        story
    }

    #[track_caller]
    fn learns_the_name(self) -> Self {
        self.sleeps().tickles(READY).sleeps().sends(VALIDATE).gets(200, LOGGED_IN)
    }

    #[track_caller]
    fn finds_nobody(self) -> Self {
        self.gets_as(401, TEXT, "Unauthorized")
    }

    #[track_caller]
    fn finds_nobody_twice(self) -> Self {
        self.finds_nobody().sends(STATUS).finds_nobody()
    }

    #[track_caller]
    fn needs_browser(self, because: NeedReason) -> Self {
        let mut story = self.needs(NeedKind::Browser, because).is(Phase::LoggingIn);
        assert_eq!(story.need().url.as_deref(), Some(LOGIN_PAGE));
        story
    }

    #[track_caller]
    fn sends_after(self, time: Duration, request: &str) -> Self {
        self.waits(time).sleeps().sends(request)
    }
}
