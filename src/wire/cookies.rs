//! Cookies as a part of a provider's state.

use std::collections::BTreeMap;

use http::HeaderValue;
use http::header::{InvalidHeaderValue, SET_COOKIE};
use serde::{Deserialize, Serialize};

use crate::{Response, Secret, Timestamp, secret};

/// The most cookies that are kept, and the longest one: what RFC 6265 asks of a browser at least.
const MOST: usize = 50;
const LONGEST: usize = 4096;

/// The cookies that one server has set, for a field of a provider's state.
///
/// They belong to the origin that the provider calls: paths, domains and the time at which one ends by itself are not
/// checked, since the server refuses a cookie that is over. One that it deletes is dropped.
///
/// ```
/// use sansession::wire::Cookies;
/// use sansession::{Response, Timestamp};
///
/// let answer = http::Response::builder().header("set-cookie", "session=0a1b; Path=/; HttpOnly").body("").unwrap();
/// let mut cookies = Cookies::default();
/// assert!(cookies.take(Timestamp::from_secs(1_800_000_000), Response::from(&answer)));
/// assert_eq!(cookies.header().unwrap(), "session=0a1b");
/// assert_eq!(cookies.get("session").unwrap().expose(), "0a1b");
/// ```
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub struct Cookies(#[serde(with = "secret::exposed_map")] BTreeMap<String, Secret>);

impl Cookies {
    /// Takes what an answer sets and deletes; reports whether anything is another than before.
    ///
    /// What no request could carry is passed over, and so is what exceeds 50 cookies or 4096 characters.
    pub fn take(&mut self, now: Timestamp, response: Response<'_>) -> bool {
        let mut changed = false;
        for line in response.headers.get_all(SET_COOKIE) {
            let Some((name, value, attributes)) = line.to_str().ok().and_then(parts) else { continue };
            if is_over(now, attributes) {
                changed |= self.0.remove(name).is_some();
                continue;
            }
            if self.0.get(name).is_some_and(|known| known.matches(value)) || line.len() > LONGEST {
                continue;
            }
            if self.0.contains_key(name) || self.0.len() < MOST {
                self.0.insert(name.to_owned(), Secret::new(value));
                changed = true;
            }
        }
        changed
    }

    /// Returns the value of `Cookie`, marked as sensitive.
    ///
    /// # Errors
    /// [`InvalidHeaderValue`] where a cookie of a snapshot has a character that no header may have.
    pub fn header(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut text = zeroize::Zeroizing::new(String::new());
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value.expose());
        }
        Secret::default().header(&text)
    }

    /// Returns the value of a cookie, such as a token that has to be sent in a header as well.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Reports whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Splits a line into name, value and attributes.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
    let (name, value) = pair.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let fits = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (!name.is_empty() && fits(name) && fits(value)).then_some((name, value, attributes))
}

/// Reports whether the attributes delete the cookie; `Max-Age` decides where both are there (RFC 6265, 5.3).
fn is_over(now: Timestamp, attributes: &str) -> bool {
    let find = |wanted: &str| {
        let named = attributes.split(';').filter_map(|attribute| attribute.split_once('='));
        named.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next_back()
    };
    match (find("max-age").and_then(|value| value.parse::<i64>().ok()), find("expires")) {
        (Some(seconds), _) => seconds <= 0,
        // The older form has dashes in its date.
        (None, Some(date)) => Timestamp::from_http_date(&date.replace('-', " ")).is_some_and(|ends| ends <= now),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn after(lines: &[&str]) -> Cookies {
        let mut cookies = Cookies::default();
        for line in lines {
            let answer = http::Response::builder().header(SET_COOKIE, *line).body("").unwrap();
            cookies.take(NOW, Response::from(&answer));
        }
        cookies
    }

    #[test]
    fn what_is_set_is_sent_and_what_is_deleted_is_not() {
        for (lines, sent) in [
            (&["a=1"][..], "a=1"),
            (&["b=2; Secure", " a = 1 ; Path=/"], "a=1; b=2"),
            (&["a=1", "a=2; Max-Age=60"], "a=2"),
            (&["a=1", "a=; Max-Age=0"], ""),
            (&["a=1", "a=x; expires=Thu, 01-Jan-1970 00:00:00 GMT"], ""),
            (&["a=1", "a=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5"], "a=2"),
            (&["a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT"], "a=1"),
            (&["a=b=c", "=1", "plain"], "a=b=c"),
            (&["a=\"quoted\""], "a=\"quoted\""),
        ] {
            let header = after(lines).header().unwrap();
            assert_eq!(header, sent, "{lines:?}");
            assert!(header.is_sensitive());
        }
    }

    #[test]
    fn only_a_change_is_told() {
        let answer = http::Response::builder().header(SET_COOKIE, "a=1").body("").unwrap();
        let mut cookies = Cookies::default();
        assert!(cookies.take(NOW, Response::from(&answer)));
        assert!(!cookies.take(NOW, Response::from(&answer)));
        assert!(!cookies.is_empty() && after(&["a=1; Max-Age=-1"]).is_empty());
    }

    #[test]
    fn a_server_cannot_fill_a_session() {
        let many: Vec<String> = (0..60).map(|number| format!("c{number}=1")).collect();
        let cookies = after(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(cookies.0.len(), MOST);
        assert!(after(&[&format!("a={}", "x".repeat(LONGEST))]).is_empty());
    }

    #[test]
    fn a_snapshot_holds_them_and_debug_does_not_show_them() {
        let cookies = after(&["session=0a1b"]);
        let text = serde_json::to_string(&cookies).unwrap();
        assert_eq!(text, r#"{"session":"0a1b"}"#);
        assert_eq!(serde_json::from_str::<Cookies>(&text).unwrap().header().unwrap(), "session=0a1b");
        assert!(!format!("{cookies:?}").contains("0a1b"));
    }
}
