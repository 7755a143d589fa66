//! Kotak's Trade API and Neo.

use sansession::providers::kotak::{Neo, TradeApi};
use sansession::testing::{Sample, Walk};
use sansession::{BaseUrl, Credentials, Input, NeedKind, Options, Relogin, Timestamp, machine::Totp};

use super::{anywhere, is_drawn_in, leads_on, name};

fn options() -> Options {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    options
}

fn answers(kind: NeedKind, now: Timestamp) -> Vec<(&'static str, Input)> {
    match kind {
        NeedKind::GatewayToken => vec![("token", Input::Token("dash-1".into()))],
        NeedKind::Credentials => vec![("password", Input::Credentials(Credentials::new("USER1", "pw").unwrap()))],
        NeedKind::AccessCode => vec![("code", Input::Code("1234".into()))],
        NeedKind::Totp => vec![("code", Input::Totp(Totp::new("123456", now).unwrap()))],
        NeedKind::Pin => vec![("pin", Input::Pin("654321".into()))],
        _ => vec![],
    }
}

fn fault(status: u16, code: u32, message: &str, description: &str) -> Sample {
    let fault = format!(r#"{{"code":{code},"message":"{message}","description":"{description}"}}"#);
    Sample::json(status, format!(r#"{{"fault":{fault}}}"#))
}

/// What the Trade API answers to a request.
fn trade(request: &str) -> Vec<(&'static str, Sample)> {
    let (_, path) = request.split_once(' ').unwrap();
    let init = |host: &str, status: &str| {
        Sample::json(
            200,
            format!(
                r#"{{"Success":{{"encryption":{{"type":"PLAIN"}},"redirect":{{"host":"{host}","port":443}},"status":"{status}","userid":"USER1"}}}}"#
            ),
        )
    };
    let mut replies = match path {
        "/apim/token" => vec![
            ("a bearer", Sample::json(200, r#"{"access_token":"b-1","token_type":"Bearer","expires_in":3600}"#)),
            ("refused", Sample::json(401, r#"{"error":"invalid_client"}"#)),
        ],
        "/apim/session/1.0/session/init" => vec![
            ("this host", init("https://tradeapi.kotaksecurities.com/apim", "Success")),
            ("another host", init("https://ctradeapi.kotaksecurities.com/apim", "Success")),
            ("a foreign host", init("https://evil.example", "Success")),
            ("deactivated", init("https://tradeapi.kotaksecurities.com/apim", "Deactive")),
        ],
        "/apim/session/1.0/session/login/userid" => {
            vec![
                ("one-time token", Sample::json(200, r#"{"Success":{"oneTimeToken":"o-1"}}"#)),
                ("refused", fault(401, 10_001, "Authentication Failed", "not correct")),
            ]
        }
        "/apim/session/1.0/session/2FA/accesscode" | "/apim/session/1.0/session/2FA/oneTimeToken" => vec![
            ("a session", Sample::json(200, r#"{"success":{"sessionToken":"s-1","clientCode":"USER1"}}"#)),
            ("refused", fault(401, 10_001, "Authentication Failed", "not correct")),
            ("stale one-time token", fault(401, 50_001, "Invalid OneTimeToken", "expired or not correct")),
        ],
        "/apim/reports/1.0/orders" => vec![
            ("orders", Sample::json(200, r#"{"success":[]}"#)),
            ("no orders", Sample::json(400, r#"{"fault":{"code":400,"message":"No orders found"}}"#)),
            ("session over", fault(401, 99_999, "You have been logged out", "Session token is expired")),
        ],
        _ => vec![
            ("done", Sample::json(200, r#"{"Success":{"message":"logged out"}}"#)),
            ("session over", fault(401, 99_999, "You have been logged out", "Session token is expired")),
        ],
    };
    replies.extend([
        ("bearer dead", fault(401, 900_901, "Invalid Credentials", "Make sure you have provided the correct ones")),
        ("locked", fault(403, 70_009, "Account Locked", "bad tries")),
        ("not entitled", fault(403, 999_003, "You are not authorized", "see the page")),
        ("wrong host", fault(400, 999_024, "wrong domain", "https://ctradeapi.kotaksecurities.com/")),
        ("quota", fault(429, 900_807, "Request quota reached", "wait until the next minute")),
    ]);
    replies.extend(anywhere());
    replies
}

fn trade_api() -> TradeApi {
    let base = BaseUrl::parse("https://tradeapi.kotaksecurities.com/apim").unwrap();
    TradeApi::new(base, "USER1", "key").unwrap()
}

#[test]
fn every_state_of_the_trade_api_leads_on() {
    let provider = || trade_api().consumer_secret("secret").unwrap();
    let map = Walk::new(provider)
        .options(options())
        .answers(answers)
        .replies(|request| trade(&name(request)))
        .path("/reports/1.0/trades")
        .ignoring(&["paces", "lost", "ends", "host", "check_at", "renewal", "relogins", "repeated"])
        .run();
    leads_on(&map);
    insta::assert_snapshot!("kotak-trade", map.table());
    is_drawn_in(&map, "kotak/trade_api/states.md");
}

/// What Neo answers to a request.
fn neo(request: &str) -> Vec<(&'static str, Sample)> {
    let said = |status: u16, code: u32, text: &str| {
        Sample::json(status, format!(r#"{{"stCode":{code},"errMsg":"{text}","status":"failure"}}"#))
    };
    let granted = |kind: &str, base: &str| {
        let base = if base.is_empty() { String::new() } else { format!(r#","baseUrl":"{base}""#) };
        Sample::json(
            200,
            format!(r#"{{"data":{{"token":"t-1","sid":"s-1","kType":"{kind}","status":"success"{base}}}}}"#),
        )
    };
    let mut replies = match request {
        "POST /login/1.0/tradeApiLogin" => vec![
            ("view token", granted("View", "")),
            ("refused", said(200, 401, "Invalid credentials or TOTP")),
            ("invalid ucc", said(200, 429, "Invalid UCC")),
        ],
        "POST /login/1.0/tradeApiValidate" => vec![
            ("trade token", granted("Trade", "https://e43.kotaksecurities.com")),
            ("a foreign host", granted("Trade", "https://evil.example")),
            ("no host", granted("Trade", "")),
            ("a view token", granted("View", "https://e43.kotaksecurities.com")),
            ("refused", said(200, 401, "Invalid MPIN")),
            ("not let in", said(403, 403, "Forbidden")),
            ("stale view token", said(200, 100_022, "invalid session token")),
        ],
        _ => vec![
            ("an address", Sample::json(200, r#"{"data":[{"ip":"192.0.2.1"}],"stCode":1000,"status":"success"}"#)),
            ("session over", said(200, 100_022, "invalid session token")),
            ("address not listed", said(200, 100_008, "unauthorized")),
        ],
    };
    replies.extend([
        ("gateway refuses", Sample::json(401, r#"{"code":"900901","message":"Invalid Credentials"}"#)),
        ("locked", said(200, 403, "Account locked")),
        ("quota", Sample::json(429, r#"{"code":429,"error":"Rate limit exceeded"}"#)),
    ]);
    replies.extend(anywhere());
    replies
}

#[test]
fn every_state_of_neo_leads_on() {
    let provider =
        || Neo::new(BaseUrl::parse("https://mis.kotaksecurities.com").unwrap(), "ABC12", "0000000000").unwrap();
    let map = Walk::new(provider)
        .options(options())
        .answers(answers)
        .replies(|request| neo(&name(request)))
        .path("/quick/user/orders")
        .ignoring(&["paces"])
        .run();
    leads_on(&map);
    insta::assert_snapshot!("kotak-neo", map.table());
    is_drawn_in(&map, "kotak/neo/states.md");
}
