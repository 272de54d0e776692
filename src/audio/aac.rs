//! AAC beyond low complexity, told by its name: its core alone would sound dull and be half as wide.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::formats::FormatReader;

/// So many packets are looked at; three quarters of them must agree.
const PACKETS: usize = 16;

/// The name of an AAC stream that is more than low complexity.
///
/// `reader` is read from: it is for this alone.
pub(super) fn high_efficiency(
    parameters: &AudioCodecParameters,
    reader: &mut dyn FormatReader,
    track: u32,
) -> Option<&'static str> {
    let told = parameters.extra_data.as_deref().and_then(object_type);
    if let Some(name) = told.and_then(name) {
        return Some(name);
    }
    // Or not told, in which case each packet has what belongs to it behind the core.
    let (mut packets, mut extended) = (0, 0);
    while packets < PACKETS {
        let Ok(Some(packet)) = reader.next_packet() else { break };
        if packet.track_id == track {
            packets += 1;
            extended += usize::from(ends_in_replication(&packet.data));
        }
    }
    (packets > 0 && extended * 4 >= packets * 3).then_some("HE-AAC")
}

fn name(object_type: u32) -> Option<&'static str> {
    Some(match object_type {
        1 => "AAC Main",
        3 => "AAC SSR",
        4 => "AAC LTP",
        5 => "HE-AAC",
        29 => "HE-AAC v2",
        23 => "AAC-LD",
        39 => "AAC-ELD",
        42 => "xHE-AAC",
        _ => return None,
    })
}

/// The audio object type (ISO/IEC 14496-3, 1.6.2.1), 5 where the stream's extension says so.
fn object_type(configuration: &[u8]) -> Option<u32> {
    let mut bits = Bits { bytes: configuration, at: 0 };
    let first = bits.object_type()?;
    if first != 2 {
        return Some(first);
    }
    // 15 stands for a rate that follows; channels; three flags; then the extension.
    if bits.read(4)? == 15 {
        bits.read(24)?;
    }
    bits.read(4 + 3)?;
    let extension = bits.read(11).filter(|sync| *sync == 0x2b7).and_then(|_| bits.object_type());
    Some(match extension {
        Some(5) if bits.read(1) == Some(1) => 5,
        _ => 2,
    })
}

/// Whether a packet's last elements are filling with spectral band replication (type 13 or 14), any
/// other filling, and the end.
///
/// A packet can be read backwards only by trying: the filling says how long it is, and where it would
/// end the end has to be.
fn ends_in_replication(packet: &[u8]) -> bool {
    /// The element that fills, and the one that ends.
    const FILL: u32 = 6;
    const END: u32 = 7;
    let mut whole = Bits { bytes: packet, at: 0 };
    // The longest filling is 269 bytes; two of them at most.
    let from = (packet.len() * 8).saturating_sub(2 * 270 * 8);
    (from..packet.len() * 8).any(|start| {
        whole.at = start;
        let mut is_replication = false;
        for place in 0.. {
            match whole.read(3) {
                Some(FILL) => {}
                Some(END) => return is_replication && whole.is_padding(),
                _ => return false,
            }
            let Some(mut bytes) = whole.read(4) else { return false };
            if bytes == 15 {
                let Some(more) = whole.read(8) else { return false };
                bytes += more - more.min(1);
            }
            let kind = if bytes > 0 { whole.peek(4) } else { None };
            is_replication |= matches!(kind, Some(13 | 14));
            if place == 0 && !is_replication {
                return false;
            }
            whole.at += 8 * bytes as usize;
        }
        false
    })
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn peek(&self, count: usize) -> Option<u32> {
        (self.at..self.at + count).try_fold(0, |number, at| {
            let byte = self.bytes.get(at / 8)?;
            Some(number << 1 | u32::from(byte >> (7 - at % 8) & 1))
        })
    }

    fn read(&mut self, count: usize) -> Option<u32> {
        let number = self.peek(count)?;
        self.at += count;
        Some(number)
    }

    /// Five bits, or six more.
    fn object_type(&mut self) -> Option<u32> {
        match self.read(5)? {
            31 => Some(32 + self.read(6)?),
            number => Some(number),
        }
    }

    /// Fewer than eight bits are left, all of them 0.
    fn is_padding(&self) -> bool {
        let left = self.bytes.len() * 8 - self.at;
        left < 8 && self.peek(left) == Some(0)
    }
}
