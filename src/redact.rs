//! What is shown of text that others wrote: no token, and no control character.

/// No word of a message is that long and has so many digits; tokens are, and have.
const TOKEN: usize = 20;
const DIGITS: usize = 3;

/// Longer ones are no words, digits or not.
const LONGEST: usize = 40;

/// Reports whether a run of letters, digits and the signs of base64 is a token rather than a word.
pub(crate) fn is_token(run: &str) -> bool {
    let digits = || run.bytes().filter(u8::is_ascii_digit).count();
    run.len() >= LONGEST || run.len() >= TOKEN && digits() >= DIGITS
}

/// Reports whether a character may be one of a token. A dot, a slash and a colon may not, so that a
/// URL is a sequence of words.
pub(crate) const fn is_of_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '+' | '=')
}

/// Appends a character of a server's text, escaped where a terminal or a log would not show it as it is.
pub(crate) fn escape(character: char, into: &mut String) {
    if character.is_control() || is_invisible(character) {
        into.extend(character.escape_default());
    } else {
        into.push(character);
    }
}

/// Characters that turn a line of text around or hide in it.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
