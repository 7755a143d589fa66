//! Kotak's Trade API and Neo.

use sansession::providers::kotak::neo::NeoTokens;
use sansession::providers::kotak::trade_api::TradeTokens;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::testing::{Laws, Sample};
use sansession::{Credentials, Input, NeedKind, machine::Totp};

use super::{json, url};

const TRADE: &str = "https://tradeapi.kotaksecurities.com/apim";

pub fn trade_api(with_secret: bool) -> Laws<TradeApi> {
    let make = move || {
        let provider = TradeApi::new(url(TRADE), "USER1", "key").unwrap();
        if with_secret { provider.consumer_secret("secret").unwrap() } else { provider }
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
            json(body)
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
            Sample::json(200, fault(70_001, "Invalid password", "")),
            Sample::new(424, "text/html", "<html></html>"),
        ])
        .tokens(|| TradeTokens { bearer: "bearer".into(), session_token: "BC604B4A88FF4722844ED8FC3D395DAE".into() })
        .answers(|need, number, _| match need.kind {
            // Another user's name would not be sent.
            NeedKind::Credentials => {
                Credentials::new("USER1", format!("password-{number:05}")).ok().map(Input::Credentials)
            }
            NeedKind::AccessCode => Some(Input::Code(format!("{:08}", 47_000_000 + number).into())),
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

/// A trade token that ends in the year 2026, or long ago, or never.
const TRADE_TOKENS: [&str; 3] =
    ["e30.eyJleHAiOjE3OTAwNTAwMDB9.c2ln", "e30.eyJleHAiOjE2ODc5NzcwMDB9.c2ln", "e30.e30.c2ln"];

pub fn neo(configured: bool) -> Laws<Neo> {
    let make = move || {
        let neo = Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap();
        if configured { neo.dashboard_token("dashboard").unwrap() } else { neo }
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
            json(body)
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
            Sample::json(403, r#"{"message":"Invalid session, please re-login"}"#),
            Sample::json(
                400,
                r#"{"error":[{"code":"10522","message":"Issues while generating OTP! Try to login again."}]}"#,
            ),
            Sample::new(424, "text/html", "<html></html>"),
        ])
        .tokens(|| NeoTokens {
            token: TRADE_TOKENS[0].into(),
            sid: "sid".into(),
            base: url("https://e43.kotaksecurities.com"),
        })
        .answers(|need, number, now| {
            let code = format!("{:06}", 470_000 + number);
            match need.kind {
                NeedKind::Totp => Totp::new(code, now).ok().map(Input::Totp),
                NeedKind::Pin => Some(Input::Pin(code.into())),
                _ => None,
            }
        })
        .path("/quick/user/orders")
}
