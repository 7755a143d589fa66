//! The server's side with a memory.

use http::{Request, Response, StatusCode};

use crate::{Input, Need, Timestamp};

/// A server of the protocol that remembers: what [`Laws::simulator`](super::Laws::simulator) puts behind a provider.
///
/// Write it from what is known of the server, never from what the provider sends: it checks the method, the path, the
/// headers and the body, knows which tokens are alive, and refuses what the server refuses. It reads no clock, since `now`
/// is given, and draws nothing at random: number the tokens. A hundred lines are enough for most protocols, because
/// bad networks, crashes, proxies and wrong answers are the harness's part.
///
/// Only [`handle`](Self::handle) is required, and a closure will do for a server whose questions
/// [`Laws::answers`](super::Laws::answers) answers. Each further method lets the harness see more:
///
/// | method | what is checked with it |
/// |---|---|
/// | [`answer`](Self::answer) | the login gets in; a wrong answer is told as refused; a consent is renewed |
/// | [`spent`](Self::spent) | nothing that is taken once leaves twice |
/// | [`secrets`](Self::secrets) | tokens are in no event, and every header that carries one is marked as sensitive |
/// | [`is_open`](Self::is_open) | a confirmed logout has ended the login, and one with nothing to end sends nothing |
/// | [`refuses`](Self::refuses) | the user's own calls are not refused while the session authorizes them |
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use sansession::testing::Simulated;
/// use sansession::{Input, Need, Timestamp};
///
/// /// A server that gives a new token for each refresh token, and takes each of these once.
/// #[derive(Default)]
/// struct Server {
///     issued: u32,
///     spent: Vec<String>,
/// }
///
/// impl Simulated for Server {
///     fn handle(&mut self, _: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
///         let given = String::from_utf8_lossy(request.body()).into_owned();
///         let mut response = Response::new(Vec::new());
///         if given == format!("refresh-{}", self.issued) {
///             self.spent.push(given);
///             self.issued += 1;
///             *response.body_mut() = format!(r#"{{"refresh":"refresh-{}"}}"#, self.issued).into_bytes();
///         } else {
///             *response.status_mut() = StatusCode::UNAUTHORIZED;
///         }
///         response
///     }
///
///     fn answer(&mut self, _: Timestamp, need: &Need) -> Option<Input> {
///         Some(Input::Pin("4711".into()))
///     }
///
///     fn spent(&self) -> &[String] {
///         &self.spent
///     }
/// }
/// ```
///
/// A simulator of [`sim::Simulator`](crate::sim::Simulator), which a socket can serve, becomes one in a line:
/// `simulator.handle(now, peer, request).finish().response`.
pub trait Simulated {
    /// Answers a request that arrives at `now`; also those of the user's own calls, which ask for
    /// [`Laws::path`](super::Laws::path).
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>>;

    /// Answers a question rightly, as its person would who asks the server for a code or consents in a browser.
    ///
    /// `None` leaves it to [`Laws::answers`](super::Laws::answers) and then to the harness, whose answers are made up
    /// and thus wrong.
    fn answer(&mut self, now: Timestamp, need: &Need) -> Option<Input> {
        let _ = (now, need);
        None
    }

    /// Returns the one-time values that this server has accepted: rotated refresh tokens, redeemed codes, used tickets.
    ///
    /// A value that can be sent again, as after an answer that says that the server did not check it, is not among them. Make each
    /// long enough not to be found elsewhere by chance.
    fn spent(&self) -> &[String] {
        &[]
    }

    /// Returns the secrets that this server has issued, such as tokens.
    fn secrets(&self) -> &[String] {
        &[]
    }

    /// Reports whether the login that it has opened last is still open; `None` where it does not know.
    fn is_open(&self, now: Timestamp) -> Option<bool> {
        let _ = now;
        None
    }

    /// Reports whether an answer to a user's own call says that its tokens are not, or no longer, good. A 401
    /// otherwise.
    fn refuses(&self, response: &Response<Vec<u8>>) -> bool {
        response.status() == StatusCode::UNAUTHORIZED
    }
}

impl<F: FnMut(Timestamp, &Request<Vec<u8>>) -> Response<Vec<u8>>> Simulated for F {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        self(now, request)
    }
}
