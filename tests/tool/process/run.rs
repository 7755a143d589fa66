//! A run that is over: its exit code, what it printed, and that this has no secret in it.

use serde_json::Value;

use super::PASSWORD;

#[derive(Debug)]
pub struct Run {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    pub lines: Vec<String>,
    pub err: String,
}

impl Run {
    /// The objects of `--json`.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let read = |line: &String| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{self:#?}"));
        self.lines.iter().map(read).collect()
    }

    /// The lines of `--json` in short.
    #[track_caller]
    pub fn story(&self) -> Vec<String> {
        let text = |line: &Value, key: &str| match &line[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.json()
            .iter()
            .map(|line| match line["event"].as_str().unwrap() {
                "send" => format!("-> {} {}", text(line, "method"), text(line, "path")),
                "response" => format!("<- {}", text(line, "status")),
                "phase" => text(line, "to"),
                "need" => format!("needs {}: {}", text(line, "need"), text(line, "because")),
                "closed" => format!("closed: {}", text(line, "reason")),
                other => other.to_owned(),
            })
            .collect()
    }

    #[track_caller]
    pub fn tells(&self, part: &str) {
        assert!(self.story().iter().any(|line| line == part), "{part:?} is not in {self:#?}");
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// No password and nothing that looks like a token.
    #[track_caller]
    pub(super) fn keeps_secrets(&self) {
        let text = format!("{}\n{}", self.lines.join("\n"), self.err);
        for secret in [PASSWORD, "wonderland", "correct+horse", "hunter2"] {
            assert!(!text.contains(secret), "{secret:?} is in {text}");
        }
        // A certificate's fingerprint has 64 digits and is no secret.
        let is_token =
            |word: &str| word.len() >= 32 && word.len() != 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let token = text.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| is_token(word));
        assert_eq!(token, None, "{text}");
    }
}
