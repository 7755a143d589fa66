//! Keys that are kept in a vault: the session asks for each signature, and for the secret once.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sansession::provider::Entropy;
use sansession::providers::ibkr::keys::{PrivateKey, PublicKey};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{Consent, OAuth2};
use sansession::sim::Mishap;
use sansession::sim::ibkr::Lever;
use sansession::sim::ibkr::oauth2::OAuth2Server;
use sansession::{
    Input, InputHandled, Machine, Need, NeedKind, Phase, SecretBytes, Seed, Session, Source,
    machine::{NeedReason, Rejection},
};

use crate::ibkr_direct::keys::institution_keys;
use crate::ibkr_direct::*;
use crate::support::world::World;

const ENTROPY: Entropy<'static> = Entropy { key: &[1; 24], epoch: 1, counter: 1 };

/// The vault: it gives no key away, only what they make.
pub struct Vault {
    signature: PrivateKey,
    encryption: PrivateKey,
}

impl Vault {
    pub fn new() -> Self {
        Self { signature: key(&client_keys().signature), encryption: key(&client_keys().encryption) }
    }

    pub fn answers(&self, need: &Need) -> Input {
        let message = need.message.as_ref().unwrap().as_bytes();
        match need.kind {
            NeedKind::Signature => {
                let signature = self.signature.sign(message.try_into().unwrap(), ENTROPY).unwrap();
                Input::Signature(SecretBytes::new(signature))
            }
            NeedKind::Decryption => {
                Input::Decrypted(SecretBytes::new(self.encryption.decrypt(message, ENTROPY).unwrap().to_vec()))
            }
            kind => panic!("{kind:?}"),
        }
    }
}

fn public(pem: &str) -> PublicKey {
    PublicKey::from_pem(pem).unwrap()
}

fn provider(issued: &Issued) -> WebApi {
    let keys = client_keys();
    let grant = Grant::new(issued.access_token.as_str(), issued.encrypted_secret.as_str()).unwrap();
    let params = DhParams::from_pem(&keys.dh_params).unwrap();
    let consumer = Consumer::new(CONSUMER).unwrap();
    let oauth = OAuth1a::remote(consumer, &grant, public(&keys.signature_public), params).unwrap();
    WebApi::new(&base(), oauth).unwrap()
}

/// A session whose keys are elsewhere, and nobody who asks there.
pub fn unanswered() -> Life {
    let (server, issued) = server(START);
    let mut sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
    sim.gateway.settings().maintenance = None;
    World::new(Session::new(provider(&issued), Options::default(), seed()), Ibkr { sim, ahead: 0 })
}

fn answered() -> (Life, Arc<Mutex<Vec<Need>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (vault, log) = (Vault::new(), asked.clone());
    let life = unanswered().answering(move |need| {
        log.lock().unwrap().push(need.clone());
        Some((vault.answers(need), Source::Store))
    });
    (life, asked)
}

/// Returns the question that is open.
#[track_caller]
fn open(life: &mut Life) -> Need {
    life.runs_for(Duration::ZERO);
    match life.machine.status().on {
        sansession::WaitingOn::Need(need) => need,
        other => panic!("{other:?}\n{}", life.transcript),
    }
}

/// Opens the secret, after which a signature is asked for.
fn decrypts(life: &mut Life, vault: &Vault) -> Need {
    let secret = open(life);
    assert_eq!(secret.kind, NeedKind::Decryption);
    answers(life, vault, &secret);
    open(life)
}

fn answers(life: &mut Life, vault: &Vault, need: &Need) {
    let used = life.machine.handle_input(life.now, need.id, vault.answers(need), Source::Store);
    assert_eq!(used, InputHandled::Used);
}

fn tokens(life: &Life) -> usize {
    life.sent.iter().filter(|sent| *sent == TOKEN).count()
}

