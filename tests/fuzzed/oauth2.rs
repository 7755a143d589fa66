//! What is read of an OAuth 2 server's answers, and of what people paste.

use sansession::providers::oauth2::wire::{
    Challenge, Client, DeviceAnswer, Endpoint, Expected, Grant, Issuer, Metadata, Redirect, Registered,
    RegistrationAnswer, ResourceMetadata, Revocation, TokenAnswer,
};
use sansession::{Response, Secret};

use super::message;

const BACK: &str = "http://127.0.0.1:8400/callback";

/// The first byte says what the rest is: `p` what somebody pastes, `u` a URL, any other an answer.
pub fn oauth2(data: &[u8]) {
    let Some((what, data)) = data.split_first() else { return };
    let data = &data[..data.len().min(8 << 10)];
    let text = String::from_utf8_lossy(data);
    match what {
        b'p' => pasted(&text),
        b'u' => drop((Endpoint::parse(&text), Issuer::new(&text))),
        _ => answer(data),
    }
}

fn pasted(text: &str) {
    let state = Secret::from("state-0123456789");
    for bare_code in [false, true] {
        for names_issuer in [false, true] {
            let issuer = Some("https://login.example.org");
            let expected = Expected { redirect_uri: BACK, state: &state, issuer, names_issuer, bare_code };
            let Ok(Redirect::Code(code)) = Redirect::read(text, &expected) else { continue };
            assert!(!code.is_empty());
            // Nothing is taken that does not show the state, but by option.
            let whole: String = text.split_whitespace().collect();
            let shows = whole.contains("state-0123456789") || whole.contains('%') || whole.contains("&amp;");
            assert!(bare_code || shows, "{text}");
        }
    }
}

fn answer(data: &[u8]) {
    let (_, headers, body) = message(data);
    let endpoint = Endpoint::parse("https://login.example.org/token").unwrap();
    let client = Client::public("app").unwrap();
    let issuer = Issuer::new("https://login.example.org").unwrap();
    for status in [200, 201, 302, 400, 401, 403, 429, 500, 503] {
        let mut response = http::Response::builder().status(status).body(body).unwrap();
        response.headers_mut().extend(headers.iter().cloned());
        let response = Response::from(&response);
        if let TokenAnswer::Tokens(tokens) = TokenAnswer::read(response) {
            assert!((200..300).contains(&status) && !tokens.access.is_empty());
            assert!(tokens.expires_in.is_none_or(|lasts| !lasts.is_zero() && lasts.as_secs() <= 365 * 86_400));
            if let Some(token) = &tokens.refresh {
                let request = Grant::Refresh { token }.request(&endpoint, &client, None, None).unwrap();
                assert!(request.body().starts_with(b"grant_type=refresh_token&refresh_token="));
            }
        }
        if let DeviceAnswer::Code(code) = DeviceAnswer::read(response) {
            assert!(Endpoint::parse(&code.verification_uri).is_ok() && !code.interval.is_zero());
        }
        if let RegistrationAnswer::Registered(registered) = Registered::read(response) {
            let _ = registered.client();
        }
        if let Ok(metadata) = Metadata::read(response, &issuer) {
            assert_eq!(&*metadata.issuer, "https://login.example.org");
        }
        let _ = (Revocation::read(response), Challenge::read(response));
        let _ = ResourceMetadata::read(response, "https://api.example.org");
    }
}
