//! What a log shows: each type's `Debug` and `Display` say what happened and nothing that is secret.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::*;
use sansession::drive::fleet::{CallError, FleetOptions, Place, Refusal, UnknownKey};
use sansession::{
    AuthorizeError, BaseUrl, CloseReason, Machine, Misuse, NeedKind, Options, Output, Phase, Response, ResumeError,
    Session, UrlError, WaitingOn,
    drive::fleet::Fleet,
    machine::{Cause, Denial, FailureKind, Rejection},
};

#[test]
fn a_request_and_its_answer_show_where_and_how_much() {
    let mut script = session().answers(credentials());
    let Output::Send(outgoing) = script.poll() else { panic!() };
    let id = outgoing.id();
    assert_eq!(format!("{id:?}"), format!("1-{:08x}-1", id.life));
    assert_eq!(
        format!("{outgoing:?}"),
        format!("Outgoing {{ id: {id:?}, method: POST, path: \"/session\", body_len: 33, .. }}")
    );
    let answer = http::Response::builder().status(201).body(info(TOKEN)).unwrap();
    assert_eq!(format!("{:?}", Response::from(&answer)), "Response { status: 201, body_len: 67, .. }");
}

#[test]
fn a_session_and_a_call_of_its_user_show_no_token() {
    let mut script = active();
    assert_eq!(
        format!("{:?}", script.machine),
        format!("Session {{ provider: \"cbrain\", phase: Active, since: {START:?}, .. }}")
    );
    let call = http::Request::builder().uri("/groups?secret=1").body(&b""[..]).unwrap();
    let (_, ticket) = script.machine.authorize_request(script.now, call).unwrap();
    assert_eq!(format!("{ticket:?}"), "Ticket { method: GET, path: \"/groups\", tier: None, .. }");
    assert_eq!(format!("{:?}", seed()), "Seed(..)");
    let entropy = sansession::provider::Entropy { key: &[7; 24], epoch: 1, counter: 3 };
    assert_eq!(format!("{entropy:?}"), "Entropy { counter: 3, .. }");
    let snapshot = script.machine.snapshot();
    assert_eq!(format!("{snapshot:?}"), format!("Snapshot({} bytes)", snapshot.expose_secrets().len()));
    let mut fleet = Fleet::new(FleetOptions::default(), seed());
    fleet.insert("norm", script.machine, Place::default()).unwrap();
    assert!(format!("{fleet:?}").starts_with("Fleet { sessions: 1, ready: "), "{fleet:?}");
}

#[test]
fn a_base_url_shows_itself_and_each_wrong_one_says_what_is_wrong() {
    assert_eq!(
        format!("{:?}", BaseUrl::parse("https://Portal.example.org/x/").unwrap()),
        "https://portal.example.org/x"
    );
    let wrong = [
        UrlError::NotAUrl,
        UrlError::Scheme,
        UrlError::Host,
        UrlError::Port,
        UrlError::UserInfo,
        UrlError::QueryOrFragment,
        UrlError::PlainHttp,
    ];
    let texts: BTreeSet<String> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), wrong.len());
    assert!(texts.iter().all(|text| text.starts_with("url: ")), "{texts:?}");
}

#[test]
fn mistakes_say_what_to_do() {
    for (rejection, code, text) in [
        (Rejection::Empty("pin"), "empty", "pin: must not be empty"),
        (Rejection::Malformed("pin"), "malformed", "pin: has a wrong length or a character that cannot be sent"),
        (Rejection::WrongKind, "wrong-kind", "the answer is of another kind than the question"),
        (Rejection::NotFresh, "not-fresh", "the answer is too old: wait for the next question or code"),
        (
            Rejection::Unattended,
            "unattended",
            "the server refused an earlier answer: a person has to give the next one",
        ),
        (
            Rejection::MaybeRefused,
            "maybe-refused",
            "an earlier answer got no clear reply and may have been refused: a person has to give the next one",
        ),
    ] {
        assert_eq!((rejection.code(), rejection.to_string().as_str()), (code, text));
    }
    let foreign = AuthorizeError::from(Misuse::ForeignHost);
    assert_eq!(foreign.to_string(), "the call goes to another origin than the session's");
    assert_eq!(Misuse::UnknownId.to_string(), "no request of that id was ever issued by this session");
    let unready = |tier| AuthorizeError::NotReady { phase: Phase::Opening, tier, until: None }.to_string();
    assert_eq!(unready(None), "the session is not ready: opening");
    assert_eq!(unready(Some("brokerage")), "the brokerage session is not ready: opening");
    let until = Some(sansession::Timestamp::from_secs(1_790_000_000));
    let boxed = AuthorizeError::NotReady { phase: Phase::Active, tier: None, until };
    let text = "the session is not ready: penalty box until Mon, 21 Sep 2026 14:13:20 GMT (too many requests)";
    assert_eq!(boxed.to_string(), text);
}

