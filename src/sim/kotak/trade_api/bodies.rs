//! What the Trade API writes.

use serde_json::{Value, json};

use super::{Envelope, Settings, User};
use crate::BaseUrl;
use crate::sim::kotak::{Answer, Outcome};

/// The operations that are wrapped in `success` rather than `Success`.
const LOWER: [&str; 4] = ["access-code", "without-code", "orders", "trades"];

impl Settings {
    /// Writes a success.
    pub(super) fn success(&self, operation: &'static str, body: Value) -> Answer {
        let upper = match self.envelope {
            Envelope::AsSeen => !LOWER.contains(&operation),
            Envelope::Upper => true,
            Envelope::Lower => false,
            // Reports are lists, which no model shows flat.
            Envelope::Flat if body.is_array() => false,
            Envelope::Flat => return Answer::json(200, &body, Outcome::Accepted(operation)),
        };
        let body = if upper { json!({ "Success": body }) } else { json!({ "success": body }) };
        Answer::json(200, &body, Outcome::Accepted(operation))
    }

    /// Writes a fault.
    pub(super) fn fault(&self, status: u16, code: u32, why: &'static str, message: &str, description: &str) -> Answer {
        let status = if self.inside_200 { 200 } else { status };
        let body = json!({ "fault": { "code": self.number(code), "message": message, "description": description } });
        Answer::json(status, &body, Outcome::Refused(why))
    }

    /// Writes a number, or its text where the lever says so.
    pub(super) fn number(&self, number: u32) -> Value {
        if self.texts { Value::from(number.to_string()) } else { Value::from(number) }
    }

    pub(super) fn init(&self, user: &User, told: &str, asked: &BaseUrl) -> Answer {
        let mut body = json!({
            "clientType": "ONLINE",
            "encryption": { "keySize": self.number(0), "publickKey": "", "type": "PLAIN" },
            "isNRI": "N",
            "message": if user.active { "" } else { "Please complete your registration." },
            "redirect": { "host": told, "port": self.number(443) },
            "service": { "host": asked.to_string(), "port": self.number(443) },
            "status": if user.active { "Success" } else { "Deactive" },
            "userType": "G",
            "userid": user.userid,
        });
        if !user.active
            && let Some(body) = body.as_object_mut()
        {
            body.insert(
                "weblink".into(),
                json!({ "host": "https://www.kotaksecurities.com", "port": self.number(443) }),
            );
        }
        self.success("init", body)
    }

    pub(super) fn login(&self, user: &User, told: &str, token: &str) -> Answer {
        self.success(
            "login",
            json!({
                "Status": "Temporary",
                "accessCodeTime": "8/30/2021 12:01:00 AM",
                "biometric": "N",
                "clientType": "ONLINE",
                "emailId": "XXXXXXXXXXXXX@example.org",
                "message": "Authentication Successful.",
                "mpin": "N",
                "oneTimeToken": token,
                "phoneNo": "XXXXXXX000",
                "redirect": { "host": told, "port": self.number(443), "userid": user.userid },
            }),
        )
    }

    pub(super) fn second_factor(&self, operation: &'static str, user: &User, token: &str) -> Answer {
        let time = if self.texts { Value::from("8/23/2021 11:29:35 AM") } else { Value::from(1_629_698_375) };
        self.success(
            operation,
            json!({
                "clientCode": user.userid,
                "clientName": "A CLIENT",
                "dormantType": "-",
                "emailId": "client@example.org",
                "enabledProducts": ["NORMAL", "MTF", "MIS"],
                "enabledSegments": ["CASH", "FO", "CDS"],
                "isNRI": "N",
                "loginTime": time,
                "marginProduct": { "isEnabled": "Y" },
                "phoneNo": "XXXXXXX000",
                "sessionToken": token,
                "userId": user.userid,
            }),
        )
    }

    pub(super) fn bad_input(&self, what: &str) -> Answer {
        self.fault(400, 10_000, "bad-input", "Bad Request", &format!("{what} is missing"))
    }

    pub(super) fn bearer_invalid(&self) -> Answer {
        let description = "Access failure for API: /apim/session/1.0, version: 1.0 status: (900901) - Invalid \
                           Credentials. Make sure you have provided the correct security credentials";
        self.fault(401, 900_901, "bearer", "Invalid Credentials", description)
    }

    pub(super) fn quota(&self) -> Answer {
        let description = "You have surpassed the maximum number of requests for the minute, please wait until the \
                           next minute to start additional requests";
        self.fault(429, 900_807, "quota", "Request quota reached", description)
    }

    pub(super) fn locked(&self) -> Answer {
        self.fault(403, 70_009, "locked", "Account Locked", "Failure:User locked due to Bad tries")
    }

    pub(super) fn not_entitled(&self) -> Answer {
        let url = "https://www.kotaksecurities.com/trade-api/";
        self.fault(403, 999_003, "not-entitled", "You are not authorized to access this platform", url)
    }

    pub(super) fn one_time_token_stale(&self) -> Answer {
        let description = "Onetimetoken is either expired or not correct";
        self.fault(401, 50_001, "one-time-token", "Invalid OneTimeToken", description)
    }

    pub(super) fn session_over(&self) -> Answer {
        let description = "Session token is either expired or not correct";
        self.fault(401, 99_999, "session", "You have been logged out. Login again", description)
    }

    pub(super) fn wrong_host(&self, right: &str) -> Answer {
        let message = "Request can not be processed, please process your request through provided domain";
        self.fault(400, 999_024, "wrong-host", message, right)
    }

    /// Refuses a password or a code; the real body is not public.
    pub(super) fn refused(&self, why: &'static str) -> Answer {
        self.fault(401, 10_001, why, "Authentication Failed", "The credentials are not correct")
    }
}

/// Writes what the gateway's token endpoints write.
pub(super) fn token_error(error: &str) -> Answer {
    let body = json!({ "error": error, "error_description": error });
    Answer::json(401, &body, Outcome::Refused("application"))
}
