//! A simulated day at an IBKR gateway, in virtual time, told as the tool would tell it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Request};
use sansession::providers::ibkr::{Gateway, OrElse, Region, Takeover};
use sansession::sim::ibkr::{self, Lever, Login, Person, Rival, Settings};
use sansession::sim::{Fault, Mishap, Network, Simulator, Weather};
use sansession::{
    BaseUrl, Failure, Machine, NeedId, Options, Outgoing, Output, Relogin, RequestId, Session, Timestamp, WaitingOn,
    machine::FailureKind,
};
use serde_json::{Value, json};

use crate::told;

const PROVIDER: &str = "ibkr-gateway";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A Monday noon in June: it is morning in New York, whose midnight ends the login.
const START: Timestamp = Timestamp::from_millis(1_780_920_007_000);

/// How long a request takes there and back.
const LATENCY: Duration = Duration::from_millis(80);

/// A few requests in a thousand meet each kind of trouble.
const WEATHER: Weather =
    Weather { refused: 4, lost: 3, unanswered: 3, truncated: 2, delayed: 4, delay: Duration::from_secs(40) };

/// What happens to the whole network, and when.
enum Turn {
    /// No connection can be made for so long.
    Cut(Duration),
    /// The laptop is shut for so long.
    Sleep(Duration),
}

const TURNS: [(Duration, Turn); 2] =
    [(HOUR.saturating_mul(9), Turn::Cut(MINUTE.saturating_mul(25))), (HOUR.saturating_mul(20), Turn::Sleep(HOUR))];

/// Lives through so many hours and gives the lines of the log; equal seeds give equal lines.
pub fn lines(seed: u64, hours: u32) -> anyhow::Result<Vec<Value>> {
    let base = BaseUrl::parse("https://localhost:5000/v1/api")?;
    let provider = Gateway::new(&base)?.region(Region::NewYork).takeover(Takeover::Never { then: OrElse::Wait });
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 3 };
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut day = Day {
        session: Session::new(provider, options, bytes),
        network: Network::new(gateway(seed), WEATHER, seed),
        now: START,
        flight: None,
        asked: None,
        lines: Vec::new(),
    };
    day.session.start(START);
    let end = START + HOUR * hours;
    for (after, turn) in TURNS {
        if START + after < end {
            day.until(START + after);
            match turn {
                Turn::Cut(lasts) => day.network.cut(day.now + lasts),
                Turn::Sleep(lasts) => {
                    day.breaks();
                    day.now = day.now + lasts;
                }
            }
        }
    }
    day.until(end);
    day.session.logout(day.now);
    day.until(end + HOUR);
    Ok(day.lines)
}

/// A gateway with a day before it.
fn gateway(seed: u64) -> ibkr::GatewaySim {
    let login = Login::After { delay: 4 * MINUTE, person: Person::default() };
    let mut gateway = ibkr::GatewaySim::new(Settings { region: Region::NewYork, login, seed, ..Settings::default() });
    for (after, lever) in [
        (25 * MINUTE, Lever::RivalTakes(Rival::default())),
        (31 * MINUTE, Lever::RivalLeaves),
        (42 * MINUTE, Lever::Mishap { next: 2, path: "tickle", mishap: Mishap::answer(503, "", "") }),
        (4 * HOUR, Lever::RivalTakes(Rival { shows: true, ..Rival::default() })),
        (6 * HOUR, Lever::RivalLeaves),
        (12 * HOUR + 10 * MINUTE, Lever::Penalty),
        (22 * HOUR, Lever::EndLogin),
    ] {
        gateway.schedule(START + after, lever);
    }
    gateway
}

struct Day {
    session: Session<Gateway>,
    network: Network<ibkr::GatewaySim>,
    now: Timestamp,
    flight: Option<Flight>,
    asked: Option<NeedId>,
    lines: Vec<Value>,
}

/// The request that is under way.
struct Flight {
    id: RequestId,
    /// When news of it comes, and which.
    arrives: Timestamp,
    news: Result<http::Response<Vec<u8>>, Failure>,
}

impl Day {
    /// Lives until then, or until the session has closed.
    fn until(&mut self, end: Timestamp) {
        loop {
            match self.session.poll(self.now) {
                Output::Send(outgoing) => self.send(outgoing),
                Output::Event(event) => self.line(event.code(), told::event(&event)),
                Output::Cancel(id) => drop(self.flight.take_if(|flight| flight.id == id)),
                Output::Save => {}
                Output::Closed(reason) => {
                    if self.lines.last().is_some_and(|last| last["event"] != "closed") {
                        self.line("closed", told::closed(&reason));
                    }
                    return;
                }
                Output::Wait { until, on } => {
                    if let WaitingOn::Need(need) = on
                        && self.asked.replace(need.id) != Some(need.id)
                    {
                        self.line("need", told::need(&need));
                    }
                    let next = self.flight.as_ref().map_or(until, |flight| until.min(flight.arrives));
                    if next > end {
                        self.now = self.now.max(end);
                        return;
                    }
                    self.now = self.now.max(next);
                    self.arrives();
                }
            }
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        self.line("send", told::sent(&outgoing));
        let (id, timeout) = (outgoing.id(), outgoing.policy().timeout);
        let request = as_sent(outgoing.into_request());
        let reply = self.network.handle(self.now + LATENCY / 2, IpAddr::V4(Ipv4Addr::LOCALHOST), &request);
        let takes = reply.delay + LATENCY;
        let (takes, news) = match reply.fault {
            Some(Fault::Refuse) => (LATENCY, Err(Failure::not_sent(FailureKind::Connect))),
            _ if takes > timeout => (timeout, Err(Failure::maybe_sent(FailureKind::Timeout))),
            Some(_) => (takes, Err(Failure::maybe_sent(FailureKind::Interrupted))),
            None => (takes, Ok(reply.response)),
        };
        self.flight = Some(Flight { id, arrives: self.now + takes, news });
    }

    fn arrives(&mut self) {
        let Some(Flight { id, news, .. }) = self.flight.take_if(|flight| flight.arrives <= self.now) else { return };
        // An id of the session's own is never unknown to it.
        let _ = match news {
            Ok(response) => {
                self.line("response", json!({ "status": response.status().as_u16() }));
                self.session.handle_response(self.now, id, (&response).into())
            }
            Err(failure) => {
                let delivery = format!("{:?}", failure.delivery);
                self.line("failure", json!({ "kind": failure.kind.code(), "delivery": delivery }));
                self.session.handle_failure(self.now, id, failure)
            }
        };
    }

    /// What is under way breaks.
    fn breaks(&mut self) {
        if let Some(flight) = &mut self.flight {
            flight.news = Err(Failure::maybe_sent(FailureKind::Interrupted));
        }
    }

    fn line(&mut self, event: &str, fields: Value) {
        self.lines.push(told::line(self.now, PROVIDER, event, fields));
    }
}

/// Adds what a transport adds.
fn as_sent(mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    let length = request.body().len();
    request.headers_mut().extend(host.map(|host| (HOST, host)));
    request.headers_mut().insert(CONTENT_LENGTH, length.into());
    request
}
