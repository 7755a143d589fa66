//! The laws of `sansession::testing`, applied to the providers of this crate and to one made of nothing but corners.

mod corners;
mod direct;

use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::Gateway;
use sansession::providers::kotak::neo::NeoTokens;
use sansession::providers::kotak::trade_api::TradeTokens;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::testing::{Laws, Sample};
use sansession::{BaseUrl, Credentials, Input, NeedKind, Provider, Secret};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn cbrain() -> Laws<Cbrain> {
    let session = format!(r#"{{"user_id": 2, "cbrain_api_token": "{TOKEN}"}}"#);
    Laws::new(|| Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap())
        .server(move |request, _| {
            let body = if request.method() == http::Method::DELETE { Vec::new() } else { session.clone().into() };
            http::Response::builder().header("content-type", "application/json").body(body).unwrap()
        })
        .samples([
            Sample::json(401, ""),
            Sample::json(503, r#"{"message": "maintenance"}"#),
            Sample::json(500, r#"{"error": "password not set"}"#),
            Sample::json(200, r#"{"user_id": "2", "cbrain_api_token": "another"}"#),
            Sample::json(403, r#"{"error": "sign the licence"}"#),
            Sample::new(302, "text/html", "").header("location", "http://localhost:3000/users/2/change_password"),
            Sample::new(401, "text/html", ""),
        ])
        .tokens(|| Secret::from(TOKEN))
        .path("/userfiles?page=1")
}

/// Reads how far a longer search goes: `SANSESSION_LAWS="seed cases calls"`.
pub(crate) fn longer<P: Provider + Send>(laws: Laws<P>) -> Laws<P> {
    let Ok(text) = std::env::var("SANSESSION_LAWS") else { return laws };
    let mut numbers = text.split(' ').map(|number| number.parse::<u32>().unwrap());
    let mut next = || numbers.next().unwrap();
    laws.seed(next().into()).cases(next()).calls(next() as usize)
}

#[test]
fn cbrain_keeps_the_laws() {
    longer(cbrain()).check_runs();
}

#[test]
fn cbrain_keeps_a_bounded_pace() {
    longer(cbrain().per_hour(400)).check_pace();
}

#[test]
fn a_protocol_of_corners_keeps_the_laws() {
    longer(corners::laws()).check_runs();
}

#[test]
fn a_protocol_of_corners_keeps_a_bounded_pace() {
    longer(corners::laws()).check_pace();
}

pub(crate) const READY: &str =
    r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;

fn gateway() -> Laws<Gateway> {
    let tickle = format!(
        r#"{{"session":"bb665d0f55b6289d70bc7380089fc96f","ssoExpires":460311,"collission":false,"userId":1,"iserver":{{"authStatus":{READY}}}}}"#
    );
    let away = r#"{"authenticated":false,"competing":false,"connected":false}"#;
    let out = r#"{"authenticated":false,"competing":false,"connected":true}"#;
    Laws::new(|| Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap())
        .server(move |request, _| {
            let body = match request.uri().path().rsplit('/').next() {
                Some("tickle") => tickle.clone(),
                Some("validate") => r#"{"USER_ID":1,"USER_NAME":"u","RESULT":true,"EXPIRES":415890}"#.to_owned(),
                Some("logout") => r#"{"status":true}"#.to_owned(),
                _ => READY.to_owned(),
            };
            http::Response::builder().header("content-type", "application/json").body(body.into_bytes()).unwrap()
        })
        .samples([
            Sample::json(200, away),
            Sample::json(200, out),
            Sample::json(200, r#"{"authenticated":true,"established":false,"competing":false,"connected":true}"#),
            Sample::json(200, r#"{"authenticated":true,"competing":true,"connected":true}"#),
            Sample::json(200, r#"{"passed":false,"authenticated":false,"connected":true,"competing":false}"#),
            Sample::json(200, r#"{"authenticated":false,"competing":false,"connected":true,"fail":"Force compete capability must be used together with compete flag"}"#),
            Sample::json(200, r#"{"error":"no session"}"#),
            Sample::json(200, r#"{"RESULT":false}"#),
            Sample::json(401, r#"{"error":"not authenticated","statusCode":401}"#),
            Sample::new(401, "text/plain", "Access Denied"),
            Sample::json(429, r#"{"error":"slow"}"#),
            Sample::json(400, r#"{"error":"Bad Request: no bridge","statusCode":400}"#),
            Sample::json(500, r#"{"error":"failed to generate sso dh token"}"#),
            Sample::new(302, "", "").header("location", "/sso/Login"),
        ])
        .path("/portfolio/accounts")
}

#[test]
fn the_ibkr_gateway_keeps_the_laws() {
    longer(gateway()).check_runs();
}

#[test]
fn the_ibkr_gateway_keeps_a_bounded_pace() {
    longer(gateway()).check_pace();
}

const TRADE: &str = "https://tradeapi.kotaksecurities.com/apim";

fn trade_api(with_secret: bool) -> Laws<TradeApi> {
    let make = move || {
        let provider = TradeApi::new(BaseUrl::parse(TRADE).unwrap(), "USER1", "key");
        if with_secret { provider.consumer_secret("secret") } else { provider }
    };
    Laws::new(make)
        .server(|request, _| {
            let body = match request.uri().path().rsplit('/').next() {
                Some("token") => r#"{"access_token":"bearer","expires_in":3600}"#,
                Some("init") => r#"{"Success":{"status":"Success","encryption":{"type":"PLAIN"}}}"#,
                Some("userid") => r#"{"Success":{"oneTimeToken":"BE45003A04F44B57926EF852978BC53A"}}"#,
                Some("accesscode") => r#"{"success":{"sessionToken":"BC604B4A88FF4722844ED8FC3D395DAE"}}"#,
                Some("logout") => r#"{"Success":{"message":"Logout Successful."}}"#,
                _ => r#"{"success":[]}"#,
            };
            http::Response::builder().header("content-type", "application/json").body(body.into()).unwrap()
        })
        .samples([
            Sample::json(401, fault(900_901, "Invalid Credentials", "Access failure for API")),
            Sample::json(401, fault(50_001, "Invalid OneTimeToken", "either expired or not correct")),
            Sample::json(403, fault(70_009, "Account Locked", "User locked due to Bad tries")),
            Sample::json(401, fault(99_999, "You have been logged out. Login again", "")),
            Sample::json(403, fault(999_003, "You are not authorized to access this platform", "")),
            Sample::json(400, fault(999_024, "through provided domain", "https://ctradeapi.kotaksecurities.com/")),
            Sample::json(400, fault(999_024, "through provided domain", "https://evil.example/")),
            Sample::json(429, fault(900_807, "Request quota reached", "")),
            Sample::json(200, fault(1000, "Max Order Frequency Limit reached.", "")),
            Sample::json(401, fault(10_001, "no", "")),
            Sample::json(200, redirect("https://ctradeapi.kotaksecurities.com/apim")),
            Sample::json(200, redirect("https://evil.example/apim")),
            Sample::json(200, r#"{"Success":{"status":"Inactive"}}"#),
            Sample::json(200, r#"{"access_token":"another","expires_in":1}"#),
            Sample::json(200, r#"{"access_token":"another","expires_in":-1}"#),
            Sample::json(401, r#"{"error":"invalid_client","error_description":"invalid_client"}"#),
            Sample::json(200, r#"{"success":{"sessionToken":"another","clientCode":7}}"#),
            Sample::new(424, "text/html", "<html></html>"),
        ])
        .tokens(|| TradeTokens { bearer: "bearer".into(), session_token: "BC604B4A88FF4722844ED8FC3D395DAE".into() })
        .answers(|need, number, _| match need.kind {
            // Another user's name would not be sent.
            NeedKind::Credentials => {
                Credentials::new("USER1", format!("password-{number:05}")).ok().map(Input::Credentials)
            }
            _ => None,
        })
        .path("/reports/1.0/orders")
}

fn fault(code: u32, message: &str, description: &str) -> String {
    format!(r#"{{"fault":{{"code":{code},"message":"{message}","description":"{description}"}}}}"#)
}

fn redirect(host: &str) -> String {
    format!(r#"{{"Success":{{"status":"Success","redirect":{{"host":"{host}","port":443}}}}}}"#)
}

#[test]
fn the_trade_api_keeps_the_laws() {
    longer(trade_api(false)).check_runs();
    longer(trade_api(true)).check_runs();
}

#[test]
fn the_trade_api_keeps_a_bounded_pace() {
    longer(trade_api(false)).check_pace();
    longer(trade_api(true)).check_pace();
}

/// A trade token that ends in the year 2026, or long ago, or never.
const TRADE_TOKENS: [&str; 3] =
    ["e30.eyJleHAiOjE3OTAwNTAwMDB9.c2ln", "e30.eyJleHAiOjE2ODc5NzcwMDB9.c2ln", "e30.e30.c2ln"];

fn neo(configured: bool) -> Laws<Neo> {
    let make = move || {
        let neo = Neo::new(BaseUrl::parse("https://mis.kotaksecurities.com").unwrap(), "ABC12", "0000000000");
        if configured { neo.dashboard_token("dashboard") } else { neo }
    };
    let granted = |token: &str, base: &str| {
        format!(r#"{{"data":{{"token":"{token}","sid":"sid","kType":"Trade","baseUrl":"{base}"}}}}"#)
    };
    let [now, past, never] = TRADE_TOKENS.map(|token| granted(token, "https://e43.kotaksecurities.com"));
    let foreign = granted(TRADE_TOKENS[0], "https://evil.example");
    let honest = now.clone();
    Laws::new(make)
        .server(move |request, _| {
            let body = match request.uri().path().rsplit('/').next() {
                Some("tradeApiLogin") => r#"{"data":{"token":"view","sid":"sid","kType":"View"}}"#,
                Some("tradeApiValidate") => &honest,
                _ => r#"{"data":[{"ip":"192.0.2.7"}],"stCode":1000,"status":"success"}"#,
            };
            http::Response::builder().header("content-type", "application/json").body(body.into()).unwrap()
        })
        .samples([now, past, never, foreign].map(|body| Sample::json(200, body)))
        .samples([
            Sample::json(200, r#"{"stCode":401,"errMsg":"Invalid MPIN","status":"failure"}"#),
            Sample::json(200, r#"{"stCode":429,"errMsg":"Invalid UCC","status":"failure"}"#),
            Sample::json(401, r#"{"stat":"Not_Ok","message":"Invalid credentials"}"#),
            Sample::json(401, r#"{"status":"error","message":"Invalid credentials or TOTP.","errorCode":"401"}"#),
            Sample::json(400, r#"{"error":[{"code":"400","message":"Missing required field 'Totp'"}]}"#),
            Sample::json(200, r#"{"stat":"Not_Ok","emsg":"Invalid session","stCode":1003}"#),
            Sample::json(200, r#"{"stCode":100022,"errMsg":"invalid session token","stat":"Not_Ok"}"#),
            Sample::json(200, r#"{"stCode":100008,"errMsg":"unauthorized","stat":"Not_Ok"}"#),
            Sample::json(401, r#"{"code":"900901","message":"Invalid Credentials","description":""}"#),
            Sample::json(403, r#"{"error":true,"message":"Invalid URL. Please verify the 'baseUrl'"}"#),
            Sample::json(429, r#"{"code":429,"error":"Rate limit exceeded","message":"too many request received"}"#),
            Sample::new(424, "text/html", "<html></html>"),
        ])
        .tokens(|| NeoTokens {
            token: TRADE_TOKENS[0].into(),
            sid: "sid".into(),
            base: BaseUrl::parse("https://e43.kotaksecurities.com").unwrap(),
        })
        .path("/quick/user/orders")
}

#[test]
fn neo_keeps_the_laws() {
    longer(neo(true)).check_runs();
    longer(neo(false)).check_runs();
}

#[test]
fn neo_keeps_a_bounded_pace() {
    longer(neo(true)).check_pace();
    longer(neo(false)).check_pace();
}
