//! What a token endpoint answers.

use core::time::Duration;

use super::{ErrorBody, filled};
use crate::wire::{self, Lenient, Text};
use crate::{Response, Secret};

/// The longest life that is believed.
const YEAR: u64 = 365 * 24 * 3600;

/// Seconds that are a number or digits; none where they are no time to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seconds(u64);

impl Seconds {
    pub(super) fn life(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::from_secs(self.0.min(YEAR)))
    }
}

impl<'de> Lenient<'de> for Seconds {
    fn from_u64(value: u64) -> Option<Self> {
        Some(Self(value))
    }

    fn from_i64(_: i64) -> Option<Self> {
        Some(Self(0))
    }

    fn from_f64(value: f64) -> Option<Self> {
        // A cast of what is no number, or of none that fits, ends at the nearest that does.
        Some(Self(value as u64))
    }

    fn from_text(text: Text<'de>) -> Option<Self> {
        text.trim().parse().ok().and_then(Self::from_f64)
    }
}

crate::wire_object! {
    /// The fields of a token endpoint's answer, success or error.
    struct TokenBody<'a> {
        /// The access token.
        access_token: Text<'a> = "access_token",
        /// How it is to be used.
        token_type: Text<'a> = "token_type",
        /// How long it lives.
        expires_in: Seconds = "expires_in",
        /// The next refresh token.
        refresh_token: Text<'a> = "refresh_token",
        /// How long that lives.
        refresh_expires_in: Seconds = "refresh_token_expires_in" | "refresh_expires_in" | "x_refresh_token_expires_in" | "refresh_token_timeout",
        /// How long the consent lives.
        consent_expires_in: Seconds = "authorization_expires_in",
        /// What was granted.
        scope: Text<'a> = "scope",
        /// The code of an error.
        error: Text<'a> = "error",
        /// Its description.
        error_description: Text<'a> = "error_description",
        /// A finer code.
        subcode: Text<'a> = "error_subtype" | "suberror",
        /// How long to wait between two polls.
        interval: Seconds = "interval",
    }
}

impl<'a> TokenBody<'a> {
    /// Reads JSON, then a form, whatever the media type says.
    fn read(body: &'a [u8]) -> Option<Self> {
        wire::json(body).or_else(|| Self::from_form(body))
    }

    fn from_form(body: &'a [u8]) -> Option<Self> {
        if !body.contains(&b'=') || body.first().is_none_or(|first| b"<{[ \r\n\t".contains(first)) {
            return None;
        }
        let pairs: Vec<(Text<'a>, Text<'a>)> = serde_urlencoded::from_bytes(body).ok()?;
        let mut form = Self::default();
        for (name, value) in pairs {
            match &*name {
                "access_token" => form.access_token = Some(value),
                "token_type" => form.token_type = Some(value),
                "expires_in" => form.expires_in = Seconds::from_text(value),
                "refresh_token" => form.refresh_token = Some(value),
                "refresh_token_expires_in" => form.refresh_expires_in = Seconds::from_text(value),
                "scope" => form.scope = Some(value),
                "error" => form.error = Some(value),
                "error_description" => form.error_description = Some(value),
                "interval" => form.interval = Seconds::from_text(value),
                _ => {}
            }
        }
        Some(form)
    }
}

/// What was granted, as a set: the order does not matter, and servers that write commas exist.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scopes(std::collections::BTreeSet<Box<str>>);

impl Scopes {
    /// Reads a list with spaces or commas between.
    pub fn read(text: &str) -> Self {
        let words = text.split(|character: char| character.is_whitespace() || character == ',');
        Self(words.filter(|word| !word.is_empty()).map(Into::into).collect())
    }

    /// Returns what is wanted and was not granted.
    pub fn missing<'a>(&'a self, wanted: &'a Self) -> impl Iterator<Item = &'a str> {
        wanted.0.difference(&self.0).map(|scope| &**scope)
    }

    /// Reports whether a scope was granted.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Returns the scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }
}

