//! The rules of the engine, one by one, as transcripts.

mod answers;
mod calls;
mod corner_cases;
mod ending;
mod ends;
mod life;
mod needs;
mod opening;
mod penalties;
mod plans;
mod rotation;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
mod time;

use std::time::Duration;

use sansession::{
    Failure, Handled, Input, InputHandled, Machine, Misuse, NeedId, NeedKind, Options, Output, Phase, Relogin,
    RequestId, Response, ResumeError, Session, Snapshot, Source, Timestamp, WaitingOn,
    machine::{FailureKind, NeedReason, Rejection},
};
use support::*;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn options(set: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    set(&mut options);
    options
}
