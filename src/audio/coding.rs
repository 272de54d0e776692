//! What samples were before they were decoded.

use super::Decoder;

/// How a file codes its samples, and what they are once decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Something was left out: MP3, Vorbis, Opus, AAC, A-law, ADPCM.
    Lossy,
    /// Whole numbers, without loss.
    Integer {
        /// Bits of a sample: 16 on a CD, 24 in a studio.
        bits: u32,
    },
    /// Floating-point numbers, without loss.
    Float,
}

/// Taken where a lossless file does not say how many bits it has.
const UNKNOWN_BITS: u32 = 24;

impl Decoder {
    /// How the file codes its samples.
    pub fn coding(&self) -> Coding {
        let name = self.decoder.codec_info().short_name;
        let described = self.decoder.codec_params().bits_per_sample;
        let named = self.track.codec_params.as_ref().and_then(|p| p.audio()?.bits_per_sample);
        let bits = described.or(named).unwrap_or(UNKNOWN_BITS);
        match name {
            "flac" | "alac" => Coding::Integer { bits },
            _ => match name.strip_prefix("pcm_") {
                Some("alaw" | "mulaw") | None => Coding::Lossy,
                Some(pcm) if pcm.starts_with('f') => Coding::Float,
                Some(pcm) => {
                    let digits: String = pcm.chars().filter(char::is_ascii_digit).collect();
                    Coding::Integer { bits: digits.parse().unwrap_or(bits) }
                }
            },
        }
    }
}
