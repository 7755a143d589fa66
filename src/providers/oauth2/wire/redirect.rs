//! What a browser brings back, or a person pastes.

use core::fmt;

use zeroize::Zeroizing;

use super::{ErrorBody, filled};
use crate::Secret;
use crate::wire::Text;

/// What a redirect is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Where the browser was to be sent back to.
    pub redirect_uri: &'a str,
    /// The state of the authorization URL.
    pub state: &'a Secret,
    /// The issuer, where it is known (RFC 9207).
    pub issuer: Option<&'a str>,
    /// Whether the metadata announce that redirects name their issuer: one that does not is refused then.
    pub names_issuer: bool,
    /// Whether a code without its state is taken, as some pages show it to be pasted: PKCE alone binds it to this attempt.
    pub bare_code: bool,
}

/// What a redirect says, once it is known to be ours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Redirect {
    /// The code, good for seconds to minutes and once: redeem it at once.
    Code(Secret),
    /// The server says no; ask [`ErrorBody::meaning`].
    Error(ErrorBody),
}

/// Why a text is not the redirect that is waited for: the question stays open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RedirectError {
    /// There is neither a code nor an error in it.
    NoCode,
    /// It leads elsewhere than the redirect URI.
    OtherUri,
    /// It has no state, or that of another attempt: an older redirect, or somebody else's.
    OtherState,
    /// It has no issuer although it should, or another one: a mix-up of servers.
    OtherIssuer,
    /// A parameter is there twice.
    Doubled,
    /// It is the URL where a person consents, not the one that comes after.
    AuthorizationUrl,
}

impl RedirectError {
    /// Returns the reason in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoCode => "there is no code in it",
            Self::OtherUri => "it leads elsewhere than the redirect URI",
            Self::OtherState => "it belongs to another attempt",
            Self::OtherIssuer => "it comes from another server",
            Self::Doubled => "a parameter is there twice",
            Self::AuthorizationUrl => "it is the page to log in at; the address after the login is wanted",
        }
    }
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for RedirectError {}

/// The parameters that count.
#[derive(Default)]
struct Parameters<'a> {
    code: Option<Text<'a>>,
    state: Option<Text<'a>>,
    iss: Option<Text<'a>>,
    error: Option<Text<'a>>,
    description: Option<Text<'a>>,
    response_type: bool,
}

impl Redirect {
    /// Reads a redirect, or what a person pastes for one: the whole URL, with blanks or line breaks in or around it, with
    /// `&amp;` for `&`, with the parameters in the fragment, only the query, the code alone, or `code#state`.
    ///
    /// # Errors
    /// [`RedirectError`]; the question stays open, since anybody can send a browser to a loopback address.
    pub fn read(pasted: &str, expected: &Expected<'_>) -> Result<Self, RedirectError> {
        let text = Zeroizing::new(pasted.split_whitespace().collect::<String>());
        let text = Zeroizing::new(text.replace("&amp;", "&"));
        let (address, query, fragment) = parts(&text);
        if let Some(address) = address
            && address != expected.redirect_uri.split(['?', '#']).next().unwrap_or_default()
            && !(address.len() + 1 == expected.redirect_uri.len() && expected.redirect_uri == format!("{address}/"))
        {
            let asked = query.contains("response_type=");
            return Err(if asked { RedirectError::AuthorizationUrl } else { RedirectError::OtherUri });
        }
        if address.is_none() && !query.contains('=') {
            return bare(query, fragment, expected);
        }
        let mut found = Parameters::default();
        for part in [query, fragment] {
            found.add(part)?;
        }
        found.judge(expected)
    }
}

/// Splits a text into address, query and fragment; a text without `://` or a leading slash is a query.
fn parts(text: &str) -> (Option<&str>, &str, &str) {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    match rest.split_once('?') {
        Some(("", query)) => (None, query, fragment),
        Some((address, query)) => (Some(address), query, fragment),
        None if rest.contains("://") => (Some(rest), "", fragment),
        None => (None, rest, fragment),
    }
}

/// A code without a name, with its state behind a `#` or without.
fn bare(code: &str, state: &str, expected: &Expected<'_>) -> Result<Redirect, RedirectError> {
    if code.is_empty() {
        return Err(RedirectError::NoCode);
    }
    let proven = if state.is_empty() { expected.bare_code } else { expected.state.matches(state) };
    if !proven {
        return Err(RedirectError::OtherState);
    }
    // It was not decoded by anybody: a code that ends in `%40` ends in `@`.
    let pair = Zeroizing::new(format!("code={code}"));
    let mut found = Parameters::default();
    found.add(&pair)?;
    filled(found.code).map(|code| Redirect::Code(Secret::new(code))).ok_or(RedirectError::NoCode)
}

impl<'a> Parameters<'a> {
    fn add(&mut self, query: &'a str) -> Result<(), RedirectError> {
        let pairs: Vec<(Text<'a>, Text<'a>)> = serde_urlencoded::from_str(query).map_err(|_| RedirectError::NoCode)?;
        for (name, value) in pairs {
            let field = match &*name {
                "code" => &mut self.code,
                "state" => &mut self.state,
                "iss" => &mut self.iss,
                "error" => &mut self.error,
                "error_description" => &mut self.description,
                "response_type" => {
                    self.response_type = true;
                    continue;
                }
                _ => continue,
            };
            if field.replace(value).is_some() {
                return Err(RedirectError::Doubled);
            }
        }
        Ok(())
    }

