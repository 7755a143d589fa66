//! The verbs, each through a life of its own on simulators.

use serde_json::Value;

use crate::home::{Home, mode_of, portal as profile};
use crate::process::{asked, portal, tool};

#[test]
fn a_login_is_kept_for_the_other_verbs() {
    let portal = portal();
    let home = Home::of(&portal);
    assert!(home.tool("status portal").runs().exits(6).lines[0].contains("not logged in"));
    let login = home.tool("login portal").runs().exits(0);
    assert_eq!((login.lines.as_slice(), login.err.as_str()), (&["portal: logged in".to_owned()][..], ""));
    assert_eq!(mode_of(&home.state("portal.session")), 0o600);
    assert_eq!(mode_of(&home.state("")), 0o700);
    let before = asked(&portal);
    assert!(home.tool("status portal").runs().exits(0).lines[0].contains("open for"));
    assert_eq!(asked(&portal), before, "nothing is sent for the status");
    home.tool("status portal --check").runs().exits(0);
    let token = home.prints("token portal");
    assert_eq!(home.prints("token portal"), token, "no second login");
    assert!(home.prints("token portal --header").contains(&format!("authorization: Bearer {}", token.trim())));
    let json: Value = serde_json::from_str(&home.prints("token portal --json")).unwrap();
    assert_eq!((json["token"].as_str().unwrap(), json["base_url"].as_str().unwrap()), (token.trim(), portal.url()));
    let logout = home.tool("logout portal").runs().exits(0);
    assert_eq!(logout.lines, ["portal: logged out"]);
    assert!(home.tool("status portal").runs().exits(6).lines[0].contains("logged out"));
    assert!(!std::fs::read_to_string(home.state("portal.session")).unwrap().contains(token.trim()));
    let posts = asked(&portal).iter().filter(|call| *call == "POST /session").count();
    assert_eq!((posts, asked(&portal).last().unwrap().as_str()), (1, "DELETE /session"));
    // There is nothing left to end.
    assert!(home.tool("logout portal").runs().exits(0).err.contains("nobody is logged in"));
}

#[test]
fn a_call_prints_the_answer_and_its_status_is_the_exit_code() {
    let portal = portal();
    let home = Home::of(&portal);
    // Nobody has logged in, so this does.
    assert!(home.prints("call portal GET /session").contains(r#""user_id""#));
    let missing = home.tool("call portal GET /nowhere?secret=1 -v").runs().exits(1);
    assert!(missing.err.contains("404") && missing.err.contains("GET /nowhere 404"), "{missing:#?}");
    assert!(!missing.err.contains("secret=1"), "{missing:#?}");
    let json: Value =
        serde_json::from_str(&home.tool("call portal get nowhere --json").runs().exits(1).lines[0]).unwrap();
    assert_eq!(json["status"], 404);
    let included = home.tool("call portal GET /nowhere --include").runs().exits(1);
    assert_eq!(included.lines[0], "HTTP/1.1 404 Not Found");
    let before = asked(&portal).len();
    for (args, words) in [
        ("call portal GET http://example.org/", "the path alone"),
        ("call portal G<T /", "is no method"),
        ("call portal GET / --header nonsense", "--header"),
        ("call portal POST / --data @/no/such", "--data @/no/such"),
    ] {
        let run = home.tool(args).runs().exits(64);
        assert!(run.err.contains(words), "{args}: {run:#?}");
    }
    assert_eq!(asked(&portal).len(), before);
}

#[test]
fn a_second_process_is_told_who_has_the_session() {
    let portal = portal();
    let home = Home::of(&portal);
    let mut first = home.tool("run portal --json").starts();
    first.is_active();
    let before = asked(&portal);
    for verb in ["login", "logout", "run", "proxy"] {
        let run = home.tool(&format!("{verb} portal")).runs().exits(4);
        let [id, kill] = [format!("pid {}", first.id()), format!("`kill {}`", first.id())];
        for part in ["in use by `run`", &id, "since ", &kill, "systemctl --user stop sansession@portal"] {
            assert!(run.err.contains(part), "{part}: {run:#?}");
        }
    }
    let json = home.tool("status --json").runs().exits(0).json().remove(0);
    assert_eq!((&json["state"], &json["in_use"]["pid"]), (&"open".into(), &first.id().into()));
    assert_eq!(asked(&portal), before);
    first.gets("TERM");
    first.ends().exits(0);
    // It was left open, and the next one goes on with it.
    home.tool("token portal").into_command().output().unwrap();
    assert_eq!(asked(&portal).iter().filter(|call| *call == "POST /session").count(), 1);
}

#[test]
fn a_killed_process_holds_nothing() {
    let portal = portal();
    let home = Home::of(&portal);
    let mut first = home.tool("run portal --json").starts();
    first.is_active();
    drop(first);
    home.tool("login portal").runs().exits(0);
}

#[test]
fn a_session_is_run_and_lent_by_its_profile() {
    let portal = portal();
    let home = Home::listening(&portal);
    let mut run = home.tool("run portal --json").starts();
    let proxy = run.listens();
    proxy.is_ready();
    assert!(proxy.asks("GET /session", "", "").contains("200 ok"));
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    // Without an address in the profile a free one is taken.
    home.profiles(&profile(portal.url(), ""));
    let mut lent = home.tool("proxy portal --json").starts();
    lent.listens().is_ready();
    lent.gets("INT");
    lent.ends().exits(0);
    let command = home.tool("run portal --json").exec("test -n \"$SANSESSION_TOKEN\"").runs().exits(0);
    assert!(command.err.contains("logged-out"), "{command:#?}");
}

#[test]
fn a_wrong_password_of_a_profile_is_sent_once() {
    let portal = portal();
    let home = Home::of(&portal);
    home.secret("password", "hunter2");
    for verb in ["login", "token", "login"] {
        let run = home.tool(&format!("{verb} portal")).runs().exits(3);
        assert!(run.err.contains("--again"), "{run:#?}");
    }
    assert_eq!(asked(&portal), ["POST /session"]);
    assert!(home.tool("status portal").runs().exits(6).lines[0].contains("ended: "));
    home.secret("password", crate::process::PASSWORD);
    home.tool("login portal --again").runs().exits(0);
}

#[test]
fn a_check_logs_nobody_in() {
    let portal = portal();
    let home = Home::of(&portal);
    home.profiles(&profile(portal.url(), "relogin = true"));
    home.tool("status portal --check").runs().exits(6);
    home.tool("login portal").runs().exits(0);
    portal.with(|portal| portal.expire_sessions());
    home.tool("status portal --check").runs().exits(6);
    assert_eq!(asked(&portal), ["POST /session", "GET /session"]);
}

#[test]
fn a_simulator_is_served_by_a_verb() {
    let mut server = tool("serve cbrain --port 0").starts();
    let url = server.says(&["http://127.0.0.1:"]).split_whitespace().last().unwrap().to_owned();
    server.says(&["user alice"]);
    let run = tool("cbrain --json").arg("--url", url).env("SANSESSION_USER", "alice");
    run.env("SANSESSION_PASSWORD", "wonderland").runs().exits(0);
    let run = tool("serve cbrain --limits off").runs().exits(64);
    assert!(run.err.contains("--limits"), "{run:#?}");
}
