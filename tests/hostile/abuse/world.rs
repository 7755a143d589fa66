//! Every provider, an honest server for each, and a driver that counts.

use std::cell::Cell;
use std::time::Duration;

use http::{Request, Response};
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::Gateway;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::{
    BaseUrl, CloseReason, Credentials, Input, InputHandled, Machine, Need, NeedKind, Options, Outgoing, Output, Phase,
    Provider, RequestId, Session, Source, Timestamp, WaitingOn,
    machine::{Ends, Totp},
};

use crate::abuse::direct;

/// Any morning.
pub const START: Timestamp = Timestamp::from_secs(1_790_000_000);

pub const HOUR: Duration = Duration::from_secs(3_600);

/// How many outputs one instant may have.
const OUTPUTS: usize = 300;

/// A provider and what its servers are called.
pub struct Subject {
    pub name: &'static str,
    pub hosts: &'static [&'static str],
    make: fn(Options) -> Box<dyn Machine>,
}

const IBKR: &[&str] = &["api.ibkr.com", "1.api.ibkr.com", "2.api.ibkr.com", "3.api.ibkr.com"];

pub const SUBJECTS: [Subject; 6] = [
    Subject {
        name: "cbrain",
        hosts: &["portal.example.org"],
        make: |options| new(Cbrain::new(url("https://portal.example.org")).unwrap(), options),
    },
    Subject {
        name: "ibkr-gateway",
        hosts: &["localhost"],
        make: |options| new(Gateway::new(&url("https://localhost:5000/v1/api")).unwrap(), options),
    },
    Subject { name: "ibkr-oauth1a", hosts: IBKR, make: |options| new(direct::oauth1a(), options) },
    Subject {
        name: "ibkr-oauth2",
        hosts: IBKR,
        make: |mut options| {
            options.egress_label = Some("fibre".into());
            new(direct::oauth2(), options)
        },
    },
    Subject {
        name: "kotak-trade",
        hosts: &["tradeapi.kotaksecurities.com", "ctradeapi.kotaksecurities.com"],
        make: |options| {
            let base = url("https://tradeapi.kotaksecurities.com/apim");
            new(TradeApi::new(base, "USER1", "key").unwrap().consumer_secret("secret").unwrap(), options)
        },
    },
    Subject {
        name: "kotak-neo",
        hosts: &["mis.kotaksecurities.com", "e43.kotaksecurities.com"],
        make: |options| new(Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap(), options),
    },
];

impl Subject {
    pub fn starts(&self, options: Options) -> Run {
        let mut run = Run::new((self.make)(options));
        run.machine.start(run.now);
        run
    }

    /// A session that an honest server has let in.
    pub fn active(&self, options: Options) -> Run {
        let mut run = self.starts(options);
        run.runs_for(Duration::from_secs(60), Source::Person, &mut honest);
        assert_eq!(run.machine.phase(), Phase::Active, "{}: {:?}", self.name, run.sent);
        run
    }

    /// Lets a life go well but for one answer: to one of the first requests, to a look, to a logout, to a
    /// call of the user's own; each in its turn.
    pub fn at_each_request(&self, options: &Options, mut abuse: impl FnMut(&Request<Vec<u8>>) -> Response<Vec<u8>>) {
        // Openings have six requests at most; what follows is a keepalive like the next.
        let (look, logout, call) = (8, 9, 10);
        for moment in 0..=call {
            let until = Cell::new((moment < look).then_some(moment));
            let at = |here: usize| {
                if moment == here {
                    until.set(Some(0));
                }
            };
            let mut server = |request: &Request<Vec<u8>>| {
                let due = until.take();
                until.set(due.and_then(|requests: usize| requests.checked_sub(1)));
                if due == Some(0) { abuse(request) } else { honest(request) }
            };
            let mut run = self.starts(options.clone());
            run.runs_for(HOUR, Source::Person, &mut server);
            at(look);
            run.machine.check(run.now);
            run.runs_for(HOUR / 6, Source::Person, &mut server);
            at(call);
            run.calls(&mut server);
            run.runs_for(HOUR / 6, Source::Person, &mut server);
            at(logout);
            run.machine.logout(run.now);
            run.runs_for(HOUR / 6, Source::Person, &mut server);
            assert!(run.closed.is_some(), "{}: {moment}", self.name);
            run.is_bounded(self.name);
            // Neo forgets its tokens by itself.
            let local = moment == logout && self.name == "kotak-neo";
            assert!(moment < look || local || until.get().is_none(), "{}: {moment} did not come", self.name);
        }
    }
}

fn new<P: Provider + Send + 'static>(provider: P, mut options: Options) -> Box<dyn Machine> {
    // The gateway's login is found living, and its logout is to be seen.
    options.ends = Ends::Always;
    Box::new(Session::new(provider, options, [7; 32]))
}

pub fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

/// Answers a request.
pub type Server<'a> = dyn FnMut(&Request<Vec<u8>>) -> Response<Vec<u8>> + 'a;

/// A session, its clock, and what it sent.
pub struct Run {
    pub machine: Box<dyn Machine>,
    pub now: Timestamp,
    /// Every request that left: when, where and what.
    pub sent: Vec<(Timestamp, String)>,
    pub closed: Option<CloseReason>,
}

impl Run {
    pub fn new(machine: Box<dyn Machine>) -> Self {
        Self { machine, now: START, sent: Vec::new(), closed: None }
    }

