//! Providers that ask a person, or a store, for secrets.

use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::Gateway;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::testing::{Sample, Walk};
use sansession::{BaseUrl, Credentials, Input, NeedKind, Options, Timestamp, machine::Totp};

use super::keeps_to_itself;
use crate::support::ignored::{self, BROKERAGE};

const PASSWORD: &str = "tr0ub 4dor&3";
const CODE: &str = "84714711";
const TOTP: &str = "908163";
const PIN: &str = "553317";
const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const SECOND: &str = "BC604B4A88FF4722844ED8FC3D395DAE";
const THIRD: &str = "BE45003A04F44B57926EF852978BC53A";
const GATEWAY: &str = "eyJ4NXQiOiJabUV4-dashboard-0987";
const CONSUMER: &str = "c0nsumerSecret2468-9753aZbYcX";

fn answers(kind: NeedKind, now: Timestamp) -> Vec<(&'static str, Input)> {
    let answer = match kind {
        NeedKind::Credentials => Input::Credentials(Credentials::new("norm-the-user", PASSWORD).unwrap()),
        NeedKind::AccessCode => Input::Code(CODE.into()),
        NeedKind::Totp => Input::Totp(Totp::new(TOTP, now).unwrap()),
        NeedKind::Pin => Input::Pin(PIN.into()),
        NeedKind::GatewayToken => Input::Token(GATEWAY.into()),
        NeedKind::Browser => Input::Done,
        NeedKind::Takeover => Input::TakeOver,
        _ => return vec![],
    };
    vec![("answer", answer)]
}

pub fn cbrain(secrets: &[&str]) {
    let walk = Walk::new(|| Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap())
        .answers(answers)
        .path("/groups");
    let good = |_: &_| {
        vec![
            Sample::json(200, format!(r#"{{"user_id": 2, "cbrain_api_token": "{TOKEN}"}}"#))
                .header("set-cookie", "BrainPortal_session=5e55i0nC00kie0123456789; path=/"),
            Sample::json(401, ""),
        ]
    };
    assert!(keeps_to_itself(walk, good, secrets) > 0);
}

#[test]
fn of_cbrain() {
    cbrain(&[PASSWORD, TOKEN, "5e55i0nC00kie0123456789"]);
}

#[test]
fn of_the_gateway() {
    let session = "bb665d0f55b6289d70bc7380089fc96f";
    let walk = Walk::new(|| Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap())
        .answers(answers)
        .options({
            let mut options = Options::default();
            options.durable = true;
            options
        })
        .path("/portfolio/accounts")
        .most(20_000)
        .ignoring(BROKERAGE)
        .ignoring(ignored::GATEWAY);
    let good = move |request: &http::Request<Vec<u8>>| {
        let flags = r#"{"authenticated":true,"established":true,"competing":false,"connected":true}"#;
        vec![match request.uri().path().rsplit('/').next() {
            Some("tickle") => {
                Sample::json(200, format!(r#"{{"session":"{session}","iserver":{{"authStatus":{flags}}}}}"#))
            }
            Some("validate") => Sample::json(200, r#"{"USER_ID":1,"USER_NAME":"u","RESULT":true,"EXPIRES":415890}"#),
            Some("logout") => Sample::json(200, r#"{"status":true}"#),
            _ => Sample::json(200, flags),
        }]
    };
    // It goes into the stream alone.
    assert_eq!(keeps_to_itself(walk, good, &[session]), 0);
}

#[test]
fn of_the_trade_api() {
    let base = || BaseUrl::parse("https://tradeapi.kotaksecurities.com/apim").unwrap();
    let walk =
        Walk::new(move || TradeApi::new(base(), "norm-the-user", "key").unwrap().consumer_secret(CONSUMER).unwrap())
            .answers(answers)
            .path("/reports/1.0/orders")
            .ignoring(&["paces", "lost", "ends", "host", "check_at", "renewal", "relogins", "repeated"]);
    let good = |request: &http::Request<Vec<u8>>| {
        let body = match request.uri().path().rsplit('/').next() {
            Some("token") => format!(r#"{{"access_token":"{TOKEN}","expires_in":3600}}"#),
            Some("init") => r#"{"Success":{"status":"Success","encryption":{"type":"PLAIN"}}}"#.to_owned(),
            Some("userid") => format!(r#"{{"Success":{{"oneTimeToken":"{THIRD}"}}}}"#),
            Some("accesscode" | "oneTimeToken") => format!(r#"{{"success":{{"sessionToken":"{SECOND}"}}}}"#),
            Some("logout") => r#"{"Success":{"message":"Logout Successful."}}"#.to_owned(),
            _ => r#"{"success":[]}"#.to_owned(),
        };
        vec![Sample::json(200, body)]
    };
    assert!(keeps_to_itself(walk, good, &[PASSWORD, CODE, CONSUMER, TOKEN, SECOND, THIRD, GATEWAY]) > 0);
}

#[test]
fn of_neo() {
    let walk = Walk::new(|| {
        Neo::new(BaseUrl::parse("https://mis.kotaksecurities.com").unwrap(), "ABC12", "0000000000").unwrap()
    })
    .answers(answers)
    .path("/quick/user/orders")
    .ignoring(&["paces"]);
    let good = |request: &http::Request<Vec<u8>>| {
        let granted = |token: &str, kind: &str| {
            format!(
                r#"{{"data":{{"token":"{token}","sid":"{TOKEN}","kType":"{kind}","baseUrl":"https://e43.kotaksecurities.com"}}}}"#
            )
        };
        let body = match request.uri().path().rsplit('/').next() {
            Some("tradeApiLogin") => granted(SECOND, "View"),
            Some("tradeApiValidate") => granted(THIRD, "Trade"),
            _ => r#"{"data":[{"ip":"192.0.2.7"}],"stCode":1000,"status":"success"}"#.to_owned(),
        };
        vec![Sample::json(200, body)]
    };
    assert!(keeps_to_itself(walk, good, &[TOTP, PIN, GATEWAY, TOKEN, SECOND, THIRD]) > 0);
}
