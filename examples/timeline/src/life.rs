//! What a log tells of a life: phases as spans, everything else as marks.

use std::collections::BTreeMap;

use crate::log::{Line, Log};

/// From when to when, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    fn at(at: i64) -> Self {
        Self { from: at, to: at }
    }
}

/// What came of a request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// An answer with a status below 400.
    Answered,
    /// Another answer, no answer and why, or nothing that the log knows.
    Failed(String),
}

/// A mark with words.
#[derive(Debug)]
pub struct Mark {
    pub at: i64,
    pub words: String,
    /// What more there is to say.
    pub more: String,
}

/// How the log ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The session closed, for this reason.
    Closed(String),
    /// It was left open at the server.
    Left,
    /// The log breaks off in this phase, where one is known.
    Open(Option<String>),
}

/// The life that a log tells.
#[derive(Debug)]
pub struct Life {
    /// Whose sessions.
    pub providers: Vec<String>,
    /// The whole log.
    pub span: Span,
    /// The phases by name, each with its spans.
    pub phases: BTreeMap<String, Vec<Span>>,
    /// When the session's life was in doubt.
    pub doubts: Vec<Span>,
    pub requests: BTreeMap<Outcome, Vec<i64>>,
    /// By cause, each from the failure to the next attempt.
    pub retries: BTreeMap<String, Vec<Span>>,
    pub needs: Vec<Mark>,
    /// The penalty boxes, cut where the log ends.
    pub boxes: Vec<Span>,
    /// Whatever else happened.
    pub news: Vec<Mark>,
    /// How it ended, and when.
    pub end: End,
    pub ended: i64,
}

impl Life {
    /// Counts the requests.
    pub fn requests(&self) -> usize {
        self.requests.values().map(Vec::len).sum()
    }

    /// Counts the requests that failed or were refused.
    pub fn failures(&self) -> usize {
        self.requests() - self.requests.get(&Outcome::Answered).map_or(0, Vec::len)
    }

    /// Counts the retries.
    pub fn retries(&self) -> usize {
        self.retries.values().map(Vec::len).sum()
    }
}

/// Finds the life in a log that has a line.
pub fn life(log: &Log) -> Life {
    let (from, to) =
        log.lines.iter().fold((i64::MAX, i64::MIN), |(from, to), line| (from.min(line.at), to.max(line.at)));
    let mut reader = Reader {
        life: Life {
            providers: Vec::new(),
            span: Span { from, to },
            phases: BTreeMap::new(),
            doubts: Vec::new(),
            requests: BTreeMap::new(),
            retries: BTreeMap::new(),
            needs: Vec::new(),
            boxes: Vec::new(),
            news: Vec::new(),
            end: End::Open(None),
            ended: from,
        },
        phase: None,
        unknown: Some(from),
        doubt: None,
        sent: None,
        last: from,
    };
    for line in &log.lines {
        reader.take(line);
        reader.last = line.at;
    }
    reader.finish()
}

struct Reader {
    life: Life,
    /// The present phase and its beginning.
    phase: Option<(String, i64)>,
    /// Since when the phase is not known: a resumed session tells none until it changes.
    unknown: Option<i64>,
    doubt: Option<i64>,
    /// The request whose answer has not come.
    sent: Option<i64>,
    last: i64,
}

impl Reader {
    fn take(&mut self, line: &Line) {
        let provider = line.text("provider");
        if !provider.is_empty() && !self.life.providers.iter().any(|known| known == provider) {
            self.life.providers.push(provider.to_owned());
        }
        // A run that says more after an end is another one, told in the same file.
        if self.life.end != End::Open(None) {
            self.life.end = End::Open(None);
            self.unknown = Some(line.at);
        }
        match line.event.as_str() {
            "phase" => self.phase(line.at, line.text("from"), line.text("to")),
            "send" => {
                self.unanswered();
                self.sent = Some(line.at);
            }
            "response" => match line.number("status").unwrap_or_default() {
                100..400 => self.answered(line.at, Outcome::Answered),
                status => self.answered(line.at, Outcome::Failed(format!("status {status}"))),
            },
            "failure" => self.answered(line.at, Outcome::Failed(line.text("kind").to_owned())),
            "retrying" => {
                let next = line.number("at").unwrap_or(line.at).clamp(line.at, self.life.span.to.max(line.at));
                let retries = self.life.retries.entry(line.text("cause").to_owned()).or_default();
                retries.push(Span { from: line.at, to: next });
            }
            "need" => self.life.needs.push(mark(line, line.text("need"), line.text("because"))),
            "penalty" => {
                let lasts = line.number("seconds").unwrap_or_default().clamp(0, i64::MAX / 1000).saturating_mul(1000);
                let to = line.at.saturating_add(lasts).min(self.life.span.to);
                self.life.boxes.push(Span { from: line.at, to });
            }
            "kept-alive" => self.lives(line.at),
            "suspect" => {
                self.lives(line.at);
                self.doubt.get_or_insert(line.at);
            }
            "recovered" => {
                self.lives(line.at);
                self.sure(line.at);
            }
            "closed" => {
                let reason = line.text("reason").to_owned();
                self.life.news.push(mark(line, &format!("closed: {reason}"), line.text("text")));
                self.ends(line.at, End::Closed(reason));
            }
            "left" => {
                self.life.news.push(mark(line, "left open", ""));
                self.ends(line.at, End::Left);
            }
            // Its words are not the session's.
            "listening" | "started" | "ended" | "saved" => self.life.news.push(mark(line, &line.event, "")),
            other => {
                let more = ["text", "proof", "url"].map(|name| line.text(name));
                self.life.news.push(mark(line, other, more.join(" ").trim()));
            }
        }
    }

