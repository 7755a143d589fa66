//! The portal's answers, as Rails writes them.

use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::Value;

use super::call::{Call, Format};
use super::sessions::COOKIE;
use crate::sim::web;

pub(super) type Answer = Response<Vec<u8>>;

const JSON: &str = "application/json; charset=utf-8";
const XML: &str = "application/xml; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Answers with a status and an empty body; the content type is there all the same.
pub(super) fn empty(status: StatusCode, format: Format) -> Answer {
    let media = match format {
        Format::Json => "application/json",
        Format::Xml => "application/xml",
        Format::Html | Format::Other => "text/html",
    };
    web::answer(status, media, Vec::new())
}

/// Answers without a body and its type, as what stands before Rails does.
pub(super) fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(Vec::new());
    *answer.status_mut() = status;
    answer
}

/// Refuses, in the format that was asked for: a 401 has no body.
pub(super) fn unauthorized(format: Format) -> Answer {
    empty(StatusCode::UNAUTHORIZED, format)
}

/// Shows a session: its user's id and its token.
pub(super) fn session(user: u64, token: &str, format: Format) -> Answer {
    match format {
        Format::Xml => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SessionInfo>\n  <user_id type=\"integer\">{user}</user_id>\n  \
                 <cbrain_api_token>{token}</cbrain_api_token>\n</SessionInfo>\n"
            );
            web::answer(StatusCode::OK, XML, body)
        }
        _ => json(StatusCode::OK, format!("{{\"user_id\":{user},\"cbrain_api_token\":\"{token}\"}}")),
    }
}

pub(super) fn json(status: StatusCode, body: String) -> Answer {
    web::answer(status, JSON, body)
}

/// Reports one thing under one name: `{"error":"…"}`, as JSON or XML; 401 where neither is wanted.
pub(super) fn told(status: StatusCode, name: &str, text: Option<&str>, format: Format) -> Answer {
    match format {
        Format::Json => json(status, format!("{{\"{name}\":{}}}", text.map_or(Value::Null, Value::from))),
        Format::Xml => {
            let member = text.map_or_else(
                || format!("<{name} nil=\"true\"/>"),
                |text| format!("<{name}>{}</{name}>", escaped(text)),
            );
            let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<hash>\n  {member}\n</hash>\n");
            web::answer(status, XML, body)
        }
        Format::Html | Format::Other => unauthorized(format),
    }
}

/// Creates a list of one object as XML.
pub(super) fn xml_list(object: &Value) -> Answer {
    let members = object.as_object().into_iter().flatten().map(|(name, value)| {
        let name = name.replace('_', "-");
        match value {
            Value::Null => format!("    <{name} nil=\"true\"/>\n"),
            Value::String(text) => format!("    <{name}>{}</{name}>\n", escaped(text)),
            Value::Bool(value) => format!("    <{name} type=\"boolean\">{value}</{name}>\n"),
            other => format!("    <{name} type=\"integer\">{other}</{name}>\n"),
        }
    });
    let members: String = members.collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<objects type=\"array\">\n  <object>\n{members}  </object>\n</objects>\n"
    );
    web::answer(StatusCode::OK, XML, body)
}

/// Answers as Rails does before any controller of the portal runs.
pub(super) fn rails(status: StatusCode, format: Format) -> Answer {
    let reason = status.canonical_reason().unwrap_or_default();
    let code = status.as_str();
    match format {
        Format::Json => json(status, format!("{{\"status\":{code},\"error\":\"{reason}\"}}")),
        Format::Xml => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<hash>\n  <status type=\"integer\">{code}</status>\n  \
                 <error>{reason}</error>\n</hash>\n"
            );
            web::answer(status, XML, body)
        }
        Format::Html | Format::Other => page(status, reason),
    }
}

/// Answers with a page for people.
pub(super) fn page(status: StatusCode, title: &str) -> Answer {
    let title = escaped(title);
    let body = format!("<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>{title}</body>\n</html>\n");
    web::answer(status, HTML, body)
}

/// Sends a browser elsewhere on the portal.
pub(super) fn redirect(call: &Call<'_>, path: &str) -> Answer {
    // A proxy's word about the address counts; the last host of a list, the first scheme.
    let told = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
    let host = told("x-forwarded-host").and_then(|hosts| hosts.rsplit(',').next()).map(str::trim);
    let scheme = told("x-forwarded-proto").and_then(|schemes| schemes.split(',').next()).map(str::trim);
    let scheme = scheme.or(call.uri.scheme_str());
    let origin = match (scheme, host.or(call.uri.authority().map(http::uri::Authority::as_str))) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => String::new(),
    };
    let location = format!("{origin}{path}");
    let body = format!("<html><body>You are being <a href=\"{}\">redirected</a>.</body></html>", escaped(&location));
    let mut answer = web::answer(StatusCode::FOUND, HTML, body);
    web::set(&mut answer, LOCATION, &location);
    answer
}

/// Adds the cookie of a browser that is not logged in.
pub(super) fn with_cookie(mut answer: Answer) -> Answer {
    web::set(&mut answer, SET_COOKIE, &format!("{COOKIE}=bm9ib2R5; path=/; HttpOnly; SameSite=Lax"));
    answer
}

/// Does what happens to every answer on its way out: chunks, `ETag`, 304, no body for HEAD.
pub(super) fn finish(mut answer: Answer, call: &Call<'_>) -> Answer {
    // A type that no action has is named back.
    if let (StatusCode::UNAUTHORIZED, Some(media)) = (answer.status(), &call.unsupported) {
        web::set(&mut answer, http::header::CONTENT_TYPE, media);
    }
    let ok = answer.status() == StatusCode::OK;
    let cache = if ok { "max-age=0, private, must-revalidate" } else { "no-cache" };
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    if ok && !answer.body().is_empty() {
        let tag = etag(answer.body());
        let known = call.headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
        web::set(&mut answer, ETAG, &tag);
        if known && reads {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer.headers_mut().remove(http::header::CONTENT_TYPE);
            answer.body_mut().clear();
            return answer;
        }
    }
    answer.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    if call.method == Method::HEAD {
        answer.body_mut().clear();
    }
    answer
}

/// Creates a weak tag of a body (FNV-1a; the real one is a digest, which no client can tell).
fn etag(body: &[u8]) -> String {
    let hash = body
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("W/\"{hash:016x}\"")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
