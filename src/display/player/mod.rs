//! The player in a cell: waveform and spectrogram with a moving playhead, one piece or several to
//! compare.

mod opus;
mod playable;
mod preview;
mod sixteen_bits;

use super::axes::Axis;
use super::bundle::Bundle;
use super::envelope::Envelope;
use super::facts::Facts;
use super::html::{escape, isolated};
use super::picture::{Picture, Raster};
use super::spectrogram::{self, SpectrogramView};
use super::{plain, waveform};
use crate::audio::Audio;
use crate::features::{Spectrogram, StftSettings};
use crate::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use preview::Preview;
use rayon::prelude::*;
use std::fmt::Write as _;

/// Columns of the waveform in the page.
const COLUMNS: usize = 1600;

/// Columns and rows of the spectrogram in the page.
const SPECTROGRAM: (usize, usize) = (800, 160);

/// A player for one piece of audio, or for several on one time axis with instant switching.
///
/// The sound is inside the page, and its size is limited: short audio is there as FLAC, lossless at
/// 16 bits, longer audio as Ogg Opus, stereo at full bandwidth, and of audio that does not fit at
/// 48 kbit/s (32 of one channel) only the beginning. The player says which. More than two channels are
/// mixed into one.
///
/// ```
/// use neural_composer::{audio::Audio, display::Player};
/// let tone = |hz: f32| {
///     let samples = (0..22_050).map(|n| (n as f32 * hz * 2.85e-4).sin() * 0.4).collect();
///     Audio::mono(samples, 22_050)
/// };
/// let player = Player::new("A", &tone(440.0)?).compared_with("E", &tone(659.3)?);
/// player.bundle()?.emit();
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Player {
    pieces: Vec<(String, Audio)>,
    details: String,
    limit_bytes: Option<usize>,
}

impl Player {
    /// A player for `audio`; `title` may be any text.
    pub fn new(title: &str, audio: &Audio) -> Self {
        let pieces = vec![(title.to_owned(), audio.clone())];
        Self { pieces, details: String::new(), limit_bytes: None }
    }

    /// Adds a piece to switch to at the same position.
    pub fn compared_with(mut self, title: &str, audio: &Audio) -> Self {
        self.pieces.push((title.to_owned(), audio.clone()));
        self
    }

    /// A line beside the title: where the piece comes from, how it was made.
    pub fn details(mut self, text: &str) -> Self {
        self.details = text.to_owned();
        self
    }