/// Tokens, and for how long they are good.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token: `Authorization: Bearer …`, with this capital whatever the answer wrote.
    pub access: Secret,
    /// How long it lives from when the request was sent, a year at most; none where the server did not say so, or said
    /// nothing that is a time to come. It is not "for ever" then: renew when a call is refused.
    pub expires_in: Option<Duration>,
    /// The refresh token. None at a refresh: **the old one stays**. One: it replaces the old one, which must be forgotten.
    pub refresh: Option<Secret>,
    /// How long the refresh token lives, where the server said so.
    pub refresh_expires_in: Option<Duration>,
    /// How long the person's consent lives, where the server said so.
    pub consent_expires_in: Option<Duration>,
    /// What was granted; none means what was asked for, or nothing at all: only a call proves it.
    pub scopes: Option<Scopes>,
}

/// What a token endpoint's answer proves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TokenAnswer {
    /// Tokens.
    Tokens(Box<Tokens>),
    /// An error of OAuth, whatever the status was; ask [`ErrorBody::meaning`].
    Error {
        /// The error.
        error: ErrorBody,
        /// For polls: the interval that the server wants from now on.
        interval: Option<Duration>,
    },
    /// Tokens of a type that must not be used, since nobody knows how (RFC 6749, section 7.1).
    UnknownType,
    /// The server did not check the request: 429, 503, a refusal by an edge (a 4xx without an OAuth error), a redirect. What was
    /// sent is unspent; send it again later. A redirect is a wrong URL: it is never followed with a secret.
    Unjudged,
    /// Nothing is proven: 200 without tokens, a broken body, 500, 502, 504. The server may have spent what was sent.
    Unknown,
}

