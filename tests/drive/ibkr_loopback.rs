//! The story of the gateway over real HTTPS, shortened: self-signed certificates, sockets, threads, a wall clock.
//!
//! What follows from what is proven in virtual time (`ibkr_week`) is not proven again.

use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sansession::drive::{
    Answer, CallError, Ended, Handle, Pin, Stop, Trust,
    blocking::{Driver, Transport, drive},
    now, seed,
};
use sansession::providers::ibkr::{Gateway, OrElse, Takeover};
use sansession::sim::Mishap;
use sansession::sim::ibkr::{self, Call, Flaky, Happening, Lever, Login, Person, RateLimits, Rival, Settings};
use sansession::sim::{Certificate, Server};
use sansession::{AuthorizeError, BaseUrl, CloseReason, Event, Need, NeedKind, Options, Session};

const SECOND: Duration = Duration::from_secs(1);
/// The longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);
const WAIT: Takeover = Takeover::Never { then: OrElse::Wait };
const KINDS: [Certificate; 3] = [Certificate::Plain, Certificate::Authority, Certificate::NoNames];

struct Life {
    server: Server<ibkr::GatewaySim>,
    handle: Handle<Session<Gateway>>,
    transport: Transport,
    told: Receiver<String>,
    driver: JoinHandle<Ended>,
}

/// Reports all that it hears; the person in the browser is the simulator's.
struct Teller(std::sync::mpsc::Sender<String>);

impl Driver for Teller {
    fn answer(&mut self, need: &Need) -> Answer {
        if need.kind == NeedKind::Browser {
            assert!(need.url.as_deref().is_some_and(|url| url.contains("/sso/Login")));
        }
        let _ = self.0.send(format!("need {} {}", need.kind.code(), need.because.code()));
        Answer::Later(SECOND)
    }

    fn event(&mut self, event: &Event) {
        let _ = self.0.send(match event {
            Event::PhaseChanged { to, .. } => to.to_string(),
            other => other.code().to_owned(),
        });
    }
}

fn settings() -> Settings {
    let login = Login::After { delay: SECOND, person: Person::default() };
    let limits = RateLimits::Documented;
    Settings { login, establish: SECOND / 2, maintenance: None, limits, ..Settings::default() }
}

fn pin(server: &Server<ibkr::GatewaySim>) -> Trust {
    Trust::pin(Pin::of(server.certificate_der().unwrap()))
}

fn life(certificate: Certificate, settings: Settings, takeover: Takeover) -> Life {
    let server = Server::start_tls(certificate, ibkr::GatewaySim::new(settings), now).unwrap();
    let transport = Transport::builder().trust(pin(&server)).build().unwrap();
    let base = BaseUrl::parse(&format!("{}/v1/api", server.url())).unwrap();
    let gateway = Gateway::new(&base).unwrap().takeover(takeover).keepalive(Duration::from_millis(1_100));
    let handle = Handle::new(Session::new(gateway, Options::default(), seed().unwrap()));
    let (tell, told) = channel();
    let (driven, sends) = (handle.clone(), transport.clone());
    let driver = thread::spawn(move || drive(&driven, &sends, &mut Teller(tell)).unwrap());
    Life { server, handle, transport, told, driver }
}

impl Life {
    #[track_caller]
    fn waits_for(&self, words: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|last| last != words) {
            match self.told.recv_timeout(PATIENCE) {
                Ok(line) => heard.push(line),
                Err(_) => panic!("{words:?} is not in {heard:?}"),
            }
        }
        heard
    }

    fn pulls(&self, lever: Lever) {
        self.server.with(|gateway| gateway.pull(now(), lever));
    }

    fn calls(&self, path: &str) -> Result<u16, CallError> {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        self.handle.call(&self.transport, request).map(|response| response.status().as_u16())
    }

    fn count(&self, wanted: impl Fn(&Happening) -> bool) -> usize {
        self.server.with(|gateway| gateway.count(&wanted))
    }

    #[track_caller]
    fn logs_out(self) {
        self.handle.stop(Stop::Logout);
        let boxed = self.count(|what| matches!(what, Happening::Boxed | Happening::Answered { status: 429, .. }));
        assert_eq!(boxed, 0);
        assert_eq!(self.driver.join().unwrap(), Ended::Closed(CloseReason::LoggedOut { confirmed: true }));
        assert!(self.server.with(|gateway| gateway.person().is_none()));
    }
}