#[test]
fn a_week_asks_for_the_secret_once_and_for_a_signature_daily() {
    let (mut life, asked) = answered();
    life.is_active();
    life.runs_for(7 * DAY);
    assert_eq!(life.machine.phase(), Phase::Active);
    let asked = asked.lock().unwrap();
    let kinds: Vec<_> = asked.iter().map(|need| (need.kind, need.because)).collect();
    assert_eq!(kinds[0], (NeedKind::Decryption, NeedReason::Opening));
    assert_eq!(kinds[1], (NeedKind::Signature, NeedReason::Opening));
    assert!(kinds[2..].iter().all(|kind| *kind == (NeedKind::Signature, NeedReason::Renewing)), "{kinds:?}");
    assert_eq!(tokens(&life), kinds.len() - 1);
    assert!((8..=9).contains(&tokens(&life)));
    // Renewals did not disturb what worked.
    assert!(life.server.statuses(Call::Tickle).iter().all(|status| *status == 200));
    assert!(!life.told.iter().any(|event| event.code() == "suspect"), "{}", life.transcript);
    // No snapshot has the secret or a digest.
    let secret =
        key(&client_keys().encryption).decrypt(asked[0].message.as_ref().unwrap().as_bytes(), ENTROPY).unwrap();
    let text = life.machine.snapshot().expose_secrets().to_owned();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!text.contains(&hex) && !text.contains("message"), "{text}");
}

#[test]
fn a_question_that_grew_old_is_put_anew() {
    let mut life = unanswered();
    let vault = Vault::new();
    let secret = open(&mut life);
    assert_eq!((secret.kind, secret.until), (NeedKind::Decryption, None));
    life.runs_for(HOUR);
    assert_eq!(open(&mut life), secret);
    answers(&mut life, &vault, &secret);
    let first = open(&mut life);
    assert_eq!((first.kind, first.until), (NeedKind::Signature, Some(life.now + Duration::from_secs(15))));
    // The vault takes its time.
    let late = vault.answers(&first);
    life.runs_for(Duration::from_secs(15));
    let second = open(&mut life);
    assert!(second.id != first.id && second.message != first.message);
    assert_eq!(life.machine.handle_input(life.now, first.id, late, Source::Store), InputHandled::Stale);
    // Nor is an answer used that comes before anybody has polled.
    life.now = life.now + Duration::from_secs(16);
    let refused = life.machine.handle_input(life.now, second.id, vault.answers(&second), Source::Store);
    assert_eq!(refused, InputHandled::Rejected(Rejection::NotFresh));
    assert!(life.sent.is_empty());
    let third = open(&mut life);
    assert_eq!(life.machine.handle_input(life.now, third.id, vault.answers(&third), Source::Store), InputHandled::Used);
    life.is_active();
    assert_eq!(tokens(&life), 1);
}

#[test]
fn the_wrong_key_is_found_out_before_anything_leaves() {
    let mut life = unanswered();
    let (vault, swapped) = (Vault::new(), Vault { signature: key(&client_keys().encryption), ..Vault::new() });
    let need = decrypts(&mut life, &vault);
    for wrong in [swapped.answers(&need), Input::Signature(SecretBytes::new([1; 256]))] {
        let answered = life.machine.handle_input(life.now, need.id, wrong, Source::Store);
        assert_eq!(answered, InputHandled::Rejected(Rejection::Malformed("signature")));
    }
    let nothing = life.machine.handle_input(life.now, need.id, Input::Signature(SecretBytes::default()), Source::Store);
    assert_eq!(nothing, InputHandled::Rejected(Rejection::Empty("signature")));
    assert!(life.sent.is_empty());
    answers(&mut life, &vault, &need);
    life.is_active();
}

#[test]
fn a_signature_leaves_once() {
    let (mut life, asked) = answered();
    life.online = false;
    life.runs_for(MINUTE);
    life.online = true;
    let trouble = Mishap::answer(503, "", "");
    life.server.sim.gateway.pull(life.now, Lever::Mishap { next: 2, path: "/live_session_token", mishap: trouble });
    life.is_active();
    // Each attempt, those that found no network included, had a signature of its own.
    let asked = asked.lock().unwrap();
    let mut messages: Vec<_> = asked.iter().filter(|need| need.kind == NeedKind::Signature).collect();
    assert!(messages.len() > 4, "{}", life.transcript);
    let count = messages.len();
    messages.dedup_by(|left, right| left.message == right.message);
    assert_eq!(messages.len(), count);
    // Two reached the server's edge, the third was served.
    assert_eq!(tokens(&life), 3);
}

