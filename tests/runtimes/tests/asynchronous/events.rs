//! Those who listen hear each event once, in order, and learn of the end.

use std::time::Duration;

use runtimes::{LOGGED_OUT, alice, portal, session};
use sansession::Event;
use sansession::drive::{
    Events,
    asynchronous::{self, Transport},
};

async fn codes(mut events: Events<impl sansession::Machine>) -> (Vec<&'static str>, u64) {
    let mut codes = Vec::new();
    while let Some(event) = events.next().await {
        codes.push(event.code());
    }
    (codes, events.lost())
}

#[tokio::test]
async fn two_listeners_hear_a_whole_life_and_its_end() {
    let server = portal();
    let (session, driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), tokio::time::sleep, alice);
    let listeners = [session.events(), session.events()].map(|events| tokio::spawn(codes(events)));
    let mut late = session.events();
    tokio::spawn(driver);
    session.ready().await.unwrap();
    assert_eq!(session.logout().await, LOGGED_OUT);
    for listener in listeners {
        assert_eq!(listener.await.unwrap(), (vec!["phase"; 5], 0));
    }
    // What was not taken while it happened is still there.
    assert!(matches!(late.try_next(), Some(Event::PhaseChanged { .. })));
    assert_eq!(codes(late).await, (vec!["phase"; 4], 0));
    assert_eq!(codes(session.events()).await, (vec![], 0), "an end that was before");
}

#[tokio::test]
async fn a_listener_that_does_not_listen_holds_nothing_up() {
    let server = portal();
    let (session, driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), tokio::time::sleep, alice);
    let mut events = session.events();
    tokio::spawn(driver);
    session.ready().await.unwrap();
    // Each check is a look, and each look tells that the session lives; a look may follow the last one after a second.
    let more = tokio::time::timeout(Duration::from_millis(10), async { while events.next().await.is_some() {} });
    assert!(more.await.is_err(), "an open session goes on telling");
    drop(events);
    assert_eq!(session.logout().await, LOGGED_OUT);
}

#[tokio::test]
async fn an_abandoned_driver_ends_what_is_told() {
    let server = portal();
    let (session, driver) =
        asynchronous::new(session(server.url(), false), Transport::new().unwrap(), tokio::time::sleep, alice);
    let mut events = session.events();
    let driver = tokio::spawn(driver);
    session.ready().await.unwrap();
    driver.abort();
    while events.next().await.is_some() {}
    let again = tokio::spawn(session.driver(tokio::time::sleep, alice).unwrap());
    assert!(events.try_next().is_none());
    assert_eq!(session.logout().await, LOGGED_OUT);
    assert!(again.await.is_ok());
    assert_eq!(codes(events).await.0.last(), Some(&"phase"));
}
