//! Direct sessions with IBKR's Web API: keys that are made once, and a server that computes.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::{Request, Response};
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{OAuth1a, OAuth2, WebApi};
use sansession::sim::ibkr::oauth::{Issued, OAuthServer};
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::{BaseUrl, Secret, Timestamp};

use crate::abuse::world::url;

const CONSUMER: &str = "ABCDEFGHI";

pub const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn base() -> BaseUrl {
    url("https://api.ibkr.com/v1/api")
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([5; 32], 2_048).unwrap())
}

/// OAuth 2.0 wants longer ones.
pub fn long_key() -> PrivateKey {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    key(&KEYS.get_or_init(|| Keys::generate([5; 32], 3_072).unwrap()).signature)
}

fn key(pem: &Secret) -> PrivateKey {
    PrivateKey::from_pem(pem.expose()).unwrap()
}

pub fn oauth1a() -> Arc<WebApi> {
    static API: OnceLock<Arc<WebApi>> = OnceLock::new();
    API.get_or_init(|| Arc::new(oauth1a_at(&base()))).clone()
}

pub fn oauth1a_at(base: &BaseUrl) -> WebApi {
    let (_, issued) = server();
    let grant = Grant::new(issued.access_token, issued.encrypted_secret).unwrap();
    let params = DhParams::from_pem(&keys().dh_params).unwrap();
    let consumer = Consumer::new(CONSUMER).unwrap();
    let oauth = OAuth1a::new(consumer, &grant, key(&keys().signature), &key(&keys().encryption), params);
    WebApi::new(base, oauth.unwrap()).unwrap()
}

pub fn oauth2() -> Arc<WebApi> {
    static API: OnceLock<Arc<WebApi>> = OnceLock::new();
    API.get_or_init(|| Arc::new(oauth2_at(&base()))).clone()
}

pub fn oauth2_at(base: &BaseUrl) -> WebApi {
    let client = Client::new("client-1", "main").unwrap();
    WebApi::new(base, OAuth2::new(client, long_key(), "u", IP).unwrap()).unwrap()
}

/// The same server at every request, but that it has seen no nonce: all runs begin with one seed.
fn server() -> (OAuthServer, Issued) {
    let upload = keys().upload();
    let mut server = OAuthServer::new([6; 32]);
    server.register(CONSUMER, &upload, Timestamp::from_secs(0)).unwrap();
    let issued = server.issue(CONSUMER).unwrap();
    (server, issued)
}

/// Answers what wants arithmetic, at the time that the request itself names.
pub fn shakes_hands(request: &Request<Vec<u8>>) -> Option<Response<Vec<u8>>> {
    if !request.uri().path().ends_with("/live_session_token") {
        return None;
    }
    let header = request.headers()["authorization"].to_str().unwrap();
    let (_, rest) = header.split_once("oauth_timestamp=\"").unwrap();
    let seconds = rest.split('"').next().unwrap().parse().unwrap();
    server().0.handle(Timestamp::from_secs(seconds), request)
}
