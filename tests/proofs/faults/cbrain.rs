//! CBRAIN: maintenance, tokens that die, addresses that change, proxies that answer for the portal.

use http::{Request, StatusCode};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::Mishap;
use sansession::sim::cbrain::Outcome;
use sansession::sim::{self, Reply};
use sansession::{Credentials, Input, Need, NeedKind, Session, Timestamp};
use std::time::Duration;

use crate::faults::judge::{Word, print};
use crate::faults::year::{Case, DAY, Dice, HOUR, MINUTE, SECOND, asks};

const USER: &str = "norm";
const PASSWORD: &str = "correct horse";

pub struct Portal {
    locked_until: Timestamp,
    account_locked_until: Timestamp,
}

impl Case for Portal {
    type Provider = Cbrain;
    type Server = sim::CbrainSim;
    const POLL: Duration = Duration::from_secs(15 * 60);
    const BACK: Duration = Duration::from_secs(60);
    const PER_HOUR: usize = 200;

    fn new(dice: &mut Dice) -> (Self, sim::CbrainSim) {
        let mut server = sim::CbrainSim::new(dice.below(u64::MAX));
        server.add_user(USER, PASSWORD);
        let never = Timestamp::from_millis(0);
        (Self { locked_until: never, account_locked_until: never }, server)
    }

    fn provider(&self) -> Cbrain {
        crate::support::cbrain()
    }

    fn happens(&mut self, server: &mut sim::CbrainSim, now: Timestamp, dice: &mut Dice) {
        server.purge_sessions(now, 10 * DAY);
        match dice.below(10) {
            0 => {
                server.lock_portal(Some("Back soon."));
                self.locked_until = now + dice.between(MINUTE, 13 * HOUR);
            }
            1 => server.expire_sessions(),
            2 => server.clients_come_from(Some([192, 0, 2, dice.below(9) as u8].into())),
            3 => {
                server.account(USER).unwrap().locked = true;
                self.account_locked_until = now + dice.between(MINUTE, 3 * HOUR);
            }
            4..8 => {
                let mishap = match dice.below(7) {
                    0 => Mishap::Lost,
                    1 => Mishap::Dropped,
                    2 => Mishap::Truncated,
                    3 => Mishap::MalformedJson,
                    4 => Mishap::Slow(dice.between(SECOND, MINUTE)),
                    5 => Mishap::Trickled(dice.between(Duration::from_millis(1), SECOND)),
                    _ => Mishap::ProxyPage(StatusCode::from_u16(dice.one_of(&[401, 403, 429, 502, 503, 504])).unwrap()),
                };
                let (method, times) = (dice.one_of(&["GET", "POST", "DELETE"]), dice.below(5) as usize);
                server.disturb_calls(method.parse().unwrap(), "/session", times, &mishap);
            }
            _ => {}
        }
    }

    fn passes(&mut self, server: &mut sim::CbrainSim, now: Timestamp) {
        if now >= self.locked_until {
            server.unlock_portal();
        }
        if now >= self.account_locked_until {
            server.account(USER).unwrap().locked = false;
        }
    }

    fn allows(&self, _: &sim::CbrainSim, now: Timestamp) -> bool {
        now >= self.locked_until.max(self.account_locked_until)
    }

    fn serves(&mut self, server: &mut sim::CbrainSim, session: &mut Session<Cbrain>, now: Timestamp) -> bool {
        // What is not there is told to those alone who are logged in, and counts as no use of the token.
        let before = server.take_log();
        let answer = asks(server, session, now, "/groups/999");
        server.take_log();
        assert!(before.is_empty(), "{before:?}");
        answer.is_some_and(|answer| answer.status() == StatusCode::NOT_FOUND)
    }

    fn sessions(&self, server: &sim::CbrainSim, now: Timestamp) -> usize {
        server.live_sessions(now, USER)
    }

    fn words(&mut self, server: &mut sim::CbrainSim, _: Timestamp, request: &Request<Vec<u8>>, _: &Reply) -> Vec<Word> {
        let deeds = server.take_log().into_iter().map(|entry| entry.outcome);
        deeds
            .filter_map(|deed| match deed {
                Outcome::LoggedIn | Outcome::LoginRefused | Outcome::LoginReused => {
                    Some(Word::Judged(NeedKind::Credentials))
                }
                Outcome::TokenRefused => Some(Word::Dead(print(request, "authorization"))),
                _ => None,
            })
            .collect()
    }

    fn answers(&mut self, _: &mut sim::CbrainSim, _: &Need, _: Timestamp, wrongly: bool) -> Option<Input> {
        let password = if wrongly { "wrong horse" } else { PASSWORD };
        Some(Input::Credentials(Credentials::new(USER, password).unwrap()))
    }

    fn user(&self) -> Option<(&'static str, Duration)> {
        Some(("/groups", 15 * MINUTE))
    }
}
