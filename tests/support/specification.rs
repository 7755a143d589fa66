//! What IBKR's official specifications want of a session's requests: the REST API 2.28 (and 2.7 for what the newer one
//! has no longer) and the Swagger 1.0.0 of the older base, written down as a mock that validates as strictly as those
//! which are made of the documents by a generator.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderName, Request, Response};
use sansession::Timestamp;
use sansession::sim::{Reply, Simulator};
use serde_json::Value;

/// What an operation takes as its body.
enum Takes {
    Nothing,
    /// A JSON object of these booleans.
    Flags(&'static [&'static str]),
    /// A form with these fields.
    Form(&'static [&'static str]),
    /// A signed token with these claims.
    Jwt(&'static [&'static str]),
}

struct Operation {
    method: &'static str,
    /// Below the base, or from the root where it does not pass through a gateway.
    path: &'static str,
    takes: Takes,
    /// The scheme of the header that has to be there.
    authorization: &'static str,
}

const fn plain(method: &'static str, path: &'static str) -> Operation {
    Operation { method, path, takes: Takes::Nothing, authorization: "" }
}

const fn handshake(path: &'static str) -> Operation {
    Operation { method: "POST", path, takes: Takes::Nothing, authorization: "OAuth " }
}

/// Below `/v1/api`, or its older alias.
const BASES: [&str; 2] = ["/v1/api", "/v1/portal"];

const BELOW_BASE: [Operation; 11] = [
    plain("POST", "/iserver/auth/status"),
    Operation {
        method: "POST",
        path: "/iserver/auth/ssodh/init",
        takes: Takes::Flags(&["publish", "compete"]),
        authorization: "",
    },
    // The older base has it as POST, the Web API as GET.
    plain("POST", "/iserver/reauthenticate"),
    plain("GET", "/iserver/reauthenticate"),
    plain("GET", "/iserver/accounts"),
    plain("POST", "/logout"),
    plain("GET", "/sso/validate"),
    plain("POST", "/tickle"),
    handshake("/oauth/request_token"),
    handshake("/oauth/access_token"),
    handshake("/oauth/live_session_token"),
];

const AT_ROOT: [Operation; 2] = [
    Operation {
        method: "POST",
        path: "/oauth2/api/v1/token",
        // 2.28 names them in camel case, which is not what the wire wants.
        takes: Takes::Form(&["grant_type", "client_assertion", "client_assertion_type", "scope"]),
        authorization: "",
    },
    Operation {
        method: "POST",
        path: "/gw/api/v1/sso-sessions",
        takes: Takes::Jwt(&["credential", "ip"]),
        authorization: "Bearer ",
    },
];

/// Refuses what the specification has not, with the status that a generated mock gives, and lets the rest through.
#[derive(Clone)]
pub struct Validating<S> {
    pub server: S,
    /// The operations that were asked for, and what was wrong.
    seen: Arc<Mutex<(BTreeSet<String>, Vec<String>)>>,
}

impl<S> Validating<S> {
    pub fn new(server: S) -> Self {
        Self { server, seen: Arc::default() }
    }

    /// Nothing was refused; gives the operations, such as `POST /tickle`.
    #[track_caller]
    pub fn operations(&self) -> BTreeSet<String> {
        let seen = self.seen.lock().unwrap();
        assert!(seen.1.is_empty(), "{:#?}", seen.1);
        seen.0.clone()
    }
}

impl<S: Simulator> Simulator for Validating<S> {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let mut seen = self.seen.lock().unwrap();
        match validate(request) {
            Ok(operation) => {
                seen.0.insert(operation);
                drop(seen);
                self.server.handle(now, peer, request)
            }
            Err((status, why)) => {
                seen.1.push(format!("{} {}: {why}", request.method(), request.uri().path()));
                Reply::new(Response::builder().status(status).body(why.into_bytes()).unwrap())
            }
        }
    }
}

