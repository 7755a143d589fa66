//! The listener that a browser is sent back to after a consent.
#![expect(clippy::disallowed_types, reason = "a browser comes over a socket")]

mod connection;
mod page;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use http::Uri;

use self::page::Page;
use crate::drive::{Answer, Handle};
use crate::{Input, InputHandled, Machine, Need, NeedKind, Secret, Source, machine::ServerText};

/// The most connections at a time. A browser opens some in advance and says nothing on them.
const CONNECTIONS: usize = 64;

/// When a question that a listener answers is put again.
const LATER: Duration = Duration::from_secs(60);

/// How long a connection may take in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the listener is told to end: it is on this machine.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Listens at a loopback address for the one request that a browser makes after a consent (RFC 8252, section 7.3).
///
/// It is bound to this machine alone, to the port of the redirect URI or to a free one, and answers nothing but a `GET` of exactly
/// that path for exactly that host: other paths, `/favicon.ico` among them, get 404, other methods 405, other hosts 421. An
/// address of another attempt, told by its `state`, is not passed on. Each connection has 5 s and 8 KiB for its
/// request, and none waits for another. The person reads one page, with nothing secret in it. After the first
/// address that is taken the port is closed; the next question opens it again.
///
/// ```no_run
/// use sansession::drive::{Answer, blocking::{Driver, Keeper, RedirectListener, Transport}, seed};
/// use sansession::providers::oauth2::{ClientOf, Grant, OAuth2, Server};
/// use sansession::{Need, NeedKind, Options, Session, Snapshot};
///
/// struct Program(RedirectListener);
///
/// impl Driver for Program {
///     fn answer(&mut self, need: &Need) -> Answer {
///         let (NeedKind::Redirect, Some(url)) = (need.kind, &need.url) else { return Answer::GiveUp };
///         println!("open {url} in a browser");
///         self.0.wait(need).unwrap_or(Answer::GiveUp)
///     }
///
///     fn save(&mut self, snapshot: &Snapshot) -> std::io::Result<()> {
///         std::fs::write("session.json", snapshot.expose_secrets()) // a file of your own, with the mode 0600
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let listener = RedirectListener::bind("http://127.0.0.1:0/callback")?;
///     let grant = Grant::Code { redirect: listener.redirect_uri().into() };
///     let server = Server::issuer("https://login.example.org")?;
///     let provider = OAuth2::new(server, grant, ClientOf::public("my-app")).scopes("read", "");
///     let session = Session::new(provider, Options::default(), seed()?);
///     let session = Keeper::start(session, Transport::new()?, Program(listener))?;
///     session.wait_active(std::time::Duration::from_secs(300))?;
///     Ok(session.logout()?)
/// }
/// ```
pub struct RedirectListener {
    redirect_uri: Box<str>,
    pub(super) address: SocketAddr,
    /// How long a connection may take in all.
    pub(super) patience: Duration,
    /// Bound, and nobody listens yet.
    bound: Option<TcpListener>,
    pub(super) present: Option<Listening>,
}

/// A thread that listens.
pub(super) struct Listening {
    shared: Arc<Shared>,
    pub(super) thread: JoinHandle<()>,
}

