//! The requests of every operation.

use http::header::{CONTENT_TYPE, USER_AGENT as USER_AGENT_NAME};
use http::{HeaderValue, Method, Request, Uri};

use crate::{BaseUrl, UrlError};

/// The `User-Agent` of every request: the edge in front of IBKR's servers answers 403 to one without, and takes any value.
pub const USER_AGENT: &str = concat!("sansession/", env!("CARGO_PKG_VERSION"));

/// The login page. The query is the one that public clients of the gateway open.
const LOGIN_PAGE: &str = "/sso/Login?forwardTo=22&RL=1&ip2loc=US";

/// The addresses of one server's operations, made once; building a request copies nothing but its headers and body.
///
/// The base ends in `/v1/api` at the gateway and at `https://api.ibkr.com`, or in `/v1/portal`, the
/// gateway's older alias. POST requests carry the body `{}` as JSON where the operation has none of
/// its own: without a length the servers answer 411, and the documentation's examples post `{}` too.
#[derive(Clone, Debug)]
pub struct Endpoints {
    base: BaseUrl,
    login_page: Uri,
    status: Uri,
    init: Uri,
    reauthenticate: Uri,
    reauthenticate_by_force: Uri,
    validate: Uri,
    tickle: Uri,
    logout: Uri,
    accounts: Uri,
    stream: Uri,
}

/// What is asked of [`Endpoints::init`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Init {
    /// Whether another client that holds the brokerage session is thrown out.
    pub compete: bool,
    /// Whether the session is published; IBKR's page says that anything but `true` is answered with 500.
    pub publish: bool,
}

impl Init {
    /// Asks without throwing anybody out.
    pub const POLITE: Self = Self { compete: false, publish: true };
    /// Throws another client out.
    pub const TAKE_OVER: Self = Self { compete: true, publish: true };
}

impl Endpoints {
    /// Takes the base of a server, such as `https://localhost:5000/v1/api`.
    ///
    /// # Errors
    /// [`UrlError`] where the base's path has characters that no URL may have.
    pub fn new(base: &BaseUrl) -> Result<Self, UrlError> {
        let origin = BaseUrl::parse_allowing_plain_http(&format!("{}://{}", base.scheme(), base.authority()))?;
        Ok(Self {
            login_page: origin.join(LOGIN_PAGE)?,
            status: base.join("/iserver/auth/status")?,
            init: base.join("/iserver/auth/ssodh/init")?,
            reauthenticate: base.join("/iserver/reauthenticate")?,
            reauthenticate_by_force: base.join("/iserver/reauthenticate?force=true")?,
            validate: base.join("/sso/validate")?,
            tickle: base.join("/tickle")?,
            logout: base.join("/logout")?,
            accounts: base.join("/iserver/accounts")?,
            stream: base.join("/ws")?,
            base: base.clone(),
        })
    }

    /// Gives the base.
    pub const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Gives the page of the gateway on which a person logs in; the browser must run on the gateway's own machine.
    pub const fn login_page(&self) -> &Uri {
        &self.login_page
    }

    /// Asks for the flags of the brokerage session: `POST iserver/auth/status`; read with [`Status`](super::Status).
    pub fn status(&self) -> Request<Vec<u8>> {
        post(&self.status)
    }

    /// Asks for the same flags by GET, which works in practice although no specification has it.
    pub fn status_by_get(&self) -> Request<Vec<u8>> {
        get(&self.status)
    }

    /// Opens the brokerage session: `POST iserver/auth/ssodh/init`; read with [`Status`](super::Status).
    ///
    /// HTTP 200 alone is no success: a refusal is `passed:false` or a `fail` text inside it.
    pub fn init(&self, init: Init) -> Request<Vec<u8>> {
        let body: &[u8] = match (init.publish, init.compete) {
            (true, true) => br#"{"publish":true,"compete":true}"#,
            (true, false) => br#"{"publish":true,"compete":false}"#,
            (false, true) => br#"{"publish":false,"compete":true}"#,
            (false, false) => br#"{"publish":false,"compete":false}"#,
        };
        with_body(&self.init, body)
    }

    /// Revives the brokerage session: `POST iserver/reauthenticate`, as the old base has it; deprecated in favour of [`Endpoints::init`].
    ///
    /// It answers at once and works on; read with [`Reauthenticated`](super::Reauthenticated) and ask for the status later.
    pub fn reauthenticate(&self) -> Request<Vec<u8>> {
        post(&self.reauthenticate)
    }

    /// Revives the brokerage session by `POST iserver/reauthenticate?force=true`, as some public clients of the old base do.
    pub fn reauthenticate_by_force(&self) -> Request<Vec<u8>> {
        post(&self.reauthenticate_by_force)
    }

