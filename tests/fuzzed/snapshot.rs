//! Any text may be resumed by every provider.

use sansession::{Options, Snapshot};

use super::drive::{Driver, Rest};
use super::{START, parts, providers};

/// The first byte is a digit for the provider, the rest a snapshot's text and, after it, a script as in `responses`.
pub fn snapshot(data: &[u8]) {
    let parts = parts(data);
    let Some(([which, text @ ..], script)) = parts.split_first() else { return };
    let (which, Ok(text)) = (which.wrapping_sub(b'0') % providers::COUNT, str::from_utf8(text)) else { return };
    let said = Snapshot::from_text(text).closed();
    let Ok(machine) = providers::resume(which, text, Options::default(), START) else { return };
    let mut driver = Driver::new(machine, START);
    if let Rest::Closed(reason) = driver.drain()
        && let Some(said) = said
    {
        assert_eq!(reason, said, "the text says another end");
    }
    driver.run(script);
    // Without a script it goes on by itself for a while, and nobody can be reached.
    for _ in 0..10 {
        let Rest::Waits(until, on) = driver.drain() else { break };
        if let Some(outgoing) = driver.sent.take() {
            let failure = sansession::Failure::maybe_sent(sansession::machine::FailureKind::Timeout);
            assert!(driver.machine.handle_failure(driver.now, outgoing.id(), failure).is_ok());
        } else if !driver.goes_on(until, on) {
            break;
        }
    }
    let text = driver.machine.snapshot();
    let again = providers::resume(which, text.expose_secrets(), Options::default(), driver.now);
    assert!(again.is_ok(), "its own snapshot is refused ({:?}): {}", again.err(), text.expose_secrets());
    driver.end();
}
