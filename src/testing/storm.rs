//! The law of the bounded pace: an hour with a server that answers at once, and people who do, too.

use core::time::Duration;

use proptest::prelude::*;

use super::Laws;
use super::calls::{Reply, reply};
use super::world::{Broken, Lawful, World, broken};
use crate::{By, Delivery, Failure, FailureKind, Machine, Phase, Provider};

/// Gives the shortest storm found.
pub(super) fn broken<P: Provider + Send>(laws: &Laws<P>) -> Option<String> {
    let storm = (any::<(bool, bool, bool)>(), prop::collection::vec(prop::option::weighted(0.8, reply()), 1..6));
    let mut runner = laws.runner();
    let outcome = runner.run(&storm, |((relogin, adopt, honest), weather)| {
        let mut world = laws.world(false, relogin, adopt);
        let end = hour(&mut world, honest, &weather);
        world.transcript.truncate(300);
        world.verdict(end)
    });
    laws.report(outcome)
}

fn hour<P: Provider + Send>(world: &mut World<'_, P>, honest: bool, weather: &[Option<Reply>]) -> Lawful {
    world.start();
    if honest {
        // The storm comes up over an open session.
        for _ in 0..20 {
            world.drain()?;
            world.give(By::Person)?;
            world.respond(&Reply::Honest)?;
            if world.flying.is_none() && world.need.is_none() && world.session.phase() != Phase::Active {
                world.sleep()?;
            }
        }
    }
    let (begun, already) = (world.now, world.sent);
    let mut weather = weather.iter().cycle();
    while world.now.since(begun) < Duration::from_secs(3_600) {
        let Some(until) = world.drain()? else { return Ok(()) };
        if world.flying.is_some() {
            match weather.next().and_then(Option::as_ref) {
                Some(reply) => world.respond(reply)?,
                None => world.fail(Failure { kind: FailureKind::Interrupted, delivery: Delivery::MaybeSent })?,
            }
        } else if world.need.is_some() && world.give(By::Store).is_ok() && world.need.is_none() {
            continue;
        } else if until.is_never() {
            return Ok(());
        } else {
            world.now = until;
        }
        let sent = world.sent - already;
        if sent > u64::from(world.laws.per_hour) {
            broken!("19. bounded pace", "{sent} requests in {:?}", world.now.since(begun));
        }
    }
    Ok(())
}