#[test]
fn a_clock_that_is_put_right_asks_anew() {
    let mut life = unanswered();
    let vault = Vault::new();
    let before = decrypts(&mut life, &vault);
    life.now = life.now - HOUR;
    let after = open(&mut life);
    assert!(before.id != after.id && before.message != after.message);
}

#[test]
fn another_process_asks_anew() {
    let mut life = unanswered();
    let vault = Vault::new();
    let before = decrypts(&mut life, &vault);
    let (_, issued) = server(START);
    life.resumes(|snapshot, now| {
        Session::resume(provider(&issued), snapshot, Options::default(), None, Seed::new([9; 32]), now).unwrap()
    });
    let early = life.machine.handle_input(life.now, before.id, vault.answers(&before), Source::Store);
    assert_eq!(early, InputHandled::Rejected(Rejection::NotFresh));
    // The secret was in the memory of the first process.
    let need = decrypts(&mut life, &vault);
    answers(&mut life, &vault, &need);
    life.is_active();
}

#[test]
fn an_open_session_is_kept_alive_while_the_vault_is_away() {
    let (mut life, _) = answered();
    life.is_active();
    let mut life = life.answering(|_| None);
    life.runs_until(|life| matches!(life.machine.status().on, sansession::WaitingOn::Need(_)));
    let before = life.server.statuses(Call::Tickle).len();
    life.runs_for(30 * MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active);
    assert!(life.server.statuses(Call::Tickle).len() >= before + 29);
    let (vault, mut life) = (Vault::new(), life);
    life = life.answering(move |need| Some((vault.answers(need), Source::Store)));
    life.runs_until(|life| tokens(life) == 2);
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active);
    assert!(!life.told.iter().any(|event| event.code() == "suspect"), "{}", life.transcript);
}

#[test]
fn oauth2_asks_for_both_assertions() {
    let keys = institution_keys();
    let mut server = OAuth2Server::new([6; 32]);
    server.register("client-1", "main", &keys.signature_public, &["tester"]).unwrap();
    let settings = sim::Settings { tickle: sim::TickleBody::Full, maintenance: None, ..sim::WebApiSim::settings() };
    let client = Client::new("client-1", "main").unwrap();
    let address = IpAddr::from([127, 0, 0, 1]);
    let oauth = OAuth2::new(client, public(&keys.signature_public), "tester", address).unwrap();
    let session = Session::new(WebApi::new(&base(), oauth).unwrap(), Options::default(), seed());
    let vault = Vault { signature: key(&keys.signature), ..Vault::new() };
    let mut life = World::new(session, Ibkr { sim: sim::WebApiSim::oauth2(server, settings), ahead: 0 })
        .answering(move |need| Some((vault.answers(need), Source::Store)));
    life.is_active();
    life.runs_for(3 * DAY);
    assert_eq!(life.machine.phase(), Phase::Active);
    let count = |request: &str| life.sent.iter().filter(|sent| sent.ends_with(request)).count();
    assert!(count("/oauth2/api/v1/token") >= 3);
    assert_eq!(count("/oauth2/api/v1/token"), count("/gw/api/v1/sso-sessions"));
}

#[test]
fn consent_asks_for_both_signatures() {
    let (server, _) = server(START);
    let portal = Arc::new(Mutex::new(server));
    let (owner, vault) = (portal.clone(), Vault::new());
    struct Portal(Arc<Mutex<OAuthServer>>);
    impl Simulator for Portal {
        fn handle(&mut self, now: Timestamp, _: IpAddr, request: &http::Request<Vec<u8>>) -> Reply {
            Reply::new(self.0.lock().unwrap().handle(now, request).unwrap())
        }
    }
    let signature = public(&client_keys().signature_public);
    let consent = Consent::new(&base(), Consumer::new(CONSUMER).unwrap(), signature);
    let session = Session::new(consent, Options::default(), seed());
    let mut world = World::new(session, Portal(portal)).answering(move |need| {
        Some(match need.kind {
            NeedKind::Verifier => {
                let (_, token) = need.url.as_deref().unwrap().split_once("?oauth_token=").unwrap();
                (Input::Code(owner.lock().unwrap().consent(token).unwrap().into()), Source::Person)
            }
            _ => (vault.answers(need), Source::Store),
        })
    });
    world.is_active();
    assert_eq!(world.machine.live().unwrap().paper(), Some(true));
    assert_eq!(world.sent.len(), 2);
}

