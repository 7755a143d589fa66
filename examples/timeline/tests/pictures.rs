//! The program as people run it: what it draws and what it says of logs that it cannot draw.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use roxmltree::{Document, Node};

fn timeline(args: &[&str], log: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_timeline");
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let log = log.to_owned();
    // It may end before it has read all.
    let writer = std::thread::spawn(move || drop(stdin.write_all(log.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

#[track_caller]
fn drawn(args: &[&str], log: &str) -> String {
    let output = timeline(args, log);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(args: &[&str], log: &str) -> String {
    let output = timeline(args, log);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn groups<'a>(picture: &'a Document<'a>, class: &str) -> Vec<Node<'a, 'a>> {
    picture.descendants().filter(|node| node.attribute("class") == Some(class)).collect()
}

/// How many the picture says there are.
fn count(picture: &Document<'_>, class: &str) -> usize {
    groups(picture, class).iter().map(|group| group.attribute("data-count").unwrap().parse::<usize>().unwrap()).sum()
}

/// How many marks there are to be seen.
fn marks(picture: &Document<'_>, class: &str) -> usize {
    let paths = |group: &Node<'_, '_>| {
        let shapes = group.descendants().filter_map(|node| node.attribute("d").map(str::to_owned));
        shapes.map(|shape| shape.matches('M').count()).sum::<usize>()
    };
    groups(picture, class).iter().map(paths).sum()
}

/// How often a line of the log has this event.
fn events(log: &str, event: &str) -> usize {
    log.lines().filter(|line| line.contains(&format!(r#""event":"{event}""#))).count()
}

#[test]
fn a_day_is_drawn_with_all_that_its_log_tells() {
    let log = drawn(&["--simulate", "--log"], "");
    let text = drawn(&[], &log);
    let picture = Document::parse(&text).unwrap();
    assert_eq!(count(&picture, "answered") + count(&picture, "failed"), events(&log, "send"));
    assert_eq!(count(&picture, "retries"), events(&log, "retrying"));
    assert_eq!(count(&picture, "needs"), events(&log, "need"));
    assert_eq!(count(&picture, "boxes"), events(&log, "penalty"));
    assert_eq!(count(&picture, "doubts"), events(&log, "suspect"));
    let news = ["rival", "reset", "settings-lost", "expired", "clock-skew", "may-live-on", "refused", "closed"];
    assert_eq!(count(&picture, "news"), news.map(|event| events(&log, event)).iter().sum());
    // Each of its troubles is there.
    for event in ["failure", "retrying", "penalty", "suspect", "recovered", "rival", "reset", "expired"] {
        assert!(events(&log, event) > 0, "{event}");
    }
    assert_eq!(events(&log, "closed"), 1, "{}", log.lines().last().unwrap());
    assert!(log.lines().last().unwrap().contains(r#""reason":"logged-out""#));
    assert!(text.len() < 40_000, "{}", text.len());
}

#[test]
fn what_does_not_coincide_is_one_mark_each() {
    let log = drawn(&["--simulate", "--hours", "1", "--log"], "");
    let text = drawn(&[], &log);
    let picture = Document::parse(&text).unwrap();
    // The hour's needs, boxes and news are far from one another.
    for class in ["boxes", "needs", "news"] {
        assert_eq!(marks(&picture, class), count(&picture, class), "{class}");
    }
    let sends = (0..50).map(|n| {
        format!(
            r#"{{"t":{},"event":"send"}}{}{{"t":{},"event":"response","status":{}}}"#,
            n * 1000,
            '\n',
            n * 1000 + 9,
            200 + n % 2 * 300
        )
    });
    let text = drawn(&[], &sends.collect::<Vec<_>>().join("\n"));
    let picture = Document::parse(&text).unwrap();
    assert_eq!((marks(&picture, "answered"), marks(&picture, "failed")), (25, 25));
}

#[test]
fn equal_seeds_draw_equal_days_and_others_do_not() {
    let [one, again, other] = ["1", "1", "2"].map(|seed| drawn(&["--simulate", "--hours", "3", "--seed", seed], ""));
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn every_seed_gives_a_day_that_ends_well() {
    for seed in 0..20 {
        let log = drawn(&["--simulate", "--log", "--seed", &seed.to_string()], "");
        assert!(log.lines().last().unwrap().contains(r#""event":"closed""#), "{seed}");
        Document::parse(&drawn(&[], &log)).unwrap();
    }
}

#[test]
fn the_pictures_here_are_what_the_commands_in_the_readme_draw() {
    let directory = env!("CARGO_MANIFEST_DIR");
    let readme = std::fs::read_to_string(format!("{directory}/README.md")).unwrap();
    let commands = readme.lines().filter_map(|line| line.strip_prefix("cargo run -p timeline -- "));
    let drawings: Vec<_> = commands.filter_map(|line| line.split_once(" > examples/timeline/")).collect();
    assert_eq!(drawings.len(), 2);
    for (args, name) in drawings {
        let new = drawn(&args.split(' ').collect::<Vec<_>>(), "");
        let path = format!("{directory}/{name}");
        if std::env::var_os("SANSESSION_DRAW").is_some() {
            std::fs::write(&path, &new).unwrap();
        }
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(old == new, "{name} is no longer what `{args}` draws: SANSESSION_DRAW=1 cargo test -p timeline");
        assert!(readme.contains(&format!("({name})")), "{name} is not shown");
    }
}

#[test]
fn a_log_of_an_interrupted_session_is_drawn_as_far_as_it_goes() {
    let log = drawn(&["--simulate", "--hours", "1", "--log"], "");
    let active = log.lines().position(|line| line.contains("kept-alive")).unwrap();
    let cut = log.lines().take(active + 5).collect::<Vec<_>>().join("\n");
    let text = drawn(&[], &cut);
    assert!(text.contains("the log breaks off while active"), "{text}");
    assert_eq!(groups(&Document::parse(&text).unwrap(), "torn").len(), 1);
    // In the middle of a line, as a full disk leaves it.
    let output = timeline(&["-"], &cut[..cut.len() - 20]);
    assert!(output.status.success());
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains(&format!("line {}, the last, is cut off", active + 5)), "{words}");
    assert_eq!(count(&Document::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap(), "needs"), 1);
    // Two runs in one file.
    let text = drawn(&[], &format!("{cut}\n{log}"));
    assert!(text.contains("closed: logged-out"));
    assert!(groups(&Document::parse(&text).unwrap(), "torn").is_empty());
}

#[test]
fn what_is_no_log_is_refused_and_the_line_is_named() {
    let good = r#"{"t":1780920007000,"event":"send"}"#;
    for (log, words) in [
        ("", "standard input: the log is empty"),
        ("\n\n", "empty"),
        ("cbrain  0.00 s  idle -> opening\n", "line 1: not JSON"),
        (&format!("{good}\nsession: the server says no\n{good}\n"), "line 2: not JSON"),
        (&format!("{good}\n\n[1]\n"), r#"line 3: no line of the log: it has no time "t""#),
        (&format!("{good}\n{{\"t\":1}}\n"), r#"line 2: no line of the log: it has no "event""#),
        (r#"{"t":"noon","event":"send"}"#, r#"no time "t""#),
        (r#"{"t":9000000000000000000,"event":"send"}"#, "line 1: the time 9000000000000000000 is past the year 9999"),
        ("\u{0}\u{1}\n", "line 1: not JSON"),
    ] {
        let error = refused(&[], log);
        assert!(error.starts_with("timeline: ") && error.contains(words), "{error}");
    }
    let deep = "[".repeat(100_000);
    assert!(refused(&[], &deep).contains("line 1: not JSON"));
}

#[test]
fn a_command_line_that_means_nothing_says_why() {
    for (args, words) in [
        (&["no-such-file"][..], "no-such-file"),
        (&["--seed", "1"], "--simulate"),
        (&["--simulate", "--seed", "x"], "--seed"),
        (&["--simulate", "--hours", "0"], "1 to 48"),
        (&["--simulate", "a.json"], "no log"),
        (&["--sim"], "--sim"),
        (&["a", "b"], "\"b\""),
    ] {
        let error = refused(args, "");
        assert!(error.contains(words), "{args:?}: {error}");
    }
    assert!(drawn(&["--help"], "").contains("--simulate"));
}

#[test]
fn no_words_of_a_log_break_the_picture() {
    let nasty = r#"</text><script>\"'&\u0000\ufffe\u001b[31m"#;
    let lines = ["phase", "need", "failure", "retrying", "closed", nasty].map(|event| {
        format!(r#"{{"t":5,"event":"{event}","provider":"{nasty}","from":"{nasty}","to":"{nasty}","need":"{nasty}","kind":"{nasty}","cause":"{nasty}","reason":"{nasty}","text":"{nasty}"}}"#)
    });
    let text = drawn(&[], &lines.join("\n"));
    let picture = Document::parse(&text).unwrap();
    assert!(!picture.descendants().any(|node| node.has_tag_name("script")));
}

#[test]
fn a_log_of_one_instant_and_one_of_all_times_are_drawn() {
    for log in [
        r#"{"t":0,"event":"send"}"#.to_owned(),
        "{\"t\":-377705023201000,\"event\":\"send\"}\n{\"t\":253402207200000,\"event\":\"penalty\",\"seconds\":9223372036854775807}".into(),
        // A clock that was set back.
        "{\"t\":9000,\"event\":\"phase\",\"from\":\"idle\",\"to\":\"opening\"}\n{\"t\":1000,\"event\":\"phase\",\"from\":\"opening\",\"to\":\"active\"}".into(),
    ] {
        let text = drawn(&[], &log);
        Document::parse(&text).unwrap();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
