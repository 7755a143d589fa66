//! A command inside a session: what it is told, what its end means, what ends it.

use std::fs;

use sansession::drive::now;
use sansession::sim::CbrainSim;
use sansession::sim::Mishap;

use crate::process::{Running, asked, portal, runs, tool};

const LIFE: [&str; 2] = ["POST /session", "DELETE /session"];

#[test]
fn a_command_calls_with_the_token_and_its_code_is_the_tools() {
    let portal = portal();
    let call = r#"test -z "$SANSESSION_PASSWORD$SANSESSION_USER" || exit 9
        test "$SANSESSION_AUTHORIZATION" = "Bearer $SANSESSION_TOKEN" || exit 8
        printf '%s' "$SANSESSION_HEADERS" | grep -qi '^authorization: Bearer ' || exit 7
        echo out; printf '%s' "$SANSESSION_HEADERS" | curl -sf -H @- "$SANSESSION_BASE_URL/groups"; exit 3"#;
    let run = tool("cbrain").at(&portal).norm().exec(call).runs().exits(3);
    assert_eq!(run.lines[0], "out", "standard output is the command's: {run:#?}");
    assert!(run.lines[1].starts_with('['), "{run:#?}");
    assert!(run.err.contains("closed: logged out"), "{run:#?}");
    assert_eq!(asked(&portal), ["POST /session", "GET /groups", "DELETE /session"]);
}

#[test]
fn lines_of_json_go_to_standard_error() {
    let portal = portal();
    let run = tool("cbrain --json").at(&portal).norm().exec("exit 0").runs().exits(0);
    assert!(run.lines.is_empty() && run.err.lines().all(|line| line.starts_with('{')), "{run:#?}");
    for event in ["started", "ended", "closed"] {
        assert!(run.err.contains(&format!(r#""event":"{event}""#)), "{run:#?}");
    }
}

#[test]
fn the_session_is_kept_alive_while_the_command_runs() {
    let portal = portal();
    tool("cbrain --keepalive 1").at(&portal).norm().exec("sleep 1.6").runs().exits(0);
    assert_eq!(asked(&portal), ["POST /session", "GET /session", "DELETE /session"]);
}

#[test]
fn a_command_that_is_killed_is_told_as_shells_tell_it() {
    let portal = portal();
    tool("cbrain").at(&portal).norm().exec("kill -KILL $$").runs().exits(128 + 9);
    assert_eq!(asked(&portal), LIFE);
}

#[test]
fn a_signal_goes_to_the_command_and_the_logout_follows() {
    for (signal, code) in [("INT", 42), ("TERM", 43)] {
        let portal = portal();
        let script = "trap 'exit 42' INT; trap 'exit 43' TERM; echo ready; while :; do sleep 0.05; done";
        let mut run = tool("cbrain").at(&portal).norm().exec(script).starts();
        run.says(&["ready"]);
        run.gets(signal);
        run.ends().exits(code);
        assert_eq!(asked(&portal), LIFE, "{signal}");
    }
}

#[test]
fn a_command_that_goes_on_after_an_interrupt_keeps_its_session() {
    let portal = portal();
    let script = "trap 'echo once' INT; echo ready; i=0; while [ $i -lt 10 ]; do sleep 0.05; i=$((i+1)); done; exit 5";
    let mut run = tool("cbrain").at(&portal).norm().exec(script).starts();
    run.says(&["ready"]);
    run.gets("INT");
    run.says(&["once"]);
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 1);
    run.ends().exits(5);
    assert_eq!(asked(&portal), LIFE);
}

#[test]
fn a_second_sigterm_ends_a_command_that_does_not_listen() {
    let portal = portal();
    let script = "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done";
    let mut run = tool("cbrain").at(&portal).norm().exec(script).starts();
    run.says(&["ready"]);
    run.gets("TERM");
    run.says(&["heard"]);
    run.gets("TERM");
    run.ends().exits(128 + 9);
    assert_eq!(asked(&portal), LIFE);
}

#[test]
fn a_session_that_dies_ends_the_command_and_gives_its_own_code() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("told");
    let script = r#"trap 'echo told > "$MARK"; exit 0' TERM; echo ready; while :; do sleep 0.05; done"#;
    let tool = tool("cbrain --keepalive 1").at(&portal).norm().env("MARK", &mark);
    let mut run = tool.exec(script).starts();
    run.says(&["ready"]);
    portal.with(CbrainSim::expire_sessions);
    let run = run.ends().exits(6);
    assert!(run.err.contains("the session is over"), "{run:#?}");
    assert_eq!(fs::read_to_string(mark).unwrap(), "told\n");
}

/// A command with programs of its own in the background.
const FAMILY: &str = "sleep 300 & echo child $!; sh -c 'sleep 300; true' & echo child $!; echo ready; wait";

fn family(run: &mut Running) -> Vec<String> {
    run.says(&["ready"]);
    let ids: Vec<_> = run.lines.iter().filter_map(|line| line.strip_prefix("child ")).map(str::to_owned).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| runs(id)));
    ids
}

