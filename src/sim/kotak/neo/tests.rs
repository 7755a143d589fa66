//! Neo's rules, seen through the wire layer.

use std::net::{IpAddr, Ipv4Addr};

use http::Method;

use super::*;
use crate::machine::exchange::Response;
use crate::providers::kotak::wire::fault::{At, neo as find};
use crate::providers::kotak::wire::neo::{App, Granted, Reply as Body, authorize, read};
use crate::secret::Secret;
use crate::sim::Mishap;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
const MOBILE: &str = "+910000000000";

struct Client {
    sim: NeoSim,
    dashboard: Secret,
    now: Timestamp,
    from: IpAddr,
}

type Pair = (Secret, Secret);

impl Client {
    fn new() -> Self {
        let base = |url: &str| BaseUrl::parse(url).unwrap();
        let account = |ucc, url: &str| {
            Account::new(ucc, MOBILE, "654321", format!("dash-{ucc}"), base(url))
                .accepts_totp(|now| format!("{:06}", now.as_secs() / 30 % 1_000_000))
                .listed([PEER])
        };
        let sim = NeoSim::new(base("https://mis.kotaksecurities.com"))
            .account(account("ABC12", "https://e43.kotaksecurities.com"))
            .account(account("XYZ34", "https://e21.kotaksecurities.com"));
        Self { sim, dashboard: "dash-ABC12".into(), now: NOW, from: PEER }
    }

    fn send(&mut self, build: impl FnOnce(&App<'_>) -> Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        let base = BaseUrl::parse("https://mis.kotaksecurities.com").unwrap();
        let request = build(&App { base: &base, dashboard_token: &self.dashboard });
        self.sim.handle(self.now, self.from, &request).response
    }

    fn class(&mut self, at: At, build: impl FnOnce(&App<'_>) -> Request<Vec<u8>>) -> &'static str {
        let response = self.send(build);
        find(at, Response::from(&response)).map_or("none", |fault| fault.class.code())
    }

    fn login(&mut self) -> Pair {
        let code = self.sim.totp("ABC12", self.now).unwrap();
        let response = self.send(|app| app.login(MOBILE, "ABC12", &code).unwrap());
        granted(&response)
    }

    fn session(&mut self) -> Pair {
        let view = self.login();
        granted(&self.send(|app| app.validate(pair(&view), "654321").unwrap()))
    }

    fn call(&mut self, method: Method, url: &str, trade: &Pair) -> &'static str {
        let (mut parts, body) = Request::builder().method(method).uri(url).body(Vec::new()).unwrap().into_parts();
        authorize(&mut parts, pair(trade)).unwrap();
        let response = self.sim.handle(self.now, self.from, &Request::from_parts(parts, body)).response;
        find(At::Session, Response::from(&response)).map_or("none", |fault| fault.class.code())
    }
}

fn granted(response: &http::Response<Vec<u8>>) -> Pair {
    let data = read::<Body<'_>>(response.body()).unwrap().data.unwrap();
    (data.token.unwrap(), data.sid.unwrap())
}

fn pair((token, sid): &Pair) -> Granted<'_> {
    Granted { token, sid }
}

const ORDERS: &str = "https://e43.kotaksecurities.com/quick/user/orders";
const PLACE: &str = "https://e43.kotaksecurities.com/quick/order/rule/ms/place";

#[test]
fn a_session_is_opened_used_and_ends_at_midnight_in_india() {
    let mut client = Client::new();
    let trade = client.session();
    let ends = crate::providers::kotak::wire::jwt::ends(trade.0.expose()).unwrap();
    assert_eq!((ends.as_secs() + 19_800) % 86_400, 0);
    assert_eq!(client.class(At::Session, |app| app.client_ip(pair(&trade)).unwrap()), "none");
    assert_eq!(client.call(Method::GET, ORDERS, &trade), "none");
    assert_eq!(
        client.call(Method::GET, "https://e43.kotaksecurities.com/quick/user/trades", &trade),
        "none",
        "no data"
    );
    assert_eq!(
        client.call(Method::GET, "https://e21.kotaksecurities.com/quick/user/orders", &trade),
        "kotak.wrong-host"
    );
    client.now = ends;
    for death in [Death::Code100022, Death::Code1003, Death::Code900901] {
        client.sim.set_death(death);
        assert_eq!(client.call(Method::GET, ORDERS, &trade), "kotak.session-expired", "{death:?}");
    }
}

#[test]
fn a_code_counts_once_in_its_30_seconds() {
    let mut client = Client::new();
    client.login();
    let code = client.sim.totp("ABC12", client.now).unwrap();
    for errors in [Errors::Documented, Errors::Inside200, Errors::NotOk] {
        client.sim.set_errors(errors);
        let again = client.class(At::FirstFactor, |app| app.login(MOBILE, "ABC12", &code).unwrap());
        assert_eq!(again, "kotak.credentials-rejected", "{errors:?}");
    }
    client.now = client.now + Duration::from_secs(30);
    client.login();
}

#[test]
fn each_wrong_part_has_its_error() {
    let mut client = Client::new();
    let code = client.sim.totp("ABC12", NOW).unwrap();
    let login = |client: &mut Client, ucc: &'static str, code: &str| {
        client.class(At::FirstFactor, |app| app.login(MOBILE, ucc, code).unwrap())
    };
    assert_eq!(login(&mut client, "NOBODY", &code), "kotak.credentials-rejected", "429 is no rate limit");
    assert_eq!(login(&mut client, "", &code), "kotak.rejected");
    client.dashboard = "Bearer dash-ABC12".into();
    assert_eq!(login(&mut client, "ABC12", &code), "kotak.bearer-invalid", "the token is sent raw");
    client.dashboard = "dash-ABC12".into();
    let view = client.login();
    let validate = |client: &mut Client, view: &Pair, mpin: &str| {
        client.class(At::SecondFactor, |app| app.validate(pair(view), mpin).unwrap())
    };
    for _ in 0..5 {
        assert_eq!(validate(&mut client, &view, "000000"), "kotak.second-factor-rejected", "nothing locks");
    }
    assert_eq!(validate(&mut client, &("x".into(), "y".into()), "654321"), "kotak.one-time-token-stale");
    assert_eq!(client.call(Method::GET, ORDERS, &view), "kotak.session-expired", "a view token does not trade");
}

