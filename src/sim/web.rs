//! What the simulators share of HTTP: reading forms, cookies and multipart bodies, writing answers.

use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

/// Creates an answer with a body of a media type, or of none where that is empty.
pub(crate) fn answer(status: StatusCode, media: &str, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if !media.is_empty() {
        set(&mut response, CONTENT_TYPE, media);
    }
    response
}

/// Sets a header whose value is known to be visible ASCII; another value is left out.
pub(crate) fn set(response: &mut Response<Vec<u8>>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Reads the pairs of a query or of a form; what is not UTF-8 is replaced.
#[cfg(any(test, feature = "_oauth"))]
pub(crate) fn pairs(form: &[u8]) -> Vec<(String, String)> {
    serde_urlencoded::from_bytes(form).unwrap_or_default()
}

/// Returns the value of a cookie that a request brings.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';')).find_map(
        |cookie| {
            let (key, value) = cookie.trim().split_once('=')?;
            (key == name).then_some(value)
        },
    )
}

/// Returns the media type of a request's body in lower case, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
}

/// Reads the fields of a `multipart/form-data` body (RFC 7578); the value of a file is `None`.
///
/// `None` altogether where the body does not begin or end as it should; no content type with a boundary is `Some` of
/// nothing.
pub(crate) fn multipart(headers: &HeaderMap, body: &[u8]) -> Option<Vec<(String, Option<String>)>> {
    let Some(boundary) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(boundary) else {
        return Some(Vec::new());
    };
    let text = String::from_utf8_lossy(body);
    // A line break before the first delimiter is optional, before all others it belongs to the delimiter.
    let text = format!("\r\n{text}");
    let delimiter = format!("\r\n--{boundary}");
    let parts: Vec<&str> = text.split(&delimiter).skip(1).collect();
    if !parts.last()?.starts_with("--") {
        return None;
    }
    parts.into_iter().take_while(|part| !part.starts_with("--")).map(field).collect()
}

fn boundary(content_type: &str) -> Option<String> {
    content_type.split(';').find_map(|parameter| {
        let (key, value) = parameter.trim().split_once('=')?;
        key.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"').to_owned())
    })
}

fn field(part: &str) -> Option<(String, Option<String>)> {
    let (head, value) = part.split_once("\r\n\r\n")?;
    let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let (mut name, mut file) = (None, false);
    for parameter in disposition.split(';').skip(1) {
        match parameter.trim().split_once('=') {
            Some(("name", value)) => name = Some(value.trim_matches('"').to_owned()),
            Some(("filename", _)) => file = true,
            _ => {}
        }
    }
    Some((name?, (!file).then(|| value.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        assert_eq!(pairs(b"a=1&b=x+y%21&c"), [("a", "1"), ("b", "x y!"), ("c", "")].map(|(k, v)| (k.into(), v.into())));
        assert_eq!(pairs(b""), []);
    }

    #[test]
    fn cookies_are_read_from_all_lines() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=2"));
        headers.append(COOKIE, HeaderValue::from_static("c=x=y"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "c"), Some("x=y"));
        assert_eq!(cookie(&headers, "d"), None);
    }

    #[test]
    fn multipart_fields_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=\"xyz\""));
        let body = "--xyz\r\nContent-Disposition: form-data; name=\"login\"\r\n\r\nalice\r\n\
                    --xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nno\r\n\
                    --xyz\r\ncontent-disposition: form-data; name=password\r\n\r\na\r\nb\r\n--xyz--\r\n";
        let fields = multipart(&headers, body.as_bytes()).unwrap();
        let expected = [("login", Some("alice")), ("f", None), ("password", Some("a\r\nb"))];
        assert_eq!(fields, expected.map(|(name, value)| (name.into(), value.map(str::to_owned))));
        assert_eq!(multipart(&HeaderMap::new(), body.as_bytes()), Some(Vec::new()));
        for broken in ["", "--xyz\r\n", &body[..body.len() - 6], "--xyz\r\nno head\r\n--xyz--"] {
            assert_eq!(multipart(&headers, broken.as_bytes()), None, "{broken}");
        }
    }
}
