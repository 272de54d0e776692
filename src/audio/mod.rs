//! Sound in and out: decoding, resampling, WAV files and the speakers.
//!
//! [`Song::open`] reads a whole file, [`Decoder`] streams one in bounded memory, [`Audio`] holds
//! samples and knows how to resample, save and play them.

mod decode;
mod find_songs;
mod mp4_edits;
mod mpeg_frames;
#[cfg(not(feature = "playback"))]
mod no_speakers;
mod ogg_end;
mod playback;
mod resample;
mod samples;
mod song;
#[cfg(feature = "playback")]
mod speakers;
mod tags;
mod wav;

pub use decode::Decoder;
pub use find_songs::{SONG_EXTENSIONS, find_songs};
pub use playback::{Playback, stop_all};
pub use resample::Resampler;
pub use samples::{Audio, mix_to_mono};
pub use song::Song;
pub use tags::Tags;
pub use wav::{SampleFormat, WavWriter};