#[test]
fn what_a_fleet_or_a_resume_refuses_says_why() {
    for (error, text) in [
        (CallError::from(UnknownKey).to_string(), "there is no session of that key in the fleet"),
        (CallError::from(Misuse::ForeignHost).to_string(), "the call goes to another origin than the session's"),
        (Refusal::from(UnknownKey).to_string(), "there is no session of that key in the fleet"),
        (Refusal::Lapsed.to_string(), "the lease of the session is over"),
        (Refusal::from(AuthorizeError::Unsignable("body")).to_string(), "the call cannot be authorized: body"),
        (ResumeError::Damaged.to_string(), "the snapshot is damaged"),
        (
            ResumeError::OlderFence { found: 3, given: 2 }.to_string(),
            "the snapshot has fence 3; the fence of a resume must be higher, not 2",
        ),
    ] {
        assert_eq!(error, text);
    }
    let mut fleet = Fleet::new(FleetOptions::default(), seed());
    fleet.insert("norm", active().machine, Place::default()).unwrap();
    let taken = fleet.insert("norm", active().machine, Place::default()).unwrap_err();
    assert_eq!(taken.to_string(), "the key belongs to another session of the fleet");
    assert_eq!(format!("{taken:?}"), "KeyTaken(..)");
}

#[test]
fn what_a_driver_waits_for_has_a_name() {
    let name = |script: &mut Script<Session<_>>| match script.poll() {
        Output::Wait { on, .. } => {
            assert_eq!(on, script.machine.status().on);
            on.code()
        }
        other => panic!("{other:?}"),
    };
    let mut idle = Script::new(Session::new(cbrain(), Options::default(), seed()));
    assert_eq!(name(&mut idle), "start");
    let mut script = idle.starts();
    assert_eq!(name(&mut script), "need");
    let mut script = script.answers(credentials()).sends("POST /session");
    assert_eq!(name(&mut script), "response");
    let mut script = script.is_refused_connection();
    assert_eq!(name(&mut script), "retry");
    let mut script = script.sleeps().sends("POST /session").gets(200, &info(TOKEN));
    assert_eq!(name(&mut script), "keepalive");
    let mut script = script.checks().sends("GET /session").gets(200, &info(TOKEN)).checks();
    assert_eq!(name(&mut script), "pause");
    let mut script = script.sleeps().sends("GET /session").gets_as(429, &[("retry-after", "60")], "");
    assert_eq!(name(&mut script), "hold");
    assert_eq!(
        [WaitingOn::Renewal, WaitingOn::Expiry, WaitingOn::Nothing].map(|on| on.code()),
        ["renewal", "expiry", "nothing"]
    );
}

#[test]
fn a_reason_to_close_says_when_to_come_back() {
    use sansession::machine::Advice;
    let minute = Duration::from_secs(60);
    for (reason, advice) in [
        (CloseReason::LoggedOut { confirmed: true }, Advice::Nothing),
        (CloseReason::Denied(Denial::Refused { kind: NeedKind::Pin }), Advice::FixFirst),
        (CloseReason::Expired, Advice::LogInAgain { not_before: START }),
        (CloseReason::Rival, Advice::AskTheOwner),
        (
            CloseReason::RetriesExhausted(Cause::Failure(FailureKind::Connect)),
            Advice::LogInAgain { not_before: START + minute },
        ),
    ] {
        assert_eq!(reason.advice(START), advice, "{reason}");
    }
}

#[cfg(feature = "ibkr-oauth")]
#[test]
fn what_a_provider_refuses_has_a_name_and_a_text() {
    use sansession::providers::ibkr::keys::{KeyError, PrivateKey, PublicKey};
    use sansession::providers::ibkr::oauth1a::GrantError;
    use sansession::providers::ibkr::{BrokerageState, Refusal, Region, oauth1a};
    use sansession::providers::kotak::host;
    assert_eq!((BrokerageState::Ready.code(), Refusal::PenaltyBox.code()), ("ready", "penalty-box"));
    assert_eq!(host::Refusal::Port.code(), "host.port");
    assert_eq!(PrivateKey::from_pem("no key").unwrap_err().to_string(), "key: not a PEM file");
    assert_eq!(PublicKey::from_pem("no key").unwrap_err(), KeyError::NotPem);
    assert_eq!(GrantError::Damaged.to_string(), "the text is not a grant");
    assert!(!oauth1a::Refusal::Signature.to_string().is_empty());
    assert_eq!("mars".parse::<Region>().unwrap_err().to_string(), "region: must be new-york, zug or hong-kong");
}
