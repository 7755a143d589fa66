//! Calls through the proxy of the command beside the same calls through a bare reverse proxy on hyper.
//!
//! ```sh
//! cargo build --release --features cli --bin sansession        # in the root
//! cargo run --release --bin proxy -- ../../target/release/sansession
//! ```
//!
//! Each proxy is a process of its own before one and the same portal, and a client calls it on one connection, one call
//! after the other. CPU is the time that the proxy's threads ran, as the kernel counts it, in nanoseconds; the two take
//! turns, and the figures are medians. It fails where ours takes more than half as much again, or where a body of 100 MB
//! takes memory.

#![expect(clippy::disallowed_types, reason = "a proxy has sockets")]
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Flow = UnsyncBoxBody<Bytes, hyper::Error>;

/// How many calls each proxy gets in one turn, and how many turns.
const CALLS: usize = 1_000;
const TURNS: usize = 11;
/// How much more of each ours may take.
const MOST: f64 = 1.5;
const LONG: usize = 100 << 20;
/// How much memory more a long body may take, in bytes.
const ROOM: u64 = 8 << 20;
const SECRET: &str = "nobody-guesses-this-one-in-a-night";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["portal"] => run(portal()),
        ["bare", portal] => run(bare(portal.parse()?)),
        [command] => compare(command),
        _ => Err("which command? ../../target/release/sansession".into()),
    }
}

fn run(server: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server)
}

async fn serve<F, R>(answer: F) -> Result<()>
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Flow>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await
        });
    }
}

fn whole(body: impl Into<Bytes>) -> Flow {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A portal at which a session lives, and whose files are as long as their names say.
async fn portal() -> Result<()> {
    serve(|request: Request<Incoming>| async move {
        let path = request.uri().path().to_owned();
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        let long = path.strip_prefix("/files/").and_then(|length| length.parse().ok());
        let mut response = Response::new(match long {
            Some(length) => whole(vec![b'x'; length]),
            None if path == "/session" => whole(format!("{{\"user_id\":1,\"cbrain_api_token\":\"{TOKEN}\"}}")),
            None => whole("{\"id\":1,\"name\":\"a call of no length to speak of\"}"),
        });
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    })
    .await
}

/// The least that a reverse proxy does: another authority, a token, and bodies that flow.
async fn bare(portal: Uri) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    serve(move |request: Request<Incoming>| {
        let (client, portal) = (client.clone(), portal.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            let mut uri = portal.into_parts();
            uri.path_and_query = parts.uri.into_parts().path_and_query;
            parts.uri = Uri::from_parts(uri).unwrap_or_default();
            parts.headers.remove(HOST);
            parts.headers.remove(CONNECTION);
            parts.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer 0123456789abcdef0123456789abcdef"));
            match client.request(Request::from_parts(parts, body)).await {
                Ok(answer) => {
                    let (mut parts, body) = answer.into_parts();
                    parts.headers.remove(CONNECTION);
                    Response::from_parts(parts, body.boxed_unsync())
                }
                Err(_) => {
                    let mut refusal = Response::new(whole(""));
                    *refusal.status_mut() = StatusCode::BAD_GATEWAY;
                    refusal
                }
            }
        }
    })
    .await
}

/// A process that tells its address in its first line that has one.
struct Process {
    child: Child,
    address: String,
    head: String,
}

