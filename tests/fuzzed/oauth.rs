//! What is read of keys, grants, tokens and frames, without a private key's work.

use sansession::provider::Entropy;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth1a::{
    AccessTokenSecret, Consumer, DhParams, Grant, Handshake, LiveSessionToken, RequestToken, Signer, base_string,
    refusal,
};
use sansession::providers::ibkr::oauth2::{Bearer, Client};
use sansession::providers::ibkr::{Refusal, wire};
use sansession::providers::kotak::host;
use sansession::providers::kotak::wire::{fault, jwt};
use sansession::{BaseUrl, Response, Timestamp};

use super::{START, providers};

const ENTROPY: Entropy<'static> = Entropy { key: &[7; 24], epoch: 1, counter: 1 };

/// The first byte says what the rest is.
pub fn oauth(data: &[u8]) {
    let Some((what, data)) = data.split_first() else { return };
    // Files of this kind have some kilobytes; arithmetic on more would only take time.
    let data = &data[..data.len().min(8 << 10)];
    let text = String::from_utf8_lossy(data);
    let first = text.lines().next().unwrap_or_default();
    match what {
        b'k' => shows(&PrivateKey::from_pem(&text).err()),
        b'd' => dh(DhParams::from_pem(&text).ok()),
        b'x' => dh(text.split_once('\n').and_then(|(prime, generator)| DhParams::from_hex(prime, generator).ok())),
        b'g' => grant(Grant::from_text(&text).ok()),
        b'j' => drop(jwt::ends(&text)),
        b'c' => drop((Consumer::new(first), Client::new(first, first))),
        b'l' => signs(&text),
        b'h' => handshake(data),
        b'b' => responses(data),
        b'f' => frame(data),
        b'u' => urls(first),
        _ => answers(data),
    }
}

fn shows(what: &dyn std::fmt::Debug) {
    let _ = format!("{what:?}");
}

fn dh(params: Option<DhParams>) {
    let Some(params) = params else { return };
    shows(&params);
    let exponent = sansession::providers::ibkr::oauth1a::Exponent::from_be_bytes(&[0xa5; 32]);
    let challenge = params.challenge(&exponent);
    assert!(!challenge.is_empty() && !challenge.starts_with('0'), "{challenge}");
    let shared = params.shared(&exponent, &challenge);
    assert!(shared.is_err() || !shared.is_ok_and(|shared| shared.expose().is_empty()));
}

fn grant(grant: Option<Grant>) {
    let Some(grant) = grant else { return };
    shows(&grant);
    let text = grant.expose_secrets();
    let again = Grant::from_text(text.expose()).expect("its own text is refused");
    assert_eq!(again.access_token(), grant.access_token());
    assert_eq!(again.ciphertext(), grant.ciphertext());
    shows(&grant.plain_secret());
}

