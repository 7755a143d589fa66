//! Secrets planted wherever the tool takes one: none is on its streams, whatever becomes of the session.

use std::fs;

use crate::process::{Run, portal, tool};

const PROVIDERS: [&str; 6] = ["cbrain", "ibkr-gateway", "ibkr-oauth1a", "ibkr-oauth2", "kotak-trade", "kotak-neo"];
const VARIABLES: [&str; 16] = [
    "USER",
    "PASSWORD",
    "CODE",
    "PIN",
    "TOKEN",
    "CONSUMER_KEY",
    "CONSUMER_SECRET",
    "ACCESS_TOKEN",
    "ACCESS_TOKEN_SECRET",
    "CLIENT_ID",
    "IP",
    "APP_ID",
    "UCC",
    "MOBILE",
    "TOTP_SECRET",
    "PROXY_SECRET",
];

fn marker(name: &str) -> String {
    format!("planted-{}-4711", name.to_lowercase())
}

#[track_caller]
fn hides(run: &Run, secret: &str) {
    let text = format!("{}\n{}", run.lines.join("\n"), run.err);
    assert!(!text.contains(secret), "{secret:?} is shown:\n{text}");
    // A log that is escaped, or in hexadecimal digits, shows it as well.
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!text.contains(&hex), "{secret:?} is shown in hexadecimal:\n{text}");
}

/// With every variable wrong, and with each alone, at the embedded simulator and at a server of another kind.
#[test]
fn what_is_wrong_is_named_and_not_shown() {
    std::thread::scope(|scope| {
        for provider in PROVIDERS {
            scope.spawn(|| plant(provider));
        }
    });
}

fn plant(provider: &str) {
    let portal = portal();
    let variable = |name: &str| format!("SANSESSION_{name}");
    for json in ["", " --json"] {
        let args = format!("{provider}{json} --patience 1 --listen 127.0.0.1:0 --for 0");
        let planted = || VARIABLES.iter().fold(tool(&args), |tool, name| tool.env(&variable(name), marker(name)));
        for run in [planted().runs(), planted().without("SANSESSION_TOKEN").runs(), planted().at(&portal).runs()] {
            for name in VARIABLES {
                hides(&run, &marker(name));
            }
        }
    }
    for name in VARIABLES {
        let tool = tool(&format!("{provider} --patience 1")).at(&portal);
        hides(&tool.env(&variable(name), marker(name)).runs(), &marker(name));
    }
}

/// The command writes down what it was given, which is what must be nowhere else.
#[test]
fn what_is_right_is_not_shown_either() {
    std::thread::scope(|scope| {
        for provider in PROVIDERS {
            scope.spawn(|| hides_what_is_right(provider));
        }
    });
}

fn hides_what_is_right(provider: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("given");
    let script = r#"env | grep ^SANSESSION_ | grep -v HEADERS > "$GIVEN"; printf '%s\n' "$SANSESSION_HEADERS" >> "$GIVEN"
        curl -s -o /dev/null -H "X-Sansession-Secret: $SANSESSION_PROXY_SECRET" $SANSESSION_PROXY/no/such/path
        curl -s -o /dev/null -H "X-Sansession-Secret: $SANSESSION_PROXY_SECRET" $SANSESSION_PROXY/_session"#;
    for json in ["", " --json"] {
        let args = format!("{provider}{json} --patience 20 --listen 127.0.0.1:0");
        let run = tool(&args).env("GIVEN", &file).exec(script).runs();
        let given = fs::read_to_string(&file).unwrap();
        assert!(given.contains("SANSESSION_PROXY_SECRET="), "{provider}: {run:#?}");
        let open = ["user-agent:", "accept:", "SANSESSION_BASE_URL=", "SANSESSION_PROXY="];
        for line in given.lines().filter(|line| !open.iter().any(|open| line.starts_with(open))) {
            let value = line.split_once('=').or_else(|| line.split_once(": ")).map_or("", |(_, value)| value);
            if value.len() >= 8 {
                hides(&run, value.trim_start_matches("Bearer "));
            }
        }
        for secret in ["wonderland", "simulated-secret", "simulated-dashboard-token", "GEZDGNBVGY3TQOJQ"] {
            hides(&run, secret);
        }
    }
}
