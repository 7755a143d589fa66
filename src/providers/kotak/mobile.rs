//! Mobile numbers in the form that Neo accepts.

use zeroize::Zeroizing;

use crate::{Secret, machine::Rejection};

/// India's country code, and the number of digits after it.
const INDIA: (&str, usize) = ("91", 10);

/// The length of a foreign number, country code included (ITU-T E.164).
const ABROAD: core::ops::RangeInclusive<usize> = 8..=15;

/// Returns a number as `+` and digits, however a person writes it: `98765 43210`, `098765-43210`,
/// `919876543210`, `+91 98765 43210`, `0091…`. One without a country code is Indian.
///
/// # Errors
/// [`Rejection`] where it is empty, or not a number of India or another country. The server would find a typing error only
/// after it has spent an authenticator's code.
pub(super) fn normal(number: &Secret) -> Result<Secret, Rejection> {
    const MALFORMED: Rejection = Rejection::Malformed("mobile");
    let text = number.expose().trim();
    if text.is_empty() {
        return Err(Rejection::Empty("mobile"));
    }
    let (plus, text) = text.strip_prefix('+').map_or((false, text), |text| (true, text));
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    for character in text.chars() {
        match character {
            '0'..='9' => digits.push(character),
            ' ' | '\u{a0}' | '-' | '.' | '(' | ')' => {}
            _ => return Err(MALFORMED),
        }
    }
    let (code, length) = INDIA;
    let national = match (plus, digits.len()) {
        (false, all) if all == length => Some(&**digits),
        (false, all) if all == length + 1 => digits.strip_prefix('0'),
        (false, all) if all == code.len() + length => digits.strip_prefix(code),
        _ => None,
    };
    let with_code = |rest: &str| Secret::new(format!("+{code}{rest}"));
    if let Some(national) = national {
        return Ok(with_code(national));
    }
    // In most countries 00 stands for the plus.
    let international = if plus { Some(&**digits) } else { digits.strip_prefix("00") };
    let international = international.filter(|digits| ABROAD.contains(&digits.len()) && !digits.starts_with('0'));
    match international.ok_or(MALFORMED)?.strip_prefix(code) {
        Some(national) if national.len() == length => Ok(with_code(national)),
        Some(_) => Err(MALFORMED),
        None => Ok(Secret::new(format!("+{}", international.unwrap_or_default()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(number: &str) -> Result<String, Rejection> {
        normal(&number.into()).map(|number| number.expose().to_owned())
    }

    #[test]
    fn one_number_has_one_form() {
        for written in [
            "9876543210",
            "919876543210",
            "09876543210",
            "+91 98765 43210",
            "+919876543210",
            " 98765-43210\n",
            "0091 98765 43210",
            "+91-(98765)-43210",
            "+91\u{a0}98765.43210",
        ] {
            assert_eq!(form(written).as_deref(), Ok("+919876543210"), "{written}");
        }
        assert_eq!(form("0000000000").as_deref(), Ok("+910000000000"));
        assert_eq!(form("00000000000").as_deref(), Ok("+910000000000"));
    }

    #[test]
    fn a_number_of_another_country_keeps_its_code() {
        assert_eq!(form("+44 7911 123456").as_deref(), Ok("+447911123456"));
        assert_eq!(form("0044 7911 123456").as_deref(), Ok("+447911123456"));
        assert_eq!(form("+1 (202) 555-0143").as_deref(), Ok("+12025550143"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for empty in ["", " ", "\n"] {
            assert_eq!(form(empty), Err(Rejection::Empty("mobile")), "{empty:?}");
        }
        for wrong in [
            "987654321",
            "98765432100",
            "+91987654321",
            "+9198765432100",
            "91987654321",
            "19876543210",
            "+0919876543210",
            "+",
            "+1",
            "++919876543210",
            "98765+43210",
            "98765x3210",
            "९८७६५४३२१०",
            "9876543210\r\nX-Evil: 1",
            "+1234567890123456",
        ] {
            assert_eq!(form(wrong), Err(Rejection::Malformed("mobile")), "{wrong:?}");
        }
    }
}