#[test]
fn what_a_command_has_started_ends_with_it() {
    for signal in ["TERM", "HUP", "QUIT"] {
        let portal = portal();
        let mut run = tool("cbrain").at(&portal).norm().exec(FAMILY).starts();
        let ids = family(&mut run);
        run.gets(signal);
        let run = run.ends().exits(128 + 15);
        assert!(!ids.iter().any(|id| runs(id)), "{signal}: {run:#?}");
        assert_eq!(asked(&portal), LIFE, "{signal}");
    }
}

/// One of them does not listen.
#[test]
fn a_session_that_dies_ends_the_whole_family() {
    let portal = portal();
    let script = format!("(trap '' TERM; exec sleep 300) & echo child $!; {FAMILY}");
    let mut run = tool("cbrain --keepalive 1").at(&portal).norm().exec(&script).starts();
    let ids = family(&mut run);
    portal.with(CbrainSim::expire_sessions);
    run.ends().exits(6);
    assert!(!ids.iter().any(|id| runs(id)));
}

#[test]
fn what_a_command_leaves_behind_may_finish_but_not_stay() {
    let portal = portal();
    let script = "(sleep 0.5; echo written) & sleep 300 & echo child $!; exit 4";
    let run = tool("cbrain").at(&portal).norm().exec(script).runs().exits(4);
    assert!(run.lines.iter().any(|line| line == "written"), "{run:#?}");
    let left = run.lines.iter().find_map(|line| line.strip_prefix("child ")).unwrap();
    assert!(!runs(left));
    assert_eq!(asked(&portal), LIFE);
}

#[test]
#[cfg(target_os = "linux")]
fn a_tool_that_is_killed_leaves_no_command_behind() {
    let portal = portal();
    let mut run = tool("cbrain").at(&portal).norm().exec("echo $$; echo ready; exec sleep 300").starts();
    run.says(&["ready"]);
    let id = run.lines[0].clone();
    assert!(runs(&id));
    run.gets("KILL");
    assert_eq!(run.ends().code, None);
    assert!(!runs(&id));
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_has_its_signals_as_they_were() {
    let portal = portal();
    let run = tool("cbrain").at(&portal).norm().exec("grep SigBlk /proc/self/status").runs().exits(0);
    let here = fs::read_to_string("/proc/self/status").unwrap();
    assert!(here.contains(&run.lines[0]), "{run:#?}");
}

/// A hangup is told twice: by the kernel and by the shell.
#[test]
fn a_second_hangup_does_not_kill() {
    let portal = portal();
    let script = "trap 'echo heard; sleep 0.5; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let mut run = tool("cbrain").at(&portal).norm().exec(script).starts();
    run.says(&["ready"]);
    for signal in ["HUP", "HUP", "HUP"] {
        run.gets(signal);
    }
    run.ends().exits(7);
    assert_eq!(asked(&portal), LIFE);
}

#[test]
fn nobody_logs_in_for_a_command_that_cannot_be_started() {
    let portal = portal();
    for (command, code, words) in
        [("no-such-command", 127, "no such command"), ("/no/such", 127, "no such"), ("/etc/passwd", 126, "executable")]
    {
        let run = tool("cbrain").at(&portal).norm().arg("--exec", command).runs().exits(code);
        assert!(run.err.contains(command) && run.err.contains(words), "{run:#?}");
    }
    assert!(portal.log().is_empty());
}

/// A file that looks like a program shows only when it is started.
#[test]
fn a_command_that_fails_to_start_is_followed_by_the_logout() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("program");
    fs::write(&file, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let run = tool("cbrain").at(&portal).norm().arg("--exec", &file).runs().exits(126);
    assert!(run.err.contains("--exec"), "{run:#?}");
    assert_eq!(asked(&portal), LIFE);
}

#[test]
fn without_a_session_no_command_runs() {
    let portal = portal();
    let wrong = tool("cbrain").at(&portal).env("SANSESSION_USER", "norm").env("SANSESSION_PASSWORD", "hunter2");
    let run = wrong.exec("echo ran").runs().exits(3);
    assert!(run.lines.is_empty(), "{run:#?}");
    portal.with(|portal| portal.disturb(1, &Mishap::Slow(std::time::Duration::from_millis(1_500))));
    let run = tool("cbrain --json").at(&portal).norm().exec("echo ran").starts();
    while portal.with(|portal| portal.log().count()) < 2 {
        std::thread::yield_now();
    }
    run.gets("INT");
    let run = run.ends().exits(128 + 2);
    assert!(run.lines.is_empty(), "{run:#?}");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
}

#[test]
fn a_signed_session_gives_an_address_and_no_token() {
    let run = tool("ibkr-oauth1a").exec("true").runs().exits(64);
    assert!(run.err.contains("--listen"), "{run:#?}");
    let call = r#"test -z "$SANSESSION_TOKEN$SANSESSION_AUTHORIZATION" || exit 9
        curl -sf -H "X-Sansession-Secret: $SANSESSION_PROXY_SECRET" "$SANSESSION_PROXY/v1/api/iserver/accounts?a=b%20c""#;
    let run = tool("ibkr-oauth1a --listen 127.0.0.1:0").exec(call).runs().exits(0);
    assert!(run.lines.concat().contains("accounts"), "{run:#?}");
}
