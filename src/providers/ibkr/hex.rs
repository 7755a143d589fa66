//! Hexadecimal digits as IBKR's big integers have them: any number of them, an odd one too.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes one byte as two lower-case digits.
pub(crate) fn byte(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 15)).copied().unwrap_or(b'0');
    [digit(byte >> 4), digit(byte)]
}

/// Appends bytes as lower-case digits, two for each.
pub(crate) fn push(text: &mut String, bytes: &[u8]) {
    for &value in bytes {
        let [high, low] = byte(value);
        text.push(char::from(high));
        text.push(char::from(low));
    }
}

/// Reads a big-endian integer into a fixed number of bytes; `None` where a character is no digit,
/// there is none at all, or the integer does not fit.
pub(crate) fn integer<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.is_empty() {
        return None;
    }
    let mut bytes = [0_u8; N];
    let mut places = bytes.iter_mut().rev();
    let mut digits = text.bytes().rev();
    while let Some(low) = digits.next() {
        let low = nibble(low)?;
        let high = digits.next().map_or(Some(0), nibble)?;
        let value = high << 4 | low;
        match places.next() {
            Some(place) => *place = value,
            None if value == 0 => {}
            None => return None,
        }
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_have_an_odd_number_of_digits() {
        assert_eq!(integer::<2>("1"), Some([0, 1]));
        assert_eq!(integer::<2>("aBc"), Some([0x0a, 0xbc]));
        assert_eq!(integer::<2>("ffff"), Some([0xff, 0xff]));
        assert_eq!(integer::<2>("000ffff"), Some([0xff, 0xff]));
        for text in ["", "1ffff", "10000", "0x1", "-1", " 1", "g"] {
            assert_eq!(integer::<2>(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_written_with_two_digits_each() {
        let mut text = String::new();
        push(&mut text, &[0, 0x0f, 0xa0]);
        assert_eq!(text, "000fa0");
    }
}
