//! Line breaks and other control characters in every field that a user or a server gives.

use std::time::Duration;

use http::{Request, Response};
use sansession::provider::Entropy;
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::oauth1a::{Consumer, Grant, LiveSessionToken, RequestToken};
use sansession::providers::ibkr::oauth2::{Bearer, Client};
use sansession::providers::ibkr::{OAuth2, WebApi, wire};
use sansession::providers::kotak::neo::NeoTokens;
use sansession::providers::kotak::trade_api::TradeTokens;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::{
    BaseUrl, Credentials, Input, InputHandled, Machine, NeedKind, Options, Output, Provider, Secret, Session, Source,
    WaitingOn, machine::Totp,
};

use crate::abuse::direct;
use crate::abuse::world::{Run, START, answer, honest, json, url};

const EVIL: [&str; 9] = [
    "a\r\nx-evil: 1",
    "a\nx-evil: 1",
    "a\rx-evil: 1",
    "\r\n\r\nGET /evil HTTP/1.1\r\n",
    "a\0x-evil",
    "a\u{85}x-evil",
    "a\u{2028}x-evil",
    "a%0d%0ax-evil: 1",
    "a\u{7f}x-evil\u{1b}[2J",
];

/// Checks what leaves: nothing of a field has become a header, a path or a line of its own.
fn clean(request: &Request<Vec<u8>>) {
    for (name, value) in request.headers() {
        assert!(!name.as_str().contains("evil"), "{name}");
        assert!(value.as_bytes().iter().all(|byte| *byte >= 0x20 && *byte != 0x7f), "{name}: {value:?}");
    }
    let uri = request.uri().to_string();
    assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");
    assert!(!request.uri().path().contains("evil") && request.uri().host() != Some("evil"), "{uri}");
    let raw = request.body().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    assert!(!raw, "{:?}", String::from_utf8_lossy(request.body()));
}

/// Runs an hour with clean answers by a person, and checks all that leaves.
fn leaves_clean(machine: impl Machine + 'static, what: &str) {
    let mut run = Run::new(Box::new(machine));
    run.machine.start(run.now);
    let mut server = |request: &Request<Vec<u8>>| {
        clean(request);
        honest(request)
    };
    run.runs_for(Duration::from_secs(3_600), Source::Person, &mut server);
    authorizes_clean(&mut *run.machine, what);
    run.machine.logout(run.now);
    run.runs_for(Duration::from_secs(3_600), Source::Person, &mut server);
    assert!(run.closed.is_some(), "{what}");
    assert!(run.sent.len() < 200, "{what}: {} requests", run.sent.len());
}

fn authorizes_clean(machine: &mut dyn Machine, what: &str) {
    let (mut parts, ()) = Request::get("/orders").body(()).unwrap().into_parts();
    if machine.authorize(START + Duration::from_secs(3_600), &mut parts, b"").is_ok() {
        clean(&Request::from_parts(parts, Vec::new()));
    } else {
        assert!(parts.headers.is_empty(), "{what}");
    }
}

fn new<P: Provider>(provider: P) -> Session<P> {
    Session::new(provider, Options::default(), [7; 32])
}

fn trade() -> TradeApi {
    TradeApi::new(url("https://tradeapi.kotaksecurities.com/apim"), "USER1", "key")
        .unwrap()
        .consumer_secret("secret")
        .unwrap()
}

fn neo() -> Neo {
    Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap().dashboard_token("dash").unwrap()
}

#[test]
fn no_configured_field_becomes_a_line() {
    let base = || url("https://tradeapi.kotaksecurities.com/apim");
    for evil in EVIL {
        let trades = [
            TradeApi::new(base(), evil, "key").and_then(|trade| trade.consumer_secret("secret")),
            TradeApi::new(base(), "USER1", evil).and_then(|trade| trade.consumer_secret("secret")),
            trade().consumer_secret(evil),
            trade().ip(evil),
            trade().app_id(evil),
            trade().app_id(evil).map(TradeApi::without_code),
        ];
        for (number, trade) in trades.into_iter().enumerate() {
            // What is taken is an escape, which nobody undoes.
            if let Ok(trade) = trade {
                assert!(evil.contains("%0d%0a"), "{evil:?} {number}");
                leaves_clean(new(trade), "the Trade API");
            }
        }
        let base = || url("https://mis.kotaksecurities.com");
        for (ucc, mobile) in [(evil, "0000000000"), ("ABC12", evil)] {
            if let Ok(neo) = Neo::new(base(), ucc, mobile) {
                leaves_clean(new(neo.dashboard_token("dash").unwrap()), "ucc and mobile");
            }
        }
        if let Ok(neo) = neo().dashboard_token(evil) {
            leaves_clean(new(neo), "dashboard token");
        }
    }
}

