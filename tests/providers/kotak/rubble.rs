//! Answers that are none: they open nothing and end nothing.

use super::*;

/// Answers that are none: cut off, too long, of another kind, of the wrong types.
fn rubble() -> Vec<Mishap> {
    let long = format!(r#"{{"Success":{{"oneTimeToken":"{}"}}}}"#, "A".repeat(2 << 20));
    let nested = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    [
        "",
        "null",
        "[]",
        "7",
        "\"ok\"",
        "{}",
        "{\"Success\":{\"oneTimeToken\":\"A",
        "{\"data\":{\"token\":\"a.b.c\",\"sid\":",
        "\u{0}\u{1}\u{2}",
        PAGE,
        r#"{"Success":[]}"#,
        r#"{"Success":{"status":7,"oneTimeToken":7,"sessionToken":["a"]}}"#,
        r#"{"Success":{"oneTimeToken":"","sessionToken":""}}"#,
        r#"{"Success":{"oneTimeToken":"a b","sessionToken":"a\r\nb"}}"#,
        r#"{"data":{"token":7,"sid":{}}}"#,
        r#"{"data":{"token":"a b","sid":"s","baseUrl":"https://e43.kotaksecurities.com"}}"#,
        r#"{"data":[{"ip":7}]}"#,
        &long,
        &nested,
    ]
    .into_iter()
    .map(|body| answer(200, body))
    .collect()
}

#[test]
fn rubble_opens_nothing_and_ends_nothing() {
    for mishap in rubble() {
        let shown = format!("{mishap:.80?}");
        let mut world = trade_asks();
        world.server.disturb(1, &mishap);
        gives(&mut world, password(PASSWORD));
        assert_eq!(settles(&mut world), "closed protocol", "{shown}");

        let mut world = trade_half();
        world.server.disturb(1, &mishap);
        let code = access_code(&world);
        gives(&mut world, code);
        assert_eq!(settles(&mut world), "may-live-on, closed protocol", "{shown}");

        let mut world = neo_asks();
        world.server.disturb(1, &mishap);
        give_code(&mut world);
        assert_eq!(settles(&mut world), "closed protocol", "{shown}");

        let mut world = neo_half();
        world.server.disturb(1, &mishap);
        gives(&mut world, Input::Pin(MPIN.into()));
        assert_eq!(settles(&mut world), "may-live-on, closed protocol", "{shown}");

        let mut world = neo_active();
        world.server.disturb(1, &mishap);
        world.checks();
        assert_eq!(settles(&mut world), "suspect, recovered, active", "{shown}");
    }
}

/// An answer that is cut off in the middle says nothing, however much of it came.
#[test]
fn half_an_answer_is_none() {
    let mut world = trade_asks();
    world.server.disturb(1, &Mishap::MalformedJson);
    gives(&mut world, password(PASSWORD));
    assert_eq!(settles(&mut world), "closed protocol");
    let mut world = neo_active();
    world.server.disturb(1, &Mishap::MalformedJson);
    world.checks();
    assert_eq!(settles(&mut world), "suspect, recovered, active");
}
