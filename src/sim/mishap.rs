//! What can go wrong between a simulated server and its client.

use core::time::Duration;
use std::collections::VecDeque;

use http::{Method, Request, Response, StatusCode};

use super::{Fault, Reply, web};

/// Something that goes wrong with one request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Mishap {
    /// The connection breaks before the server sees the request.
    Lost,
    /// The server acts, then the connection breaks without an answer.
    Dropped,
    /// The server acts, then the connection breaks in the middle of the answer's body.
    Truncated,
    /// The server acts; the answer's JSON is cut off in the middle, yet whole for HTTP.
    MalformedJson,
    /// The server acts and answers so much later.
    Slow(Duration),
    /// The server acts; the answer's body comes one byte in each such time.
    Trickled(Duration),
    /// An exception inside the server before it acts: 500 with `{"error":"<message>"}`, as JSON.
    Exception(String),
    /// A proxy before the server answers with this status and an HTML page; the server sees nothing.
    ProxyPage(StatusCode),
    /// This answer comes instead; the server sees nothing.
    Instead(Box<Response<Vec<u8>>>),
    /// The server acts, but this answer comes in place of its own.
    Replaced(Box<Response<Vec<u8>>>),
}

impl Mishap {
    /// Lets it happen to a request that `serve` has the server answer.
    pub(super) fn befall(self, serve: impl FnOnce() -> Reply) -> Reply {
        match self {
            Self::Lost => Reply::new(proxy_page(StatusCode::BAD_GATEWAY)).with(Fault::Drop),
            Self::Dropped => serve().with(Fault::Drop),
            Self::Truncated => {
                let reply = serve();
                let half = reply.response.body().len() / 2;
                reply.with(Fault::Truncate(half))
            }
            Self::MalformedJson => {
                let mut reply = serve();
                let half = reply.response.body().len().div_ceil(2);
                reply.response.body_mut().truncate(half);
                reply
            }
            Self::Slow(delay) => {
                let reply = serve();
                let delay = reply.delay + delay;
                reply.after(delay)
            }
            Self::Trickled(pace) => serve().with(Fault::Trickle(pace)),
            Self::Exception(message) => {
                let body = serde_json::json!({ "error": message }).to_string();
                let media = "application/json; charset=utf-8";
                Reply::new(web::answer(StatusCode::INTERNAL_SERVER_ERROR, media, body))
            }
            Self::ProxyPage(status) => Reply::new(proxy_page(status)),
            Self::Instead(response) => Reply::new(*response),
            Self::Replaced(response) => {
                let _ = serve();
                Reply::new(*response)
            }
        }
    }
}

/// What is planned to go wrong, for any request or for those of a method and a path.
#[derive(Default)]
pub(super) struct Mishaps(VecDeque<(Option<(Method, String)>, Mishap)>);

impl Mishaps {
    pub(super) fn plan(&mut self, target: Option<(Method, String)>, requests: usize, mishap: &Mishap) {
        self.0.extend((0..requests).map(|_| (target.clone(), mishap.clone())));
    }

    pub(super) fn next(&mut self, request: &Request<Vec<u8>>) -> Option<Mishap> {
        let fits = |target: &Option<(Method, String)>| {
            target.as_ref().is_none_or(|(method, path)| request.method() == method && request.uri().path() == path)
        };
        let place = self.0.iter().position(|(target, _)| fits(target))?;
        self.0.remove(place).map(|(_, mishap)| mishap)
    }
}

fn proxy_page(status: StatusCode) -> Response<Vec<u8>> {
    let title = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    web::answer(status, "text/html", page)
}
