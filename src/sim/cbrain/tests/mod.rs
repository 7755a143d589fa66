use http::Response;

use super::*;

mod corners;
mod sessions;
mod states;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const HOME: [u8; 4] = [203, 0, 113, 7];
const CAFE: [u8; 4] = [198, 51, 100, 9];

/// A portal with alice and an admin, a clock and a client's address.
struct World {
    portal: CbrainSim,
    now: Timestamp,
    address: [u8; 4],
}

fn world() -> World {
    let mut portal = CbrainSim::new(7);
    portal.add_user("alice", "wonderland");
    portal.add_user("root", "of all").admin = true;
    World { portal, now: START, address: HOME }
}

fn request(line: &str) -> http::request::Builder {
    let (method, path) = line.split_once(' ').unwrap();
    Request::builder().method(method).uri(format!("http://portal.test:3000{path}"))
}

fn form(line: &str, body: &str) -> Request<Vec<u8>> {
    let builder = request(line).header("accept", "application/json");
    builder.header("content-type", "application/x-www-form-urlencoded").body(body.into()).unwrap()
}

/// A request with a token and an `Accept` header.
fn with(line: &str, token: &str, accept: &str) -> Request<Vec<u8>> {
    request(line).header("accept", accept).header("authorization", format!("Bearer {token}")).body(Vec::new()).unwrap()
}

fn api(line: &str, token: &str) -> Request<Vec<u8>> {
    with(line, token, "application/json")
}

impl World {
    fn send(&mut self, request: &Request<Vec<u8>>) -> Reply {
        self.portal.handle(self.now, self.address.into(), request)
    }

    /// Sends and tells status and body.
    fn gets(&mut self, request: &Request<Vec<u8>>) -> (u16, String) {
        let response = self.send(request).response;
        (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
    }

    fn status(&mut self, request: &Request<Vec<u8>>) -> u16 {
        self.gets(request).0
    }

    fn token_of(&mut self, login: &str, password: &str) -> String {
        let (status, body) = self.gets(&form("POST /session", &format!("login={login}&password={password}")));
        assert_eq!(status, 200, "{body}");
        token_in(&body)
    }

    fn alice(&mut self) -> String {
        self.token_of("alice", "wonderland")
    }

    fn after(&mut self, time: Duration) -> &mut Self {
        self.now = self.now + time;
        self
    }
}

fn token_in(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["cbrain_api_token"].as_str().unwrap().to_owned()
}

fn header<'a>(response: &'a Response<Vec<u8>>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}