/// Names the operation that a request is for, or tells the status and the reason why it is none.
pub fn validate(request: &Request<Vec<u8>>) -> Result<String, (u16, String)> {
    let path = request.uri().path();
    let below = BASES.iter().find_map(|base| path.strip_prefix(base));
    let known = below.map_or(&AT_ROOT[..], |_| &BELOW_BASE[..]);
    let path = below.unwrap_or(path);
    let mut known = known.iter().filter(|operation| operation.path == path).peekable();
    if known.peek().is_none() {
        return Err((404, "no such path".into()));
    }
    let operation = known.find(|operation| request.method() == operation.method);
    let operation = operation.ok_or((405, "another method is wanted".into()))?;
    if request.uri().query().is_some() {
        return Err((400, "no parameter is known".into()));
    }
    let header = |name: HeaderName| -> Result<Option<&str>, (u16, String)> {
        let mut all = request.headers().get_all(&name).iter();
        let first = all.next().map(|value| value.to_str().unwrap());
        if all.next().is_some() { Err((400, format!("{name} is there twice"))) } else { Ok(first) }
    };
    if header(USER_AGENT)?.is_none_or(str::is_empty) {
        return Err((403, "no User-Agent".into()));
    }
    // Each answer is JSON; a handshake may take anything, as IBKR's page on OAuth has it.
    match (header(ACCEPT)?, operation.authorization.is_empty() && below.is_some()) {
        (Some("application/json"), _) | (Some("*/*"), false) => {}
        (accept, _) => return Err((406, format!("accepts {accept:?}"))),
    }
    if !header(AUTHORIZATION)?.unwrap_or_default().starts_with(operation.authorization) {
        return Err((401, format!("no {}", operation.authorization)));
    }
    check_length(request, header(CONTENT_LENGTH)?, header(TRANSFER_ENCODING)?)?;
    check_body(&operation.takes, header(CONTENT_TYPE)?, request.body())?;
    Ok(format!("{} {path}", operation.method))
}

/// Without a length the edge answers 411; that of a body is the transport's to write.
fn check_length<T>(
    request: &Request<Vec<T>>,
    length: Option<&str>,
    encoding: Option<&str>,
) -> Result<(), (u16, String)> {
    let expected = request.body().len().to_string();
    match (request.method().as_str(), length) {
        _ if encoding.is_some() => Err((411, "no length but an encoding".into())),
        ("POST", None) if request.body().is_empty() => Err((411, "no length".into())),
        ("GET", Some(_)) => Err((400, "a length without a body".into())),
        (_, Some(length)) if length != expected => Err((400, format!("length {length} of {expected}"))),
        _ => Ok(()),
    }
}

fn check_body(takes: &Takes, media: Option<&str>, body: &[u8]) -> Result<(), (u16, String)> {
    let wants = |wanted: &str| match media {
        Some(media) if media == wanted => Ok(()),
        media => Err((415, format!("{media:?} in the place of {wanted}"))),
    };
    let named = |found: &dyn Fn(&str) -> bool, names: &[&str]| match names.iter().find(|name| !found(name)) {
        Some(name) => Err((422, format!("{name} is missing or of a wrong type"))),
        None => Ok(()),
    };
    match takes {
        Takes::Nothing if media.is_some() || !body.is_empty() => {
            Err((415, format!("a body of {} bytes, {media:?}, where there is none", body.len())))
        }
        Takes::Nothing => Ok(()),
        Takes::Flags(names) => {
            wants("application/json")?;
            let body: Value = serde_json::from_slice(body).map_err(|error| (400, error.to_string()))?;
            named(&|name| body[name].is_boolean(), names)?;
            let all = body.as_object().map_or(0, serde_json::Map::len);
            if all == names.len() { Ok(()) } else { Err((422, "unknown fields".into())) }
        }
        Takes::Form(names) => {
            wants("application/x-www-form-urlencoded")?;
            let form: Vec<(String, String)> =
                serde_urlencoded::from_bytes(body).map_err(|error| (400, error.to_string()))?;
            named(&|name| form.iter().any(|(key, value)| key == name && !value.is_empty()), names)
        }
        Takes::Jwt(names) => {
            wants("application/jwt")?;
            let text = std::str::from_utf8(body).unwrap_or_default();
            let parts: Vec<_> = text.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part)).collect();
            let [Ok(_), Ok(claims), Ok(_)] = &parts[..] else { return Err((400, "no JWT".into())) };
            let claims: Value = serde_json::from_slice(claims).map_err(|error| (400, error.to_string()))?;
            named(&|name| claims[name].is_string(), names)
        }
    }
}
