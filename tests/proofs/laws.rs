//! The laws of `sansession::testing`, applied to the providers of this crate and to one made of nothing but corners.

use crate::fuzzed::lawful::cbrain::cbrain;
use crate::fuzzed::lawful::direct::{consent, oauth1a, oauth2, remote};
use crate::fuzzed::lawful::ibkr::{gateway, strict_gateway, waiting_gateway};
use crate::fuzzed::lawful::kotak::{neo, trade_api};
use crate::fuzzed::lawful::oauth2 as any_oauth2;
use sansession::Provider;
use sansession::testing::{Laws, Sample};

/// Reads how far a longer search goes: `SANSESSION_LAWS="seed cases calls"`.
fn longer<P: Provider + Send>(laws: Laws<P>) -> Laws<P> {
    let Ok(text) = std::env::var("SANSESSION_LAWS") else { return laws };
    let mut numbers = text.split(' ').map(|number| number.parse::<u32>().unwrap());
    let mut next = || numbers.next().unwrap();
    laws.seed(next().into()).cases(next()).calls(next() as usize)
}

#[test]
fn cbrain_keeps_the_laws() {
    longer(cbrain()).check_runs();
}

#[test]
fn cbrain_keeps_a_bounded_pace() {
    longer(cbrain().per_hour(400)).check_pace();
}

#[test]
fn a_protocol_of_corners_keeps_the_laws() {
    longer(crate::support::corners::laws()).check_runs();
}

#[test]
fn a_protocol_of_corners_keeps_a_bounded_pace() {
    longer(crate::support::corners::laws()).check_pace();
}

#[test]
fn a_protocol_that_lets_nobody_in_breaks_a_law() {
    let broken = Laws::new(crate::support::corners::corners).samples(["?", "n"].map(|text| Sample::json(500, text)));
    let broken = broken.server(|_, _| http::Response::new(b"x".to_vec())).cases(20).calls(1).broken();
    assert!(broken.is_some_and(|broken| broken.contains("21. gets in")));
}

#[test]
fn a_protocol_that_does_not_store_its_token_breaks_a_law() {
    let broken = Laws::new(crate::support::corners::forgetful).sample(Sample::json(200, "n")).broken();
    let broken = broken.unwrap_or_default();
    assert!(broken.contains("15. snapshots"), "{broken}");
}

#[test]
fn the_ibkr_gateway_keeps_the_laws() {
    longer(gateway()).check_runs();
    longer(strict_gateway()).check_runs();
    longer(waiting_gateway()).check_runs();
}

#[test]
fn the_ibkr_gateway_keeps_a_bounded_pace() {
    longer(gateway()).check_pace();
}

#[test]
fn the_trade_api_keeps_the_laws() {
    longer(trade_api(false)).check_runs();
    longer(trade_api(true)).check_runs();
}

#[test]
fn the_trade_api_keeps_a_bounded_pace() {
    longer(trade_api(false)).check_pace();
    longer(trade_api(true)).check_pace();
}

#[test]
fn neo_keeps_the_laws() {
    longer(neo(true)).check_runs();
    longer(neo(false)).check_runs();
}

#[test]
fn neo_keeps_a_bounded_pace() {
    longer(neo(true)).check_pace();
    longer(neo(false)).check_pace();
}

#[test]
fn remote_keys_keep_the_laws() {
    longer(remote().cases(64)).check_runs();
}

#[test]
fn remote_keys_keep_a_bounded_pace() {
    longer(remote()).check_pace();
}

#[test]
fn oauth1a_keeps_the_laws() {
    longer(oauth1a().cases(96)).check_runs();
}

#[test]
fn oauth1a_keeps_a_bounded_pace() {
    longer(oauth1a()).check_pace();
}

#[test]
fn oauth2_keeps_the_laws() {
    longer(oauth2().cases(96)).check_runs();
}

#[test]
fn oauth2_keeps_a_bounded_pace() {
    longer(oauth2()).check_pace();
}

#[test]
fn consent_keeps_the_laws() {
    longer(consent().cases(96)).check_runs();
}

#[test]
fn consent_keeps_a_bounded_pace() {
    longer(consent()).check_pace();
}

#[test]
fn every_grant_of_oauth2_keeps_the_laws() {
    for (name, make) in any_oauth2::grants() {
        println!("{name}");
        longer(any_oauth2::laws(make).cases(64)).check_runs();
    }
}

#[test]
fn every_grant_of_oauth2_keeps_the_laws_before_a_server_that_rotates() {
    for (name, make) in any_oauth2::grants() {
        println!("{name}");
        let laws = Laws::new(make).simulator(any_oauth2::Served::default).path("/api/quotes");
        longer(laws.live(|live| live.access.expose().to_owned()).cases(32)).check_runs();
    }
}

#[test]
fn every_grant_of_oauth2_keeps_a_bounded_pace() {
    for (name, make) in any_oauth2::grants() {
        println!("{name}");
        longer(any_oauth2::laws(make)).check_pace();
    }
}
