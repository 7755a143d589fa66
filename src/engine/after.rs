//! What follows where a step did not get what it was sent for: the whole of it, as one table.
//!
//! Each row is read from the first column on: where the session stands, what the step's rule says, what became of the
//! request.
//!
#![doc = include_str!("after.md")]

use crate::provider::Replay;

/// Where a session stands, as far as the table cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Row {
    /// It has not been usable since its login began.
    Opening,
    /// The step looks whether an open question has answered itself.
    Looking,
    /// It was usable.
    Open,
    /// It is to end, and waits for what was in flight then.
    Waiting,
    /// The logout's own steps.
    Ending,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    NotSent,
    /// The server refused before it checked it.
    Unjudged,
    /// The server may have acted on it, and says that it could not help.
    Judged,
    /// No answer came.
    Lost,
    /// The answer is not the protocol's.
    Unreadable,
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Consequence {
    /// The same step again, after a wait.
    Again,
    /// The server is asked first how things stand; a provider that has no probe is asked instead.
    Probe,
    /// [`Provider::interpret`](crate::Provider::interpret) of [`Lost`](crate::provider::Outcome::Lost) says how to go on.
    Ask,
    /// The opening ends.
    Close,
    /// The end goes on; `sure` tells whether nothing can have been opened that nobody knows of.
    Leave { sure: bool },
    /// The logout ends unconfirmed.
    GiveUp,
}

pub(super) const fn after(row: Row, replay: Replay, fate: Fate) -> Consequence {
    use Consequence as C;
    use Fate as F;
    match (row, replay, fate) {
        (Row::Waiting, _, F::NotSent | F::Unjudged) => C::Leave { sure: true },
        (Row::Waiting, _, F::Judged | F::Lost | F::Unreadable) => C::Leave { sure: false },
        (_, _, F::NotSent | F::Unjudged) => C::Again,
        (Row::Opening, _, F::Unreadable) => C::Close,
        (Row::Looking, _, F::Unreadable) => C::Again,
        (_, Replay::Safe, _) => C::Again,
        (Row::Ending, Replay::Probe | Replay::Never, _) => C::GiveUp,
        (_, Replay::Probe, _) => C::Probe,
        (_, Replay::Never, _) => C::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [(Row, &str); 5] = [
        (Row::Opening, "opening"),
        (Row::Looking, "looking whether a question has answered itself"),
        (Row::Open, "open"),
        (Row::Waiting, "ending, waiting for what was in flight"),
        (Row::Ending, "ending, a step of the logout"),
    ];
    const REPLAYS: [Replay; 3] = [Replay::Safe, Replay::Probe, Replay::Never];
    const FATES: [(Fate, &str); 5] = [
        (Fate::NotSent, "not sent"),
        (Fate::Unjudged, "refused unseen (503)"),
        (Fate::Judged, "failed at the server"),
        (Fate::Lost, "no answer"),
        (Fate::Unreadable, "unreadable"),
    ];

    const fn word(consequence: Consequence) -> &'static str {
        match consequence {
            Consequence::Again => "again",
            Consequence::Probe => "probe",
            Consequence::Ask => "ask the provider",
            Consequence::Close => "close",
            Consequence::Leave { sure: true } => "end",
            Consequence::Leave { sure: false } => "end, unconfirmed",
            Consequence::GiveUp => "give up",
        }
    }

    /// Writes the table down; rules that lead to the same share a line.
    fn table() -> String {
        let mut text = String::from("| session | replay |");
        for (_, fate) in FATES {
            text.push_str(&format!(" {fate} |"));
        }
        text.push_str("\n|---|---|---|---|---|---|---|\n");
        for (row, name) in ROWS {
            let follows = |replay| FATES.map(|(fate, _)| word(after(row, replay, fate)));
            let mut lines: Vec<(String, [&str; 5])> = Vec::new();
            for replay in REPLAYS {
                match lines.last_mut() {
                    Some((replays, what)) if *what == follows(replay) => replays.push_str(&format!(", {replay:?}")),
                    _ => lines.push((format!("{replay:?}"), follows(replay))),
                }
            }
            for (replays, what) in lines {
                text.push_str(&format!("| {name} | {replays} | {} |\n", what.join(" | ")));
            }
        }
        text
    }

    #[test]
    fn the_table_in_the_docs_is_this_one() {
        let docs = include_str!("after.md");
        assert!(docs.contains(&table()), "docs and code differ; the table is\n\n{}", table());
    }
}
