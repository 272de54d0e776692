//! What comes over a kernel's sockets: messages or errors, and none without the right signature.

use crate::wire::envelope::Envelope;
use crate::wire::zmtp::{Incoming, Kind, Reader, encode};
use std::io::Cursor;

/// The key of the signed messages in the corpus.
pub const KEY: &str = "a key";
/// Bytes of a greeting.
const GREETING: usize = 64;

/// The first byte says how much of the handshake is right already; a client sends the rest.
pub fn read(data: &[u8]) {
    let Some((stage, sent)) = data.split_first() else { return };
    let mut stream = Vec::new();
    if stage % 3 > 0 {
        stream.extend(greeting());
    }
    if stage % 3 > 1 {
        stream.extend(ready("DEALER"));
    }
    stream.extend(sent);
    let kind = [Kind::Router, Kind::Reply, Kind::Publisher][usize::from(stage / 3 % 3)];
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(converse(stream, kind));
}

async fn converse(stream: Vec<u8>, kind: Kind) {
    let sent = stream.len();
    let mut reader = Reader::new(Cursor::new(stream));
    if reader.shake_hands(&mut Vec::new(), kind).await.is_err() {
        return;
    }
    let signed = envelope(KEY);
    let unsigned = envelope("");
    while let Ok(Some(incoming)) = reader.next().await {
        let Incoming::Message(parts) = incoming else { continue };
        let length: usize = parts.iter().map(|part| part.len()).sum();
        assert!(!parts.is_empty() && length <= sent);
        assert!(encode(&parts).len() >= length);
        let any = unsigned.open(parts.clone());
        if let Ok(message) = signed.open(parts) {
            assert!(any.is_ok(), "signed, and cannot be read");
            let again = signed.seal(message).expect("what was opened can be sealed");
            assert!(signed.open(again).is_ok());
        }
    }
}

fn envelope(key: &str) -> Envelope {
    let connection = serde_json::json!({
        "ip": "127.0.0.1", "transport": "tcp", "shell_port": 1, "iopub_port": 2,
        "stdin_port": 3, "control_port": 4, "hb_port": 5, "key": key,
        "signature_scheme": "hmac-sha256",
    });
    let connection = serde_json::from_value(connection).expect("a connection");
    Envelope::new(&connection, "mine".to_owned()).expect("an envelope")
}

fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

fn ready(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    body.push(kind.len() as u8);
    body.extend(kind.as_bytes());
    [&[4, body.len() as u8][..], &body].concat()
}

#[cfg(test)]
#[test]
fn the_corpus_and_what_is_made_of_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/kernel_messages");
    crate::replay::corpus(folder.as_ref(), 300, &read);
}
