//! The laws, on runs that a fuzzer makes up.

use std::cell::OnceCell;

use sansession::Secret;
use sansession::provider::Provider;
use sansession::providers::kotak::neo::NeoTokens;
use sansession::providers::kotak::trade_api::TradeTokens;
use sansession::testing::{Laws, Sample};
use sansession::{Credentials, Input, NeedKind, Timestamp, Totp};

use super::{direct, providers};

type Breaks = Box<dyn Fn(&[u8]) -> Option<String>>;

/// Some have keys, which take a while to make.
type Made = (OnceCell<Breaks>, fn() -> Breaks);

thread_local! {
    static LAWS: [Made; 9] = [
        (OnceCell::new(), || breaks(cbrain())),
        (OnceCell::new(), || breaks(gateway(Laws::new(providers::gateway)))),
        (OnceCell::new(), || breaks(gateway(Laws::new(providers::strict_gateway)))),
        (OnceCell::new(), || breaks(gateway(Laws::new(providers::waiting_gateway)))),
        (OnceCell::new(), || breaks(trade())),
        (OnceCell::new(), || breaks(neo())),
        (OnceCell::new(), || breaks(direct::laws_of_oauth1a())),
        (OnceCell::new(), || breaks(direct::laws_of_oauth2())),
        (OnceCell::new(), || breaks(direct::laws_of_consent())),
    ];
}

/// The first byte is the provider, the rest a run as [`Laws::broken_by`] reads it: all laws are checked.
pub fn calls(data: &[u8]) {
    let Some((which, run)) = data.split_first() else { return };
    let broken = LAWS.with(|laws| {
        let (laws, make) = &laws[usize::from(*which) % laws.len()];
        laws.get_or_init(make)(run)
    });
    if let Some(broken) = broken {
        panic!("{broken}");
    }
}

fn breaks<P: Provider + Send + 'static>(laws: Laws<P>) -> Breaks {
    let laws = laws.calls(150);
    Box::new(move |run| laws.broken_by(run))
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> http::Response<Vec<u8>> {
    http::Response::builder().status(status).header("content-type", "application/json").body(body.into()).unwrap()
}

