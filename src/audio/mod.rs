//! Sound in and out: decoding, resampling, WAV files and the speakers.

mod samples;

pub use samples::Audio;
