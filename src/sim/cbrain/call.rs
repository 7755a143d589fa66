//! A request as Rails sees it: method, path, parameters, token and the format of the answer.

use core::net::IpAddr;
use std::collections::BTreeMap;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, Method, Request};
use serde_json::Value;

use super::sessions::COOKIE;
use crate::sim::web;

pub(super) type Params = BTreeMap<String, Value>;

pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The path without doubled and trailing slashes and without a format's suffix.
    pub(super) path: String,
    /// The parameters of query and body; none where the body is malformed JSON.
    pub(super) params: Option<Params>,
    pub(super) token: Option<String>,
    pub(super) cookie: Option<&'a str>,
    /// The format of the request: the first one that it accepts.
    pub(super) format: Format,
    /// The format of the answer: the first one that it accepts and the portal has.
    pub(super) wanted: Format,
    pub(super) headers: &'a HeaderMap,
    pub(super) uri: &'a http::Uri,
}

/// The format of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Html,
    Json,
    Xml,
    /// One that no action of the portal has.
    Other,
}

impl<'a> Call<'a> {
    pub(super) fn read(request: &'a Request<Vec<u8>>) -> Self {
        let headers = request.headers();
        let body = Body::of(request);
        let method = overridden(request, &body).unwrap_or_else(|| request.method().clone());
        let (path, suffix) = path_and_suffix(request.uri().path());
        let mut params = body.params().map(|body| {
            let query = web::pairs(request.uri().query().unwrap_or_default().as_bytes());
            let mut params = top_level(query);
            params.extend(body);
            params
        });
        let in_params = params.as_mut().and_then(|params| params.remove("cbrain_api_token"));
        let in_params = in_params.and_then(|token| token.as_str().map(str::to_owned));
        let token = header_token(headers).or_else(|| in_params.filter(|token| !token.is_empty()));
        let named = params.as_ref().and_then(|params| params.get("format")).and_then(Value::as_str);
        let (format, wanted) = match suffix.or(named) {
            Some(name) => (Format::named(name), Format::named(name)),
            None => accepted(headers),
        };
        let cookie = web::cookie(headers, COOKIE);
        Self { method, path, token, cookie, format, wanted, params, headers, uri: request.uri() }
    }

    /// Gives the client's address where headers of a proxy tell one; the portal believes them.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let told = |name: &&str| {
            let list = self.headers.get(*name)?.to_str().ok()?;
            list.rsplit(',').find_map(|address| address.trim().parse().ok())
        };
        ["x-real-ip", "x-forwarded-for", "client-ip"].iter().find_map(told)
    }

    /// Tells whether the portal takes the request for one of its API, not of a browser.
    pub(super) fn is_api(&self) -> bool {
        self.token.is_some() || matches!(self.format, Format::Json | Format::Xml)
    }
}

impl Format {
    fn named(name: &str) -> Self {
        match name {
            "html" => Self::Html,
            "json" => Self::Json,
            "xml" => Self::Xml,
            _ => Self::Other,
        }
    }

    fn of_media(media: &str) -> Self {
        match media {
            "text/html" | "application/xhtml+xml" | "*/*" => Self::Html,
            "application/json" | "text/x-json" | "application/jsonrequest" => Self::Json,
            "application/xml" | "text/xml" | "application/x-xml" => Self::Xml,
            _ => Self::Other,
        }
    }
}

/// Reads `Accept` as Rails does: none, and any list with `*/*` in it, is a browser's.
fn accepted(headers: &HeaderMap) -> (Format, Format) {
    let lines: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let mut medias: Vec<(String, f32)> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .filter_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let media = parts.next().filter(|media| !media.is_empty())?.to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            Some((media, quality.unwrap_or(1.0)))
        })
        .collect();
    if medias.is_empty() || medias.iter().any(|(media, _)| media == "*/*") {
        return (Format::Html, Format::Html);
    }
    medias.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    let formats = medias.iter().map(|(media, _)| Format::of_media(media));
    let wanted = formats.clone().find(|format| *format != Format::Other);
    (formats.clone().next().unwrap_or(Format::Html), wanted.unwrap_or(Format::Other))
}

/// Reads the token of `Authorization: Bearer …` or `Token …`; the scheme is case-sensitive.
fn header_token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let rest = value.strip_prefix("Bearer").or_else(|| value.strip_prefix("Token"))?;
    let list = rest.strip_prefix([' ', '\t'])?.trim_start();
    let first = list.split([',', ';', '\t']).next().unwrap_or_default().trim_end();
    let token = first.strip_prefix("token=").unwrap_or(first);
    let token = token.strip_prefix('"').unwrap_or(token);
    let token = token.strip_suffix('"').unwrap_or(token);
    (!token.is_empty()).then(|| token.to_owned())
}