impl TokenAnswer {
    /// Reads an answer. `error` wins over tokens and over the status.
    pub fn read(response: Response<'_>) -> Self {
        let status = response.status;
        if let Some(body) = TokenBody::read(response.body) {
            if let Some(error) = ErrorBody::of(response.status, body.error, body.error_description, body.subcode) {
                return Self::Error { error, interval: body.interval.and_then(Seconds::life) };
            }
            if let (true, Some(access)) = (status.is_success(), filled(body.access_token)) {
                if filled(body.token_type).is_some_and(|kind| !kind.trim().eq_ignore_ascii_case("bearer")) {
                    return Self::UnknownType;
                }
                return Self::Tokens(Box::new(Tokens {
                    access: Secret::new(access),
                    expires_in: body.expires_in.and_then(Seconds::life),
                    refresh: filled(body.refresh_token).map(Secret::new),
                    refresh_expires_in: body.refresh_expires_in.and_then(Seconds::life),
                    consent_expires_in: body.consent_expires_in.and_then(Seconds::life),
                    scopes: filled(body.scope).map(|scope| Scopes::read(&scope)),
                }));
            }
        }
        match status.as_u16() {
            503 => Self::Unjudged,
            300..=499 => Self::Unjudged,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> TokenAnswer {
        TokenAnswer::read((&http::Response::builder().status(status).body(body).unwrap()).into())
    }

    fn tokens(body: &str) -> Tokens {
        match read(200, body) {
            TokenAnswer::Tokens(tokens) => *tokens,
            other => panic!("{body}: {other:?}"),
        }
    }

    fn error(status: u16, body: &str) -> String {
        match read(status, body) {
            TokenAnswer::Error { error, .. } => error.code.as_str().to_owned(),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn a_good_answer_is_read_whole() {
        let all = tokens(
            r#"{"access_token":"a","token_type":"bEARER","expires_in":599,"refresh_token":"r","scope":"b a,c","refresh_expires_in":1800,"authorization_expires_in":604800,"id_token":"x","more":[1]}"#,
        );
        assert_eq!((all.access.expose(), all.refresh.unwrap().expose().to_owned()), ("a", "r".to_owned()));
        assert_eq!(all.expires_in, Some(Duration::from_secs(599)));
        assert_eq!(all.refresh_expires_in, Some(Duration::from_secs(1_800)));
        assert_eq!(all.consent_expires_in, Some(Duration::from_secs(604_800)));
        assert_eq!(all.scopes.unwrap().iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(!format!("{:?}", read(200, r#"{"access_token":"geheim"}"#)).contains("geheim"));
    }

    #[test]
    fn lives_are_numbers_or_digits_and_never_for_ever() {
        for (life, seconds) in [
            ("86399", Some(86_399)),
            ("\"86399\"", Some(86_399)),
            ("\" 3600 \"", Some(3_600)),
            ("3599.9", Some(3_599)),
            ("\"3599.9\"", Some(3_599)),
            ("1e30", Some(YEAR)),
            ("99999999999999999999", Some(YEAR)),
            ("0", None),
            ("-1", None),
            ("\"-1\"", None),
            ("\"soon\"", None),
            ("null", None),
            ("{}", None),
            ("true", None),
        ] {
            let found = tokens(&format!(r#"{{"access_token":"a","expires_in":{life}}}"#)).expires_in;
            assert_eq!(found, seconds.map(Duration::from_secs), "{life}");
        }
        assert_eq!(tokens(r#"{"access_token":"a"}"#).expires_in, None);
    }

    #[test]
    fn a_type_may_be_missing_and_a_refresh_token_empty() {
        for body in [
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","token_type":"","refresh_token":""}"#,
            r#"{"access_token":"a","token_type":null,"refresh_token":null}"#,
        ] {
            assert!(tokens(body).refresh.is_none(), "{body}");
        }
        assert!(matches!(read(200, r#"{"access_token":"a","token_type":"mac"}"#), TokenAnswer::UnknownType));
    }

    #[test]
    fn forms_are_read_whatever_the_media_type_says() {
        let form = tokens("access_token=a%2F1&token_type=bearer&scope=repo%2Cuser&expires_in=28800&refresh_token=r+1");
        assert_eq!((form.access.expose(), form.refresh.unwrap().expose().to_owned()), ("a/1", "r 1".to_owned()));
        assert_eq!(form.expires_in, Some(Duration::from_secs(28_800)));
        assert!(form.scopes.unwrap().contains("user"));
        assert_eq!(error(200, "error=bad_verification_code&error_description=x"), "bad_verification_code");
    }

    #[test]
    fn an_error_wins_over_status_and_tokens() {
        for status in [200, 400, 401, 403, 500, 503] {
            assert_eq!(error(status, r#"{"error":"invalid_grant","access_token":"a"}"#), "invalid_grant");
        }
        let TokenAnswer::Error { interval, .. } = read(200, r#"{"error":"slow_down","interval":10}"#) else { panic!() };
        assert_eq!(interval, Some(Duration::from_secs(10)));
    }

    #[test]
    fn what_is_no_answer_of_the_server_proves_nothing() {
        let unjudged = |status, body| matches!(read(status, body), TokenAnswer::Unjudged);
        let unknown = |status, body| matches!(read(status, body), TokenAnswer::Unknown);
        for (status, body) in [
            (403, "<html>Access Denied</html>"),
            (429, ""),
            (503, "busy"),
            (302, ""),
            (307, ""),
            (404, "{}"),
            (400, ""),
        ] {
            assert!(unjudged(status, body), "{status} {body}");
        }
        for (status, body) in [
            (200, ""),
            (200, "<html>a=b</html>"),
            (200, r#"{"access_tok"#),
            (200, "{}"),
            (200, r#"{"access_token":""}"#),
            (200, r#"{"access_token":7}"#),
            (204, ""),
            (500, r#"{"access_token":"a"}"#),
            (502, "<html>"),
            (504, ""),
        ] {
            assert!(unknown(status, body), "{status} {body}");
        }
    }

    #[test]
    fn scopes_compare_as_sets() {
        let (granted, wanted) = (Scopes::read("openid b  a"), Scopes::read("a,b c"));
        assert_eq!(granted.missing(&wanted).collect::<Vec<_>>(), ["c"]);
        assert_eq!(Scopes::read("a b"), Scopes::read("b,a"));
        assert_eq!(Scopes::read(" , ").iter().count(), 0);
    }
}
