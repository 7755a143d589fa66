//! What kind of program listens at a port of this machine.
#![expect(clippy::disallowed_types, reason = "a tool has sockets")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use sansession::drive::{Trust, blocking::Transport};
use sansession::machine::SendPolicy;

/// How long a program of this machine may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// What IBKR's gateway answers with JSON or 401 and nobody else knows. It asks nothing of the session.
const ASKED: &str = "/v1/api/sso/validate";
/// Without a name it refuses everybody.
const AGENT: &str = concat!("sansession/", env!("CARGO_PKG_VERSION"));

/// What listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Free,
    Gateway,
    Sansession,
    /// Of macOS, which holds port 5000.
    AirPlay,
    Web,
    Unknown,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    pub kind: Kind,
    /// How a web server calls itself.
    server: Option<String>,
    /// The program, where the system tells.
    program: Option<String>,
}

impl Found {
    /// Says it in words.
    pub fn told(&self) -> String {
        let kind = match self.kind {
            Kind::Free => return "nothing listens".into(),
            Kind::Gateway => "IBKR's gateway".into(),
            Kind::Sansession => "a proxy of sansession".into(),
            Kind::AirPlay => "the AirPlay receiver of macOS (System Settings, AirDrop & Handoff)".into(),
            Kind::Web => {
                self.server.as_ref().map_or_else(|| "a web server".into(), |name| format!("a web server ({name})"))
            }
            Kind::Unknown => "a program that does not speak HTTP".to_owned(),
        };
        match &self.program {
            Some(program) => format!("{kind}, {program}"),
            None => kind,
        }
    }
}

/// Asks what listens.
pub fn look(port: u16) -> Found {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(stream) = TcpStream::connect_timeout(&address, PATIENCE) else {
        return Found { kind: Kind::Free, server: None, program: None };
    };
    let (kind, server) = plain(stream, port).or_else(|| secure(port)).unwrap_or((Kind::Unknown, None));
    Found { kind, server, program: program(port) }
}

/// Asks without TLS.
fn plain(mut stream: TcpStream, port: u16) -> Option<(Kind, Option<String>)> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request =
        format!("GET {ASKED} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    while answer.len() < 65_536 {
        match stream.read(&mut part) {
            Ok(read @ 1..) => answer.extend_from_slice(part.get(..read)?),
            _ => break,
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let rest = answer.strip_prefix("HTTP/1.")?;
    let status = rest.get(2..5)?.parse().ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let server = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("server").then(|| value.trim().to_owned())
    });
    // Java and others answer TLS's port with 400 to those who speak none.
    (status != 400).then(|| kind(status, server, body))
}

/// Asks with TLS; on this machine any certificate will do to ask.
fn secure(port: u16) -> Option<(Kind, Option<String>)> {
    let transport = Transport::builder().trust(Trust::danger_anything_on_loopback()).build().ok()?;
    let request = http::Request::get(format!("https://127.0.0.1:{port}{ASKED}"))
        .header("user-agent", AGENT)
        .body(Vec::new())
        .ok()?;
    let answer = transport.send_with(request, SendPolicy { timeout: PATIENCE, max_body: 1 << 20 }).ok()?;
    let server = answer.headers().get("server").and_then(|name| name.to_str().ok()).map(ToOwned::to_owned);
    Some(kind(answer.status().as_u16(), server, &String::from_utf8_lossy(answer.body())))
}

fn kind(status: u16, server: Option<String>, body: &str) -> (Kind, Option<String>) {
    let kind = match server.as_deref() {
        Some(name) if name.starts_with("AirTunes") => Kind::AirPlay,
        _ if status == 403 && body.contains(r#""error":"secret""#) => Kind::Sansession,
        _ if status == 401 || (status == 200 && body.trim_start().starts_with('{')) => Kind::Gateway,
        _ => Kind::Web,
    };
    // Of an unknown program's words only those that are a name.
    let server = server.map(|name| name.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(60).collect());
    (kind, server)
}

/// Finds the program in `/proc`: the socket's number, and who has it open.
#[cfg(target_os = "linux")]
fn program(port: u16) -> Option<String> {
    let listens = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        let number = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        (number == port && state == "0A").then(|| fields.nth(5).map(ToOwned::to_owned))?
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let socket = tables.into_iter().find_map(|table| table.lines().skip(1).find_map(listens))?;
    let wanted = format!("socket:[{socket}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let id = process.file_name();
        let Some(id) = id.to_str().filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())) else { continue };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else { continue };
        if files
            .flatten()
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str()))
        {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {id})", name.trim()));
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn program(_: u16) -> Option<String> {
    None
}
