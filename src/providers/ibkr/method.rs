//! The method of the status request, at the gateway and at the direct Web API.

use http::{Request, StatusCode};
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::wire::Endpoints;
use crate::provider::Verdict;

/// Whether the status works by GET: one gateway is reported to answer 400 to the documented POST and
/// to accept GET.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ByGet(Option<Known>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Known {
    /// It is asked for.
    Tried,
    /// It was answered.
    Works,
    /// It is refused like the other.
    Fails,
}

impl ByGet {
    /// Reports whether there is nothing to store.
    pub(super) const fn is_unknown(&self) -> bool {
        self.0.is_none()
    }

    /// Reports whether the next status is asked for by GET.
    pub(super) const fn is_used(self) -> bool {
        matches!(self.0, Some(Known::Tried | Known::Works))
    }

    /// Builds the status request with the method that works, as far as known.
    pub(super) fn status(self, api: &Endpoints) -> Request<Vec<u8>> {
        if self.is_used() { api.status_by_get() } else { api.status() }
    }

    /// Notes that the status was answered.
    pub(super) fn answered(&mut self) {
        if self.0 == Some(Known::Tried) {
            self.0 = Some(Known::Works);
        }
    }

    /// Retries with the other method where a response refuses this one.
    pub(super) fn refused<S>(&mut self, step: S, status: StatusCode, refusal: Refusal) -> Option<Verdict<S>> {
        if !refuses(status, refusal) {
            return None;
        }
        self.0 = match self.0 {
            None => Some(Known::Tried),
            Some(Known::Works) => None,
            Some(Known::Tried) => {
                self.0 = Some(Known::Fails);
                return Some(Verdict::Unreadable("iserver/auth/status is taken neither by POST nor by GET"));
            }
            Some(Known::Fails) => return None,
        };
        Some(Verdict::next(step))
    }
}

/// Reports whether an answer refuses the form of a request rather than what it asks for.
pub(super) const fn refuses(status: StatusCode, refusal: Refusal) -> bool {
    matches!(refusal, Refusal::BadRequest | Refusal::MethodNotAllowed) && matches!(status.as_u16(), 400 | 405 | 415)
}