#[test]
fn a_gateway_is_trusted_by_its_pin_whatever_its_certificate() {
    for certificate in KINDS {
        let life = life(certificate, settings(), Takeover::default());
        let heard = life.waits_for("active");
        assert!(heard.iter().any(|line| line == "need browser opening"), "{heard:?}");
        life.waits_for("kept-alive");
        assert_eq!(life.calls("/iserver/accounts").unwrap(), 200);
        life.logs_out();
    }
}

#[test]
fn the_story_with_a_rival_failing_tickles_and_a_night() {
    let flaky = Flaky { percent: 7, mishap: Mishap::Dropped };
    let life = life(Certificate::NoNames, Settings { flaky: Some(flaky), ..settings() }, WAIT);
    life.waits_for("active");
    life.waits_for("kept-alive");

    // A tickle whose fate is unknown is sent again.
    life.pulls(Lever::Mishap { next: 1, path: "/tickle", mishap: Mishap::Dropped });
    life.waits_for("suspect");
    life.waits_for("recovered");

    // The phone takes the inner tier: the outer one stays usable, the inner one is named.
    life.pulls(Lever::RivalTakes(Rival::default()));
    life.waits_for("rival");
    assert_eq!(life.calls("/portfolio/accounts").unwrap(), 200);
    match life.calls("/iserver/accounts") {
        Err(CallError::Authorize(AuthorizeError::NotReady { tier, .. })) => assert_eq!(tier, Some("brokerage")),
        other => panic!("{other:?}"),
    }
    assert_eq!(life.count(|what| *what == Happening::TookOver), 0);

    // The owner's word, and the phone is thrown out once.
    let _ = life.handle.take_over();
    life.waits_for("settings-lost");
    life.waits_for("active");
    assert_eq!(life.count(|what| *what == Happening::TookOver), 1);
    assert_eq!(life.calls("/iserver/accounts").unwrap(), 200);

    // The inner tier ends for no reason that a client could see; the next init waits its minute.
    life.pulls(Lever::EndBrokerage { connected: true });
    life.waits_for("opening");
    life.logs_out();
}

#[test]
fn a_laptop_that_wakes_in_maintenance_finds_its_way() {
    let life = life(Certificate::Authority, settings(), WAIT);
    life.waits_for("active");
    life.pulls(Lever::Outage { lasts: 4 * SECOND, outage: ibkr::Outage::Page502 });
    life.handle.check();
    life.waits_for("suspect");
    life.waits_for("recovered");
    let logins = life.count(|what| matches!(what, Happening::LoggedIn { .. }));
    let validates = life.count(|what| matches!(what, Happening::Answered { call: Call::Validate, .. }));
    assert_eq!((logins, validates), (1, 0));
    life.logs_out();
}

#[test]
fn another_certificate_is_not_trusted_and_nothing_is_sent() {
    let server = Server::start_tls(Certificate::NoNames, ibkr::GatewaySim::new(settings()), now).unwrap();
    let other = Server::start_tls(Certificate::NoNames, ibkr::GatewaySim::new(settings()), now).unwrap();
    let transport = Transport::builder().trust(pin(&other)).build().unwrap();
    let base = BaseUrl::parse(&format!("{}/v1/api", server.url())).unwrap();
    let mut options = Options::default();
    options.patience = Some(3 * SECOND);
    let handle = Handle::new(Session::new(Gateway::new(&base).unwrap(), options, seed().unwrap()));
    let ended = drive(&handle, &transport, &mut |_: &Need| Answer::GiveUp).unwrap();
    match ended {
        Ended::Closed(reason) => assert_eq!(reason.to_string(), "gave up after many attempts: tls"),
        other => panic!("{other}"),
    }
    assert!(server.log().is_empty());
}

#[test]
fn without_a_pin_no_certificate_may_be_taken_but_on_this_machine_and_by_name() {
    let server = Server::start_tls(Certificate::NoNames, ibkr::GatewaySim::new(settings()), now).unwrap();
    let status = || {
        let request =
            http::Request::get(format!("{}/v1/api/iserver/auth/status", server.url())).header("user-agent", "x");
        request.body(Vec::new()).unwrap()
    };
    for trust in [Trust::mozilla(), Trust::roots_pem(server.certificate_pem().unwrap().as_bytes()).unwrap()] {
        let transport = Transport::builder().trust(trust).build().unwrap();
        assert!(transport.call(status()).is_err());
    }
    for trust in
        [Trust::danger_anything_on_loopback(), Trust::pin_pem(server.certificate_pem().unwrap().as_bytes()).unwrap()]
    {
        let transport = Transport::builder().trust(trust).build().unwrap();
        assert_eq!(transport.call(status()).unwrap().status(), 401);
    }
}
