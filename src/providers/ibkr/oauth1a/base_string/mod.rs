//! The signature base string: the text that is signed.
//!
//! It is the method, the URL and all parameters, each percent-encoded (RFC 3986, upper-case digits)
//! and joined with `&`; a prefix stands directly before the method. The parameters are those of
//! OAuth, of the query and of a form body, decoded, sorted by name and then by value, joined as
//! `name=value` with `&`, and only then encoded, once and as a whole. RFC 5849 encodes each value
//! before joining too; IBKR's documents and worked example do not. JSON bodies are not signed.
//!
//! Some third-party clients omit the query and work as well, so the server seems lenient;
//! the worked example includes it.

use http::{Method, Uri};

/// A parameter's name and value, encoded as in a query or a form; OAuth's own have nothing to encode.
pub(crate) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Builds the signature base string. `oauth` are OAuth's own parameters, in any order, whose values
/// must not need an escape; `form` is the body of a form post.
///
/// # Errors
/// Names the part of the URI that cannot be signed: it must be absolute and without a user name.
///
/// ```
/// use sansession::providers::ibkr::oauth1a::base_string;
///
/// let uri = "https://api.example.org/v1/api/trades?days=3".parse().unwrap();
/// let text = base_string("", &http::Method::GET, &uri, &[("oauth_token", "abc")], None).unwrap();
/// assert_eq!(text, b"GET&https%3A%2F%2Fapi.example.org%2Fv1%2Fapi%2Ftrades&days%3D3%26oauth_token%3Dabc");
/// ```
pub fn base_string(
    prefix: &str,
    method: &Method,
    uri: &Uri,
    oauth: &[(&str, &str)],
    form: Option<&[u8]>,
) -> Result<Vec<u8>, &'static str> {
    let mut sorted = oauth.to_vec();
    sorted.sort_unstable();
    build(prefix, method, uri, sorted.into_iter(), form)
}

/// Implements [`base_string`] for OAuth parameters in the order of their names.
pub(crate) fn build<'a>(
    prefix: &str,
    method: &Method,
    uri: &'a Uri,
    oauth: impl Iterator<Item = (&'a str, &'a str)>,
    form: Option<&'a [u8]>,
) -> Result<Vec<u8>, &'static str> {
    let mut pairs: Vec<Pair<'a>> = Vec::with_capacity(16);
    pairs.extend(oauth.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let query = uri.query().map(str::as_bytes);
    if query.is_some() || form.is_some() {
        for text in [query, form].into_iter().flatten() {
            pairs.extend(split(text));
        }
        // Most calls have nothing to decode, and bytes compare much faster than what they mean.
        let escapes = |text: &&[u8]| text.iter().any(|byte| matches!(byte, b'%' | b'+'));
        if [query, form].iter().flatten().any(escapes) {
            pairs.sort_unstable_by(|left, right| {
                Decoded(left.0).cmp(Decoded(right.0)).then_with(|| Decoded(left.1).cmp(Decoded(right.1)))
            });
        } else {
            pairs.sort_unstable();
        }
    }
    // Room for the worst case, so that the text, which may begin with a secret, is never moved.
    let parameters: usize = pairs.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 6).sum();
    let address = uri.path().len() + uri.authority().map_or(0, |authority| authority.as_str().len()) + 8;
    let mut text = Vec::with_capacity(prefix.len() + method.as_str().len() + 3 * address + parameters + 2);
    text.extend_from_slice(prefix.as_bytes());
    text.extend_from_slice(method.as_str().as_bytes());
    text.push(b'&');
    push_address(&mut text, uri)?;
    let mut separator: &[u8] = b"&";
    for (name, value) in pairs {
        text.extend_from_slice(separator);
        push_decoded(&mut text, name);
        text.extend_from_slice(b"%3D");
        push_decoded(&mut text, value);
        separator = b"%26";
    }
    Ok(text)
}

