//! OAuth 2 through the tool: consents at a loopback address, at the prompt and on another device, and what each exits with.

mod kept;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use http::Request;
use sansession::drive::{blocking::Transport, now};
use sansession::sim::oauth2::{Browsed, Client, Outcome, Person};
use sansession::sim::{OAuth2Sim, Server};
use serde_json::Value;

use crate::process::{Run, Running, Tool, asked, tool};
use crate::terminal;

const SECRET: &str = "hunter2 %+:";
const REDIRECT: &str = "http://127.0.0.1/callback";

/// An authorization server with two clients, and its resource.
fn server() -> Server<OAuth2Sim> {
    let server = Server::start(OAuth2Sim::new("http://127.0.0.1", 7), now).unwrap();
    let url = server.url().to_owned();
    server.with(|sim| {
        sim.set_issuer(url);
        sim.add_client(Client::public("app").redirect(REDIRECT));
        sim.add_client(Client::basic("daemon", SECRET));
    });
    server
}

fn bare(args: &str) -> Tool {
    ["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "PROXY_SECRET"].iter().fold(tool(args), |tool, name| {
        let name = format!("SANSESSION_{name}");
        tool.without(&format!("{name}_FILE")).without(&name)
    })
}

fn at(args: &str, server: &Server<OAuth2Sim>) -> Tool {
    bare(args).arg("--issuer", server.url()).arg("--url", format!("{}/api", server.url()))
}

/// The app, which listens for the browser.
fn app(args: &str, server: &Server<OAuth2Sim>) -> Tool {
    at(args, server).arg("--client-id", "app").arg("--redirect", "http://127.0.0.1:0/callback")
}

fn daemon(args: &str, server: &Server<OAuth2Sim>) -> Tool {
    at(args, server).arg("--client-id", "daemon").arg("--grant", "client-credentials")
}

/// Gets a page as a browser does; its status, and where it leads.
fn visits(url: &str) -> (u16, Option<String>) {
    let answer = Transport::new()
        .unwrap()
        .call(Request::get(url).header("user-agent", "a browser").body(Vec::new()).unwrap())
        .unwrap();
    let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location)
}

