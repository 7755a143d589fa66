use std::sync::OnceLock;

use super::super::oauth_keys::Keys;
use super::*;
use crate::provider::Entropy;
use crate::providers::ibkr::keys::PrivateKey;
use crate::providers::ibkr::oauth1a as client;
use crate::providers::ibkr::oauth1a::{
    AccessTokenSecret, DhParams, Grant, Handshake, HandshakeError, LiveSessionToken, Refusal, RequestToken, Signer,
};
use crate::{BaseUrl, Response as Answer};

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([5; 32], 2_048).unwrap())
}

/// A server with one consumer and one access token, whose secret is known.
pub(crate) fn with_grant(consumer: &str, upload: &Upload<'_>, token: &str, secret: [u8; 32]) -> OAuthServer {
    let mut server = OAuthServer::new([6; 32]);
    server.register(consumer, upload, NOW).unwrap();
    let granted = Granted { consumer: consumer.to_owned(), secret, tokens: Vec::new() };
    server.grants.insert(token.to_owned(), granted);
    server
}

/// A client of the server and everything that it holds.
struct World {
    server: OAuthServer,
    consumer: client::Consumer,
    signature: PrivateKey,
    encryption: PrivateKey,
    params: DhParams,
    base: BaseUrl,
    counter: u64,
}

impl World {
    fn new() -> Self {
        let keys = keys();
        let mut server = OAuthServer::new([6; 32]);
        let upload = keys.upload();
        server.register("ABCDEFGHI", &upload, NOW).unwrap();
        Self {
            server,
            consumer: client::Consumer::new("ABCDEFGHI").unwrap(),
            signature: PrivateKey::from_pem(keys.signature.expose()).unwrap(),
            encryption: PrivateKey::from_pem(keys.encryption.expose()).unwrap(),
            params: DhParams::from_pem(&keys.dh_params).unwrap(),
            base: BaseUrl::parse("https://localhost:5000/v1/api").unwrap(),
            counter: 0,
        }
    }

    fn entropy(&mut self) -> Entropy<'static> {
        self.counter += 1;
        Entropy { key: &[1; 24], epoch: 1, counter: self.counter }
    }

    fn grant(&mut self) -> Grant {
        let issued = self.server.issue("ABCDEFGHI").unwrap();
        Grant::new(issued.access_token, issued.encrypted_secret).unwrap()
    }

    fn handshake(&mut self, grant: &Grant, theirs: Timestamp) -> Result<LiveSessionToken, HandshakeError> {
        let entropy = self.entropy();
        let secret = grant.secret(&self.encryption, entropy).unwrap();
        self.handshake_with(grant, &secret, entropy, theirs)
    }

    fn handshake_with(
        &mut self,
        grant: &Grant,
        secret: &AccessTokenSecret,
        entropy: Entropy<'_>,
        theirs: Timestamp,
    ) -> Result<LiveSessionToken, HandshakeError> {
        let handshake =
            Handshake { consumer: &self.consumer, access_token: grant.access_token(), secret, params: &self.params };
        let request = handshake.request(&self.base, NOW, &entropy).unwrap().sign(&self.signature, entropy).unwrap();
        let response = self.server.handle(theirs, &request).unwrap();
        handshake.accept(Answer::from(&response), NOW, &entropy)
    }

    fn signed(&mut self, grant: &Grant, token: &LiveSessionToken, request: Request<&str>) -> Request<Vec<u8>> {
        let entropy = self.entropy();
        let (mut parts, body) = request.into_parts();
        let signer = Signer { consumer: &self.consumer, access_token: grant.access_token(), token };
        signer.sign(&mut parts, body.as_bytes(), NOW, &entropy).unwrap();
        Request::from_parts(parts, body.as_bytes().to_vec())
    }
}

fn reason(reply: Reply) -> String {
    String::from_utf8(reply.into_body()).unwrap()
}

#[test]
fn a_consent_a_handshake_and_a_call() {
    let mut world = World::new();
    let entropy = world.entropy();
    let unsigned = client::request_token(&world.consumer, &world.base, NOW, &entropy).unwrap();
    let response = world.server.handle(NOW, &unsigned.sign(&world.signature, entropy).unwrap()).unwrap();
    let token = RequestToken::read(Answer::from(&response), NOW).unwrap();
    let verifier = world.server.consent(token.expose()).unwrap();

    let entropy = world.entropy();
    let access = |verifier: &str, entropy| {
        let unsigned = token.access_token(&verifier.into(), &world.consumer, &world.base, NOW, entropy).unwrap();
        unsigned.sign(&world.signature, *entropy).unwrap()
    };
    let (wrong, right) = (access("abc", &entropy), access(&verifier, &Entropy { counter: 99, ..entropy }));
    assert!(reason(world.server.handle(NOW, &wrong).unwrap()).contains("verifier refused"));
    let response = world.server.handle(NOW, &right).unwrap();
    let grant = Grant::read(Answer::from(&response), NOW).unwrap();
    assert_eq!(grant.paper(), Some(true));

    let lst = world.handshake(&grant, NOW).unwrap();
    assert_eq!(lst.expires(), NOW + Duration::from_secs(86_400));
    for request in [
        Request::get("https://localhost:5000/v1/api/iserver/accounts").body(""),
        Request::get("https://localhost:5000/v1/api/x/a%20b?b=2&a=1&a=%2B+%C3%A9&c").body(""),
        Request::post("https://localhost:5000/v1/api/form")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("z=1&a=x+y"),
        Request::post("https://localhost:5000/v1/api/json?q=1")
            .header("content-type", "application/json")
            .body("{\"a\":1}"),
    ] {
        let signed = world.signed(&grant, &lst, request.unwrap());
        assert_eq!(world.server.verify(NOW, &signed).unwrap(), grant.access_token());
        assert!(reason(world.server.verify(NOW, &signed).unwrap_err().answer(NOW)).contains("nonce used"));
    }
}

