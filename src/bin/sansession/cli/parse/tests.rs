use std::time::Duration;

use super::*;

fn parse(args: &[&str]) -> Result<Command, Usage> {
    Args::parse(["sansession"].iter().chain(args).map(OsString::from))
}

#[test]
fn clap_finds_no_mistake_in_the_definition() {
    definition().debug_assert();
}

#[test]
fn a_typo_in_each_field_explains_itself() {
    for (args, word) in [
        (&["cbrian"][..], "cbrian"),
        (&["cbrain", "--fro", "3"], "--fro"),
        (&["cbrain", "--for", "3 moons"], "3 moons"),
        (&["cbrain", "--for"], "--for"),
        (&["cbrain", "--for", "-1"], "-1"),
        (&["cbrain", "--keepalive", "0"], "--keepalive"),
        (&["cbrain", "--patience", "nan"], "nan"),
        (&["cbrain", "--patience", "0"], "--patience"),
        (&["cbrain", "--open-patience", "0"], "--open-patience"),
        (&["cbrain", "--open-patience", "never"], "--open-patience"),
        (&["cbrain", "--max-refused", "0"], "--max-refused"),
        (&["cbrain", "--max-refused", "10"], "--max-refused"),
        (&["cbrain", "--max-refused", "two"], "--max-refused"),
        (&["cbrain", "--save", "x"], "--url"),
        (&["cbrain", "--resume", "x"], "--url"),
        (&["cbrain", "kotak-neo"], "kotak-neo"),
        (&["cbrain", "--port", "3"], "--serve"),
        (&["--serve", "x"], "x"),
        (&["--serve", "cbrain", "--port", "70000"], "70000"),
        (&["--serve", "cbrain", "--json"], "--json"),
        (&["--serve", "cbrain", "--limits", "off"], "ibkr"),
        (&["--serve", "ibkr-gateway", "--limits", "some"], "documented"),
        (&["--serve", "kotak-neo", "--limits", "reported"], "documented"),
        (&["--serve", "kotak-trade", "--limits", "off"], "kotak-neo"),
        (&["--serve", "kotak-neo", "--body", "/a=Cargo.toml"], "ibkr"),
        (&["--serve", "ibkr-gateway", "--body", "stocks.json"], "path"),
        (&["--serve", "ibkr-gateway", "--body", "/a=/nowhere/a.json"], "/nowhere"),
        (&["ibkr-gateway", "--limits", "off"], "--serve"),
        (&["--json"], "provider"),
        (&["ibkr-gateway", "--compete", "sometimes"], "wait"),
        (&["ibkr-gateway", "--logout", "sometimes"], "opened"),
        (&["ibkr-gateway", "--region", "london"], "london"),
        (&["ibkr-gateway", "--expect", "Paper"], "live"),
        (&["ibkr-gateway", "--expect", ""], "paper, live"),
        (&["ibkr-gateway", "--expect"], "--expect"),
        (&["ibkr-gateway", "--expct", "paper"], "--expect meant"),
        (&["ibkr-gateway", "--expect-user", ""], "name"),
        (&["ibkr-gateway", "--expect-user", "two words"], "spaces"),
        (&["ibkr-gateway", "--expect-usr", "norm"], "--expect-user meant"),
        (&["ibkr-oauth2", "--expect-user", "norm"], "ibkr-gateway"),
        (&["cbrain", "--expect", "paper"], "ibkr-*"),
        (&["ibkr-gateway", "--pin", "abc"], "abc"),
        (&["ibkr-oauth2", "--egress-ip", "1.2.3"], "1.2.3"),
        (&["cbrain", "--exec"], "COMMAND"),
        (&["cbrain", "--for", "3", "--exec", "true"], "--for"),
        (&["cbrain", "--listen", "8080"], "127.0.0.1"),
        (&["cbrain", "--listen", "0.0.0.0:8080"], "127.0.0.1"),
        (&["cbrain", "--secret-file", "x"], "--listen"),
        (&["ibkr-oauth1a", "--exec", "true"], "--listen"),
    ] {
        let Err(Usage(error)) = parse(args) else { panic!("{args:?}") };
        assert!(error.contains(word), "{args:?}: {error}");
    }
}

#[test]
fn everything_after_exec_is_the_command() {
    for args in [&["cbrain", "--exec", "curl", "--json", "-s"][..], &["cbrain", "--exec", "--", "curl", "--json", "-s"]]
    {
        let Ok(Command::Run(args)) = parse(args) else { panic!("{args:?}") };
        assert_eq!(args.exec, ["curl", "--json", "-s"]);
        assert!(!args.json);
    }
}

#[test]
fn an_open_session_has_the_patience_that_was_given_by_name_and_none_else() {
    let minute = Duration::from_secs(60);
    for (args, opening, open) in [
        (&["cbrain"][..], minute, None),
        (&["cbrain", "--patience", "5"], minute / 12, Some(minute / 12)),
        (&["cbrain", "--open-patience", "60"], minute, Some(minute)),
        (&["cbrain", "--open-patience", "none", "--patience", "5"], minute / 12, None),
        (&["cbrain", "--patience", "5", "--open-patience", "60"], minute / 12, Some(minute)),
    ] {
        let Ok(Command::Run(parsed)) = parse(args) else { panic!("{args:?}") };
        assert_eq!((parsed.patience(), parsed.open_patience()), (opening, open), "{args:?}");
    }
}

#[test]
fn what_is_asked_for_is_told_by_the_line_alone() {
    assert!(matches!(parse(&["--help"]), Ok(Command::Show(_))));
    assert!(matches!(parse(&["--version"]), Ok(Command::Show(_))));
    assert!(matches!(parse(&["cbrain"]), Ok(Command::Run(_))));
    assert!(matches!(parse(&["--url", "http://localhost:1", "cbrain"]), Ok(Command::Run(_))));
    assert!(matches!(parse(&["man"]), Ok(Command::Man(None))));
    assert!(parse(&["cbrain", "man"]).is_err());
}

#[test]
fn of_an_option_that_is_given_twice_the_last_one_counts() {
    let Ok(Command::Run(args)) = parse(&["cbrain", "--for", "1", "--for", "2m", "--json", "--json"]) else { panic!() };
    assert_eq!((args.stay, args.json), (Some(Duration::from_secs(120)), true));
}
