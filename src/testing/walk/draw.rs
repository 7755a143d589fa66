//! A map as text and as a diagram.

use core::fmt::Write;
use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Decision, decide};
use super::{Map, Row};
use crate::Phase;

/// The most events that an arrow of the diagram names.
const NAMED: usize = 3;

/// What may happen in every state, and is not drawn.
const EVERYWHERE: [&str; 12] = [
    "logout",
    "give up",
    "check",
    "crash",
    "a day asleep",
    "asleep until its renewal",
    "asleep until its end",
    "asleep until its keepalive",
    "an outage",
    "own call 401",
    "takeover granted",
    "no connection",
];

impl Map {
    /// Writes the transition table: each state in the order in which it was met, and under it what
    /// leads where, with the events that are told on the way. What changes nothing is left out.
    ///
    /// Where one event leads to several states, a line for each has the fields of the snapshot that decide, as
    /// far as the walked sessions tell: `inits=1` where each that had sent one took this way.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (index, state) in self.states.iter().enumerate() {
            let _ = writeln!(text, "{}", state.name);
            for (decision, labels) in self.decisions(index) {
                let labels = labels.join(" | ");
                match &decision {
                    Decision::Ends(ends) => _ = writeln!(text, "  {labels} -> {}", self.named(index, ends)),
                    Decision::By(..) => {
                        let _ = writeln!(text, "  {labels}");
                        self.write_decision(&mut text, index, &decision, "    if");
                    }
                }
            }
        }
        text
    }

    /// Returns the rows in which nothing that is known decides between several ends.
    pub fn undecided(&self) -> Vec<String> {
        let rows = self.states.iter().enumerate().flat_map(|(index, state)| {
            self.decisions(index)
                .into_iter()
                .filter(|(decision, _)| !decision.is_clear())
                .map(|(_, labels)| format!("{}, {}", state.name, labels.join(" | ")))
        });
        rows.collect()
    }

    /// Returns what decides where the events lead, and the events for which it is the same.
    fn decisions(&self, index: usize) -> Vec<(Decision, Vec<&str>)> {
        let mut decisions: Vec<(Decision, Vec<&str>)> = Vec::new();
        for Row { label, cases } in self.rows.get(&index).into_iter().flatten() {
            let decision = decide(&cases.iter().collect::<Vec<_>>());
            match decisions.iter_mut().find(|(known, _)| *known == decision) {
                Some((_, labels)) => labels.push(label),
                None => decisions.push((decision, vec![label])),
            }
        }
        let stays = Decision::Ends(BTreeSet::from([(index, BTreeSet::new())]));
        decisions.retain(|(decision, _)| *decision != stays);
        decisions
    }

    fn write_decision(&self, text: &mut String, from: usize, decision: &Decision, before: &str) {
        match decision {
            Decision::Ends(ends) => _ = writeln!(text, "{before} -> {}", self.named(from, ends)),
            Decision::By(name, by) => {
                for (values, decision) in by {
                    let values = values.iter().map(String::as_str).collect::<Vec<_>>().join("|");
                    let and = if before.ends_with("if") { " " } else { ", " };
                    self.write_decision(text, from, decision, &format!("{before}{and}{name}={values}"));
                }
            }
        }
    }

    /// Names the ends: where there are several, nothing decides.
    fn named(&self, from: usize, ends: &BTreeSet<(usize, BTreeSet<&str>)>) -> String {
        let name = |to: usize| match self.states.get(to) {
            Some(_) if to == from => "the same",
            Some(state) => state.name.as_str(),
            None => "",
        };
        let told = |told: &BTreeSet<&str>| match told.is_empty() {
            true => String::new(),
            false => format!(" (tells {})", told.iter().copied().collect::<Vec<_>>().join(", ")),
        };
        let ends: Vec<_> = ends.iter().map(|(to, events)| format!("{}{}", name(*to), told(events))).collect();
        ends.join(" or ")
    }

    /// Draws the phases and questions as a Mermaid diagram: an arrow for each pair of them that
    /// anything leads from and to, with the first events that do.
    ///
    /// Left out is the way out, over `logging-out`, and what can happen in every state: a logout, giving up, a check, a consent that was not
    /// asked for, a user's own call that is refused, sleep, crashes, and the lack of a connection.
    pub fn mermaid(&self) -> String {
        let mut nodes: Vec<&str> = Vec::new();
        for state in &self.states {
            if !nodes.contains(&state.node.as_str()) && state.node != Phase::LoggingOut.code() {
                nodes.push(&state.node);
            }
        }
        let mut arrows: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        let place = |state: usize| {
            let node = self.states.get(state).map_or("", |state| &state.node);
            nodes.iter().position(|known| *known == node)
        };
        for (from, rows) in &self.rows {
            for (label, to) in rows.iter().flat_map(|row| row.ends().map(move |to| (&row.label, to))) {
                let (Some(from), Some(to)) = (place(*from), place(to)) else { continue };
                let drawn = from != to && !EVERYWHERE.contains(&label.as_str());
                let labels = arrows.entry((from, to)).or_default();
                if drawn && !labels.contains(&label.as_str()) {
                    labels.push(label);
                }
            }
        }
        let mut text = String::from("stateDiagram-v2\n");
        for (index, node) in nodes.iter().enumerate() {
            let _ = writeln!(text, "    s{index}: {node}");
        }
        let _ = writeln!(text, "    [*] --> s0");
        for ((from, to), labels) in arrows.iter().filter(|(_, labels)| !labels.is_empty()) {
            let more = if labels.len() > NAMED { "<br/>…" } else { "" };
            let named: Vec<_> = labels.iter().take(NAMED).map(|label| label.replace(':', "")).collect();
            let _ = writeln!(text, "    s{from} --> s{to}: {}{more}", named.join("<br/>"));
        }
        text
    }
}
