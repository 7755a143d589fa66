//! Faults of Neo.

use http::StatusCode;

use super::body::Body;
use super::{At, Class, Fault, by_gateway_code, by_status, counting_status};
use crate::machine::exchange::Response;

/// Returns the fault in a response of Neo; `None` where there is none.
///
/// Look for the proof of success first: errors come with status 200, and so does "no data".
pub fn find(at: At, response: Response<'_>) -> Option<Fault<'_>> {
    let Some(body) = Body::read(response.body) else {
        let class = match response.status {
            StatusCode::FAILED_DEPENDENCY => Class::Unavailable,
            _ => by_status(response).unwrap_or(Class::Malformed),
        };
        return Some(Fault::silent(class));
    };
    let number = body.number();
    // 200 and 1000 mean success, 5203 and 11000 an empty list.
    let fine = matches!(number, None | Some(200 | 1000)) && !body.failed;
    if response.status.is_success() && (fine || matches!(number, Some(5203 | 11_000))) {
        return None;
    }
    let status = counting_status(number, response);
    let class = by_code(at, number)
        .or_else(|| by_words(at, &body, status))
        .unwrap_or_else(|| by_place(at, status, response.status));
    Some(body.into_fault(class))
}

fn by_code(at: At, code: Option<u64>) -> Option<Class<'static>> {
    Some(match code? {
        // The view token, the trade token or its id is unknown; a view token in place of a trade token;
        // an order without a session. Users log in again after 1003 and 900901, too.
        100_022 | 100_021 | 10_020 | 1003 | 900_900..=900_905 => match at {
            At::Gateway | At::Init | At::FirstFactor => Class::BearerInvalid,
            At::SecondFactor => Class::OneTimeTokenStale,
            At::Session => Class::SessionExpired,
        },
        // Orders are bound to listed addresses, and to the address that opened the session; reports still
        // work, so the session lives.
        100_008 | 1037 => Class::IpNotAllowed,
        // A header or a field is missing.
        10_512 | 10_300 => Class::Rejected,
        code => return by_gateway_code(code),
    })
}

fn by_words(at: At, body: &Body<'_>, status: StatusCode) -> Option<Class<'static>> {
    if body.says(&["account locked", "user locked", "account is locked", "account blocked", "user blocked"]) {
        return Some(Class::Locked);
    }
    if body.says(&["baseurl"]) {
        return Some(Class::WrongHost(None));
    }
    if body.says(&["missing required field", "required header"]) {
        return Some(Class::Rejected);
    }
    if body.says(&["rate limit", "too many request", "quota"]) {
        return Some(Class::Quota);
    }
    if body.says(&["invalid session", "session expired", "re-login"]) {
        return Some(match at {
            At::SecondFactor => Class::OneTimeTokenStale,
            At::Session => Class::SessionExpired,
            At::Gateway | At::Init | At::FirstFactor => Class::Rejected,
        });
    }
    match at {
        At::FirstFactor | At::SecondFactor if judges_nothing(status) => None,
        At::SecondFactor if body.says(&["mpin"]) => Some(Class::SecondFactorRejected),
        At::FirstFactor if body.says(&["totp", "ucc", "invalid credentials", "mobile"]) => {
            Some(Class::CredentialsRejected)
        }
        // `{"stat":"Not_Ok","message":"Invalid credentials"}`: only the session can be meant.
        At::Session if status == StatusCode::UNAUTHORIZED && body.says(&["invalid credentials"]) => {
            Some(Class::SessionExpired)
        }
        At::FirstFactor if body.says(&["invalid_client"]) => Some(Class::BearerInvalid),
        _ => None,
    }
}

/// Reports whether a login step with this status checked neither a code nor an MPIN, whatever its text says: in the
/// vendor's documents 422 is an unreadable request and 403 a forbidden one.
fn judges_nothing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::FORBIDDEN)
}

