//! What is out of the ordinary in a life before a simulator, and all lives that are lived.

use super::Laws;
use super::course::{Course, Left};
use super::world::{Broken, World};
use crate::provider::Step;
use crate::{Options, Provider, Relogin};

/// How often in a life something happens to requests of one step.
const OFTEN: usize = 2;

/// In so many first moments at which a session waits a logout is tried.
const LOGOUTS: usize = 24;

/// What goes wrong with one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mishap {
    Unsent,
    LostBefore,
    LostAfter,
    CrashBefore,
    CrashAfter,
    Unavailable,
    Failed,
    Page(u16),
}

const MISHAPS: [Mishap; 12] = [
    Mishap::LostAfter,
    Mishap::CrashAfter,
    Mishap::LostBefore,
    Mishap::CrashBefore,
    Mishap::Page(200),
    Mishap::Page(401),
    Mishap::Page(403),
    Mishap::Page(404),
    Mishap::Page(502),
    Mishap::Failed,
    Mishap::Unavailable,
    Mishap::Unsent,
];

impl Mishap {
    fn tell(self) -> String {
        match self {
            Self::Unsent => "does not leave".to_owned(),
            Self::LostBefore => "is lost on the way".to_owned(),
            Self::LostAfter => "arrives, and its answer is lost".to_owned(),
            Self::CrashBefore => "is lost, and the process dies".to_owned(),
            Self::CrashAfter => "arrives, and the process dies before the answer".to_owned(),
            Self::Unavailable => "gets a 503 before the server sees it".to_owned(),
            Self::Failed => "arrives, and gets a 500".to_owned(),
            Self::Page(status) => format!("gets a page of a proxy under {status}"),
        }
    }
}

/// What is out of the ordinary in a life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist<S> {
    Nothing,
    /// Processes end and others go on, again and again.
    Restarts,
    /// The first answer to each question is wrong.
    Wrong,
    /// The session is logged out where it waits for the time of this number.
    Logout(usize),
    /// Something happens to the request of this number of a step.
    Mishap(S, usize, Mishap),
    /// The same to a request of the logout of a session that has just become active.
    Leaving(S, usize, Mishap),
}

/// Returns which law breaks against the simulator, if there is one.
pub(super) fn broken<P: Provider + Send>(laws: &Laws<P>) -> Option<String> {
    laws.simulator.as_ref()?;
    let life = |twist: Twist<P::Step>| {
        // Write-ahead, where a crash must lose nothing.
        let durable = !matches!(twist, Twist::Nothing | Twist::Restarts);
        let relogin = Relogin::AskAgain { per_day: 9 };
        let mut world = World::new(laws, Options { durable, relogin, ..laws.options.clone() }, false);
        let (end, left, active_at) = {
            let mut course = Course::new(&mut world, twist);
            let end = course.run();
            (end, core::mem::take(&mut course.left), course.active_at)
        };
        let Err(Broken(what)) = end else { return Ok((left, active_at)) };
        let last = world.transcript.len().saturating_sub(80);
        let transcript = world.transcript.split_off(last).join("\n");
        let name = twist.tell(&world);
        Err(format!("a law is broken: {what}\n\nbefore the simulator, in a life in which {name}\n\n{transcript}"))
    };
    let lives = || {
        let (left, active_at) = life(Twist::Nothing)?;
        for twist in [Twist::Wrong, Twist::Restarts] {
            _ = life(twist)?;
        }
        for wait in 0..active_at.unwrap_or_default().saturating_add(4).min(LOGOUTS) {
            _ = life(Twist::Logout(wait))?;
        }
        for Left { step, before, ending } in left.into_iter().filter(|left| left.before < OFTEN) {
            for mishap in MISHAPS {
                let twist =
                    if ending { Twist::Leaving(step, before, mishap) } else { Twist::Mishap(step, before, mishap) };
                _ = life(twist)?;
            }
        }
        Ok(())
    };
    lives().err()
}

impl<S: Copy> Twist<S> {
    fn tell<P: Provider<Step = S> + Send>(self, world: &World<'_, P>) -> String
    where
        S: Step,
    {
        match self {
            Self::Nothing => "nothing goes wrong".to_owned(),
            Self::Restarts => "nothing goes wrong and the process is restarted now and then".to_owned(),
            Self::Wrong => "the first answer to each question is wrong".to_owned(),
            Self::Logout(wait) => format!("it is logged out at its wait {}", wait + 1),
            Self::Mishap(step, before, mishap) => {
                format!("request {} of `{}` {}", before + 1, world.name_of(step), mishap.tell())
            }
            Self::Leaving(step, before, mishap) => {
                format!("request {} of `{}`, at the logout, {}", before + 1, world.name_of(step), mishap.tell())
            }
        }
    }
}
