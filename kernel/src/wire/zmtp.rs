//! ZeroMQ's protocol, version 3.0 (RFC 23) without security: greeting, handshake, messages.

use bytes::{BufMut, Bytes, BytesMut};
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The longest message that is taken, all its parts together.
const MESSAGE_LIMIT: u64 = 256 << 20;
/// The longest command of a handshake; it holds two short properties.
const COMMAND_LIMIT: u64 = 64 << 10;
/// How much is set aside for a part before any of it has come.
const FIRST_CHUNK: u64 = 64 << 10;
/// An identity's greatest length, by the specification.
const IDENTITY_LIMIT: usize = 255;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The sockets that a kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Router,
    Reply,
    Publisher,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Router => "ROUTER",
            Kind::Reply => "REP",
            Kind::Publisher => "XPUB",
        }
    }

    /// Whether a socket of this kind talks to one that calls itself `other`.
    fn talks_to(self, other: &[u8]) -> bool {
        let partners: &[&[u8]] = match self {
            Kind::Router => &[b"DEALER", b"REQ", b"ROUTER"],
            Kind::Reply => &[b"REQ", b"DEALER"],
            Kind::Publisher => &[b"SUB", b"XSUB"],
        };
        partners.contains(&other)
    }
}

/// What came from a client.
pub enum Incoming {
    /// The parts of one message.
    Message(Vec<Bytes>),
    /// A question whether the connection still stands, with what is to be sent back.
    Ping(Bytes),
}

struct Frame {
    is_command: bool,
    has_more: bool,
    body: Bytes,
}

/// The reading side of a connection.
pub struct Reader {
    source: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
}

impl Reader {
    pub fn new(source: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Reader { source: BufReader::new(Box::new(source)) }
    }

