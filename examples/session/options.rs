//! The options as `--help` lists them: which one was meant, and which provider it is for.

use crate::Usage;
use crate::help::HELP;
use crate::names::distance;

/// Complains of an option that is none, with the one that was meant.
pub fn unknown(name: &str) -> Usage {
    let nearest = listed().map(|(known, _)| (typos(name, known), known)).min();
    let meant = nearest.filter(|(typos, _)| *typos <= 2).map(|(_, known)| format!("; is --{known} meant?"));
    Usage(format!("there is no option --{name}{}", meant.unwrap_or_default()))
}

/// Complains of options that would do nothing.
pub fn check(provider: &str, given: &[String], has_url: bool) -> Result<(), Usage> {
    for option in given {
        let Some((_, Some(whose))) = listed().find(|(name, _)| option.strip_prefix("--") == Some(name)) else {
            continue;
        };
        let fits = whose.strip_suffix('*').map_or(provider == whose, |start| provider.starts_with(start));
        if !fits {
            return Err(Usage(format!("{option} is for {whose}, not for {provider}")));
        }
        if whose.starts_with("ibkr-oauth") && !has_url {
            return Err(Usage(format!("{option} needs --url: the embedded simulator has keys of its own")));
        }
    }
    Ok(())
}

/// Counts letters that are out of their order as one typo.
fn typos(given: &str, known: &str) -> usize {
    let letters = |text: &str| {
        let mut letters = text.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    if letters(given) == letters(known) { 1 } else { distance(given, known) }
}

/// Gives the name of each option, and whose it is where its words begin with a provider.
fn listed() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    HELP.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("  --")?.split_once(' ')?;
        // What is left of the first two spaces in a row is the name of the value.
        let words = rest.trim_start();
        let words = words.split_once("  ").map_or(words, |(_, words)| words.trim_start());
        let whose = words.split_once(':').map(|(whose, _)| whose).filter(|whose| whose.starts_with("ibkr-"));
        Some((name, whose))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_tells_whose_an_option_is() {
        let whose = |name| listed().find(|(listed, _)| *listed == name).map(|(_, whose)| whose);
        assert_eq!(whose("compete"), Some(Some("ibkr-*")));
        assert_eq!(whose("dh-param"), Some(Some("ibkr-oauth1a")));
        assert_eq!(whose("ca-file"), Some(None));
        assert_eq!(whose("relogin"), Some(None));
        assert_eq!(whose("sgnature-key"), None);
    }

    #[test]
    fn a_typo_is_told_from_nonsense() {
        assert!(unknown("ulr").0.contains("--url meant"));
        assert!(unknown("sgnature-key").0.contains("--signature-key meant"));
        assert!(!unknown("colour").0.contains("meant"));
    }
}
