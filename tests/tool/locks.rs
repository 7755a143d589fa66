//! One process at a time drives a session.

#![expect(clippy::disallowed_methods, reason = "these tests are about processes and time")]

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{asked, portal, runs, tool};

#[test]
fn a_file_in_use_is_refused_and_nothing_is_sent() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    tool("cbrain --for 0").at(&portal).arg("--save", at("a")).norm().runs().exits(0);
    let mut first = tool("cbrain --json --for 60").at(&portal).arg("--resume", at("a")).arg("--save", at("b")).starts();
    first.says(&["kept-alive"]);
    let before = asked(&portal);
    let texts = || ["a", "b"].map(|name| std::fs::read_to_string(at(name)).unwrap());
    let held = texts();
    let indirect = directory.path().join(".").join("b");
    for (options, named) in [
        (vec![("--save", at("a"))], "--save"),
        (vec![("--save", at("b"))], "--save"),
        (vec![("--resume", at("a"))], "--resume"),
        (vec![("--resume", at("b"))], "--resume"),
        (vec![("--resume", at("b")), ("--save", at("c"))], "--resume"),
        (vec![("--resume", at("b")), ("--save", at("b"))], "--save"),
        (vec![("--save", indirect)], "--save"),
    ] {
        let tool = options.iter().fold(tool("cbrain --json"), |tool, (name, path)| tool.arg(name, path));
        let run = tool.at(&portal).norm().runs().exits(4);
        assert!(run.err.contains(named) && run.err.contains("in use by another process"), "{run:#?}");
        assert!(run.lines.is_empty(), "{run:#?}");
    }
    assert_eq!(asked(&portal), before);
    assert_eq!(texts(), held);
    assert!(!at("c").exists());
    first.gets("INT");
    first.ends().exits(0).tells("closed: logged-out");
    // Once it has ended, the file is free.
    tool("cbrain --json --for 0").at(&portal).arg("--save", at("b")).norm().runs().exits(0);
}

/// Each save replaces the file, and nobody gets hold of the old one or of the new one meanwhile.
#[test]
fn of_those_that_start_together_one_drives_the_session() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let start = || tool("cbrain --json --for 2 --keepalive 1").at(&portal).arg("--save", &file).norm().starts();
    let runs: Vec<_> = (0..6).map(|_| start()).collect();
    let runs: Vec<_> = runs.into_iter().map(crate::process::Running::ends).collect();
    assert!(runs.iter().all(|run| [Some(0), Some(4)].contains(&run.code)), "{runs:#?}");
    // One that starts late may find the file free again.
    let mut lives: Vec<_> = runs
        .iter()
        .filter(|run| run.code == Some(0))
        .map(|run| {
            let times: Vec<u64> = run.json().iter().map(|line| line["t"].as_u64().unwrap()).collect();
            (times[0], *times.last().unwrap())
        })
        .collect();
    lives.sort_unstable();
    assert!(!lives.is_empty() && lives.len() < runs.len(), "{lives:?}");
    assert!(lives.windows(2).all(|two| two[0].1 <= two[1].0), "{lives:?}");
    assert_eq!(asked(&portal).iter().filter(|call| *call == "POST /session").count(), lives.len());
}

/// A lock that the command had, too, would outlive a tool that was killed.
#[test]
fn a_command_that_outlives_the_tool_does_not_hold_its_file() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let (file, id) = (directory.path().join("session.json"), directory.path().join("id"));
    let script = r#"trap "" TERM; echo $$ > "$ID.x"; mv "$ID.x" "$ID"; sleep 300"#;
    let save = |args: &str| tool(args).at(&portal).arg("--save", &file).env("ID", &id);
    let run = save("cbrain --json").norm().exec(script).speaks_to(Stdio::null(), Stdio::null());
    while !id.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    // It is killed.
    drop(run);
    let command = std::fs::read_to_string(&id).unwrap();
    assert!(runs(&command));
    save("cbrain --json").arg("--resume", &file).runs().exits(0).tells("closed: logged-out");
    let killed = Command::new("sh").arg("-c").arg(format!("kill -9 -{}", command.trim())).status();
    assert!(killed.unwrap().success());
}