    /// Greets the client and learns the identity it gave itself, which may be empty.
    pub async fn shake_hands(
        &mut self,
        sink: &mut (impl AsyncWrite + Unpin),
        kind: Kind,
    ) -> Result<Bytes> {
        sink.write_all(&greeting()).await?;
        let mut theirs = [0; 64];
        self.source.read_exact(&mut theirs).await?;
        check_greeting(&theirs)?;
        sink.write_all(&ready(kind)).await?;
        let Some(frame) = self.frame(COMMAND_LIMIT).await? else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let Some(properties) = frame.body.strip_prefix(b"\x05READY").filter(|_| frame.is_command)
        else {
            return Err(malformed("expected the command READY"));
        };
        let properties = self::properties(properties)?;
        let named = |wanted: &str| {
            properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        let other = named("Socket-Type").map_or(&[][..], |(_, value)| value);
        if !kind.talks_to(other) {
            let other = String::from_utf8_lossy(other);
            let text = format!("a socket of type {other:?} does not talk to {}", kind.name());
            return Err(malformed(&text));
        }
        let identity = named("Identity").map_or(&[][..], |(_, value)| value);
        if identity.len() > IDENTITY_LIMIT {
            return Err(malformed("the identity is longer than 255 bytes"));
        }
        Ok(Bytes::copy_from_slice(identity))
    }

    /// The next message, or nothing when the client has left.
    pub async fn next(&mut self) -> Result<Option<Incoming>> {
        let mut parts = Vec::new();
        let mut left = MESSAGE_LIMIT;
        loop {
            let Some(frame) = self.frame(left).await? else {
                return if parts.is_empty() {
                    Ok(None)
                } else {
                    Err(Error::new(
                        ErrorKind::UnexpectedEof,
                        "the message's last parts are missing",
                    ))
                };
            };
            if frame.is_command {
                // Other commands belong to later versions than the one agreed on.
                if let Some(ping) = frame.body.strip_prefix(b"\x04PING") {
                    // Two bytes say how long the client waits for an answer.
                    return Ok(Some(Incoming::Ping(Bytes::copy_from_slice(
                        ping.get(2..).unwrap_or_default(),
                    ))));
                }
                continue;
            }
            // An empty part weighs something, too: there may not be any number of them.
            left = left.saturating_sub(frame.body.len() as u64 + 64);
            parts.push(frame.body);
            if !frame.has_more {
                return Ok(Some(Incoming::Message(parts)));
            }
        }
    }

    async fn frame(&mut self, limit: u64) -> Result<Option<Frame>> {
        let flags = match self.source.read_u8().await {
            Ok(flags) => flags,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(malformed(&format!("a part begins with the unknown flags {flags:#04x}")));
        }
        let length = if flags & LONG == 0 {
            u64::from(self.source.read_u8().await?)
        } else {
            self.source.read_u64().await?
        };
        if length > limit {
            return Err(malformed(&format!("a part of {length} bytes; at most {limit} are taken")));
        }
        // What is claimed to come is not set aside before it comes.
        let mut body = Vec::with_capacity(length.min(FIRST_CHUNK) as usize);
        let read = (&mut self.source).take(length).read_to_end(&mut body).await?;
        if (read as u64) < length {
            return Err(Error::new(ErrorKind::UnexpectedEof, "a part ends before its length"));
        }
        Ok(Some(Frame {
            is_command: flags & COMMAND != 0,
            has_more: flags & MORE != 0,
            body: body.into(),
        }))
    }
}

/// A message as it goes over the wire.
pub fn encode(parts: &[Bytes]) -> Bytes {
    let mut encoded = BytesMut::new();
    for (index, part) in parts.iter().enumerate() {
        let more = if index + 1 < parts.len() { MORE } else { 0 };
        put_frame(&mut encoded, more, part);
    }
    encoded.freeze()
}

/// The answer to a ping.
pub fn pong(context: &[u8]) -> Bytes {
    let mut encoded = BytesMut::new();
    put_frame(&mut encoded, COMMAND, &[b"\x04PONG", context].concat());
    encoded.freeze()
}

fn put_frame(encoded: &mut BytesMut, flags: u8, body: &[u8]) {
    match u8::try_from(body.len()) {
        Ok(length) => encoded.extend_from_slice(&[flags, length]),
        Err(_) => {
            encoded.put_u8(flags | LONG);
            encoded.put_u64(body.len() as u64);
        }
    }
    encoded.extend_from_slice(body);
}

/// Signature, version 3.0, the mechanism NULL.
fn greeting() -> [u8; 64] {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

fn check_greeting(theirs: &[u8; 64]) -> Result<()> {
    if theirs[0] != 0xff || theirs[9] & 1 == 0 {
        return Err(malformed("the greeting is not ZeroMQ's"));
    }
    if theirs[10] < 3 {
        let text = format!("ZeroMQ's protocol {}; expected 3 or later", theirs[10]);
        return Err(malformed(&text));
    }
    if theirs[12..32] != greeting()[12..32] {
        return Err(malformed("an unknown security mechanism; expected NULL"));
    }
    Ok(())
}

fn ready(kind: Kind) -> Bytes {
    let mut body = BytesMut::from(&b"\x05READY\x0bSocket-Type"[..]);
    body.put_u32(kind.name().len() as u32);
    body.extend_from_slice(kind.name().as_bytes());
    let mut encoded = BytesMut::new();
    put_frame(&mut encoded, COMMAND, &body);
    encoded.freeze()
}

/// Names and values: a byte and a name, four bytes and a value, and so on.
fn properties(mut text: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while let Some((&length, rest)) = text.split_first() {
        let cut_short = || malformed("the command READY ends within a property");
        let (name, rest) = rest.split_at_checked(length.into()).ok_or_else(cut_short)?;
        let (length, rest) = rest.split_first_chunk().ok_or_else(cut_short)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(cut_short)?;
        found.push((name, value));
        text = rest;
    }
    Ok(found)
}

fn malformed(text: &str) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(kind: &str, rest: &[u8]) -> Vec<u8> {
        let mut body = BytesMut::from(&b"\x05READY\x0bSocket-Type"[..]);
        body.put_u32(kind.len() as u32);
        body.extend_from_slice(kind.as_bytes());
        body.extend_from_slice(b"\x08Identity\0\0\0\x02me");
        let mut sent = BytesMut::from(&greeting()[..]);
        put_frame(&mut sent, COMMAND, &body);
        sent.extend_from_slice(rest);
        sent.to_vec()
    }

    /// The first message of a client that sends these bytes behind its handshake.
    async fn first(rest: &[u8]) -> Result<Option<Incoming>> {
        let mut reader = Reader::new(std::io::Cursor::new(client("DEALER", rest)));
        reader.shake_hands(&mut Vec::new(), Kind::Router).await?;
        reader.next().await
    }

    #[tokio::test]
    async fn a_message_arrives_as_it_was_sent() {
        let parts = [Bytes::from_static(b""), vec![7; 300].into(), Bytes::from_static(b"end")];
        let Ok(Some(Incoming::Message(found))) = first(&encode(&parts)).await else { panic!() };
        assert_eq!(found, parts);
    }

    #[tokio::test]
    async fn a_client_names_itself_and_must_be_a_partner() {
        let mut reader = Reader::new(std::io::Cursor::new(client("REQ", b"")));
        let identity = reader.shake_hands(&mut Vec::new(), Kind::Router).await.unwrap();
        assert_eq!(identity, "me");
        let mut reader = Reader::new(std::io::Cursor::new(client("REQ", b"")));
        let refused = reader.shake_hands(&mut Vec::new(), Kind::Publisher).await.unwrap_err();
        assert!(refused.to_string().contains(r#""REQ" does not talk to XPUB"#), "{refused}");
    }

    #[tokio::test]
    async fn a_length_that_nobody_has_memory_for_is_refused() {
        for length in [MESSAGE_LIMIT + 1, u64::MAX, 1 << 62] {
            let mut sent = vec![LONG];
            sent.extend_from_slice(&length.to_be_bytes());
            assert_eq!(first(&sent).await.err().unwrap().kind(), ErrorKind::InvalidData);
        }
    }

    #[tokio::test]
    async fn what_is_cut_short_is_an_error_and_an_end_between_messages_is_not() {
        assert!(first(b"").await.unwrap().is_none());
        for cut in [&b"\x00"[..], b"\x00\x05ab", b"\x01\x01a", b"\x02\0\0\0"] {
            assert_eq!(first(cut).await.err().unwrap().kind(), ErrorKind::UnexpectedEof, "{cut:?}");
        }
    }

    #[tokio::test]
    async fn a_ping_has_its_context_and_other_commands_are_passed_over() {
        let sent = [&b"\x04\x05\x04NOPE"[..], b"\x04\x09\x04PING\0\x01hi"].concat();
        let Ok(Some(Incoming::Ping(context))) = first(&sent).await else { panic!() };
        assert_eq!(context, "hi");
        assert_eq!(pong(&context), "\x04\x07\x04PONGhi");
    }

    #[tokio::test]
    async fn strangers_are_told_from_clients() {
        for sent in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0; 200], b""] {
            let mut reader = Reader::new(std::io::Cursor::new(sent.to_vec()));
            assert!(reader.shake_hands(&mut Vec::new(), Kind::Router).await.is_err());
        }
    }
}
