//! The sound of a pool's songs, read once for all pieces of a call.

use crate::Result;
use crate::audio::Audio;
use crate::dataset::grains::GrainPool;
use std::collections::HashMap;

/// Memory for songs that further pieces need as well, in bytes: about 25 minutes of stereo.
const KEPT_BYTES: usize = 512 << 20;

/// The songs of a pool as sound, read when they are first asked for.
pub(super) struct Sounds<'a> {
    pool: &'a GrainPool,
    /// By song and sample rate.
    kept: HashMap<(usize, u32), Audio>,
    /// How much more may be kept.
    free_bytes: usize,
}

impl<'a> Sounds<'a> {
    /// Sounds for one piece, which needs each song once: nothing is kept.
    pub(super) fn for_one(pool: &'a GrainPool) -> Self {
        Self { pool, kept: HashMap::new(), free_bytes: 0 }
    }

    /// Sounds for several pieces.
    pub(super) fn for_several(pool: &'a GrainPool) -> Self {
        Self { free_bytes: KEPT_BYTES, ..Self::for_one(pool) }
    }

    /// Song `song` of the pool at a sample rate; it is read again where there is no room to keep it.
    ///
    /// # Errors
    /// What is wrong with the song's file.
    pub(super) fn at(&mut self, song: usize, rate_hz: u32) -> Result<Audio> {
        if let Some(known) = self.kept.get(&(song, rate_hz)) {
            return Ok(known.clone());
        }
        let audio = self.pool.songs()[song].source.audio_without_offset()?.resample(rate_hz)?;
        let bytes = audio.frames() * audio.channel_count() * size_of::<f32>();
        if let Some(left) = self.free_bytes.checked_sub(bytes) {
            self.free_bytes = left;
            self.kept.insert((song, rate_hz), audio.clone());
        }
        Ok(audio)
    }
}
