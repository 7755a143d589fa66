use core::net::IpAddr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use http::Request;

use crate::sim::{Reply, Server, Simulator, Stream, stream};
use crate::{Secret, Timestamp};

/// Opens a stream for everybody, and says everything twice. `bye` ends it.
struct Parrot;

impl Simulator for Parrot {
    fn handle(&mut self, now: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let first = vec!["hello".to_owned()];
        let stream = Stream { session: Secret::new("1"), open: true, fine: true, beat: now, first };
        Reply { stream: Some(stream), ..Reply::new(stream::switching(request).unwrap()) }
    }

    fn stream(&mut self, _: Timestamp, stream: &mut Stream, text: Option<&str>) -> Option<Vec<String>> {
        let mut frames = core::mem::take(&mut stream.first);
        match text {
            Some("bye") => return None,
            Some(text) => frames.extend([text.to_owned(), text.to_owned()]),
            None => {}
        }
        Some(frames)
    }
}

/// A client's end.
struct Client(TcpStream);

impl Client {
    fn opens(server: &Server<Parrot>) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        socket
            .write_all(
                b"GET /ws HTTP/1.1\r\nhost: sim.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                  sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
            )
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        let mut client = Self(socket);
        assert_eq!(client.gets(), (0x81, b"hello".to_vec()));
        client
    }

    /// Sends a frame, whose first byte is that of its opcode and its flags.
    fn sends(&mut self, first: u8, payload: &[u8]) -> &mut Self {
        let mut frame = vec![first];
        match payload.len() {
            short @ ..126 => frame.push(0x80 | short as u8),
            medium @ ..65_536 => {
                frame.push(0xfe);
                frame.extend((medium as u16).to_be_bytes());
            }
            long => {
                frame.push(0xff);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.0.write_all(&frame).unwrap();
        self
    }

    /// Returns the first byte and the payload of the next frame.
    fn gets(&mut self) -> (u8, Vec<u8>) {
        let mut take = |length| {
            let mut bytes = vec![0; length];
            self.0.read_exact(&mut bytes).unwrap();
            bytes
        };
        let head = take(2);
        let length = match head[1] {
            126 => take(2).iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
            127 => take(8).iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        (head[0], take(length))
    }

    /// Reports with which code the server closed, and that it has.
    fn closed(mut self) -> u16 {
        let (first, payload) = self.gets();
        assert_eq!((first, payload.len()), (0x88, 2));
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

fn server() -> Server<Parrot> {
    Server::start(Parrot, || Timestamp::from_millis(7)).unwrap()
}

#[test]
fn text_of_every_length_goes_both_ways() {
    let server = server();
    let mut client = Client::opens(&server);
    for length in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
        let text = vec![b'x'; length];
        client.sends(0x81, &text);
        assert_eq!(client.gets(), (0x81, text.clone()), "{length}");
        assert_eq!(client.gets(), (0x81, text), "{length}");
    }
    // In pieces, with a ping in between; as bytes that are text.
    client.sends(0x01, b"smd+").sends(0x89, b"beat").sends(0x80, b"1");
    assert_eq!(client.gets(), (0x8a, b"beat".to_vec()));
    assert_eq!(client.gets(), (0x81, b"smd+1".to_vec()));
    assert_eq!(client.gets().0, 0x81);
    client.sends(0x8a, b"").sends(0x82, b"tic");
    assert_eq!(client.gets(), (0x81, b"tic".to_vec()));
    assert_eq!(server.log().len(), 1);
}

#[test]
fn either_side_closes() {
    let server = server();
    let mut client = Client::opens(&server);
    client.sends(0x88, &[3, 232, b'o', b'k']);
    assert_eq!(client.closed(), 1000);
    let mut client = Client::opens(&server);
    client.sends(0x81, b"bye");
    assert_eq!(client.closed(), 1000);
}

#[test]
fn what_is_no_frame_closes() {
    let server = server();
    type Spoil = fn(&mut Client);
    let spoilt: [(Spoil, u16); 5] = [
        (|client| client.0.write_all(&[0x81, 1, b'x']).unwrap(), 1002), // not masked
        (|client| _ = client.sends(0xc1, b"x"), 1002),                  // an extension
        (|client| _ = client.sends(0x83, b"x"), 1002),                  // no opcode
        (|client| _ = client.sends(0x81, &[0xff]), 1007),               // no text
        (|client| client.0.write_all(&[0x81, 0xff, 1, 0, 0, 0, 0, 0, 0, 0]).unwrap(), 1009),
    ];
    for (spoil, code) in spoilt {
        let mut client = Client::opens(&server);
        spoil(&mut client);
        let (first, payload) = client.gets();
        assert_eq!((first, payload), (0x88, code.to_be_bytes().to_vec()));
    }
}

#[test]
fn a_server_that_ends_ends_its_streams() {
    let server = server();
    let mut client = Client::opens(&server);
    drop(server);
    assert_eq!(client.0.read(&mut [0]).unwrap(), 0);
}
