//! Faults between a simulated server and its client.

use core::time::Duration;
use std::collections::VecDeque;

use http::{Method, Request, Response, StatusCode};

use super::{Fault, Reply, web};

/// A fault that hits one request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Mishap {
    /// The connection breaks before the server sees the request.
    Lost,
    /// The server acts, then the connection breaks without an answer.
    Dropped,
    /// The server acts, then the connection breaks in the middle of the answer's body.
    Truncated,
    /// The server acts; the answer's JSON is cut in the middle, though HTTP sees a complete body.
    MalformedJson,
    /// The server acts and answers with this delay.
    Slow(Duration),
    /// The server acts; the answer's body arrives one byte per interval.
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
    /// Creates the mishap that another server answers: status, content type (empty for none) and body.
    pub fn answer(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::Instead(Box::new(web::answer(status, media, body)))
    }

    /// Creates the same with JSON.
    pub fn json(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self::Instead(Box::new(web::answer(status, "application/json", body)))
    }

    /// Returns a stable name for logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Dropped => "dropped",
            Self::Truncated => "truncated",
            Self::MalformedJson => "malformed-json",
            Self::Slow(_) => "slow",
            Self::Trickled(_) => "trickled",
            Self::Exception(_) => "exception",
            Self::ProxyPage(_) => "proxy-page",
            Self::Instead(_) => "instead",
            Self::Replaced(_) => "replaced",
        }
    }

    /// Answers a request by `serve`, with the fault if there is one.
    pub(super) fn meet(fault: Option<Self>, serve: impl FnOnce() -> Reply) -> Reply {
        match fault {
            Some(fault) => fault.befall(serve),
            None => serve(),
        }
    }

    fn befall(self, serve: impl FnOnce() -> Reply) -> Reply {
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

/// The planned faults, for any request or for those of a method and with the end of a path.
#[derive(Debug, Default)]
pub(super) struct Mishaps(VecDeque<(Option<Method>, String, Mishap)>);

impl Mishaps {
    pub(super) fn plan(&mut self, method: Option<&Method>, path: &str, requests: usize, mishap: &Mishap) {
        self.0.extend((0..requests).map(|_| (method.cloned(), path.to_owned(), mishap.clone())));
    }

    pub(super) fn next(&mut self, request: &Request<Vec<u8>>) -> Option<Mishap> {
        let (asked, path) = (request.method(), request.uri().path());
        let fits = |method: &Option<Method>| method.as_ref().is_none_or(|method| method == asked);
        let place = self.0.iter().position(|(method, end, _)| fits(method) && path.ends_with(end))?;
        self.0.remove(place).map(|(.., mishap)| mishap)
    }
}

/// Declares the methods that plan faults of a simulator.
macro_rules! disturbed {
    ($simulator:ty, $($mishaps:ident).+) => {
        impl $simulator {
            /// Disturbs this many requests from the next on.
            pub fn disturb(&mut self, requests: usize, mishap: &$crate::sim::Mishap) {
                self.$($mishaps).+.plan(None, "", requests, mishap);
            }

            /// Disturbs this many requests of a method and with this end of their path.
            pub fn disturb_calls(
                &mut self,
                method: http::Method,
                path: &str,
                requests: usize,
                mishap: &$crate::sim::Mishap,
            ) {
                self.$($mishaps).+.plan(Some(&method), path, requests, mishap);
            }

            /// Removes the mishaps that have not happened yet.
            pub fn calm(&mut self) {
                self.$($mishaps).+ = Default::default();
            }
        }
    };
}

pub(super) use disturbed;

fn proxy_page(status: StatusCode) -> Response<Vec<u8>> {
    let title = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    web::answer(status, "text/html", page)
}