/// The method that a form asks for in place of POST (Rack's method override).
fn overridden(request: &Request<Vec<u8>>, body: &Body<'_>) -> Option<Method> {
    if request.method() != Method::POST {
        return None;
    }
    let in_header = || request.headers().get("x-http-method-override")?.to_str().ok();
    let in_form = match body {
        Body::Form(fields) => fields.iter().rev().find(|(key, _)| key == "_method").map(|(_, value)| value.as_str()),
        _ => None,
    };
    let name = in_form.or_else(in_header)?.to_ascii_uppercase();
    ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]
        .contains(&name.as_str())
        .then(|| Method::from_bytes(name.as_bytes()).ok())?
}

fn path_and_suffix(path: &str) -> (String, Option<&str>) {
    let mut clean = String::with_capacity(path.len());
    let mut suffix = None;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        clean.push('/');
        match segment.split_once('.') {
            Some((name, end)) if segments.peek().is_none() => {
                clean.push_str(name);
                suffix = Some(end);
            }
            _ => clean.push_str(segment),
        }
    }
    if clean.is_empty() {
        clean.push('/');
    }
    (clean, suffix)
}

/// A body as its content type says.
enum Body<'a> {
    Form(Vec<(String, String)>),
    Json(&'a [u8]),
    /// Text, XML and the like: not looked at.
    Ignored,
}

impl<'a> Body<'a> {
    fn of(request: &'a Request<Vec<u8>>) -> Self {
        match web::media_type(request.headers()).as_deref() {
            Some("application/x-www-form-urlencoded") => Self::Form(web::pairs(request.body())),
            Some("multipart/form-data") => Self::Form(web::multipart(request.headers(), request.body())),
            Some("application/json" | "text/x-json" | "application/jsonrequest") => Self::Json(request.body()),
            None if request.method() == Method::POST => Self::Form(web::pairs(request.body())),
            _ => Self::Ignored,
        }
    }

    fn params(self) -> Option<Params> {
        match self {
            Self::Form(fields) => Some(top_level(fields)),
            Self::Json([]) | Self::Ignored => Some(Params::new()),
            Self::Json(text) => Some(match serde_json::from_slice(text).ok()? {
                Value::Object(members) => members.into_iter().collect(),
                other => Params::from([("_json".to_owned(), other)]),
            }),
        }
    }
}

/// Makes parameters of a form's fields; what is nested, as in `session[login]`, counts by its first name.
fn top_level(fields: Vec<(String, String)>) -> Params {
    fields
        .into_iter()
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| match key.split_once('[') {
            Some((name, _)) => (name.to_owned(), Value::Object(serde_json::Map::new())),
            None => (key, Value::String(value)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))])
    }

    #[test]
    fn any_star_makes_a_browser() {
        for (accept, format) in [
            ("application/json", Format::Json),
            ("Application/JSON; charset=utf-8", Format::Json),
            ("application/json, application/xml", Format::Json),
            ("application/xml, application/json", Format::Xml),
            ("application/xml;q=0.5, application/json", Format::Json),
            ("*/*", Format::Html),
            ("application/json, text/plain, */*", Format::Html),
            ("application/json, */*;q=0.1", Format::Html),
            ("", Format::Html),
            ("text/plain", Format::Other),
            ("application/vnd.api+json", Format::Other),
        ] {
            assert_eq!(accepted(&headers(ACCEPT, accept)).1, format, "{accept}");
        }
        assert_eq!(accepted(&HeaderMap::new()).0, Format::Html);
    }

    #[test]
    fn two_schemes_carry_a_token() {
        for (authorization, token) in [
            ("Bearer abc", Some("abc")),
            ("Token abc", Some("abc")),
            ("Token token=\"abc\"", Some("abc")),
            ("Bearer \"abc\"", Some("abc")),
            ("bearer abc", None),
            ("token abc", None),
            ("Basic abc", None),
            ("abc", None),
            ("Bearer ", None),
            ("Bearerabc", None),
        ] {
            assert_eq!(header_token(&headers(AUTHORIZATION, authorization)).as_deref(), token, "{authorization}");
        }
    }

    #[test]
    fn paths_are_cleaned() {
        for (path, clean, suffix) in [
            ("/session", "/session", None),
            ("//session/", "/session", None),
            ("/session.json", "/session", Some("json")),
            ("/", "/", None),
            ("/users/2/change_password", "/users/2/change_password", None),
        ] {
            assert_eq!(path_and_suffix(path), (clean.to_owned(), suffix));
        }
    }
}
