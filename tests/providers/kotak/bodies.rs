//! Every error body that is known: what each makes of a session.
//!
//! The expectation is what was told of note, then where the session came to rest.

use sansession::sim::kotak::trade_api::Shard;

use super::*;

const BEARER: &str = r#"{"fault":{"code":900901,"message":"Invalid Credentials","description":"Access failure for API: /apim/session/1.0, version: 1.0 status: (900901) - Invalid Credentials. Make sure you have provided the correct security credentials"}}"#;
const STALE: &str = r#"{"fault":{"code":50001,"description":"Onetimetoken is either expired or not correct","message":"Invalid OneTimeToken"}}"#;
const LOCKED: &str =
    r#"{"fault":{"message":"Account Locked","description":"Failure:User locked due to Bad tries","code":70009}}"#;
const OVER: &str = r#"{"fault":{"code":99999,"message":"You have been logged out. Login again","description":"Session token is either expired or not correct"}}"#;
const PLATFORM: &str = r#"{"fault":{"code":999003,"message":"You are not authorized to access this platform","description":"https://www.kotaksecurities.com/"}}"#;
const ELSEWHERE: &str = r#"{"fault":{"code":999024,"message":"Request can not be processed, please process your request through provided domain","description":"https://ctradeapi.kotaksecurities.com/"}}"#;
const QUOTA: &str = r#"{"fault":{"code":900807,"message":"Request quota reached","description":"You have surpassed the maximum number of requests for the minute, please wait until the next minute to start additional requests"}}"#;
const UNKNOWN: &str = r#"{"fault":{"code":10001,"message":"No","description":""}}"#;
const FLAT: &str =
    r#"{"code":"900901","message":"Invalid Credentials","description":"Access failure for API: /Orders/2.0 ..."}"#;
const LEGACY_KEY: &str =
    r#"{"code":900901,"type":"Status report","message":"Runtime Error","description":"Invalid Credentials"}"#;

type Case = (u16, &'static str, &'static str);

