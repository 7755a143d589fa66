//! What a user configures of the Trade API.

use crate::{BaseUrl, Secret, machine::Rejection};

/// The Trade API provider, for one user of one application.
#[derive(Clone, Debug)]
pub struct TradeApi {
    pub(super) base: BaseUrl,
    pub(super) userid: String,
    pub(super) consumer_key: Secret,
    pub(super) key_print: String,
    pub(super) consumer_secret: Option<Secret>,
    pub(super) gateway: Option<BaseUrl>,
    pub(super) ip: String,
    pub(super) app_id: String,
    pub(super) without_code: bool,
    pub(super) requests_code: bool,
}

impl TradeApi {
    /// Creates a provider from a host with its base path, such as `https://tradeapi.kotaksecurities.com/apim`, the user's
    /// id (init needs it before a password is asked for) and the application's key.
    ///
    /// # Errors
    /// [`Rejection`] where `userid` or `consumer key` is empty or cannot be carried by a header.
    pub fn new(base: BaseUrl, userid: impl Into<String>, consumer_key: impl Into<Secret>) -> Result<Self, Rejection> {
        let (userid, consumer_key) = (userid.into(), consumer_key.into());
        Rejection::check_token("userid", &userid)?;
        Rejection::check_token("consumer key", consumer_key.expose())?;
        Ok(Self {
            base,
            userid,
            key_print: fingerprint(consumer_key.expose()),
            consumer_key,
            consumer_secret: None,
            gateway: None,
            ip: "127.0.0.1".to_owned(),
            app_id: "sansession".to_owned(),
            without_code: false,
            requests_code: false,
        })
    }

    /// Sets the application's secret, so that bearers are fetched and renewed automatically.
    ///
    /// # Errors
    /// [`Rejection`] where `consumer secret` is empty, or has spaces or other characters than printable ASCII.
    pub fn consumer_secret(self, secret: impl Into<Secret>) -> Result<Self, Rejection> {
        let secret = secret.into();
        Rejection::check_token("consumer secret", secret.expose())?;
        Ok(Self { consumer_secret: Some(secret), ..self })
    }

    /// Sets the base URL of `/token`; by default the API's. See [`gateway`](crate::providers::kotak::wire::gateway).
    #[must_use]
    pub fn gateway(self, base: BaseUrl) -> Self {
        Self { gateway: Some(base), ..self }
    }

    /// Sets the header `ip`, which the server does not check; `127.0.0.1` by default.
    ///
    /// # Errors
    /// [`Rejection`] where `ip` is empty or cannot be carried by a header.
    pub fn ip(self, ip: impl Into<String>) -> Result<Self, Rejection> {
        let ip = ip.into();
        Rejection::check_words("ip", &ip)?;
        Ok(Self { ip, ..self })
    }

    /// Sets the header `appId`, which the server does not check; `sansession` by default.
    ///
    /// # Errors
    /// [`Rejection`] where `app id` is empty or cannot be carried by a header.
    pub fn app_id(self, app_id: impl Into<String>) -> Result<Self, Rejection> {
        let app_id = app_id.into();
        Rejection::check_words("app id", &app_id)?;
        Ok(Self { app_id, ..self })
    }

    /// Opens sessions without an access code, for clients with that subscription. Where the server
    /// refuses this, the code is asked for.
    #[must_use]
    pub fn without_code(self) -> Self {
        Self { without_code: true, ..self }
    }

    /// Requests a new access code before a person is asked for it. A code is valid all
    /// day, so this is for accounts that get none automatically.
    #[must_use]
    pub fn requests_code(self) -> Self {
        Self { requests_code: true, ..self }
    }
}

/// Returns a fingerprint that tells keys apart in snapshots without storing them (64-bit FNV-1a; the key itself is random).
fn fingerprint(key: &str) -> String {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}
