//! The saved session: what survives which end of the process.

use std::path::Path;
use std::time::Duration;

use sansession::drive::now;
use sansession::sim::Mishap;
use sansession::sim::cbrain::Outcome;

use crate::process::{asked, portal, tool};

#[test]
fn a_killed_process_is_followed_by_one_that_goes_on() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = tool("cbrain --json --for 60").at(&portal).arg("--save", &file).norm().starts();
    run.is_active();
    run.gets("KILL");
    assert_eq!(run.ends().code, None);
    let run = tool("cbrain --json").at(&portal).arg("--resume", &file).runs().exits(0);
    run.tells("closed: logged-out");
    assert_eq!(asked(&portal), ["POST /session", "GET /session", "DELETE /session"]);
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
}

#[test]
fn a_login_of_unknown_fate_is_known_to_the_next_process() {
    let portal = portal();
    portal.with(|portal| portal.disturb(1, &Mishap::Slow(Duration::from_secs(30))));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = tool("cbrain --json").at(&portal).arg("--save", &file).norm().starts();
    run.says(&[r#""event":"send""#]);
    while portal.with(|portal| portal.count(Outcome::LoggedIn)) == 0 {
        std::thread::yield_now();
    }
    run.gets("KILL");
    let run = |args| tool(args).at(&portal).arg("--resume", &file).norm().runs();
    let first = run("cbrain --json").exits(4);
    first.tells("may-live-on");
    first.tells("needs credentials: lost");
    assert_eq!(asked(&portal), ["POST /session"], "it may have been refused");
    run("cbrain --json --again").exits(0).tells("closed: logged-out");
    assert_eq!(asked(&portal), ["POST /session", "POST /session", "DELETE /session"]);
    assert_eq!(portal.with(|portal| portal.count(Outcome::LoggedIn)), 2);
}

#[test]
fn a_session_is_left_open_and_taken_up_again() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let save = |args: &str| tool(args).at(&portal).arg("--save", &file);
    let run = save("cbrain --json --for 1").norm().runs().exits(0);
    assert_eq!(run.story().last().unwrap(), "left");
    assert_eq!(asked(&portal), ["POST /session"]);
    let run = save("cbrain --json --for 1.5 --keepalive 1").arg("--resume", &file).runs().exits(0);
    run.tells("kept-alive");
    assert_eq!(run.story().last().unwrap(), "left");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 1);
    // Without --for, the end is a logout, and the file tells that there is nothing to go on with.
    save("cbrain --json").arg("--resume", &file).runs().exits(0).tells("closed: logged-out");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
    assert_eq!(asked(&portal).iter().filter(|call| *call == "POST /session").count(), 1);
    let run = tool("cbrain --json").at(&portal).arg("--resume", &file).runs().exits(64);
    assert!(run.err.contains("has ended") && run.err.contains("SANSESSION_USER"), "{run:#?}");
}

#[test]
fn signals_that_end_a_program_save_and_leave() {
    for signals in [&["TERM"][..], &["HUP"], &["QUIT"], &["HUP", "HUP"], &["TERM", "HUP"]] {
        let portal = portal();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("session.json");
        let mut run = tool("cbrain --json --for 60").at(&portal).arg("--save", &file).norm().starts();
        run.is_active();
        for signal in signals {
            run.gets(signal);
        }
        let run = run.ends().exits(0);
        assert_eq!(run.story().last().unwrap(), "left", "{signals:?}");
        assert_eq!(asked(&portal), ["POST /session"]);
        tool("cbrain --json").at(&portal).arg("--resume", &file).runs().exits(0).tells("closed: logged-out");
    }
}

#[test]
fn without_a_file_signals_that_end_a_program_log_out() {
    for signal in ["TERM", "HUP", "QUIT"] {
        let portal = portal();
        let mut run = tool("cbrain --json --for 60").at(&portal).norm().starts();
        run.is_active();
        run.gets(signal);
        run.ends().exits(0).tells("closed: logged-out");
        assert_eq!(asked(&portal), ["POST /session", "DELETE /session"], "{signal}");
    }
}

