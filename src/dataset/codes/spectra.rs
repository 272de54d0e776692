//! Spectra again from codes: levels of bands, what codes leave out of them, and bins.

use super::coded_songs::{CodedSongs, scale};
use super::heard::FRAMES_AT_ONCE;
use super::residual::{Noise, Residuals};
use super::rises::Rises;
use crate::features::{StftSettings, magnitudes};
use crate::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Of the noise that wide bands are filled with: always the same.
const GRAIN_SEED: u64 = 1;
/// Shares of what codes leave out that are tried; the one between them is told by a straight line.
const SHARES: [f32; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

impl CodedSongs {
    /// The magnitudes of blocks of these codes, frames × bins, for a song as loud as number `song`: of
    /// one channel, or of the mix of two, the left and the right one.
    ///
    /// Codes stand for means, which vary less than the songs do. So noise is added that varies as what
    /// they leave out, as much of it as makes the onsets of these codes as strong as the songs' are;
    /// where codes that do not belong together bring enough, none.
    ///
    /// # Errors
    /// [`Error::Argument`] for codes or a song that are none.
    pub fn magnitudes(&self, codes: &[u32], song: usize) -> Result<Vec<Vec<f32>>> {
        let Some(song) = self.songs.get(song) else {
            return Err(Error::argument("song", format!("below {}", self.songs.len()), song));
        };
        let places = self.codebook.decode(codes)?;
        let power = self.settings.compression.recip();
        let (count, width) = (self.bands.count(), self.components.count());
        let frames = places.len() / width;
        let bins = self.bands.bins();
        let mut left_out = match &self.residuals {
            Some(residuals) => Some((residuals.noises(), self.share(residuals, &places)?)),
            None => None,
        };
        let grain = self.grain(frames, song.hop_samples)?;
        let mut grain = grain.chunks_exact(bins);
        let mut views = vec![Vec::with_capacity(frames * bins); self.views];
        for places in places.chunks(FRAMES_AT_ONCE * width) {
            let mut levels = self.levels(places)?;
            if let Some((noises, share)) = &mut left_out {
                let noise = self.noise(noises, places.len() / width)?;
                levels.iter_mut().zip(noise).for_each(|(level, noise)| *level += *share * noise);
            }
            for frame in levels.chunks_exact_mut(self.views * count) {
                match &self.loudest {
                    Some(loudest) => loudest.restrain(frame, &self.bands, power),
                    None => frame.iter_mut().for_each(|level| *level = level.max(0.0).powf(power)),
                }
                frame.iter_mut().for_each(|level| *level *= song.loudest);
            }
            for (frame, grain) in levels.chunks_exact(self.views * count).zip(&mut grain) {
                for (to, levels) in views.iter_mut().zip(frame.chunks_exact(count)) {
                    self.bands.spread(levels, grain, to);
                }
            }
        }
        Ok(views)
    }

    /// Compressed magnitudes of frames of components, these in units of their deviations.
    fn levels(&self, places: &[f32]) -> Result<Vec<f32>> {
        let mut places = places.to_vec();
        scale(&mut places, &self.components, -1.0);
        self.components.restore(&places)
    }

    /// The next frames of noise like what is left out, as compressed magnitudes.
    fn noise(&self, noises: &mut [Noise<'_>; 2], frames: usize) -> Result<Vec<f32>> {
        let [of_components, of_bands] = noises;
        let mut noise = self.levels(&of_components.frames(frames))?;
        let mean = self.components.parts()[0];
        for frame in noise.chunks_exact_mut(mean.len()) {
            frame.iter_mut().zip(mean).for_each(|(value, mean)| *value -= mean);
        }
        noise.iter_mut().zip(of_bands.frames(frames)).for_each(|(value, more)| *value += more);
        Ok(noise)
    }

    /// What share of the noise makes onsets as strong as the songs' are, up to all of it.
    fn share(&self, residuals: &Residuals, places: &[f32]) -> Result<f32> {
        let (width, row) = (self.components.count(), self.views * self.bands.count());
        let power = self.settings.compression.recip();
        let mut rises = SHARES.map(|_| Rises::of(&self.bands, power));
        let mut noises = residuals.noises();
        for places in places.chunks(FRAMES_AT_ONCE * width) {
            let levels = self.levels(places)?;
            let noise = self.noise(&mut noises, places.len() / width)?;
            for (levels, noise) in levels.chunks_exact(row).zip(noise.chunks_exact(row)) {
                for (rises, share) in rises.iter_mut().zip(SHARES) {
                    rises
                        .hear(levels.iter().zip(noise).map(|(level, noise)| level + share * noise));
                }
            }
        }
        let wanted = residuals.rises_db;
        let found: Vec<(f32, f32)> =
            SHARES.into_iter().zip(rises.iter().map(Rises::mean_db)).collect();
        if found[0].1 >= wanted {
            return Ok(0.0);
        }
        let around = found.windows(2).find(|pair| pair[1].1 >= wanted);
        Ok(around.map_or(1.0, |pair| {
            let [(from, less), (to, more)] = [pair[0], pair[1]];
            from + (wanted - less) / (more - less) * (to - from)
        }))
    }

    /// Magnitudes of noise, frames × bins. Where bins are put together only their level is known; what has
    /// a smooth spectrum is a click, and what is up there (cymbals, bows, breath) is ragged as noise is.
    fn grain(&self, frames: usize, hop_samples: usize) -> Result<Vec<f32>> {
        let mut random = ChaCha8Rng::seed_from_u64(GRAIN_SEED);
        let samples = frames.saturating_sub(1) * hop_samples + 1;
        let noise: Vec<f32> = (0..samples).map(|_| random.random_range(-1.0..1.0)).collect();
        magnitudes(&noise, StftSettings { hop_samples, ..self.settings.stft })
    }
}
