//! OAuth 2: a server that rotates, consents that end, outages, lost answers, tokens that are dropped.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use http::{Request, StatusCode};
use sansession::providers::oauth2::{ClientOf, Grant, OAuth2, Server};
use sansession::sim::oauth2::{Browsed, Client, Life, Outcome};
use sansession::sim::{self, Fault, Mishap, Reply};
use sansession::{Input, Need, NeedKind, Secret, Session, Timestamp};

use crate::faults::judge::{Word, print};
use crate::faults::year::{Case, DAY, Dice, HOUR, MINUTE, SECOND, asks};

const ISSUER: &str = "https://login.example.org";
const BACK: &str = "http://127.0.0.1:8400/callback";
const CALL: &str = "/api/quotes";

pub struct Consents {
    outage: Option<Timestamp>,
    mishaps: Vec<Mishap>,
    /// How long a consent lasts, and whether only the configuration knows it.
    lasts: Option<(Duration, bool)>,
    /// When the person last consented.
    consented: Option<Timestamp>,
    /// How often the server, or what is between, has made a question necessary.
    causes: u64,
}

/// Names the refresh token of a form.
fn refresh(request: &Request<Vec<u8>>) -> u64 {
    let form: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    form.into_iter().find(|(name, _)| name == "refresh_token").hash(&mut hasher);
    hasher.finish()
}