#[test]
fn a_server_that_sees_the_path_only_finds_the_same_text() {
    let mut world = World::new();
    let grant = world.grant();
    let lst = world.handshake(&grant, NOW).unwrap();
    let mut signed = world.signed(&grant, &lst, Request::get("https://api.ibkr.com/v1/api/x?a=1").body("").unwrap());
    *signed.uri_mut() = "/v1/api/x?a=1".parse().unwrap();
    signed.headers_mut().insert("host", "api.ibkr.com".parse().unwrap());
    assert!(world.server.verify(NOW, &signed).is_ok());
}

#[test]
fn whatever_is_changed_after_signing_is_refused() {
    let mut world = World::new();
    let grant = world.grant();
    let lst = world.handshake(&grant, NOW).unwrap();
    let uri = "https://localhost:5000/v1/api/form?a=1";
    let form = || Request::post(uri).header("content-type", "application/x-www-form-urlencoded").body("b=2").unwrap();
    type Change = fn(&mut Request<Vec<u8>>);
    let changes: [Change; 5] = [
        |request| *request.method_mut() = Method::PUT,
        |request| *request.uri_mut() = "https://localhost:5000/v1/api/form?a=2".parse().unwrap(),
        |request| *request.uri_mut() = "https://localhost:5001/v1/api/form?a=1".parse().unwrap(),
        |request| *request.body_mut() = b"b=3".to_vec(),
        |request| {
            request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        },
    ];
    for change in changes {
        let mut signed = world.signed(&grant, &lst, form());
        change(&mut signed);
        assert!(reason(world.server.verify(NOW, &signed).unwrap_err().answer(NOW)).contains("Invalid signature"));
    }
    let signed = world.signed(&grant, &lst, form());
    assert!(world.server.verify(NOW, &signed).is_ok());
}

#[test]
fn refusals_are_those_of_the_real_server() {
    let mut world = World::new();
    let old = world.grant();
    assert!(world.handshake(&old, NOW).is_ok());
    let new = world.grant();
    assert_eq!(world.handshake(&old, NOW).unwrap_err(), HandshakeError::Refused(Refusal::TokenRegenerated));
    assert!(world.handshake(&new, NOW).is_ok());

    // The key is not live before the reset.
    let early = NOW - Duration::from_secs(1);
    assert_eq!(world.handshake(&new, early).unwrap_err(), HandshakeError::Refused(Refusal::UnknownConsumer));
    // Our clock is an hour behind the server's.
    let late = NOW + Duration::from_secs(3_600);
    let clock = Refusal::Clock { by_millis: 3_600_000 };
    assert_eq!(world.handshake(&new, late).unwrap_err(), HandshakeError::Refused(clock));
    assert!(world.handshake(&new, NOW + Duration::from_secs(299)).is_ok());
    // Another secret than the token's: the text differs.
    let wrong = AccessTokenSecret::new(zeroize::Zeroizing::new(vec![1; 32])).unwrap();
    let entropy = world.entropy();
    let outcome = world.handshake_with(&new, &wrong, entropy, NOW).unwrap_err();
    assert_eq!(outcome, HandshakeError::Refused(Refusal::Signature));
    // Somebody in between.
    world.server.lies = true;
    assert_eq!(world.handshake(&new, NOW).unwrap_err(), HandshakeError::Signature);
}

#[test]
fn tokens_end_and_the_old_one_lives_beside_the_new_one() {
    let mut world = World::new();
    let grant = world.grant();
    world.server.life = Duration::from_secs(100);
    let first = world.handshake(&grant, NOW).unwrap();
    world.server.life = Duration::from_secs(86_400);
    world.server.stamps_creation = true;
    let second = world.handshake(&grant, NOW).unwrap();
    assert_eq!(second.expires(), NOW + Duration::from_secs(86_400));
    let get = || Request::get("https://localhost:5000/v1/api/x").body("").unwrap();
    let call = |world: &mut World, token: &LiveSessionToken, at| {
        let signed = world.signed(&grant, token, get());
        world.server.verify(at, &signed).is_ok()
    };
    assert!(call(&mut world, &first, NOW) && call(&mut world, &second, NOW));
    let later = NOW + Duration::from_secs(100);
    assert!(!call(&mut world, &first, later) && call(&mut world, &second, later));
    world.server.end_sessions();
    assert!(!call(&mut world, &second, later));
}

#[test]
fn the_edge_refuses_what_lacks_agent_or_length() {
    let mut world = World::new();
    let entropy = world.entropy();
    let unsigned = client::request_token(&world.consumer, &world.base, NOW, &entropy).unwrap();
    for (header, status) in [("user-agent", 403), ("content-length", 411), ("authorization", 401)] {
        let mut request = unsigned.sign(&world.signature, entropy).unwrap();
        request.headers_mut().remove(header);
        assert_eq!(world.server.handle(NOW, &request).unwrap().status(), status, "{header}");
    }
    let mut request = unsigned.sign(&world.signature, entropy).unwrap();
    *request.method_mut() = Method::GET;
    assert_eq!(world.server.handle(NOW, &request).unwrap().status(), 405);
    let other = Request::post("https://localhost:5000/v1/api/tickle").body(Vec::new()).unwrap();
    assert!(world.server.handle(NOW, &other).is_none());
}
