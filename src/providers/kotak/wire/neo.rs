//! The two login steps of Neo, the call that returns the client's address, and the headers of every other call.
//!
//! `Authorization` is the token of the dashboard **without** `Bearer`. Earlier versions of
//! this API had a gateway bearer and other paths; the vendor's present SDK has only these.

use http::request::Parts;
use http::{HeaderValue, Method, Request};

use super::header;
use crate::provider::RequestBuilder;
use crate::provider::Unbuildable;
use crate::secret::Secret;
use crate::url::BaseUrl;
use crate::wire::{Code, Lenient, Text};

/// The value of `neo-fin-key`, the same for everybody.
pub const FIN_KEY: &str = "neotradeapi";

/// The values that every request to the login host carries.
#[derive(Debug)]
pub struct App<'a> {
    /// The login host, `https://mis.kotaksecurities.com`.
    pub base: &'a BaseUrl,
    /// The token of the dashboard.
    pub dashboard_token: &'a Secret,
}

/// The tokens from a step of the login: a view token after the first, a trade token after the second.
#[derive(Debug, Clone, Copy)]
pub struct Granted<'a> {
    /// The token, a JWT.
    pub token: &'a Secret,
    /// The id that belongs to it.
    pub sid: &'a Secret,
}

impl App<'_> {
    /// Builds the login with the authenticator's code: `POST /login/1.0/tradeApiLogin`. The number begins with `+91`.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn login(&self, mobile_number: &str, ucc: &str, totp: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        let fields = [("mobileNumber", mobile_number), ("ucc", ucc), ("totp", totp)];
        self.call(Method::POST, "/login/1.0/tradeApiLogin").json_fields(&fields).finish()
    }

    /// Builds the second step, with the MPIN and the login's tokens: `POST /login/1.0/tradeApiValidate`.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn validate(&self, view: Granted<'_>, mpin: &str) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.granted(Method::POST, "/login/1.0/tradeApiValidate", view).json_fields(&[("mpin", mpin)]).finish()
    }

    /// Builds `GET /login/1.0/get-client-ip`, the cheapest call that needs a session; it returns the client's address.
    ///
    /// # Errors
    /// [`Unbuildable`] names the part that cannot be written into a request.
    pub fn client_ip(&self, trade: Granted<'_>) -> Result<Request<Vec<u8>>, Unbuildable> {
        self.granted(Method::GET, "/login/1.0/get-client-ip", trade).finish()
    }

    fn granted(&self, method: Method, path: &str, granted: Granted<'_>) -> RequestBuilder {
        let call = self.call(method, path).secret(header::SID, "sid", granted.sid);
        call.secret(header::AUTH, "token", granted.token)
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let call = RequestBuilder::new(method, self.base, path).authorization("", self.dashboard_token);
        call.header(header::NEO_FIN_KEY, "neo-fin-key", FIN_KEY)
    }
}

/// Sets `Auth`, `Sid` and `neo-fin-key` on a user's own call and replaces earlier values.
///
/// # Errors
/// [`Unbuildable`] names the part that cannot be written; the call is then unchanged.
pub fn authorize(parts: &mut Parts, trade: Granted<'_>) -> Result<(), Unbuildable> {
    let sid = trade.sid.header("").map_err(|_| Unbuildable::Part("sid"))?;
    let token = trade.token.header("").map_err(|_| Unbuildable::Part("token"))?;
    parts.headers.insert(header::SID, sid);
    parts.headers.insert(header::AUTH, token);
    parts.headers.insert(header::NEO_FIN_KEY, HeaderValue::from_static(FIN_KEY));
    Ok(())
}

crate::wire_object! {
    /// The response of both login steps.
    pub struct Reply<'a> {
        /// The grant; missing in errors, which may have status 200 too.
        data: Data<'a> = "data",
    }
}

crate::wire_object! {
    /// The grant of a login step; token and id together prove it.
    pub struct Data<'a> {
        /// The token, a JWT.
        token: Secret = "token",
        /// The id that belongs to it.
        sid: Secret = "sid",
        /// Another id; nothing is known to use it.
        rid: Secret = "rid",
        /// `View` after the first step, `Trade` after the second.
        kind: Text<'a> = "kType",
        /// The host of this user's other calls, such as `https://e43.kotaksecurities.com`; second step only.
        base_url: Text<'a> = "baseUrl",
        /// The host of the order stream.
        feed_url: Text<'a> = "feedUrl",
        /// The client code.
        ucc: Code<'a> = "ucc",
        /// The data centre, such as `E43`.
        data_center: Text<'a> = "dataCenter",
        /// `success` or `failed`.
        status: Text<'a> = "status",
        /// Whether the password has to be changed.
        is_password_expired: bool = "isUserPwdExpired",
        /// The client's tax number (PAN).
        kid: Secret = "kId",
        /// The client's name.
        greeting_name: Secret = "greetingName",
    }
}

impl<'a> Data<'a> {
    /// Returns token and id where both are present and the status is not a failure.
    pub fn granted(&self) -> Option<Granted<'_>> {
        let failed = self.status.as_ref().is_some_and(|status| status.to_ascii_lowercase().starts_with("fail"));
        let (token, sid) = (self.token.as_ref()?, self.sid.as_ref()?);
        (!failed && !token.is_empty() && !sid.is_empty()).then_some(Granted { token, sid })
    }
}

crate::wire_object! {
    /// The response of `get-client-ip`; an address in it proves that the session lives.
    pub struct ClientIp<'a> {
        /// One element.
        data: Vec<Seen<'a>> = "data",
        /// 1000.
        code: i64 = "stCode",
    }
}