fn by_place(at: At, status: StatusCode, http: StatusCode) -> Class<'static> {
    match (at, status) {
        (_, StatusCode::REQUEST_TIMEOUT | StatusCode::FAILED_DEPENDENCY) => Class::Unavailable,
        (_, status) if status.is_server_error() => Class::Unavailable,
        (_, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => Class::Rejected,
        (At::Gateway, _) => Class::CredentialsRejected,
        // 429 in a body is a rate limit only if the HTTP status is 429, too.
        (_, StatusCode::TOO_MANY_REQUESTS) if http == StatusCode::TOO_MANY_REQUESTS => Class::Quota,
        (At::FirstFactor | At::SecondFactor, status) if judges_nothing(status) => Class::Rejected,
        (At::FirstFactor, _) => Class::CredentialsRejected,
        (At::SecondFactor, _) => Class::SecondFactorRejected,
        (_, StatusCode::TOO_MANY_REQUESTS) => Class::Quota,
        (At::Init | At::Session, _) => Class::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(at: At, status: u16, body: &str) -> String {
        let response = http::Response::builder().status(status).body(body).unwrap();
        find(at, Response::from(&response)).map_or("none".into(), |fault| fault.class.code().replacen("kotak.", "", 1))
    }

    #[test]
    fn the_first_step_is_refused_in_many_shapes() {
        for (status, body, expected) in [
            (200, r#"{"stCode":429,"errMsg":"Invalid UCC","status":"failure"}"#, "credentials-rejected"),
            (200, r#"{"stCode":"429","errMsg":"Invalid UCC","status":"failure"}"#, "credentials-rejected"),
            (200, r#"{"stCode":429,"errMsg":"something else","status":"failure"}"#, "credentials-rejected"),
            (401, r#"{"stat":"Not_Ok","message":"Invalid credentials"}"#, "credentials-rejected"),
            (
                401,
                r#"{"status":"error","message":"Invalid credentials or TOTP.","errorCode":"401"}"#,
                "credentials-rejected",
            ),
            (400, r#"{"error":[{"code":"400","message":"Missing required field 'MobileNumber'"}]}"#, "rejected"),
            (400, r#"{"error":[{"code":"400","message":"Missing required field 'Totp'"}]}"#, "rejected"),
            (
                401,
                r#"{"code":"900901","message":"Invalid Credentials","description":"Access failure"}"#,
                "bearer-invalid",
            ),
            (401, r#"{"error":"invalid_client","error_description":"invalid_client"}"#, "bearer-invalid"),
            (424, r#"{"message":"dependency error"}"#, "unavailable"),
            (200, r#"{"data":{"Code":502,"Message":"Error occurred to initialise the session"}}"#, "unavailable"),
            (200, r#"{"data":{"Code":504,"Message":"Error occurred to initialise the session"}}"#, "unavailable"),
            (200, r#"{"error":[{"code":"10300","message":"Validation Errors..."}]}"#, "rejected"),
        ] {
            assert_eq!(class(At::FirstFactor, status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_was_not_let_in_judges_no_code_and_no_mpin() {
        for at in [At::FirstFactor, At::SecondFactor] {
            for (status, body, expected) in [
                (422, r#"{"status":"error","message":"Invalid request parameters","errorCode":"422"}"#, "rejected"),
                (422, r#"{"message":"mpin must have six digits, totp too"}"#, "rejected"),
                (200, r#"{"stCode":422,"errMsg":"Invalid request parameters","status":"failure"}"#, "rejected"),
                (403, r#"{"message":"Forbidden"}"#, "rejected"),
                (403, r#"{"status":"error","message":"Forbidden","errorCode":"403"}"#, "rejected"),
                (
                    500,
                    r#"{"status":"error","message":"Could not check the TOTP or MPIN","errorCode":"500"}"#,
                    "unavailable",
                ),
                (500, r#"{"message":"Invalid MPIN or TOTP","errorCode":"401"}"#, "unavailable"),
                (200, r#"{"stCode":502,"errMsg":"mpin service","status":"failure"}"#, "unavailable"),
                (403, "<html>", "malformed"),
                (422, "", "malformed"),
                (403, r#"{"message":"account locked"}"#, "locked"),
            ] {
                assert_eq!(class(at, status, body), expected, "{at:?} {status} {body}");
            }
        }
        assert_eq!(
            class(At::SecondFactor, 403, r#"{"message":"Invalid session, please re-login"}"#),
            "one-time-token-stale"
        );
    }

    #[test]
    fn the_second_step_is_refused_in_many_shapes() {
        for (status, body, expected) in [
            (200, r#"{"stCode":401,"errMsg":"Invalid MPIN","status":"failure"}"#, "second-factor-rejected"),
            (401, r#"{"status":"error","message":"Invalid MPIN.","errorCode":"401"}"#, "second-factor-rejected"),
            (400, r#"{"error":[{"code":"400","message":"Missing required field 'Mpin'"}]}"#, "rejected"),
            (400, r#"{"error":[{"code":"10512","message":"Required header not found."}]}"#, "rejected"),
            (200, r#"{"stCode":100022,"errMsg":"invalid session token","stat":"Not_Ok"}"#, "one-time-token-stale"),
            (401, r#"{"code":900901,"message":"Invalid Credentials"}"#, "one-time-token-stale"),
            (
                200,
                r#"{"error":[{"code":"10522","message":"Issues while generating OTP! Try to login again."}]}"#,
                "second-factor-rejected",
            ),
        ] {
            assert_eq!(class(At::SecondFactor, status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_session_dies_of_few_faults_only() {
        for (status, body, expected) in [
            (200, r#"{"stat":"Not_Ok","emsg":"Invalid session","stCode":1003}"#, "session-expired"),
            (
                200,
                r#"{"stCode":100022,"errMsg":"invalid session token","stat":"error in neo-login-check-api"}"#,
                "session-expired",
            ),
            (200, r#"{"data":{"stCode":100022,"errMsg":"invalid session token","stat":"Not_Ok"}}"#, "session-expired"),
            (200, r#"{"stCode":100021,"errMsg":"invalid  access type","stat":"Not_Ok"}"#, "session-expired"),
            (
                200,
                r#"{"stat":"Not_Ok","error":[{"code":"10020","message":"Authentication Failed"}],"tid":"server3_27430"}"#,
                "session-expired",
            ),
            (
                401,
                r#"{"code":"900901","message":"Invalid Credentials","description":"Access failure for API: /Orders/2.0 ..."}"#,
                "session-expired",
            ),
            (401, r#"{"stat":"Not_Ok","message":"Invalid credentials"}"#, "session-expired"),
            (403, r#"{"message":"Invalid session, please re-login"}"#, "session-expired"),
            (200, r#"{"stCode":100008,"errMsg":"unauthorized","stat":"Not_Ok"}"#, "ip-not-allowed"),
            (401, r#"{"stCode":100008,"errMsg":"unauthorized","stat":"Not_Ok"}"#, "ip-not-allowed"),
            (
                200,
                r#"{"stCode":1037,"errMsg":"session ip doesnt match with reqest ip","stat":"Not_Ok"}"#,
                "ip-not-allowed",
            ),
            (
                403,
                r#"{"error":true,"message":"Invalid URL. Please verify the 'baseUrl' in the Login Validate API response"}"#,
                "wrong-host",
            ),
            (429, r#"{"code":429,"error":"Rate limit exceeded","message":"too many request received"}"#, "quota"),
            (200, r#"{"code":429,"error":"Rate limit exceeded","message":"too many request received"}"#, "quota"),
            (200, r#"{"stCode":5203,"errMsg":"No Data","desc":"data not found","stat":"Not_Ok"}"#, "none"),
            (200, r#"{"stCode":11000,"errMsg":"No Data","stat":"Not_Ok"}"#, "none"),
            (400, r#"{"stat":"Not_Ok","emsg":"price is out of range","stCode":1009}"#, "rejected"),
            (401, r#"{"stat":"Not_Ok","emsg":"go away","stCode":9}"#, "rejected"),
        ] {
            assert_eq!(class(At::Session, status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_is_no_fault_is_none() {
        for body in [
            r#"{"data":[{"ip":"192.0.2.7"}],"stCode":1000,"status":"success"}"#,
            r#"{"stat":"Ok","data":[{"nOrdNo":"1"}],"stCode":200}"#,
            r#"{"data":{"token":"t","sid":"s","status":"success"}}"#,
            "{}",
        ] {
            assert_eq!(class(At::Session, 200, body), "none", "{body}");
        }
    }

    #[test]
    fn pages_and_rubble_prove_nothing() {
        for (status, body, expected) in [
            (200, "", "malformed"),
            (200, "<html>", "malformed"),
            (200, "{\"stCode\":100022,", "malformed"),
            (401, "<html>login</html>", "malformed"),
            (403, "", "malformed"),
            (424, "", "unavailable"),
            (429, "", "quota"),
            (503, "<html>down</html>", "unavailable"),
        ] {
            assert_eq!(class(At::Session, status, body), expected, "{status} {body}");
        }
    }
}
