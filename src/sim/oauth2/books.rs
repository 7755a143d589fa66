//! Tokens, and what stems from one consent.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use crate::Timestamp;
use crate::machine::backoff::split_mix;

/// All that was given out.
pub(super) struct Books {
    seed: u64,
    made: u64,
    families: BTreeMap<u64, Family>,
    refresh: BTreeMap<String, Refresh>,
    access: BTreeMap<String, Access>,
    spent: Vec<String>,
    issued: Vec<String>,
}

/// What stems from one consent, or a client's own.
#[derive(Clone)]
pub(super) struct Family {
    pub(super) client: String,
    pub(super) scopes: Vec<String>,
    since: Timestamp,
    dead: bool,
}

struct Refresh {
    family: u64,
    used: Timestamp,
    spent: Option<Timestamp>,
    revoked: bool,
}

struct Access {
    family: u64,
    ends: Timestamp,
    revoked: bool,
}

/// What a refresh token is worth.
pub(super) enum Worth {
    /// It is good.
    Good(u64),
    /// It was spent a moment ago, and is forgiven.
    Forgiven(u64),
    /// It was spent before: somebody has stolen it, or lost an answer.
    Spent(u64),
    /// It is dead.
    Dead,
}

impl Books {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            made: 0,
            families: BTreeMap::new(),
            refresh: BTreeMap::new(),
            access: BTreeMap::new(),
            spent: Vec::new(),
            issued: Vec::new(),
        }
    }

    /// Creates a text that nobody guesses.
    pub(super) fn make(&mut self, prefix: &str) -> String {
        self.made += 1;
        let high = split_mix(self.seed ^ split_mix(self.made));
        let text = format!("{prefix}-{high:016x}{:016x}", split_mix(high));
        self.issued.push(text.clone());
        text
    }

    pub(super) fn issued(&self) -> &[String] {
        &self.issued
    }

    pub(super) fn spent(&self) -> &[String] {
        &self.spent
    }

    pub(super) fn spend(&mut self, text: &str) {
        self.spent.push(text.to_owned());
    }

    pub(super) fn begin(&mut self, now: Timestamp, client: &str, scopes: Vec<String>) -> u64 {
        self.made += 1;
        self.families.insert(self.made, Family { client: client.to_owned(), scopes, since: now, dead: false });
        self.made
    }

    pub(super) fn family(&self, id: u64) -> Option<&Family> {
        self.families.get(&id)
    }

    pub(super) fn kill(&mut self, id: u64) {
        if let Some(family) = self.families.get_mut(&id) {
            family.dead = true;
        }
    }

    pub(super) fn kill_client(&mut self, client: &str) {
        self.families.values_mut().filter(|family| family.client == client).for_each(|family| family.dead = true);
    }

    pub(super) fn kill_all(&mut self) {
        self.families.values_mut().for_each(|family| family.dead = true);
    }

    pub(super) fn drop_access(&mut self) {
        self.access.values_mut().for_each(|access| access.revoked = true);
    }

    pub(super) fn drop_access_of(&mut self, id: u64) {
        self.access.values_mut().filter(|access| access.family == id).for_each(|access| access.revoked = true);
    }

    pub(super) fn give_access(&mut self, now: Timestamp, family: u64, settings: &Settings) -> String {
        // Those that ended long ago say nothing to anybody.
        self.access.retain(|_, access| access.ends + settings.access_life > now);
        let text = self.make("at");
        self.access.insert(text.clone(), Access { family, ends: now + settings.access_life, revoked: false });
        text
    }

    pub(super) fn give_refresh(&mut self, now: Timestamp, family: u64) -> String {
        let text = self.make("rt");
        self.refresh.insert(text.clone(), Refresh { family, used: now, spent: None, revoked: false });
        text
    }

    /// Returns when a refresh token of a consent that is used now ends.
    pub(super) fn ends(&self, now: Timestamp, family: u64, settings: &Settings) -> Option<Timestamp> {
        let absolute = self.family(family).and_then(|family| settings.absolute.map(|lasts| family.since + lasts));
        let idle = settings.idle.map(|lasts| now + lasts);
        absolute.into_iter().chain(idle).min()
    }

    fn is_over(&self, now: Timestamp, refresh: &Refresh, settings: &Settings) -> bool {
        let family = self.family(refresh.family);
        let over =
            |since: Timestamp, lasts: Option<core::time::Duration>| lasts.is_some_and(|lasts| since + lasts <= now);
        refresh.revoked
            || family.is_none_or(|family| family.dead || over(family.since, settings.absolute))
            || over(refresh.used, settings.idle)
    }

    pub(super) fn worth(&self, now: Timestamp, token: &str, client: &str, settings: &Settings) -> Worth {
        let Some(refresh) = self.refresh.get(token) else { return Worth::Dead };
        if self.family(refresh.family).is_none_or(|family| family.client != client) {
            return Worth::Dead;
        }
        match refresh.spent {
            _ if self.is_over(now, refresh, settings) => Worth::Dead,
            None => Worth::Good(refresh.family),
            Some(at) if now < at + settings.grace => Worth::Forgiven(refresh.family),
            Some(_) => Worth::Spent(refresh.family),
        }
    }

    /// Notes that a refresh token was used; one that serves once is spent.
    pub(super) fn use_refresh(&mut self, now: Timestamp, token: &str, rotates: bool, grace: bool) {
        let Some(refresh) = self.refresh.get_mut(token) else { return };
        refresh.used = now;
        if rotates && refresh.spent.is_none() {
            refresh.spent = Some(now);
            if !grace {
                self.spent.push(token.to_owned());
            }
        }
    }

    /// Finds a token that is to be revoked: its consent, and whether it is an access token. Spent ones count.
    pub(super) fn find(&self, token: &str) -> Option<(u64, bool)> {
        let refresh = self.refresh.get(token).map(|refresh| (refresh.family, false));
        refresh.or_else(|| self.access.get(token).map(|access| (access.family, true)))
    }

    pub(super) fn is_dead(&self, now: Timestamp, token: &str, settings: &Settings) -> bool {
        match (self.refresh.get(token), self.access.get(token)) {
            (Some(refresh), _) => self.is_over(now, refresh, settings),
            (_, Some(access)) => !self.is_good(now, access),
            _ => true,
        }
    }

    pub(super) fn revoke_access(&mut self, token: &str) {
        if let Some(access) = self.access.get_mut(token) {
            access.revoked = true;
        }
    }

    fn is_good(&self, now: Timestamp, access: &Access) -> bool {
        !access.revoked && access.ends > now && self.family(access.family).is_some_and(|family| !family.dead)
    }

    /// Reports whose bearer this is, and what it may.
    pub(super) fn bearer(&self, now: Timestamp, token: &str) -> Option<(String, Vec<String>)> {
        let access = self.access.get(token).filter(|access| self.is_good(now, access))?;
        self.family(access.family).map(|family| (family.client.clone(), family.scopes.clone()))
    }

    pub(super) fn live(&self, now: Timestamp, settings: &Settings) -> usize {
        let renews = |refresh: &&Refresh| refresh.spent.is_none() && !self.is_over(now, refresh, settings);
        let refresh = self.refresh.values().filter(renews).map(|refresh| refresh.family);
        let access = self.access.values().filter(|access| self.is_good(now, access)).map(|access| access.family);
        let good: BTreeSet<u64> = refresh.chain(access).collect();
        good.into_iter().filter(|id| self.family(*id).is_some_and(|family| !family.dead)).count()
    }
}
