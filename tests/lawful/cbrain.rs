//! CBRAIN.

use sansession::Secret;
use sansession::providers::cbrain::Cbrain;
use sansession::testing::{Laws, Sample};

use super::{json, url};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub fn cbrain() -> Laws<Cbrain> {
    let session = format!(r#"{{"user_id": 2, "cbrain_api_token": "{TOKEN}"}}"#);
    Laws::new(|| Cbrain::new(url("http://localhost:3000")).unwrap())
        .server(move |request, _| {
            let body = if request.method() == http::Method::DELETE { Vec::new() } else { session.clone().into() };
            json(body)
        })
        .samples([
            Sample::json(401, ""),
            Sample::json(503, r#"{"message": "maintenance"}"#),
            Sample::json(500, r#"{"status": 500, "error": "Internal Server Error"}"#),
            Sample::json(200, r#"{"user_id": "2", "cbrain_api_token": "another"}"#),
            Sample::json(403, r#"{"error": "sign the licence"}"#),
            Sample::new(302, "text/html", "").header("location", "http://localhost:3000/users/2/change_password"),
            Sample::new(401, "text/html", ""),
        ])
        .tokens(|| Secret::from(TOKEN))
        .path("/userfiles?page=1")
}
