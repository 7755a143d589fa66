use super::*;

const PAGE: &str = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>";

fn of(status: u16, content_type: &str, body: &str) -> Option<Refusal> {
    let mut response = http::Response::builder().status(status);
    if !content_type.is_empty() {
        response = response.header("content-type", content_type);
    }
    Refusal::of(Response::from(&response.body(body).unwrap()))
}

#[test]
fn every_known_error() {
    let json = "application/json";
    for (status, content_type, body, expected) in [
        (200, json, r#"{"error":"no session"}"#, Refusal::NoSession),
        (200, json, r#"{"error":"failed to process request"}"#, Refusal::Failed),
        (200, json, r#"{"error":"something else"}"#, Refusal::ErrorInside),
        (400, json, r#"{"error":"Bad Request: no bridge","statusCode":400}"#, Refusal::NoBridge),
        (400, json, "\"Bad Request: no bridge\"", Refusal::NoBridge),
        (400, json, r#"{"error":"Init session first","statusCode":400}"#, Refusal::InitFirst),
        (
            400,
            json,
            r#"{"error":"Bad Request: Please query /accounts first","statusCode":400}"#,
            Refusal::AccountsFirst,
        ),
        (
            500,
            json,
            r#"{"error":"Bad Request: Please query /accounts first","statusCode":500}"#,
            Refusal::AccountsFirst,
        ),
        (400, json, r#"{"error":"Bad Request"}"#, Refusal::BadRequest),
        (401, "", "Access Denied", Refusal::NotLoggedIn),
        (401, "text/plain", "Unauthorized", Refusal::NotLoggedIn),
        (401, "", "", Refusal::NotLoggedIn),
        (401, json, r#"{"error":"not authenticated","statusCode":401}"#, Refusal::NotAuthenticated),
        (401, json, r#"{"error":"id: 39687, error: invalid consumer","statusCode":401}"#, Refusal::ConsumerInvalid),
        (
            401,
            json,
            r#"{"error":"id: 118871, error: LST failed, error: No access secret key found for key","statusCode":401}"#,
            Refusal::TokenRegenerated,
        ),
        (
            401,
            "application/problem+json",
            r#"{"type":"/simple","title":"Unauthorized","status":401,"detail":"Access token expired"}"#,
            Refusal::BearerExpired,
        ),
        (401, json, r#"{"error":"signature","statusCode":401}"#, Refusal::Unauthorized),
        (403, "text/html", PAGE, Refusal::EdgeDenied),
        (403, "", "Access Denied", Refusal::Forbidden),
        (403, "", "IP not authorized, use api.ibkr.com instead", Refusal::IpNotAuthorized),
        (401, json, r#"{"error":"IP not authorized, use api.ibkr.com instead"}"#, Refusal::IpNotAuthorized),
        (400, "text/plain", "IP not authorized, use api.ibkr.com instead", Refusal::IpNotAuthorized),
        (200, json, r#"{"error":"IP not authorized, use api.ibkr.com instead"}"#, Refusal::IpNotAuthorized),
        (404, "text/html", "<html></html>", Refusal::NotFound),
        (404, "text/plain", "Access Denied", Refusal::Forbidden),
        (404, "", "access denied\n", Refusal::Forbidden),
        (404, "text/html", PAGE, Refusal::EdgeDenied),
        (405, "", "", Refusal::MethodNotAllowed),
        (410, "", "gone", Refusal::Gone),
        (411, "text/html", "<html>Length Required</html>", Refusal::LengthRequired),
        (423, json, r#"{"status":"waiting for reply"}"#, Refusal::WaitingForReply),
        (503, json, r#"{"status":"waiting for reply"}"#, Refusal::WaitingForReply),
        (429, json, r#"{"error":"Too Many Requests","statusCode":429}"#, Refusal::PenaltyBox),
        (500, json, r#"{"error":"failed to generate sso dh token"}"#, Refusal::DhTokenFailed),
        (500, "", "Internal Server Error", Refusal::Unavailable),
        (502, "text/html", "<html>Bad Gateway</html>", Refusal::Unavailable),
        (503, "", "", Refusal::Aborted),
        (503, "", "Service Unavailable", Refusal::Unavailable),
        (504, "", "", Refusal::Unavailable),
    ] {
        assert_eq!(of(status, content_type, body), Some(expected), "{status} {body}");
    }
}

#[test]
fn a_redirect_is_known_by_where_it_leads() {
    for (location, expected) in [
        ("/sso/Login?forwardTo=22&RL=1", Refusal::LoginRedirect),
        ("https://localhost:5000/sso/Dispatcher", Refusal::LoginRedirect),
        ("https://example.org/welcome?from=/sso/Login", Refusal::Foreign),
    ] {
        let response = http::Response::builder().status(302).header(LOCATION, location).body("").unwrap();
        assert_eq!(Refusal::of(Response::from(&response)), Some(expected), "{location}");
    }
    assert_eq!(of(302, "", ""), Some(Refusal::Foreign));
}

#[test]
fn another_server_on_the_port_is_foreign() {
    for (status, content_type, body) in [
        (200, "text/html", "<html>Welcome</html>"),
        (200, "", "<!doctype html>"),
        (400, "text/html", "<html></html>"),
        (101, "", ""),
    ] {
        assert_eq!(of(status, content_type, body), Some(Refusal::Foreign), "{status} {body}");
    }
}

#[test]
fn a_success_is_no_refusal() {
    for body in [
        "{}",
        "",
        "[]",
        r#"{"authenticated":true}"#,
        r#"{"error":""}"#,
        r#"{"hmds":{"error":"no bridge"}}"#,
        r#"{"error":null}"#,
    ] {
        assert_eq!(of(200, "application/json", body), None, "{body}");
    }
}

#[test]
fn what_passes_says_nothing_about_the_session() {
    for refusal in
        [Refusal::Aborted, Refusal::Unavailable, Refusal::Failed, Refusal::WaitingForReply, Refusal::DhTokenFailed]
    {
        assert!(refusal.is_passing() && refusal.doubts().is_none());
    }
    for refusal in [Refusal::EdgeDenied, Refusal::Foreign, Refusal::PenaltyBox, Refusal::BadRequest, Refusal::NotFound]
    {
        assert!(!refusal.is_passing() && refusal.doubts().is_none());
    }
    assert_eq!(Refusal::NotAuthenticated.doubts(), Some(Tier::Brokerage));
    assert_eq!(Refusal::LoginRedirect.doubts(), Some(Tier::Sso));
}