/// What the threads of one question share.
struct Shared {
    address: SocketAddr,
    patience: Duration,
    /// The redirect URI without a query of its own.
    bare: Box<str>,
    over: AtomicBool,
    connections: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// Who waits for the redirect.
struct Waiting {
    need: Need,
    take: Take,
}

type Take = Box<dyn FnMut(&Need, Input) -> InputHandled + Send>;

impl RedirectListener {
    /// Binds the port of a redirect URI such as `http://127.0.0.1:8400/callback`; port 0 takes a free one.
    ///
    /// The host is `127.0.0.1`, `[::1]` or `localhost`, which means `127.0.0.1` here.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] where it is not a plain http URL of this machine, and those of binding a port.
    pub fn bind(redirect_uri: &str) -> io::Result<Self> {
        let wrong = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let uri: Uri = redirect_uri.parse().map_err(|_| wrong("the redirect URI is not a URL"))?;
        if uri.scheme_str() != Some("http") || redirect_uri.contains(['#', '@']) {
            return Err(wrong("the redirect URI is not one of plain http"));
        }
        let host = uri.host().unwrap_or_default();
        let ip: IpAddr = match host {
            "127.0.0.1" | "localhost" => Ipv4Addr::LOCALHOST.into(),
            "[::1]" => Ipv6Addr::LOCALHOST.into(),
            _ => return Err(wrong("the redirect URI is not one of this machine")),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let port = match (authority.strip_prefix(host), uri.port_u16()) {
            (_, Some(port)) => port,
            (Some(""), None) => 80,
            _ => return Err(wrong("the redirect URI has a port that is not a number")),
        };
        let bound = TcpListener::bind((ip, port))?;
        let address = bound.local_addr()?;
        // To the letter as it was given, where it has its port.
        let redirect_uri = if uri.port_u16() == Some(0) {
            let rest = uri.path_and_query().map_or("", |rest| rest.as_str());
            // A URL without a path has none.
            let rest = if redirect_uri.ends_with(":0") { "" } else { rest };
            format!("http://{host}:{}{rest}", address.port()).into()
        } else {
            redirect_uri.into()
        };
        Ok(Self { redirect_uri, address, patience: PATIENCE, bound: Some(bound), present: None })
    }

    /// Returns the redirect URI, with the port that was taken; it is what the provider is configured with.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits in this thread until a browser comes back for this question, however long a person takes.
    ///
    /// For a [`Driver::answer`](super::Driver::answer) that may take its time: the session is not looked after meanwhile, so a program
    /// whose session is open already takes [`RedirectListener::answer`].
    ///
    /// # Errors
    /// Those of binding the port again, where an earlier question has closed it.
    pub fn wait(&mut self, need: &Need) -> io::Result<Answer> {
        self.close();
        let listener = self.listener()?;
        let came = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&came);
        let take = move |_: &Need, input| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(input);
            InputHandled::Used
        };
        accept(&listener, &self.shared(need, Box::new(take)));
        let input = came.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(input.map_or(Answer::GiveUp, |input| Answer::Now(input, Source::Person)))
    }

    /// Listens in a thread of its own, which gives the session the address when the browser comes back; it may be called
    /// again for the same question.
    ///
    /// For a [`Driver::answer`](super::Driver::answer): it returns an [`Answer::Later`] at once, and the session goes on meanwhile. The
    /// page says what the session made of the address, and one that it does not take leaves the listener open.
    ///
    /// # Errors
    /// Those of binding the port again, where an earlier question has closed it, and of starting a thread.
    pub fn answer<M: Machine + ?Sized + 'static>(&mut self, handle: &Handle<M>, need: &Need) -> io::Result<Answer> {
        let handle = handle.clone();
        let take: Take = Box::new(move |need, input| handle.answer(need.id, input, Source::Person));
        if let Some(Listening { shared, .. }) = self.present.as_ref().filter(|present| !present.shared.is_over()) {
            *shared.waiting() = Waiting { need: need.clone(), take };
            return Ok(Answer::Later(LATER));
        }
        self.close();
        let (listener, shared) = (self.listener()?, self.shared(need, take));
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("redirect".into()).spawn(move || accept(&listener, &theirs))?;
        self.present = Some(Listening { shared, thread });
        Ok(Answer::Later(LATER))
    }

    fn listener(&mut self) -> io::Result<TcpListener> {
        self.bound.take().map_or_else(|| TcpListener::bind(self.address), Ok)
    }

    fn shared(&self, need: &Need, take: Take) -> Arc<Shared> {
        Arc::new(Shared {
            address: self.address,
            patience: self.patience,
            bare: self.redirect_uri.split('?').next().unwrap_or_default().into(),
            over: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            waiting: Mutex::new(Waiting { need: need.clone(), take }),
        })
    }

    /// Ends the thread that listens, if there is one, and frees the port.
    fn close(&mut self) {
        let Some(Listening { shared, thread }) = self.present.take() else { return };
        shared.end();
        let _ = thread.join();
        // A page that is being written is for a person who waits for it.
        drop(shared.waiting());
    }
}

