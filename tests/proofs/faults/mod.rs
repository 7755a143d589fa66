//! Sessions of every provider on a bad network, before servers with bad days, in processes that die; in one virtual clock.
//!
//! [`sim::Network`](sansession::sim::Network) refuses connections, loses requests and answers, cuts answers off and
//! holds them back; the driver reports some answers twice, and those that come after their time. The levers of the
//! simulators are pulled every few hours: outages, midnights, maintenance, rivals, penalty boxes, tokens that end,
//! pages in place of answers. A person answers within seconds, an hour or nine, and now and then wrongly. Every few
//! days the process dies, between two outputs or at any other time, and another one goes on from what was stored.
//!
//! The [judge](judge::Judge) reads the simulator's own log after each request, and asks it now and then whether it takes
//! a call. It believes nothing that the client says of itself, but that it told `may-live-on`. The laws:
//!
//! 1. An answer of a person is judged once by the server.
//! 2. A token whose death an answer has told is sent no more, but by a logout. Another process may learn it again.
//! 3. Nothing is sent within a penalty box that an answer has told of, and no box is opened by the client's own pace.
//! 4. No hour has more than `PER_HOUR` requests.
//! 5. Where a logout ends, the server has no session, or `may-live-on` was told.
//! 6. An open session is closed by its owner, or after the server has ended it.
//! 7. *Active for what the server allows.* The server allows a session at every instant that lies in no outage of its
//!    own, in no cut of the network, in no penalty box and in no rival's time, while no person thinks about an answer and
//!    the process lives: all this is the script's, and known exactly. In each stretch of allowed time, of length `L` and with `k` requests
//!    in it that met trouble (counted by the network and by the server), the session is active for at least
//!    `L - (k + 1) * (POLL + BACK) - glance`: one status poll and one step back for what ended before, and for each trouble,
//!    and half a `POLL` for the judge, who does not look all the time. `POLL` and `BACK` are each provider's.
//! 8. Where it is counted (OAuth 2), a person is asked no more often than consents end, tokens are refused, answers are lost and
//!    processes die.
//!
//! A law that breaks prints a command that replays its seed. The ordinary run is short; whole years run with
//!
//! ```text
//! cargo test --release --test proofs faults -- --ignored
//! SANSESSION_FAULT_SEED=100 SANSESSION_FAULT_SEEDS=50 cargo test --release --test proofs faults::cbrain_years -- --ignored --nocapture
//! ```
//!
//! and `SANSESSION_FAULT_DAYS` sets how long a life is. `SANSESSION_FAULT_LINES` sets how much of a transcript is shown,
//! and with `SANSESSION_FAULT_BODIES` it has the bodies of answers.

mod cbrain;
mod ibkr;
mod judge;
mod kotak;
mod oauth2;
mod year;

use year::{Case, Story, Year};

/// Lives so many days for each seed; `SANSESSION_FAULT_SEED` and `SANSESSION_FAULT_DAYS` name others.
fn live<C: Case>(seeds: std::ops::Range<u64>, days: u32, test: &'static str) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("SANSESSION_FAULT_SEED");
    let many = number("SANSESSION_FAULT_SEEDS").unwrap_or(1);
    let seeds = first.map_or(seeds, |seed| seed..seed + many);
    let days = number("SANSESSION_FAULT_DAYS").map_or(days, |days| days as u32);
    for seed in seeds {
        let story: Story = Year::<C>::new(seed, days, test).passes();
        println!("{test} {seed}: {story:?}");
    }
}

const YEAR: u32 = 365;

macro_rules! years {
    ($($name:ident, $years:ident, $case:ty, $seeds:expr, $days:expr;)*) => {$(
        #[test]
        fn $name() {
            live::<$case>($seeds, $days, stringify!($name));
        }

        #[test]
        #[ignore = "takes minutes"]
        fn $years() {
            live::<$case>(1..11, YEAR, stringify!($years));
        }
    )*};
}

years! {
    cbrain, cbrain_years, cbrain::Portal, 1..4, 60;
    kotak_trade, kotak_trade_years, kotak::Trade, 1..4, 60;
    kotak_neo, kotak_neo_years, kotak::NeoCase, 1..4, 60;
    ibkr_gateway, ibkr_gateway_years, ibkr::AtGateway, 1..4, 14;
    ibkr_oauth1a, ibkr_oauth1a_years, ibkr::Direct<1>, 2..4, 7;
    ibkr_oauth2, ibkr_oauth2_years, ibkr::Direct<2>, 1..4, 7;
    oauth2, oauth2_years, oauth2::Consents, 1..3, 30;
}
