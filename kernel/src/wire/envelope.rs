//! Jupyter's envelope: a message's parts, signed.

use crate::publisher::request;
use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use jupyter_protocol::{ConnectionInfo, JupyterMessage};
use ring::hmac;

const DELIMITER: &[u8] = b"<IDS|MSG>";
/// Header, parent header, metadata and content are signed; buffers are not.
const SIGNED_PARTS: usize = 4;

/// Signs and checks messages with a kernel's key.
#[derive(Clone)]
pub struct Envelope {
    /// None if messages are not signed.
    key: Option<hmac::Key>,
    session: String,
}

impl Envelope {
    /// The messages of this connection; `session` is the kernel's own.
    pub fn new(connection: &ConnectionInfo, session: String) -> Result<Self> {
        let algorithm = match connection.signature_scheme.as_str() {
            "hmac-sha256" | "" => hmac::HMAC_SHA256,
            "hmac-sha384" => hmac::HMAC_SHA384,
            "hmac-sha512" => hmac::HMAC_SHA512,
            other => bail!(
                "the connection file asks for signatures by {other:?}; expected hmac-sha256, \
                 hmac-sha384 or hmac-sha512: set c.Session.signature_scheme to one of them"
            ),
        };
        let key = &connection.key;
        let key = (!key.is_empty()).then(|| hmac::Key::new(algorithm, key.as_bytes()));
        Ok(Envelope { key, session })
    }

    /// The message in these parts, behind the identities of whom it came from.
    pub fn open(&self, mut parts: Vec<Bytes>) -> Result<JupyterMessage> {
        // The first part is the sender's identity, which may be any text.
        let Some(place) = parts.iter().skip(1).position(|part| part == DELIMITER) else {
            bail!("expected a part {:?}, found none", "<IDS|MSG>");
        };
        let mut rest = parts.split_off(place + 1).into_iter().skip(1);
        let Some(signature) = rest.next() else { bail!("it has no signature") };
        let body: Vec<Bytes> = rest.collect();
        ensure!(
            body.len() >= SIGNED_PARTS,
            "expected {SIGNED_PARTS} parts behind the signature, found {}",
            body.len()
        );
        if let Some(key) = &self.key {
            ensure!(!signature.is_empty(), "it is not signed");
            let signed = body[..SIGNED_PARTS].concat();
            let is_right = from_hex(&signature)
                .is_some_and(|signature| hmac::verify(key, &signed, &signature).is_ok());
            ensure!(is_right, "its signature is wrong");
        }
        request(parts, &body)
    }

    /// The parts of a message, behind the identities that it names.
    pub fn seal(&self, message: JupyterMessage) -> Result<Vec<Bytes>> {
        let mut message = message;
        message.header.session.clone_from(&self.session);
        let parent = match &message.parent_header {
            Some(parent) => serde_json::to_vec(parent)?,
            None => b"{}".to_vec(),
        };
        let body: [Bytes; SIGNED_PARTS] = [
            serde_json::to_vec(&message.header)?.into(),
            parent.into(),
            serde_json::to_vec(&message.metadata)?.into(),
            serde_json::to_vec(&message.content)?.into(),
        ];
        let signature = self.key.as_ref().map_or_else(String::new, |key| {
            let mut context = hmac::Context::with_key(key);
            body.iter().for_each(|part| context.update(part));
            to_hex(context.sign().as_ref())
        });
        let mut parts = message.zmq_identities;
        parts.extend([Bytes::from_static(DELIMITER), signature.into()]);
        parts.extend(body);
        parts.extend(message.buffers);
        Ok(parts)
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |&byte: &u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::{content, message};
    use serde_json::json;

    fn envelope(key: &str, scheme: &str) -> Result<Envelope> {
        let connection = json!({
            "ip": "127.0.0.1", "transport": "tcp", "shell_port": 1, "iopub_port": 2,
            "stdin_port": 3, "control_port": 4, "hb_port": 5, "key": key,
            "signature_scheme": scheme,
        });
        Envelope::new(&serde_json::from_value(connection)?, "mine".to_owned())
    }

    fn sealed(by: &Envelope) -> Vec<Bytes> {
        let mut question = message("status", json!({ "execution_state": "busy" }), None);
        question.zmq_identities = vec![Bytes::from_static(DELIMITER)];
        question.buffers = vec![Bytes::from_static(b"raw")];
        by.seal(question).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_only() {
        for scheme in ["hmac-sha256", "hmac-sha512"] {
            let mine = envelope("key", scheme).unwrap();
            let opened = mine.open(sealed(&mine)).unwrap();
            assert_eq!(content(&opened)["execution_state"], "busy");
            assert_eq!((opened.header.session.as_str(), opened.buffers.len()), ("mine", 1));
            assert_eq!(opened.zmq_identities, [DELIMITER], "any text is an identity");
            let refused = envelope("other", scheme).unwrap().open(sealed(&mine)).err().unwrap();
            assert!(refused.to_string().contains("signature is wrong"), "{refused}");
        }
        let open = envelope("", "hmac-sha256").unwrap();
        assert!(open.open(sealed(&open)).is_ok());
        assert!(envelope("key", "md5").is_err());
    }

    #[test]
    fn what_is_cut_short_or_changed_is_refused() {
        let mine = envelope("key", "hmac-sha256").unwrap();
        let whole = sealed(&mine);
        for length in 1..whole.len() - 1 {
            assert!(mine.open(whole[..length].to_vec()).is_err(), "{length} parts");
        }
        for changed in 1..whole.len() - 1 {
            for text in ["", "{", "zz", "é", "null", "[]", "\u{1}"] {
                let mut parts = whole.clone();
                parts[changed] = text.into();
                assert!(mine.open(parts).is_err(), "part {changed} as {text:?}");
            }
        }
    }

    #[test]
    fn json_of_other_types_is_refused_or_harmless() {
        let open = envelope("", "hmac-sha256").unwrap();
        for text in ["null", "[]", "7", "\"x\"", "{}", "{\"msg_type\": 3}"] {
            let mut parts = sealed(&open);
            parts[3] = text.into();
            assert!(open.open(parts).is_err(), "a header {text}");
            let mut parts = sealed(&open);
            parts[6] = text.into();
            let opened = open.open(parts).unwrap();
            assert!(content(&opened)["code"].as_str().is_none());
        }
    }
}
