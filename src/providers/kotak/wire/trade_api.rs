//! The session service of the Trade API (`/session/1.0`), and one report as a probe.
//!
//! Every request has `Authorization: Bearer …` of the gateway, `consumerKey`, and, before the session is
//! open, `ip` and `appId`. The user id is a **header** of init, of the request for a code and of logout,
//! and a **field** of the login's and second factor's bodies. There are no query parameters.

use http::{Method, Request};
use serde::Serialize;

use super::{Build, header, segment};
use crate::provider::Unbuildable;
use crate::secret::Secret;
use crate::server::BaseUrl;
use crate::wire::{Code, Text};

/// What every request to the Trade API carries.
#[derive(Debug)]
pub struct App<'a> {
    /// The host with its base path, such as `https://tradeapi.kotaksecurities.com/apim`.
    pub base: &'a BaseUrl,
    /// The gateway's bearer token.
    pub bearer: &'a Secret,
    /// The key of the application.
    pub consumer_key: &'a str,
    /// The client's address; not compared by the server, users report `127.0.0.1` and nothing to work.
    pub ip: &'a str,
    /// The application's name; not compared either.
    pub app_id: &'a str,
}

#[derive(Serialize)]
struct UserCredentials<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    userid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<&'a str>,
    password: &'a str,
}

#[derive(Serialize)]
struct UserDetails<'a> {
    userid: &'a str,
    #[serde(rename = "accessCode", skip_serializing_if = "Option::is_none")]
    access_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mpin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biometric: Option<&'a str>,
}

impl App<'_> {
    /// Asks how a user logs in, and at which host: `GET …/session/init`, the user in a header.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn init(&self, userid: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::GET, "/session/1.0/session/init").header(header::USERID, "userid", userid).done()
    }

    /// Asks the same with the user in the path, as the vendor's OpenAPI file has it.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn init_of_userid(&self, userid: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::GET, &format!("/session/1.0/session/init/userid/{}", segment(userid))).done()
    }

    /// Asks the same for a nickname.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn init_of_nickname(&self, nickname: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::GET, &format!("/session/1.0/session/init/nickname/{}", segment(nickname))).done()
    }

    /// Logs in with a password: `POST …/session/login/userid`. Three wrong ones lock the account.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn login(&self, userid: &str, password: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        let body = UserCredentials { userid: Some(userid), nickname: None, password };
        self.call(Method::POST, "/session/1.0/session/login/userid").json(&body).done()
    }

    /// Logs in by nickname; the name of the body's field is taken from the path, no sample is public.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn login_by_nickname(&self, nickname: &str, password: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        let body = UserCredentials { userid: None, nickname: Some(nickname), password };
        self.call(Method::POST, "/session/1.0/session/login/nickname").json(&body).done()
    }

    /// Asks for a new access code to be sent by SMS and e-mail: `GET …/session/2FA/accesscode`.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn request_access_code(&self, userid: &str, token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.second(Method::GET, "accesscode", token).header(header::USERID, "userid", userid).done()
    }

    /// Gives the access code: `POST …/session/2FA/accesscode`. One code holds all day.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn access_code(&self, userid: &str, token: &Secret, code: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        let body = UserDetails { userid, access_code: Some(code), mpin: None, biometric: None };
        self.second(Method::POST, "accesscode", token).json(&body).done()
    }

    /// Opens the session without a code: `POST …/session/2FA/oneTimeToken`, for subscribed clients only.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn without_code(&self, userid: &str, token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        let body = UserDetails { userid, access_code: None, mpin: None, biometric: None };
        self.second(Method::POST, "oneTimeToken", token).json(&body).done()
    }

    /// Gives the MPIN; the name of the body's field is taken from the path, no sample is public.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn mpin(&self, userid: &str, token: &Secret, mpin: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        let body = UserDetails { userid, access_code: None, mpin: Some(mpin), biometric: None };
        self.second(Method::POST, "mpin", token).json(&body).done()
    }

    /// Gives a biometric proof; the name of the body's field is taken from the path, no sample is public.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn biometric(&self, userid: &str, token: &Secret, proof: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        let body = UserDetails { userid, access_code: None, mpin: None, biometric: Some(proof) };
        self.second(Method::POST, "biometric", token).json(&body).done()
    }

    /// Ends the session at the server: `DELETE …/session/logout`.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn logout(&self, userid: &str, session_token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.call(Method::DELETE, "/session/1.0/session/logout")
            .secret(header::SESSION_TOKEN, "session token", session_token.expose())
            .header(header::USERID, "userid", userid)
            .done()
    }

    /// Asks for the order report: `GET /reports/1.0/orders`. The service has no call that only says
    /// whether a session lives; this one changes nothing and needs bearer and session token.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn orders(&self, session_token: &Secret) -> Result<Request<Vec<u8>>, Unbuildable> {
        Build::new(Method::GET, self.base, "/reports/1.0/orders")
            .authorization("Bearer ", self.bearer.expose())
            .secret(header::CONSUMER_KEY, "consumer key", self.consumer_key)
            .secret(header::SESSION_TOKEN, "session token", session_token.expose())
            .done()
    }

    fn call(&self, method: Method, path: &str) -> Build {
        Build::new(method, self.base, path)
            .authorization("Bearer ", self.bearer.expose())
            .secret(header::CONSUMER_KEY, "consumer key", self.consumer_key)
            .header(header::IP, "ip", self.ip)
            .header(header::APP_ID, "app id", self.app_id)
    }

    fn second(&self, method: Method, factor: &str, token: &Secret) -> Build {
        self.call(method, &format!("/session/1.0/session/2FA/{factor}")).secret(
            header::ONE_TIME_TOKEN,
            "one-time token",
            token.expose(),
        )
    }
}

