//! The laws, on runs that a fuzzer makes up.

use std::cell::OnceCell;

use sansession::provider::Provider;
use sansession::testing::Laws;

use super::lawful::{cbrain, direct, ibkr, kotak, oauth2};

type Breaks = Box<dyn Fn(&[u8]) -> Option<String>>;

/// Some have keys, which take a while to make.
type Made = (OnceCell<Breaks>, fn() -> Breaks);

thread_local! {
    static LAWS: [Made; 12] = [
        (OnceCell::new(), || breaks(cbrain::cbrain())),
        (OnceCell::new(), || breaks(ibkr::gateway())),
        (OnceCell::new(), || breaks(ibkr::strict_gateway())),
        (OnceCell::new(), || breaks(ibkr::waiting_gateway())),
        (OnceCell::new(), || breaks(kotak::trade_api(true))),
        (OnceCell::new(), || breaks(kotak::neo(false))),
        (OnceCell::new(), || breaks(direct::oauth1a())),
        (OnceCell::new(), || breaks(direct::oauth2())),
        (OnceCell::new(), || breaks(direct::consent())),
        (OnceCell::new(), || breaks(direct::remote())),
        (OnceCell::new(), || breaks(kotak::trade_api(false))),
        (OnceCell::new(), || breaks(kotak::neo(true))),
    ];
    static OAUTH2: [OnceCell<Breaks>; 6] = const { [const { OnceCell::new() }; 6] };
}

/// From this byte on the provider is one of the grants of OAuth 2.
const GRANTS: u8 = 0xe0;

/// The first byte is the provider, the rest a run as [`Laws::broken_by`] reads it: all laws are checked.
pub fn calls(data: &[u8]) {
    let Some((which, run)) = data.split_first() else { return };
    let broken = match which.checked_sub(GRANTS) {
        None => LAWS.with(|laws| {
            let (laws, make) = &laws[usize::from(*which) % laws.len()];
            laws.get_or_init(make)(run)
        }),
        Some(grant) => OAUTH2.with(|laws| {
            let grant = usize::from(grant) % laws.len();
            laws[grant].get_or_init(|| breaks(oauth2::laws(oauth2::grants()[grant].1)))(run)
        }),
    };
    if let Some(broken) = broken {
        panic!("{broken}");
    }
}

fn breaks<P: Provider + Send + 'static>(laws: Laws<P>) -> Breaks {
    let laws = laws.calls(150);
    Box::new(move |run| laws.broken_by(run))
}
