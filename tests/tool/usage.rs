//! Command lines that cannot be followed: a sentence that helps, exit code 64, nothing sent.

use crate::process::{example, portal, started, tool};

#[test]
fn every_mistake_is_explained() {
    for (args, words) in [
        ("cbrian", &["cbrian", "cbrain", "kotak-neo"][..]),
        ("cbrain kotak-neo", &["kotak-neo"]),
        ("cbrain --fro 3", &["--fro"]),
        ("cbrain --ulr x", &["--ulr", "is --url meant"]),
        ("cbrain --compete wait", &["--compete", "ibkr-*", "cbrain"]),
        ("ibkr-oauth2 --dh-param x", &["--dh-param", "ibkr-oauth1a"]),
        ("ibkr-oauth1a --dh-param x", &["--dh-param", "--url"]),
        ("cbrain --for", &["--for"]),
        ("cbrain --for 3moons", &["--for", "3moons", "seconds"]),
        ("cbrain --for 1h30", &["--for", "1h30", "1h30m"]),
        ("completions tcsh", &["tcsh", "bash"]),
        ("cbrain --for=-1", &["--for", "-1", "seconds"]),
        ("cbrain --for nan", &["--for", "nan"]),
        ("cbrain --for inf", &["--for", "inf"]),
        ("cbrain --for 1e300", &["--for", "1e300"]),
        ("cbrain --keepalive 0.5", &["--keepalive", "1 second"]),
        ("cbrain --keepalive x", &["--keepalive", "x"]),
        ("cbrain --patience soon", &["--patience", "soon"]),
        ("cbrain --patience 0", &["--patience"]),
        ("cbrain --json=yes", &["--json"]),
        ("cbrain --url localhost:3000", &["--url", "localhost:3000"]),
        ("cbrain --url ftp://localhost", &["--url", "http"]),
        ("cbrain --url http://localhost:99999", &["--url", "port"]),
        ("cbrain --url http://localhost:3000/?a=b", &["--url", "query"]),
        ("cbrain --url http://portal.example.org", &["--url", "--allow-plain-http"]),
        ("cbrain --url http://127.0.0.1.example.org", &["--url", "--allow-plain-http"]),
        ("cbrain --save x", &["--save", "--url"]),
        ("cbrain --resume x", &["--resume", "--url"]),
        ("cbrain --url http://localhost:1 --resume /no/such", &["--resume", "/no/such"]),
        ("cbrain --url https://localhost:1 --ca-file /no/such", &["--ca-file", "/no/such"]),
        ("cbrain --url https://localhost:1 --ca-file /dev/null", &["--ca-file", "/dev/null"]),
        ("cbrain --port 3", &["--port", "--serve"]),
        ("--serve", &["--serve"]),
        ("--serve cbrian", &["cbrian"]),
        ("--serve cbrain --port 70000", &["--port", "70000"]),
        ("--serve cbrain cbrain", &["--serve"]),
        ("--serve cbrain --save x", &["--serve", "--save"]),
        ("--json", &["provider"]),
        ("--again", &["provider"]),
        ("login", &["NAME"]),
        ("call portal GET", &["PATH"]),
        ("serve", &["PROVIDER"]),
        ("run portal --save x", &["profiles"]),
        ("lgoin portal", &["lgoin", "login"]),
        ("status --nonsense", &["--nonsense"]),
    ] {
        let run = tool(args).norm().runs().exits(64);
        for word in words {
            assert!(run.err.contains(word), "{args}: {word:?} is not in {:?}", run.err);
        }
        assert!(run.lines.is_empty(), "{args}: {run:#?}");
        assert!(run.err.contains("--help"), "{args}: {run:#?}");
    }
}

#[test]
fn every_provider_lives_on_its_own_simulator() {
    std::thread::scope(|scope| {
        for provider in ["ibkr-gateway", "ibkr-oauth1a", "ibkr-oauth2", "kotak-trade", "kotak-neo"] {
            scope.spawn(move || tool(provider).arg("--patience", "20").runs().exits(0));
        }
    });
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    let run = tool("cbrain --url https://norm:hunter2@portal.example.org").norm().runs().exits(64);
    assert!(run.err.contains("--url"), "{run:#?}");
}

#[test]
fn a_port_in_use_is_named() {
    let portal = portal();
    let run = tool("--serve cbrain").arg("--port", portal.port().to_string()).runs().exits(64);
    assert!(run.err.contains(&format!("--port {}", portal.port())), "{run:#?}");
}

#[test]
fn a_token_and_a_file_are_one_too_many() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    tool("cbrain --for 0").at(&portal).arg("--save", &file).norm().runs().exits(0);
    let run = tool("cbrain").at(&portal).arg("--resume", &file).env("SANSESSION_TOKEN", "abc").runs().exits(64);
    assert!(run.err.contains("SANSESSION_TOKEN") && run.err.contains("--resume"), "{run:#?}");
}

/// `cargo run --example session -- …` is what others have in their scripts.
#[test]
fn the_example_with_arguments_is_the_command() {
    let portal = portal();
    let both = [crate::process::path(), example()].map(|path| {
        let run = started(&path, "cbrain --json --for 0").at(&portal).norm().runs().exits(0);
        let usage = started(&path, "cbrain --ulr x").runs().exits(64);
        assert!(usage.err.contains("is --url meant"), "{usage:#?}");
        run.story()
    });
    assert_eq!(both[0], both[1]);
    assert!(both[0].contains(&"closed: logged-out".to_owned()), "{both:?}");
}

