//! What systemd is told: that a session is usable, where it stands, that it ends, and that somebody still drives it.
//!
//! Nothing is told where no `NOTIFY_SOCKET` is, and a service manager that does not listen ends no session.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use sansession::drive::{Handle, now};
use sd_notify::NotifyState;

/// What a service manager gives to the program that it starts, and to none that this one starts.
pub const VARIABLES: [&str; 4] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY"];

/// How long something may be overdue: the loop looks every 10 s, and a machine that was suspended needs a moment.
const OVERDUE: Duration = Duration::from_secs(60);
/// How much is kept for a manager that does not listen, and how long it is waited for in the end.
const WAITING: usize = 64;
const END: Duration = Duration::from_secs(1);

/// To the thread that tells it: a socket that nobody reads blocks whoever writes to it.
static MANAGER: OnceLock<Option<SyncSender<News>>> = OnceLock::new();

enum News {
    Ready,
    Status(String),
    Stopping,
    Alive,
    /// All that came before was told.
    Told(SyncSender<()>),
}

/// Reports that the session is usable.
pub fn ready() {
    tell(News::Ready);
}

/// Reports where it stands.
pub fn status(words: &str) {
    tell(News::Status(words.replace(['\n', '\r'], " ")));
}

/// Reports that it ends.
pub fn stopping() {
    tell(News::Stopping);
}

/// Waits until all was told, or nobody listens.
pub fn finish() {
    let (told, all) = sync_channel(1);
    tell(News::Told(told));
    let _ = all.recv_timeout(END);
}

/// Feeds the watchdog, where there is one, as long as the session does what is due.
pub fn watch(handle: &Handle) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let handle = handle.clone();
    std::thread::spawn(move || {
        loop {
            if handle.status().deadline + OVERDUE > now() {
                tell(News::Alive);
            }
            std::thread::sleep(limit / 3);
        }
    });
}

fn tell(news: News) {
    if let Some(manager) = MANAGER.get_or_init(manager) {
        let _ = manager.try_send(news);
    }
}

fn manager() -> Option<SyncSender<News>> {
    std::env::var_os("NOTIFY_SOCKET")?;
    let (sender, receiver) = sync_channel(WAITING);
    std::thread::spawn(move || pass_on(&receiver));
    Some(sender)
}

fn pass_on(receiver: &Receiver<News>) {
    for news in receiver {
        let state = match &news {
            News::Ready => NotifyState::Ready,
            News::Status(words) => NotifyState::Status(words),
            News::Stopping => NotifyState::Stopping,
            News::Alive => NotifyState::Watchdog,
            News::Told(told) => {
                let _ = told.try_send(());
                continue;
            }
        };
        let _ = sd_notify::notify(&[state]);
    }
}
