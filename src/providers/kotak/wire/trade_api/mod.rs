//! The session service of the Trade API (`/session/1.0`), and one report as a probe.
//!
//! Every request has `Authorization: Bearer …` for the gateway and `consumerKey`, and before the session is
//! open also `ip` and `appId`. The user id is a **header** of init, of the request for a code and of logout,
//! and a **field** of the login's and second factor's bodies. There are no query parameters.

use http::{Method, Request};

use super::{header, segment};
use crate::provider::RequestBuilder;
use crate::provider::Unbuildable;
use crate::secret::Secret;
use crate::url::BaseUrl;
use crate::wire::{Code, Text};

/// The values that every request to the Trade API carries.
#[derive(Debug)]
pub struct App<'a> {
    /// The host with its base path, such as `https://tradeapi.kotaksecurities.com/apim`.
    pub base: &'a BaseUrl,
    /// The gateway's bearer token.
    pub bearer: &'a Secret,
    /// The key of the application.
    pub consumer_key: &'a Secret,
    /// The client's address; the server does not check it: users report that `127.0.0.1` and nothing work.
    pub ip: &'a str,
    /// The application's name; not checked either.
    pub app_id: &'a str,
}

impl App<'_> {
    /// Builds `GET …/session/init`, which returns the user's host and status; the user is in a header.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn init(&self, userid: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::GET, "init").header(header::USERID, "userid", userid).finish()
    }

    /// Builds the same request with the user in the path, as in the vendor's OpenAPI file.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn init_of_userid(&self, userid: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::GET, &format!("init/userid/{}", segment(userid))).finish()
    }

    /// Builds the same request for a nickname.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn init_of_nickname(&self, nickname: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::GET, &format!("init/nickname/{}", segment(nickname))).finish()
    }

    /// Builds the login with a password: `POST …/session/login/userid`. Three wrong passwords lock the account.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn login(&self, userid: &str, password: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::POST, "login/userid").json_fields(&[("userid", userid), ("password", password)]).finish()
    }

    /// Builds the login by nickname; the field's name is inferred from the path, since no sample is public.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn login_by_nickname(&self, nickname: &str, password: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        let fields = [("nickname", nickname), ("password", password)];
        self.call(Method::POST, "login/nickname").json_fields(&fields).finish()
    }

    /// Builds `GET …/session/2FA/accesscode`, which sends a new access code by SMS and e-mail.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn request_access_code(&self, userid: &str, token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.second(Method::GET, "accesscode", token).header(header::USERID, "userid", userid).finish()
    }

    /// Builds the second factor with an access code: `POST …/session/2FA/accesscode`. A code is valid all day.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn access_code(&self, userid: &str, token: &Secret, code: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.factor("accesscode", token, &[("userid", userid), ("accessCode", code)])
    }

    /// Builds the second factor without a code: `POST …/session/2FA/oneTimeToken`, for subscribed clients only.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn without_code(&self, userid: &str, token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.factor("oneTimeToken", token, &[("userid", userid)])
    }

    /// Builds the second factor with an MPIN; the field's name is inferred from the path, since no sample is public.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn mpin(&self, userid: &str, token: &Secret, mpin: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.factor("mpin", token, &[("userid", userid), ("mpin", mpin)])
    }

    /// Builds the second factor with a biometric proof; the field's name is inferred from the path, since no sample is
    /// public.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn biometric(&self, userid: &str, token: &Secret, proof: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.factor("biometric", token, &[("userid", userid), ("biometric", proof)])
    }

    /// Builds `DELETE …/session/logout`, which ends the session at the server.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn logout(&self, userid: &str, session_token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        let call = self.call(Method::DELETE, "logout").secret(header::SESSION_TOKEN, "session token", session_token);
        call.header(header::USERID, "userid", userid).finish()
    }

    /// Builds `GET /reports/1.0/orders`, the order report. No call of the service only checks a session; this one
    /// changes nothing and needs bearer and session token.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn orders(&self, session_token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        let call = self.authorized(Method::GET, "/reports/1.0/orders");
        call.secret(header::SESSION_TOKEN, "session token", session_token).finish()
    }

    fn authorized(&self, method: Method, path: &str) -> RequestBuilder {
        let call = RequestBuilder::new(method, self.base, path).authorization("Bearer ", self.bearer);
        call.secret(header::CONSUMER_KEY, "consumer key", self.consumer_key)
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let call = self.authorized(method, &format!("/session/1.0/session/{path}"));
        call.header(header::IP, "ip", self.ip).header(header::APP_ID, "app id", self.app_id)
    }

    fn second(&self, method: Method, factor: &str, token: &Secret) -> RequestBuilder {
        self.call(method, &format!("2FA/{factor}")).secret(header::ONE_TIME_TOKEN, "one-time token", token)
    }

    fn factor(&self, factor: &str, token: &Secret, fields: &[(&str, &str)]) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.second(Method::POST, factor, token).json_fields(fields).finish()
    }
}

