//! The device grant: a person approves on another device.

use core::time::Duration;

use http::{Request, Response, StatusCode};
use serde_json::json;

use super::{Form, OAuth2Sim, Outcome, Person, Said, words};
use crate::Timestamp;
use crate::sim::web;

/// The interval where none is named (RFC 8628, section 3.2), and how much longer each `slow_down` makes it.
const INTERVAL: u64 = 5;

/// A device grant that was begun.
pub(super) struct Device {
    client: String,
    user_code: String,
    scopes: Vec<String>,
    ends: Timestamp,
    interval: u64,
    polled: Option<Timestamp>,
    stands: Stands,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Open,
    Approved,
    Declined,
    Judgment,
}

impl OAuth2Sim {
    /// Approves a device grant, as a person does who types its code; tells whether there is one.
    pub fn approve_device(&mut self, now: Timestamp, user_code: &str) -> bool {
        self.decide(now, user_code, Stands::Approved)
    }

    /// Says no to a device grant; tells whether there is one.
    pub fn decline_device(&mut self, now: Timestamp, user_code: &str) -> bool {
        self.decide(now, user_code, Stands::Declined)
    }

    /// The page where a person types a code.
    pub(super) fn activate(&mut self, now: Timestamp, query: Option<&str>) -> Response<Vec<u8>> {
        let form = Form::of(web::pairs(query.unwrap_or_default().as_bytes())).ok();
        let code = form.as_ref().and_then(|form| form.get("user_code")).unwrap_or_default();
        let known = match self.settings.person {
            Person::Consents => self.approve_device(now, code),
            Person::Declines => self.decline_device(now, code),
            Person::Hesitates => true,
        };
        let (status, words) = if known { (StatusCode::OK, "Done") } else { (StatusCode::NOT_FOUND, "Which code?") };
        web::answer(status, "text/html", format!("<html><h1>{words}</h1></html>"))
    }

    fn decide(&mut self, now: Timestamp, user_code: &str, stands: Stands) -> bool {
        // Without case and punctuation (section 6.1).
        let plain =
            |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let found = self.devices.values_mut().find(|device| {
            plain(&device.user_code) == plain(user_code) && device.stands == Stands::Open && device.ends > now
        });
        let Some(device) = found else { return false };
        device.stands = stands;
        let client = device.client.clone();
        let outcome = if stands == Stands::Approved { Outcome::Consented } else { Outcome::Declined };
        self.note(now, outcome, Some(&client));
        true
    }

    pub(super) fn begin_device(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Said {
        let begun = Form::read(request).and_then(|form| {
            let client = self.authenticate(now, request, &form)?;
            let known = self.clients.get(&client).map(|client| client.scopes.clone()).unwrap_or_default();
            let asked = words(form.get("scope"));
            if asked.iter().any(|scope| !known.contains(scope)) {
                return Err(Said::Error(400, "invalid_scope", "the scope is unknown"));
            }
            if self.wrong_resource(form.get("resource")) {
                return Err(Said::Error(400, "invalid_target", "the resource is unknown"));
            }
            let scopes = if asked.is_empty() { known } else { asked };
            let code = self.books.make("device");
            let digits: String = code.chars().rev().take(8).collect::<String>().to_ascii_uppercase();
            let (first, second) = digits.split_at_checked(4).unwrap_or((&digits, ""));
            let user_code = format!("{first}-{second}");
            let uri = format!("{}/activate", self.issuer);
            let ends = now + self.settings.device_life;
            let mut answer = json!({
                "device_code": code,
                "user_code": user_code,
                "verification_uri": uri,
                "verification_uri_complete": format!("{uri}?user_code={user_code}"),
                "expires_in": self.settings.device_life.as_secs(),
            });
            if let (Some(interval), Some(body)) = (self.settings.interval, answer.as_object_mut()) {
                body.insert("interval".to_owned(), interval.into());
            }
            let interval = self.settings.interval.unwrap_or(INTERVAL);
            let device = Device {
                client: client.clone(),
                user_code,
                scopes,
                ends,
                interval,
                polled: Some(now),
                stands: Stands::Open,
            };
            self.devices.insert(code, device);
            self.note(now, Outcome::DeviceBegun, Some(&client));
            Ok(Said::good(answer))
        });
        begun.unwrap_or_else(|refused| refused)
    }

    pub(super) fn poll_device(&mut self, now: Timestamp, client: &str, form: &Form) -> Result<Said, Said> {
        let code = form.get("device_code").ok_or(Said::Error(400, "invalid_request", "device_code is missing"))?;
        let refused = |this: &mut Self, error, why| {
            this.note(now, Outcome::DeviceRefused, Some(client));
            Err(Said::Error(400, error, why))
        };
        let Some(device) = self.devices.get_mut(code).filter(|device| device.client == client) else {
            return refused(self, "invalid_grant", "the device code is unknown");
        };
        let early = device.polled.is_some_and(|at| now < at + Duration::from_secs(device.interval));
        device.polled = Some(now);
        match device.stands {
            Stands::Judgment => return refused(self, "invalid_grant", "the device code was used"),
            Stands::Declined => return refused(self, "access_denied", "the person said no"),
            _ if device.ends <= now => return refused(self, "expired_token", "the device code is over"),
            Stands::Open if early => {
                device.interval += INTERVAL;
                self.note(now, Outcome::SlowedDown, Some(client));
                return Err(Said::Error(400, "slow_down", "polls come too fast"));
            }
            Stands::Open => {
                self.note(now, Outcome::Pending, Some(client));
                return Err(Said::Error(400, "authorization_pending", "the person has not decided"));
            }
            Stands::Approved => device.stands = Stands::Judgment,
        }
        let scopes = device.scopes.clone();
        self.books.spend(code);
        let family = self.books.begin(now, client, scopes);
        self.note(now, Outcome::Redeemed, Some(client));
        Ok(self.give(now, family, true))
    }
}