    /// Revives the brokerage session: `GET iserver/reauthenticate`, as the Web API's own list of methods has it.
    pub fn reauthenticate_by_get(&self) -> Request<Vec<u8>> {
        get(&self.reauthenticate)
    }

    /// Asks whether the outer session lives: `GET sso/validate`, at most once a minute; read with [`Validate`](super::Validate).
    ///
    /// It is not served under OAuth 1.0a, and may still answer for a while after a logout.
    pub fn validate(&self) -> Request<Vec<u8>> {
        get(&self.validate)
    }

    /// Keeps the session alive: `POST tickle`, at most once a second; read with [`Tickle`](super::Tickle).
    pub fn tickle(&self) -> Request<Vec<u8>> {
        post(&self.tickle)
    }

    /// Keeps the session alive by GET, as the documentation's table of rates has it.
    pub fn tickle_by_get(&self) -> Request<Vec<u8>> {
        get(&self.tickle)
    }

    /// Ends the session: `POST logout`; read with [`Logout`](super::Logout).
    pub fn logout(&self) -> Request<Vec<u8>> {
        post(&self.logout)
    }

    /// Asks for the accounts: `GET iserver/accounts`, without which other `/iserver` calls are answered
    /// with 400 "Please query /accounts first"; read with [`Accounts`](super::Accounts).
    pub fn accounts(&self) -> Request<Vec<u8>> {
        get(&self.accounts)
    }

    /// Opens the stream: `GET ws`, to which the transport adds the headers of the WebSocket upgrade
    /// and the caller the cookie, see [`session_cookie`](super::session_cookie).
    pub fn stream(&self) -> Request<Vec<u8>> {
        get(&self.stream)
    }
}

#[inline]
fn get(uri: &Uri) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = uri.clone();
    request.headers_mut().insert(USER_AGENT_NAME, const { HeaderValue::from_static(USER_AGENT) });
    request
}

#[inline]
fn post(uri: &Uri) -> Request<Vec<u8>> {
    with_body(uri, b"{}")
}

#[inline]
fn with_body(uri: &Uri, body: &[u8]) -> Request<Vec<u8>> {
    let mut request = Request::new(body.to_vec());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(USER_AGENT_NAME, const { HeaderValue::from_static(USER_AGENT) });
    headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(request: &Request<Vec<u8>>) -> String {
        let body = core::str::from_utf8(request.body()).unwrap();
        let content_type = request.headers().get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
        format!("{} {} {content_type} {body}", request.method(), request.uri()).trim_end().to_owned()
    }

    #[test]
    fn every_operation_on_every_base() {
        for base in ["https://localhost:5000/v1/portal", "https://127.0.0.1:5555/v1/api", "https://api.ibkr.com/v1/api"]
        {
            let api = Endpoints::new(&BaseUrl::parse(base).unwrap()).unwrap();
            for (request, expected) in [
                (api.status(), "POST {base}/iserver/auth/status application/json {}"),
                (api.status_by_get(), "GET {base}/iserver/auth/status"),
                (
                    api.init(Init::POLITE),
                    "POST {base}/iserver/auth/ssodh/init application/json {\"publish\":true,\"compete\":false}",
                ),
                (
                    api.init(Init::TAKE_OVER),
                    "POST {base}/iserver/auth/ssodh/init application/json {\"publish\":true,\"compete\":true}",
                ),
                (api.reauthenticate(), "POST {base}/iserver/reauthenticate application/json {}"),
                (api.reauthenticate_by_force(), "POST {base}/iserver/reauthenticate?force=true application/json {}"),
                (api.reauthenticate_by_get(), "GET {base}/iserver/reauthenticate"),
                (api.validate(), "GET {base}/sso/validate"),
                (api.tickle(), "POST {base}/tickle application/json {}"),
                (api.tickle_by_get(), "GET {base}/tickle"),
                (api.logout(), "POST {base}/logout application/json {}"),
                (api.accounts(), "GET {base}/iserver/accounts"),
                (api.stream(), "GET {base}/ws"),
            ] {
                assert_eq!(line(&request), expected.replace("{base}", base));
                assert_eq!(request.headers()[USER_AGENT_NAME], USER_AGENT);
            }
        }
    }

    #[test]
    fn every_init_is_the_json_of_its_wishes() {
        let api = Endpoints::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
        for (publish, compete) in [(true, true), (true, false), (false, true), (false, false)] {
            let body: serde_json::Value = serde_json::from_slice(api.init(Init { compete, publish }).body()).unwrap();
            assert_eq!(body, serde_json::json!({ "publish": publish, "compete": compete }));
        }
    }

    #[test]
    fn the_login_page_is_at_the_root_of_the_gateway() {
        let api = Endpoints::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
        assert_eq!(api.login_page(), "https://localhost:5000/sso/Login?forwardTo=22&RL=1&ip2loc=US");
    }
}
