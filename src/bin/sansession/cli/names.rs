//! The names of the environment variables, and those that are only nearly so.

/// What is read, each also as `NAME_FILE`.
const READ: [&str; 18] = [
    "USER",
    "PASSWORD",
    "CODE",
    "PIN",
    "TOKEN",
    "CONSUMER_KEY",
    "CONSUMER_SECRET",
    "ACCESS_TOKEN",
    "ACCESS_TOKEN_SECRET",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "REFRESH_TOKEN",
    "IP",
    "APP_ID",
    "UCC",
    "MOBILE",
    "TOTP_SECRET",
    "PROXY_SECRET",
];
/// What is no secret among them.
const PLAIN: [&str; 6] = ["USER", "CLIENT_ID", "IP", "APP_ID", "UCC", "MOBILE"];
/// What a command is given, which may start this tool again.
const GIVEN: [&str; 4] = ["BASE_URL", "AUTHORIZATION", "HEADERS", "PROXY"];

/// What a key of a profile stands for, with the variable's whole name.
#[derive(PartialEq, Eq, Debug)]
pub enum Kind {
    /// Something that may be written down.
    Plain(String),
    /// The name of a file with the value.
    File(String),
    /// Something that may not.
    Secret(String),
}

/// Reports what a key such as `password-file` stands for.
pub fn kind(key: &str) -> Option<Kind> {
    let name = key.to_ascii_uppercase().replace('-', "_");
    let (plain, is_file) = name.strip_suffix("_FILE").map_or((name.as_str(), false), |plain| (plain, true));
    let variable = READ.contains(&plain).then(|| format!("SANSESSION_{plain}"))?;
    Some(match (is_file, PLAIN.contains(&plain)) {
        (true, _) => Kind::File(variable),
        (false, true) => Kind::Plain(variable),
        (false, false) => Kind::Secret(variable),
    })
}

/// Reports whether a variable is no secret.
pub fn is_plain(variable: &str) -> bool {
    variable.strip_prefix("SANSESSION_").is_some_and(|name| PLAIN.contains(&name))
}

/// Returns each key of a profile that stands for a variable.
pub fn keys() -> impl Iterator<Item = String> {
    let key = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    READ.into_iter().flat_map(move |name| {
        let plain = PLAIN.contains(&name).then(|| key(name));
        plain.into_iter().chain([format!("{}-file", key(name))])
    })
}

/// Finds the name that was meant, if one is near.
pub fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let near = |known: &String| distance(name, known);
    known.filter(|known| near(known) <= 3).min_by_key(near)
}

/// Reports variables that nobody reads, each with the name that was meant.
pub fn misspelt() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut told: Vec<_> = names.filter_map(|name| unknown(name.strip_prefix("SANSESSION_")?)).collect();
    told.sort();
    told
}

fn unknown(name: &str) -> Option<String> {
    let plain = name.strip_suffix("_FILE").unwrap_or(name);
    if READ.contains(&plain) || GIVEN.contains(&name) {
        return None;
    }
    let meant = nearest(plain, READ.into_iter().map(ToOwned::to_owned));
    let meant = meant.map_or(String::new(), |known| {
        let file = if plain == name { "" } else { "_FILE" };
        format!("; is SANSESSION_{known}{file} meant?")
    });
    Some(format!("nobody reads SANSESSION_{name}{meant}"))
}

/// How many letters must be put in, taken out or changed.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let (mut before, mut next) = (i + 1, vec![i + 1]);
        for ((b, above), diagonal) in right.bytes().zip(row.iter().skip(1)).zip(&row) {
            before = (above + 1).min(before + 1).min(diagonal + usize::from(a != b));
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_told_from_a_name() {
        assert_eq!(unknown("PASSWORD_FILE"), None);
        assert_eq!(unknown("BASE_URL"), None);
        for (name, meant) in [("PASSWROD", "_PASSWORD meant"), ("USERS_FILE", "_USER_FILE meant"), ("WEATHER", "")] {
            assert!(unknown(name).unwrap().contains(meant), "{name}");
        }
        assert!(!unknown("WEATHER").unwrap().contains("meant"));
    }
}