crate::wire_object! {
    /// An address as the server sees it.
    pub struct Seen<'a> {
        /// The address.
        ip: Text<'a> = "ip",
        /// The server's time, `2026-07-07 12:07:34.440`, without a zone.
        time: Text<'a> = "time",
    }
}

impl ClientIp<'_> {
    /// Returns the address.
    pub fn ip(&self) -> Option<&str> {
        self.data.as_ref()?.iter().find_map(|seen| seen.ip.as_deref()).filter(|ip| !ip.is_empty())
    }
}

/// Reads a response; `None` where it is not a JSON object.
pub fn read<'a, T: Lenient<'a>>(body: &'a [u8]) -> Option<T> {
    crate::wire::json(body)
}

/// Returns the name of the API that a path belongs to, each of which has a limit of its own.
pub(in super::super) fn api(path: &str) -> &'static str {
    // The vendor's paths (SDK 3.0.1); all operations on orders share one limit.
    const APIS: [(&str, &str); 11] = [
        ("/quick/order/history", "order history"),
        ("/quick/order/", "orders"),
        ("/quick/user/orders", "order book"),
        ("/quick/user/trades", "trades"),
        ("/quick/user/positions", "positions"),
        ("/portfolio/v2/positions", "positions"),
        ("/portfolio/", "holdings"),
        ("/quick/user/check-margin", "margin"),
        ("/quick/user/limits", "limits"),
        ("/quotes/", "quotes"),
        ("/masterscrip/", "scrip master"),
    ];
    APIS.iter().find(|(part, _)| path.contains(part)).map_or("other calls", |(_, api)| *api)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(request: &Request<Vec<u8>>) -> Vec<String> {
        request
            .headers()
            .iter()
            .map(|(name, value)| {
                format!("{name}{}: {}", if value.is_sensitive() { "*" } else { "" }, value.to_str().unwrap())
            })
            .collect()
    }

    #[test]
    fn the_dashboard_token_is_sent_raw() {
        let base = BaseUrl::parse("https://mis.kotaksecurities.com").unwrap();
        let app = App { base: &base, dashboard_token: &"dash-1".into() };
        let (token, sid) = (Secret::new("view-1"), Secret::new("sid-1"));
        let login = app.login("+910000000000", "ABC12", "123456").unwrap();
        assert_eq!(login.uri(), "https://mis.kotaksecurities.com/login/1.0/tradeApiLogin");
        assert_eq!(login.body(), br#"{"mobileNumber":"+910000000000","ucc":"ABC12","totp":"123456"}"#);
        assert_eq!(
            headers(&login),
            [
                "accept: application/json",
                "authorization*: dash-1",
                "neo-fin-key: neotradeapi",
                "content-type: application/json"
            ]
        );
        let validate = app.validate(Granted { token: &token, sid: &sid }, "654321").unwrap();
        assert_eq!(validate.uri(), "https://mis.kotaksecurities.com/login/1.0/tradeApiValidate");
        assert_eq!(validate.body(), br#"{"mpin":"654321"}"#);
        assert!(
            headers(&validate).contains(&"sid*: sid-1".to_owned())
                && headers(&validate).contains(&"auth*: view-1".to_owned())
        );
        let ip = app.client_ip(Granted { token: &token, sid: &sid }).unwrap();
        assert_eq!((ip.method(), ip.uri().path(), ip.body().len()), (&Method::GET, "/login/1.0/get-client-ip", 0));
    }

    #[test]
    fn a_call_of_the_users_own_gets_three_headers() {
        let mut request = Request::get("/quick/user/orders").header("Auth", "old").body(Vec::<u8>::new()).unwrap();
        let (mut parts, _) = std::mem::take(&mut request).into_parts();
        let (token, sid) = (Secret::new("trade-1"), Secret::new("sid-2"));
        authorize(&mut parts, Granted { token: &token, sid: &sid }).unwrap();
        let request = Request::from_parts(parts, Vec::new());
        assert_eq!(headers(&request), ["auth*: trade-1", "sid*: sid-2", "neo-fin-key: neotradeapi"]);
    }

    #[test]
    fn a_grant_is_token_and_id() {
        let granted = |body: &str| {
            read::<Reply<'_>>(body.as_bytes()).and_then(|reply| reply.data).is_some_and(|data| data.granted().is_some())
        };
        assert!(granted(
            r#"{"data":{"token":"t","sid":"s","kType":"View","status":"success","mfAccess":1,"dataCenterMap":null}}"#
        ));
        assert!(granted(r#"{"data":{"token":"t","sid":"s"}}"#));
        for body in [
            r#"{"stCode":401,"errMsg":"Invalid MPIN","status":"failure"}"#,
            r#"{"data":{"token":"t","sid":"s","status":"failed"}}"#,
            r#"{"data":{"token":"","sid":"s"}}"#,
            r#"{"data":{"token":"t","sid":7}}"#,
            r#"{"data":[]}"#,
            "<html>",
        ] {
            assert!(!granted(body), "{body}");
        }
    }

    #[test]
    fn the_address_proves_the_session() {
        let body =
            br#"{"data":[{"ip":"192.0.2.7","time":"2026-07-07 12:07:34.440"}],"stCode":1000,"status":"success"}"#;
        assert_eq!(read::<ClientIp<'_>>(body).unwrap().ip(), Some("192.0.2.7"));
        assert_eq!(read::<ClientIp<'_>>(br#"{"data":[],"stCode":1000}"#).unwrap().ip(), None);
        assert_eq!(read::<ClientIp<'_>>(br#"{"stCode":100022,"errMsg":"invalid session token"}"#).unwrap().ip(), None);
    }
}
