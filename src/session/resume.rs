//! Snapshots: writing a session down and taking it up again.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Session;
use super::core::Core;
use super::engine::{Engine, Ids};
use super::plan::{AT_ONCE, FLOW};
use crate::exchange::{Failure, FailureKind};
use crate::provider::{Identity, Provider};
use crate::{Event, Options, Phase, ResumeError, Seed, Snapshot, Timestamp};

/// The format that is written; older ones are read for ever.
const FORMAT: u32 = 1;

#[derive(Serialize)]
#[serde(bound(serialize = "S: Serialize, T: Serialize"))]
struct Written<'a, S, T> {
    format: u32,
    provider: &'a str,
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<&'a str>,
    epoch: u64,
    /// The step that has left, or may leave as soon as this text is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<S>,
    /// Nobody has been told yet that something may live on: a process that dies now must not keep it to itself.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    may_live_on: bool,
    session: &'a Core<S, T>,
}

/// What is read: whose session a text is, and what is known of it.
#[derive(Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>, C: Deserialize<'de>"))]
pub(super) struct Read<S, C> {
    format: u32,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    server: String,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    egress: Option<String>,
    #[serde(default)]
    pub(super) epoch: u64,
    #[serde(default = "none")]
    pub(super) in_flight: Option<S>,
    #[serde(default)]
    pub(super) may_live_on: bool,
    #[serde(default = "none")]
    pub(super) session: Option<C>,
}

/// What is read of a provider's session.
pub(super) type Stored<P> = Read<<P as Provider>::Step, Core<<P as Provider>::Step, <P as Provider>::State>>;

/// Reads a text that is of this provider, server and account, and with `options` also of this key and way out.
pub(super) fn read<P: Provider>(
    snapshot: &Snapshot,
    provider: &P,
    options: Option<&Options>,
) -> Result<Stored<P>, ResumeError> {
    let (text, identity) = (snapshot.expose_secrets(), provider.identity());
    let Ok(read) = serde_json::from_str::<Stored<P>>(text) else {
        // Another provider's steps and state cannot be read, nor can those of a newer format, but it can be told.
        let head: Read<IgnoredAny, IgnoredAny> = serde_json::from_str(text).map_err(|_| ResumeError::Damaged)?;
        return Err(head.check(identity, options).err().unwrap_or(ResumeError::Damaged));
    };
    read.check(identity, options)?;
    Ok(read)
}

fn none<S>() -> Option<S> {
    None
}

impl<P: Provider> Session<P> {
    /// Takes up a session that was written down, in this process or another one.
    ///
    /// The provider value brings keys and configuration; the snapshot brings tokens and plans. The
    /// `fence` must be higher than the one that the snapshot was made with (1 for a new session):
    /// `None` takes the next one, a service that shares sessions between machines gives its lease's.
    /// What was in flight counts as a request of unknown fate.
    ///
    /// # Errors
    /// [`ResumeError`] tells why the snapshot is refused; nothing of it has been used then.
    pub fn resume(
        provider: P,
        snapshot: &Snapshot,
        options: impl Into<Arc<Options>>,
        fence: Option<u64>,
        seed: impl Into<Seed>,
        now: Timestamp,
    ) -> Result<Self, ResumeError> {
        let options = options.into();
        let read = read(snapshot, &provider, Some(&options))?;
        let epoch = match fence {
            None if read.epoch < u64::MAX => read.epoch + 1,
            None => return Err(ResumeError::OlderFence { found: read.epoch, given: read.epoch }),
            Some(given) if given > read.epoch => given,
            Some(given) => return Err(ResumeError::OlderFence { found: read.epoch, given }),
        };
        let mut core = read.session.ok_or(ResumeError::Damaged)?;
        core.know_sums();
        // An idle session ends at once: one whose end has begun would wait for ever.
        if core.phase == Phase::Idle && core.ending.is_some() {
            return Err(ResumeError::Damaged);
        }
        provider.admits(&core.state).map_err(ResumeError::NotAdmitted)?;
        let mut resumed = Self::of(Engine::new(provider, options, Ids::new(&seed.into(), epoch), core));
        let (now, engine) = resumed.0.open(now);
        // No request leaves that would put this further ahead, but for those of a logout, whom it does not delay.
        if !engine.core.leaving {
            engine.core.flow = engine.core.flow.min(engine.core.clock + AT_ONCE + FLOW);
        }
        // No box and no wait is known to be longer, and a text that was edited keeps nobody from its session for ever.
        engine.core.bound_waits();
        // Nobody tried anything meanwhile, so patience, with a logout too, begins anew.
        engine.core.ending = engine.core.ending.map(|_| now);
        engine.core.trouble = engine.core.trouble.map(|_| now);
        if read.may_live_on {
            engine.tell(Event::MayLiveOn);
        }
        if let Some(step) = read.in_flight
            && engine.core.closed.is_none()
        {
            // The plans in the text may be those from before it left.
            engine.core.clear_due_plans_of(step);
            engine.failed(now, step, Failure::maybe_sent(FailureKind::Interrupted));
        }
        Ok(resumed)
    }
}

impl<P: Provider> Engine<P> {
    pub(super) fn write_snapshot(&self) -> Snapshot {
        let Identity { provider, server, account, key, .. } = self.provider.identity();
        let written = Written {
            format: FORMAT,
            provider,
            server: server.to_string(),
            account,
            key,
            egress: self.options.egress.as_deref(),
            epoch: self.ids.epoch,
            in_flight: self.flight.as_ref().map(|flight| flight.step).or(self.out.saving),
            may_live_on: self.out.events.holds(&Event::MayLiveOn),
            session: &self.core,
        };
        // Growing would leave unwiped copies behind, so the buffer starts larger than any session
        // that is known of.
        let mut text = Vec::with_capacity(4096);
        match serde_json::to_writer(&mut text, &written) {
            Ok(()) => Snapshot::written(String::from_utf8(text).unwrap_or_default()),
            // A state whose maps have keys that are no strings cannot be written; an empty text is
            // refused by `resume` with an error of its own.
            Err(_) => Snapshot::from_text(String::new()),
        }
    }
}

impl<S, C> Read<S, C> {
    fn check(&self, identity: Identity<'_>, options: Option<&Options>) -> Result<(), ResumeError> {
        if self.format > FORMAT {
            return Err(ResumeError::NewerFormat { found: self.format, known: FORMAT });
        }
        if self.provider != identity.provider {
            return Err(ResumeError::WrongProvider { found: self.provider.clone() });
        }
        if self.server != identity.server.to_string() {
            return Err(ResumeError::WrongServer { found: self.server.clone() });
        }
        if self.account.as_deref() != identity.account {
            return Err(ResumeError::WrongAccount);
        }
        let Some(options) = options else { return Ok(()) };
        if self.key.as_deref() != identity.key {
            return Err(ResumeError::WrongKey);
        }
        if identity.binds_ip && self.egress.as_deref() != options.egress.as_deref() {
            return Err(ResumeError::WrongEgress);
        }
        Ok(())
    }
}