crate::wire_object! {
    /// What init tells, read with [`read`](super::envelope::read).
    pub struct Init<'a> {
        /// `Active` or `Success`; anything else means that the user has to go to `weblink` first.
        status: Text<'a> = "status" | "Status",
        /// The user.
        userid: Code<'a> = "userid" | "userId",
        /// `G` global, `V` view only, `A` admin, `D` dealer.
        user_type: Text<'a> = "userType",
        /// Words for the user.
        message: Text<'a> = "message",
        /// The host that this user belongs to.
        redirect: Place<'a> = "redirect",
        /// Some other host; the session follows `redirect`.
        service: Place<'a> = "service",
        /// Where to send a user who is not active.
        weblink: Place<'a> = "weblink",
        /// How password and codes are to be encoded.
        encryption: Encryption<'a> = "encryption",
        /// `ONLINE` in the one public body.
        client_type: Text<'a> = "clientType",
    }
}

impl Init<'_> {
    /// Tells whether the user may log in; `None` where the reply does not say.
    pub fn is_active(&self) -> Option<bool> {
        self.status
            .as_ref()
            .map(|status| ["Active", "Success"].iter().any(|active| status.eq_ignore_ascii_case(active)))
    }

    /// Tells whether the reply is one of init's at all.
    pub const fn is_proven(&self) -> bool {
        self.status.is_some() || self.redirect.is_some()
    }
}

crate::wire_object! {
    /// A host as the replies name it.
    pub struct Place<'a> {
        /// A URL with a base path in every public body.
        host: Text<'a> = "host",
        /// The port; the documents call it `keySize` by a slip, the wire says `port`.
        port: u64 = "port" | "keySize",
    }
}

crate::wire_object! {
    /// How init wants password and codes encoded.
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
    /// Tells whether texts are sent as they are.
    pub fn is_plain(&self) -> bool {
        self.kind.as_ref().is_none_or(|kind| kind.is_empty() || kind.eq_ignore_ascii_case("PLAIN"))
    }
}

