//! The servers of the story, one portal for each account, and the log by which the workers are judged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use http::{Request, Response, Uri};
use sansession::Timestamp;
use sansession::sim::cbrain::Outcome;
use sansession::sim::{CbrainSim, Reply, Simulator};

/// All portals, behind one address: account 7 is at `/a7/session`.
#[derive(Default)]
pub struct Portals {
    portals: BTreeMap<i64, CbrainSim>,
    log: Log,
}

/// Who spoke for whom, and when.
#[derive(Default)]
pub struct Log(BTreeMap<i64, Vec<Exchange>>);

/// One request, by the server's clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    pub worker: String,
    pub fence: i64,
    /// When the request was there.
    pub from: Timestamp,
    /// When its answer left.
    pub to: Timestamp,
    /// Whether the portal accepted it.
    pub fine: bool,
}

/// Two that spoke for one session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Crime {
    /// A request came under a fence after one under a later fence had come.
    Late { account: i64, before: Exchange, after: Exchange },
    /// A request came while another worker's was being answered.
    Overlap { account: i64, before: Exchange, after: Exchange },
    /// Two workers used the same fence.
    SameFence { account: i64, before: Exchange, after: Exchange },
}

impl Log {
    /// Notes an exchange; those of an account come in the order of their arrival.
    pub fn note(&mut self, account: i64, exchange: Exchange) {
        self.0.entry(account).or_default().push(exchange);
    }

    /// Finds whatever shows two workers, or two claims, driving one session at once.
    pub fn crimes(&self) -> Vec<Crime> {
        let mut crimes = Vec::new();
        for (account, exchanges) in &self.0 {
            for pair in exchanges.windows(2) {
                let [before, after] = pair else { continue };
                let (account, before, after) = (*account, before.clone(), after.clone());
                if after.fence < before.fence {
                    crimes.push(Crime::Late { account, before, after });
                } else if after.fence == before.fence && after.worker != before.worker {
                    crimes.push(Crime::SameFence { account, before, after });
                } else if after.fence != before.fence && after.from < before.to {
                    crimes.push(Crime::Overlap { account, before, after });
                }
            }
        }
        crimes
    }

    /// Returns the requests of an account.
    pub fn of(&self, account: i64) -> &[Exchange] {
        self.0.get(&account).map_or(&[], Vec::as_slice)
    }

    /// Counts all requests.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Reports whether nothing has come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Portals {
    /// Creates a portal for each of the first accounts, with its user.
    pub fn new(accounts: i64) -> Self {
        let portal = |account: i64| {
            let mut portal = CbrainSim::new(account.unsigned_abs());
            let (login, password) = credentials(account);
            portal.add_user(login, password);
            (account, portal)
        };
        Self { portals: (1..=accounts).map(portal).collect(), log: Log::default() }
    }

    /// Shows the log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Counts what all portals did.
    pub fn count(&self, deed: Outcome) -> usize {
        self.portals.values().map(|portal| portal.count(deed)).sum()
    }
}

/// Returns login and password of an account.
pub fn credentials(account: i64) -> (String, String) {
    (format!("user{account}"), format!("the password of {account}"))
}

impl Simulator for Portals {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let nobody = || Reply::new(Response::builder().status(404).body(Vec::new()).unwrap_or_default());
        let Some((account, request)) = addressed(request) else { return nobody() };
        let Some(portal) = self.portals.get_mut(&account) else { return nobody() };
        let reply = portal.handle(now, peer, &request);
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Answers take 5 to 24 ms, so that there is time for two to be there at once.
        let delay = reply.delay + Duration::from_millis(5 + account.unsigned_abs() % 20);
        let exchange = Exchange {
            worker: text("x-worker").into(),
            fence: text("x-fence").parse().unwrap_or_default(),
            from: now,
            to: now + delay,
            fine: reply.response.status().is_success(),
        };
        self.log.note(account, exchange);
        reply.after(delay)
    }
}

/// Returns for which account a request is, and what its portal sees.
fn addressed(request: &Request<Vec<u8>>) -> Option<(i64, Request<Vec<u8>>)> {
    let (account, rest) = request.uri().path().strip_prefix("/a")?.split_once('/')?;
    let mut inner = request.clone();
    *inner.uri_mut() = format!("/{rest}").parse::<Uri>().ok()?;
    Some((account.parse().ok()?, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(exchanges: &[(&str, i64, u64, u64)]) -> Vec<Crime> {
        let mut log = Log::default();
        for (worker, fence, from, to) in exchanges {
            let (from, to) = (Timestamp::from_secs(*from), Timestamp::from_secs(*to));
            log.note(1, Exchange { worker: (*worker).into(), fence: *fence, from, to, fine: true });
        }
        log.crimes()
    }

    #[test]
    fn one_after_the_other_is_no_crime() {
        assert_eq!(log(&[("a", 2, 10, 11), ("a", 2, 20, 21), ("b", 3, 40, 41), ("a", 4, 41, 42)]), []);
    }

    #[test]
    fn two_at_once_are_seen() {
        assert!(matches!(log(&[("a", 2, 10, 12), ("b", 3, 11, 13)])[..], [Crime::Overlap { .. }]));
        assert!(matches!(log(&[("a", 2, 10, 12), ("a", 3, 11, 13)])[..], [Crime::Overlap { .. }]));
        assert!(matches!(log(&[("b", 3, 10, 11), ("a", 2, 20, 21)])[..], [Crime::Late { .. }]));
        assert!(matches!(log(&[("a", 2, 10, 11), ("b", 2, 20, 21)])[..], [Crime::SameFence { .. }]));
    }
}