impl Case for Consents {
    type Provider = OAuth2;
    type Server = sim::OAuth2Sim;
    const POLL: Duration = Duration::from_secs(15 * 60);
    const BACK: Duration = Duration::from_secs(60);
    const PER_HOUR: usize = 200;
    const ROTATES: bool = true;
    const WORTH: &'static [&'static str] = &["POST /token"];

    fn new(dice: &mut Dice) -> (Self, sim::OAuth2Sim) {
        let mut server = sim::OAuth2Sim::new(ISSUER, dice.below(u64::MAX));
        server.add_client(Client::public("app").redirect(BACK));
        let lasts = dice.once_in(3).then(|| dice.one_of(&[7, 10, 30])).map(|days| (DAY * days as u32, dice.once_in(2)));
        let settings = &mut server.settings;
        settings.access_life = dice.one_of(&[30 * MINUTE, HOUR, 2 * HOUR]);
        settings.life = dice.one_of(&[Life::Number, Life::Number, Life::Text, Life::Missing]);
        settings.errors_with_200 = dice.once_in(4);
        settings.terse = dice.once_in(4);
        settings.one_access = dice.once_in(4);
        settings.code_life = 5 * MINUTE;
        settings.absolute = lasts.map(|(lasts, _)| lasts);
        // One that only the configuration knows is not told.
        settings.tells_refresh_life = lasts.is_some_and(|(_, configured)| !configured);
        settings.idle = dice.once_in(4).then_some(3 * DAY);
        (Self { outage: None, mishaps: Vec::new(), lasts, consented: None, causes: 0 }, server)
    }

    fn provider(&self) -> OAuth2 {
        let grant = Grant::Code { redirect: BACK.into() };
        let provider = OAuth2::new(Server::issuer(ISSUER).unwrap(), grant, ClientOf::public("app")).scopes("read", "");
        match self.lasts {
            Some((lasts, true)) => provider.refresh_lasts(lasts),
            _ => provider,
        }
    }

    fn happens(&mut self, server: &mut sim::OAuth2Sim, now: Timestamp, dice: &mut Dice) {
        match dice.below(12) {
            0 => self.outage = Some(now + dice.between(MINUTE, 5 * HOUR)),
            1 => server.drop_access_tokens(),
            2 if dice.once_in(6) => server.revoke_consents(),
            3..8 => {
                let page = StatusCode::from_u16(dice.one_of(&[403, 500, 502, 503])).unwrap();
                let mishap = match dice.below(5) {
                    0 => Mishap::Dropped,
                    1 => Mishap::Slow(dice.between(SECOND, MINUTE)),
                    2 => Mishap::MalformedJson,
                    3 => Mishap::Truncated,
                    _ => Mishap::ProxyPage(page),
                };
                self.mishaps = vec![mishap; dice.below(4) as usize];
            }
            _ => {}
        }
    }

    fn passes(&mut self, _: &mut sim::OAuth2Sim, now: Timestamp) {
        self.outage.take_if(|until| now >= *until);
    }

    fn allows(&self, _: &sim::OAuth2Sim, _: Timestamp) -> bool {
        self.outage.is_none()
    }

    fn before(&mut self, server: &mut sim::OAuth2Sim) {
        server.calm();
        if self.outage.is_some() {
            server.disturb(1, &Mishap::ProxyPage(StatusCode::SERVICE_UNAVAILABLE));
        } else if let Some(mishap) = self.mishaps.pop() {
            server.disturb(1, &mishap);
        }
    }

    fn serves(&mut self, server: &mut sim::OAuth2Sim, session: &mut Session<OAuth2>, now: Timestamp) -> bool {
        server.calm();
        asks(server, session, now, CALL);
        server.take_log().last().is_some_and(|entry| entry.outcome == Outcome::Called)
    }

    fn sessions(&self, server: &sim::OAuth2Sim, now: Timestamp) -> usize {
        server.live_consents(now)
    }

    fn words(
        &mut self,
        server: &mut sim::OAuth2Sim,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        reply: &Reply,
    ) -> Vec<Word> {
        // What never arrived, and what somebody before the server refused, costs no question.
        let status = reply.response.status();
        let cut = serde_json::from_slice::<serde::de::IgnoredAny>(reply.response.body()).is_err();
        let refused = status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE;
        let unread = cut && !refused && reply.fault.is_none();
        let broken = reply.fault.is_some_and(|fault| fault != Fault::Refuse);
        let lost = broken || reply.delay >= Duration::from_secs(9) || unread;
        self.causes += u64::from(lost && request.uri().path() == "/token");
        let mut words = Vec::new();
        for entry in server.take_log() {
            match entry.outcome {
                Outcome::Redeemed => {
                    // It was asked for in time, since the one before was to end.
                    let old = self.consented.replace(now).map(|at| now.since(at));
                    let near = self.lasts.is_some_and(|(lasts, _)| old.is_some_and(|old| old >= lasts / 14 * 12));
                    self.causes += u64::from(near);
                    words.push(Word::Judged(NeedKind::Redirect));
                }
                Outcome::CodeRefused => {
                    self.causes += 1;
                    // A refusal that cannot be read is asked for once more, which costs nothing: no token came of it.
                    words.extend((!cut).then_some(Word::Judged(NeedKind::Redirect)));
                }
                // Nobody gives such an answer here: it breaks the law.
                Outcome::CodeReused | Outcome::Reused => words.push(Word::Judged(NeedKind::GatewayToken)),
                Outcome::RefreshRefused => {
                    self.causes += 1;
                    words.push(Word::Dead(refresh(request)));
                }
                Outcome::CallRefused => words.push(Word::Dead(print(request, "authorization"))),
                _ => {}
            }
        }
        words
    }

    fn answers(&mut self, server: &mut sim::OAuth2Sim, need: &Need, now: Timestamp, wrongly: bool) -> Option<Input> {
        if wrongly {
            self.causes += 1;
            return Some(Input::Redirect(Secret::new(format!("{BACK}?code=code-0&state=another"))));
        }
        let Browsed::Redirect(back) = server.browse(now, need.url.as_deref()?) else { return None };
        server.take_log();
        Some(Input::Redirect(Secret::new(back)))
    }

    fn user(&self) -> Option<(&'static str, Duration)> {
        Some((CALL, 4 * MINUTE))
    }

    fn causes(&self) -> Option<u64> {
        Some(self.causes)
    }
}