crate::wire_object! {
    /// What the login tells; the one-time token proves it.
    pub struct Login<'a> {
        /// The token for the second factor, opaque. Its life is not published.
        one_time_token: Secret = "oneTimeToken",
        /// `Temporary` in the public sample.
        status: Text<'a> = "Status" | "status",
        /// Words for the user.
        message: Text<'a> = "message",
        /// `Y` where the user may use an MPIN.
        mpin: Text<'a> = "mpin",
        /// `Y` where the user may use biometrics.
        biometric: Text<'a> = "biometric",
        /// A time such as `8/30/2021 12:01:00 AM`, without a zone; what it means is not documented.
        access_code_time: Text<'a> = "accessCodeTime",
        /// A host, as init tells it.
        redirect: Place<'a> = "redirect",
        /// The address that the code goes to, masked by the server.
        email: Secret = "emailId",
        /// The number that the code goes to, masked by the server.
        phone: Secret = "phoneNo",
    }
}

crate::wire_object! {
    /// What the second factor tells; the session token proves it.
    pub struct SecondFactor<'a> {
        /// The token of the session, opaque. Its life is not published; users get one a day.
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
        /// A number of the epoch in the model, a text such as `8/23/2021 11:29:35 AM` in the sample.
        login_time: Code<'a> = "loginTime",
    }
}

