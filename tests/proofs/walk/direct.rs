//! IBKR's Web API, direct: OAuth 1.0a, OAuth 2.0, and the consent to a grant.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{Consent, OAuth1a, OAuth2, WebApi};
use sansession::sim::ibkr::oauth::{Issued, OAuthServer};
use sansession::testing::{Sample, Walk};
use sansession::{BaseUrl, Input, NeedKind, Options, Relogin, Timestamp};

use super::{anywhere, ibkr, is_drawn_in, leads_on, specified};
use crate::fuzzed::lawful::direct::{key, keys, long_keys};
use crate::support::ignored::{BROKERAGE, DIRECT};

const CONSUMER: &str = "ABCDEFGHI";

fn server() -> (OAuthServer, Issued) {
    let keys = keys();
    let upload = keys.upload();
    let mut server = OAuthServer::new([6; 32]);
    server.register(CONSUMER, &upload, Timestamp::from_secs(0)).unwrap();
    let issued = server.issue(CONSUMER).unwrap();
    (server, issued)
}

fn base() -> BaseUrl {
    BaseUrl::parse("https://api.ibkr.com/v1/api").unwrap()
}

fn options() -> Options {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    options.egress_label = Some("fibre".into());
    options
}

fn refusals() -> Vec<(&'static str, Sample)> {
    let problem = r#"{"type":"/simple","title":"Unauthorized","status":401,"detail":"Access token expired"}"#;
    vec![
        ("unknown consumer", Sample::json(401, r#"{"error":"id: 39687, error: invalid consumer","statusCode":401}"#)),
        ("signature refused", Sample::json(401, r#"{"error":"id: 0, error: signature refused","statusCode":401}"#)),
        ("bearer expired", Sample::new(401, "application/problem+json", problem)),
        ("gone", Sample::new(410, "text/plain", "gone")),
    ]
}

/// What is answered to a call that carries a token.
fn calls(request: &str) -> Vec<(&'static str, Sample)> {
    let mut replies = ibkr::replies(request);
    replies.extend(refusals());
    replies
}

fn login(granted: Option<Sample>) -> Vec<(&'static str, Sample)> {
    let mut replies: Vec<_> = granted.into_iter().map(|granted| ("a token", granted)).collect();
    replies.push(("403 page", Sample::new(403, "text/html", "<html>Access Denied</html>")));
    replies.extend(refusals());
    replies.extend(anywhere());
    replies
}

fn walk(provider: Arc<WebApi>) -> Walk<Arc<WebApi>> {
    Walk::new(move || provider.clone())
        .options(options())
        .answers(|kind, _| match kind {
            NeedKind::Takeover => vec![("take over", Input::TakeOver)],
            _ => vec![],
        })
        .path("/iserver/accounts")
        .ignoring(BROKERAGE)
        .ignoring(DIRECT)
        .ignoring(&["relogins"])
}

/// The server's half of a handshake. Its clock is the client's, which the header tells.
fn handshake(request: &Request<Vec<u8>>) -> Option<Sample> {
    let header = request.headers().get("authorization")?.to_str().ok()?;
    let (_, stamp) = header.split_once("oauth_timestamp=\"")?;
    let stamp = stamp.split('"').next()?.parse().ok()?;
    let answer = server().0.handle(Timestamp::from_secs(stamp), request)?;
    Some(Sample::json(answer.status().as_u16(), answer.into_body()))
}

#[test]
fn every_state_of_a_direct_session_leads_on() {
    let (_, issued) = server();
    let grant = Grant::new(issued.access_token, issued.encrypted_secret).unwrap();
    let params = DhParams::from_pem(&keys().dh_params).unwrap();
    let consumer = Consumer::new(CONSUMER).unwrap();
    let oauth = OAuth1a::new(consumer, &grant, key(&keys().signature), &key(&keys().encryption), params).unwrap();
    let seen = RefCell::new(None::<(Vec<u8>, Option<Sample>)>);
    let map = walk(Arc::new(WebApi::new(&base(), oauth).unwrap()))
        .replies(move |request| match specified(request).ends_with("live_session_token") {
            true => {
                let header = request.headers().get("authorization").map(|value| value.as_bytes().to_vec());
                let header = header.unwrap_or_default();
                let known =
                    seen.borrow().as_ref().filter(|(known, _)| *known == header).map(|(_, sample)| sample.clone());
                let granted = known.unwrap_or_else(|| handshake(request));
                *seen.borrow_mut() = Some((header, granted.clone()));
                login(granted)
            }
            false => calls(&specified(request)),
        })
        .run();
    leads_on(&map);
    insta::assert_snapshot!("ibkr-oauth1a", map.table());
    is_drawn_in(&map, "ibkr/direct/oauth1a.md");
}

#[test]
fn every_state_of_an_oauth2_session_leads_on() {
    let client = Client::new("client-1", "main").unwrap();
    let oauth = OAuth2::new(client, key(&long_keys().signature), "u", IpAddr::from([192, 0, 2, 1])).unwrap();
    let map = walk(Arc::new(WebApi::new(&base(), oauth).unwrap()))
        .replies(|request| match &*specified(request) {
            "POST /oauth2/api/v1/token" => {
                let body = r#"{"access_token":"first","token_type":"Bearer","expires_in":86399}"#;
                login(Some(Sample::json(200, body)))
            }
            "POST /gw/api/v1/sso-sessions" => {
                let body = r#"{"active":true,"access_token":"second","token_type":"Bearer"}"#;
                login(Some(Sample::json(200, body)))
            }
            name => calls(name),
        })
        .run();
    leads_on(&map);
    insta::assert_snapshot!("ibkr-oauth2", map.table());
    is_drawn_in(&map, "ibkr/direct/oauth2.md");
}

#[test]
fn every_state_of_a_consent_leads_on() {
    let consumer = Consumer::new(CONSUMER).unwrap();
    let provider = Arc::new(Consent::new(&base(), consumer, key(&keys().signature)));
    let map = Walk::new(move || provider.clone())
        .options(options())
        .answers(|kind, _| match kind {
            NeedKind::Verifier => vec![("verifier", Input::Code("v-1".into()))],
            _ => vec![],
        })
        .replies(|request| {
            let body = match specified(request).ends_with("request_token") {
                true => r#"{"oauth_token":"0123456789"}"#,
                false => r#"{"is_paper":true,"oauth_token":"9876543210","oauth_token_secret":"QUJDREVGRw=="}"#,
            };
            login(Some(Sample::json(200, body)))
        })
        .run();
    leads_on(&map);
    insta::assert_snapshot!("ibkr-consent", map.table());
    is_drawn_in(&map, "ibkr/direct/consent.md");
}
