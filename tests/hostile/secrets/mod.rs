//! No secret shows itself: not in outputs, events, errors, states, logs or on the tool's streams,
//! whatever a server answers, also one that quotes what it was sent.
//!
//! What is freed unwiped is measured in `freed.rs`.

mod direct;
mod echo;
mod logs;
mod oauth2;
mod person;
mod unwrapped;

use std::cell::Cell;
use std::rc::Rc;

use http::Request;
use sansession::Provider;
use sansession::testing::{Sample, Walk};

/// Walks through all states, with echoes among the answers, and looks for the secrets in all that is shown.
/// Gives the number of requests with a secret in them.
pub fn keeps_to_itself<P: Provider + Send>(
    walk: Walk<P>,
    good: impl Fn(&Request<Vec<u8>>) -> Vec<Sample> + 'static,
    secrets: &[&str],
) -> u64
where
    P::State: Clone,
{
    assert!(secrets.iter().all(|secret| secret.len() >= 4));
    let secrets: Vec<String> = secrets.iter().flat_map(|secret| echo::forms(secret)).collect();
    let looked = Rc::new(Cell::new(0_u64));
    let (looks, seen) = (looked.clone(), secrets.clone());
    let met: Rc<Cell<u64>> = Rc::default();
    let meets = met.clone();
    let map = walk
        .replies(move |request| {
            let sent = echo::sent(request);
            meets.set(meets.get() + u64::from(seen.iter().any(|secret| sent.contains(secret.as_str()))));
            let good = good(request).into_iter().map(|sample| ("good", sample));
            good.chain(echo::replies(&sent).into_iter().map(|sample| ("echo", sample))).collect()
        })
        .shown(move |text| {
            looks.set(looks.get() + 1);
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{secret} is shown:\n{text}");
            }
        })
        .run();
    assert!(map.table().contains("active"), "no session was opened:\n{}", map.table());
    assert!(looked.get() > 100, "{} looks", looked.get());
    met.get()
}

#[test]
#[should_panic(expected = "is shown")]
fn a_leak_is_found() {
    // The login name is no secret, and a server that echoes it is quoted.
    person::cbrain(&["norm-the-user"]);
}
