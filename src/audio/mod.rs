//! Sound in and out: decoding, resampling, WAV files and the speakers.
//!
//! [`Song::open`] reads a whole file, [`Decoder`] streams one in bounded memory, [`Audio`] holds
//! samples and knows how to resample, save and play them.

mod aac;
mod adapter;
mod aiff_lengths;
mod au_header;
mod caf_description;
mod channel_order;
mod coding;
mod composed;
mod container;
mod decode;
mod facts;
mod faults;
mod find_songs;
pub(crate) mod flac;
mod gap;
mod levels;
mod matroska;
mod mp4_boxes;
mod mpeg_frames;
mod need;
pub(crate) mod no_panic;
#[cfg(not(feature = "playback"))]
mod no_speakers;
mod ogg_positions;
mod opus;
mod packets;
mod part;
mod playback;
mod reading;
mod repaired_file;
mod resample;
mod riff_chunks;
mod samples;
mod signatures;
mod song;
#[cfg(feature = "playback")]
mod speakers;
mod tags;
mod vorbis;
mod wav;
mod wav_header;

pub use coding::Coding;
pub use composed::is_composed;
pub use decode::Decoder;
pub(crate) use find_songs::no_song;
pub use find_songs::{FoundSongs, SONG_EXTENSIONS, SubFolders, find_songs, search_songs};
pub use levels::Levels;
pub(crate) use levels::LoudnessMeter;
pub use need::Need;
pub use playback::{Playback, stop_all};
pub use reading::Take;
pub(crate) use reading::{MonoMix, extend};
pub use resample::Resampler;
pub(crate) use resample::resampled;
pub use samples::{Audio, mix_to_mono};
pub(crate) use samples::{as_heard, peak_of};
pub use song::Song;
pub use tags::Tags;
pub use wav::{SampleFormat, WavWriter};