#[test]
fn shells_and_man_are_told_of_every_option() {
    let man = tool("man").runs().exits(0).lines.join("\n");
    for part in [".TH", "max\\-refused", ".SH EXIT CODES", ".SH PROFILES", "\n\\&  [portal]\n", "sansession\\-login(1)"]
    {
        assert!(man.contains(part), "{part:?} is not in {man}");
    }
    assert!(man.matches(".nf").count() > 7 && man.matches(".nf").count() == man.matches(".fi").count(), "{man}");
    for verb in ["login", "status", "token", "call", "logout", "run", "proxy", "serve", "doctor"] {
        let page = tool(&format!("man {verb}")).runs().exits(0).lines.join("\n");
        assert!(page.contains(&format!("sansession\\-{verb}")) && page.contains(".BR sansession (1)"), "{page}");
    }
    assert!(tool("man nonsense").runs().exits(64).err.contains("no such verb"));
    for shell in ["bash", "zsh", "fish"] {
        let script = tool(&format!("completions {shell}")).runs().exits(0).lines.join("\n");
        for word in ["max-refused", "ibkr-oauth1a", "secret-file"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let version = tool("--version").runs().exits(0).lines;
    assert_eq!(version, [format!("sansession {}", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn a_time_is_written_as_people_do() {
    let portal = portal();
    tool("cbrain --json --for 10ms --keepalive 1m30s --patience 1m").at(&portal).norm().runs().exits(0);
}

#[test]
fn help_shows_every_option() {
    let run = tool("--help").runs().exits(0);
    let text = run.lines.join("\n");
    for option in [
        "--url",
        "--for",
        "--keepalive",
        "--save",
        "--resume",
        "--relogin",
        "--patience",
        "--ca-file",
        "--allow-plain-http",
        "--again",
        "--max-refused",
        "--json",
        "--serve",
        "--port",
        "SANSESSION_PASSWORD",
        "EXIT CODES",
    ] {
        assert!(text.contains(option), "{option}");
    }
}

/// Nothing is sent for a value that no header can carry, and its variable is named.
#[test]
fn what_no_header_can_carry_is_refused_by_the_name_of_its_variable() {
    let portal = portal();
    for evil in ["two words", "line\nbreak", "t\u{f6}ken-t\u{f6}ken-t\u{f6}ken", "del\u{7f}", "tab\there"] {
        let long = format!("{evil}-0123456789abcdef");
        let proxy = || tool("cbrain --listen 127.0.0.1:0").at(&portal).norm();
        let direct = |args: &str| tool(&format!("{args} --url https://localhost:1/v1/api"));
        let second = || direct("ibkr-oauth2 --egress-ip 127.0.0.1 --key-id k").env("SANSESSION_USER", "norm");
        let trade = || tool("kotak-trade --url http://localhost:1/apim").norm().env("SANSESSION_CONSUMER_KEY", "key");
        let neo = || {
            let tool = tool("kotak-neo --url http://localhost:1").env("SANSESSION_UCC", "ABC12");
            tool.env("SANSESSION_MOBILE", "0000000000")
        };
        for (tool, name) in [
            (proxy().env("SANSESSION_PROXY_SECRET", &long), "SANSESSION_PROXY_SECRET"),
            (tool("cbrain").at(&portal).env("SANSESSION_TOKEN", evil), "SANSESSION_TOKEN"),
            (direct("ibkr-oauth1a").env("SANSESSION_CONSUMER_KEY", evil), "SANSESSION_CONSUMER_KEY"),
            (
                direct("ibkr-oauth1a")
                    .env("SANSESSION_CONSUMER_KEY", "ABCDEFGHI")
                    .env("SANSESSION_ACCESS_TOKEN", evil)
                    .env("SANSESSION_ACCESS_TOKEN_SECRET", "c2VjcmV0"),
                "SANSESSION_ACCESS_TOKEN",
            ),
            (direct("ibkr-oauth1a").arg("--realm", evil).env("SANSESSION_CONSUMER_KEY", "A"), "--realm"),
            (second().env("SANSESSION_CLIENT_ID", evil), "SANSESSION_CLIENT_ID"),
            (trade().env("SANSESSION_USER", evil), "SANSESSION_USER"),
            (trade().env("SANSESSION_CONSUMER_KEY", evil), "SANSESSION_CONSUMER_KEY"),
            (trade().env("SANSESSION_CONSUMER_SECRET", evil), "SANSESSION_CONSUMER_SECRET"),
            (trade().env("SANSESSION_ACCESS_TOKEN", evil), "SANSESSION_ACCESS_TOKEN"),
            (trade().env("SANSESSION_IP", format!("{evil} ")), "SANSESSION_IP"),
            (trade().env("SANSESSION_APP_ID", format!("{evil} ")), "SANSESSION_APP_ID"),
            (neo().env("SANSESSION_ACCESS_TOKEN", evil), "SANSESSION_ACCESS_TOKEN"),
        ] {
            let run = tool.runs().exits(64);
            assert!(run.err.contains(name) && run.lines.is_empty(), "{evil:?} {name}: {run:#?}");
            assert!(!run.err.contains(evil) || name == "--realm", "{evil:?} {name}: {run:#?}");
        }
    }
    assert!(portal.log().is_empty());
}
