//! The laws of `sansession::testing`, applied to the providers of this crate and to one made of nothing but corners.

mod corners;
mod direct;

use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::Gateway;
use sansession::testing::{Laws, Sample};
use sansession::{BaseUrl, Provider, Secret};

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
