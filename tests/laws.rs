//! The laws of `sansession::testing`, applied to the providers of this crate and to one made of nothing but corners.

mod corners;

use sansession::providers::cbrain::Cbrain;
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
fn longer<P: Provider + Send>(laws: Laws<P>) -> Laws<P> {
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
