//! Any request may come to every simulator.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::{HeaderValue, Request};
use sansession::sim::kotak::neo::Account;
use sansession::sim::kotak::trade_api::User;
use sansession::sim::{self, Simulator, ibkr, kotak};

use super::{START, message, parts, providers};

/// The first part is a digit for the simulator; each other one a request: `POST /path`, headers, an empty
/// line, a body. `+90` before the method lets so many seconds pass, and `$` stands for the last token
/// that an answer had.
pub fn simulators(data: &[u8]) {
    let parts = parts(data);
    let Some((which, requests)) = parts.split_first() else { return };
    let mut simulator = simulator(which.first().copied().unwrap_or_default());
    let (mut now, mut token) = (START, Vec::new());
    for part in requests.iter().take(50) {
        let part = with_token(part, &token);
        let Some((seconds, request)) = request(&part) else { continue };
        now = now + Duration::from_secs(seconds);
        let reply = simulator(now, &request);
        if let Some(found) = reply.as_deref().and_then(last_token) {
            token = found;
        }
    }
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Answers = Box<dyn FnMut(sansession::Timestamp, &Request<Vec<u8>>) -> Option<Vec<u8>>>;

fn simulator(which: u8) -> Answers {
    let mut simulator: Box<dyn Simulator> = match which {
        b'0' => {
            let mut portal = sim::CbrainSim::new(1);
            portal.add_user("norm", "correct horse");
            Box::new(portal)
        }
        b'1' => Box::new(ibkr::GatewaySim::new(ibkr::Settings::default())),
        b'2' => Box::new(ibkr::GatewaySim::new(ibkr::Settings {
            login: ibkr::Login::After { delay: Duration::ZERO, person: ibkr::Person::default() },
            limits: ibkr::RateLimits::Off,
            ..ibkr::Settings::default()
        })),
        b'3' => {
            let user = User::new("USER1", "pw");
            Box::new(kotak::TradeApiSim::kotak().app("key", "secret").user(user))
        }
        b'4' => {
            let base = providers::url("https://e43.kotaksecurities.com");
            let account = Account::new("ABC12", "+910000000000", "654321", "dash-1", base);
            Box::new(kotak::NeoSim::new(providers::url("https://mis.kotaksecurities.com")).account(account))
        }
        b'5' => {
            let mut server = ibkr::oauth::OAuthServer::new([1; 32]);
            return Box::new(move |now, request| {
                let _ = server.verify(now, request);
                server.handle(now, request).map(|reply| reply.into_body())
            });
        }
        _ => {
            let mut server = ibkr::oauth2::OAuth2Server::new([1; 32]);
            return Box::new(move |now, request| {
                let _ = server.verify(now, PEER, request);
                server.handle(now, PEER, request).map(|reply| reply.into_body())
            });
        }
    };
    Box::new(move |now, request| Some(simulator.handle(now, PEER, request).response.into_body()))
}

fn with_token(part: &[u8], token: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(part.len());
    for byte in part {
        match byte {
            b'$' => text.extend_from_slice(token),
            byte => text.push(*byte),
        }
    }
    text
}

fn request(part: &[u8]) -> Option<(u64, Request<Vec<u8>>)> {
    let (first, headers, body) = message(part);
    let mut words = first.split(|byte| *byte == b' ').peekable();
    let seconds = words.next_if(|word| word.starts_with(b"+"));
    let seconds = seconds.and_then(|word| str::from_utf8(&word[1..]).ok()?.parse::<u32>().ok()).unwrap_or_default();
    let mut request = Request::new(body.to_vec());
    *request.method_mut() = http::Method::from_bytes(words.next()?).ok()?;
    *request.uri_mut() = http::Uri::try_from(words.next()?).ok()?;
    for (name, value) in headers {
        request.headers_mut().append(name, value);
    }
    if !request.headers().contains_key("host") {
        request.headers_mut().insert("host", HeaderValue::from_static("localhost"));
    }
    Some((seconds.into(), request))
}

/// Finds the last text in quotes that may be a token.
fn last_token(body: &[u8]) -> Option<Vec<u8>> {
    let mut texts = body.split(|byte| *byte == b'"');
    let token = |text: &&[u8]| text.len() >= 20 && text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':');
    texts.rfind(token).map(<[u8]>::to_vec)
}
