//! What the harness of `sansession::testing` catches: one provider that is right, and eighteen that each do one thing wrong.

mod ledger;
mod providers;
mod server;

use std::time::Duration;

use http::{Request, Response};
use ledger::{Ledger, Wrong};
use sansession::BaseUrl;
use sansession::testing::Laws;
use server::Server;

fn laws(wrong: Wrong) -> Laws<Ledger> {
    let base = BaseUrl::parse("https://ledger.example.org").unwrap();
    Laws::new(move || Ledger { base: base.clone(), wrong })
        .simulator(Server::default)
        // A consent ends after three days.
        .lasts(Duration::from_secs(4 * 24 * 3_600))
        .live(String::clone)
        .path("/entries")
}

#[test]
fn a_provider_that_is_right_keeps_all_laws() {
    laws(Wrong::Nothing).cases(128).check();
}

#[track_caller]
fn is_caught(wrong: Wrong, words: &[&str]) {
    let broken = laws(wrong).broken().unwrap_or_else(|| panic!("{wrong:?} passes"));
    for word in words {
        assert!(broken.contains(word), "{wrong:?} is caught without {word:?}: {broken}");
    }
}

#[test]
fn a_lost_refresh_sent_again_is_caught() {
    is_caught(
        Wrong::LostRefreshSentAgain,
        &[
            "22. values for one use",
            "`refresh` sends refresh-",
            "request 1 of `refresh` arrives, and its answer is lost",
        ],
    );
}

#[test]
fn a_refresh_that_is_safe_is_caught() {
    is_caught(
        Wrong::SafeRefresh,
        &[
            "22. values for one use",
            "`refresh` sends refresh-",
            "request 1 of `refresh` arrives, and its answer is lost",
        ],
    );
}

#[test]
fn a_spent_refresh_token_kept_over_a_crash_is_caught() {
    is_caught(
        Wrong::SpentRefreshKeptOverACrash,
        &["22. values for one use", "`refresh` sends refresh-", "request 1 of `refresh` arrives, and the process dies"],
    );
}

#[test]
fn the_old_refresh_token_kept_on_rotation_is_caught() {
    is_caught(Wrong::OldRefreshKept, &["22. values for one use", "`refresh` sends refresh-", "nothing goes wrong"]);
}

#[test]
fn new_tokens_that_are_not_told_of_is_caught() {
    is_caught(
        Wrong::NewTokensForgotten,
        &["17. late news", "`refresh` changes the tokens", "`Fact::NewTokens` is not told"],
    );
}

#[test]
fn a_consent_that_is_never_renewed_is_caught() {
    is_caught(
        Wrong::ConsentNeverRenewed,
        &["24. calls of the user's own", "gets 401 (application/json) {\"error\":\"consent_ended\"} after 259200"],
    );
}

#[test]
fn any_200_taken_for_life_is_caught() {
    is_caught(
        Wrong::AnyOkIsLife,
        &["23. pages", "`look` takes a page of a proxy (200, text/html) for a proof of life"],
    );
}

#[test]
fn any_401_taken_for_death_is_caught() {
    is_caught(
        Wrong::AnyUnauthorizedIsDeath,
        &["23. pages", "`look` takes a page of a proxy (401, text/html) for a proof of death"],
    );
}

#[test]
fn a_one_time_token_used_twice_is_caught() {
    is_caught(
        Wrong::TicketUsedTwice,
        &["22. values for one use", "`redeem` sends ticket-", "request 1 of `redeem` arrives, and its answer is lost"],
    );
}

#[test]
fn a_one_time_token_kept_over_a_crash_is_caught() {
    is_caught(
        Wrong::TicketKeptOverACrash,
        &["22. values for one use", "`redeem` sends ticket-", "request 1 of `redeem` arrives, and the process dies"],
    );
}

#[test]
fn any_200_taken_for_a_profile_is_caught() {
    is_caught(
        Wrong::AnyOkIsAProfile,
        &["23. pages", "`profile` takes a page of a proxy (200, text/html) for a proof of life"],
    );
}

#[test]
fn a_logout_without_a_token_is_caught() {
    is_caught(
        Wrong::LogoutWithoutAToken,
        &["16. logout", "`logout` is to end the session and cannot be built: there is no token"],
    );
}

#[test]
fn a_refusal_asked_for_as_stale_is_caught() {
    is_caught(
        Wrong::RefusalAskedForAsStale,
        &["27. refusals", "a wrong pin is asked for again as stale", "`login` got 403", "wrong_pin"],
    );
}

#[test]
fn a_page_taken_for_a_logout_is_caught() {
    is_caught(Wrong::PageIsALogout, &["23. pages", "`logout` takes a page of a proxy (200, text/html) for a logout"]);
}

#[test]
fn a_renewal_that_a_keepalive_forgets_is_caught() {
    is_caught(Wrong::RenewalForgotten, &["25. renewals", "`refresh` was to leave at"]);
}

#[test]
fn a_second_renewal_that_a_keepalive_forgets_is_caught() {
    is_caught(Wrong::SecondRenewalForgotten, &["25. renewals", "`profile` was to leave at", "nothing goes wrong"]);
}

#[test]
fn a_header_that_shows_its_token_is_caught() {
    is_caught(Wrong::BareHeader, &["18. nothing shows an answer", "`authorization`, which is not marked as sensitive"]);
}

#[test]
fn what_a_resume_shows_otherwise_is_caught() {
    is_caught(Wrong::UserNotStored, &["15. snapshots", "live() shows ann, and after a resume nobody"]);
}

#[test]
fn a_session_that_never_gets_in_tells_what_was_rejected() {
    let base = BaseUrl::parse("https://ledger.example.org").unwrap();
    let laws = Laws::new(move || Ledger { base: base.clone(), wrong: Wrong::Nothing });
    let broken = laws.simulator(|| |_, _: &Request<Vec<u8>>| Response::new(br#"{"tickets":[]}"#.to_vec())).broken();
    let broken = broken.expect("a server that lets nobody in");
    for word in ["21. gets in", "`login` got 200", "tickets", "Unreadable(\"not an answer of the ledger\")"] {
        assert!(broken.contains(word), "there is no {word:?} in {broken}");
    }
}