/// A token in the first line, a URI in the second, a form in the rest.
fn signs(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let (token, uri, form) = (lines.next(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let token = LiveSessionToken::from_base64(token.unwrap_or_default(), START);
    let Ok(uri) = uri.parse::<http::Uri>() else { return };
    let text = base_string("", &http::Method::POST, &uri, &[("oauth_token", "t")], Some(form.as_bytes()));
    assert!(
        text.is_ok_and(|text| text.is_ascii())
            || uri.authority().is_none_or(|host| host.as_str().contains('@'))
            || uri.scheme().is_none()
    );
    let Ok(token) = token else { return };
    let consumer = Consumer::new("TESTCONS").unwrap();
    let (mut parts, ()) = http::Request::post(uri)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(())
        .unwrap()
        .into_parts();
    let signer = Signer { consumer: &consumer, access_token: "token", token: &token };
    if signer.sign(&mut parts, form.as_bytes(), START, &ENTROPY).is_ok() {
        assert!(parts.headers["authorization"].to_str().is_ok_and(|value| value.starts_with("OAuth ")));
    }
}

fn handshake(body: &[u8]) {
    thread_local! {
        static PARAMS: DhParams = {
            let prime = format!("e{}b", "a5".repeat(255));
            DhParams::from_hex(&prime, "2").expect("an odd number of 2048 bits")
        };
    }
    let consumer = Consumer::new("TESTCONS").unwrap();
    let secret = AccessTokenSecret::new(vec![7; 32].into()).unwrap();
    let response = http::Response::builder().header("content-type", "application/json").body(body).unwrap();
    PARAMS.with(|params| {
        let handshake = Handshake { consumer: &consumer, access_token: "token", secret: &secret, params };
        // A proof cannot be guessed.
        assert!(handshake.accept(Response::from(&response), START, &ENTROPY).is_err());
    });
}

/// The body of a token's response.
fn responses(body: &[u8]) {
    for (status, media) in [(200, "application/json"), (400, "application/problem+json"), (401, "text/html")] {
        let response = http::Response::builder().status(status).header("content-type", media).body(body).unwrap();
        let response = Response::from(&response);
        shows(&RequestToken::read(response, START).map(|token| token.consent_url().len()));
        grant(Grant::read(response, START).ok());
        shows(&refusal(START, response));
        for bearer in [Bearer::read(response, START), Bearer::read_session(response, START)].into_iter().flatten() {
            let (mut parts, ()) = http::Request::new(()).into_parts();
            bearer.authorize(&mut parts).expect("a token that was read is sendable");
        }
    }
}

/// The body of any other response.
fn answers(body: &[u8]) {
    for status in [200, 400, 401, 403, 424, 429, 500] {
        let response =
            http::Response::builder().status(status).header("content-type", "application/json").body(body).unwrap();
        let response = Response::from(&response);
        shows(&Refusal::of(response));
        for at in
            [fault::At::Gateway, fault::At::Init, fault::At::FirstFactor, fault::At::SecondFactor, fault::At::Session]
        {
            for fault in [fault::trade_api(at, response), fault::neo(at, response)].into_iter().flatten() {
                shows(&(fault.class.code(), &fault));
            }
        }
    }
    shows(&Refusal::inside(&String::from_utf8_lossy(body)));
}

fn frame(data: &[u8]) {
    if let Some(frame) = wire::Frame::read(data) {
        shows(&(frame.flags(), frame.is_greeting(), frame.wants_session()));
    }
    let status = sansession::wire::json::<wire::Status<'_>>(data);
    shows(&status.map(|status| (status.hardware().is_some(), status.flags().failure().is_some())));
    shows(&sansession::wire::json::<wire::Flags<'_>>(data).map(|flags| flags.asks_for_compete()));
    shows(&sansession::wire::json::<wire::Tickle<'_>>(data));
    let text = String::from_utf8_lossy(data);
    if let Some(cookie) = wire::session_cookie(&text) {
        assert!(!cookie.as_bytes().contains(&b'\n'));
    }
    drop(wire::session_frame(&text));
}

/// A URL, a host that a server tells, a date.
fn urls(text: &str) {
    shows(&Timestamp::from_http_date(text));
    if let Ok(base) = BaseUrl::parse(text) {
        assert!(base.scheme() == "https" || base.is_loopback(), "{base}");
        assert_eq!(BaseUrl::parse(&base.to_string()).as_ref(), Ok(&base), "its own text is another URL");
    }
    for from in ["https://tradeapi.kotaksecurities.com/apim", "http://127.0.0.1:5001/apim"] {
        let from = providers::url(from);
        for port in [None, Some(443), Some(70_000)] {
            let Ok(Some(told)) = host::admit(&from, text, port) else { continue };
            told.admitted_from(&from).expect("admitted, and not again");
            let base = told.base();
            let name = base.host().strip_suffix(host::DOMAIN);
            let ours = name.is_some_and(|name| name.is_empty() || name.ends_with('.'));
            let at_home = ours && base.scheme() == "https" && base.port() == 443;
            assert!(at_home || base.is_loopback() && from.is_loopback(), "{base} from {from}");
        }
    }
}
