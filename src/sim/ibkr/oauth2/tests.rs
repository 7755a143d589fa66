use super::super::oauth::tests::keys;
use super::*;
use crate::provider::Entropy;
use crate::providers::ibkr::keys::PrivateKey;
use crate::providers::ibkr::oauth1a::Refusal;
use crate::providers::ibkr::oauth2::{self as client, Bearer, SessionUser, TokenError};
use crate::{BaseUrl, Response as Answer};

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);
const PEER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
const OTHER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(203, 0, 113, 7));
const ENTROPY: Entropy<'static> = Entropy { key: &[1; 24], epoch: 1, counter: 1 };

struct World {
    server: OAuth2Server,
    client: client::Client,
    key: PrivateKey,
    root: BaseUrl,
}

impl World {
    fn new() -> Self {
        let mut server = OAuth2Server::new([6; 32]);
        server.register("TESTCLIENT", "main", &keys().signature_public, &["user1234"]).unwrap();
        Self {
            server,
            client: client::Client::new("TESTCLIENT", "main").unwrap(),
            key: PrivateKey::from_pem(keys().signature.expose()).unwrap(),
            root: BaseUrl::parse("https://localhost:5000").unwrap(),
        }
    }

    fn token(&mut self, ours: Timestamp) -> Result<Bearer, TokenError> {
        let assertion = self.client.assertion(ours).sign(&self.key, ENTROPY).unwrap();
        let request = client::token_request(&self.root, &assertion).unwrap();
        let response = self.server.handle(NOW, PEER, &request).unwrap();
        Bearer::read(Answer::from(&response), NOW)
    }

    fn session(&mut self, token: &Bearer, user: &str, ip: IpAddr) -> Result<Bearer, TokenError> {
        let user = SessionUser { ip, credential: user, service: None, alternative_ips: &[] };
        let claims = self.client.session(&user, NOW).sign(&self.key, ENTROPY).unwrap();
        let request = client::session_request(&self.root, token, &claims).unwrap();
        let response = self.server.handle(NOW, PEER, &request).unwrap();
        Bearer::read_session(Answer::from(&response), NOW)
    }
}

fn rejected<T: core::fmt::Debug>(outcome: Result<T, TokenError>, why: &str) {
    assert_eq!(outcome.unwrap_err(), TokenError::Rejected(Some(crate::machine::ServerText::new(why))));
}

#[test]
fn a_token_a_session_and_a_call() {
    let mut world = World::new();
    let token = world.token(NOW).unwrap();
    let session = world.session(&token, "user1234", PEER).unwrap();
    let call = |bearer: &Bearer| {
        let (mut parts, body) =
            Request::get("https://localhost:5000/v1/api/sso/validate").body(Vec::new()).unwrap().into_parts();
        bearer.authorize(&mut parts).unwrap();
        Request::from_parts(parts, body)
    };
    assert_eq!(world.server.verify(NOW, PEER, &call(&session)).unwrap(), "user1234");
    // The first token is for sessions only, and a session stays at its address.
    assert!(world.server.verify(NOW, PEER, &call(&token)).is_err());
    assert!(world.server.verify(NOW, OTHER, &call(&session)).is_err());
    assert!(world.server.verify(NOW + Duration::from_secs(86_400), PEER, &call(&session)).is_err());
    world.server.end_sessions();
    let refused = world.server.verify(NOW, PEER, &call(&session)).unwrap_err().answer(NOW);
    let outcome = Bearer::read(Answer::from(&refused), NOW).unwrap_err();
    assert_eq!(outcome, TokenError::Refused(Refusal::BearerExpired));
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut world = World::new();
    rejected(world.token(NOW - Duration::from_secs(60)), "time refused");
    rejected(world.token(NOW + Duration::from_secs(60)), "time refused");
    let token = world.token(NOW).unwrap();
    rejected(world.session(&token, "somebody", PEER), "credential refused");
    rejected(world.session(&token, "user1234", OTHER), "ip refused");
    let wrong = Bearer::new("abc", None).unwrap();
    let refused = world.session(&wrong, "user1234", PEER).unwrap_err();
    assert_eq!(refused, TokenError::Refused(Refusal::BearerExpired));

    world.key = PrivateKey::from_pem(keys().encryption.expose()).unwrap();
    rejected(world.token(NOW), "assertion refused");
    world.client = client::Client::new("TESTCLIENT", "other").unwrap();
    rejected(world.token(NOW), "assertion refused");
    let other = Request::post("https://localhost:5000/v1/api/tickle").body(Vec::new()).unwrap();
    assert!(world.server.handle(NOW, PEER, &other).is_none());
}