#[test]
fn no_name_in_an_assertion_becomes_a_line() {
    let client = || Client::new("client-1", "main").unwrap();
    let api = |oauth: OAuth2| WebApi::new(&url("https://api.ibkr.com/v1/api"), oauth).unwrap();
    for evil in EVIL {
        if let Ok(oauth) = OAuth2::new(client(), direct::long_key(), evil, direct::IP) {
            leaves_clean(new(api(oauth)), "user");
        }
        let oauth = OAuth2::new(client(), direct::long_key(), "u", direct::IP).unwrap().service(evil);
        leaves_clean(new(api(oauth)), "service");
    }
}

#[test]
fn no_url_becomes_a_line() {
    for evil in EVIL {
        for text in [
            format!("https://{evil}"),
            format!("https://localhost/{evil}"),
            format!("https://localhost:{evil}"),
            format!("https://localhost?{evil}"),
            evil.to_owned(),
        ] {
            let Ok(base) = BaseUrl::parse(&text) else { continue };
            // An escape is not undone.
            assert!(base.to_string().contains("%0d%0a"), "{base}");
            let _ = Cbrain::new(base).map(|provider| {
                let mut session = new(provider);
                session.start(START);
                drop(session);
            });
        }
        if let Ok(uri) = url("https://localhost").join(evil) {
            assert!(!uri.to_string().contains(['\r', '\n', '\0']), "{uri}");
        }
    }
}

type Make = fn() -> Box<dyn Machine>;

/// An answer is rejected before anything leaves, or is escaped by what carries it.
#[test]
fn no_answer_becomes_a_line() {
    let kinds: [(Make, NeedKind); 6] = [
        (|| Box::new(new(Cbrain::new(url("https://portal.example.org")).unwrap())), NeedKind::Credentials),
        (|| Box::new(new(trade())), NeedKind::Credentials),
        (|| Box::new(new(trade())), NeedKind::AccessCode),
        (
            || Box::new(new(TradeApi::new(url("https://tradeapi.kotaksecurities.com/apim"), "USER1", "key").unwrap())),
            NeedKind::GatewayToken,
        ),
        (|| Box::new(new(neo())), NeedKind::Pin),
        (
            || Box::new(new(Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap())),
            NeedKind::GatewayToken,
        ),
    ];
    for evil in EVIL {
        assert!(Totp::new(evil, START).is_err());
        for (make, kind) in kinds {
            for in_login in [false, true] {
                gives_evil(make(), kind, evil, in_login);
            }
        }
    }
}

fn gives_evil(mut machine: Box<dyn Machine>, kind: NeedKind, evil: &str, in_login: bool) {
    let mut given = false;
    machine.start(START);
    for _ in 0..100 {
        match machine.poll(START) {
            Output::Send(outgoing) => {
                let (id, request) = (outgoing.id(), outgoing.into_request());
                clean(&request);
                machine.handle_response(START, id, (&honest(&request)).into()).unwrap();
            }
            Output::Wait { on: WaitingOn::Need(need), .. } if need.kind == kind && !given => {
                given = true;
                let input = match kind {
                    NeedKind::Credentials if in_login => Input::Credentials(Credentials::new(evil, "pw").unwrap()),
                    NeedKind::Credentials => Input::Credentials(Credentials::new("USER1", evil).unwrap()),
                    NeedKind::Pin => Input::Pin(evil.into()),
                    NeedKind::GatewayToken => Input::Token(evil.into()),
                    _ => Input::Code(evil.into()),
                };
                let answered = machine.handle_input(START, need.id, input, Source::Person);
                let in_a_body = kind == NeedKind::Credentials;
                assert!(
                    in_a_body || matches!(answered, InputHandled::Rejected(_)) || evil.is_ascii(),
                    "{kind:?} {evil:?}"
                );
            }
            Output::Wait { on: WaitingOn::Need(need), .. } => {
                let _ = machine.handle_input(START, need.id, answer(need.kind, START), Source::Person);
            }
            Output::Wait { .. } | Output::Closed(_) => break,
            _ => {}
        }
    }
    assert!(given, "{kind:?} was not asked for");
    authorizes_clean(&mut *machine, "an answer");
}