crate::wire_object! {
    /// The response of init, read with [`read`](super::envelope::read).
    pub struct Init<'a> {
        /// `Active` or `Success`; anything else means that the user has to go to `weblink` first.
        status: Text<'a> = "status" | "Status",
        /// The user.
        userid: Code<'a> = "userid" | "userId",
        /// `G` global, `V` view only, `A` admin, `D` dealer.
        user_type: Text<'a> = "userType",
        /// A message for the user.
        message: Text<'a> = "message",
        /// The host that this user belongs to.
        redirect: Place<'a> = "redirect",
        /// Some other host; the session follows `redirect`.
        service: Place<'a> = "service",
        /// The page for a user who is not active.
        weblink: Place<'a> = "weblink",
        /// How password and codes are to be encoded.
        encryption: Encryption<'a> = "encryption",
        /// `ONLINE` in the one public body.
        client_type: Text<'a> = "clientType",
    }
}

impl Init<'_> {
    /// Reports whether the user may log in; `None` where the response does not say.
    pub fn is_active(&self) -> Option<bool> {
        self.status
            .as_ref()
            .map(|status| ["Active", "Success"].iter().any(|active| status.eq_ignore_ascii_case(active)))
    }

    /// Reports whether this is a response of init at all.
    pub const fn is_proven(&self) -> bool {
        self.status.is_some() || self.redirect.is_some()
    }
}

crate::wire_object! {
    /// A host in a response.
    pub struct Place<'a> {
        /// A URL with a base path in every public body.
        host: Text<'a> = "host",
        /// The port; the documents call it `keySize` by mistake, the wire says `port`.
        port: u64 = "port" | "keySize",
    }
}

crate::wire_object! {
    /// How password and codes are to be encoded.
    pub struct Encryption<'a> {
        /// `PLAIN` (the only one seen), `BASE64`, `RSA` or `AES`.
        kind: Text<'a> = "type",
        /// The public key; the wire spells it with two k.
        public_key: Text<'a> = "publickKey" | "publicKey",
        /// The size of the key in bits.
        key_size: u64 = "keySize",
    }
}

impl Encryption<'_> {
    /// Reports whether texts are sent unencoded.
    pub fn is_plain(&self) -> bool {
        self.kind.as_ref().is_none_or(|kind| kind.is_empty() || kind.eq_ignore_ascii_case("PLAIN"))
    }
}

crate::wire_object! {
    /// The response of the login; the one-time token proves success.
    pub struct Login<'a> {
        /// The opaque token for the second factor. Its lifetime is not published.
        one_time_token: Secret = "oneTimeToken",
        /// `Temporary` in the public sample.
        status: Text<'a> = "Status" | "status",
        /// A message for the user.
        message: Text<'a> = "message",
        /// `Y` where the user may use an MPIN.
        mpin: Text<'a> = "mpin",
        /// `Y` where the user may use biometrics.
        biometric: Text<'a> = "biometric",
        /// A time such as `8/30/2021 12:01:00 AM`, without a zone; what it means is not documented.
        access_code_time: Text<'a> = "accessCodeTime",
        /// A host, as in init.
        redirect: Place<'a> = "redirect",
        /// The address that the code is sent to, masked by the server.
        email: Secret = "emailId",
        /// The number that the code is sent to, masked by the server.
        phone: Secret = "phoneNo",
    }
}

crate::wire_object! {
    /// The response of the second factor; the session token proves success.
    pub struct SecondFactor<'a> {
        /// The opaque token of the session. Its lifetime is not published; users get one a day.
        session_token: Secret = "sessionToken",
        /// A token for broadcasts; in the model, not in the public sample.
        public_token: Secret = "publicToken",
        /// The user.
        userid: Code<'a> = "userId" | "userid",
        /// The client code.
        client_code: Code<'a> = "clientCode",
        /// The client's name.
        client_name: Secret = "clientName",
        /// The client's address.
        email: Secret = "emailId",
        /// The client's number.
        phone: Secret = "phoneNo",
        /// Segments such as `CASH` and `FO`.
        enabled_segments: Vec<Text<'a>> = "enabledSegments",
        /// Products such as `NORMAL` and `MTF`.
        enabled_products: Vec<Text<'a>> = "enabledProducts",
        /// A number since the epoch in the model, a text such as `8/23/2021 11:29:35 AM` in the sample.
        login_time: Code<'a> = "loginTime",
    }
}

crate::wire_object! {
    /// The response of the logout.
    pub struct Logout<'a> {
        /// `Logout Successful.`
        message: Text<'a> = "message",
    }
}

#[cfg(test)]
mod tests;