#[test]
fn what_a_vault_gives_shows_itself_nowhere() {
    let mut life = unanswered();
    let vault = Vault::new();
    let (mut given, mut shown) = (Vec::new(), String::new());
    for _ in 0..2 {
        let need = open(&mut life);
        let input = vault.answers(&need);
        shown += &format!("{need:?} {input:?} {:?} {:?}\n", life.machine, life.machine.status());
        let bytes = match &input {
            Input::Signature(bytes) | Input::Decrypted(bytes) => bytes.expose().to_vec(),
            other => panic!("{other:?}"),
        };
        given.push(bytes);
        // A wrong one first, which is distinguished from a right one without a word of it.
        let wrong = SecretBytes::new(given.iter().flatten().rev().copied().collect::<Vec<u8>>());
        let answer = match need.kind {
            NeedKind::Signature => Input::Signature(wrong),
            _ => Input::Decrypted(SecretBytes::new(Vec::new())),
        };
        let refused = life.machine.handle_input(life.now, need.id, answer, Source::Store);
        assert!(matches!(refused, InputHandled::Rejected(_)), "{refused:?}");
        shown += &format!("{refused:?}");
        assert_eq!(life.machine.handle_input(life.now, need.id, input, Source::Store), InputHandled::Used);
    }
    life.is_active();
    life.runs_for(HOUR);
    shown += &format!("{} {:?} {:?} {:?}", life.transcript, life.told, life.machine, life.machine.snapshot());
    for bytes in &given {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{:?}", &bytes[..8]);
        let base64 = BASE64_STANDARD.encode(bytes);
        for form in [&hex[..32], list.trim_matches(['[', ']']), &base64[..24]] {
            assert!(!shown.contains(form), "{form} is shown:\n{shown}");
        }
    }
    assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), [32, 256]);
}

/// The host is part of what is signed: each host of the way has a signature of its own.
#[test]
fn another_host_wants_another_signature() {
    let (mut life, asked) = answered();
    life.server.sim.gone = vec!["api.ibkr.com".into()];
    life.is_active();
    let signed =
        |asked: &Mutex<Vec<Need>>| asked.lock().unwrap().iter().filter(|need| need.kind == NeedKind::Signature).count();
    assert_eq!((signed(&asked), tokens(&life)), (2, 2), "{}", life.transcript);
    // A renewal that was asked about before the session moved goes where its text says, and is followed by another.
    let vault = Vault::new();
    let mut life = unanswered();
    for _ in 0..2 {
        let need = open(&mut life);
        assert_eq!(
            life.machine.handle_input(life.now, need.id, vault.answers(&need), Source::Store),
            InputHandled::Used
        );
    }
    life.is_active();
    life.runs_until(|life| matches!(life.machine.status().on, sansession::WaitingOn::Need(_)));
    life.server.sim.gone = vec!["api.ibkr.com".into()];
    life.checks();
    life.runs_until(|life| life.sent.last().is_some_and(|sent| sent == STATUS) && !life.awaits_answer());
    let need = open(&mut life);
    assert_eq!((need.kind, need.because), (NeedKind::Signature, NeedReason::Renewing), "{}", life.transcript);
    let before = tokens(&life);
    answers(&mut life, &vault, &need);
    life.runs_for(Duration::from_secs(10));
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    assert_eq!(tokens(&life), before + 1);
    let refused = life.server.statuses(Call::Token).iter().filter(|status| **status == 401).count();
    assert_eq!(refused, 0, "{}", life.transcript);
    let mut life = life.answering(move |need| Some((vault.answers(need), Source::Store)));
    life.runs_for(12 * HOUR);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
}
