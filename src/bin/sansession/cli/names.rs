//! The names of the environment variables, and those that are only nearly so.

/// What is read, each also as `NAME_FILE`.
const READ: [&str; 16] = [
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
    "IP",
    "APP_ID",
    "UCC",
    "MOBILE",
    "TOTP_SECRET",
    "PROXY_SECRET",
];
/// What a command is given, which may start this tool again.
const GIVEN: [&str; 4] = ["BASE_URL", "AUTHORIZATION", "HEADERS", "PROXY"];

/// Tells of variables that nobody reads, each with the name that was meant.
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
    let nearest = READ.iter().min_by_key(|known| distance(plain, known)).filter(|known| distance(plain, known) <= 3);
    let meant = nearest.map_or(String::new(), |known| {
        let file = if plain == name { "" } else { "_FILE" };
        format!("; is SANSESSION_{known}{file} meant?")
    });
    Some(format!("nobody reads SANSESSION_{name}{meant}"))
}

/// How many letters must be put in, taken out or changed.
pub fn distance(left: &str, right: &str) -> usize {
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
