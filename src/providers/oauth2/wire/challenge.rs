//! What a resource server refuses a token with.

use http::header::WWW_AUTHENTICATE;

use crate::Response;

/// What a resource server says of a token that it does not take (RFC 6750, section 3; RFC 9728, section 5.1).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Challenge {
    /// `invalid_token`: the access token is expired, revoked or malformed: refresh. `insufficient_scope`: the session lives,
    /// only a consent to more helps. None: no token was seen, or the server is terse.
    pub error: Option<Box<str>>,
    /// The scopes that would do.
    pub scope: Option<Box<str>>,
    /// Where the resource's metadata are.
    pub resource_metadata: Option<Box<str>>,
}

impl Challenge {
    /// Reads the challenge `Bearer` of an answer; none where there is none.
    pub fn read(response: Response<'_>) -> Option<Self> {
        let headers = response.headers.get_all(WWW_AUTHENTICATE);
        headers.iter().filter_map(|value| value.to_str().ok()).find_map(Self::of_header)
    }

    fn of_header(value: &str) -> Option<Self> {
        let mut rest = value;
        loop {
            let (scheme, parameters) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
            let (found, after) = Self::parameters(parameters);
            if scheme.eq_ignore_ascii_case("bearer") {
                return Some(found);
            }
            if after.is_empty() || after.len() >= rest.len() {
                return None;
            }
            rest = after;
        }
    }

    /// Reads `name="value"` pairs up to the next scheme, and returns what follows.
    fn parameters(text: &str) -> (Self, &str) {
        let mut found = Self::default();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([' ', ',', '\t']);
            let end = rest.find(['=', ' ', ',']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let Some(after) = after.strip_prefix('=') else { return (found, rest) };
            let (value, after) = value(after);
            let field = match name.to_ascii_lowercase().as_str() {
                "error" => Some(&mut found.error),
                "scope" => Some(&mut found.scope),
                "resource_metadata" => Some(&mut found.resource_metadata),
                _ => None,
            };
            if let Some(field) = field {
                *field = Some(value.into());
            }
            rest = after;
        }
    }
}

/// Reads a token or a quoted string, with its escapes, and returns what follows.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, quoted.get(at + 1..).unwrap_or("")),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> http::Response<String> {
        http::Response::builder().status(status).body(body.to_owned()).unwrap()
    }

    #[test]
    fn challenges_are_found_among_others() {
        let challenge = |values: &[&str]| {
            let mut response = response(401, "");
            for value in values {
                response.headers_mut().append(WWW_AUTHENTICATE, value.parse().unwrap());
            }
            Challenge::read((&response).into())
        };
        let found = challenge(&[r#"Bearer realm="a, b", error="invalid_token", scope="r w""#]).unwrap();
        assert_eq!((found.error.as_deref(), found.scope.as_deref()), (Some("invalid_token"), Some("r w")));
        let metadata = r#"bearer resource_metadata="https://api.example.org/.well-known/x""#;
        for values in [&[metadata][..], &["Basic realm=\"x\"", metadata], &[&format!("Basic realm=\"x\", {metadata}")]]
        {
            let found = challenge(values).unwrap();
            assert_eq!(found.resource_metadata.as_deref(), Some("https://api.example.org/.well-known/x"), "{values:?}");
            assert_eq!(found.error, None);
        }
        assert_eq!(challenge(&["Bearer"]), Some(Challenge::default()));
        assert_eq!(challenge(&[r#"Bearer error="a\"b"#]).unwrap().error.as_deref(), Some("a\"b"));
        for none in [&[][..], &["Basic"], &["Digest qop=auth, nonce=\"x\""], &["="], &[",,,"]] {
            assert_eq!(challenge(none), None, "{none:?}");
        }
    }
}
