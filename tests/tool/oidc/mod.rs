//! The command before a certified OpenID provider that nobody here wrote, npm's oidc-provider, which rotates refresh tokens and
//! ends a consent whose token comes twice.
//!
//! `.ci/run nightly` installs it and runs these tests. A person's browser is played by `browser.mjs`.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use http::Request;
use sansession::drive::blocking::Transport;
use serde_json::Value;

use crate::process::{Running, Tool, tool};

/// In seconds. A session renews once a minute at most, and the first time at half of that.
const ACCESS_LIFE: &str = "64";

/// The provider at a port of its own.
struct Provider {
    child: Child,
    url: String,
    /// It says more than its address, and ends where nobody reads that.
    _words: BufReader<ChildStdout>,
}

/// Where the provider is installed, with the scripts beside it.
fn directory() -> PathBuf {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/oidc");
    std::env::var_os("OIDC_PROVIDER").map_or_else(default, PathBuf::from)
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script).current_dir(directory()).env("NODE_NO_WARNINGS", "1").stdin(Stdio::null());
    command
}

impl Provider {
    fn start() -> Self {
        let mut command = node("server.mjs");
        let mut child = command.env("ACCESS_LIFE", ACCESS_LIFE).stdout(Stdio::piped()).spawn().unwrap();
        let (mut url, mut words) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        words.read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}: is it installed in {}?", directory().display());
        Self { child, url: url.trim().to_owned(), _words: words }
    }

    fn get(&self, path: &str) -> String {
        let request = Request::get(format!("{}{path}", self.url)).body(Vec::new()).unwrap();
        String::from_utf8(Transport::new().unwrap().call(request).unwrap().into_body()).unwrap()
    }

    /// Lets the next answer of the token endpoint get lost.
    fn loses(&self, how: &str) {
        self.get(&format!("/_lose?how={how}"));
    }

    /// Returns what it has done.
    fn log(&self) -> Vec<String> {
        serde_json::from_str(&self.get("/_log")).unwrap()
    }

    fn count(&self, deed: &str) -> usize {
        self.log().iter().filter(|line| *line == deed).count()
    }

    /// Nothing was refused, and nothing was revoked but by the logout.
    #[track_caller]
    fn has_seen_nothing_wrong(&self) {
        let log = self.log();
        assert!(!log.iter().any(|line| line.contains("error")), "{log:#?}");
    }

    /// The command before it, with its own calls going there, too.
    fn tool(&self, args: &str) -> Tool {
        let secrets = ["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "PROXY_SECRET"];
        let tool = secrets.iter().fold(tool(args), |tool, name| tool.without(&format!("SANSESSION_{name}")));
        tool.arg("--issuer", &self.url).arg("--url", &self.url)
    }

    /// The same for a person in a browser. Without `prompt=consent` OpenID gives no refresh token.
    fn by_code(&self, args: &str) -> Tool {
        let tool =
            self.tool(args).arg("--redirect", "http://127.0.0.1:0/callback").arg("--parameter", "prompt=consent");
        tool.arg("--scope", "openid offline_access").arg("--probe", "/me")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Plays the person in the browser, and tells where that ended.
fn browses(url: &str, more: &[&str]) -> String {
    let output = node("browser.mjs").arg(url).args(more).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{url}: {out} {err}");
    out.trim().to_owned()
}

/// Does what a run asks its person to do.
fn consents(run: &mut Running, more: &[&str]) -> Value {
    let line: Value = serde_json::from_str(&run.says(&[r#""event":"need""#, r#""url":"http"#])).unwrap();
    let code = line["user_code"].as_str().map(ToOwned::to_owned);
    let with_code = code.iter().flat_map(|code| ["--code", code]);
    let all: Vec<_> = with_code.chain(more.iter().copied()).collect();
    let ended = browses(line["url"].as_str().unwrap(), &all);
    assert!(ended.starts_with("200 "), "{ended}");
    line
}

fn renews(run: &mut Running) {
    run.says(&[r#""path":"/token""#]);
    run.says(&[r#""status":200"#]);
}

#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn a_code_with_pkce_lives_over_renewals_and_ends_with_nothing_alive() {
    for (client, secret) in [("app", None), ("secretive", Some("p%+: s"))] {
        let op = Provider::start();
        let tool = op.by_code("oauth2 --json --for 600 --listen 127.0.0.1:0").arg("--client-id", client);
        let tool = secret.iter().fold(tool, |tool, secret| tool.env("SANSESSION_CLIENT_SECRET", secret));
        let mut run = tool.starts();
        let proxy = run.listens();
        consents(&mut run, &[]);
        run.is_active();
        for _ in 0..2 {
            assert!(proxy.asks("GET /me", "", "").contains(r#""sub":"alice""#));
            renews(&mut run);
        }
        assert!(proxy.asks("GET /me", "", "").starts_with("http/1.1 200"));
        op.has_seen_nothing_wrong();
        assert_eq!(op.count("grant.revoked refresh_token"), 0, "{:#?}", op.log());
        run.gets("INT");
        run.ends().exits(0).tells("closed: logged-out");
        op.has_seen_nothing_wrong();
        assert_eq!(op.count("grant.success authorization_code"), 1);
        assert!(op.count("grant.success refresh_token") >= 2, "{:#?}", op.log());
    }
}

/// The answer of a renewal is lost before its first byte, or in its midst: the token is spent, and a second use of it would end
/// what the consent has brought. So a person is asked while calls go on with the old access token.
#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn a_lost_renewal_is_not_sent_again() {
    for how in ["drop", "cut"] {
        let op = Provider::start();
        let mut run = op.by_code("oauth2 --json --for 600 --listen 127.0.0.1:0 --client-id app").starts();
        let proxy = run.listens();
        consents(&mut run, &[]);
        run.is_active();
        op.loses(how);
        let line = consents(&mut run, &[]);
        assert_eq!(line["because"], "lost", "{how}: {line}");
        renews(&mut run);
        assert!(proxy.asks("GET /me", "", "").starts_with("http/1.1 200"), "{how}");
        renews(&mut run);
        assert!(proxy.asks("GET /me", "", "").starts_with("http/1.1 200"), "{how}");
        assert_eq!(op.count(&format!("lost {how}")), 1, "{:#?}", op.log());
        op.has_seen_nothing_wrong();
        run.gets("INT");
        run.ends().exits(0).tells("closed: logged-out");
        op.has_seen_nothing_wrong();
    }
}

/// A process that is killed while a renewal is under way: the next one knows that the token may be spent.
#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn a_renewal_that_was_under_way_when_the_process_was_killed_is_not_sent_again() {
    let op = Provider::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let start = || op.by_code("oauth2 --json --for 600 --client-id app").arg("--save", &file).arg("--resume", &file);
    let mut run = start().starts();
    consents(&mut run, &[]);
    run.is_active();
    run.says(&[r#""event":"saved""#]);
    op.loses("hang");
    // What leaves next is the renewal.
    run.says(&[r#""path":"/token""#]);
    // It is told before its bytes leave, and must have arrived.
    while op.count("lost hang") == 0 {
        std::thread::yield_now();
    }
    run.gets("KILL");
    run.ends();
    let mut run = start().starts();
    let line = consents(&mut run, &[]);
    assert_eq!(line["because"], "lost", "{line}");
    renews(&mut run);
    op.has_seen_nothing_wrong();
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
}

#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn a_saved_session_goes_on_in_another_process() {
    let op = Provider::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let start = |args: &str| op.by_code(args).arg("--client-id", "app").arg("--save", &file).arg("--resume", &file);
    let mut run = start("oauth2 --json --for 0").starts();
    consents(&mut run, &[]);
    run.ends().exits(0).tells("left");
    for _ in 0..2 {
        let mut run = start("oauth2 --json --for 600").starts();
        renews(&mut run);
        run.gets("TERM");
        run.ends().exits(0).tells("left");
    }
    start("oauth2 --json").runs().exits(0).tells("closed: logged-out");
    op.has_seen_nothing_wrong();
    assert_eq!(op.count("grant.success authorization_code"), 1);
}

#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn another_device_is_approved_and_the_session_renews() {
    let op = Provider::start();
    let tool = op.tool("oauth2 --json --for 600 --grant device --client-id app --probe /me --listen 127.0.0.1:0");
    let mut run = tool.arg("--scope", "openid offline_access").starts();
    let proxy = run.listens();
    consents(&mut run, &[]);
    run.is_active();
    renews(&mut run);
    assert!(proxy.asks("GET /me", "", "").starts_with("http/1.1 200"));
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    assert_eq!(op.count("grant.success urn:ietf:params:oauth:grant-type:device_code"), 1);
    assert!(op.count("grant.success refresh_token") >= 1);
}

#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn a_client_registers_itself_and_lives() {
    let op = Provider::start();
    let mut run = op.by_code("oauth2 --json --for 600 --client-name robot").starts();
    consents(&mut run, &[]);
    run.is_active();
    renews(&mut run);
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    op.has_seen_nothing_wrong();
    assert_eq!(op.count("registration_create.success"), 1);
}

#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn a_machine_is_granted_anew_at_each_end() {
    let op = Provider::start();
    for auth in ["basic", "post"] {
        let tool = op.tool("oauth2 --json --for 600 --grant client-credentials --client-id daemon");
        let mut run = tool.arg("--client-auth", auth).env("SANSESSION_CLIENT_SECRET", "machine").starts();
        run.is_active();
        renews(&mut run);
        run.gets("INT");
        run.ends().exits(0).tells("closed: logged-out");
    }
    op.has_seen_nothing_wrong();
    let run = op.tool("oauth2 --json --grant client-credentials --client-id daemon");
    let run = run.env("SANSESSION_CLIENT_SECRET", "another").runs().exits(3);
    run.tells("closed: denied.rejected");
}

#[test]
#[ignore = "needs Node.js and npm's oidc-provider: `.ci/run nightly`"]
fn a_person_who_says_no_is_believed() {
    let op = Provider::start();
    let mut run = op.by_code("oauth2 --json --client-id app").starts();
    consents(&mut run, &["--decline"]);
    run.ends().exits(3).tells("closed: denied.rejected");
}
