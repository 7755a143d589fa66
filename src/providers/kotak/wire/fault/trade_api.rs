//! Faults of the Trade API.

use http::StatusCode;

use super::body::Body;
use super::{At, Class, Fault, by_gateway_code, by_status, counting_status};
use crate::machine::exchange::Response;

/// Returns the fault in a response of the Trade API; `None` where there is none.
///
/// Look for the token first: a response that has it is a success, whatever else is in it.
pub fn find(at: At, response: Response<'_>) -> Option<Fault<'_>> {
    let Some(body) = Body::read(response.body) else {
        // 424 is known from the second factor, for an expired one-time token; no body of it is public.
        let class = match response.status {
            StatusCode::FAILED_DEPENDENCY if at == At::SecondFactor => Class::OneTimeTokenStale,
            StatusCode::FAILED_DEPENDENCY => Class::Unavailable,
            _ => by_status(response).unwrap_or(Class::Malformed),
        };
        return Some(Fault::silent(class));
    };
    if response.status.is_success() && !body.failed && body.number().is_none() {
        return None;
    }
    let class = by_code(&body).or_else(|| by_words(at, &body)).unwrap_or_else(|| by_place(at, &body, response));
    Some(body.into_fault(class))
}

fn by_code<'a>(body: &Body<'a>) -> Option<Class<'a>> {
    Some(match body.number()? {
        // Expired and wrong one-time tokens have the same code.
        50_001 => Class::OneTimeTokenStale,
        // Init reports it too, so no further password is needed to find out.
        70_009 => Class::Locked,
        99_999 => Class::SessionExpired,
        999_003 => Class::NotEntitled,
        // The description is the right host.
        999_024 => Class::WrongHost(body.description.clone()),
        code => return by_gateway_code(code),
    })
}

