//! Many sessions in one loop, of one provider or of many, without I/O as everything here.
//!
//! A [`Fleet`] holds machines under keys of the caller's choice and is polled as one machine is: it gives
//! the next thing to do with the key that it is for, or how long there is nothing to do for any of them.
//! Beside that it knows what no single session can: who shares a server's rate limits, which address got a
//! 429, how many logins have begun this second, and how long this process may speak for a session at all.
//!
//! # The types
//!
//! | type | what it is |
//! |---|---|
//! | [`Fleet<K, M>`] | the sessions, by key; `M` is one machine type or `Box<dyn Machine>` |
//! | [`Place`] | where a session is put: its limit group, and its lane, the way out of this network |
//! | [`Turn`] | what [`Fleet::poll`] gives: an output with its key, news of the fleet itself, or a wait |
//! | [`Rate`], [`FleetOptions`] | the buckets: of each limit group, of all openings, of a lane's openings |
//! | [`Removed`] | a session taken out, and the request that it still has under way |
//! | [`KeyTaken`], [`UnknownKey`], [`CallError`], [`Refusal`] | what can be wrong with a call |
//!
//! # One request's way through
//!
//! ```text
//! agenda ──due──▶ ready ──▶ does the machine mean to send? ──no──▶ poll it: event, need, closed
//!    ▲                           │ yes (Machine::upcoming)
//!    │                           ▼
//!    │              lane boxed ──▶ the machine is told, its own deadline moves to the box's end
//!    │              lease over before the answer can be there ──▶ Turn::Lapsed, nothing is sent
//!    │              late, just out of a box, or a renewal ──▶ a share of FleetOptions::spread, by seed
//!    │              opens ──▶ in line for the lane's pace, then for that of all
//!    │              limit group's bucket empty ──▶ in line for the group
//!    │                           │ through
//!    │                           ▼
//!    │           Machine::poll signs the request and starts its timer ──▶ Turn::Session(key, Send)
//!    └── the machine's next deadline ◀── handle_response(key, id, …) ◀── the caller
//! ```
//!
//! The gates stand before the machine's `poll`, because a request is signed and its time runs as soon as
//! it is handed out: one that waited behind them would be stale when it leaves. A line is first come, first
//! served, and one look at its front costs the same however long it is. An idle fleet is asked at no cost
//! and a due session at that of an ordered tree's insertion, the logarithm of their number.
//!
//! # Why a machine is asked beforehand and told afterwards
//!
//! One hook, a gate that the machine asks while it is polled, would not do. What a gate says holds for that poll, and a box
//! holds for longer: calls of the user's own are refused with its end, `status` shows it, and a snapshot takes it to
//! the next process. So the machine is told ([`Machine::hold_back`]) and keeps it. And a line is
//! first come, first served: a session that stands in it is not polled again and again only to be sent back, so what
//! it means to send is known before ([`Machine::upcoming`]).
//!
//! # What comes out
//!
//! All outputs of a machine come out with its key, but not its waits: a session that waits for time alone
//! says nothing, one that has a [`Need`](crate::Need) says [`Output::Wait`](crate::Output::Wait) once for each, and the end is
//! told once. After [`Output::Save`](crate::Output::Save) store [`Fleet::snapshot`] of that key before the next `poll`.
//!
//! # Boxes
//!
//! IBKR puts an address into a penalty box, not a session, and a fleet that goes on sending from there is
//! banned for good. A 429 that any session of a lane gets, or that [`Fleet::observe`] is shown, boxes the
//! lane for what `Retry-After` says within the engine's bounds, for as long as the provider knows better, or
//! for a minute. Sessions without a lane have boxes of their own. What is due meanwhile leaves after it,
//! each at its share of [`FleetOptions::spread`]; what the server has idled out by then is an expected drop
//! ([`Turn::Dropped`]) and opens again at the pace of openings.
//!
//! # Leases
//!
//! Where sessions are shared between machines, [`Fleet::lease`] says until when this one may speak for one.
//! A request leaves only if its answer, at its timeout, would come before that; what is due and may not
//! leave is told once as [`Turn::Lapsed`]. Renew the lease and it goes on, or remove the session. The time
//! is this process's own and counts what passes: a clock set back does not prolong a lease, as far as it
//! moved since the last call; what passed between that call and the jump, nobody can see. Where that
//! matters, give a `now` that is made of a clock that cannot be set.
//!
//! # Time
//!
//! `now` may jump. Forward, all that is late leaves spread out and not at once. Back, each session is shown
//! both sides of the jump before it is asked again, so its waits go on where they were, as for one that is
//! polled all the time; buckets, boxes and leases count what has passed and do not notice.
//!
//! ```
//! use sansession::drive::fleet::{Fleet, FleetOptions, Place, Turn};
//! use sansession::providers::cbrain::Cbrain;
//! use sansession::{BaseUrl, Options, Output, Session, Timestamp, WaitingOn};
//!
//! let mut fleet = Fleet::new(FleetOptions::default(), [7; 32]);
//! for (key, portal) in ["https://portal.example.org", "https://portal.example.net"].into_iter().enumerate() {
//!     let portal = Cbrain::new(BaseUrl::parse(portal)?)?;
//!     fleet.insert(key, Session::new(portal, Options::default(), [key as u8; 32]), Place::default())?;
//! }
//! let now = Timestamp::from_secs(1_800_000_000);
//! let mut asked = Vec::new();
//! loop {
//!     match fleet.poll(now) {
//!         Turn::Session(key, Output::Wait { on: WaitingOn::Need(need), .. }) => asked.push((key, need.kind.code())),
//!         Turn::Session(_, Output::Send(_)) => unreachable!("nobody has given a password"),
//!         Turn::Wait { until } => break assert_eq!(until, fleet.deadline()),
//!         _ => {}
//!     }
//! }
//! assert_eq!(asked, [(0, "credentials"), (1, "credentials")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agenda;
mod boxed;
mod calls;
mod clock;
mod drive;
mod gate;
mod lanes;
mod sessions;
mod turn;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use gate::Rate;
pub use turn::{CallError, KeyTaken, Place, Refusal, Removed, Turn, UnknownKey};

