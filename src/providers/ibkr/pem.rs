//! PEM files as people have them: any line length, either line ending, text before the first block.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// The first block of a PEM text.
pub(crate) struct Block<'a> {
    /// The words after `BEGIN`.
    pub(crate) label: &'a str,
    /// The decoded body.
    pub(crate) der: Zeroizing<Vec<u8>>,
    /// Whether a header says that the body is encrypted (`Proc-Type: 4,ENCRYPTED`).
    pub(crate) encrypted: bool,
}

/// Reads the first block of a PEM text; `None` where there is none or it is broken.
pub(crate) fn first(text: &str) -> Option<Block<'_>> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    let (end, _) = rest.split_once("-----")?;
    if end != label {
        return None;
    }
    let mut digits = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut encrypted = false;
    for line in body.lines().map(str::trim) {
        // RFC 1421 headers hold a colon, base64 does not.
        if line.contains(':') {
            encrypted |= line.starts_with("Proc-Type") && line.ends_with("ENCRYPTED");
        } else if !encrypted {
            digits.extend(line.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    let mut der = Zeroizing::new(vec![0; digits.len()]);
    let length = BASE64_STANDARD.decode_slice(&digits, &mut der).ok()?;
    der.truncate(length);
    Some(Block { label, der, encrypted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_however_it_is_wrapped() {
        for text in [
            "-----BEGIN X Y-----\nAQID\n-----END X Y-----\n",
            "text\r\n-----BEGIN X Y-----\r\nAQ\r\nID\r\n-----END X Y-----",
            "-----BEGIN X Y----- AQ ID -----END X Y-----",
        ] {
            let block = first(text).unwrap();
            assert_eq!((block.label, block.der.as_slice()), ("X Y", [1, 2, 3].as_slice()), "{text}");
        }
    }

    #[test]
    fn broken_blocks_are_none() {
        for text in [
            "",
            "AQID",
            "-----BEGIN X-----",
            "-----BEGIN X-----\nAQID\n-----END Y-----",
            "-----BEGIN X-----\nA*ID\n-----END X-----",
            "-----BEGIN X-----\nAQID",
        ] {
            assert!(first(text).is_none(), "{text}");
        }
    }
}
