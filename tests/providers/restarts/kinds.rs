//! Where a login has several questions: which kind is to blame, and which is right.

use sansession::providers::kotak::{Neo, TradeApi};
use sansession::{
    BaseUrl, Credentials, Input, InputHandled, NeedKind, Session, Source, Timestamp,
    machine::{NeedReason, Rejection, Totp},
};

use crate::support::*;

const BEARER: &str = r#"{"stCode":900901,"errMsg":"Invalid Credentials"}"#;
const VIEW: &str = r#"{"data":{"token":"view","sid":"1","kType":"View"}}"#;
const WRONG: &str = r#"{"stat":"Not_Ok","message":"Invalid credentials"}"#;
const LOGIN: &str = "POST /login/1.0/tradeApiLogin";

fn neo() -> Script<Session<Neo>> {
    let base = BaseUrl::parse("https://mis.kotaksecurities.com").unwrap();
    let provider = Neo::new(base, "ABC12", "0000000000").unwrap().dashboard_token("old").unwrap();
    Script::new(Session::new(provider, sansession::Options::default(), seed())).starts().by(Source::Store)
}

fn code(at: Timestamp) -> Input {
    Input::Totp(Totp::new("123456", at).unwrap())
}

/// The session after its dashboard's token was refused.
fn without_token() -> Script<Session<Neo>> {
    neo().answers(code(START)).sends(LOGIN).gets(401, BEARER).needs(NeedKind::GatewayToken, NeedReason::Refused)
}

#[test]
fn the_kind_that_was_refused_is_blamed_whichever_is_asked_for() {
    without_token().answers(Input::GiveUp).closes("denied.gateway-token");
    let asks = without_token().by(Source::Person).answers(Input::Token("new".into()));
    asks.needs(NeedKind::Totp, NeedReason::Stale).answers(Input::GiveUp).closes("denied.gateway-token");
}

#[test]
fn a_person_who_gives_another_token_lets_a_program_go_on() {
    let mut asks = without_token();
    assert_eq!(asks.need().refused, 1);
    let asks = asks.is_answered(Input::Token("new".into()), InputHandled::Rejected(Rejection::Unattended));
    let mut asks = asks.by(Source::Person).answers(Input::Token("new".into())).by(Source::Store);
    asks.now = asks.need().fresh_after.unwrap();
    let now = asks.now;
    let mut half = asks.answers(code(now)).sends_next().0.gets(200, VIEW);
    let need = half.need();
    assert_eq!((need.kind, need.refused), (NeedKind::Pin, 0), "the token is right, and so is the code");
    half.answers(Input::GiveUp).closes("denied.unanswered");
}

/// A wrong code shows that the token is right.
#[test]
fn what_a_refusal_proves_is_set_back_too() {
    let asks = without_token().by(Source::Person).answers(Input::Token("new".into()));
    let mut asks = asks.passes(Totp::STEP);
    let now = asks.now;
    assert_eq!(asks.need().refused, 1);
    asks = asks.answers(code(now)).sends_next().0.gets(401, WRONG);
    assert_eq!(asks.need().refused, 1, "the code, and no more the token");
    asks.answers(Input::GiveUp).closes("denied.totp");
}

#[test]
fn a_password_that_is_right_after_all_lets_a_program_give_the_code() {
    let base = BaseUrl::parse("https://tradeapi.kotaksecurities.com/apim").unwrap();
    let provider = TradeApi::new(base, "USER1", "key").unwrap();
    let password = |text: &str| Input::Credentials(Credentials::new("USER1", text).unwrap());
    let mut script = Script::new(Session::new(provider, sansession::Options::default(), seed())).starts();
    let login = "POST /apim/session/1.0/session/login/userid";
    script = script.answers(Input::Token("bearer".into())).sends("GET /apim/session/1.0/session/init");
    script = script.gets(200, r#"{"Success":{"status":"Success","userType":"G","encryption":{"type":"PLAIN"}}}"#);
    script = script.answers(password("wrong")).sends(login).gets(401, r#"{"fault":{"code":401,"message":"wrong"}}"#);
    script = script.needs(NeedKind::Credentials, NeedReason::Refused).answers(password("right")).sends_next().0;
    script = script.gets(200, r#"{"Success":{"oneTimeToken":"BE45003A04F44B57926EF852978BC53A"}}"#);
    assert_eq!(script.need().refused, 0);
    script
        .needs(NeedKind::AccessCode, NeedReason::Opening)
        .by(Source::Store)
        .answers(Input::Code("1234".into()))
        .sends("POST /apim/session/1.0/session/2FA/accesscode");
}
