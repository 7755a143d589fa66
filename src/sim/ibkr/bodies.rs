//! The bodies that a simulated gateway answers.

use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::session::{Flags, Sso};
use super::{LoggedOut, Outage, Settings, TickleBody};
use crate::Timestamp;
pub(super) use crate::sim::web::answer;

const MAC: &str = "98:F2:B3:23:BF:A0";
const HARDWARE: &str = "00000000|98:F2:B3:23:BF:A0";
pub(super) const JSON: &str = "application/json;charset=utf-8";
/// The flags of what is open.
pub(super) const READY: Flags = Flags { connected: true, authenticated: true, established: true, competing: false };
pub(super) const WANTS_COMPETE: &str = "Force compete capability must be used together with compete flag";

/// Creates an answer of JSON.
pub(super) fn object(body: &Value) -> Response<Vec<u8>> {
    answer(StatusCode::OK, JSON, body.to_string())
}

/// Creates an error of IBKR's own form.
pub(super) fn error(status: StatusCode, text: &str) -> Response<Vec<u8>> {
    let body = json!({ "error": text, "statusCode": status.as_u16() });
    answer(status, JSON, body.to_string())
}

/// Creates a page for people.
pub(super) fn page(status: StatusCode, title: &str) -> Response<Vec<u8>> {
    answer(status, "text/html", format!("<HTML><HEAD><TITLE>{title}</TITLE></HEAD><BODY>{title}</BODY></HTML>"))
}

/// Creates the answer to a call while nobody is logged in.
pub(super) fn logged_out(how: LoggedOut) -> Response<Vec<u8>> {
    match how {
        LoggedOut::Redirect => {
            let mut response = answer(StatusCode::FOUND, "", "");
            let page = HeaderValue::from_static("/sso/Login?forwardTo=22&RL=1&ip2loc=US");
            response.headers_mut().insert(LOCATION, page);
            response
        }
        LoggedOut::Unauthorized => answer(StatusCode::UNAUTHORIZED, "text/plain", "Unauthorized"),
        LoggedOut::AccessDenied => answer(StatusCode::UNAUTHORIZED, "text/plain", "Access Denied"),
        LoggedOut::Json => error(StatusCode::UNAUTHORIZED, "not authenticated"),
        LoggedOut::Empty | LoggedOut::Flags => answer(StatusCode::UNAUTHORIZED, "", ""),
    }
}

/// Creates the answer to a call during an outage.
pub(super) fn outage(outage: Outage) -> Response<Vec<u8>> {
    match outage {
        Outage::Empty503 | Outage::Slow503 => answer(StatusCode::SERVICE_UNAVAILABLE, "", ""),
        Outage::Text500 => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "Internal Server Error"),
        Outage::Page502 => page(StatusCode::BAD_GATEWAY, "Bad Gateway"),
    }
}

/// Creates the flags of a status or an init.
pub(super) fn status(settings: &Settings, flags: Flags, fail: Option<&str>) -> Value {
    if !flags.authenticated && !flags.connected {
        return json!({ "authenticated": false, "competing": flags.competing, "connected": false, "MAC": MAC });
    }
    let (name, version) = match flags.authenticated {
        true => (Some("SimN00001"), Some("Build 10.44.1d, Mar 3, 2026 1:55:32 PM")),
        false => (None, None),
    };
    let mut body = json!({
        "authenticated": flags.authenticated,
        "competing": flags.competing,
        "connected": flags.connected,
        "message": "",
        "MAC": MAC,
        "serverInfo": { "serverName": name, "serverVersion": version },
        "hardware_info": HARDWARE,
        "fail": fail.unwrap_or_default(),
    });
    if settings.shows_established
        && flags.authenticated
        && let Some(members) = body.as_object_mut()
    {
        members.insert("established".into(), flags.established.into());
    }
    body
}

/// Creates the refusal of an init, which was seen in this form.
pub(super) fn refused_init(competing: bool) -> Value {
    json!({ "passed": false, "authenticated": false, "connected": true, "competing": competing })
}

/// Creates a tickle.
pub(super) fn tickle(how: TickleBody, sso: &Sso, now: Timestamp, status: &Value) -> Value {
    let hmds = json!({ "error": "no bridge" });
    match how {
        TickleBody::Full | TickleBody::WithoutIserver => {
            let mut body = json!({
                "session": sso.id,
                "ssoExpires": sso.expires_in(now),
                "collission": false,
                "userId": 123_456_789,
                "hmds": hmds,
            });
            if how == TickleBody::Full
                && let Some(members) = body.as_object_mut()
            {
                members.insert("iserver".into(), json!({ "authStatus": status }));
            }
            body
        }
        TickleBody::OAuth => json!({ "session": sso.id, "hmds": hmds, "iserver": { "authStatus": status } }),
        // Not even an object.
        TickleBody::Empty => Value::Null,
        TickleBody::OldOAuth => json!({ "session": sso.id, "hmds": hmds, "iserver": { "tickle": true } }),
    }
}

/// Creates the answer of `sso/validate`.
pub(super) fn validate(sso: &Sso, now: Timestamp) -> Value {
    let person = &sso.person;
    json!({
        "USER_ID": 123_456_789,
        "USER_NAME": person.user,
        "RESULT": true,
        "AUTH_TIME": sso.since.as_millis(),
        "SF_ENABLED": false,
        "IS_FREE_TRIAL": false,
        "CREDENTIAL": person.user,
        "IP": "192.0.2.1",
        "EXPIRES": sso.expires_in(now),
        "QUALIFIED_FOR_MOBILE_AUTH": null,
        "LANDING_APP": "UNIVERSAL",
        "IS_MASTER": false,
        "lastAccessed": now.as_millis(),
        "LOGIN_TYPE": if person.paper { 2 } else { 1 },
        "PAPER_USER_NAME": if person.paper { &person.user } else { "" },
        "features": { "env": "PROD", "wlms": true, "realtime": true, "bond": true, "optionChains": true, "calendar": true, "newMf": true },
        "region": "NJ",
    })
}

/// Adds what `sso/validate` has besides under OAuth 2.0.
pub(super) fn add_oauth2(validate: &mut Value) {
    let more = json!({
        "IS_PENDING_APPLICANT": false,
        "HARDWARE_INFO": HARDWARE,
        "UNIQUE_LOGIN_ID": "0",
        "SF_CONFIG": "",
        "CREDENTIAL_TYPE": 1,
        "COUNTERPARTY": "",
        "TOKEN": "",
        "took": 1,
    });
    if let (Some(members), Value::Object(more)) = (validate.as_object_mut(), more) {
        members.extend(more);
    }
}
