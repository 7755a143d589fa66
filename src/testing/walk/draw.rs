//! A map as text and as a diagram.

use core::fmt::Write;
use std::collections::{BTreeMap, BTreeSet};

use super::{Edge, Map};
use crate::Phase;

/// Arrows out of one place: where to, and what leads along them.
type Arrows<'a> = BTreeSet<(usize, &'a [&'a str])>;

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
    /// leads where, with the events that are told on the way. What changes nothing is left out; where
    /// one event leads to several states, it depends on what else is known of the session.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (index, state) in self.states.iter().enumerate() {
            let _ = writeln!(text, "{}", state.name);
            for (labels, ends) in self.rows(index) {
                let _ = writeln!(text, "  {} -> {}", labels.join(" | "), ends.join(" or "));
            }
        }
        text
    }

    /// Returns the events that lead to the same states, and these.
    fn rows(&self, index: usize) -> Vec<(Vec<&str>, Vec<String>)> {
        let mut ends: Vec<(&str, Arrows<'_>)> = Vec::new();
        for Edge { label, to, told } in self.edges.get(&index).into_iter().flatten() {
            let end = (*to, told.as_slice());
            match ends.iter_mut().find(|(known, _)| known == label) {
                Some((_, ends)) => _ = ends.insert(end),
                None => ends.push((label, BTreeSet::from([end]))),
            }
        }
        let mut rows: Vec<(Vec<&str>, Arrows<'_>)> = Vec::new();
        for (label, ends) in ends {
            match rows.iter_mut().find(|(_, known)| *known == ends) {
                Some((labels, _)) => labels.push(label),
                None => rows.push((vec![label], ends)),
            }
        }
        rows.retain(|(_, ends)| ends.iter().any(|(to, told)| *to != index || !told.is_empty()));
        rows.into_iter().map(|(labels, ends)| (labels, self.named(index, &ends))).collect()
    }

    /// Returns the successors of a state: each once, with all labels.
    fn named(&self, from: usize, ends: &BTreeSet<(usize, &[&str])>) -> Vec<String> {
        let mut by_state: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (to, told) in ends {
            by_state.entry(*to).or_default().extend(told.iter());
        }
        let name = |to: usize| match self.states.get(to) {
            Some(_) if to == from => "the same",
            Some(state) => state.name.as_str(),
            None => "",
        };
        let told = |told: BTreeSet<&str>| match told.is_empty() {
            true => String::new(),
            false => format!(" (tells {})", told.into_iter().collect::<Vec<_>>().join(", ")),
        };
        by_state.into_iter().map(|(to, events)| format!("{}{}", name(to), told(events))).collect()
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
        for (from, edges) in &self.edges {
            for Edge { label, to, .. } in edges {
                let (Some(from), Some(to)) = (place(*from), place(*to)) else { continue };
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
