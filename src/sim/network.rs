//! A network that fails, in front of any simulated server.

use core::net::IpAddr;
use core::time::Duration;

use http::{Request, Response};

use super::{Fault, Reply, Simulator, Stream};
use crate::Timestamp;
use crate::machine::backoff::split_mix;

/// A bad network before a simulated server, itself a [`Simulator`]: equal seeds fail equally.
///
/// It refuses connections, loses requests and answers, cuts answers off and holds them back, each as often
/// as its [`Weather`] says. A program is tested against it in its own loop, without a network, or over real
/// sockets behind a [`Server`](super::Server). Answers that come twice or late are matters of a client's
/// transport; hold an answer back for longer than the client waits to see them.
///
/// ```
/// use sansession::Timestamp;
/// use sansession::sim::{CbrainSim, Network, Simulator, Weather};
///
/// let mut portal = CbrainSim::new(1);
/// portal.add_user("alice", "wonderland");
/// let mut network = Network::new(portal, Weather::FOUL, 7);
/// let request = http::Request::get("http://127.0.0.1:3000/session").body(Vec::new())?;
/// for minute in 0..1_000 {
///     network.handle(Timestamp::from_secs(60 * minute), [127, 0, 0, 1].into(), &request);
/// }
/// assert!(network.faults() > 50);
/// // What the server saw is judged by its own log.
/// assert!(network.server.log().count() < 1_000);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug)]
pub struct Network<S> {
    /// What is behind it, with its levers and its log.
    pub server: S,
    /// How bad it is; may be changed at any time.
    pub weather: Weather,
    down_until: Timestamp,
    random: u64,
    faults: u64,
}

/// How often things go wrong on a network, each in a thousand requests.
///
/// Later versions add fields: begin with a whole value such as its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// No connection is made: the client knows that nothing has left ([`Fault::Refuse`]).
    pub refused: u16,
    /// The connection is reset before the server has seen the request, which the client cannot know.
    pub lost: u16,
    /// The server acts, and the connection is reset before the answer.
    pub unanswered: u16,
    /// The server acts, and the answer is cut off.
    pub truncated: u16,
    /// The server acts, and the answer is held back.
    pub delayed: u16,
    /// The longest time for which an answer is held back.
    pub delay: Duration,
}

impl Weather {
    /// Nothing goes wrong.
    pub const FAIR: Self = Self { refused: 0, lost: 0, unanswered: 0, truncated: 0, delayed: 0, delay: Duration::ZERO };
    /// One request in ten meets trouble; answers are up to 40 s late.
    pub const FOUL: Self =
        Self { refused: 20, lost: 20, unanswered: 20, truncated: 20, delayed: 20, delay: Duration::from_secs(40) };
}

impl<S> Network<S> {
    /// Creates a network in front of a server.
    pub const fn new(server: S, weather: Weather, seed: u64) -> Self {
        Self { server, weather, down_until: Timestamp::from_millis(0), random: seed, faults: 0 }
    }

    /// Refuses all connections until this time.
    pub const fn cut(&mut self, until: Timestamp) {
        self.down_until = until;
    }

    /// Reports whether no connection can be made at this time.
    pub fn is_cut(&self, now: Timestamp) -> bool {
        now < self.down_until
    }

    /// Counts the requests that met trouble so far.
    pub const fn faults(&self) -> u64 {
        self.faults
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(1);
        split_mix(split_mix(self.random)) % below.max(1)
    }
}