    /// The most bytes that the sound of all pieces together takes in the page. Usual: about
    /// 14 kB a second, 0.6 MB at least and 2.4 MB at most.
    pub fn limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = Some(bytes);
        self
    }

    fn limit(&self) -> usize {
        let seconds: f64 = self.pieces.iter().map(|(_, audio)| audio.duration_seconds()).sum();
        self.limit_bytes.unwrap_or((seconds * 14e3).clamp(600e3, 2.4e6) as usize)
    }

    /// Makes the player: HTML with the sound inside, the waveform as still picture, and text.
    ///
    /// # Errors
    /// [`Error::Data`] when a piece is empty, [`Error::Picture`] when the waveform cannot be drawn.
    pub fn bundle(&self) -> Result<Bundle> {
        self.bundle_with(|| Ok(Facts::default()))
    }

    /// As [`bundle`](Self::bundle), with what is known of the piece below the player; it is found out
    /// while the sound is prepared.
    pub(crate) fn bundle_with(
        &self,
        facts: impl FnOnce() -> Result<Facts> + Send,
    ) -> Result<Bundle> {
        if let Some(silent) = self.pieces.iter().find(|(_, audio)| playable::frames(audio) == 0) {
            return Err(nothing_to_play(silent));
        }
        // base64 makes four characters of three bytes; each piece gets a share by its length.
        let bytes = self.limit() as f64 * 0.75;
        let seconds: f64 = self.pieces.iter().map(|(_, audio)| audio.duration_seconds()).sum();
        let tracks = || {
            let of = |(title, audio): &(String, Audio)| {
                let share = bytes * audio.duration_seconds() / seconds;
                track(title, audio, share as usize)
            };
            self.pieces.par_iter().map(of).collect::<Result<Vec<_>>>()
        };
        let drawn = || rayon::join(|| self.picture(), facts);
        let (tracks, (picture, facts)) = rayon::join(tracks, drawn);
        let (picture, facts) = (picture?, facts?);
        let tracks = tracks?;
        let sound: String = tracks.iter().map(|track| track.html.as_str()).collect();
        let mut body = format!(
            "<style>{}</style><section class=\"nc-player\" aria-label=\"{}\" \
             data-lm-suppress-shortcuts=\"true\">{}",
            include_str!("player.css").trim_end(),
            escape(format!("Player {}", self.names()).trim_end()),
            self.header()
        );
        let _ = write!(
            body,
            "<img class=\"nc-still\" alt=\"{}\" width=\"{}\" src=\"data:image/png;base64,{}\">{}",
            escape(picture.description()),
            picture.width_px(),
            picture.png_base64(),
            sound
        );
        if let Some(instead) = self.said(&tracks, |track| &track.instead) {
            let _ = write!(
                body,
                "<p class=\"nc-note\">In this page: {instead}. The variable holds the sound as it \
                 is; save it to a file to hear that.</p>"
            );
        }
        if let Some(resampled) = self.said(&tracks, |track| &track.resampled) {
            let _ = write!(
                body,
                "<p class=\"nc-note\">Resampled for this page {resampled}: browsers do not play \
                 every rate. The variable holds the sound as it is.</p>"
            );
        }
        let script = include_str!("player.js").trim_end();
        let _ = write!(body, "<script>{script}</script></section>{}", facts.html());
        Ok(Bundle::new(&body, Some(picture), &(self.plain() + &facts.plain())))
    }

    fn picture(&self) -> Result<Picture> {
        let pieces: Vec<_> = self.pieces.iter().map(|(t, a)| (t.as_str(), a)).collect();
        match pieces.as_slice() {
            [(_, audio)] => waveform::waveform(audio),
            _ => waveform::waveforms(&pieces),
        }
    }

    /// What is said of the tracks, as HTML; once where it is the same for all.
    fn said(&self, tracks: &[Track], of: impl Fn(&Track) -> &String) -> Option<String> {
        let first = of(tracks.first()?);
        if tracks.iter().all(|track| of(track) == first) {
            return (!first.is_empty()).then(|| first.clone());
        }
        let notes = tracks.iter().map(of);
        let named = self.pieces.iter().zip(notes).filter(|(_, note)| !note.is_empty());
        let each: Vec<_> =
            named.map(|((title, _), note)| format!("{}: {note}", isolated(title))).collect();
        Some(each.join("; "))
    }

    fn names(&self) -> String {
        self.pieces.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn header(&self) -> String {
        let title = match self.pieces.as_slice() {
            [(title, _)] if title.is_empty() => String::new(),
            [(title, _)] => isolated(title),
            pieces => format!("Comparing {} pieces", pieces.len()),
        };
        let details = match self.details.as_str() {
            "" => String::new(),
            text => format!("<small><bdi>{}</bdi></small>", escape(text)),
        };
        if title.is_empty() && details.is_empty() {
            return String::new();
        }
        format!("<header>{title}{details}</header>")
    }

    fn plain(&self) -> String {
        let mut text = String::new();
        for (title, audio) in &self.pieces {
            let envelope = Envelope::of(&audio.channels()[0], 60);
            let levels: Vec<f32> =
                envelope.rms.iter().map(|rms| 20.0 * rms.max(1e-6).log10()).collect();
            // Silence has no bars.
            let top = levels.iter().copied().fold(-80.0, f32::max);
            let _ = writeln!(
                text,
                "{title}  {} {}\n{}",
                plain::clock(audio.duration_seconds()),
                self.details,
                plain::sparkline(&levels, top - 40.0, top)
            );
        }
        text
    }
}

/// Why there is no player, as a sentence.
fn nothing_to_play((title, audio): &(String, Audio)) -> Error {
    let whose = if title.is_empty() { String::new() } else { format!("{title}: ") };
    let why = match audio.frames() {
        0 => "it is empty".into(),
        frames => format!(
            "{} sample{} over before a loudspeaker can move: they come at {} Hz",
            plain::count(frames as u64),
            if frames == 1 { " is" } else { "s are" },
            plain::count(audio.sample_rate_hz().into())
        ),
    };
    Error::Data(format!("{whose}there is nothing to play, {why}"))
}

/// One piece as it is in the page.
struct Track {
    /// The plain audio element that works everywhere, and what the script draws.
    html: String,
    /// What the page holds instead of the sound as it is; empty where it holds that.
    instead: String,
    /// Between which rates it was resampled; empty where it was not.
    resampled: String,
}

