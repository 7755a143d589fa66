//! Profiles: what is refused, by file and line, and that nothing is sent then.

use crate::home::{Home, mode, portal as profile};
use crate::process::{asked, portal};

#[test]
fn a_mistake_is_named_with_file_and_line() {
    let portal = portal();
    let home = Home::of(&portal);
    let at = |line: usize| format!("profiles.toml:{line}: ");
    for (more, words) in [
        ("password = \"hunter2\"", &["`password` is a secret", "password-file", "SANSESSION_PASSWORD_FILE"][..]),
        ("totp_secret = \"hunter2\"", &["`totp-secret` is a secret", "totp-secret-file"]),
        ("token = 1", &["`token` is a secret"]),
        ("paswordfile = \"x\"", &["is no key", "is `password-file` meant?"]),
        ("reloign = true", &["is no key", "is `relogin` meant?"]),
        ("relogin = \"yes\"", &["true or false"]),
        ("keepalive = \"3 moons\"", &["3 moons", "seconds"]),
        ("open-patience = \"0\"", &["more than 0"]),
        ("listen = \"0.0.0.0:80\"", &["127.0.0.1"]),
        ("save = \"x\"", &["command line"]),
        ("exec = \"x\"", &["command line"]),
        ("port = 3", &["is no key"]),
        ("ca-file = [", &[]),
    ] {
        home.profiles(&profile(portal.url(), more));
        let run = home.tool("login portal").runs().exits(64);
        assert!(run.err.contains(&at(7)), "{more}: {run:#?}");
        for word in words {
            assert!(run.err.contains(word), "{more}: {word:?} is not in {run:#?}");
        }
    }
    for (text, words) in [
        ("x = 1\n[portal]\nurl = \"http://localhost\"", &["profiles.toml:2: ", "no `provider`"][..]),
        ("[portal]\nprovider = \"cbrian\"", &["profiles.toml:2: ", "cbrian"]),
        ("[portal]\nprovider = \"cbrain\"", &["profiles.toml:1: ", "no `url`"]),
        ("[portal]\nprovider = \"cbrain\"\nurl = \"localhost\"", &["localhost"]),
        (
            "[portal]\nprovider = \"cbrain\"\nurl = \"http://localhost:1\"\ncompete = \"wait\"",
            &["profiles.toml:1: ", "ibkr"],
        ),
        ("[protal]\nprovider = \"cbrain\"", &["no profile portal", "is protal meant?"]),
        ("portal = 3", &["profiles.toml:1: ", "no table"]),
        ("", &["no profile portal", "holds none"]),
    ] {
        home.profiles(text);
        let run = home.tool("login portal").runs().exits(64);
        for word in words {
            assert!(run.err.contains(word), "{text}: {word:?} is not in {run:#?}");
        }
    }
    assert!(portal.log().is_empty());
}

#[test]
fn without_profiles_one_is_shown() {
    let home = Home::new();
    let run = home.tool("run portal").runs().exits(64);
    assert!(run.err.contains("profiles.toml is not there") && run.err.contains("provider = \"cbrain\""), "{run:#?}");
    for name in ["../portal", "", "a/b", ".portal"] {
        home.profiles(&format!("[\"{name}\"]\nprovider = \"cbrain\"\nurl = \"http://localhost:1\""));
        let run = home.tool("login").arg("--", name).runs().exits(64);
        assert!(run.err.contains("is not the name of a profile"), "{run:#?}");
    }
}

#[test]
fn a_secret_that_others_may_read_is_not_used() {
    let portal = portal();
    let home = Home::of(&portal);
    for open in [0o644, 0o640, 0o604] {
        mode(&home.config("password"), open);
        let run = home.tool("login portal").runs().exits(64);
        assert!(run.err.contains("profiles.toml:5: ") && run.err.contains("chmod 600"), "{run:#?}");
    }
    assert!(portal.log().is_empty());
    mode(&home.config("password"), 0o600);
    home.tool("login portal").runs().exits(0);
    std::fs::remove_file(home.config("password")).unwrap();
    let run = home.tool("login portal").runs().exits(64);
    assert!(run.err.contains("profiles.toml:5: ") && run.err.contains("password"), "{run:#?}");
}

/// Whoever can name another server would be told the password.
#[test]
fn profiles_that_everybody_may_write_are_not_used() {
    let portal = portal();
    let home = Home::of(&portal);
    mode(&home.config("profiles.toml"), 0o646);
    for verb in ["login portal", "status", "run portal"] {
        let run = home.tool(verb).runs().exits(64);
        assert!(run.err.contains("profiles.toml: may be written by everybody (mode 646)"), "{run:#?}");
    }
    assert!(portal.log().is_empty());
    mode(&home.config("profiles.toml"), 0o664);
    home.tool("login portal").runs().exits(0);
}

#[test]
fn the_environment_comes_before_the_profile_and_the_line_before_both() {
    let portal = portal();
    let home = Home::of(&portal);
    home.secret("password", "hunter2");
    home.profiles(&profile("http://localhost:1", ""));
    let run = home.tool("run portal --json --for 0").arg("--url", portal.url()).norm().runs().exits(0);
    run.tells("active");
    assert_eq!(asked(&portal), ["POST /session"]);
}

#[test]
fn a_directory_of_xdg_is_absolute() {
    let portal = portal();
    let home = Home::of(&portal);
    let run = home.tool("status").env("XDG_CONFIG_HOME", "config").runs().exits(64);
    assert!(run.err.contains(".config/sansession/profiles.toml"), "{run:#?}");
}