/// `nohup` has hangups ignored in what it starts.
#[test]
fn a_hangup_that_is_to_be_ignored_is() {
    let portal = portal();
    let mut run = tool("cbrain --json --for 2").at(&portal).norm().under("trap '' HUP").starts();
    run.is_active();
    run.gets("HUP");
    let began = now();
    run.ends().exits(0);
    assert!(now().since(began) > Duration::from_secs(1));
}

#[test]
fn the_file_is_its_owners_alone_and_replaced_as_a_whole() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let runs = || tool("cbrain --for 0").at(&portal).arg("--save", &file).norm().runs().exits(0);
    runs();
    // Whoever reads while it is being replaced reads the old one to its end.
    let old = std::fs::File::open(&file).unwrap();
    let (before, text) = (std::fs::metadata(&file).unwrap().ino(), std::fs::read_to_string(&file).unwrap());
    runs();
    let after = std::fs::metadata(&file).unwrap();
    assert_eq!(after.permissions().mode() & 0o777, 0o600);
    assert_ne!(after.ino(), before);
    assert_eq!(std::io::read_to_string(old).unwrap(), text);
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["session.json"], "nothing is left beside it");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("correct"), "a password is never saved");
}

#[test]
fn what_cannot_be_saved_is_known_before_anything_is_sent() {
    let portal = portal();
    for file in ["/no/such/directory/session.json", "/", "/proc/session.json"] {
        let run = tool("cbrain --json").at(&portal).arg("--save", file).norm().runs().exits(64);
        assert!(run.err.contains("--save") && run.err.contains(file), "{run:#?}");
    }
    assert!(portal.log().is_empty());
}

#[test]
fn a_session_that_can_no_longer_be_saved_is_ended() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = tool("cbrain --json --for 60").at(&portal).arg("--save", &file).norm().starts();
    run.is_active();
    drop(directory);
    run.gets("TERM");
    let run = run.ends().exits(4);
    run.tells("closed: logged-out");
    assert!(run.err.contains("--save") && run.err.contains(&*file.to_string_lossy()), "{run:#?}");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
}

