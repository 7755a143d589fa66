//! One session in the hands of several tasks.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sansession::{AuthorizeError, Machine, Timestamp};
use tokio::sync::Notify;

use crate::client::{Answer, Client};

/// A session that several tasks use while one drives it. The lock is never held over an await.
pub struct Shared {
    machine: Mutex<Box<dyn Machine>>,
    changed: Notify,
}

impl Shared {
    pub(crate) fn new(machine: impl Machine + 'static) -> Self {
        Self { machine: Mutex::new(Box::new(machine)), changed: Notify::new() }
    }

    /// Waits until somebody did something to the session.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Does something to the session, and wakes the driver.
    pub fn with<T>(&self, act: impl FnOnce(&mut dyn Machine, Timestamp) -> T) -> T {
        let done = self.quietly(act);
        self.changed.notify_one();
        done
    }

    pub(crate) fn quietly<T>(&self, act: impl FnOnce(&mut dyn Machine, Timestamp) -> T) -> T {
        act(&mut **self.machine.lock().unwrap_or_else(PoisonError::into_inner), now())
    }

    /// Makes a call of the program's own.
    ///
    /// # Errors
    /// Before anything is sent, where there is no session; `Ok(Err(_))` where no answer came.
    pub async fn call(&self, client: &Client, request: http::Request<Vec<u8>>) -> Result<Answer, AuthorizeError> {
        let (mut parts, body) = request.into_parts();
        let ticket = self.with(|machine, now| machine.authorize(now, &mut parts, &body))?;
        let answer = client.call(http::Request::from_parts(parts, body)).await;
        self.with(|machine, now| match &answer {
            Ok(response) => machine.observe(now, &ticket, response.into()),
            Err(failure) => machine.observe_failure(now, &ticket, *failure),
        });
        Ok(answer)
    }
}

/// Gives the time of this machine.
#[expect(clippy::disallowed_methods, reason = "a program has a clock")]
pub fn now() -> Timestamp {
    SystemTime::now().into()
}