impl Process {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let address = loop {
            let line = lines.next().ok_or("it ends at once")??;
            let Some(rest) = line.split("http://127.0.0.1:").nth(1) else { continue };
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            break format!("127.0.0.1:{port}");
        };
        // Somebody reads what it tells of each call.
        std::thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(drop));
        let head = format!("Host: {address}\r\nX-Sansession-Secret: {SECRET}\r\nAccept: application/json\r\n");
        Ok(Self { child, address, head })
    }

    /// Makes calls on one connection, and tells how long they took and how long the process ran meanwhile.
    fn calls(&self, path: &str, count: usize) -> Result<(Duration, Duration)> {
        let mut wire = BufReader::with_capacity(64 << 10, TcpStream::connect(&self.address)?);
        wire.get_ref().set_nodelay(true)?;
        let text = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.head);
        let (before, began) = (self.cpu()?, Instant::now());
        for _ in 0..count {
            wire.get_mut().write_all(text.as_bytes())?;
            let (mut line, mut length) = (String::new(), 0);
            wire.read_line(&mut line)?;
            if !line.contains(" 200 ") {
                return Err(line.into());
            }
            while line != "\r\n" {
                line.clear();
                wire.read_line(&mut line)?;
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse()?;
                }
            }
            std::io::copy(&mut (&mut wire).take(length), &mut std::io::sink())?;
        }
        let wall = began.elapsed();
        Ok((wall, self.cpu()?.saturating_sub(before)))
    }

    /// How long its threads have run.
    fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanos += text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// A figure of its status: the most memory that it had, in kilobytes, or how often it has slept.
    fn status(&self, name: &str) -> Result<u64> {
        let mut found = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(task?.path().join("status"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure")?;
            let figure: u64 = line.trim_matches([':', '\t', ' ', 'k', 'B']).parse()?;
            found = if name == "VmHWM" { figure } else { found + figure };
        }
        Ok(found)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn compare(command: &str) -> Result<()> {
    let own = std::env::current_exe()?;
    let portal = Process::start(Command::new(&own).arg("portal"))?;
    let url = format!("http://{}", portal.address);
    let bare = Process::start(Command::new(&own).args(["bare", &url]))?;
    let mut line = Command::new(command);
    line.args(["cbrain", "--listen", "127.0.0.1:0", "--url", &url]);
    line.env("SANSESSION_TOKEN", TOKEN).env("SANSESSION_PROXY_SECRET", SECRET);
    let ours = Process::start(&mut line)?;
    while ours.calls("/id", 1).is_err() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let both = [&bare, &ours];
    for proxy in both {
        proxy.calls("/id", CALLS)?;
    }
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (proxy, figures) in both.into_iter().zip(&mut figures) {
            figures.push(proxy.calls("/id", CALLS)?);
        }
    }
    let median = |figures: &[(Duration, Duration)], of: fn(&(Duration, Duration)) -> Duration| {
        let mut sorted: Vec<_> = figures.iter().map(of).collect();
        sorted.sort_unstable();
        sorted[sorted.len() / 2].as_secs_f64() * 1_000.0
    };
    let [wall, cpu]: [fn(&(Duration, Duration)) -> Duration; 2] = [|both| both.0, |both| both.1];
    let [bare_wall, our_wall] = figures.each_ref().map(|figures| median(figures, wall));
    let [bare_cpu, our_cpu] = figures.each_ref().map(|figures| median(figures, cpu));
    let before = ours.status("VmHWM")?;
    ours.calls(&format!("/files/{LONG}"), 2)?;
    let more = (ours.status("VmHWM")? - before) * 1024;
    // The session's own look comes once in minutes.
    std::thread::sleep(Duration::from_secs(1));
    let slept = ours.status("voluntary_ctxt_switches")?;
    std::thread::sleep(Duration::from_secs(10));
    let woken = ours.status("voluntary_ctxt_switches")? - slept;
    println!("| {CALLS} calls, keep-alive | CPU, ms | wall, ms |\n|---|---:|---:|");
    println!("| bare hyper | {bare_cpu:.1} | {bare_wall:.1} |\n| sansession | {our_cpu:.1} | {our_wall:.1} |");
    println!("| ratio | {:.2} | {:.2} |", our_cpu / bare_cpu, our_wall / bare_wall);
    println!("100 MB took {more} bytes more of memory; in 10 idle seconds its threads were woken {woken} times");
    if our_cpu > MOST * bare_cpu || our_wall > MOST * bare_wall || more > ROOM {
        return Err("more than it may take".into());
    }
    Ok(())
}
