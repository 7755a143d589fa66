//! Rows that are of no use are set aside as they are; the rest goes on.

use fleet_postgres::seal::Belongs;

use crate::stage::Stage;

/// Three sessions of which the second is bad; gives why it was set aside.
fn refuses(spoil: impl FnOnce(&mut Stage)) -> String {
    let mut stage = Stage::with(3);
    spoil(&mut stage);
    let before = stage.text("SELECT encode(sealed, 'hex') FROM sessions WHERE account = 2");
    let worker = stage.works("worker");
    stage.opens(2);
    stage.is_kept_alive(1, 2);
    stage.is_kept_alive(3, 2);
    assert_eq!(stage.text("SELECT encode(sealed, 'hex') FROM sessions WHERE account = 2"), before, "nothing is lost");
    assert_eq!(stage.number("SELECT lease FROM sessions WHERE account = 2"), 0);
    assert_eq!(stage.portals.with(|portals| portals.log().of(2).len()), 0, "nothing is sent for it");
    let why = stage.text("SELECT refused FROM sessions WHERE account = 2").unwrap();

    // Mended, it is claimed as any other, and the reason is gone.
    let text = stage.settings.first_snapshot(2).unwrap();
    stage.puts(2, text.expose_secrets());
    stage.runs("UPDATE sessions SET sealed_at = 1, key_id = 1, due_at = now() WHERE account = 2");
    stage.opens(3);
    assert_eq!(stage.text("SELECT refused FROM sessions WHERE account = 2"), None);
    worker.stops();
    why
}

#[test]
#[ignore = "needs PostgreSQL: `.ci/run postgres`"]
fn a_row_that_does_not_decode() {
    assert_eq!(refuses(|stage| stage.puts(2, "{\"format\":1")), "the snapshot is damaged");
    assert_eq!(
        refuses(|stage| stage.runs("UPDATE sessions SET sealed = 'x', nonce = 'y' WHERE account = 2")),
        "the nonce has not 24 bytes"
    );
    assert_eq!(
        refuses(|stage| stage.runs("UPDATE sessions SET key_id = 7 WHERE account = 2")),
        "key 7 is not known here"
    );
}

#[test]
#[ignore = "needs PostgreSQL: `.ci/run postgres`"]
fn a_snapshot_of_a_newer_format() {
    let why = refuses(|stage| {
        let text = stage.settings.first_snapshot(2).unwrap();
        stage.puts(2, &text.expose_secrets().replacen("\"format\":1", "\"format\":2", 1));
    });
    assert_eq!(why, "the snapshot has format 2, this version knows up to 1");
}

#[test]
#[ignore = "needs PostgreSQL: `.ci/run postgres`"]
fn a_row_with_another_accounts_snapshot() {
    let why = refuses(|stage| {
        stage.runs(
            "UPDATE sessions SET sealed = other.sealed, nonce = other.nonce
             FROM sessions AS other WHERE sessions.account = 2 AND other.account = 1",
        );
    });
    assert_eq!(why, "the row is damaged, or was sealed for another account or fence");
}

#[test]
#[ignore = "needs PostgreSQL: `.ci/run postgres`"]
fn keys_are_rotated_under_a_working_worker() {
    let mut stage = Stage::with(5);
    let worker = stage.works("worker");
    stage.opens(5);
    assert_eq!(stage.number("SELECT count(*) FROM sessions WHERE key_id = 1"), 5);
    stage.runs("UPDATE sealing SET key_id = 2");
    let ring = &stage.ring;
    let found = stage.store.reseal(2, 100, |row| {
        let belongs = Belongs::Snapshot { account: row.account, fence: row.sealed_at };
        ring.seal(2, belongs, &ring.open(belongs, &row.sealed)?)
    });
    assert_eq!(found.unwrap(), 5);
    stage.is_kept_alive(1, 1);
    worker.stops();
    // Who takes them up knows the second key alone; no login is needed.
    stage.keys = stage.keys.split_once(',').unwrap().1.into();
    let worker = stage.works("later");
    stage.is_kept_alive(5, 2);
    worker.stops();
    assert_eq!(stage.number("SELECT count(*) FROM sessions WHERE phase = 'active' AND key_id = 2"), 5);
}