/// Appends scheme, authority and path, percent-encoded: the scheme's own port is left out and the
/// host is in lower case (RFC 5849, 3.4.1.2).
fn push_address(text: &mut Vec<u8>, uri: &Uri) -> Result<(), &'static str> {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("the URI is not absolute");
    };
    if authority.as_str().contains('@') {
        return Err("the URI has a user name");
    }
    text.extend_from_slice(scheme.as_bytes());
    text.extend_from_slice(b"%3A%2F%2F");
    let start = text.len();
    push_encoded(text, authority.host().as_bytes());
    if let Some(host) = text.get_mut(start..) {
        lower_outside_escapes(host);
    }
    let own = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    if let Some(port) = authority.port()
        && authority.port_u16() != own
    {
        text.extend_from_slice(b"%3A");
        text.extend_from_slice(port.as_str().as_bytes());
    }
    push_encoded(text, if uri.path().is_empty() { b"/" } else { uri.path().as_bytes() });
    Ok(())
}

/// Lower-cases a host but not the digits of its escapes: `[::1]` is `%5B%3A%3A1%5D`.
fn lower_outside_escapes(host: &mut [u8]) {
    let mut escaped = 0;
    for byte in host {
        if *byte == b'%' {
            escaped = 3;
        }
        if escaped == 0 {
            byte.make_ascii_lowercase();
        } else {
            escaped -= 1;
        }
    }
}

/// Splits a query or a form into pairs; one without `=` has an empty value.
fn split(text: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
    })
}

/// Appends the encoded form of what a part of a query means.
fn push_decoded(text: &mut Vec<u8>, part: &[u8]) {
    if part.iter().all(|byte| is_unreserved(*byte)) {
        text.extend_from_slice(part);
    } else {
        for byte in Decoded(part) {
            push_byte(text, byte);
        }
    }
}

/// Appends a text percent-encoded.
pub(crate) fn push_encoded(text: &mut Vec<u8>, mut part: &[u8]) {
    while let Some(end) = part.iter().position(|byte| !is_unreserved(*byte)) {
        let (run, rest) = part.split_at(end);
        text.extend_from_slice(run);
        if let Some((first, rest)) = rest.split_first() {
            push_byte(text, *first);
            part = rest;
        }
    }
    text.extend_from_slice(part);
}

#[inline]
fn push_byte(text: &mut Vec<u8>, byte: u8) {
    if is_unreserved(byte) {
        text.push(byte);
    } else {
        let [high, low] = crate::providers::ibkr::hex::byte(byte).map(|digit| digit.to_ascii_uppercase());
        text.extend_from_slice(&[b'%', high, low]);
    }
}

/// Reports whether a byte stands for itself in a percent-encoded text (RFC 3986, 2.3).
#[inline]
pub(crate) fn is_unreserved(byte: u8) -> bool {
    // Looked up: comparisons with five ranges cost a third of a signature's time.
    UNRESERVED.get(usize::from(byte)).copied().unwrap_or_default()
}

static UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &mut [bool] = &mut table;
    let mut byte = 0_u8;
    while let Some((entry, later)) = rest.split_first_mut() {
        *entry = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        (rest, byte) = (later, byte.wrapping_add(1));
    }
    table
};

/// The bytes that a part of a query or a form means: `+` is a space, `%41` an A; a `%` that begins no
/// escape is itself.
#[derive(Clone)]
struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        match first {
            b'+' => Some(b' '),
            b'%' => {
                let escaped = rest.split_first_chunk::<2>().and_then(|(digits, rest)| {
                    let digit = |at: u8| char::from(at).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                    let [high, low] = *digits;
                    Some((digit(high)? << 4 | digit(low)?, rest))
                });
                let (byte, rest) = escaped.unwrap_or((b'%', rest));
                self.0 = rest;
                Some(byte)
            }
            byte => Some(*byte),
        }
    }
}

#[cfg(test)]
mod tests;