fn by_words(at: At, body: &Body<'_>) -> Option<Class<'static>> {
    if body.says(&["account locked", "user locked"]) {
        return Some(Class::Locked);
    }
    if body.says(&["onetimetoken", "one time token"]) {
        return Some(Class::OneTimeTokenStale);
    }
    // The reports' documents use these words for 403.
    let over = body.says(&["invalid session", "session token is either", "you have been logged out", "re-login"]);
    (over && at == At::Session).then_some(Class::SessionExpired)
}

/// The bodies of a wrong password and a wrong access code are not public. Any refusal of those steps is
/// treated as one, since a second try could lock the account.
fn by_place(at: At, body: &Body<'_>, response: Response<'_>) -> Class<'static> {
    match (at, response.status) {
        // Server failures are also sent with status 200.
        _ if counting_status(body.number(), response).is_server_error() => Class::Unavailable,
        (At::SecondFactor, StatusCode::FAILED_DEPENDENCY) => Class::OneTimeTokenStale,
        (_, StatusCode::TOO_MANY_REQUESTS) => Class::Quota,
        (_, StatusCode::REQUEST_TIMEOUT | StatusCode::FAILED_DEPENDENCY) => Class::Unavailable,
        (_, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => Class::Rejected,
        (At::Gateway | At::FirstFactor, _) => Class::CredentialsRejected,
        (At::SecondFactor, _) => Class::SecondFactorRejected,
        (At::Init, StatusCode::UNAUTHORIZED) => Class::BearerInvalid,
        (At::Init | At::Session, _) => Class::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: &str = r#"{"fault":{"code":900901,"message":"Invalid Credentials","description":"Access failure for API: /apim/session/1.0, version: 1.0 status: (900901) - Invalid Credentials. Make sure you have provided the correct security credentials"}}"#;
    const STALE: &str = r#"{"fault":{"code":50001,"description":"Onetimetoken is either expired or not correct","message":"Invalid OneTimeToken"}}"#;
    const LOCKED: &str =
        r#"{"fault":{"message":"Account Locked","description":"Failure:User locked due to Bad tries","code":70009}}"#;
    const OVER: &str = r#"{"fault":{"code":99999,"message":"You have been logged out. Login again","description":"Session token is either expired or not correct"}}"#;
    const NOT_ENTITLED: &str = r#"{"fault":{"code":999003,"message":"You are not authorized to access this platform","description":"https://www.kotaksecurities.com/"}}"#;
    const WRONG_HOST: &str = r#"{"fault":{"code":999024,"message":"Request can not be processed, please process your request through provided domain","description":"https://ctradeapi.kotaksecurities.com/"}}"#;
    const QUOTA: &str = r#"{"fault":{"code":900807,"message":"Request quota reached","description":"You have surpassed the maximum number of requests for the minute, please wait until the next minute to start additional requests"}}"#;

    fn class(at: At, status: u16, body: &str) -> String {
        let response = http::Response::builder().status(status).body(body).unwrap();
        find(at, Response::from(&response)).map_or("none".into(), |fault| fault.class.code().replacen("kotak.", "", 1))
    }

    /// Writes the code as a text.
    fn quoted(body: &str) -> String {
        let (before, after) = body.split_once("\"code\":").unwrap();
        let end = after.find(|character: char| !character.is_ascii_digit()).unwrap();
        format!("{before}\"code\":\"{}\"{}", &after[..end], &after[end..])
    }

    #[test]
    fn every_known_fault_has_its_class_at_any_status() {
        for status in [200, 400, 401, 403, 429, 500] {
            for at in [At::Init, At::FirstFactor, At::SecondFactor, At::Session] {
                for (body, expected) in [
                    (GATEWAY, "bearer-invalid"),
                    (STALE, "one-time-token-stale"),
                    (LOCKED, "locked"),
                    (OVER, "session-expired"),
                    (NOT_ENTITLED, "not-entitled"),
                    (WRONG_HOST, "wrong-host"),
                    (QUOTA, "quota"),
                ] {
                    assert_eq!(class(at, status, body), expected, "{at:?} {status} {body}");
                    assert_eq!(class(at, status, &quoted(body)), expected, "a code as text");
                }
            }
        }
    }

    #[test]
    fn the_wrong_host_names_the_right_one() {
        let response = http::Response::new(WRONG_HOST);
        let fault = find(At::SecondFactor, Response::from(&response)).unwrap();
        assert_eq!(fault.class, Class::WrongHost(Some("https://ctradeapi.kotaksecurities.com/".into())));
        assert_eq!(fault.code.as_deref(), Some("999024"));
    }

    #[test]
    fn the_flat_form_of_the_gateway_is_read() {
        let flat = r#"{"code":"900901","message":"Invalid Credentials","description":"Access failure for API: /Orders/2.0 ..."}"#;
        assert_eq!(class(At::Session, 401, flat), "bearer-invalid");
        assert_eq!(class(At::Session, 200, flat), "bearer-invalid");
        let typed =
            r#"{"code":900901,"type":"Status report","message":"Runtime Error","description":"Invalid Credentials"}"#;
        assert_eq!(class(At::Init, 401, typed), "bearer-invalid");
    }

    #[test]
    fn an_unknown_refusal_is_understood_by_its_place() {
        let unknown = r#"{"fault":{"code":10001,"message":"something is wrong","description":""}}"#;
        for (at, status, expected) in [
            (At::Gateway, 401, "credentials-rejected"),
            (At::Init, 401, "bearer-invalid"),
            (At::Init, 400, "rejected"),
            (At::FirstFactor, 200, "credentials-rejected"),
            (At::FirstFactor, 400, "credentials-rejected"),
            (At::FirstFactor, 401, "credentials-rejected"),
            (At::FirstFactor, 500, "unavailable"),
            (At::SecondFactor, 500, "unavailable"),
            (At::SecondFactor, 502, "unavailable"),
            (At::FirstFactor, 404, "rejected"),
            (At::SecondFactor, 401, "second-factor-rejected"),
            (At::SecondFactor, 424, "one-time-token-stale"),
            (At::SecondFactor, 429, "quota"),
            (At::Session, 401, "rejected"),
            (At::Session, 424, "unavailable"),
        ] {
            assert_eq!(class(at, status, unknown), expected, "{at:?} {status}");
        }
        let forbidden = r#"{"fault":{"code":403,"message":"Invalid session, please re-login to continue"}}"#;
        assert_eq!(class(At::Session, 403, forbidden), "session-expired");
    }

    #[test]
    fn trouble_inside_200_judges_no_password() {
        for at in [At::FirstFactor, At::SecondFactor] {
            for body in [
                r#"{"fault":{"code":503,"message":"down","description":""}}"#,
                r#"{"fault":{"code":"500","message":"internal"}}"#,
            ] {
                assert_eq!(class(at, 200, body), "unavailable", "{at:?} {body}");
            }
            assert_eq!(class(at, 500, r#"{"fault":{"code":401,"message":"?"}}"#), "unavailable", "{at:?}");
        }
    }

    #[test]
    fn the_cause_stands_in_the_description() {
        let words = |body: &'static str| {
            let response = http::Response::builder().status(401).body(body).unwrap();
            find(At::Init, Response::from(&response)).unwrap().words()
        };
        for (body, said) in [
            (
                r#"{"fault":{"code":900901,"type":"Status report","message":"Runtime Error","description":"Sandbox key offered to the API with no sandbox endpoint"}}"#,
                Some("Runtime Error (900901): Sandbox key offered to the API with no sandbox endpoint"),
            ),
            (r#"{"code":"900901","description":"Invalid JWT token"}"#, Some("Invalid JWT token (900901)")),
            (r#"{"error":"invalid_client","error_description":"invalid_client"}"#, Some("invalid_client")),
            (r#"{"error":"invalid_grant","error_description":"no such app"}"#, Some("invalid_grant: no such app")),
            (
                r#"{"error":[{"code":"7","message":"Bad","description":"a field is missing"}]}"#,
                Some("Bad (7): a field is missing"),
            ),
            (r#"{"fault":{"code":10001,"message":"","description":" "}}"#, Some("code 10001")),
            (r#"{"fault":{"code":0,"message":"","description":""}}"#, None),
            (r#"{"fault":{}}"#, None),
        ] {
            assert_eq!(words(body).as_deref(), said, "{body}");
        }
    }

    #[test]
    fn a_refused_application_is_refused_credentials() {
        let body = r#"{"error":"invalid_client","error_description":"invalid_client"}"#;
        assert_eq!(class(At::Gateway, 401, body), "credentials-rejected");
        assert_eq!(class(At::Gateway, 503, body), "unavailable");
    }

    #[test]
    fn faults_of_orders_inside_200_say_nothing_of_the_session() {
        for code in [999_108, 999_007, 1000, 999_113, 5055] {
            let body = format!(
                r#"{{"fault":{{"code":{code},"message":"Max Order Frequency Limit reached.","description":""}}}}"#
            );
            assert_eq!(class(At::Session, 200, &body), "rejected", "{code}");
        }
    }

    #[test]
    fn what_is_no_fault_is_none() {
        for body in
            [r#"{"success":[{"status":"OPN","message":""}]}"#, r#"{"Success":{"message":"Logout Successful."}}"#, "{}"]
        {
            assert_eq!(class(At::Session, 200, body), "none", "{body}");
        }
    }

    #[test]
    fn pages_and_rubble_prove_nothing() {
        for (status, body, expected) in [
            (200, "", "malformed"),
            (200, "<html>welcome</html>", "malformed"),
            (200, "{\"fault\":{\"code\":7", "malformed"),
            (200, "[]", "malformed"),
            (302, "", "malformed"),
            (401, "<html>proxy</html>", "malformed"),
            (403, "", "malformed"),
            (404, "not found", "malformed"),
            (408, "", "unavailable"),
            (424, "<html>dependency</html>", "unavailable"),
            (429, "slow down", "quota"),
            (500, "", "unavailable"),
            (502, "<html>bad gateway</html>", "unavailable"),
            (503, "<html>down</html>", "unavailable"),
            (504, "\u{0}", "unavailable"),
        ] {
            assert_eq!(class(At::FirstFactor, status, body), expected, "{status} {body}");
        }
        assert_eq!(class(At::SecondFactor, 424, ""), "one-time-token-stale");
        assert_eq!(class(At::Session, 200, r#"{"fault":"yes"}"#), "none");
        assert_eq!(class(At::Session, 200, r#"{"fault":{}}"#), "rejected");
        assert_eq!(class(At::FirstFactor, 401, &format!("{{\"x\":\"{}", "y".repeat(2_000_000))), "malformed");
    }
}