crate::wire_object! {
    /// What the logout tells.
    pub struct Logout<'a> {
        /// `Logout Successful.`
        message: Text<'a> = "message",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::kotak::wire::envelope::read;

    fn transcript(request: Request<Vec<u8>>) -> String {
        let mut text = format!("{} {}", request.method(), request.uri());
        for (name, value) in request.headers() {
            let sensitive = if value.is_sensitive() { "*" } else { "" };
            text.push_str(&format!("\n{name}{sensitive}: {}", value.to_str().unwrap()));
        }
        if !request.body().is_empty() {
            text.push_str(&format!("\n{}", std::str::from_utf8(request.body()).unwrap()));
        }
        text
    }

    fn with_app<T>(use_it: impl FnOnce(App<'_>) -> T) -> T {
        let base = BaseUrl::parse("https://sbx.kotaksecurities.com/apim").unwrap();
        let bearer = Secret::new("bearer-1");
        use_it(App { base: &base, bearer: &bearer, consumer_key: "key-1", ip: "127.0.0.1", app_id: "app" })
    }

    #[test]
    fn requests_carry_their_parameters_in_headers() {
        with_app(|app| {
            assert_eq!(
                transcript(app.init("USER1").unwrap()),
                "GET https://sbx.kotaksecurities.com/apim/session/1.0/session/init\naccept: application/json\n\
                 authorization*: Bearer bearer-1\nconsumerkey*: key-1\nip: 127.0.0.1\nappid: app\nuserid: USER1"
            );
            assert_eq!(
                transcript(app.access_code("USER1", &"ott-1".into(), "1234").unwrap()),
                "POST https://sbx.kotaksecurities.com/apim/session/1.0/session/2FA/accesscode\naccept: application/json\n\
                 authorization*: Bearer bearer-1\nconsumerkey*: key-1\nip: 127.0.0.1\nappid: app\nonetimetoken*: ott-1\n\
                 content-type: application/json\n{\"userid\":\"USER1\",\"accessCode\":\"1234\"}"
            );
            assert_eq!(
                transcript(app.logout("USER1", &"session-1".into()).unwrap()),
                "DELETE https://sbx.kotaksecurities.com/apim/session/1.0/session/logout\naccept: application/json\n\
                 authorization*: Bearer bearer-1\nconsumerkey*: key-1\nip: 127.0.0.1\nappid: app\n\
                 sessiontoken*: session-1\nuserid: USER1"
            );
            assert_eq!(
                transcript(app.orders(&"session-1".into()).unwrap()),
                "GET https://sbx.kotaksecurities.com/apim/reports/1.0/orders\naccept: application/json\n\
                 authorization*: Bearer bearer-1\nconsumerkey*: key-1\nsessiontoken*: session-1"
            );
        });
    }

    #[test]
    fn the_variants_differ_in_path_and_body() {
        with_app(|app| {
            let path = |request: Result<Request<Vec<u8>>, Unbuildable>| {
                let request = request.unwrap();
                let body = String::from_utf8(request.body().clone()).unwrap();
                format!(
                    "{} {} {body}",
                    request.method(),
                    request.uri().path().strip_prefix("/apim/session/1.0/session").unwrap()
                )
            };
            let token = Secret::new("ott-1");
            assert_eq!(path(app.init_of_userid("A/B")), "GET /init/userid/A%2FB ");
            assert_eq!(path(app.init_of_nickname("nick")), "GET /init/nickname/nick ");
            assert_eq!(path(app.login("U", "p\"w")), r#"POST /login/userid {"userid":"U","password":"p\"w"}"#);
            assert_eq!(
                path(app.login_by_nickname("n", "pw")),
                r#"POST /login/nickname {"nickname":"n","password":"pw"}"#
            );
            assert_eq!(path(app.request_access_code("U", &token)), "GET /2FA/accesscode ");
            assert_eq!(path(app.without_code("U", &token)), r#"POST /2FA/oneTimeToken {"userid":"U"}"#);
            assert_eq!(path(app.mpin("U", &token, "123456")), r#"POST /2FA/mpin {"userid":"U","mpin":"123456"}"#);
            assert_eq!(path(app.biometric("U", &token, "x")), r#"POST /2FA/biometric {"userid":"U","biometric":"x"}"#);
        });
    }

    #[test]
    fn a_part_that_no_header_may_have_is_named() {
        with_app(|app| {
            assert_eq!(app.init("U\r\nx: y").unwrap_err(), Unbuildable::Part("userid"));
            assert_eq!(app.logout("U", &"\n".into()).unwrap_err(), Unbuildable::Part("session token"));
        });
    }

    #[test]
    fn init_tells_the_host() {
        let body = br#"{"Success":{"clientType":"ONLINE","encryption":{"keySize":0,"publickKey":"","type":"PLAIN"},"isNRI":"N","message":"","redirect":{"host":"https://ctradeapi.kotaksecurities.com/apim","port":443},"service":{"host":"https://tradeapi.kotaksecurities.com/apim","port":443},"status":"Success","userType":"G","userid":"XXXXXXXX"}}"#;
        let init: Init<'_> = read(body).unwrap();
        assert_eq!((init.is_proven(), init.is_active()), (true, Some(true)));
        assert!(init.encryption.unwrap().is_plain());
        let redirect = init.redirect.unwrap();
        assert_eq!(redirect.host.as_deref(), Some("https://ctradeapi.kotaksecurities.com/apim"));
        assert_eq!(redirect.port, Some(443));
        let init: Init<'_> = read(br#"{"status":"Deactive","redirect":{"keySize":"443"},"userid":17}"#).unwrap();
        assert_eq!((init.is_active(), init.redirect.unwrap().port), (Some(false), Some(443)));
        assert_eq!(init.userid.unwrap().0, "17");
    }

    #[test]
    fn login_and_second_factor_are_proven_by_their_tokens() {
        let login: Login<'_> = read(br#"{"Success":{"Status":"Temporary","accessCodeTime":"8/30/2021 12:01:00 AM","biometric":"N","message":"Authentication Successful.","mpin":"N","oneTimeToken":"OTT"}}"#).unwrap();
        assert!(login.one_time_token.is_some_and(|token| token.matches("OTT")));
        for (body, time) in [
            (
                r#"{"success":{"sessionToken":"S","loginTime":"8/23/2021 11:29:35 AM","enabledSegments":["CASH",1,"FO"]}}"#,
                "8/23/2021 11:29:35 AM",
            ),
            (r#"{"sessionToken":"S","loginTime":1629698375,"enabledSegments":["CASH","FO"]}"#, "1629698375"),
        ] {
            let second: SecondFactor<'_> = read(body.as_bytes()).unwrap();
            assert!(second.session_token.is_some_and(|token| token.matches("S")));
            assert_eq!(second.login_time.unwrap().0, time);
            assert_eq!(second.enabled_segments.unwrap(), ["CASH", "FO"]);
        }
        assert!(read::<SecondFactor<'_>>(br#"{"success":{"sessionToken":null}}"#).unwrap().session_token.is_none());
    }
}
