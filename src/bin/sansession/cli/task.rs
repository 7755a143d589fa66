//! What a verb does with a session once it is usable.

use core::fmt;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use sansession::Timestamp;
use sansession::drive::{Handle, blocking::Transport, now};
use serde_json::{Value, json};

use crate::cli::exec::Credentials;
use crate::cli::report::Report;
use crate::cli::{Usage, out};

/// No answer came, as for a session.
pub const UNAVAILABLE: u8 = 4;
/// The provider answered a call with 400 or more.
const REFUSED: u8 = 1;

/// What is done once the session is usable.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Task {
    /// It stays open for the time that was asked for.
    #[default]
    Stay,
    /// It is left open for others.
    Login,
    /// The same, and nobody is logged in for it.
    Check,
    Token(TokenFormat),
    Call(Box<Call>),
    /// It is ended without another look.
    Logout,
}

impl Task {
    /// Reports whether standard output is for the result alone.
    pub const fn prints(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Call(_) | Self::Check)
    }

    /// Reports whether events are not worth a line.
    pub const fn is_quiet(&self) -> bool {
        !matches!(self, Self::Stay)
    }

    /// Does it; gives words and an exit code where that fails.
    pub fn perform(&self, handle: &Handle, transport: &Transport, report: &Report) -> Result<(), (u8, String)> {
        match self {
            Self::Token(shape) => shape.print(&Credentials::of(handle).map_err(|words| (UNAVAILABLE, words))?),
            Self::Call(call) => call.perform(handle, transport, report),
            _ => Ok(()),
        }
    }
}

const NO_TOKEN: &str = "this session's calls carry no token; `sansession proxy` authorizes what programs send";

/// How a token is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenFormat {
    /// What stands after `Bearer`.
    Token,
    Headers,
    Json,
}

impl TokenFormat {
    /// Prints it; gives words and an exit code where there is none.
    pub fn print(self, credentials: &Credentials) -> Result<(), (u8, String)> {
        out::all(&self.text(credentials).ok_or_else(|| (UNAVAILABLE, NO_TOKEN.to_owned()))?);
        Ok(())
    }

    fn text(self, credentials: &Credentials) -> Option<String> {
        let Credentials { base, headers, .. } = credentials;
        match self {
            Self::Token => credentials.token().map(ToOwned::to_owned),
            Self::Headers if headers.is_empty() => None,
            Self::Headers => Some(credentials.lines()),
            Self::Json => {
                let headers: serde_json::Map<_, _> =
                    headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
                Some(json!({ "base_url": base, "token": credentials.token(), "headers": headers }).to_string())
            }
        }
    }
}

/// A call that somebody wants to make.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    method: Method,
    path: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
    include: bool,
    json: bool,
}

impl Call {
    /// Reads what the command line says, and the body.
    ///
    /// # Errors
    /// What can be no call, before anybody logs in for it.
    pub fn new(method: &str, path: &str, data: Option<&str>, headers: &[String]) -> Result<Self, Usage> {
        let upper = method.to_ascii_uppercase();
        let method = upper.parse().map_err(|_| Usage(format!("{method:?} is no method, such as GET")))?;
        let rooted = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        if path.contains("://") {
            return Err(Usage("the path alone: its host is the session's".into()));
        }
        let path = rooted.parse().map_err(|_| Usage(format!("{path:?} is no path")))?;
        let mut all = HeaderMap::new();
        for header in headers {
            // Its value may be a secret.
            let (name, value) =
                header.split_once(':').ok_or_else(|| Usage("--header: a name, a colon, a value".into()))?;
            let named = |_| Usage(format!("--header {name:?}: a name or a value that no header has"));
            let name: HeaderName = name.trim().parse().map_err(|_| named(()))?;
            all.append(name, HeaderValue::from_str(value.trim()).map_err(|_| named(()))?);
        }
        let body = data.map(read).transpose()?.unwrap_or_default();
        if !body.is_empty() && !all.contains_key(CONTENT_TYPE) {
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
            let kind = if is_json { "application/json" } else { "application/x-www-form-urlencoded" };
            all.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        Ok(Self { method, path, headers: all, body, include: false, json: false })
    }

    /// Says how the answer is printed.
    pub fn printed(self, include: bool, json: bool) -> Self {
        Self { include, json, ..self }
    }

    /// Returns it as a request without a host.
    pub fn request(&self) -> Request<Vec<u8>> {
        let mut request = Request::new(self.body.clone());
        (*request.method_mut(), *request.uri_mut()) = (self.method.clone(), self.path.clone());
        *request.headers_mut() = self.headers.clone();
        request
    }

    fn perform(&self, handle: &Handle, transport: &Transport, report: &Report) -> Result<(), (u8, String)> {
        let begun = now();
        let answer = handle.call(transport, self.request()).map_err(|error| (UNAVAILABLE, error.to_string()))?;
        self.finish(&answer, begun, report)
    }

    /// Prints the answer; gives words and an exit code where the provider refuses.
    pub fn finish(&self, answer: &Response<Vec<u8>>, begun: Timestamp, report: &Report) -> Result<(), (u8, String)> {
        report.called(&self.method, self.path.path(), answer.status().as_u16(), now().since(begun));
        self.print(answer);
        match answer.status() {
            status if status.as_u16() >= 400 => Err((REFUSED, format!("the provider answers with {status}"))),
            _ => Ok(()),
        }
    }

    fn print(&self, answer: &Response<Vec<u8>>) {
        let headers =
            || answer.headers().iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
        if self.json {
            let body =
                serde_json::from_slice(answer.body()).unwrap_or_else(|_| match std::str::from_utf8(answer.body()) {
                    Ok(text) => Value::from(text),
                    Err(_) => json!({ "base64": STANDARD.encode(answer.body()) }),
                });
            let headers: serde_json::Map<_, _> =
                headers().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
            out::all(&json!({ "status": answer.status().as_u16(), "headers": headers, "body": body }).to_string());
            return;
        }
        if self.include {
            out::all(&format!("HTTP/1.1 {}", answer.status()));
            headers().for_each(|(name, value)| out::all(&format!("{name}: {value}")));
            out::all("");
        }
        out::bytes(answer.body());
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("method", &self.method).field("path", &self.path.path()).finish_non_exhaustive()
    }
}

/// Reads a body as it is, from a file or from standard input.
fn read(data: &str) -> Result<Vec<u8>, Usage> {
    let named = |error| Usage(format!("--data {data}: {error}"));
    match (data, data.strip_prefix('@')) {
        ("-" | "@-", _) => {
            let mut body = Vec::new();
            std::io::stdin().lock().read_to_end(&mut body).map_err(named)?;
            Ok(body)
        }
        (_, Some(path)) => std::fs::read(path).map_err(named),
        (text, None) => Ok(text.as_bytes().to_vec()),
    }
}
