//! Calls that have nothing to do with the session, as far as clients begin with them.

use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::bodies::{answer, error, object};
use super::session::Brokerage;
use super::{Call, GatewaySim, Happening, bodies};
use crate::Timestamp;

impl GatewaySim {
    pub(super) fn brokerage_call(
        &mut self,
        now: Timestamp,
        call: Call,
        path: &str,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        let established = self.flags(now).established;
        let Some((account, paper)) = self.person().map(|person| (person.account(), person.paper)) else {
            return self.nobody();
        };
        let Brokerage::Open { since, accounts_asked, suppressed, .. } = &mut self.brokerage else {
            return match self.rival {
                Some(_) => error(StatusCode::UNAUTHORIZED, "not authenticated"),
                None => error(StatusCode::BAD_REQUEST, "Bad Request: no bridge"),
            };
        };
        if now < *since + self.settings.bridge {
            return error(StatusCode::BAD_REQUEST, "Bad Request: no bridge");
        }
        let body = match call {
            Call::Accounts if !established => json!({ "accounts": [] }),
            _ if !established => json!({}),
            Call::Accounts => {
                *accounts_asked = true;
                json!({ "accounts": [account], "aliases": {}, "selectedAccount": account, "isPaper": paper })
            }
            Call::Suppress => {
                let Some(count) = question_count(request.body()) else {
                    return error(StatusCode::BAD_REQUEST, "Bad Request");
                };
                *suppressed += count;
                self.note(now, Happening::Suppressed(count));
                json!({ "status": "submitted" })
            }
            _ if path == "/iserver/questions/suppress/reset" && request.method() == Method::POST => {
                *suppressed = 0;
                json!({ "status": "submitted" })
            }
            // ibw chooses an account before it has asked for the list.
            Call::Choose if chosen(request.body()).as_deref() == Some(account) => {
                json!({ "set": true, "acctId": account })
            }
            Call::Choose => return error(StatusCode::BAD_REQUEST, "Bad Request"),
            _ if !*accounts_asked => {
                return error(StatusCode::BAD_REQUEST, "Bad Request: Please query /accounts first");
            }
            _ => match self.served.get(path) {
                Some(body) => {
                    let response = answer(StatusCode::OK, bodies::JSON, body.as_str());
                    self.use_brokerage(now, false);
                    return response;
                }
                None if call == Call::Orders => json!({ "orders": [], "snapshot": true }),
                None if path == "/iserver/account/trades" => json!([]),
                None if path == "/iserver/account/pnl/partitioned" => json!({ "upnl": {} }),
                None => return error(StatusCode::NOT_FOUND, "Not Found"),
            },
        };
        self.use_brokerage(now, false);
        object(&body)
    }

    pub(super) fn outer_call(&mut self, call: Call, path: &str) -> Response<Vec<u8>> {
        let Some(person) = self.person() else {
            return self.nobody();
        };
        let (account, user, paper) = (person.account(), person.user.clone(), person.paper);
        if call == Call::HmdsInit {
            self.hmds = true;
            return object(&bodies::status(&self.settings, bodies::READY, None));
        }
        // The first call of these is answered before the notifications have come.
        let cold = ["/fyi/unreadnumber", "/fyi/notifications"].contains(&path);
        if cold && !core::mem::replace(&mut self.fyi, true) {
            let body = json!({ "status": "waiting for reply" });
            return answer(StatusCode::LOCKED, bodies::JSON, body.to_string());
        }
        // The server of historical data is not there before it was opened.
        if path.starts_with("/hmds/") && !self.hmds {
            return error(StatusCode::NOT_FOUND, "Not Found");
        }
        if let Some(body) = self.served.get(path) {
            return answer(StatusCode::OK, bodies::JSON, body.as_str());
        }
        let body = match (call, path.strip_prefix("/portfolio/").and_then(|rest| rest.strip_prefix(account))) {
            (Call::Portfolio, _) => accounts(account),
            // What these two answer is not known; clients look at the status.
            (Call::User, _) => json!({ "username": user, "ispaper": paper, "islite": false }),
            (Call::Ping, _) => json!({}),
            (_, None) if path == "/fyi/unreadnumber" => json!({ "BN": 0 }),
            (_, None) if path == "/fyi/notifications" => json!([]),
            (_, Some("/ledger")) => {
                let cash = json!({ "cashbalance": 1_000_000.0, "netliquidationvalue": 1_000_000.0, "currency": "USD" });
                json!({ "USD": cash, "BASE": cash })
            }
            (_, Some("/positions" | "/positions/0")) => json!([]),
            (_, None) if path == "/portfolio/subaccounts" => accounts(account),
            _ => return error(StatusCode::NOT_FOUND, "Not Found"),
        };
        object(&body)
    }
}

fn accounts(account: &str) -> Value {
    json!([{ "id": account, "accountId": account, "displayName": account, "currency": "USD", "type": "DEMO" }])
}

/// Counts the questions that are to be suppressed, 51 at most.
fn question_count(body: &[u8]) -> Option<usize> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let count = body.get("messageIds")?.as_array()?.len();
    (1..=51).contains(&count).then_some(count)
}

fn chosen(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("acctId")?.as_str()?.to_owned())
}