/// Opens what a run shows, and comes back to it.
fn consents(run: &mut Running) {
    let line: Value = serde_json::from_str(&run.says(&[r#""event":"need""#, r#""url":"http"#])).unwrap();
    let (status, back) = visits(line["url"].as_str().unwrap());
    assert_eq!(status, 302);
    assert_eq!(visits(&back.unwrap()).0, 200);
}

/// Tokens come, of whatever grant.
fn redeems(run: &mut Running) {
    run.says(&[r#""path":"/token""#]);
    run.says(&[r#""status":200"#]);
    // What comes next is told once the session has them.
    loop {
        let line = run.says(&["event"]);
        if line.contains("kept-alive") || line.contains("recovered") {
            return;
        }
    }
}

/// Nothing that the server has given out is in what was printed.
#[track_caller]
fn keeps(run: &Run, server: &Server<OAuth2Sim>) {
    let printed = format!("{}\n{}", run.lines.join("\n"), run.err);
    for secret in server.with(|sim| sim.issued().to_vec()) {
        assert!(!printed.contains(&secret), "{secret} is in {printed}");
    }
}

/// Reports whether nobody can use anything any more, and no token came twice.
#[track_caller]
fn is_clean(server: &Server<OAuth2Sim>, open: usize) {
    let count = |deed| server.with(|sim| sim.count(deed));
    assert_eq!((count(Outcome::Reused), count(Outcome::CodeReused)), (0, 0), "a token came twice");
    assert_eq!(server.with(|sim| sim.live_consents(now())), open);
}

#[test]
fn a_browser_comes_back_to_the_tool_and_both_tokens_are_revoked() {
    let server = server();
    let mut run = app("oauth2 --json --scope read", &server).starts();
    consents(&mut run);
    let run = run.ends().exits(0);
    for part in ["active", "closed: logged-out"] {
        run.tells(part);
    }
    let paths: Vec<_> = asked(&server).into_iter().map(|line| line.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(
        paths,
        [
            "GET /.well-known/oauth-authorization-server",
            "GET /authorize",
            "POST /token",
            "POST /revoke",
            "POST /revoke"
        ]
    );
    keeps(&run, &server);
    is_clean(&server, 0);
}

#[test]
fn each_embedded_server_is_lived_before() {
    for args in [
        "oauth2 --json",
        "oauth2 --json --grant device",
        "oauth2 --json --grant client-credentials --scope read",
        "ibkr-retail --json",
    ] {
        let run = bare(args).runs().exits(0);
        for part in ["active", "closed: logged-out"] {
            run.tells(part);
        }
        let name = args.split(' ').next().unwrap();
        assert!(run.json().iter().all(|line| line["provider"] == name), "{run:#?}");
    }
}

#[test]
fn a_client_may_register_itself() {
    let server = server();
    let mut run = at("oauth2 --json --redirect http://127.0.0.1:0/back --client-name bot", &server).starts();
    consents(&mut run);
    run.ends().exits(0).tells("closed: logged-out");
    assert_eq!(server.with(|sim| sim.count(Outcome::Registered)), 1);
    is_clean(&server, 0);
}

#[test]
fn a_person_approves_on_another_device() {
    let server = server();
    server.with(|sim| sim.settings.interval = Some(1));
    let mut run = at("oauth2 --json --client-id app --grant device", &server).starts();
    let line: Value = serde_json::from_str(&run.says(&[r#""event":"need""#, r#""url":"http"#])).unwrap();
    // The address may have the code in it, so that nobody types it.
    let (url, code) = (line["url"].as_str().unwrap(), line["user_code"].as_str());
    let url =
        code.map_or_else(|| url.to_owned(), |code| format!("{}?user_code={code}", url.split('?').next().unwrap()));
    assert_eq!(visits(&url).0, 200);
    let run = run.ends().exits(0);
    run.tells("closed: logged-out");
    keeps(&run, &server);
    is_clean(&server, 0);
}

#[test]
fn the_code_of_another_device_is_told_in_words() {
    let server = server();
    server.with(|sim| sim.settings.interval = Some(1));
    let mut run = at("oauth2 --client-id app --grant device", &server).starts();
    let line = run.says(&["needs", "/activate"]);
    let code = line.rsplit([' ', '=']).next().unwrap().to_owned();
    assert!(server.with(|sim| sim.approve_device(now(), &code)), "{line}");
    run.ends().exits(0);
}

#[test]
fn a_person_who_says_no_is_believed() {
    let server = server();
    server.with(|sim| sim.settings.person = Person::Declines);
    let mut run = app("oauth2 --json", &server).starts();
    consents(&mut run);
    run.ends().exits(3).tells("closed: denied.rejected");
    is_clean(&server, 0);
}

#[test]
fn a_wrong_secret_is_told_and_sent_once() {
    let server = server();
    let run = daemon("oauth2 --json --scope read", &server).env("SANSESSION_CLIENT_SECRET", "wrong-secret").runs();
    let run = run.exits(3);
    run.tells("closed: denied.rejected");
    assert!(run.err.contains("SANSESSION_CLIENT_SECRET"), "{run:#?}");
    assert!(!run.err.contains("wrong-secret"), "{run:#?}");
    assert_eq!(server.with(|sim| sim.count(Outcome::ClientRefused)), 1);
    for auth in ["basic", "post"] {
        let run = daemon("oauth2 --json --scope read", &server).arg("--client-auth", auth);
        let run = run.env("SANSESSION_CLIENT_SECRET", SECRET).runs().exits(0);
        keeps(&run, &server);
    }
    assert_eq!(server.with(|sim| sim.count(Outcome::Granted)), 2);
    is_clean(&server, 0);
}

#[test]
fn a_server_without_metadata_has_its_endpoints_named() {
    let server = server();
    server.with(|sim| sim.settings.describes = false);
    let at = |path: &str| format!("{}{path}", server.url());
    let mut run = bare("oauth2 --json --client-id app --redirect http://127.0.0.1:0/callback")
        .arg("--token-url", at("/token"))
        .arg("--authorize-url", at("/authorize"))
        .arg("--revoke-url", at("/revoke"))
        .starts();
    consents(&mut run);
    run.ends().exits(0).tells("closed: logged-out");
    is_clean(&server, 0);
}

/// The life of a session over three processes: the consent is asked for once.
/// Whatever the process was about when it was killed, no rotated token leaves twice: the next one either has the new one, or
/// knows that the old one may be used up, and asks.
#[test]
fn the_proxy_and_a_command_have_the_bearer() {
    let server = server();
    let mut run = daemon("oauth2 --json --for 60 --scope read --probe /x --listen 127.0.0.1:0", &server)
        .env("SANSESSION_CLIENT_SECRET", SECRET)
        .starts();
    let proxy = run.listens();
    run.is_active();
    let asks = |line: &str| proxy.asks(line, "", "").split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(
        (asks("GET /things"), asks("GET /api/things"), asks("POST /things")),
        ("200".into(), "200".into(), "403".into())
    );
    server.with(OAuth2Sim::drop_access_tokens);
    assert_eq!(asks("GET /things"), "401");
    redeems(&mut run);
    assert_eq!(asks("GET /things"), "200");
    run.gets("INT");
    let run = run.ends().exits(0);
    keeps(
        &Run { lines: run.lines.iter().filter(|line| !line.contains("listening")).cloned().collect(), ..run },
        &server,
    );

    let script = r#"[ "$SANSESSION_AUTHORIZATION" = "Bearer $SANSESSION_TOKEN" ] && [ -z "$SANSESSION_CLIENT_SECRET" ] && exit 23"#;
    let run = daemon("oauth2", &server).env("SANSESSION_CLIENT_SECRET", SECRET).exec(script).runs().exits(23);
    keeps(&run, &server);
    is_clean(&server, 0);
}

/// What stands on a screen is pasted with the line breaks of its window, and an address of another attempt is asked for again.
#[test]
fn an_address_is_pasted_at_the_prompt() {
    let server = server();
    let args = ["oauth2", "--json", "--issuer", server.url(), "--client-id", "app", "--redirect", REDIRECT, "--paste"];
    let mut person = terminal::Person::runs(&args, |command| {
        for name in ["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "TOKEN"] {
            command.env_remove(format!("SANSESSION_{name}"));
        }
    });
    person.reads(r#""url":""#);
    let url = person.reads("\"");
    person.reads("address after the consent: ");
    let Browsed::Redirect(back) = server.with(|sim| sim.browse(now(), &url)) else { panic!("{url}") };
    person.types(&format!("{}\n", back.replace("state=", "state=x")));
    person.reads("address after the consent: ");
    person.types(&format!("  {back}  \n"));
    assert_eq!(person.leaves(), Some(0), "{}", person.seen);
    is_clean(&server, 0);
}

#[test]
fn a_served_simulator_is_lived_before_as_it_says() {
    for (provider, asks) in [("oauth2", "--client-id app"), ("ibkr-retail", "")] {
        let mut served = bare(&format!("--serve {provider}")).starts();
        let line = served.says(&["--redirect"]);
        let args = line.trim().split_once(&format!("{provider} ")).unwrap().1.to_owned();
        assert!(args.contains(asks), "{line}");
        let mut run = bare(&format!("{provider} --json {args}")).starts();
        consents(&mut run);
        run.ends().exits(0).tells("closed: logged-out");
    }
}

#[test]
fn what_cannot_be_lived_is_said_before_anything_is_sent() {
    let server = server();
    let directory = tempfile::tempdir().unwrap();
    let (file, empty) = (directory.path().join("session.json"), directory.path().join("empty.json"));
    fs::write(&empty, "").unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o600)).unwrap();
    for (run, word) in [
        (at("oauth2 --client-id app", &server), "--redirect"),
        (at("oauth2 --client-id app --redirect https://example.org/back", &server), "terminal"),
        (at("oauth2 --client-id app --paste --redirect http://127.0.0.1:0/", &server), "terminal"),
        (at("oauth2 --client-id app --redirect http://127.0.0.1:x/", &server), "--redirect"),
        (at("oauth2 --client-id app --grant device --redirect http://127.0.0.1:0/", &server), "--grant code"),
        (at("oauth2 --grant client-credentials", &server), "--client-id"),
        (daemon("oauth2 --client-auth post", &server), "SANSESSION_CLIENT_SECRET"),
        (daemon("oauth2 --client-auth none", &server).env("SANSESSION_CLIENT_SECRET", "x"), "which one"),
        (daemon("oauth2", &server).env("SANSESSION_CLIENT_SECRET", ""), "empty"),
        (at("oauth2 --client-id app --grant given", &server), "--save"),
        (app("oauth2", &server).env("SANSESSION_REFRESH_TOKEN", "x"), "--save"),
        (app("oauth2", &server).arg("--save", &file).env("SANSESSION_REFRESH_TOKEN", "Bearer x"), "Bearer"),
        (app("oauth2", &server).arg("--save", &file).env("SANSESSION_REFRESH_TOKEN", "x y"), "REFRESH_TOKEN"),
        (app("oauth2", &server).arg("--resume", &empty), "--save"),
        (app("oauth2 --rotation sometimes", &server), "fixed"),
        (app("oauth2 --parameter x", &server), "--parameter"),
        (app("oauth2 --compete always", &server), "ibkr"),
        (app("oauth2 --token-url http://127.0.0.1/token", &server), "--issuer"),
        (bare("oauth2 --token-url http://127.0.0.1/token --client-id app"), "--authorize-url"),
        (bare("oauth2 --authorize-url http://127.0.0.1/a"), "--token-url"),
        (bare("oauth2 --issuer http://login.example.org --client-id app --redirect http://127.0.0.1:0/"), "--issuer"),
        (bare("oauth2 --url http://127.0.0.1:1"), "--issuer"),
        (bare("oauth2 --save").arg("x", "--json"), "--url"),
        (bare("ibkr-retail --url http://127.0.0.1:1/api"), "--redirect"),
        (bare("ibkr-retail --client-id app"), "oauth2"),
        (bare("ibkr-retail --compete wait"), "ibkr-*"),
        (bare("cbrain --redirect http://127.0.0.1:0/"), "oauth2, ibkr-retail"),
        (bare("cbrain --issuer http://127.0.0.1:0/"), "oauth2"),
    ] {
        let run = run.runs().exits(64);
        assert!(run.err.contains(word), "{word}: {run:#?}");
    }
    assert_eq!(asked(&server), Vec::<String>::new());
}