fn cbrain() -> Laws<sansession::providers::cbrain::Cbrain> {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let session = format!(r#"{{"user_id": 2, "cbrain_api_token": "{TOKEN}"}}"#);
    Laws::new(providers::cbrain)
        .server(move |request, _| {
            let body = if request.method() == http::Method::DELETE { Vec::new() } else { session.clone().into() };
            answer(200, body)
        })
        .samples([
            Sample::json(401, ""),
            Sample::json(503, r#"{"message": "maintenance"}"#),
            Sample::json(500, r#"{"error": "password not set"}"#),
            Sample::json(200, r#"{"user_id": "2", "cbrain_api_token": "another"}"#),
            Sample::json(403, r#"{"error": "sign the licence"}"#),
            Sample::new(302, "text/html", "").header("location", "http://localhost:3000/users/2/change_password"),
        ])
        .tokens(|| Secret::from(TOKEN))
        .path("/userfiles?page=1")
}

const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;

fn gateway(laws: Laws<sansession::providers::ibkr::Gateway>) -> Laws<sansession::providers::ibkr::Gateway> {
    let tickle = format!(
        r#"{{"session":"bb665d0f55b6289d70bc7380089fc96f","ssoExpires":460311,"collission":false,"userId":1,"iserver":{{"authStatus":{READY}}}}}"#
    );
    laws.server(move |request, _| {
        answer(
            200,
            match request.uri().path().rsplit('/').next() {
                Some("tickle") => tickle.as_str(),
                Some("validate") => {
                    r#"{"USER_ID":1,"USER_NAME":"tester","RESULT":true,"EXPIRES":415890,"PAPER_USER_NAME":"tester","LOGIN_TYPE":2}"#
                }
                Some("accounts") => r#"{"accounts":["DU0000001"],"isPaper":true}"#,
                Some("logout") => r#"{"status":true}"#,
                _ => READY,
            },
        )
    })
    .samples([
        Sample::json(200, r#"{"authenticated":false,"competing":false,"connected":false}"#),
        Sample::json(200, r#"{"authenticated":false,"competing":false,"connected":true}"#),
        Sample::json(200, r#"{"authenticated":true,"established":false,"competing":false,"connected":true}"#),
        Sample::json(200, r#"{"authenticated":true,"competing":true,"connected":true}"#),
        Sample::json(200, r#"{"passed":false,"authenticated":false,"connected":true,"competing":false}"#),
        Sample::json(200, r#"{"fail":"Force compete capability must be used together with compete flag"}"#),
        Sample::json(200, r#"{"error":"no session"}"#),
        Sample::json(200, r#"{"RESULT":false}"#),
        Sample::json(401, r#"{"error":"not authenticated","statusCode":401}"#),
        Sample::new(401, "text/plain", "Access Denied"),
        Sample::json(429, r#"{"error":"slow"}"#),
        Sample::json(400, r#"{"error":"Bad Request: no bridge","statusCode":400}"#),
        Sample::json(500, r#"{"error":"failed to generate sso dh token"}"#),
        Sample::json(410, ""),
    ])
    .path("/portfolio/accounts")
}

fn trade() -> Laws<sansession::providers::kotak::TradeApi> {
    Laws::new(|| providers::trade().consumer_secret("consumer-secret"))
        .server(|request, _| {
            answer(
                200,
                match request.uri().path().rsplit('/').next() {
                    Some("token") => r#"{"access_token":"bearer","token_type":"Bearer","expires_in":3600}"#,
                    Some("init") => {
                        r#"{"Success":{"access_token":"t","status":"Active","redirect":{"host":"https://tradeapi.kotaksecurities.com/apim","port":443},"userid":"USER1"}}"#
                    }
                    Some("userid") => r#"{"Success":{"Status":"Temporary","oneTimeToken":"one-time"}}"#,
                    Some("accesscode" | "oneTimeToken") => {
                        r#"{"success":{"sessionToken":"session","clientCode":"C1","loginTime":"8/23/2021 11:29:35 AM"}}"#
                    }
                    Some("logout") => r#"{"Success":{"message":"User logged out"}}"#,
                    _ => r#"{"success":[]}"#,
                },
            )
        })
        .samples([
            Sample::json(401, r#"{"fault":{"code":900901,"message":"Invalid Credentials"}}"#),
            Sample::json(200, r#"{"fault":{"code":50001,"message":"Invalid OneTimeToken"}}"#),
            Sample::json(200, r#"{"fault":{"code":70009,"message":"Account Locked"}}"#),
            Sample::json(401, r#"{"fault":{"code":99999,"message":"You have been logged out. Login again"}}"#),
            Sample::json(200, r#"{"fault":{"code":999024,"message":"Wrong host","description":"https://ctradeapi.kotaksecurities.com/"}}"#),
            Sample::json(200, r#"{"Success":{"access_token":"t","status":"Active","redirect":{"host":"https://ctradeapi.kotaksecurities.com/apim"}}}"#),
            Sample::json(200, r#"{"fault":{"code":70001,"message":"Invalid password"}}"#),
            Sample::json(429, r#"{"fault":{"code":900807,"message":"Message throttled out"}}"#),
            Sample::json(200, r#"{"access_token":"another","expires_in":-1}"#),
            Sample::new(502, "text/html", "<html>"),
        ])
        .tokens(|| TradeTokens { bearer: "bearer".into(), session_token: "session".into() })
        .answers(|need, number, _| match need.kind {
            NeedKind::Credentials => {
                Credentials::new("USER1", format!("answer-{number:08}")).ok().map(Input::Credentials)
            }
            _ => None,
        })
        .path("/reports/1.0/orders")
}

fn neo() -> Laws<sansession::providers::kotak::Neo> {
    Laws::new(providers::neo)
        .server(|request, _| {
            answer(
                200,
                match request.uri().path().rsplit('/').next() {
                    Some("tradeApiLogin") => {
                        r#"{"data":{"token":"view-token","sid":"view-sid","kType":"View","status":"success"}}"#
                    }
                    Some("tradeApiValidate") => {
                        r#"{"data":{"token":"e30.eyJleHAiOjE3OTAwODY0MDB9.c2ln","sid":"sid","kType":"Trade","status":"success","baseUrl":"https://e43.kotaksecurities.com","dataCenter":"E43"}}"#
                    }
                    _ => r#"{"data":[{"ip":"192.0.2.7","time":"2026-07-07 12:07:34.440"}],"stCode":1000,"status":"success"}"#,
                },
            )
        })
        .samples([
            Sample::json(401, r#"{"status":"error","message":"Invalid credentials or TOTP.","errorCode":"401"}"#),
            Sample::json(200, r#"{"stCode":401,"errMsg":"Invalid MPIN","status":"failure"}"#),
            Sample::json(200, r#"{"stCode":100022,"errMsg":"invalid session token","stat":"Not_Ok"}"#),
            Sample::json(401, r#"{"code":"900901","message":"Invalid Credentials","description":"Access failure"}"#),
            Sample::json(200, r#"{"stCode":100008,"errMsg":"unauthorized","stat":"Not_Ok"}"#),
            Sample::json(424, r#"{"message":"dependency error"}"#),
            Sample::json(429, r#"{"code":429,"error":"Rate limit exceeded","message":"too many request received"}"#),
            Sample::json(403, r#"{"message":"Invalid session, please re-login"}"#),
            Sample::json(400, r#"{"error":[{"code":"10522","message":"Issues while generating OTP! Try to login again."}]}"#),
        ])
        .tokens(|| NeoTokens {
            token: "e30.eyJleHAiOjE3OTAwODY0MDB9.c2ln".into(),
            sid: "sid".into(),
            base: providers::url("https://e43.kotaksecurities.com"),
        })
        .answers(|need, number, now: Timestamp| match need.kind {
            NeedKind::Pin => Some(Input::Pin(format!("{:08}", 20_000_000 + number).into())),
            NeedKind::Totp => Totp::new(format!("{:08}", 94_710_000 + number), now).ok().map(Input::Totp),
            _ => None,
        })
        .path("/quick/user/orders")
}
