//! A walk through every state that a provider's sessions can reach.

mod decide;
mod draw;
mod facts;
mod life;
mod state;
mod turn;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use http::Request;

use self::decide::Case;
use self::life::Life;
use super::Sample;
use crate::{Input, Need, NeedKind, Options, Provider, Session, Timestamp};

/// An outage is but failures in a row, and takes as long to walk as all other moves together; so
/// many sessions of one name go through it.
const OUTAGES: usize = 2;

type Answers = dyn Fn(&Need, Timestamp) -> Vec<(&'static str, Input)>;
type Replies = dyn Fn(&Request<Vec<u8>>) -> Vec<(&'static str, Sample)>;
type Look = dyn Fn(&str);
type Begin<P> = dyn Fn(P) -> Session<P>;

/// A breadth-first walk through every state that a provider's sessions can reach.
///
/// In each state all that can happen happens: every answer of the server, failures before and after
/// the request has left, every answer to a question, time, a jump by a day or to an instant that a verdict names (a
/// renewal, the end of the tokens, a keepalive), a check, a logout, a crash, a 401 to a user's own call, and an
/// outage that lasts.
///
/// A state's name is the phase, the open question, and the step that is in flight or planned, as
/// `opening: look`. Two sessions of one name that differ in what is known (a counter, an old stamp,
/// why a question is put) are both walked; what is known is taken from the snapshot, with numbers above two as two
/// and stamps as new, old or to come; counts of failures and plans whose time alone differs are left out. Where the
/// two then go different ways, the [table](Map::table) has the fields that decide.
///
/// ```
/// use sansession::providers::cbrain::Cbrain;
/// use sansession::testing::{Sample, Walk};
/// use sansession::{BaseUrl, Credentials, Input};
///
/// let provider = || Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap();
/// let map = Walk::new(provider)
///     .answers(|_, _| vec![("a password", Input::Credentials(Credentials::new("norm", "pw").unwrap()))])
///     .replies(|request| match request.method().as_str() {
///         "POST" => vec![
///             ("a token", Sample::json(200, r#"{"user_id": 2, "cbrain_api_token": "0123"}"#)),
///             ("401", Sample::json(401, "")),
///         ],
///         _ => vec![("401", Sample::json(401, ""))],
///     })
///     .run();
/// assert!(map.table().contains("logging-in: login\n  a token -> active\n"));
/// assert!(map.dead_ends().is_empty());
/// ```
pub struct Walk<P: Provider> {
    make: Box<dyn Fn() -> P>,
    begin: Box<Begin<P>>,
    options: Options,
    answers: Box<Answers>,
    replies: Box<Replies>,
    ignored: Vec<&'static str>,
    look: Option<Box<Look>>,
    path: String,
    most: usize,
}

impl<P: Provider + Send> Walk<P>
where
    P::State: Clone,
{
    /// Creates a walk from a function that creates the provider, called for every life of a session.
    pub fn new(make: impl Fn() -> P + 'static) -> Self {
        Self {
            make: Box::new(make),
            begin: Box::new(|provider| Session::new(provider, Options::default(), [7; 32])),
            options: Options::default(),
            answers: Box::new(|_, _| Vec::new()),
            replies: Box::new(|_| Vec::new()),
            ignored: Vec::new(),
            look: None,
            path: "/".to_owned(),
            most: 5_000,
        }
    }

    /// Sets the options of all sessions.
    #[must_use]
    pub fn options(self, options: Options) -> Self {
        let begun = options.clone();
        let begin = move |provider| Session::new(provider, begun.clone(), [7; 32]);
        Self { begin: Box::new(begin), options, ..self }
    }

    /// Sets another way to create sessions, such as from existing tokens. Call it after
    /// [`Walk::options`].
    #[must_use]
    pub fn begin(self, begin: impl Fn(P) -> Session<P> + 'static) -> Self {
        Self { begin: Box::new(begin), ..self }
    }

    /// Sets the answers to a question of a kind; giving up is always among them.
    #[must_use]
    pub fn answers(self, answers: impl Fn(NeedKind, Timestamp) -> Vec<(&'static str, Input)> + 'static) -> Self {
        self.answers_to(move |need, now| answers(need.kind, now))
    }

    /// Sets the answers to a question that depend on more of it than its kind, such as a redirect, which repeats the `state`
    /// of the question's URL.
    #[must_use]
    pub fn answers_to(self, answers: impl Fn(&Need, Timestamp) -> Vec<(&'static str, Input)> + 'static) -> Self {
        Self { answers: Box::new(answers), ..self }
    }

    /// Sets the server's responses to a request. Several may share a name, as a class of responses.
    #[must_use]
    pub fn replies(self, replies: impl Fn(&Request<Vec<u8>>) -> Vec<(&'static str, Sample)> + 'static) -> Self {
        Self { replies: Box::new(replies), ..self }
    }

    /// Adds fields of the snapshot in which two states may differ and still be one, where there are
    /// too many otherwise. Of such states only the first is walked, so that a way which only the others go stays
    /// unseen; the fields are named in the table where they decide all the same.
    #[must_use]
    pub fn ignoring(mut self, fields: &[&'static str]) -> Self {
        self.ignored.extend(fields);
        self
    }

    /// Sets who looks at all that the sessions show: outputs, states, requests of the user's own that
    /// were authorized, and misuse, as `Debug` and, where there is one, `Display` write them. No secret
    /// may be among it.
    #[must_use]
    pub fn shown(self, look: impl Fn(&str) + 'static) -> Self {
        Self { look: Some(Box::new(look)), ..self }
    }

    /// Sets the path of the user's own call.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// Sets the most states that are walked, 5,000 otherwise.
    #[must_use]
    pub fn most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Walks.
    ///
    /// # Panics
    /// Where the walk meets more states than it may, or a session does not come to rest at one instant.
    #[expect(clippy::panic, reason = "a harness reports by panicking, as assert does")]
    pub fn run(&self) -> Map {
        let mut map = Map::default();
        let first = Life::new(self);
        let (state, key) = first.seen();
        map.note_state(&state);
        let mut known = BTreeSet::from([key]);
        let mut outages = BTreeMap::new();
        let mut lives = VecDeque::from([(state, first)]);
        while let Some((from, mut before)) = lives.pop_front() {
            let outages = outages.entry(from.name.clone()).or_insert(0_usize);
            *outages += 1;
            let facts = Arc::new(before.facts());
            for step in before.steps(*outages <= OUTAGES) {
                let mut life = before.branch();
                let (label, how) = life.take(step);
                let (to, key) = life.seen();
                map.note_state(&to);
                map.note_case(&from, label, &to, |end| Case { facts: facts.clone(), how, end: (end, life.told()) });
                if !known.contains(&key) {
                    if known.len() >= self.most {
                        panic!("more than {} states; the last one is {key}", self.most);
                    }
                    known.insert(key);
                    lives.push_back((to, life));
                }
            }
        }
        map.walked = known.len();
        map
    }
}

impl<P: Provider> fmt::Debug for Walk<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("most", &self.most).finish_non_exhaustive()
    }
}

/// What a [`Walk`] has seen.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// The names of the states, in the order in which they were met.
    states: Vec<State>,
    /// What can happen in each state.
    rows: BTreeMap<usize, Vec<Row>>,
    walked: usize,
}

/// A state's name and what it is reduced to in the diagram.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    name: String,
    node: String,
}

/// An event that can happen in a state, and each time that it did.
#[derive(Clone, Debug)]
struct Row {
    label: String,
    cases: Vec<Case>,
}

impl Row {
    /// Returns the states that it leads to.
    fn ends(&self) -> impl Iterator<Item = usize> {
        self.cases.iter().map(|case| case.end.0)
    }
}

impl Map {
    /// Counts the states with different names.
    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// Counts the states that were walked, those with one name and different knowledge counted each.
    pub fn walked(&self) -> usize {
        self.walked
    }

    /// Returns the states from which no path leads to an active session although the session has not
    /// ended and is not ending, and those from which none leads to an end.
    pub fn dead_ends(&self) -> Vec<String> {
        let open = |state: &State| !state.name.starts_with("closed") && !state.name.starts_with("logging-out");
        let active = self.leading_to(|state| state.name.starts_with("active"));
        let ended = self.leading_to(|state| state.name.starts_with("closed"));
        let lost = |(index, state): &(usize, &State)| open(state) && !active.contains(index) || !ended.contains(index);
        self.states.iter().enumerate().filter(lost).map(|(_, state)| state.name.clone()).collect()
    }

    /// Returns the states from which a way leads to one that is wanted.
    fn leading_to(&self, wanted: impl Fn(&State) -> bool) -> BTreeSet<usize> {
        let mut leading: BTreeSet<usize> =
            self.states.iter().enumerate().filter(|(_, state)| wanted(state)).map(|(index, _)| index).collect();
        loop {
            let before = leading.len();
            for (from, rows) in &self.rows {
                if rows.iter().flat_map(Row::ends).any(|to| leading.contains(&to)) {
                    leading.insert(*from);
                }
            }
            if leading.len() == before {
                return leading;
            }
        }
    }

    fn note_state(&mut self, state: &State) {
        if !self.states.contains(state) {
            self.states.push(state.clone());
        }
    }

    fn note_case(&mut self, from: &State, label: String, to: &State, case: impl FnOnce(usize) -> Case) {
        let place = |state: &State| self.states.iter().position(|known| known == state).unwrap_or_default();
        let case = case(place(to));
        let rows = self.rows.entry(place(from)).or_default();
        match rows.iter_mut().find(|row| row.label == label) {
            Some(row) => row.cases.push(case),
            None => rows.push(Row { label, cases: vec![case] }),
        }
    }
}