impl<S: Simulator> Simulator for Network<S> {
    /// A stream that is open is as good as what is behind.
    fn stream(&mut self, now: Timestamp, stream: &mut Stream, text: Option<&str>) -> Option<Vec<String>> {
        if self.is_cut(now) { None } else { self.server.stream(now, stream, text) }
    }

    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let nothing = |fault| Reply::new(Response::default()).with(fault);
        if self.is_cut(now) {
            self.faults += 1;
            return nothing(Fault::Refuse);
        }
        let drawn = self.draw(1_000);
        let Weather { refused, lost, unanswered, truncated, delayed, delay } = self.weather;
        let mut edge = 0;
        let mut falls_into = |share: u16| {
            edge += u64::from(share);
            drawn < edge
        };
        // Each share begins where the last one ends, so the first that holds the number is the one.
        let [refuse, lose, drop, cut, late] = [refused, lost, unanswered, truncated, delayed].map(&mut falls_into);
        self.faults += u64::from(late);
        if refuse {
            return nothing(Fault::Refuse);
        }
        if lose {
            return nothing(Fault::Drop);
        }
        let reply = self.server.handle(now, peer, request);
        // What the server itself does to its answer stands.
        if reply.fault.is_some() {
            return reply;
        }
        if drop {
            reply.with(Fault::Drop)
        } else if cut {
            // A body of nothing cannot be cut; its head can.
            match u64::try_from(reply.response.body().len()).unwrap_or(u64::MAX) {
                0 => reply.with(Fault::Drop),
                whole => {
                    let at = usize::try_from(self.draw(whole)).unwrap_or_default();
                    reply.with(Fault::Truncate(at))
                }
            }
        } else if late {
            let held = Duration::from_millis(self.draw(crate::time::millis(delay) + 1));
            let delay = reply.delay + held;
            reply.after(delay)
        } else {
            reply
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what it saw.
    struct Counter(u64);

    impl Simulator for Counter {
        fn handle(&mut self, _: Timestamp, _: IpAddr, _: &Request<Vec<u8>>) -> Reply {
            self.0 += 1;
            Reply::new(Response::new(b"{}".to_vec()))
        }
    }

    /// What went wrong with a reply, and how late it came.
    type Fate = (Option<Fault>, Duration);

    fn replies(weather: Weather, seed: u64) -> (Vec<Fate>, Network<Counter>) {
        let mut network = Network::new(Counter(0), weather, seed);
        let request = Request::new(Vec::new());
        let replies = (0..10_000).map(|second| {
            let reply = network.handle(Timestamp::from_secs(second), [127, 0, 0, 1].into(), &request);
            (reply.fault, reply.delay)
        });
        (replies.collect(), network)
    }

    #[test]
    fn each_trouble_comes_as_often_as_it_is_told_to() {
        let (replies, network) = replies(Weather::FOUL, 3);
        let count = |wanted: &dyn Fn(&Fate) -> bool| replies.iter().filter(|r| wanted(r)).count();
        let refused = count(&|(fault, _)| *fault == Some(Fault::Refuse));
        let dropped = count(&|(fault, _)| *fault == Some(Fault::Drop));
        let cut = count(&|(fault, _)| matches!(fault, Some(Fault::Truncate(0 | 1))));
        let late = count(&|(_, delay)| !delay.is_zero());
        for (times, expected) in [(refused, 200), (dropped, 400), (cut, 200), (late, 200)] {
            assert!((expected - 70..=expected + 70).contains(&times), "{times} of {expected}");
        }
        let unseen = 10_000 - network.server.0;
        assert!((300..500).contains(&unseen), "{unseen} never reached the server");
        assert_eq!(network.faults() as usize, refused + dropped + cut + late);
    }

    #[test]
    fn equal_seeds_fail_equally_and_others_do_not() {
        assert_eq!(replies(Weather::FOUL, 3).0, replies(Weather::FOUL, 3).0);
        assert_ne!(replies(Weather::FOUL, 3).0, replies(Weather::FOUL, 4).0);
        assert!(replies(Weather::FAIR, 3).0.iter().all(|reply| *reply == (None, Duration::ZERO)));
    }

    #[test]
    fn a_network_that_is_cut_lets_nothing_through_until_it_is_mended() {
        let mut network = Network::new(Counter(0), Weather::FAIR, 1);
        network.cut(Timestamp::from_secs(10));
        let request = Request::new(Vec::new());
        for second in 0..20 {
            let reply = network.handle(Timestamp::from_secs(second), [127, 0, 0, 1].into(), &request);
            assert_eq!(reply.fault.is_some(), second < 10);
        }
        assert_eq!(network.server.0, 10);
    }
}
