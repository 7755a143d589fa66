//! Programs unwrap: what a panic then says is the error's `Debug`, and must hold none of what was refused.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::keys::{PrivateKey, PublicKey};
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant, LiveSessionToken};
use sansession::providers::ibkr::oauth2::Bearer;
use sansession::providers::kotak::neo::NeoTokens;
use sansession::providers::kotak::{Neo, TradeApi, trade_api::TradeTokens};
use sansession::{BaseUrl, Credentials, Options, Secret, Session, Snapshot, Timestamp, machine::Totp};

const MARK: &str = "planted-4711";

/// Unwraps, and gives what the panic says.
#[track_caller]
fn said<T, E: Debug>(outcome: Result<T, E>) -> String {
    let caught = catch_unwind(AssertUnwindSafe(move || drop(outcome.unwrap())));
    let payload: Box<dyn Any + Send> = caught.expect_err("what is wrong was taken");
    payload.downcast_ref::<String>().expect("a panic with a text").clone()
}

#[test]
fn no_panic_of_a_program_that_unwraps_quotes_a_secret() {
    let url = |text: &str| BaseUrl::parse(text).unwrap();
    let portal = || Cbrain::new(url("https://portal.example.org")).unwrap();
    let neo = || Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap();
    let trade = || TradeApi::new(url("https://tradeapi.kotaksecurities.com/apim"), "USER1", "key").unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----\n");
    let broken = format!("{MARK}\n{MARK}");
    let resumed = |text: String| {
        let snapshot = Snapshot::from_text(text);
        Session::resume(portal(), &snapshot, Options::default(), None, [7; 32], Timestamp::from_secs(0))
    };
    let all = [
        said(BaseUrl::parse(&format!("https://norm:{MARK}@portal.example.org"))),
        said(BaseUrl::parse(&format!("https://{MARK} {MARK}"))),
        said(Credentials::new("", broken.as_str())),
        said(Totp::new(MARK, Timestamp::from_secs(0))),
        said(sansession::totp::code(&Secret::from(MARK), Timestamp::from_secs(0))),
        said(Session::adopt(portal(), Secret::from(&*broken), Options::default(), [7; 32])),
        said(Session::adopt(
            trade(),
            TradeTokens { bearer: "".into(), session_token: MARK.into() },
            Options::default(),
            [7; 32],
        )),
        said(Session::adopt(
            neo(),
            NeoTokens { token: broken.as_str().into(), sid: MARK.into(), base: url("https://e43.kotaksecurities.com") },
            Options::default(),
            [7; 32],
        )),
        said(PrivateKey::from_pem(&pem)),
        said(PublicKey::from_pem(&pem)),
        said(DhParams::from_pem(&pem)),
        said(DhParams::from_hex(MARK, "2")),
        said(Consumer::new(broken.as_str())),
        said(Grant::new("token", broken.as_str())),
        said(LiveSessionToken::from_base64(MARK, Timestamp::from_secs(0))),
        said(Bearer::new(broken.as_str(), None)),
        said(resumed(MARK.to_owned())),
        said(resumed(format!(r#"{{"format":1,"provider":"cbrain","session":{{"state":{{"token":"{MARK}"}}"#))),
        said(resumed(format!(
            r#"{{"format":1,"provider":"cbrain","server":"https://portal.example.org","session":{{"state":"{MARK}"}}}}"#
        ))),
    ];
    for text in &all {
        assert!(!text.contains(MARK), "a secret is shown: {text}");
        assert!(text.len() > 20, "nothing is said: {text}");
    }
}
