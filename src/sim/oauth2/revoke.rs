//! The revocation endpoint (RFC 7009).

use http::{Request, StatusCode};

use super::{Form, OAuth2Sim, Outcome, Said};
use crate::Timestamp;
use crate::sim::web;

impl OAuth2Sim {
    pub(super) fn revoke(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Said {
        let revoked = Form::read(request).and_then(|form| {
            let client = self.authenticate(now, request, &form)?;
            let token = form.get("token").ok_or(Said::Error(400, "invalid_request", "token is missing"))?;
            let mine = |family: &u64| self.books.family(*family).is_some_and(|family| family.client == client);
            match self.books.find(token) {
                Some((family, _)) if !mine(&family) => {
                    return Err(Said::Error(400, "invalid_request", "the token is another client's"));
                }
                Some((family, access)) => {
                    let dead = self.books.is_dead(now, token, &self.settings);
                    self.note(now, if dead { Outcome::NothingToRevoke } else { Outcome::Revoked }, Some(&client));
                    if access && !self.settings.access_takes_consent {
                        self.books.revoke_access(token);
                    } else {
                        // A spent refresh token takes its successors along as well.
                        self.books.kill(family);
                    }
                }
                None => self.note(now, Outcome::NothingToRevoke, Some(&client)),
            }
            // Also for what was unknown or dead (section 2.2).
            Ok(Said::whole(web::answer(StatusCode::OK, "text/plain", "")))
        });
        revoked.unwrap_or_else(|refused| refused)
    }
}
