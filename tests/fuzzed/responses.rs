//! Anything may answer at every step of every provider.

use sansession::{Options, Relogin};

use super::drive::Driver;
use super::{START, parts, providers};

/// The first part is a digit for the provider and letters for its options; each other part is an answer
/// (`200 j`, headers, an empty line, a body), a failure (`!`), or what happens while nothing is
/// under way: `C` look, `L` log out, `O 401 j` a call of the user's own got that, `S` sleep.
pub fn responses(data: &[u8]) {
    let parts = parts(data);
    let Some((config, script)) = parts.split_first() else { return };
    let which = config.first().copied().unwrap_or_default().wrapping_sub(b'0') % providers::COUNT;
    let mut options = Options::default();
    options.durable = config.contains(&b'd');
    if config.contains(&b'r') {
        options.relogin = Relogin::AskAgain { per_day: 2 };
    }
    let mut driver = Driver::new(providers::session(which, options.clone()), START);
    driver.machine.start(driver.now);
    driver.run(script);
    // Whatever it has been told, what it writes down is its own.
    let text = driver.machine.snapshot();
    let resumed = providers::resume(which, text.expose_secrets(), options, driver.now);
    let Ok(resumed) = resumed else { panic!("its own snapshot is refused: {}", text.expose_secrets()) };
    Driver::new(resumed, driver.now).end();
    driver.end();
}
