//! Songs before they are codes: along their beats, without silence around, as compressed magnitudes.

use super::along_beats::Frames;
use super::bands::Bands;
use super::settings::CodeSettings;
use crate::Result;
use crate::audio::mix_to_mono;
use crate::dataset::{FitSong, SongSource, too_short, unusable};
use crate::features::Stft;

/// Frames whose spectra are held at a time.
pub(super) const FRAMES_AT_ONCE: usize = 4_096;
/// A song has at least so many blocks, about three seconds.
const LEAST_BLOCKS: usize = 32;
/// Frames whose loudest bin has less than this share of the song's loudest are silent: -40 dB.
const SILENT: f32 = 0.01;

/// A song on its way to blocks.
pub(super) struct Heard {
    pub title: String,
    /// The mix of its channels.
    pub mix: Vec<f32>,
    /// Both channels, where it has two.
    pub channels: Vec<Vec<f32>>,
    pub centres: Vec<isize>,
    pub beats: Option<Vec<f32>>,
    pub beats_in_bar: usize,
    pub hop_samples: usize,
    pub loudest: f32,
    pub warnings: Vec<String>,
}

impl Heard {
    pub fn of(source: &SongSource, settings: &CodeSettings) -> Result<Self> {
        let FitSong { audio, mut warnings, .. } =
            source.fit_at(settings.sample_rate_hz, settings.stereo, settings.need())?;
        warnings
            .iter_mut()
            .for_each(|warning| *warning = format!("{}: {warning}", source.short_name()));
        let Frames { centres, beats, beats_in_bar, hop_samples } =
            Frames::of(&audio.to_mono(), settings)?;
        let least = LEAST_BLOCKS * settings.frames_per_block;
        if centres.len() < least {
            let needed =
                (least * settings.stft.hop_samples) as f64 / f64::from(settings.sample_rate_hz);
            let why = format!("{LEAST_BLOCKS} blocks of spectra");
            return Err(too_short(
                &source.name(),
                (audio.duration_seconds(), needed),
                &why,
                &warnings,
            ));
        }
        let mut mix = Vec::new();
        mix_to_mono(audio.channels(), &mut mix);
        let channels = if audio.channel_count() == 2 { audio.channels().to_vec() } else { vec![] };
        drop(audio);
        let stft = Stft::new(settings.stft)?;
        let mut peaks: Vec<f32> = Vec::with_capacity(centres.len());
        for centres in centres.chunks(FRAMES_AT_ONCE) {
            let magnitudes = stft.magnitudes_at(&mix, centres);
            let frames = magnitudes.chunks_exact(stft.bins());
            peaks.extend(frames.map(|frame| frame.iter().copied().fold(0.0, f32::max)));
        }
        let loudest = peaks.iter().copied().fold(0.0, f32::max);
        if loudest < 1e-4 {
            return Err(unusable(source, "is silent, there is nothing to learn from"));
        }
        // Silence before and after the music is left out, in whole blocks, so that the beat stays.
        let sounds = |peak: &f32| *peak > SILENT * loudest;
        let from = peaks.iter().position(sounds).unwrap_or(0);
        let from = from - from % settings.frames_per_block;
        let to = peaks.iter().rposition(sounds).map_or(peaks.len(), |last| last + 1);
        let to = to.max(from + least).min(peaks.len());
        let from = from.min(to - least);
        let (centres, beats) =
            (centres[from..to].to_vec(), beats.map(|beats| beats[from..to].to_vec()));
        let title = source.title();
        Ok(Self {
            title,
            mix,
            channels,
            centres,
            beats,
            beats_in_bar,
            hop_samples,
            loudest,
            warnings,
        })
    }
}

/// How spectra are looked at.
pub(super) struct Looks<'a> {
    pub stft: Stft,
    pub bands: Bands,
    pub views: usize,
    pub settings: &'a CodeSettings,
}

impl Looks<'_> {
    /// Numbers of a frame.
    pub fn width(&self) -> usize {
        self.views * self.bands.count()
    }

    /// Compressed magnitudes of the frames centred on `centres`: frames × width, of a frame view after
    /// view. A song of one channel is the same in all of them.
    pub fn compressed(&self, song: &Heard, centres: &[isize]) -> Vec<f32> {
        let (bins, count) = (self.stft.bins(), self.bands.count());
        let mut rows = vec![0.0; centres.len() * self.width()];
        for view in 0..self.views {
            let samples = match view {
                0 => &song.mix,
                _ => song.channels.get(view - 1).unwrap_or(&song.mix),
            };
            let magnitudes = self.stft.magnitudes_at(samples, centres);
            let frames = magnitudes.chunks_exact(bins);
            for (row, frame) in rows.chunks_exact_mut(self.width()).zip(frames) {
                let to = row[view * count..][..count].iter_mut();
                for (to, level) in to.zip(self.bands.levels(frame)) {
                    *to = (level / song.loudest).powf(self.settings.compression);
                }
            }
        }
        rows
    }
}
