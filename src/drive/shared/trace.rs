//! What is told to `tracing`, all under the target `sansession`.
//!
//! A span `session` for each session, with the `provider` and the `server` (the limit group without the account), and in
//! it an event for each event of the session, each need, each request, each answer and the end. `code` says which one;
//! fields of requests and answers have the names of OpenTelemetry's conventions for HTTP clients, so that counters and
//! durations can be made of them.
//!
//! | level | what |
//! |---|---|
//! | ERROR | driving ended, and not by a confirmed logout or because somebody had it leave: a person is wanted |
//! | WARN | the session is not as usable as it was, or its owner should know or do something |
//! | INFO | the session moved on in its life, was asked for something, or tries again |
//! | DEBUG | what happens in every healthy minute: requests, answers, keepalives |
//!
//! Codes, paths, statuses and shapes, never a body, a header, a query or an account. Without the feature there is nothing.

#[cfg(feature = "tracing")]
pub(super) use on::*;

#[cfg(not(feature = "tracing"))]
pub(super) use off::*;

#[cfg(feature = "tracing")]
mod on {
    use tracing::{Instrument, Level, Span};

    use crate::drive::{DriveError, Ended, Handle, SendError};
    use crate::{Event, Machine, Need, Outgoing, RequestId};

    pub(in crate::drive::shared) fn in_span<M: Machine + ?Sized, F: Future>(
        handle: &Handle<M>,
        future: F,
    ) -> impl Future<Output = F::Output> + use<M, F> {
        let group = handle.limit_group();
        // What follows the server is the account.
        let server = group.split('|').next().unwrap_or_default();
        let span: Span = tracing::error_span!(target: "sansession", "session", provider = handle.provider(), server);
        future.instrument(span)
    }

    pub(in crate::drive::shared) fn event(event: &Event) {
        let code = event.code();
        macro_rules! tell {
            ($level:ident $(, $($field:tt)+)?) => {
                tracing::event!(target: "sansession", Level::$level, code, $($($field)+)?)
            };
        }
        match event {
            Event::KeptAlive => tell!(DEBUG),
            Event::PhaseChanged { from, to } => tell!(INFO, from = from.code(), to = to.code()),
            Event::Retrying { attempt, cause, .. } => tell!(INFO, attempt, %cause),
            Event::Suspect { cause, shape: Some(shape) } => tell!(WARN, %cause, %shape),
            Event::Suspect { cause, shape: None } => tell!(WARN, %cause),
            Event::Expired { proof } => tell!(WARN, proof),
            Event::ClockSkew { by_millis } => tell!(WARN, by_millis),
            Event::Penalty { lasts } => tell!(WARN, ?lasts),
            Event::Limited { api, lasts } => tell!(WARN, api, ?lasts),
            Event::ActionRequired { text: Some(text), .. }
            | Event::IpNotAllowed { text: Some(text) }
            | Event::ServerSays(text) => tell!(WARN, %text),
            Event::BaseUrlAssumed { url } => tell!(WARN, %url),
            Event::Recovered | Event::Reset => tell!(INFO),
            _ => tell!(WARN),
        }
    }

    pub(in crate::drive::shared) fn sending(outgoing: &Outgoing) {
        tracing::debug!(
            target: "sansession",
            code = "sending",
            id = ?outgoing.id(),
            http.request.method = %outgoing.method(),
            url.path = outgoing.path(),
        );
    }

    pub(in crate::drive::shared) fn received(id: RequestId, status: http::StatusCode) {
        tracing::debug!(target: "sansession", code = "received", ?id, http.response.status_code = status.as_u16());
    }

    pub(in crate::drive::shared) fn failed(id: RequestId, error: &SendError) {
        tracing::info!(target: "sansession", code = "failed", ?id, error.type = error.failure.kind.code(), %error);
    }

    pub(in crate::drive::shared) fn asking(need: &Need) {
        let (kind, because) = (need.kind.code(), need.because.code());
        tracing::info!(target: "sansession", code = "need", kind, because, refused = need.refused);
    }

    pub(in crate::drive::shared) fn outcome(outcome: &Result<Ended, DriveError>) {
        match outcome {
            Ok(end) => ended(end),
            Err(error) => tracing::error!(target: "sansession", code = "undriven", %error),
        }
    }

    pub(in crate::drive::shared) fn ended(ended: &Ended) {
        match (ended, ended.clone().into_result()) {
            (Ended::Closed(reason), Ok(())) => {
                tracing::info!(target: "sansession", code = "closed", reason = reason.code());
            }
            (Ended::Closed(reason), Err(_)) => {
                tracing::error!(target: "sansession", code = "closed", reason = reason.code(), %ended);
            }
            (_, Ok(())) => tracing::info!(target: "sansession", code = "left"),
            (_, Err(_)) => tracing::error!(target: "sansession", code = "undriven", %ended),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use crate::drive::{DriveError, Ended, Handle, SendError};
    use crate::{Event, Machine, Need, Outgoing, RequestId};

    pub(in crate::drive::shared) fn in_span<M: Machine + ?Sized, F: Future>(_: &Handle<M>, future: F) -> F {
        future
    }

    pub(in crate::drive::shared) fn event(_: &Event) {}
    pub(in crate::drive::shared) fn sending(_: &Outgoing) {}
    pub(in crate::drive::shared) fn received(_: RequestId, _: http::StatusCode) {}
    pub(in crate::drive::shared) fn failed(_: RequestId, _: &SendError) {}
    pub(in crate::drive::shared) fn asking(_: &Need) {}
    pub(in crate::drive::shared) fn outcome(_: &Result<Ended, DriveError>) {}
    pub(in crate::drive::shared) fn ended(_: &Ended) {}
}
