//! The whole story, with fewer sessions. It needs an installed PostgreSQL server, and a minute and a half.

use std::process::Command;

#[test]
#[ignore = "needs PostgreSQL and takes more than a minute: `.ci/run postgres`"]
fn none_is_lost_and_none_driven_by_two() {
    let sessions = std::env::var("FLEET_SESSIONS").unwrap_or_else(|_| "2000".into());
    let told = Command::new(env!("CARGO_BIN_EXE_fleet_postgres"))
        .args(["--sessions", &sessions, "--busy", "10"])
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    println!("{out}\n{errors}");
    assert!(told.status.success());
    assert!(out.contains("none lost, none driven by two at once"));
    // The one that was stopped has noticed it by itself.
    assert!(errors.contains("worker 2: the lease was over"));
}
