//! What decides where an event leads, where it leads to several states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::facts::{Facts, NO, is_moment};

/// An event in one walked session.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) facts: Arc<Facts>,
    /// Which of the answers of one name it was, or who gave it.
    pub(super) how: Option<String>,
    /// The state that it led to, and what was told on the way.
    pub(super) end: (usize, BTreeSet<&'static str>),
}

/// The name under which `how` is a fact.
const HOW: &str = "answer";

impl Case {
    fn fact(&self, name: &str) -> &str {
        match name {
            HOW => self.how.as_deref(),
            name => self.facts.get(name).map(String::as_str),
        }
        .unwrap_or(NO)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.how.iter().map(|_| HOW).chain(self.facts.keys().map(String::as_str))
    }
}

/// Where an event leads, by what is known.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Decision {
    /// All these are possible: one, unless the snapshot does not tell.
    Ends(BTreeSet<(usize, BTreeSet<&'static str>)>),
    /// A fact decides, by its values.
    By(String, Vec<(BTreeSet<String>, Self)>),
}

impl Decision {
    /// Reports whether there is one end in every case.
    pub(super) fn is_clear(&self) -> bool {
        match self {
            Self::Ends(ends) => ends.len() < 2,
            Self::By(_, by) => by.iter().all(|(_, decision)| decision.is_clear()),
        }
    }
}

/// Finds the facts that decide: first the one that tells most of the ends apart for the number of its values, where how
/// long ago something was counts half, since most that happened in the same order differs in that as well.
pub(super) fn decide(cases: &[&Case]) -> Decision {
    let ends: BTreeSet<_> = cases.iter().map(|case| case.end.clone()).collect();
    if ends.len() < 2 {
        return Decision::Ends(ends);
    }
    let names: BTreeSet<&str> = cases.iter().flat_map(|case| case.names()).collect();
    let before = mixture(cases);
    let splits = names.into_iter().filter_map(|name| {
        let parts = split(cases, name);
        let gain = before - parts.values().map(|part| mixture(part)).sum::<f64>();
        let weight = if parts.keys().any(|value| is_moment(value)) { 0.5 } else { 1.0 };
        (parts.len() > 1 && gain > 1e-9).then(|| (gain * weight / count(parts.len() - 1).sqrt(), name, parts))
    });
    let best = splits.reduce(|best, split| if split.0 > best.0 + 1e-9 { split } else { best });
    let Some((_, name, parts)) = best else { return Decision::Ends(ends) };
    let mut by: Vec<(BTreeSet<String>, Decision)> = Vec::new();
    for (value, part) in parts {
        let decision = decide(&part);
        match by.iter_mut().find(|(_, known)| *known == decision) {
            Some((values, _)) => _ = values.insert(value.to_owned()),
            None => by.push((BTreeSet::from([value.to_owned()]), decision)),
        }
    }
    Decision::By(name.to_owned(), by)
}

fn split<'a>(cases: &[&'a Case], name: &str) -> BTreeMap<&'a str, Vec<&'a Case>> {
    let mut parts: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        parts.entry(case.fact(name)).or_default().push(case);
    }
    parts
}

/// Measures how mixed the ends are: nothing where there is but one.
fn mixture(cases: &[&Case]) -> f64 {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for case in cases {
        *counts.entry(&case.end).or_default() += 1;
    }
    let squares: usize = counts.values().map(|count| count * count).sum();
    count(cases.len()) - count(squares) / count(cases.len())
}

#[expect(clippy::cast_precision_loss, reason = "there are some thousand cases")]
const fn count(of: usize) -> f64 {
    of as f64
}
