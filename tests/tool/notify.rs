//! What a service manager hears, what a browser is given.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::home::{Home, mode};
use crate::process::{asked, portal, tool};

struct Manager {
    socket: UnixDatagram,
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, path, _directory: directory }
    }

    /// Waits until something is told; gives all that was told until then.
    #[track_caller]
    fn hears(&self, words: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let mut text = [0; 4096];
            let length = self.socket.recv(&mut text).unwrap_or_else(|error| panic!("{words:?}: {error}: {heard:?}"));
            heard.extend(String::from_utf8_lossy(&text[..length]).lines().map(ToOwned::to_owned));
            if heard.iter().any(|line| line == words) {
                return heard;
            }
        }
    }
}

#[test]
fn systemd_hears_when_a_session_is_usable_and_when_it_ends() {
    let portal = portal();
    let home = Home::of(&portal);
    let manager = Manager::new();
    let told = |tool: crate::process::Tool| {
        tool.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "300000").without("WATCHDOG_PID")
    };
    let mut run = told(home.tool("run portal --json")).starts();
    let heard = manager.hears("READY=1");
    assert!(
        heard.contains(&"STATUS=opening -> logging-in".to_owned())
            || heard.iter().any(|line| line.starts_with("STATUS=")),
        "{heard:?}"
    );
    manager.hears("WATCHDOG=1");
    run.is_active();
    run.gets("TERM");
    manager.hears("STOPPING=1");
    run.ends().exits(0);
    // The next start goes on with the session, and is as ready.
    let mut run = told(home.tool("run portal --json")).starts();
    manager.hears("READY=1");
    run.says(&["kept-alive"]);
    run.gets("INT");
    run.ends().exits(0);
    // Its command is none of the manager's business.
    let script = r#"test -z "$NOTIFY_SOCKET$WATCHDOG_USEC""#;
    told(home.tool("run portal")).exec(script).runs().exits(0);
}

/// A unit of `packaging`: its variables, and what it runs, without the program's own path.
fn unit(path: &str) -> (Vec<(String, String)>, String) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(path);
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("\nType=notify\n"));
    let values =
        |key: &str| text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect::<Vec<_>>();
    let variables = values("Environment").join(" ");
    let variables = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let command = values("ExecStart")[0].split_once("/sansession ").unwrap().1;
    (variables.collect(), command.replace("%i", "portal"))
}

#[test]
fn the_units_run_a_profile_and_tell_when_it_is_usable() {
    let portal = portal();
    for path in ["sansession@.service", "system/sansession@.service"] {
        let home = Home::of(&portal);
        home.secret("proxy", "0123456789abcdef0123");
        let (manager, (variables, command)) = (Manager::new(), unit(path));
        assert_eq!(command, "run portal --json", "{path}");
        let start = || {
            let tool = home.tool(&command).env("NOTIFY_SOCKET", &manager.path);
            variables.iter().fold(tool, |tool, (name, value)| {
                let config = home.config("");
                let (config, state) = (config.to_str().unwrap().trim_end_matches("/sansession/"), home.state(""));
                let value = value.replace("%E", config).replace("%S", state.to_str().unwrap());
                tool.env(name, value.replace("%i", "portal").replace("%d/", home.config("").to_str().unwrap()))
            })
        };
        let before = asked(&portal).len();
        for logins in [1, 1] {
            let run = start().starts();
            manager.hears("READY=1");
            run.gets("TERM");
            manager.hears("STOPPING=1");
            run.ends().exits(0);
            let posts = asked(&portal).iter().skip(before).filter(|call| *call == "POST /session").count();
            assert_eq!(posts, logins, "{path}: the next start goes on with the session");
        }
    }
}

/// What nobody reads fills the socket, and whoever writes to it then waits.
#[test]
fn a_manager_that_does_not_listen_delays_no_session() {
    let portal = portal();
    let home = Home::of(&portal);
    let manager = Manager::new();
    let mut run =
        home.tool("run portal --json").env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "300").starts();
    run.is_active();
    run.gets("TERM");
    run.ends().exits(0);
}

#[test]
fn a_manager_that_is_gone_ends_no_session() {
    let portal = portal();
    let home = Home::of(&portal);
    home.tool("run portal --json --for 0").env("NOTIFY_SOCKET", "/no/such/socket").runs().exits(0).tells("active");
}

#[test]
fn a_browser_is_opened_where_a_login_wants_one() {
    let directory = tempfile::tempdir().unwrap();
    let (script, url) = (directory.path().join("browser"), directory.path().join("url"));
    fs::write(&script, format!("#!/bin/sh\nenv | grep -c ^SANSESSION_ >> {0}\necho \"$@\" >> {0}\n", url.display()))
        .unwrap();
    mode(&script, 0o755);
    let gateway = || tool("ibkr-gateway --open --patience 20").env("SANSESSION_USER", "x");
    let run = gateway().env("BROWSER", format!("/no/such/browser:{} --new %s", script.display())).runs().exits(0);
    let opened = fs::read_to_string(&url).unwrap();
    let shown = run.lines.iter().find_map(|line| line.split("open ").nth(1)).unwrap();
    assert_eq!(opened, format!("0\n--new {shown}\n"), "{run:#?}");
    assert!(run.err.contains("opens it"), "{run:#?}");
    // Nothing fails in silence.
    let none = gateway().env("BROWSER", "/no/such/browser").runs().exits(0);
    assert!(none.err.contains("/no/such/browser") && none.err.contains("open the address yourself"), "{none:#?}");
    let failed = gateway().env("BROWSER", "false").runs().exits(0);
    assert!(failed.err.contains("false failed"), "{failed:#?}");
    let nobody = gateway().without("BROWSER").without("DISPLAY").without("WAYLAND_DISPLAY").without("WSL_DISTRO_NAME");
    let nobody = nobody.runs().exits(0);
    assert!(
        nobody.err.contains("no browser is opened") && nobody.lines.iter().any(|line| line.contains("open http")),
        "{nobody:#?}"
    );
}
