//! A simulated Web API: OAuth at the door, the brokerage tier of the simulated gateway behind it.
//!
//! Each call is let in only with a right signature or a live bearer, so what the real server refuses is
//! refused here too. A token opens the outer tier, nobody logs in anywhere; the brokerage session has to be
//! opened by an init. When the outer tier ends (at a [lever](super::Lever::EndLogin), at midnight where
//! [`Midnight::EndsLogin`](super::Midnight::EndsLogin) is set), all tokens end with it.

use core::net::IpAddr;

use http::header::{DATE, HOST};
use http::{HeaderValue, Request, StatusCode};

use super::oauth::OAuthServer;
use super::oauth2::OAuth2Server;
use super::{Call, GatewaySim, Happening, Lever, Login, Midnight, Person, Settings, TickleBody};
use super::{bodies, oauth_text};
use crate::Timestamp;
use crate::sim::{Reply, Simulator, Stream, web};

/// A simulated Web API: the door of OAuth in front of a brokerage tier.
#[derive(Debug)]
pub struct WebApiSim {
    /// The brokerage tier, with its levers and its log.
    pub gateway: GatewaySim,
    /// The door.
    pub door: Door,
    /// Who the tokens are of.
    pub person: Person,
    /// Hosts that answer 410 to everything, as one that is done with does.
    pub gone: Vec<String>,
}

/// Which kind of OAuth lets in.
#[derive(Debug)]
pub enum Door {
    /// OAuth 1.0a: every call is signed.
    V1a(OAuthServer),
    /// OAuth 2.0: every call has a bearer.
    V2(OAuth2Server),
}

impl WebApiSim {
    /// Returns the settings of a gateway simulator as they are behind this door.
    ///
    /// It is unknown whether midnight ends tokens, too; here it ends the brokerage session.
    pub fn settings() -> Settings {
        Settings {
            bases: vec!["/v1/api".into()],
            login: Login::Never,
            opens_itself: false,
            midnight: Midnight::EndsBrokerage,
            tickle: TickleBody::OAuth,
            ..Settings::default()
        }
    }

    /// Creates a Web API with OAuth 1.0a.
    pub fn oauth1a(server: OAuthServer, settings: Settings) -> Self {
        Self::new(Door::V1a(server), settings)
    }

    /// Creates a Web API with OAuth 2.0, whose validate has more fields.
    pub fn oauth2(server: OAuth2Server, settings: Settings) -> Self {
        Self::new(Door::V2(server), Settings { validate_oauth2: true, ..settings })
    }

    fn new(door: Door, settings: Settings) -> Self {
        Self { gateway: GatewaySim::new(settings), door, person: Person::default(), gone: Vec::new() }
    }

    /// Ends all tokens, as another login does.
    pub fn end_sessions(&mut self) {
        match &mut self.door {
            Door::V1a(server) => server.end_sessions(),
            Door::V2(server) => server.end_sessions(),
        }
    }

    /// Answers what needs no token; `None` for everything else.
    fn login(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Option<Reply> {
        let path = request.uri().path();
        let opens = path.ends_with("/oauth/live_session_token") || path == "/gw/api/v1/sso-sessions";
        let knows = opens
            || match self.door {
                Door::V1a(_) => path.ends_with("/oauth/request_token") || path.ends_with("/oauth/access_token"),
                Door::V2(_) => path == "/oauth2/api/v1/token",
            };
        if !knows {
            return None;
        }
        let mishap = self.gateway.mishap(now, Call::Other, request);
        let Self { gateway, door, person, .. } = self;
        Some(gateway.meet(now, Call::Token, mishap, |gateway| {
            let response = match (gateway.outage_at(now), door) {
                (Some((_, outage)), _) => bodies::outage(outage),
                (None, Door::V1a(server)) => server.handle(now, request).unwrap_or_default(),
                (None, Door::V2(server)) => server.handle(now, peer, request).unwrap_or_default(),
            };
            if opens && response.status().is_success() {
                gateway.enter(now, person);
            }
            Reply::new(response)
        }))
    }

    fn call(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let call = self.gateway.call_of(request.uri().path());
        let edge = oauth_text::edge(now, request);
        if let (Call::Stream, Some(refused)) = (call, edge.as_ref()) {
            return Reply::new(refused.clone());
        }
        // The edge, an outage and a penalty come before the door, which the gateway's own answers show.
        let admitted = match &mut self.door {
            _ if edge.is_some() || self.gateway.outage_at(now).is_some() => Ok(()),
            // A handshake has its token in the query.
            Door::V1a(server) if call == Call::Stream => {
                let token = stream_token(request, "oauth_token").unwrap_or_default();
                server.knows(now, &token).map_err(|refused| refused.answer(now))
            }
            Door::V2(server) if call == Call::Stream => {
                let token = stream_token(request, "bearer_token").unwrap_or_default();
                server.knows(now, peer, &token).map(drop).map_err(|refused| refused.answer(now))
            }
            Door::V1a(server) => server.verify(now, request).map(drop).map_err(|refused| refused.answer(now)),
            Door::V2(server) => server.verify(now, peer, request).map(drop).map_err(|refused| refused.answer(now)),
        };
        let served = match self.door {
            Door::V1a(_) => !request.uri().path().ends_with("/sso/validate"),
            Door::V2(_) => true,
        };
        match admitted {
            Err(refused) => {
                self.gateway.note(now, Happening::Answered { call, status: refused.status().as_u16() });
                Reply::new(refused)
            }
            Ok(()) if !served => Reply::new(bodies::error(StatusCode::NOT_FOUND, "Not Found")),
            Ok(()) => self.gateway.handle(now, peer, request),
        }
    }
}

/// Returns the token in a handshake's query.
fn stream_token(request: &Request<Vec<u8>>, name: &str) -> Option<String> {
    let pairs = web::pairs(request.uri().query()?.as_bytes());
    pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
}

impl Simulator for WebApiSim {
    fn stream(&mut self, now: Timestamp, stream: &mut Stream, text: Option<&str>) -> Option<Vec<String>> {
        self.gateway.go_on(now, stream, text)
    }

    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let knew = self.gateway.person().is_some();
        self.gateway.advance(now);
        if knew && self.gateway.person().is_none() {
            self.end_sessions();
        }
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().host()).unwrap_or_default();
        let mut reply = if self.gone.iter().any(|gone| gone == host) {
            Reply::new(bodies::answer(StatusCode::GONE, "text/plain", "gone"))
        } else {
            self.login(now, peer, request).unwrap_or_else(|| self.call(now, peer, request))
        };
        // A logout ends the tokens, too.
        if self.gateway.person().is_none() && knew {
            self.end_sessions();
        }
        if let Ok(date) = HeaderValue::from_str(&now.to_string()) {
            reply.response.headers_mut().insert(DATE, date);
        }
        reply
    }
}

impl GatewaySim {
    /// Opens the outer tier, or begins its 24 hours again.
    fn enter(&mut self, now: Timestamp, person: &Person) {
        match &mut self.sso {
            Some(sso) => sso.since = now,
            None => self.pull(now, Lever::LogIn(person.clone())),
        }
    }
}
