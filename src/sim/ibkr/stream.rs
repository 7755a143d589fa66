//! The stream of a simulated gateway: the checks of its handshake and the frames it sends.
//!
//! [`Server`](crate::sim::Server) serves it. It has no socket of its own, so a test may as well ask it what to send.

use core::net::IpAddr;
use core::time::Duration;

use http::header::{CONNECTION, COOKIE, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::bodies::{answer, error, page};
use super::calls::{has_double_cookie, refuses_origin};
use super::{Call, GatewaySim, bodies};
use crate::sim::{Reply, Stream, stream};
use crate::{Secret, Timestamp};

/// How often the server shows that it is there.
const BEAT: Duration = Duration::from_secs(10);

impl GatewaySim {
    /// Answers a handshake over HTTP.
    pub(super) fn handshake(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let opened = self.admit(now, peer, Call::Stream, request);
        let opened = opened.and_then(|_| self.open_stream(now, request)).and_then(|first| {
            let switching = stream::switching(request);
            Ok((first, switching.ok_or_else(|| Box::new(error(StatusCode::BAD_REQUEST, "Bad Request")))?))
        });
        match opened {
            Err(refused) => Reply::new(*refused),
            Ok((first, switching)) => {
                let session = Secret::new(self.sso.as_ref().map(|sso| sso.id.clone()).unwrap_or_default());
                // Else it waits for the session, which is one frame.
                let (open, fine) = (first.len() > 1, self.can_be_used(now));
                Reply { stream: Some(Stream { session, open, fine, beat: now, first }), ..Reply::new(switching) }
            }
        }
    }

    fn can_be_used(&self, now: Timestamp) -> bool {
        let flags = self.flags(now);
        flags.authenticated && !flags.competing
    }

    /// Returns what a stream sends now. It ends with the login that it was opened with.
    pub(super) fn go_on(&mut self, now: Timestamp, stream: &mut Stream, text: Option<&str>) -> Option<Vec<String>> {
        self.advance(now);
        let mut frames = core::mem::take(&mut stream.first);
        let lives = self.sso.as_ref().is_some_and(|sso| stream.session.matches(&sso.id));
        // Its end is told first.
        let told = !(stream.open && stream.fine);
        if !lives && told {
            return None;
        }
        if let Some(text) = text {
            let answers = self.stream_frame(now, stream.open, text);
            stream.open |= !answers.is_empty();
            frames.extend(answers);
        }
        let fine = lives && self.can_be_used(now);
        if stream.open && stream.fine && !fine {
            frames.push(self.stream_flags(now));
        }
        stream.fine = fine;
        if stream.open && now >= stream.beat + BEAT {
            stream.beat = now;
            frames.push(self.stream_heartbeat(now));
        }
        Some(frames)
    }

    /// Checks the handshake of `GET /ws` and gives the first frames.
    ///
    /// With the cookie `api={"session":"<id>"}`, or the bare id in it as under OAuth, the stream is open at once;
    /// without it the server waits for the same object as a frame, see [`GatewaySim::stream_frame`].
    ///
    /// # Errors
    /// The answer instead of the upgrade: 400 for what is no handshake, 401 for a foreign origin, another
    /// session's cookie, or while nobody is logged in.
    pub fn open_stream<B>(
        &mut self,
        now: Timestamp,
        request: &Request<B>,
    ) -> Result<Vec<String>, Box<Response<Vec<u8>>>> {
        self.advance(now);
        let (headers, uri) = (request.headers(), request.uri());
        if self.call_of(uri.path()) != Call::Stream {
            return Err(Box::new(page(StatusCode::NOT_FOUND, "Not Found")));
        }
        let names = |name, token: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
        };
        if request.method() != Method::GET
            || !names(UPGRADE, "websocket")
            || !names(CONNECTION, "upgrade")
            || has_double_cookie(headers)
        {
            return Err(Box::new(error(StatusCode::BAD_REQUEST, "Bad Request")));
        }
        if refuses_origin(headers, uri) {
            return Err(Box::new(answer(StatusCode::UNAUTHORIZED, "", "")));
        }
        let Some(sso) = &self.sso else {
            return Err(Box::new(bodies::logged_out(self.settings.logged_out)));
        };
        match api_cookie(headers) {
            None => Ok(vec![json!({ "message": "waiting for session" }).to_string()]),
            Some(cookie) if cookie == sso.id || is_session(cookie.as_bytes(), &sso.id) => Ok(self.greeting(now)),
            Some(_) => Err(Box::new(error(StatusCode::UNAUTHORIZED, "not authenticated"))),
        }
    }

    /// Returns the frames that answer one of the client's. `open` tells whether the greeting was sent.
    ///
    /// Before the greeting everything but the session is dropped without a word. Afterwards `tic` is answered,
    /// for which ibind waits.
    pub fn stream_frame(&mut self, now: Timestamp, open: bool, frame: &str) -> Vec<String> {
        self.advance(now);
        match &self.sso {
            Some(sso) if !open && is_session(frame.as_bytes(), &sso.id) => self.greeting(now),
            Some(sso) if open && frame == "tic" => {
                let id = &sso.id;
                vec![json!({ "topic": "tic", "alive": true, "id": id, "lastAccessed": now.as_millis() }).to_string()]
            }
            _ => Vec::new(),
        }
    }

    /// Returns the heartbeat that the server sends each ten seconds.
    pub fn stream_heartbeat(&self, now: Timestamp) -> String {
        json!({ "topic": "system", "hb": now.as_millis() }).to_string()
    }

    /// Returns a frame that tells one flag alone, as the server does when it changes. The real one does not tell
    /// that a session is authenticated again.
    pub fn stream_flags(&mut self, now: Timestamp) -> String {
        self.advance(now);
        let flags = self.flags(now);
        let args = if flags.competing {
            json!({ "competing": true })
        } else {
            json!({ "authenticated": flags.authenticated })
        };
        json!({ "topic": "sts", "args": args }).to_string()
    }

    fn greeting(&self, now: Timestamp) -> Vec<String> {
        let user = self.person().map_or("", |person| person.user.as_str());
        vec![
            json!({ "topic": "sts", "args": { "authenticated": self.flags(now).authenticated } }).to_string(),
            json!({ "topic": "system", "success": user }).to_string(),
        ]
    }
}