#[test]
fn no_token_of_another_program_becomes_a_line() {
    for evil in EVIL {
        let evil = || Secret::from(evil);
        let cbrain = Cbrain::new(url("https://portal.example.org")).unwrap();
        let adopted = Session::adopt(cbrain, evil(), Options::default(), [7; 32]);
        if let Ok(session) = adopted {
            leaves_clean(session, "token");
        }
        for (bearer, session_token) in [(evil(), Secret::from("s")), (Secret::from("b"), evil())] {
            let tokens = TradeTokens { bearer, session_token };
            if let Ok(session) = Session::adopt(trade(), tokens, Options::default(), [7; 32]) {
                leaves_clean(session, "tokens");
            }
        }
        for (token, sid) in [(evil(), Secret::from("s")), (Secret::from("t"), evil())] {
            let tokens = NeoTokens { token, sid, base: url("https://e43.kotaksecurities.com") };
            if let Ok(session) = Session::adopt(neo(), tokens, Options::default(), [7; 32]) {
                leaves_clean(session, "tokens");
            }
        }
    }
}

/// A server could as well want to write into the requests to itself, or to a proxy before it.
#[test]
fn no_token_of_a_server_becomes_a_line() {
    for evil in EVIL {
        let evil: String = evil.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
        for subject in &crate::abuse::world::SUBJECTS {
            let mut run = subject.starts(Options::default());
            let mut server = |request: &Request<Vec<u8>>| -> Response<Vec<u8>> {
                clean(request);
                let mut body = String::from_utf8(honest(request).into_body()).unwrap();
                for token in ["0123456789abcdef0123456789abcdef", "bearer\"", "one-time", "session-token", "view-sid"] {
                    let end = if token.ends_with('"') { "\"" } else { "" };
                    body = body.replace(token, &format!("{evil}{end}"));
                }
                for token in [r#""view""#, r#""trade""#, r#""sid":"sid""#, r#""bb665d0f""#] {
                    let name = if token.starts_with(r#""sid""#) { r#""sid":"# } else { "" };
                    body = body.replace(token, &format!("{name}\"{evil}\""));
                }
                json(200, body)
            };
            run.runs_for(Duration::from_secs(3_600), Source::Person, &mut server);
            authorizes_clean(&mut *run.machine, subject.name);
            run.is_bounded(subject.name);
        }
    }
}

#[test]
fn no_part_of_an_oauth_header_becomes_a_line() {
    let entropy = Entropy { key: &[7; 24], epoch: 1, counter: 1 };
    for evil in EVIL {
        let consumer = Consumer::new(evil);
        assert!(consumer.is_err() && Consumer::with_realm("TESTCONS", evil).is_err(), "{evil:?}");
        assert!(Grant::new(evil, "c2VjcmV0").is_err() && Grant::new("token", evil).is_err(), "{evil:?}");
        assert!(LiveSessionToken::from_base64(evil, START).is_err());
        if let Ok(bearer) = Bearer::new(evil, None) {
            let (mut parts, ()) = Request::new(()).into_parts();
            bearer.authorize(&mut parts).unwrap();
            assert_eq!(parts.headers.len(), 1);
            assert!(evil.bytes().all(|byte| byte.is_ascii_graphic()), "{evil:?}");
        }
        let body = serde_json::json!({ "oauth_token": evil }).to_string();
        assert!(RequestToken::read((&json(200, body)).into(), START).is_err(), "{evil:?}");
        let token = RequestToken::read((&json(200, r#"{"oauth_token":"t"}"#)).into(), START).unwrap();
        let consumer = Consumer::new("TESTCONS").unwrap();
        let base = url("https://api.ibkr.com/v1/api");
        assert!(token.access_token(&evil.into(), &consumer, &base, START, &entropy).is_err(), "{evil:?}");
        // A JWT's parts are JSON in base64.
        if let Ok(client) = Client::new(evil, evil) {
            let jwt = client.assertion(START);
            assert!(jwt.text().bytes().all(|byte| byte.is_ascii_graphic()), "{}", jwt.text());
        }
        if let Some(cookie) = wire::session_cookie(evil) {
            assert!(cookie.as_bytes().iter().all(|byte| *byte >= 0x20 && *byte != 0x7f), "{cookie:?}");
        }
    }
}