    fn phase(&mut self, at: i64, from: &str, to: &str) {
        match self.phase.take() {
            // Only a new run begins again: the one before it was killed, after its last line.
            Some((name, since)) if from == "idle" => {
                self.sure(self.last);
                self.span(name, Span { from: since, to: self.last });
            }
            Some((name, since)) => self.span(name, Span { from: since, to: at }),
            None if from != "idle" => {
                if let Some(since) = self.unknown {
                    self.span(from.to_owned(), Span { from: since, to: at });
                }
            }
            None => {}
        }
        self.unknown = None;
        if to != "active" {
            self.sure(at);
        }
        if to != "closed" {
            self.phase = Some((to.to_owned(), at));
        }
    }

    /// A session that is kept alive is active, also one that has told no phase yet.
    fn lives(&mut self, at: i64) {
        if self.phase.is_none() {
            self.phase = Some(("active".into(), self.unknown.unwrap_or(at)));
        }
        self.unknown = None;
    }

    fn sure(&mut self, at: i64) {
        if let Some(since) = self.doubt.take() {
            self.life.doubts.push(Span { from: since, to: at.max(since) });
        }
    }

    fn answered(&mut self, at: i64, outcome: Outcome) {
        let sent = self.sent.take().unwrap_or(at);
        self.life.requests.entry(outcome).or_default().push(sent);
    }

    fn unanswered(&mut self) {
        if let Some(sent) = self.sent.take() {
            self.life.requests.entry(Outcome::Failed("no answer told".into())).or_default().push(sent);
        }
    }

    fn span(&mut self, name: String, span: Span) {
        // A clock that was set back makes no span of less than nothing.
        let to = span.to.max(span.from);
        self.life.phases.entry(name).or_default().push(Span { to, ..span });
    }

    fn ends(&mut self, at: i64, end: End) {
        self.unanswered();
        self.sure(at);
        if let Some((name, since)) = self.phase.take() {
            self.span(name, Span { from: since, to: at });
        }
        self.unknown = None;
        (self.life.end, self.life.ended) = (end, at);
    }

    fn finish(mut self) -> Life {
        if self.life.end == End::Open(None) {
            let phase = self.phase.as_ref().map(|(name, _)| name.clone());
            self.ends(self.life.span.to, End::Open(phase));
        }
        // Only failed and answered requests are known apart; equal times stay in the order of the log.
        self.life.requests.values_mut().for_each(|times| times.sort_unstable());
        self.life
    }
}

fn mark(line: &Line, words: &str, more: &str) -> Mark {
    Mark { at: line.at, words: words.to_owned(), more: more.to_owned() }
}

impl From<&Mark> for Span {
    fn from(mark: &Mark) -> Self {
        Self::at(mark.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Life {
        let text: Vec<_> = lines.iter().map(|line| format!("{{{line}}}\n")).collect();
        life(&crate::log::read(text.concat().as_bytes()).unwrap())
    }

    fn spans(life: &Life, phase: &str) -> Vec<(i64, i64)> {
        life.phases.get(phase).into_iter().flatten().map(|span| (span.from, span.to)).collect()
    }

    #[test]
    fn a_resumed_session_was_active_before_it_says_so() {
        let life = told(&[
            r#""t":10,"event":"send""#,
            r#""t":12,"event":"response","status":200"#,
            r#""t":12,"event":"kept-alive""#,
            r#""t":20,"event":"phase","from":"active","to":"logging-out""#,
            r#""t":25,"event":"closed","reason":"logged-out""#,
        ]);
        assert_eq!((spans(&life, "active"), spans(&life, "logging-out")), (vec![(10, 20)], vec![(20, 25)]));
        let silent = told(&[r#""t":1,"event":"saved""#, r#""t":5,"event":"phase","from":"active","to":"closed""#]);
        assert_eq!(spans(&silent, "active"), [(1, 5)]);
    }

    #[test]
    fn a_killed_run_ends_where_its_lines_end() {
        let life = told(&[
            r#""t":0,"event":"phase","from":"idle","to":"opening""#,
            r#""t":5,"event":"phase","from":"opening","to":"active""#,
            r#""t":9,"event":"suspect","cause":"timeout""#,
            r#""t":50,"event":"phase","from":"idle","to":"opening""#,
            r#""t":51,"event":"send""#,
        ]);
        assert_eq!((spans(&life, "active"), spans(&life, "opening")), (vec![(5, 9)], vec![(0, 5), (50, 51)]));
        assert_eq!(life.doubts, [Span { from: 9, to: 9 }]);
        assert_eq!(life.end, End::Open(Some("opening".into())));
        assert_eq!(life.failures(), 1, "nothing is known of the last request");
    }

    #[test]
    fn what_lasts_ends_with_the_log() {
        let life = told(&[
            r#""t":1000,"event":"penalty","seconds":900"#,
            r#""t":1000,"event":"retrying","attempt":1,"at":901000,"cause":"status""#,
            r#""t":61000,"event":"left""#,
        ]);
        assert_eq!(life.boxes, [Span { from: 1000, to: 61000 }]);
        assert_eq!(life.retries["status"], life.boxes);
        assert_eq!(life.end, End::Left);
        // Numbers that no clock gives harm nobody.
        let wild = told(&[r#""t":5,"event":"penalty","seconds":9223372036854775807"#, r#""t":-3,"event":"x""#]);
        assert_eq!(wild.boxes, [Span { from: 5, to: 5 }]);
    }
}