/// Returns the value of the cookie `api`.
fn api_cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|cookie| cookie.trim().strip_prefix("api="))
}

/// Reports whether a text is `{"session":"<id>"}`.
fn is_session(text: &[u8], id: &str) -> bool {
    serde_json::from_slice::<Value>(text).is_ok_and(|body| body.get("session").and_then(Value::as_str) == Some(id))
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::providers::ibkr::wire::{Frame, TIC, Tickle, session_cookie, session_frame};
    use crate::sim::Simulator;
    use crate::sim::ibkr::{Lever, Login, Person, Rival, Settings};
    use crate::{BaseUrl, providers::ibkr::wire::Endpoints, wire};

    const NOW: Timestamp = Timestamp::from_secs(1_780_000_000);

    type Spoil = fn(&mut HeaderMap);

    fn handshake() -> Request<Vec<u8>> {
        let api = Endpoints::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
        let mut request = api.stream();
        request.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
        request.headers_mut().insert(CONNECTION, "keep-alive, Upgrade".parse().unwrap());
        request
    }

    fn gateway() -> (GatewaySim, String) {
        let api = Endpoints::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
        let mut gateway = GatewaySim::new(Settings { login: Login::Never, ..Settings::default() });
        gateway.pull(NOW, Lever::LogIn(Person::default()));
        let reply = gateway.handle(NOW, IpAddr::V4(Ipv4Addr::LOCALHOST), &api.tickle());
        let tickle: Tickle<'_> = wire::json(reply.response.body()).unwrap();
        let id = tickle.session.unwrap().expose().to_owned();
        (gateway, id)
    }

    #[test]
    fn the_cookie_of_the_session_opens_the_stream() {
        let (mut gateway, id) = gateway();
        let mut request = handshake();
        request.headers_mut().insert(COOKIE, session_cookie(&id).unwrap());
        let frames = gateway.open_stream(NOW, &request).unwrap();
        assert!(Frame::read(frames[0].as_bytes()).unwrap().flags().unwrap().authenticated.unwrap());
        assert!(Frame::read(frames[1].as_bytes()).unwrap().is_greeting());
        gateway.pull(NOW, Lever::RivalTakes(Rival::default()));
        assert_eq!(gateway.stream_flags(NOW), r#"{"args":{"authenticated":false},"topic":"sts"}"#);
        let beat = gateway.stream_heartbeat(NOW);
        assert_eq!(Frame::read(beat.as_bytes()).unwrap().heartbeat, Some(NOW.as_millis()));
    }

    #[test]
    fn without_a_cookie_the_session_is_the_first_frame() {
        let (mut gateway, id) = gateway();
        let frames = gateway.open_stream(NOW, &handshake()).unwrap();
        assert!(Frame::read(frames[0].as_bytes()).unwrap().wants_session());
        assert!(gateway.stream_frame(NOW, false, "smd+265598+{}").is_empty());
        assert_eq!(gateway.stream_frame(NOW, false, session_frame(&id).unwrap().expose()).len(), 2);
        let tic = gateway.stream_frame(NOW, true, TIC);
        assert!(tic[0].contains(r#""topic":"tic""#) && tic[0].contains(&id), "{tic:?}");
        assert!(gateway.stream_frame(NOW, false, TIC).is_empty());
    }

    #[test]
    fn a_wrong_handshake_is_refused() {
        let (mut gateway, id) = gateway();
        let spoilt: [(Spoil, u16); 3] = [
            (|headers| drop(headers.remove(UPGRADE)), 400),
            (|headers| drop(headers.insert("origin", "https://example.org".parse().unwrap())), 401),
            (|headers| drop(headers.insert(COOKIE, session_cookie("0a1b").unwrap())), 401),
        ];
        for (spoil, status) in spoilt {
            let mut request = handshake();
            request.headers_mut().insert(COOKIE, session_cookie(&id).unwrap());
            spoil(request.headers_mut());
            assert_eq!(gateway.open_stream(NOW, &request).unwrap_err().status(), status);
        }
        gateway.pull(NOW, Lever::EndLogin);
        assert_eq!(gateway.open_stream(NOW, &handshake()).unwrap_err().status(), 401);
    }

    /// Opens a stream over HTTP and goes on with it.
    fn opened(gateway: &mut GatewaySim, cookie: Option<&str>) -> Stream {
        let mut request = handshake();
        request.headers_mut().insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
        request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        if let Some(id) = cookie {
            request.headers_mut().insert(COOKIE, format!("api={id}").parse().unwrap());
        }
        let reply = gateway.handle(NOW, IpAddr::V4(Ipv4Addr::LOCALHOST), &request);
        assert_eq!(reply.response.status(), 101);
        reply.stream.unwrap()
    }

    #[test]
    fn a_stream_lives_as_long_as_its_login() {
        let (mut gateway, id) = gateway();
        let mut stream = opened(&mut gateway, Some(&id));
        let at = |secs| NOW + Duration::from_secs(secs);
        assert_eq!(gateway.stream(at(0), &mut stream, None).unwrap().len(), 2, "the greeting");
        assert_eq!(gateway.stream(at(9), &mut stream, Some("smd+1+{}")).unwrap(), [""; 0]);
        assert!(gateway.stream(at(10), &mut stream, Some(TIC)).unwrap()[0].contains(r#""alive":true"#));
        assert_eq!(gateway.stream(at(11), &mut stream, None).unwrap(), [""; 0], "the heartbeat was in time");
        gateway.pull(at(12), Lever::RivalTakes(Rival { shows: true, ..Rival::default() }));
        assert_eq!(
            gateway.stream(at(12), &mut stream, None).unwrap(),
            [r#"{"args":{"competing":true},"topic":"sts"}"#]
        );
        assert!(gateway.stream(at(20), &mut stream, None).unwrap()[0].contains(r#""hb":"#));
        gateway.pull(at(21), Lever::EndLogin);
        assert_eq!(gateway.stream(at(21), &mut stream, None), None);
        // Another login has another id.
        let (mut gateway, _) = self::gateway();
        let mut stream = opened(&mut gateway, None);
        assert!(gateway.stream(NOW, &mut stream, None).unwrap()[0].contains("waiting for session"));
        gateway.pull(NOW, Lever::LogIn(Person::default()));
        assert_eq!(gateway.stream(NOW, &mut stream, None), None);
    }

    #[test]
    fn a_handshake_without_a_key_is_none() {
        let (mut gateway, _) = gateway();
        let reply = gateway.handle(NOW, IpAddr::V4(Ipv4Addr::LOCALHOST), &handshake());
        assert!(reply.response.status() == 400 && reply.stream.is_none());
    }
}