fn track(title: &str, audio: &Audio, limit_bytes: usize) -> Result<Track> {
    let mono = audio.to_mono();
    let (preview, spectrogram) =
        rayon::join(|| Preview::of(audio, limit_bytes), || small_spectrogram(&mono));
    let (preview, (raster, top_hz)) = (preview?, spectrogram?);
    let channels: Vec<&[f32]> = audio.channels().iter().take(2).map(Vec::as_slice).collect();
    let columns = COLUMNS.min(audio.frames());
    let envelopes: Vec<_> = channels.iter().map(|c| Envelope::of(c, columns)).collect();
    let peak = envelopes.iter().map(Envelope::peak).fold(0.0, f32::max);
    let step = 127.0 / peak.max(1e-9);
    let mut peaks = Vec::with_capacity(2 * columns * envelopes.len());
    for envelope in &envelopes {
        for (low, high) in envelope.low.iter().zip(&envelope.high) {
            peaks.push((low * step).round() as i8 as u8);
            peaks.push((high * step).round() as i8 as u8);
        }
    }
    let power = |column: usize| {
        let sum: f32 = envelopes.iter().map(|e| e.rms[column] * e.rms[column]).sum();
        sum / envelopes.len() as f32
    };
    // Half decibels below full scale.
    let levels: Vec<u8> = (0..columns)
        .map(|c| (-20.0 * power(c).max(1e-13).log10()).round().clamp(0.0, 255.0) as u8)
        .collect();
    let mean = envelopes.iter().map(|e| e.loudness().powi(2)).sum::<f64>() / channels.len() as f64;
    let html = format!(
        "<div class=\"nc-track\" data-title=\"{}\" data-file=\"{}.{}\" data-seconds=\"{:.4}\" \
         data-channels=\"{}\" data-rate=\"{}\" data-peak=\"{peak:.5}\" data-loudness=\"{:.1}\" data-top-hz=\"{top_hz}\" \
         data-peaks=\"{}\" data-levels=\"{}\" data-spectrogram=\"{}\">\
         <audio controls preload=\"metadata\" aria-label=\"{}\" src=\"data:{};base64,{}\">\
         </audio></div>",
        escape(title),
        file_name(title),
        preview.format.extension(),
        audio.duration_seconds(),
        channels.len(),
        preview.sample_rate_hz,
        10.0 * mean.max(1e-12).log10(),
        BASE64.encode(peaks),
        BASE64.encode(levels),
        BASE64.encode(raster.png()?),
        escape(title),
        preview.format.mime(),
        BASE64.encode(&preview.file),
    );
    Ok(Track { html, instead: preview.instead, resampled: preview.resampled })
}

/// An audio element alone, for a table; the sound takes at most `limit_bytes` in the page. What cannot
/// be played has none.
pub(crate) fn short_audio(audio: &Audio, label: &str, limit_bytes: usize) -> Result<String> {
    if playable::frames(audio) == 0 {
        return Ok(String::new());
    }
    let preview = Preview::of(audio, limit_bytes / 4 * 3)?;
    Ok(format!(
        "<audio controls preload=\"metadata\" aria-label=\"{}\" \
         src=\"data:{};base64,{}\"></audio>",
        escape(label),
        preview.format.mime(),
        BASE64.encode(&preview.file)
    ))
}

/// A spectrogram of a few hundred columns, and its highest frequency.
fn small_spectrogram(audio: &Audio) -> Result<(Raster, f64)> {
    let (columns, rows) = SPECTROGRAM;
    let settings = StftSettings {
        window_samples: 2048,
        hop_samples: (audio.frames() / (3 * columns)).max(128),
    };
    let levels = Spectrogram::of(audio, settings)?;
    let view = SpectrogramView {
        power_db: levels.power_db(),
        bins: levels.bins(),
        hop_seconds: levels.hop_seconds(),
        bin_hz: levels.bin_hz(),
        start_seconds: 0.0,
    };
    let top_hz = levels.bin_hz() * (levels.bins() - 1) as f64;
    let columns = columns.min(levels.frames());
    let top_db = spectrogram::loudest(view.power_db);
    let cells = spectrogram::cells(&view, &Axis::frequency(top_hz), columns, rows, top_db);
    let frame = super::axes::Frame { left: 0, top: 0, right: 0, bottom: 0 };
    let palette = spectrogram::palette();
    Ok((Raster { frame, columns, rows, cells, palette, on_paper: false }, top_hz))
}

/// A title as a file name that every system takes: letters, digits, hyphens.
fn file_name(title: &str) -> String {
    let mut name = String::new();
    for c in title.chars().take(60) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "audio".into() } else { name.into() }
}

impl super::Show for Player {
    fn bundle(&self) -> Result<Bundle> {
        Player::bundle(self)
    }
}

super::shown_in_notebooks!(Player);
