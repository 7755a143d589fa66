//! A server some of whose paths are answered by hand, on the bare connection.
#![expect(clippy::disallowed_types, reason = "a server that does what no good one does")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sansession::sim::{CbrainSim, Server, Simulator};

use crate::process::portal;

/// What answers by hand: it gets the head, and the connection behind it.
pub type Hand = fn(&str, &mut BufReader<TcpStream>);

pub struct Front<S = CbrainSim> {
    /// What logs in and out; it ends with this.
    _server: Server<S>,
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// A portal whose paths below `/raw` are answered by hand.
    pub fn start(hand: Hand) -> Self {
        Self::before(portal(), |path| path.starts_with("/raw"), hand)
    }
}

impl<S> Front<S> {
    /// A server of plain http, some of whose paths are answered by hand.
    pub fn before(server: Server<S>, by_hand: fn(&str) -> bool, hand: Hand) -> Self
    where
        S: Simulator + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heads, behind) = (Arc::<Mutex<Vec<String>>>::default(), server.port());
        let kept = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heads = kept.clone();
                thread::spawn(move || serve(stream, behind, (by_hand, hand), &heads));
            }
        });
        Self { _server: server, url, heads }
    }

    /// The heads of the calls that were answered by hand.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    behind: u16,
    (by_hand, hand): (fn(&str) -> bool, Hand),
    heads: &Mutex<Vec<String>>,
) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    loop {
        let head = head(&mut reader)?;
        if by_hand(head.split(' ').nth(1)?) {
            heads.lock().unwrap().push(head.clone());
            hand(&head, &mut reader);
            if head.contains("/raw/kept") {
                continue;
            }
            return None;
        }
        let mut body = vec![0; field(&head, "content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        let mut portal = TcpStream::connect(("127.0.0.1", behind)).ok()?;
        let kept: Vec<_> = head.trim_end().split("\r\n").filter(|line| !line.starts_with("Connection")).collect();
        write!(portal, "{}\r\nConnection: close\r\n\r\n", kept.join("\r\n")).ok()?;
        portal.write_all(&body).ok()?;
        let mut answer = Vec::new();
        portal.read_to_end(&mut answer).ok()?;
        reader.get_mut().write_all(&answer).ok()?;
        return None;
    }
}

pub fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        (reader.read_until(b'\n', &mut head).ok()? > 0).then_some(())?;
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Returns the value of a header, whose name is in lower case.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
