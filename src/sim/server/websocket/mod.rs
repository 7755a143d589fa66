//! A connection that has become a WebSocket (RFC 6455): text in, text out, pings answered.

use core::time::Duration;
use std::io::{self, ErrorKind};

use super::connection::{Connection, Wire};
use super::lock;
use crate::sim::{Simulator, Stream};

/// How often a simulator is asked whether it has something to send.
const TICK: Duration = Duration::from_millis(100);
/// The longest message in bytes.
const MESSAGE: usize = 1 << 20;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One frame of the client's.
struct Frame {
    last: bool,
    opcode: u8,
    payload: Vec<u8>,
}

/// What the bytes read so far are.
enum Read {
    Frame(Frame),
    /// The beginning of a frame.
    Part,
    /// No frame that a client may send; with the code to close with.
    Wrong(u16),
}

impl<S: Simulator, W: Wire> Connection<'_, S, W> {
    /// Serves the stream until either side closes it.
    pub(super) fn stream(&mut self, mut stream: Stream) -> io::Result<()> {
        self.wire.socket().set_read_timeout(Some(TICK))?;
        let mut message = Vec::new();
        if !self.tell(&mut stream, None)? {
            return Ok(());
        }
        loop {
            match read(&mut self.inbox) {
                Read::Frame(frame) => {
                    if !self.take(&mut stream, &mut message, frame)? {
                        return Ok(());
                    }
                }
                Read::Wrong(code) => return self.close(code),
                Read::Part => {
                    match self.fill() {
                        Ok(true) => {}
                        Ok(false) => return Ok(()),
                        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                        Err(error) => return Err(error),
                    }
                    if !self.tell(&mut stream, None)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Handles a frame; returns false where the stream ends.
    fn take(&mut self, stream: &mut Stream, message: &mut Vec<u8>, frame: Frame) -> io::Result<bool> {
        match frame.opcode {
            PING => self.send(PONG, &frame.payload)?,
            PONG => {}
            CLOSE => {
                self.send(CLOSE, frame.payload.get(..2).unwrap_or_default())?;
                return Ok(false);
            }
            CONTINUATION | TEXT | BINARY => {
                message.extend_from_slice(&frame.payload);
                if message.len() > MESSAGE {
                    self.close(1009)?;
                    return Ok(false);
                }
                if frame.last {
                    let Ok(text) = String::from_utf8(core::mem::take(message)) else {
                        self.close(1007)?;
                        return Ok(false);
                    };
                    return self.tell(stream, Some(&text));
                }
            }
            _ => {
                self.close(1002)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends the simulator's texts; returns false where it closes the stream.
    fn tell(&mut self, stream: &mut Stream, frame: Option<&str>) -> io::Result<bool> {
        let told = lock(&self.shared.simulator).stream(self.shared.now(), stream, frame);
        let Some(frames) = told else {
            self.close(1000)?;
            return Ok(false);
        };
        for frame in frames {
            self.send(TEXT, frame.as_bytes())?;
        }
        Ok(!self.shared.is_stopped())
    }

    fn close(&mut self, code: u16) -> io::Result<()> {
        self.send(CLOSE, &code.to_be_bytes())
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x80 | opcode];
        let length = payload.len() as u64;
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..126), _) => frame.push(short),
            (_, Ok(medium)) => {
                frame.push(126);
                frame.extend(medium.to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        self.wire.write_all(&frame)?;
        self.wire.flush()
    }
}

/// Parses one frame.
fn read(inbox: &mut Vec<u8>) -> Read {
    let Some((&[first, second], rest)) = inbox.split_first_chunk::<2>() else { return Read::Part };
    // No extension was agreed upon, and all that a client sends is masked.
    if first & 0x70 != 0 || second & 0x80 == 0 {
        return Read::Wrong(1002);
    }
    let (length, rest) = match second & 0x7f {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Read::Part,
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Read::Part,
        },
        short => (u64::from(short), rest),
    };
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= MESSAGE) else {
        return Read::Wrong(1009);
    };
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Read::Part };
    let Some(masked) = rest.get(..length) else { return Read::Part };
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let used = inbox.len() - rest.len() + length;
    let frame = Frame { last: first & 0x80 != 0, opcode: first & 0x0f, payload };
    inbox.drain(..used);
    Read::Frame(frame)
}

#[cfg(test)]
mod tests;
