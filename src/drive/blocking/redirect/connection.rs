//! One connection of a browser, or of whoever else has found the port.
#![expect(clippy::disallowed_methods, reason = "a connection has a time in which its request must be there")]

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use zeroize::Zeroizing;

use super::{Page, Shared};

/// The longest head of a request that is read: a code and a state are far shorter.
const LONGEST: usize = 8 << 10;

/// What is read of a body that nobody wants, so that the answer is not lost by a reset.
const REST: usize = 64 << 10;

/// Answers the one request of a connection.
pub(super) fn serve(stream: TcpStream, shared: &Shared) {
    let mut connection = Connection { stream, ends: Instant::now() + shared.patience };
    let _ = match connection.head() {
        Ok(Some(head)) => connection.answer(&head, shared),
        Ok(None) => connection.show(&Page::TooLong),
        Err(_) => return,
    };
    connection.finish();
}

struct Connection {
    stream: TcpStream,
    ends: Instant,
}

impl Connection {
    /// Reads up to the end of the head; none where that is too far away.
    fn head(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut head = Zeroizing::new(vec![0; LONGEST]);
        let mut length = 0;
        loop {
            let read = match head.get_mut(length..) {
                None | Some([]) => return Ok(None),
                Some(rest) => self.read(rest)?,
            };
            // An end may be cut in two.
            let from = length.saturating_sub(3);
            length += read;
            let new = head.get(from..length).unwrap_or_default();
            if let Some(end) = new.windows(4).position(|four| four == b"\r\n\r\n") {
                head.truncate(from + end);
                return Ok(Some(head));
            }
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        match self.stream.read(into)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.ends.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    fn answer(&mut self, head: &[u8], shared: &Shared) -> io::Result<()> {
        match target(head, shared) {
            Err(page) => self.show(&page),
            Ok(target) => {
                let mut shown = Ok(());
                shared.takes(target, |page| shown = self.show(page));
                shown
            }
        }
    }

    fn show(&mut self, page: &Page) -> io::Result<()> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_all(page.answer().as_bytes())
    }

    /// Lets the other side read the answer to its end.
    fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let (mut some, mut left) = ([0; 4 << 10], REST);
        while left > 0 {
            match self.read(&mut some) {
                Ok(read) => left = left.saturating_sub(read),
                Err(_) => return,
            }
        }
    }
}

/// Returns path and query of a request that is a redirect by its form.
fn target<'a>(head: &'a [u8], shared: &Shared) -> Result<&'a str, Page> {
    let head = core::str::from_utf8(head).map_err(|_| Page::Unreadable)?;
    let (authority, known) = shared.place();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Page::Unreadable);
    };
    let mut hosts = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    match (hosts.next(), hosts.next()) {
        // A name that leads here is no proof: whoever owns it may send a browser here from a page of theirs.
        (Some(host), None) if host.eq_ignore_ascii_case(authority) => {}
        (Some(_), None) => return Err(Page::OtherHost),
        _ => return Err(Page::Unreadable),
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Page::Unreadable);
    }
    let path = target.split('?').next().unwrap_or(target);
    if path != known {
        return Err(Page::NoSuchPath);
    }
    if method != "GET" {
        return Err(Page::NoSuchMethod);
    }
    Ok(target)
}
