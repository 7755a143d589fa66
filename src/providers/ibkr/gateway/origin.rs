//! The `Origin` of requests: the gateway takes a foreign one for a forged request, and answers 401.

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderValue, Uri};

use crate::BaseUrl;

/// Drops where a caller's own page comes from, which the gateway takes for a forged request.
pub(super) fn drop_foreign(base: &BaseUrl, headers: &mut HeaderMap) {
    for name in [ORIGIN, REFERER] {
        let is_own = |value: &HeaderValue| {
            let uri = value.to_str().ok().and_then(|value| value.parse::<Uri>().ok());
            uri.is_some_and(|uri| base.same_origin(&uri))
        };
        if !headers.get_all(&name).iter().all(is_own) {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_another_page_does_not_say_so() {
        let base = BaseUrl::parse("https://localhost:5000/v1/api").unwrap();
        for (value, stays) in [
            ("https://localhost:5000", true),
            ("https://localhost:5000/sso/Login?forwardTo=22", true),
            ("https://localhost:5001", false),
            ("http://localhost:5000", false),
            ("https://example.org", false),
            ("null", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_static(value));
            headers.insert(REFERER, HeaderValue::from_static(value));
            drop_foreign(&base, &mut headers);
            assert_eq!((headers.contains_key(ORIGIN), headers.contains_key(REFERER)), (stays, stays), "{value}");
        }
    }
}