impl Drop for RedirectListener {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for RedirectListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedirectListener").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

/// Takes connections until the redirect has come.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over() {
            return;
        }
        let Ok(stream) = stream else {
            // There may be no descriptor left for a moment.
            thread::park_timeout(Duration::from_millis(50));
            continue;
        };
        if shared.connections.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS {
            shared.connections.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let theirs = Arc::clone(shared);
        let started = thread::Builder::new().name("redirect".into()).spawn(move || {
            connection::serve(stream, &theirs);
            theirs.connections.fetch_sub(1, Ordering::AcqRel);
        });
        if started.is_err() {
            shared.connections.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Ends the loop that waits for the next connection.
    fn end(&self) {
        self.over.store(true, Ordering::Release);
        let _ = TcpStream::connect_timeout(&self.address, AT_ONCE);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns host and port, as a browser names them, and the path; a URL without one has a slash there.
    fn place(&self) -> (&str, &str) {
        let rest = self.bare.trim_start_matches("http://");
        rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "/"))
    }

    /// Gives the redirect to whoever waits for it, and the page that says so to the browser.
    fn takes(&self, target: &str, show: impl FnOnce(&Page)) {
        let mut waiting = self.waiting();
        if self.is_over() {
            return show(&Page::Nobody);
        }
        let query = Query::read(target);
        if !query.is_of(&waiting.need) {
            return show(&Page::NotOurs);
        }
        let query_text = target.split_once('?').map_or("", |(_, query)| query);
        let address = Secret::new(format!("{}?{query_text}", self.bare));
        let Waiting { need, take } = &mut *waiting;
        let input = match need.kind {
            NeedKind::Verifier => Input::Code(address),
            _ => Input::Redirect(address),
        };
        let page = match (take(need, input), query.error()) {
            (InputHandled::Rejected(_), None) => return show(&Page::NotOurs),
            (InputHandled::Rejected(_), Some(error)) => return show(&Page::Refused(error)),
            (InputHandled::Used, Some(error)) => Page::Refused(error),
            (InputHandled::Used, None) => Page::Taken,
            (InputHandled::Stale, _) => Page::Nobody,
        };
        // Before the program goes on, which may end at once.
        show(&page);
        self.end();
    }
}

/// The parameters of a URL.
struct Query(Vec<(Secret, Secret)>);

impl Query {
    fn read(url: &str) -> Self {
        let query = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or(query));
        let pairs: Vec<(Secret, Secret)> = serde_urlencoded::from_str(query).unwrap_or_default();
        Self(pairs)
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known.expose() == name).map(|(_, value)| value.expose())
    }

    /// Reports whether the address belongs to this question: whoever was asked with a `state` comes back with it.
    fn is_of(&self, need: &Need) -> bool {
        let Some(url) = &need.url else { return true };
        let asked = Self::read(url);
        let Some((_, state)) = asked.0.iter().find(|(name, _)| name.expose() == "state") else { return true };
        let mut found = self.all("state");
        found.next().is_some_and(|found| state.matches(found)) && found.next().is_none()
    }

    fn error(&self) -> Option<ServerText> {
        let error = self.all("error").find(|error| !error.is_empty())?;
        Some(match self.all("error_description").find(|text| !text.is_empty()) {
            Some(text) => ServerText::new(&format!("{error}: {text}")),
            None => ServerText::new(error),
        })
    }
}