    /// Runs in virtual time, with somebody who answers every need.
    pub fn runs_for(&mut self, time: Duration, by: Source, server: &mut Server<'_>) {
        let end = self.now + time;
        while let Some((until, on)) = self.next(server) {
            if let WaitingOn::Need(need) = on
                && self.answers(&need, by)
            {
                continue;
            }
            if until > end {
                self.now = end;
                return;
            }
            self.now = until;
        }
    }

    /// Makes a call of the user's own.
    fn calls(&mut self, server: &mut Server<'_>) {
        let (mut parts, ()) = Request::get("/orders").body(()).unwrap().into_parts();
        if let Ok(ticket) = self.machine.authorize(self.now, &mut parts, b"") {
            let response = server(&Request::from_parts(parts, Vec::new()));
            self.machine.observe(self.now, &ticket, (&response).into());
        }
    }

    /// Does what is due now.
    fn next(&mut self, server: &mut Server<'_>) -> Option<(Timestamp, WaitingOn)> {
        for _ in 0..OUTPUTS {
            match self.machine.poll(self.now) {
                Output::Send(outgoing) => {
                    let (id, request) = self.takes(outgoing);
                    let response = server(&request);
                    self.machine.handle_response(self.now, id, (&response).into()).unwrap();
                }
                Output::Wait { until, on } => {
                    assert!(until > self.now, "{on:?}");
                    return Some((until, on));
                }
                Output::Closed(reason) => {
                    self.closed = Some(reason);
                    return None;
                }
                Output::Event(event) => {
                    let shown = format!("{event:?}");
                    assert!(shown.len() < 8 << 10, "an event of {} bytes", shown.len());
                }
                Output::Save | Output::Cancel(_) => {}
            }
        }
        panic!("{OUTPUTS} outputs at one instant and no end")
    }

    pub fn takes(&mut self, outgoing: Outgoing) -> (RequestId, Request<Vec<u8>>) {
        let id = outgoing.id();
        let request = outgoing.into_request();
        self.sent.push((self.now, format!("{} {}", request.method(), request.uri())));
        (id, request)
    }

    fn answers(&mut self, need: &Need, by: Source) -> bool {
        if need.kind == NeedKind::Browser {
            return false;
        }
        self.now = self.now.max(need.fresh_after.unwrap_or(self.now));
        self.machine.handle_input(self.now, need.id, answer(need.kind, self.now), by) == InputHandled::Used
    }

    /// Checks that no hour has more requests than a person would call reasonable.
    pub fn is_bounded(&self, what: &str) {
        let mut begin = 0;
        for (index, (at, _)) in self.sent.iter().enumerate() {
            while at.since(self.sent[begin].0) >= HOUR {
                begin += 1;
            }
            assert!(index - begin < 1_000, "{what}: {} requests in an hour", index - begin + 1);
        }
    }
}

pub fn answer(kind: NeedKind, now: Timestamp) -> Input {
    match kind {
        NeedKind::Credentials => Input::Credentials(Credentials::new("USER1", "correct horse").unwrap()),
        NeedKind::Totp => Input::Totp(Totp::new("123456", now).unwrap()),
        NeedKind::Pin => Input::Pin("654321".into()),
        NeedKind::GatewayToken => Input::Token("gateway-token".into()),
        NeedKind::Browser => Input::Done,
        NeedKind::Takeover => Input::TakeOver,
        _ => Input::Code("246810".into()),
    }
}

/// What a server that means well answers, whichever provider's it is.
pub fn honest(request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
    if let Some(response) = direct::shakes_hands(request) {
        return response;
    }
    let body = match request.uri().path().rsplit('/').next().unwrap() {
        "session" if request.method() == http::Method::DELETE => "",
        "session" => r#"{"user_id":2,"cbrain_api_token":"0123456789abcdef0123456789abcdef"}"#,
        "status" | "init" if request.method() == http::Method::POST => READY,
        "tickle" => {
            r#"{"session":"bb665d0f","ssoExpires":460311,"userId":1,"iserver":{"authStatus":{"authenticated":true,"established":true,"competing":false,"connected":true}}}"#
        }
        "validate" => r#"{"USER_ID":1,"USER_NAME":"tester","RESULT":true,"EXPIRES":415890}"#,
        "token" if request.uri().path().starts_with("/oauth2") => {
            r#"{"access_token":"first","token_type":"Bearer","expires_in":86399}"#
        }
        "sso-sessions" => r#"{"active":true,"access_token":"second","token_type":"Bearer"}"#,
        "token" => r#"{"access_token":"bearer","token_type":"Bearer","expires_in":3600}"#,
        "init" => {
            r#"{"Success":{"status":"Active","redirect":{"host":"https://ctradeapi.kotaksecurities.com/apim","port":443},"userid":"USER1"}}"#
        }
        "userid" => r#"{"Success":{"Status":"Temporary","oneTimeToken":"one-time"}}"#,
        "accesscode" => r#"{"success":{"sessionToken":"session-token","clientCode":"C1"}}"#,
        "orders" => r#"{"success":[]}"#,
        "tradeApiLogin" => r#"{"data":{"token":"view","sid":"view-sid","kType":"View","status":"success"}}"#,
        "tradeApiValidate" => {
            r#"{"data":{"token":"trade","sid":"sid","kType":"Trade","status":"success","baseUrl":"https://e43.kotaksecurities.com"}}"#
        }
        "get-client-ip" => r#"{"data":[{"ip":"192.0.2.7"}],"stCode":1000,"status":"success"}"#,
        _ if request.uri().path().starts_with("/v1/api") => r#"{"status":true}"#,
        _ => r#"{"Success":{"message":"ok"}}"#,
    };
    json(200, body)
}

pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    Response::builder().status(status).header("content-type", "application/json").body(body.into()).unwrap()
}
