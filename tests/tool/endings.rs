//! Ends that are nobody's wish, each with its exit code.

use std::net::IpAddr;
use std::time::Duration;

use http::Response;
use sansession::Timestamp;
use sansession::drive::now;
use sansession::sim::Mishap;
use sansession::sim::{CbrainSim, Reply, Server, Simulator};

use crate::process::{asked, portal, tool};

/// A server that shows a page to whatever is asked.
struct Page;

impl Simulator for Page {
    fn handle(&mut self, _: Timestamp, _: IpAddr, _: &http::Request<Vec<u8>>) -> Reply {
        let page = b"<!DOCTYPE html><html><title>Sign in to the hotel's network</title></html>".to_vec();
        Reply::new(Response::builder().header("content-type", "text/html").body(page).unwrap())
    }
}

/// The URL of a port at which nobody listens.
fn nowhere() -> String {
    portal().url().to_owned()
}

#[test]
fn where_nobody_listens_the_opening_is_given_up_in_time() {
    let began = now();
    let run = tool("cbrain --json --patience 2").arg("--url", nowhere()).norm().runs().exits(4);
    let took = now().since(began);
    assert!(took < Duration::from_secs(12), "{took:?}");
    run.tells("failure");
    run.tells("retrying");
    run.tells("closed: retries-exhausted");
    let failure = run.json().into_iter().find(|line| line["event"] == "failure").unwrap();
    assert_eq!(failure["delivery"], "NotSent");
}

#[test]
fn a_web_page_is_no_session() {
    let server = Server::start(Page, now).unwrap();
    let run = tool("cbrain --json").at(&server).norm().runs().exits(5);
    run.tells("closed: protocol");
    assert_eq!(asked(&server).len(), 1);
    // It is no logout either, and no death: the token is kept until patience ends.
    let run = tool("cbrain --json --patience 2").at(&server).env("SANSESSION_TOKEN", "not-a-token-of-anybody");
    run.runs().exits(5);
}

#[test]
fn an_expired_session_ends_the_run() {
    let portal = portal();
    let mut run = tool("cbrain --json --for 60 --keepalive 1").at(&portal).norm().starts();
    run.is_active();
    portal.with(CbrainSim::expire_sessions);
    run.ends().exits(6).tells("closed: expired");
    assert_eq!(asked(&portal), ["POST /session", "GET /session"]);
}

#[test]
fn a_portal_that_stays_locked_is_given_up() {
    let portal = portal();
    portal.with(|portal| portal.lock_portal(Some("back at noon")));
    let run = tool("cbrain --json --patience 2").at(&portal).norm().runs().exits(4);
    run.tells("server-says");
    assert!(run.lines.iter().any(|line| line.contains("back at noon")));
    run.tells("closed: retries-exhausted");
}

#[test]
fn a_portal_that_is_locked_for_a_moment_is_waited_for_with_the_same_password() {
    let portal = portal();
    portal.with(|portal| portal.lock_portal(None));
    let mut run = tool("cbrain --json").at(&portal).norm().starts();
    run.says(&[r#""event":"retrying""#]);
    portal.with(CbrainSim::unlock_portal);
    run.ends().exits(0).tells("closed: logged-out");
}

#[test]
fn a_logout_that_nobody_confirms_is_told() {
    let portal = portal();
    let mut run = tool("cbrain --json --for 60 --patience 3").at(&portal).norm().starts();
    run.is_active();
    portal.with(|portal| portal.lock_portal(None));
    run.gets("INT");
    let run = run.ends().exits(4);
    run.tells("may-live-on");
    run.tells("closed: logged-out.unconfirmed");
    assert!(asked(&portal).iter().filter(|call| *call == "DELETE /session").count() >= 2, "{run:#?}");
}

#[test]
fn an_outage_ends_an_open_session_only_when_patience_does() {
    let portal = portal();
    let mut run = tool("cbrain --json --for 60 --keepalive 1 --patience 4").at(&portal).norm().starts();
    run.is_active();
    drop(portal);
    let run = run.ends().exits(4);
    run.tells("suspect");
    run.tells("retrying");
    run.tells("closed: retries-exhausted");
}

#[test]
fn an_outage_that_passes_is_survived() {
    let portal = portal();
    let mut run = tool("cbrain --json --for 60 --keepalive 1").at(&portal).norm().starts();
    run.is_active();
    portal.with(|portal| portal.disturb(1, &Mishap::Dropped));
    run.says(&["suspect"]);
    run.says(&["recovered"]);
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    assert!(asked(&portal).iter().filter(|call| *call == "POST /session").count() == 1);
}
