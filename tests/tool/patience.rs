//! How long trouble is borne, and that an outage throws no open session away.

use crate::process::{asked, portal, tool};

#[test]
fn a_session_that_was_given_up_is_taken_up_again_from_its_file_without_a_login() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let save = || tool("cbrain --json --keepalive 1").at(&portal).arg("--save", &file);
    let mut run = save().arg("--for", "60").arg("--open-patience", "2").norm().starts();
    run.is_active();
    portal.with(|portal| portal.lock_portal(None));
    let run = run.ends().exits(4);
    run.tells("may-live-on");
    let closed = run.json().pop().unwrap();
    assert_eq!((closed["reason"].as_str(), closed["resumable"].as_bool()), (Some("retries-exhausted"), Some(true)));
    assert!(closed["text"].as_str().unwrap().contains("was open and may live on"), "{run:#?}");
    assert!(run.err.contains("--resume") && !run.err.contains("--url"), "{run:#?}");

    portal.with(sansession::sim::CbrainSim::unlock_portal);
    let before = asked(&portal).len();
    save().arg("--resume", &file).runs().exits(0).tells("closed: logged-out");
    assert_eq!(asked(&portal).split_off(before), ["GET /session", "DELETE /session"]);
}

#[test]
fn an_outage_that_outlasts_the_patience_of_openings_ends_neither_session_nor_command() {
    let portal = portal();
    let args = "cbrain --json --keepalive 1 --patience 1 --open-patience none";
    let mut run = tool(args).arg("--for", "60").at(&portal).norm().starts();
    run.is_active();
    portal.with(|portal| portal.lock_portal(None));
    run.says(&[r#""event":"retrying""#, r#""attempt":3"#]);
    portal.with(sansession::sim::CbrainSim::unlock_portal);
    run.says(&["recovered"]);
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    assert_eq!(asked(&portal).iter().filter(|call| *call == "POST /session").count(), 1);
}
