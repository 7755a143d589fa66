//! The difference between two texts of JSON, so that nobody has to find it.

use serde_json::Value;

/// The most places that are shown.
const MOST: usize = 12;

/// Lists each difference of two texts: `session.due.step: "look" became "open"`.
pub(super) fn difference(before: &str, after: &str) -> String {
    let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let mut places = Vec::new();
    compare("", Some(&read(before)), Some(&read(after)), &mut places);
    let more = places.len().saturating_sub(MOST);
    places.truncate(MOST);
    if more > 0 {
        places.push(format!("and {more} more"));
    }
    if places.is_empty() { "nothing".to_owned() } else { places.join("\n  ") }
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, places: &mut Vec<String>) {
    if before == after {
        return;
    }
    if let (Some(Value::Object(left)), Some(Value::Object(right))) = (before, after) {
        for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            compare(&path, left.get(name), right.get(name), places);
        }
        return;
    }
    if let (Some(Value::Array(left)), Some(Value::Array(right))) = (before, after)
        && left.len() == right.len()
    {
        for (index, (before, after)) in left.iter().zip(right).enumerate() {
            compare(&format!("{path}[{index}]"), Some(before), Some(after), places);
        }
        return;
    }
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    places.push(format!("{path}: {} became {}", shown(before), shown(after)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_with_its_place() {
        let shown = difference(
            r#"{"epoch":1,"session":{"due":{"step":"look","at":5},"list":[1,2],"gone":true}}"#,
            r#"{"epoch":1,"session":{"due":{"step":"open","at":5},"list":[1,3],"new":null}}"#,
        );
        let places = [
            "session.due.step: \"look\" became \"open\"",
            "session.gone: true became nothing",
            "session.list[1]: 2 became 3",
            "session.new: nothing became null",
        ];
        assert_eq!(shown, places.join("\n  "));
        assert_eq!(difference("{}", "{}"), "nothing");
    }
}
