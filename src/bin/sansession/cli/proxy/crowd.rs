//! Who is connected. Whoever has not shown the secret makes room for whoever comes next, the oldest first: a head comes
//! within a moment of its connection, so thousands that say nothing keep nobody out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// How many connections may be open: below the 1,024 files that a process may have by default.
const CONNECTIONS: usize = 768;

/// The connections that are open, in the order in which they came.
#[derive(Default)]
pub struct Crowd(Mutex<Open>);

#[derive(Default)]
struct Open {
    next: u64,
    peers: BTreeMap<u64, (Arc<Peer>, AbortHandle)>,
}

/// One that is connected.
#[derive(Default)]
pub struct Peer {
    known: AtomicBool,
    local: bool,
}

/// The place of one, until this is dropped.
struct Place {
    crowd: Arc<Crowd>,
    number: u64,
}

impl Peer {
    /// Creates one that needs no secret: it is another command of the same user.
    pub fn local() -> Self {
        Self { known: AtomicBool::new(true), local: true }
    }

    /// Reports whether it is such a one.
    pub const fn is_local(&self) -> bool {
        self.local
    }

    /// Notes that it has shown the secret.
    pub fn note_secret(&self) {
        self.known.store(true, Ordering::Relaxed);
    }
}

impl Crowd {
    /// Reports whether one more may come, for which the oldest one goes that has not shown the secret.
    pub async fn makes_room(&self) -> bool {
        let stranger = {
            let mut open = self.open();
            if open.peers.len() < CONNECTIONS {
                return true;
            }
            let oldest = open.peers.iter().find(|(_, (peer, _))| !peer.known.load(Ordering::Relaxed));
            let oldest = oldest.map(|(number, _)| *number);
            oldest.and_then(|number| open.peers.remove(&number))
        };
        let Some((_, task)) = stranger else { return false };
        task.abort();
        // Its socket is closed, and the heads that are there are read, before the next one is let in.
        tokio::task::yield_now().await;
        true
    }

    /// Adds a connection, and serves it in a task of its own.
    pub fn enter<F>(crowd: &Arc<Self>, serve: impl FnOnce(Arc<Peer>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (peer, mut open) = (Arc::<Peer>::default(), crowd.open());
        let number = open.next;
        open.next += 1;
        let (place, serving) = (Place { crowd: Arc::clone(crowd), number }, serve(Arc::clone(&peer)));
        // Whoever ends at once waits for this lock.
        let task = tokio::spawn(async move {
            let _place = place;
            serving.await;
        });
        open.peers.insert(number, (peer, task.abort_handle()));
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.open().peers.remove(&self.number);
    }
}
