//! The operations of the gateway and of the Web API, as requests and typed responses.
//!
//! Nothing here keeps a session: each operation is usable alone. [`Endpoints`] builds the requests;
//! the bodies are read with [`crate::wire::json`], and none of their fields must be there.
//!
//! ```
//! use sansession::BaseUrl;
//! use sansession::providers::ibkr::wire::{Endpoints, Tickle};
//!
//! let gateway = Endpoints::new(&BaseUrl::parse("https://localhost:5000/v1/api")?)?;
//! let request = gateway.tickle();
//! assert_eq!(request.uri(), "https://localhost:5000/v1/api/tickle");
//!
//! let body = br#"{"session":"0123","ssoExpires":460311,"iserver":{"authStatus":{"authenticated":true}}}"#;
//! let tickle: Tickle = sansession::wire::json(body).unwrap();
//! assert_eq!(tickle.status().and_then(|status| status.authenticated), Some(true));
//! # Ok::<(), sansession::UrlError>(())
//! ```

mod accounts;
mod error;
mod logout;
mod requests;
mod status;
mod stream;
mod tickle;
mod token;
mod validate;

pub use accounts::Accounts;
pub use error::ErrorBody;
pub use logout::{Logout, LogoutOutcome};
pub use requests::{Endpoints, Init, USER_AGENT};
pub use status::{Reauthenticated, ServerInfo, Status, mac_octets};
pub use stream::{Frame, TIC, session_cookie, session_frame};
pub use tickle::{History, Iserver, Tickle};
pub use token::Token;
pub use validate::{Features, Login, Validate};
