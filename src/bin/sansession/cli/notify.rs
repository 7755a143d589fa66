//! What systemd is told: that a session is usable, where it stands, that it ends, and that somebody still drives it.
//!
//! Nothing is told where no `NOTIFY_SOCKET` is, and a service manager that does not listen ends no session.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::time::Duration;

use sansession::blocking::{Handle, now};
use sd_notify::NotifyState;

/// What a service manager gives to the program that it starts, and to none that this one starts.
pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// How long something may be overdue: the loop looks every 10 s, and a machine that was suspended needs a moment.
const OVERDUE: Duration = Duration::from_secs(60);

/// Tells that the session is usable.
pub fn ready() {
    tell(&NotifyState::Ready);
}

/// Tells where it stands.
pub fn status(words: &str) {
    tell(&NotifyState::Status(&words.replace(['\n', '\r'], " ")));
}

/// Tells that it ends.
pub fn stopping() {
    tell(&NotifyState::Stopping);
}

/// Feeds the watchdog, where there is one, as long as the session does what is due.
pub fn watch(handle: &Handle) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let handle = handle.clone();
    std::thread::spawn(move || {
        loop {
            if handle.status().deadline + OVERDUE > now() {
                tell(&NotifyState::Watchdog);
            }
            std::thread::sleep(limit / 3);
        }
    });
}

fn tell(state: &NotifyState<'_>) {
    let _ = sd_notify::notify(std::slice::from_ref(state));
}
