//! A server that quotes what it was sent, wherever a text may stand.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Request;
use sansession::testing::Sample;
use serde_json::{Value, json};

/// A secret as it may be found in a text.
pub fn forms(secret: &str) -> Vec<String> {
    let form = serde_urlencoded::to_string([("", secret)]).unwrap();
    let mut forms = vec![secret.to_owned(), form.trim_start_matches('=').to_owned(), BASE64_STANDARD.encode(secret)];
    forms.dedup();
    forms
}

/// All that a request says, in the forms in which a server has it.
pub fn sent(request: &Request<Vec<u8>>) -> String {
    let body = String::from_utf8_lossy(request.body());
    let mut parts = vec![body.clone().into_owned()];
    if let Ok(pairs) = serde_urlencoded::from_str::<Vec<(String, String)>>(&body) {
        parts.extend(pairs.into_iter().map(|(_, value)| value));
    }
    if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(&body) {
        parts.extend(members.values().filter_map(|value| value.as_str().map(str::to_owned)));
    }
    for value in request.headers().values() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let decoded = value.strip_prefix("Basic ").and_then(|basic| BASE64_STANDARD.decode(basic).ok());
        parts.extend(decoded.and_then(|basic| String::from_utf8(basic).ok()));
        parts.push(value);
    }
    parts.push(request.uri().to_string());
    parts.join(" ")
}

/// Answers that quote a text.
pub fn replies(sent: &str) -> Vec<Sample> {
    let texts = [format!("wrong: {sent}"), sent.to_owned(), format!("{} {sent}", "long ".repeat(30))];
    let mut replies: Vec<_> = texts.iter().flat_map(|text| texts_of(text)).collect();
    let text = &texts[0];
    for body in bodies(text) {
        replies.extend([200, 401, 403, 500].map(|status| Sample::json(status, body.to_string())));
    }
    replies.push(Sample::json(429, json!({"error": text}).to_string()));
    replies.push(Sample::json(503, json!({"message": text}).to_string()));
    replies.push(Sample::new(200, "text/html", format!("<html>{text}</html>")));
    replies.push(Sample::new(200, text, text.clone()));
    replies.push(Sample::new(302, "", "").header("location", &format!("/{text}")));
    replies.push(Sample::new(503, "", "").header("retry-after", text));
    replies
}

/// The answers in which the whole of a text is shown.
fn texts_of(text: &str) -> Vec<Sample> {
    vec![
        Sample::new(401, "text/plain", text),
        Sample::json(400, json!({"error": text}).to_string()),
        Sample::json(401, json!({"fault": {"code": 1, "message": text, "description": text}}).to_string()),
        Sample::json(200, json!({"stCode": 401, "errMsg": text, "status": "failure"}).to_string()),
    ]
}

fn bodies(text: &str) -> [Value; 9] {
    let fault = json!({"code": 900_901, "message": text, "description": text});
    let locked = json!({"code": 70_009, "message": text, "description": text});
    [
        json!({"error": text, "message": text, "statusCode": 401}),
        json!({"status": "error", "message": text, "errMsg": text, "emsg": text, "stCode": 401, "stat": "Not_Ok"}),
        json!({"fault": fault}),
        json!({"fault": locked}),
        json!({"title": text, "detail": text, "type": text}),
        json!({"error": "invalid_client", "error_description": text}),
        json!({"fail": text, "authenticated": false, "competing": true, "prompts": [text]}),
        json!({"stCode": 100_008, "errMsg": text, "stat": "Not_Ok"}),
        json!({ text: text }),
    ]
}
