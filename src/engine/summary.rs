//! What a text says of its session to those who know no provider.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::format::FORMAT;
use super::life::Life;
use super::text::{LifeText, Text, TroubleText};
use crate::machine::snapshot::Summary;
use crate::{CloseReason, ResumeError, Snapshot, Timestamp};

/// What is read of a session, whatever its provider.
#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow)]
    life: LifeText<'a>,
    #[serde(default)]
    since: Timestamp,
    #[serde(default)]
    alive: Option<Timestamp>,
    #[serde(default)]
    trouble: Option<TroubleText>,
}

impl Snapshot {
    /// Returns what the text says of its session, tokens aside; the provider need not be known.
    ///
    /// It is what [`Machine::status`](crate::Machine::status) said when the text was written.
    ///
    /// # Errors
    /// [`ResumeError::NewerFormat`]; [`ResumeError::Damaged`] for a text that is not a snapshot, such as an empty one.
    pub fn summary(&self) -> Result<Summary, ResumeError> {
        let text: Text<'_, IgnoredAny, IgnoredAny> =
            serde_json::from_str(self.expose_secrets()).map_err(|_| ResumeError::Damaged)?;
        if text.format > FORMAT {
            return Err(ResumeError::NewerFormat { found: text.format, known: FORMAT });
        }
        let text: Text<'_, IgnoredAny, Known<'_>> =
            serde_json::from_str(self.expose_secrets()).map_err(|_| ResumeError::Damaged)?;
        let Known { life, since, alive, trouble } = text.session.ok_or(ResumeError::Damaged)?;
        let (life, trouble) = (life.life(), trouble.map(TroubleText::trouble).unwrap_or_default());
        Ok(Summary {
            provider: text.provider.into_owned(),
            server: text.server.into_owned(),
            phase: life.phase(),
            since,
            opened: if let Life::Open { since, .. } = life { Some(since) } else { None },
            suspect: life.is_open() && trouble.cause().is_some(),
            last_alive: alive,
            closed: if let Life::Closed(reason) = life { Some(*reason) } else { None },
        })
    }

    /// Returns why the session has ended, if it has; `None` for a text that is not a snapshot.
    ///
    /// One that was given up while it may live on ([`CloseReason::GivenUp`](crate::CloseReason::GivenUp)) has not ended
    /// for whoever resumes it.
    pub fn closed(&self) -> Option<CloseReason> {
        self.summary().ok()?.closed
    }
}