#[test]
fn a_file_that_cannot_be_resumed_is_named() {
    let (portal, other) = (portal(), portal());
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let left = directory.path().join("left.json");
    tool("cbrain --for 0").at(&portal).arg("--save", &left).norm().runs().exits(0);
    let text = std::fs::read_to_string(&left).unwrap();
    let cases = [
        (write("empty.json", ""), "damaged"),
        (write("half.json", &text[..text.len() / 2]), "damaged"),
        (write("newer.json", &text.replace(r#""format":1"#, r#""format":99"#)), "format 99"),
        (write("kotak.json", &text.replace(r#""provider":"cbrain""#, r#""provider":"kotak-neo""#)), "kotak-neo"),
        (directory.path().join("missing.json"), "No such file"),
    ];
    let fails = |file: &Path, words: &str, url: &str| {
        let run = tool("cbrain --json").arg("--url", url).arg("--resume", file).norm().runs().exits(64);
        assert!(run.err.contains(words), "{words}: {run:#?}");
        assert!(run.err.contains(&*file.to_string_lossy()), "{run:#?}");
    };
    for (file, words) in &cases {
        fails(file, words, portal.url());
    }
    fails(&left, portal.url(), other.url());
    assert!(other.log().is_empty());
    assert_eq!(asked(&portal), ["POST /session"]);
}

#[test]
fn what_is_no_file_of_ones_own_is_refused_with_words() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // Root may have a file of somebody else, others know one of root's.
    let foreign = if rustix::process::geteuid().is_root() { at("foreign") } else { "/etc/passwd".into() };
    if foreign.starts_with(directory.path()) {
        std::fs::write(&foreign, "").unwrap();
        std::os::unix::fs::chown(&foreign, Some(65_534), None).unwrap();
    }
    std::fs::write(at("wide"), "").unwrap();
    std::fs::set_permissions(at("wide"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::write(at("target"), "kept").unwrap();
    symlink(at("target"), at("link")).unwrap();
    let cases = [("/dev/null".into(), "device"), (at("wide"), "chmod 600"), (at("link"), "symbolic link")];
    let cases = cases.into_iter().chain([(foreign, "belongs to another user")]);
    for (file, words) in cases {
        for option in ["--save", "--resume"] {
            let run = tool("cbrain --json").at(&portal).arg(option, &file).norm().runs().exits(64);
            assert!(run.err.contains(words) && run.err.contains(option), "{run:#?}");
        }
        let run = tool("cbrain --listen 127.0.0.1:0").arg("--secret-file", &file).runs().exits(64);
        assert!(run.err.contains(words) && run.err.contains("--secret-file"), "{run:#?}");
    }
    assert_eq!(std::fs::read_to_string(at("target")).unwrap(), "kept");
    assert!(portal.log().is_empty());
}

/// Whoever mistypes a name must not lose what is there.
#[test]
fn a_private_file_that_is_no_session_is_not_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("id_ed25519");
    let put = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let run = |args: &str| tool(args).at(&portal).arg("--save", &file).norm().runs();
    let package = br#"{"name":"package","format":1}"#;
    for other in [&b"-----BEGIN OPENSSH PRIVATE KEY-----\n"[..], b"{}", b"[1]", package, b"\xff\xfe\0"] {
        for args in ["cbrain --json --for 0", "cbrain --json --for 0 --again"] {
            put(other);
            let run = run(args).exits(64);
            assert!(run.err.contains("--save") && run.err.contains("not overwritten"), "{run:#?}");
            assert_eq!(std::fs::read(&file).unwrap(), other);
        }
    }
    assert!(portal.log().is_empty());
    for empty in [&b""[..], b"\n"] {
        put(empty);
        run("cbrain --json --for 0").exits(0);
        put(empty);
        tool("cbrain --json").at(&portal).arg("--save", &file).arg("--resume", &file).norm().runs().exits(0);
    }
}

#[test]
fn a_run_that_has_nothing_to_save_leaves_no_file() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let save = || tool("cbrain --json").at(&portal).arg("--save", directory.path().join("session.json"));
    save().runs().exits(64);
    save().env("SANSESSION_USER", "").runs().exits(64);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(portal.log().is_empty());
}

#[test]
fn leftovers_of_killed_processes_are_removed_and_nothing_else_is() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let kept = ["session.json.old", "session.json.my-copy.new", "other.json.4242.new", "session.json.busy.new"];
    for name in kept.iter().chain(&["session.json.4242.new", "session.json.aBc123.new"]) {
        std::fs::write(at(name), "part of a sess").unwrap();
    }
    let busy = std::fs::File::open(at("session.json.busy.new")).unwrap();
    rustix::fs::flock(&busy, rustix::fs::FlockOperation::LockExclusive).unwrap();
    tool("cbrain --for 0").at(&portal).arg("--save", at("session.json")).norm().runs().exits(0);
    let mut names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut expected = [&kept[..], &["session.json"]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn the_end_of_a_session_that_was_resumed_is_in_its_file() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    tool("cbrain --for 0").at(&portal).arg("--save", &file).norm().runs().exits(0);
    tool("cbrain --json").at(&portal).arg("--resume", &file).runs().exits(0).tells("closed: logged-out");
    let run = tool("cbrain --json").at(&portal).arg("--resume", &file).norm().runs().exits(0);
    assert!(run.err.contains("has ended"), "{run:#?}");
    assert_eq!(
        asked(&portal),
        ["POST /session", "GET /session", "DELETE /session", "POST /session", "DELETE /session"]
    );
}

#[test]
fn the_file_with_a_secret_is_the_runs_own_and_gone_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    let put = |text: &str| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let listens = || tool("cbrain --json --listen 127.0.0.1:0").arg("--secret-file", &file);
    put("a private key\n");
    assert!(listens().runs().exits(64).err.contains("no secret of a proxy"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a private key\n");
    // Left by a run that was killed.
    put(&format!("{}\n", "0a".repeat(32)));
    let mut run = listens().starts();
    run.listens();
    assert_ne!(std::fs::read_to_string(&file).unwrap(), format!("{}\n", "0a".repeat(32)));
    run.gets("INT");
    run.ends().exits(0);
    assert!(!file.exists());
}
