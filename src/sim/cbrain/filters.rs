//! What keeps a request from its action.

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::{HeaderValue, Method, Request, StatusCode};

use super::actions::Action;
use super::answers::{self, Answer};
use super::call::{Call, Format};
use super::portal::{Who, start_page};

pub(super) fn outside_api(call: &Call<'_>, action: &Action) -> Option<Answer> {
    let (name, known) = action.outside_api().filter(|_| call.is_api())?;
    let text = format!("Action '{name}' not available to API. Available actions are {known}");
    Some(answers::told(StatusCode::BAD_REQUEST, "error", Some(&text), call.wanted))
}

/// Keeps a user away who has something to do in a browser first.
pub(super) fn account_state(call: &Call<'_>, action: &Action, who: Option<&Who>) -> Option<Answer> {
    let account = &who?.account;
    if action.is_of_sessions() {
        return None;
    }
    let changing = *action == Action::ChangePassword;
    let forbidden = |page: &str, text: &str| match call.wanted {
        Format::Html => answers::redirect(call, page),
        format => answers::told(StatusCode::FORBIDDEN, "error", Some(text), format),
    };
    if account.must_link_openid {
        let text = "This account must first be linked to an OpenID identity provider";
        return Some(forbidden("/mandatory_oidc", text));
    }
    if account.password_reset && !changing {
        let page = format!("/users/{}/change_password", account.id());
        return Some(answers::with_cookie(answers::redirect(call, &page)));
    }
    if account.license_unsigned && !changing {
        return Some(forbidden("/show_license/cbrain", "Some license agreements are not signed."));
    }
    None
}

/// Keeps out what a foreign page may have sent: all but JSON and XML needs a token from a form.
///
/// A login looks after itself.
pub(super) fn forgery(call: &Call<'_>, action: &Action, who: Option<&Who>) -> Option<Answer> {
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    if reads || *action == Action::Create || matches!(call.format, Format::Json | Format::Xml) {
        return None;
    }
    Some(match who {
        Some(_) if call.wanted == Format::Html && !action.is_of_sessions() => answers::redirect(call, "/users"),
        Some(who) if call.wanted == Format::Html => answers::redirect(call, start_page(&who.account)),
        _ => answers::unauthorized(call.wanted),
    })
}

/// What the web server itself refuses, before Rails sees it, or what comes before all else in Rails.
pub(super) fn server_refuses(request: &Request<Vec<u8>>) -> Option<Answer> {
    const QUERY: usize = 10 << 10;
    const FIELD: usize = 80 << 10;
    // By RFCs 2616, 2518, 3253, 3648, 3744, 5323, 4791 and 5789.
    const KNOWN: &str = "OPTIONS GET HEAD POST PUT DELETE TRACE CONNECT PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK \
        VERSION-CONTROL REPORT CHECKOUT CHECKIN UNCHECKOUT MKWORKSPACE UPDATE LABEL MERGE BASELINE-CONTROL MKACTIVITY \
        ORDERPATCH ACL SEARCH MKCALENDAR PATCH";
    let (method, headers) = (request.method(), request.headers());
    let too_long = request.uri().query().is_some_and(|query| query.len() > QUERY)
        || headers.values().any(|value| value.len() > FIELD);
    if too_long || method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Some(answers::bare(StatusCode::BAD_REQUEST));
    }
    if !KNOWN.split_whitespace().any(|known| known == method.as_str()) {
        return Some(answers::bare(StatusCode::INTERNAL_SERVER_ERROR));
    }
    // A browser asks whether a page of another site may call; no such site is named.
    let asks = headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    (asks && method == Method::OPTIONS).then(|| answers::bare(StatusCode::OK))
}

/// Reports whether a token in the header is no ASCII.
pub(super) fn has_odd_bearer(call: &Call<'_>) -> bool {
    let value = call.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    (value.starts_with(b"Bearer ") || value.starts_with(b"Token ")) && !value.is_ascii()
}
