//! What Symphonia leaves out of a CAF file's description, and what is wrong with its lengths.

use super::repaired_file::Patches;
use super::riff_chunks::read_at;
use std::io::{self, Read, Seek, SeekFrom};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW};

/// More chunks than any real file has.
const MOST_CHUNKS: usize = 10_000;

/// How the sound of a CAF file is coded.
#[derive(Clone, Debug, Default)]
pub(super) struct CafDescription {
    format: [u8; 4],
    /// 0 where packets differ.
    packet_bytes: u32,
    /// 0 where packets differ.
    pub(super) packet_frames: u32,
    /// The length of a sound that is cut short.
    pub(super) patches: Patches,
    /// The frames the header promised, where the file holds fewer.
    pub(super) promised_frames: Option<u64>,
}

/// The description, which always comes first; an empty one for any other file.
pub(super) fn read(file: &mut (impl Read + Seek)) -> io::Result<CafDescription> {
    let end = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, 52)?;
    let mut caf = CafDescription::default();
    if head.len() < 52 || !head.starts_with(b"caff") || &head[8..12] != b"desc" {
        return Ok(caf);
    }
    let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
    caf.format = word(28);
    caf.packet_bytes = u32::from_be_bytes(word(36));
    caf.packet_frames = u32::from_be_bytes(word(40));
    let mut at = 8;
    for _ in 0..MOST_CHUNKS {
        let head = read_at(file, at, 12)?;
        let Some(bytes) = head.get(4..12).and_then(|bytes| bytes.try_into().ok()) else { break };
        // -1 stands for: to the end of the file.
        let Ok(bytes) = u64::try_from(i64::from_be_bytes(bytes)) else { break };
        let Some(next) = (at + 12).checked_add(bytes) else { break };
        if head.starts_with(b"data") && next > end {
            caf.patches.add(at + 4, &(end - at - 12).to_be_bytes());
            // Four bytes count how often the sound was edited.
            let packets = bytes.saturating_sub(4).checked_div(caf.packet_bytes.into());
            caf.promised_frames =
                packets.and_then(|packets| packets.checked_mul(caf.packet_frames.into()));
        }
        at = next;
    }
    Ok(caf)
}

impl CafDescription {
    /// Describes the codecs that Symphonia knows and does not describe whole.
    pub(super) fn correct(&self, parameters: &mut AudioCodecParameters) {
        parameters.codec = match &self.format {
            b"ulaw" => CODEC_ID_PCM_MULAW,
            b"alaw" => CODEC_ID_PCM_ALAW,
            _ => return,
        };
        (parameters.bits_per_sample, parameters.bits_per_coded_sample) = (None, None);
    }

    /// How many frames fewer than the file says are no loss: its last packet may be shorter.
    pub(super) fn slack_frames(&self) -> u64 {
        if self.packet_bytes == 0 { self.packet_frames.into() } else { 0 }
    }
}
