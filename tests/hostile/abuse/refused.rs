//! What no header can carry is refused where it comes in, under the name of its field, and never as a request that fails.

use sansession::provider::{Adopts, Provider};
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::direct::{OAuth2Error, WebApiToken};
use sansession::providers::ibkr::oauth1a::{Consumer, Grant, GrantError, SignError};
use sansession::providers::ibkr::oauth2::{Bearer, Client};
use sansession::providers::ibkr::{OAuth2, WebApi};
use sansession::providers::kotak::neo::NeoTokens;
use sansession::providers::kotak::trade_api::TradeTokens;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::{Options, ResumeError, Secret, Session, Snapshot, machine::Rejection};

use crate::abuse::direct;
use crate::abuse::world::{START, url};

/// With each of them a header would end, have another value, or be refused by whoever writes it.
pub const UNSENDABLE: [&str; 9] =
    ["two words", " before", "after ", "line\nbreak", "line\r\nbreak", "nul\0", "tab\there", "del\u{7f}", "t\u{f6}ken"];

/// Checks a field with each text, and with nothing and with too much.
#[track_caller]
pub fn is_refused<E: std::fmt::Debug + PartialEq>(
    field: &str,
    take: impl Fn(&str) -> Result<(), E>,
    empty: &E,
    malformed: &E,
) {
    assert_eq!(take("fine-1"), Ok(()), "{field}");
    assert_eq!(take("").unwrap_err(), *empty, "{field}");
    for text in UNSENDABLE.into_iter().chain([&*"x".repeat((16 << 10) + 1)]) {
        assert_eq!(take(text).unwrap_err(), *malformed, "{field}: {:?}", &text[..text.len().min(20)]);
    }
}

/// Checks a token that another program or a snapshot brings.
#[track_caller]
pub fn is_refused_as_a_token<P: Adopts + Send>(
    field: &'static str,
    make: impl Fn() -> P,
    tokens: impl Fn(Secret) -> P::Tokens,
) {
    let adopt = |text: &str| Session::adopt(make(), tokens(text.into()), Options::default(), [7; 32]);
    is_refused(field, |text| adopt(text).map(drop), &Rejection::Empty(field), &Rejection::Malformed(field));
    let snapshot = sansession::Machine::snapshot(&adopt("fine-1").unwrap());
    assert!(snapshot.expose_secrets().contains("\"fine-1\""), "{field}");
    for text in UNSENDABLE {
        let edited = snapshot.expose_secrets().replace("\"fine-1\"", &serde_json::to_string(text).unwrap());
        assert!(is_not_admitted(make(), &Snapshot::from_text(edited)), "{field}: {text:?}");
    }
}

fn is_not_admitted<P: Provider>(provider: P, snapshot: &Snapshot) -> bool {
    let resumed = Session::resume(provider, snapshot, Options::default(), None, [8; 32], START);
    matches!(resumed.map(drop), Err(ResumeError::NotAdmitted(what)) if what.contains("header"))
}

#[test]
fn cbrain_takes_no_token_that_cannot_be_sent() {
    is_refused_as_a_token("token", || Cbrain::new(url("https://portal.example.org")).unwrap(), |token| token);
}

#[test]
fn kotak_takes_no_key_token_or_id_that_cannot_be_sent() {
    let base = || url("https://tradeapi.kotaksecurities.com/apim");
    let trade = || TradeApi::new(base(), "USER1", "key").unwrap();
    let neo = || Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap();
    let refused = |field: &'static str, take: &dyn Fn(&str) -> Result<(), Rejection>| {
        is_refused(field, take, &Rejection::Empty(field), &Rejection::Malformed(field));
    };
    refused("userid", &|text| TradeApi::new(base(), text, "key").map(drop));
    refused("consumer key", &|text| TradeApi::new(base(), "USER1", text).map(drop));
    refused("consumer secret", &|text| trade().consumer_secret(text).map(drop));
    refused("dashboard token", &|text| neo().dashboard_token(text).map(drop));
    // A name may have spaces within.
    for (field, take) in [("ip", TradeApi::ip as fn(TradeApi, &'static str) -> _), ("app id", TradeApi::app_id)] {
        assert!(take(trade(), "my program 1").is_ok());
        assert_eq!(take(trade(), "").unwrap_err(), Rejection::Empty(field));
        for text in UNSENDABLE.into_iter().filter(|text| *text != "two words") {
            assert_eq!(take(trade(), text).unwrap_err(), Rejection::Malformed(field), "{text:?}");
        }
    }
    let with = |session_token| TradeTokens { bearer: "b".into(), session_token };
    is_refused_as_a_token("session token", trade, with);
    is_refused_as_a_token("bearer", trade, |bearer| TradeTokens { bearer, session_token: "s".into() });
    let base = || url("https://e43.kotaksecurities.com");
    is_refused_as_a_token("token", neo, |token| NeoTokens { token, sid: "s".into(), base: base() });
    is_refused_as_a_token("sid", neo, |sid| NeoTokens { token: "t".into(), sid, base: base() });
}

#[test]
fn ibkr_takes_no_key_token_or_id_that_cannot_be_sent() {
    let sign = |what| SignError::Malformed(what);
    let same = |field: &'static str, take: &dyn Fn(&str) -> Result<(), SignError>| {
        is_refused(field, take, &sign(field), &sign(field));
    };
    same("consumer key", &|text| Consumer::new(text).map(drop));
    same("realm", &|text| Consumer::with_realm("TESTCONS", text).map(drop));
    same("client id", &|text| Client::new(text, "k").map(drop));
    same("key id", &|text| Client::new("c", text).map(drop));
    same("bearer token", &|text| Bearer::new(text, None).map(drop));
    let wrong = GrantError::Malformed("access token");
    is_refused("access token", |text| Grant::new(text, "c2VjcmV0").map(drop), &wrong, &wrong);
    let user = |text: &str| OAuth2::new(Client::new("c", "k").unwrap(), direct::long_key(), text, direct::IP).map(drop);
    is_refused("user", user, &OAuth2Error::User, &OAuth2Error::User);
}

#[test]
fn no_bearer_of_an_edited_snapshot_is_sent() {
    let make = || {
        let oauth = OAuth2::new(Client::new("c", "k").unwrap(), direct::long_key(), "u", direct::IP).unwrap();
        WebApi::new(&url("https://api.ibkr.com/v1/api"), oauth).unwrap()
    };
    let token = WebApiToken::Bearer(Bearer::new("fine-1", None).unwrap());
    let session = Session::adopt(make(), token, Options::default(), [7; 32]).unwrap();
    let snapshot = sansession::Machine::snapshot(&session);
    for text in UNSENDABLE {
        let edited = snapshot.expose_secrets().replace("\"fine-1\"", &serde_json::to_string(text).unwrap());
        assert!(is_not_admitted(make(), &Snapshot::from_text(edited)), "{text:?}");
    }
}
