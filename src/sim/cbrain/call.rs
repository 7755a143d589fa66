//! A request as Rails sees it: method, path, parameters, token and the format of the answer.

use core::net::IpAddr;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, Method, Request};

use super::params::{self, Param, Params, Unreadable};
use super::sessions::COOKIE;
use crate::sim::web;

pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The path without doubled and trailing slashes and without a format's suffix.
    pub(super) path: String,
    /// The parameters of query and body.
    pub(super) params: Result<Params, Unreadable>,
    pub(super) token: Option<String>,
    /// Whether the token is given as something else than a text, which Rails stumbles over.
    pub(super) odd_token: bool,
    pub(super) cookie: Option<&'a str>,
    /// The format of the request: the first one that it accepts.
    pub(super) format: Format,
    /// The format of the answer: the first one that it accepts and the portal has.
    pub(super) wanted: Format,
    /// The first type that it accepts, where the portal has none of them.
    pub(super) unsupported: Option<String>,
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
        let query = params::form(request.uri().query().unwrap_or_default().as_bytes());
        // The query wins.
        let mut params = query.and_then(|query| {
            let mut params = body.params()?;
            params.extend(query);
            Ok(params)
        });
        let in_params = params.as_mut().ok().and_then(|params| params.remove("cbrain_api_token"));
        let odd_token = in_params.as_ref().is_some_and(|token| !matches!(token, Param::Text(_) | Param::Null));
        let in_params = in_params.as_ref().and_then(Param::text).filter(|token| !token.is_empty());
        let token = header_token(headers).or_else(|| in_params.map(str::to_owned));
        let named = params.as_ref().ok().and_then(|params| params.get("format"));
        let (format, wanted, unsupported) = match suffix.or(named.map(|named| named.text().unwrap_or_default())) {
            Some(name) => (Format::named(name), Format::named(name), None),
            None => accepted(headers),
        };
        let cookie = web::cookie(headers, COOKIE);
        let uri = request.uri();
        Self { method, path, token, odd_token, cookie, format, wanted, unsupported, params, headers, uri }
    }

    /// Returns the client's address where headers of a proxy tell one; the portal believes them.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let told = |name: &&str| {
            let list = self.headers.get(*name)?.to_str().ok()?;
            list.rsplit(',').find_map(|address| address.trim().parse().ok())
        };
        ["x-real-ip", "x-forwarded-for", "client-ip"].iter().find_map(told)
    }

    /// Reports whether the portal takes the request for one of its API, not of a browser.
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

    /// Types are compared as they stand, in lower case.
    fn of_media(media: &str) -> Self {
        match media {
            "text/html" | "application/xhtml+xml" | "*/*" | "application/*" | "text/*" => Self::Html,
            "application/json" | "text/x-json" | "application/jsonrequest" => Self::Json,
            "application/xml" | "text/xml" | "application/x-xml" => Self::Xml,
            _ => Self::Other,
        }
    }
}

/// Reads `Accept` as Rails does: none, and any list with `*/*` in it, is a browser's.
fn accepted(headers: &HeaderMap) -> (Format, Format, Option<String>) {
    let lines: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let mut medias: Vec<(&str, f32)> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .filter_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let media = parts.next().filter(|media| !media.is_empty())?;
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            Some((media, quality.unwrap_or(1.0)))
        })
        .collect();
    let says_nothing = lines.iter().all(|line| line.trim().is_empty());
    if says_nothing || medias.iter().any(|(media, _)| *media == "*/*") {
        return (Format::Html, Format::Html, None);
    }
    medias.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    let formats = medias.iter().map(|(media, _)| Format::of_media(media));
    let first = formats.clone().next().unwrap_or(Format::Other);
    let wanted = formats.clone().find(|format| *format != Format::Other).unwrap_or(Format::Other);
    let unsupported = medias.first().filter(|_| wanted == Format::Other).map(|(media, _)| (*media).to_owned());
    (first, wanted, unsupported)
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
        Body::Form(text) => params::form(text).ok(),
        _ => None,
    };
    let in_form = in_form.as_ref().and_then(|fields| fields.get("_method")?.text());
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
    Form(&'a [u8]),
    Fields(Vec<(String, Option<String>)>),
    Json(&'a [u8]),
    Xml(&'a [u8]),
    /// Text and the like is not checked, and of a form in parts that does not end nothing is taken.
    Ignored,
}

impl<'a> Body<'a> {
    fn of(request: &'a Request<Vec<u8>>) -> Self {
        let (headers, body) = (request.headers(), request.body());
        match web::media_type(headers).as_deref() {
            Some("application/x-www-form-urlencoded") => Self::Form(body),
            Some("multipart/form-data") => web::multipart(headers, body).map_or(Self::Ignored, Self::Fields),
            Some("application/json" | "text/x-json" | "application/jsonrequest") => Self::Json(body),
            Some("application/xml" | "text/xml" | "application/x-xml") => Self::Xml(body),
            None if request.method() == Method::POST => Self::Form(body),
            _ => Self::Ignored,
        }
    }

    fn params(self) -> Result<Params, Unreadable> {
        match self {
            Self::Form(text) => params::form(text),
            Self::Fields(fields) => {
                let value = |value: Option<String>| value.map_or(Param::File, Param::Text);
                params::fields(fields.into_iter().map(|(name, text)| (name, value(text))).collect())
            }
            Self::Json(text) => params::json(text),
            Self::Xml(text) => params::xml(text),
            Self::Ignored => Ok(Params::new()),
        }
    }
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
            ("application/json; charset=utf-8", Format::Json),
            ("APPLICATION/JSON", Format::Other),
            ("application/*", Format::Html),
            (",", Format::Other),
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