use self::agenda::{Agenda, Whose};
use self::clock::Clock;
use self::gate::{Gate, Role};
use self::lanes::Lane;
use self::sessions::Sessions;
use crate::{Machine, Seed, Timestamp};

/// Many sessions, by key; see the [module](self) for how they are driven.
pub struct Fleet<K, M = Box<dyn Machine>> {
    options: FleetOptions,
    /// Feeds shares and fingerprints.
    salt: u64,
    clock: Clock,
    sessions: Sessions<K, M>,
    places: BTreeMap<K, u32>,
    gates: Vec<Gate>,
    free_gates: Vec<u32>,
    groups: BTreeMap<u64, u32>,
    lanes: Vec<Lane>,
    lanes_by_name: BTreeMap<Arc<str>, u32>,
    agenda: Agenda,
    /// Sessions that have something to say, or may have.
    ready: VecDeque<u32>,
    /// What is to be told beside the sessions' own outputs.
    told: VecDeque<Turn<K>>,
}

/// How fast a fleet goes.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FleetOptions {
    /// The requests of each limit group. Default: 5 at once and one each 200 ms, which is never more than
    /// the ten in a second that IBKR allows a user.
    pub group: Rate,
    /// The openings of all sessions together. Default: 10 at once and one each 20 ms, so that
    /// ten thousand sessions open in less than four minutes and no server sees them come at once.
    pub starts: Rate,
    /// The openings through one lane. Default: 5 at once and one each 200 ms.
    pub lane_starts: Rate,
    /// Over how long a time the requests are spread that are late together, after a suspend, a restart or a
    /// penalty box, and the renewals. Default: 10 s, little beside the minutes after which servers idle a session out.
    pub spread: Duration,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            group: Rate::new(5, Duration::from_millis(200)),
            starts: Rate::new(10, Duration::from_millis(20)),
            lane_starts: Rate::new(5, Duration::from_millis(200)),
            spread: Duration::from_secs(10),
        }
    }
}

/// The gate of all openings comes first.
const STARTS: u32 = 0;

impl<K: Ord + Clone, M: Machine> Fleet<K, M> {
    /// Creates an empty fleet; of the seed only the spread is drawn.
    pub fn new(options: FleetOptions, seed: impl Into<Seed>) -> Self {
        let seed: Seed = seed.into();
        let salt = seed.0.chunks_exact(8).fold(0, |salt, bytes| {
            let bytes = bytes.try_into().map_or(0, u64::from_le_bytes);
            crate::machine::backoff::split_mix(salt ^ bytes)
        });
        Self {
            options,
            salt,
            clock: Clock::default(),
            sessions: Sessions::default(),
            places: BTreeMap::new(),
            gates: vec![Gate::new(Role::Starts)],
            free_gates: Vec::new(),
            groups: BTreeMap::new(),
            lanes: Vec::new(),
            lanes_by_name: BTreeMap::new(),
            agenda: Agenda::default(),
            ready: VecDeque::new(),
            told: VecDeque::new(),
        }
    }

    /// Takes a session under a key. One that is not started is opened as soon as the pace allows.
    ///
    /// # Errors
    /// [`KeyTaken`] where the key is in use; it gives the machine back.
    pub fn insert(&mut self, key: K, machine: M, place: Place) -> Result<(), KeyTaken<M>> {
        if self.places.contains_key(&key) {
            return Err(KeyTaken { machine });
        }
        let group = self.join_group(&place.group.unwrap_or_else(|| machine.limit_group().into()));
        let lane = place.lane.map(|name| self.lane(name));
        let index = self.sessions.add(key.clone(), machine, group, lane, self.clock.jumped());
        self.places.insert(key, index);
        self.wake(index);
        Ok(())
    }

    /// Takes a session out, as it is.
    ///
    /// What it has in flight is named in [`Removed::in_flight`]; its answer can be given to the machine
    /// itself, and to the fleet it is an unknown key's.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn remove(&mut self, key: &K) -> Result<Removed<M>, UnknownKey> {
        let index = self.places.remove(key).ok_or(UnknownKey)?;
        let slot = self.sessions.take(index).ok_or(UnknownKey)?;
        self.agenda.shift(Whose::Session(index), slot.at, clock::NEVER);
        self.leave_group(slot.group);
        Ok(Removed::new(slot.machine))
    }

    /// Returns how many sessions there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Reports whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.places.keys()
    }

    /// Shows a session.
    pub fn machine(&self, key: &K) -> Option<&M> {
        self.places.get(key).and_then(|index| self.sessions.at(*index)).map(|slot| &slot.machine)
    }

    /// Returns when [`Fleet::poll`] is to be called at the latest; [`Timestamp::NEVER`] if nothing is due.
    pub fn deadline(&self) -> Timestamp {
        let news = !self.ready.is_empty() || !self.told.is_empty();
        if news { self.clock.given() } else { self.clock.wall(self.agenda.first()) }
    }
}

impl<K, M> core::fmt::Debug for Fleet<K, M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Fleet")
            .field("sessions", &self.places.len())
            .field("ready", &self.ready.len())
            .field("now", &self.clock.given())
            .finish_non_exhaustive()
    }
}