#[test]
fn orders_are_bound_to_the_address_and_nothing_else_is() {
    let mut client = Client::new();
    let trade = client.session();
    assert_eq!(client.call(Method::POST, PLACE, &trade), "none");
    client.from = OTHER;
    assert_eq!(client.call(Method::POST, PLACE, &trade), "kotak.ip-not-allowed");
    assert_eq!(client.call(Method::GET, ORDERS, &trade), "none");
    client.now = client.now + Duration::from_secs(30);
    let elsewhere = client.session();
    client.from = PEER;
    assert_eq!(client.call(Method::POST, PLACE, &elsewhere), "kotak.ip-not-allowed", "made from another address");
}

#[test]
fn a_new_dashboard_token_ends_every_session() {
    let mut client = Client::new();
    let trade = client.session();
    client.sim.reset_dashboard_token("ABC12", "dash-2");
    assert_eq!(client.sim.open_sessions(NOW), 0);
    assert_eq!(client.call(Method::GET, ORDERS, &trade), "kotak.session-expired");
    assert_eq!(client.class(At::FirstFactor, |app| app.login(MOBILE, "ABC12", "1").unwrap()), "kotak.bearer-invalid");
}

/// What a limited call is told.
fn told(client: &mut Client, method: Method, url: &str, trade: &Pair) -> Option<[Option<String>; 4]> {
    let (mut parts, body) = Request::builder().method(method).uri(url).body(Vec::new()).unwrap().into_parts();
    authorize(&mut parts, pair(trade)).unwrap();
    let response = client.sim.handle(client.now, client.from, &Request::from_parts(parts, body)).response;
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let names = ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    (response.status() == 429).then(|| names.map(header))
}

#[test]
fn each_api_of_each_account_has_its_limit_and_orders_have_one_together() {
    let mut client = Client::new();
    let trade = client.session();
    client.now = NOW + Duration::from_millis(400);
    for place in [PLACE, "https://e43.kotaksecurities.com/quick/order/cancel"] {
        for _ in 0..5 {
            assert_eq!(told(&mut client, Method::POST, place, &trade), None);
        }
    }
    let of_orders = ["1", "10", "0", "1"].map(|text| Some(text.to_owned()));
    assert_eq!(told(&mut client, Method::POST, PLACE, &trade), Some(of_orders));
    assert_eq!(told(&mut client, Method::GET, "https://e43.kotaksecurities.com/quick/order/history", &trade), None);
    for _ in 0..25 {
        assert_eq!(told(&mut client, Method::GET, ORDERS, &trade), None);
    }
    let of_each = ["1", "25", "0", "1"].map(|text| Some(text.to_owned()));
    assert_eq!(told(&mut client, Method::GET, ORDERS, &trade), Some(of_each));
    assert_eq!(client.call(Method::GET, ORDERS, &trade), "kotak.quota");
    // Quotes are one API, whatever they are of.
    let quote = |number: u32| {
        format!("https://e43.kotaksecurities.com/script-details/1.0/quotes/neosymbol/nse_cm%7C{number}/ltp")
    };
    for number in 0..25 {
        assert_eq!(told(&mut client, Method::GET, &quote(number), &trade), None);
    }
    assert!(told(&mut client, Method::GET, &quote(99), &trade).is_some());
    // Another account has its own, and so has the next second.
    client.dashboard = "dash-XYZ34".into();
    let code = client.sim.totp("XYZ34", client.now).unwrap();
    let view = granted(&client.send(|app| app.login(MOBILE, "XYZ34", &code).unwrap()));
    let other = granted(&client.send(|app| app.validate(pair(&view), "654321").unwrap()));
    assert_eq!(told(&mut client, Method::POST, &PLACE.replace("e43", "e21"), &other), None);
    client.now = NOW + Duration::from_secs(1);
    assert_eq!(told(&mut client, Method::POST, PLACE, &trade), None);
    client.sim.set_limits(RateLimits::Off);
    assert!((0..99).all(|_| told(&mut client, Method::POST, PLACE, &trade).is_none()));
}