#[track_caller]
fn check(place: &str, cases: &[Case], outcome: impl Fn(&Mishap) -> String) {
    let mut wrong = String::new();
    for (status, body, expected) in cases {
        let found = outcome(&answer(*status, body));
        if found != *expected {
            wrong.push_str(&format!("{place} {status} {body}\n   is {found}\n  not {expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn at_init_of_the_trade_api() {
    let cases = [
        (401, BEARER, "refused, needs gateway-token (refused)"),
        (200, BEARER, "refused, needs gateway-token (refused)"),
        (401, FLAT, "refused, needs gateway-token (refused)"),
        (401, LEGACY_KEY, "refused, needs gateway-token (refused)"),
        (403, LOCKED, "closed denied.locked"),
        (200, LOCKED, "closed denied.locked"),
        (403, PLATFORM, "closed denied.not-entitled"),
        (400, ELSEWHERE, "needs credentials (opening)"),
        (429, QUOTA, "penalty, needs credentials (opening)"),
        (200, QUOTA, "penalty, needs credentials (opening)"),
        (400, UNKNOWN, "closed denied.rejected"),
        (401, OVER, "closed denied.rejected"),
        (500, PAGE, "needs credentials (opening)"),
        (502, PAGE, "needs credentials (opening)"),
        (503, PAGE, "needs credentials (opening)"),
        (504, PAGE, "needs credentials (opening)"),
        (503, r#"{"status":"DOWN"}"#, "needs credentials (opening)"),
        (200, r#"{"Success":{"status":"Inactive","message":"Go to the website"}}"#, "closed denied.rejected"),
        (200, r#"{"Success":{"status":"Active","encryption":{"type":"RSA"}}}"#, "closed protocol"),
    ];
    check("init", &cases, |mishap| {
        // The second host is the user's, which the first answer says or not.
        let mut world = trade_with(trade_provider(), user().on(Shard::Second), Options::default());
        needs(&mut world, NeedKind::GatewayToken, NeedReason::Opening);
        let bearer = world.server.issue_bearer(world.now);
        world.server.disturb(1, mishap);
        gives(&mut world, Input::Token(bearer.into()));
        settles(&mut world)
    });
}

#[test]
fn at_the_password_of_the_trade_api() {
    let cases = [
        (401, BEARER, "needs gateway-token (expired)"),
        (403, LOCKED, "closed denied.locked"),
        (403, PLATFORM, "closed denied.not-entitled"),
        (429, QUOTA, "penalty, needs access-code (opening)"),
        (401, UNKNOWN, "refused, needs credentials (refused)"),
        (400, UNKNOWN, "refused, needs credentials (refused)"),
        (200, UNKNOWN, "refused, needs credentials (refused)"),
        (403, UNKNOWN, "refused, needs credentials (refused)"),
        (404, UNKNOWN, "closed denied.rejected"),
        (500, UNKNOWN, "needs credentials (lost)"),
        (503, PAGE, "needs access-code (opening)"),
        (504, PAGE, "needs credentials (lost)"),
        (424, PAGE, "needs credentials (lost)"),
    ];
    check("login", &cases, |mishap| {
        let mut world = trade_asks();
        world.server.disturb(1, mishap);
        gives(&mut world, password(PASSWORD));
        settles(&mut world)
    });
}

#[test]
fn at_the_access_code_of_the_trade_api() {
    let cases = [
        (401, BEARER, "needs gateway-token (expired)"),
        (401, STALE, "needs credentials (stale)"),
        (200, STALE, "needs credentials (stale)"),
        (424, PAGE, "needs credentials (stale)"),
        (424, "", "needs credentials (stale)"),
        (424, UNKNOWN, "needs credentials (stale)"),
        (403, LOCKED, "closed denied.locked"),
        (403, PLATFORM, "closed denied.not-entitled"),
        (429, QUOTA, "penalty, active"),
        (401, UNKNOWN, "refused, needs access-code (refused)"),
        (200, UNKNOWN, "refused, needs access-code (refused)"),
        (401, OVER, "closed denied.rejected"),
        (503, PAGE, "active"),
        (504, PAGE, "may-live-on, needs access-code (lost)"),
        (500, "", "may-live-on, needs access-code (lost)"),
    ];
    check("access code", &cases, |mishap| {
        let mut world = trade_half();
        world.server.disturb(1, mishap);
        let code = access_code(&world);
        gives(&mut world, code);
        settles(&mut world)
    });
}

#[test]
fn at_the_probe_of_the_trade_api() {
    let cases = [
        (401, OVER, "expired, closed expired"),
        (200, OVER, "expired, closed expired"),
        (
            403,
            r#"{"fault":{"code":403,"message":"Invalid session, please re-login to continue"}}"#,
            "expired, closed expired",
        ),
        (401, BEARER, "needs gateway-token (expired)"),
        (401, FLAT, "needs gateway-token (expired)"),
        (403, LOCKED, "suspect, recovered, active"),
        (403, PLATFORM, "suspect, recovered, active"),
        (429, QUOTA, "penalty, suspect, recovered, active"),
        (401, UNKNOWN, "suspect, recovered, active"),
        (403, PAGE, "suspect, recovered, active"),
        (502, PAGE, "suspect, recovered, active"),
        (503, PAGE, "suspect, recovered, active"),
        (504, "", "suspect, recovered, active"),
        (200, PAGE, "suspect, recovered, active"),
        (200, "{}", "suspect, recovered, active"),
        (302, "", "suspect, recovered, active"),
    ];
    check("probe", &cases, |mishap| {
        let mut world = trade_active();
        world.server.disturb(1, mishap);
        world.checks();
        settles(&mut world)
    });
}

/// Init was silent, and a later call tells the right host: what went to the wrong one was not refused.
#[test]
fn a_late_switch_asks_for_both_answers_again() {
    let silent = || {
        let mut world = trade_with(renewing(), user().on(Shard::Second), Options::default());
        world.server.set_redirect(Some(TRADE.to_owned()));
        needs(&mut world, NeedKind::Credentials, NeedReason::Opening);
        world.server.set_redirect(None);
        world
    };
    let mut world = silent();
    world.server.disturb(1, &answer(400, ELSEWHERE));
    gives(&mut world, password(PASSWORD));
    assert_eq!(settles(&mut world), "needs credentials (stale)");

    let mut world = silent();
    gives(&mut world, password(PASSWORD));
    needs(&mut world, NeedKind::AccessCode, NeedReason::Opening);
    let code = access_code(&world);
    gives(&mut world, code);
    assert_eq!(settles(&mut world), "needs credentials (stale)");
    gives(&mut world, password(PASSWORD));
    needs(&mut world, NeedKind::AccessCode, NeedReason::Stale);
    let code = access_code(&world);
    gives(&mut world, code);
    assert_eq!(settles(&mut world), "active");
    assert_eq!(world.server.log().requests().last().unwrap().host, "ctradeapi.kotaksecurities.com");
    // Two hosts that name each other are left.
    let mut world = trade(renewing());
    world.server.disturb(1, &answer(200, r#"{"access_token":"t"}"#));
    world.server.disturb(2, &answer(400, ELSEWHERE));
    assert_eq!(settles(&mut world), "closed protocol");
    kept_at_home(world.server.log());
}

/// The right host may change while a session is open.
#[test]
fn the_probe_of_the_trade_api_follows_to_another_host() {
    let mut world = trade_active();
    world.server.disturb(1, &answer(400, ELSEWHERE));
    world.server.disturb(1, &answer(200, r#"{"success":[]}"#));
    world.checks();
    assert_eq!(settles(&mut world), "active");
    assert_eq!(world.server.log().requests().last().unwrap().host, "ctradeapi.kotaksecurities.com");
    kept_at_home(world.server.log());
}

/// What a call of the user's own gets is looked into at the most; it ends nothing.
#[test]
fn at_calls_of_the_users_own() {
    const LOOKS: bool = true;
    for (status, body, looks, told) in [
        (401, OVER, LOOKS, ""),
        (200, OVER, LOOKS, ""),
        (401, BEARER, LOOKS, ""),
        (401, FLAT, LOOKS, ""),
        (400, ELSEWHERE, LOOKS, ""),
        (403, UNKNOWN, LOOKS, ""),
        (401, PAGE, LOOKS, ""),
        (403, PLATFORM, !LOOKS, ""),
        (429, QUOTA, !LOOKS, "penalty"),
        (200, QUOTA, !LOOKS, "penalty"),
        (503, PAGE, !LOOKS, ""),
        (504, "", !LOOKS, ""),
        (404, UNKNOWN, !LOOKS, ""),
        (200, r#"{"fault":{"code":999108,"message":"Max Order Frequency Limit reached."}}"#, !LOOKS, ""),
        (200, r#"{"fault":{"code":999007,"message":"no"}}"#, !LOOKS, ""),
        (200, r#"{"fault":{"code":1000,"message":"no"}}"#, !LOOKS, ""),
        (200, r#"{"fault":{"code":999113,"message":"no"}}"#, !LOOKS, ""),
        (200, r#"{"fault":{"code":5055,"message":"no"}}"#, !LOOKS, ""),
        (200, PAGE, !LOOKS, ""),
    ] {
        let mut world = trade_active();
        let before = world.sent.len();
        world.server.disturb(1, &answer(status, body));
        world.calls(Method::GET, TRADE_CALL).unwrap();
        world.runs_for(5 * MINUTE);
        assert_eq!(world.sent.len() - before, usize::from(looks), "{status} {body}\n{}", world.transcript);
        for event in ["penalty", "ip-not-allowed"] {
            assert_eq!(was_told(&world, event), told == event, "{status} {body}");
        }
        assert_eq!((world.machine.phase(), open_need(&world.machine)), (Phase::Active, None), "{status} {body}");
    }
}

const CODE_200: &str = r#"{"stCode":401,"errMsg":"Invalid TOTP","status":"failure"}"#;
const MPIN_200: &str = r#"{"stCode":401,"errMsg":"Invalid MPIN","status":"failure"}"#;
const UCC: &str = r#"{"stCode":429,"errMsg":"Invalid UCC","status":"failure"}"#;
const NOT_OK: &str = r#"{"stat":"Not_Ok","message":"Invalid credentials"}"#;
const CODE_401: &str = r#"{"status":"error","message":"Invalid credentials or TOTP.","errorCode":"401"}"#;
const MPIN_401: &str = r#"{"status":"error","message":"Invalid MPIN.","errorCode":"401"}"#;
const NO_FIELD: &str = r#"{"error":[{"code":"400","message":"Missing required field 'Totp'"}]}"#;
const NO_HEADER: &str = r#"{"error":[{"code":"10512","message":"Required header not found."}]}"#;
const WRONG_BASE: &str =
    r#"{"error":true,"message":"Invalid URL. Please verify the 'baseUrl' in the Login Validate API response"}"#;
const RE_LOGIN: &str = r#"{"message":"Invalid session, please re-login"}"#;
const CODE_1003: &str = r#"{"stat":"Not_Ok","emsg":"Invalid session","stCode":1003}"#;
const CODE_100022: &str = r#"{"stCode":100022,"errMsg":"invalid session token","stat":"error in neo-login-check-api"}"#;
const CODE_100021: &str = r#"{"stCode":100021,"errMsg":"invalid  access type","stat":"Not_Ok"}"#;
const CODE_100008: &str = r#"{"stCode":100008,"errMsg":"unauthorized","stat":"Not_Ok"}"#;
const CODE_1037: &str = r#"{"stCode":1037,"errMsg":"session ip doesnt match with reqest ip","stat":"Not_Ok"}"#;
const INVALID: &str = r#"{"status":"error","message":"Invalid request parameters","errorCode":"422"}"#;
const FORBIDDEN: &str = r#"{"status":"error","message":"Forbidden","errorCode":"403"}"#;
const INTERNAL: &str = r#"{"status":"error","message":"Internal Server Error","errorCode":"500"}"#;
const CODE_10020: &str =
    r#"{"stat":"Not_Ok","error":[{"code":"10020","message":"Authentication Failed"}],"tid":"server3_27430"}"#;
const RATE: &str = r#"{"code":429,"error":"Rate limit exceeded","message":"too many request received"}"#;
const NO_DATA: &str = r#"{"stCode":5203,"errMsg":"No Data","desc":"data not found","stat":"Not_Ok"}"#;
const CLIENT: &str = r#"{"error":"invalid_client","error_description":"invalid_client"}"#;

#[test]
fn at_the_code_of_neo() {
    let cases = [
        (200, CODE_200, "refused, needs totp (refused)"),
        (401, CODE_401, "refused, needs totp (refused)"),
        (401, NOT_OK, "refused, needs totp (refused)"),
        (200, UCC, "closed denied.rejected"),
        (429, UCC, "closed denied.rejected"),
        (400, NO_FIELD, "closed denied.rejected"),
        (400, NO_HEADER, "closed denied.rejected"),
        (401, FLAT, "refused, needs gateway-token (refused)"),
        (401, CLIENT, "refused, needs gateway-token (refused)"),
        (429, RATE, "needs pin (opening)"),
        (424, PAGE, "needs totp (lost)"),
        (424, "", "needs totp (lost)"),
        (502, PAGE, "needs totp (lost)"),
        (504, PAGE, "needs totp (lost)"),
        (500, INTERNAL, "needs totp (lost)"),
        (500, CODE_401, "needs totp (lost)"),
        (422, INVALID, "closed denied.rejected"),
        (403, FORBIDDEN, "closed denied.rejected"),
        (403, PAGE, "closed protocol"),
        (200, CODE_100008, "closed denied.ip-not-allowed"),
        (200, CODE_1037, "closed denied.ip-not-allowed"),
    ];
    check("code", &cases, |mishap| {
        let mut world = neo_asks();
        world.server.disturb(1, mishap);
        give_code(&mut world);
        settles(&mut world)
    });
}

#[test]
fn at_the_mpin_of_neo() {
    let cases = [
        (200, MPIN_200, "refused, needs pin (refused)"),
        (401, MPIN_401, "refused, needs pin (refused)"),
        (401, NOT_OK, "refused, needs pin (refused)"),
        (400, r#"{"error":[{"code":"400","message":"Missing required field 'Mpin'"}]}"#, "closed denied.rejected"),
        (400, NO_HEADER, "closed denied.rejected"),
        (200, CODE_100022, "needs totp (stale)"),
        (200, CODE_1003, "needs totp (stale)"),
        (401, FLAT, "needs totp (stale)"),
        (403, RE_LOGIN, "needs totp (stale)"),
        (429, RATE, "active"),
        (503, PAGE, "active"),
        (424, PAGE, "may-live-on, needs pin (lost)"),
        (504, PAGE, "may-live-on, needs pin (lost)"),
        (500, INTERNAL, "may-live-on, needs pin (lost)"),
        (500, MPIN_401, "may-live-on, needs pin (lost)"),
        (422, INVALID, "closed denied.rejected"),
        (403, FORBIDDEN, "closed denied.rejected"),
        (
            200,
            r#"{"data":{"token":"a.b.c","sid":"s","kType":"View","baseUrl":"https://e43.kotaksecurities.com"}}"#,
            "may-live-on, closed protocol",
        ),
        (200, r#"{"data":{"token":"a.b.c","sid":"s","kType":"Trade"}}"#, "base-url-assumed, active"),
        (200, r#"{"data":{"token":"a.b.c","sid":"s","status":"failed"}}"#, "refused, needs pin (refused)"),
    ];
    check("mpin", &cases, |mishap| {
        let mut world = neo_half();
        world.server.disturb(1, mishap);
        gives(&mut world, Input::Pin(MPIN.into()));
        settles(&mut world)
    });
}

#[test]
fn at_the_probe_of_neo() {
    let cases = [
        (200, CODE_1003, "expired, closed expired"),
        (200, CODE_100022, "expired, closed expired"),
        (
            200,
            r#"{"data":{"stCode":100022,"errMsg":"invalid session token","stat":"Not_Ok"}}"#,
            "expired, closed expired",
        ),
        (200, CODE_100021, "expired, closed expired"),
        (200, CODE_10020, "expired, closed expired"),
        (401, FLAT, "expired, closed expired"),
        (401, NOT_OK, "expired, closed expired"),
        (403, RE_LOGIN, "expired, closed expired"),
        (200, CODE_100008, "ip-not-allowed, active"),
        (200, CODE_1037, "ip-not-allowed, active"),
        (500, INTERNAL, "suspect, recovered, active"),
        (403, WRONG_BASE, "suspect, recovered, active"),
        (429, RATE, "suspect, recovered, active"),
        (424, PAGE, "suspect, recovered, active"),
        (502, PAGE, "suspect, recovered, active"),
        (401, PAGE, "suspect, recovered, active"),
        (200, NO_DATA, "suspect, recovered, active"),
        (200, "{}", "suspect, recovered, active"),
    ];
    check("probe", &cases, |mishap| {
        let mut world = neo_active();
        world.server.disturb(1, mishap);
        world.checks();
        settles(&mut world)
    });
}

#[test]
fn at_calls_to_neo_of_the_users_own() {
    const LOOKS: bool = true;
    for (status, body, looks, told) in [
        (200, CODE_1003, LOOKS, ""),
        (200, CODE_100022, LOOKS, ""),
        (200, CODE_100021, LOOKS, ""),
        (200, CODE_10020, LOOKS, ""),
        (401, FLAT, LOOKS, ""),
        (403, RE_LOGIN, LOOKS, ""),
        (401, PAGE, LOOKS, ""),
        (200, CODE_100008, !LOOKS, "ip-not-allowed"),
        (401, CODE_100008, !LOOKS, "ip-not-allowed"),
        (200, CODE_1037, !LOOKS, "ip-not-allowed"),
        (500, INTERNAL, !LOOKS, ""),
        (403, WRONG_BASE, !LOOKS, ""),
        (429, RATE, !LOOKS, "limited"),
        (200, NO_DATA, !LOOKS, ""),
        (200, r#"{"stCode":11000,"errMsg":"No Data","stat":"Not_Ok"}"#, !LOOKS, ""),
        (400, r#"{"stat":"Not_Ok","emsg":"price is out of range","stCode":1009}"#, !LOOKS, ""),
        (424, PAGE, !LOOKS, ""),
        (503, PAGE, !LOOKS, ""),
        (200, PAGE, !LOOKS, ""),
    ] {
        let mut world = neo_active();
        let before = world.sent.len();
        world.server.disturb(1, &answer(status, body));
        world.calls(Method::GET, NEO_CALL).unwrap();
        world.runs_for(5 * MINUTE);
        assert_eq!(world.sent.len() - before, usize::from(looks), "{status} {body}\n{}", world.transcript);
        assert_eq!(was_told(&world, "penalty"), told == "penalty", "{status} {body}");
        assert_eq!((world.machine.phase(), open_need(&world.machine)), (Phase::Active, None), "{status} {body}");
    }
}