    fn judge(self, expected: &Expected<'_>) -> Result<Redirect, RedirectError> {
        if self.response_type && self.code.is_none() && self.error.is_none() {
            return Err(RedirectError::AuthorizationUrl);
        }
        let (code, error) = (filled(self.code), ErrorBody::new(self.error, self.description, None));
        if code.is_none() && error.is_none() {
            return Err(RedirectError::NoCode);
        }
        if !filled(self.state).is_some_and(|state| expected.state.matches(&state)) {
            return Err(RedirectError::OtherState);
        }
        match (filled(self.iss), expected.issuer) {
            (Some(iss), Some(issuer)) if iss != issuer => return Err(RedirectError::OtherIssuer),
            (None, _) if expected.names_issuer => return Err(RedirectError::OtherIssuer),
            _ => {}
        }
        match (error, code) {
            (Some(error), _) => Ok(Redirect::Error(error)),
            (None, Some(code)) => Ok(Redirect::Code(Secret::new(code))),
            (None, None) => Err(RedirectError::NoCode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "http://127.0.0.1:8400/callback";

    fn read_with(pasted: &str, change: impl FnOnce(&mut Expected<'_>)) -> Result<String, RedirectError> {
        let state = Secret::from("s-1");
        let mut expected = Expected {
            redirect_uri: URI,
            state: &state,
            issuer: Some("https://login.example.org"),
            names_issuer: false,
            bare_code: false,
        };
        change(&mut expected);
        Redirect::read(pasted, &expected).map(|redirect| match redirect {
            Redirect::Code(code) => code.expose().to_owned(),
            Redirect::Error(error) => format!("error {}", error.code),
        })
    }

    fn read(pasted: &str) -> Result<String, RedirectError> {
        read_with(pasted, |_| {})
    }

    #[test]
    fn all_ways_in_which_people_bring_a_code() {
        for pasted in [
            "http://127.0.0.1:8400/callback?code=C0.x%40&state=s-1",
            "  http://127.0.0.1:8400/callback?code=C0.x%40&amp;state=s-1&session=abc \r\n",
            "http://127.0.0.1:8400/callback?code=C0.\nx%40&state=s-1",
            "http://127.0.0.1:8400/callback#code=C0.x%40&state=s-1",
            "http://127.0.0.1:8400/callback?state=s-1&code=C0.x%40#_=_",
            "?code=C0.x%40&state=s-1",
            "code=C0.x%40&state=s-1",
            "http://127.0.0.1:8400/callback?code=C0.x%40&state=s-1&iss=https%3A%2F%2Flogin.example.org",
            "C0.x%40#s-1",
        ] {
            assert_eq!(read(pasted).as_deref(), Ok("C0.x@"), "{pasted}");
        }
    }

    #[test]
    fn what_is_not_ours_leaves_the_question_open() {
        for (pasted, error) in [
            ("", RedirectError::NoCode),
            ("http://127.0.0.1:8400/callback", RedirectError::NoCode),
            ("http://127.0.0.1:8400/callback?code=&state=s-1", RedirectError::NoCode),
            ("http://127.0.0.1:8400/callback?state=s-1", RedirectError::NoCode),
            ("http://127.0.0.1:8400/favicon.ico?code=x&state=s-1", RedirectError::OtherUri),
            ("http://127.0.0.1:9/callback?code=x&state=s-1", RedirectError::OtherUri),
            ("https://evil.example.org/callback?code=x&state=s-1", RedirectError::OtherUri),
            ("https://login.example.org/authorize?response_type=code&state=s-1", RedirectError::AuthorizationUrl),
            ("http://127.0.0.1:8400/callback?code=x&state=s-2", RedirectError::OtherState),
            ("http://127.0.0.1:8400/callback?code=x", RedirectError::OtherState),
            ("http://127.0.0.1:8400/callback?error=access_denied&state=s-2", RedirectError::OtherState),
            ("http://127.0.0.1:8400/callback?code=x&code=y&state=s-1", RedirectError::Doubled),
            ("http://127.0.0.1:8400/callback?code=x&state=s-1#state=s-1", RedirectError::Doubled),
            (
                "http://127.0.0.1:8400/callback?code=x&state=s-1&iss=https%3A%2F%2Fevil.example.org",
                RedirectError::OtherIssuer,
            ),
            (
                "http://127.0.0.1:8400/callback?code=x&state=s-1&iss=https%3A%2F%2Flogin.example.org%2F",
                RedirectError::OtherIssuer,
            ),
            ("C0.x", RedirectError::OtherState),
            ("C0.x#s-2", RedirectError::OtherState),
        ] {
            assert_eq!(read(pasted).unwrap_err(), error, "{pasted}");
        }
    }

    #[test]
    fn an_issuer_that_is_announced_must_be_there_also_with_an_error() {
        let strict = |expected: &mut Expected<'_>| expected.names_issuer = true;
        for pasted in ["?code=x&state=s-1", "?error=access_denied&state=s-1", "?code=x&state=s-1&iss="] {
            assert_eq!(read_with(pasted, strict).unwrap_err(), RedirectError::OtherIssuer, "{pasted}");
        }
        let named = "?error=access_denied&error_description=no&state=s-1&iss=https%3A%2F%2Flogin.example.org";
        assert_eq!(read_with(named, strict).as_deref(), Ok("error access_denied"));
    }

    #[test]
    fn a_code_without_its_state_is_taken_by_option_only() {
        assert_eq!(read_with("C0.x%40", |expected| expected.bare_code = true).as_deref(), Ok("C0.x@"));
        let wrong = read_with("C0.x#s-2", |expected| expected.bare_code = true);
        assert_eq!(wrong.unwrap_err(), RedirectError::OtherState);
        let url = read_with("http://127.0.0.1:8400/callback?code=x", |expected| expected.bare_code = true);
        assert_eq!(url.unwrap_err(), RedirectError::OtherState);
    }
}