#[test]
fn one_api_may_be_limited_for_hours_and_tells_it_in_several_ways() {
    let mut client = Client::new();
    let trade = client.session();
    let ends = NOW + Duration::from_millis(9_900_500);
    client.sim.set_limited("/quick/user/orders", ends);
    let at = format!("{}", NOW.as_secs() + 9_901);
    for (how, retry_after, reset) in [
        (LimitTold::RetryAfter, Some("9901"), Some("9901")),
        (LimitTold::ResetIn, None, Some("9901")),
        (LimitTold::ResetAt, None, Some(at.as_str())),
        (LimitTold::Nothing, None, None),
    ] {
        client.sim.set_limit_told(how);
        let [named, limit, remaining, until] = told(&mut client, Method::GET, ORDERS, &trade).unwrap();
        assert_eq!((named.as_deref(), until.as_deref()), (retry_after, reset), "{how:?}");
        assert_eq!((limit.is_some(), remaining.is_some()), (reset.is_some(), reset.is_some()));
        assert_eq!(client.call(Method::POST, PLACE, &trade), "none");
    }
    assert_eq!(client.sim.limited_until(client.now, "/quick/user/orders"), Some(ends));
    client.now = ends;
    assert_eq!((client.call(Method::GET, ORDERS, &trade), client.sim.limited_until(ends, "/x")), ("none", None));
}

#[test]
fn levers_disturb_the_next_requests_only() {
    let mut client = Client::new();
    let trade = client.session();
    client.sim.disturb(2, &Mishap::ProxyPage(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(client.call(Method::GET, ORDERS, &trade), "kotak.unavailable");
    assert_eq!(client.call(Method::GET, ORDERS, &trade), "kotak.unavailable");
    assert_eq!(client.call(Method::GET, ORDERS, &trade), "none");
    assert!(client.sim.log().leaks().next().is_none());
}

/// Requests of kotakneoapi 3.0.9, the vendor's SDK, with the simulator's tokens put in the place of the recorded ones.
#[test]
fn the_vendors_sdk_lives_on_it() {
    use crate::sim::foreign::replay;
    use crate::sim::kotak::Outcome;

    let recording = include_str!("tests/neo-sdk.http");
    let requests: Vec<_> = recording.split("### ").skip(1).map(|request| format!("### {request}")).collect();
    let base = |url| BaseUrl::parse(url).unwrap();
    let account = Account::new("ABC12", MOBILE, "654321", "dash-ABC12", base("https://e43.kotaksecurities.com"));
    let account = account.accepts_totp(|_| "123456".to_owned());
    let mut sim = NeoSim::new(base("https://mis.kotaksecurities.com")).account(account);
    let mut send = |from: &str, tokens: &[Pair]| {
        let mut request = from.to_owned();
        for (kind, (token, sid)) in ["view", "trade"].iter().zip(tokens) {
            request = request.replace(&format!("{kind}-token"), token.expose());
            request = request.replace(&format!("{kind}-sid"), sid.expose());
        }
        replay(&mut sim, NOW, Duration::from_secs(1), &request).remove(0)
    };
    let view = granted(&send(&requests[0], &[]));
    let trade = granted(&send(&requests[1], std::slice::from_ref(&view)));
    let tokens = [view, trade];
    let bodies: Vec<String> =
        requests[2..].iter().map(|request| String::from_utf8(send(request, &tokens).into_body()).unwrap()).collect();
    assert!(bodies[0].contains(r#""exchange_token":"11536""#) && bodies[0].contains("1333"), "{}", bodies[0]);
    assert!(bodies[4].contains("11000"), "{}", bodies[4]);
    let outcomes: Vec<_> = sim.log().requests().iter().map(|seen| seen.outcome).collect();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))), "{outcomes:?}");
}

#[test]
fn quotes_need_the_dashboards_token() {
    let mut client = Client::new();
    let quote = |token: &str| {
        let uri = "https://e43.kotaksecurities.com/script-details/1.0/quotes/neosymbol/nse_cm%7C1/all";
        Request::get(uri).header("authorization", token).body(Vec::new()).unwrap()
    };
    for (token, status) in [("dash-ABC12", 200), ("dash-x", 401), ("", 400)] {
        assert_eq!(client.sim.handle(NOW, OTHER, &quote(token)).response.status(), status, "{token}");
    }
}
