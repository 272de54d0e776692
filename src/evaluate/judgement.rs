//! Everything that can be said of a piece without listening.

use super::clicks::clicks;
use super::{
    Copies, Heard, Joins, Repeats, SelfSimilarity, StyleDistance, Texture, copies, form, heard_of,
    joins, repeats, style,
};
use crate::audio::Audio;
use crate::features::{LogMel, PitchBands};
use crate::words::counted;
use crate::{Error, Result, interrupt};
use std::fmt;

/// More than this share of copied windows is too much.
pub const COPY_SHARE_LIMIT: f64 = 0.03;
/// A longer run in the original order is too long.
pub const RUN_LIMIT_SECONDS: f64 = 2.5;

/// What is so many times as far from the songs as their excerpts are, and farther than all of them, is
/// far from the style.
const FAR_RATIO: f64 = 3.0;

/// What the judge says of a piece. See [`judge`].
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// How far it is from the songs' style.
    pub style: StyleDistance,
    /// What it copies.
    pub copies: Copies,
    /// Where it jumps.
    pub joins: Joins,
    /// Whether it stands still or hisses.
    pub texture: Texture,
    /// The same of the songs, the mean of all.
    pub song_texture: Texture,
    /// What the piece repeats of itself; [`MelCopies`](super::MelCopies) has the same of the songs.
    pub repeats: Repeats,
    /// Which moments of the piece are alike.
    pub form: SelfSimilarity,
    /// The same of each song. Both less the average spectrum of the songs.
    pub song_forms: Vec<SelfSimilarity>,
    /// Length of the piece.
    pub duration_seconds: f64,
}

/// Judges `piece` against the `songs` it was made from: style, copies, joins, texture, repeats, form.
///
/// ```no_run
/// use neural_composer::{audio::Song, evaluate::judge};
/// let (piece, song) = (Song::open("night.wav")?, Song::open("song.mp3")?);
/// let judgement = judge(piece.audio(), &[song.audio()])?;
/// println!("{judgement}");
/// for passage in &judgement.copies.passages {
///     println!("{:.1} s of the piece is {:.1} s of the song", passage.piece_seconds, passage.song_seconds);
/// }
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] without songs; [`Error::Data`] when a sound is too short or silent.
pub fn judge(piece: &Audio, songs: &[&Audio]) -> Result<Judgement> {
    let _job = interrupt::begin()?;
    judge_heard(&Heard::of(piece)?, heard_of(songs)?)
}

/// As [`judge`], of what was kept of the sounds, which may be longer than fits into memory.
///
/// # Errors
/// As [`judge`].
pub fn judge_heard(piece: &Heard, songs: Vec<Heard>) -> Result<Judgement> {
    let _job = interrupt::begin()?;
    if songs.is_empty() {
        return Err(Error::argument("songs", "at least one", 0));
    }
    let textures: Vec<Texture> = songs.iter().map(Heard::texture).collect();
    let piece_bands = &piece.bands;
    let (song_bands, song_mels): (Vec<PitchBands>, Vec<LogMel>) =
        songs.iter().map(|song| (song.bands.clone(), song.mel.clone())).unzip();
    let mean =
        |of: fn(&Texture) -> f64| textures.iter().map(of).sum::<f64>() / textures.len() as f64;
    let middle = form::average(&song_bands);
    Ok(Judgement {
        style: style::of_bands((piece_bands, &piece.mel), (&song_bands, &song_mels))?,
        copies: copies::of_heard(piece, &songs)?,
        joins: joins::of_bands(piece_bands, &song_bands, piece.joins.as_deref()),
        texture: piece.texture(),
        song_texture: Texture {
            stillness: mean(|t| t.stillness),
            flatness_db: mean(|t| t.flatness_db),
            silence: mean(|t| t.silence),
            sharpest_step: textures.iter().map(|t| t.sharpest_step).fold(0.0, f32::max),
        },
        repeats: repeats::of_mel(&piece.mel)?,
        form: SelfSimilarity::of_bands(piece_bands, &middle),
        song_forms: song_bands.iter().map(|s| SelfSimilarity::of_bands(s, &middle)).collect(),
        duration_seconds: piece.duration_seconds,
    })
}

impl Judgement {
    /// What is wrong with the piece, in words; nothing where nothing is.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (piece, song) = (&self.texture, &self.song_texture);
        if self.copies.share > COPY_SHARE_LIMIT {
            faults.push(format!(
                "copies {:.0} % of its two-second windows",
                self.copies.share * 100.0
            ));
        }
        if self.copies.longest_run_seconds > RUN_LIMIT_SECONDS {
            let run = self.copies.longest_run_seconds;
            faults.push(format!("follows the original order for {run:.1} s"));
        }
        // Grains of a second each move as their song does, too: a fault is what goes on for longer.
        let goes_on = self.copies.mel.longest_run_seconds > RUN_LIMIT_SECONDS;
        if self.copies.taken.is_found() && goes_on {
            faults.push(
                "has 2.5 s or more that move as its songs do and as they do nowhere else".into(),
            );
        }
        let (repeated, of_songs) =
            (self.repeats.longest_run_seconds, self.copies.mel.own_run_seconds);
        if repeated > RUN_LIMIT_SECONDS && repeated > of_songs {
            faults.push(format!(
                "repeats {repeated:.1} s of itself, where the songs repeat {of_songs:.1} s at most"
            ));
        }
        if piece.stillness > 0.5 && piece.stillness > song.stillness + 0.3 {
            faults.push(format!("stands still for {:.0} % of the time", piece.stillness * 100.0));
        }
        if piece.flatness_db > -8.0 && piece.flatness_db > song.flatness_db + 6.0 {
            faults.push("hisses: its spectrum is that of noise".into());
        }
        if piece.silence > 0.3 && piece.silence > song.silence + 0.2 {
            faults.push(format!("is silent for {:.0} % of the time", piece.silence * 100.0));
        }
        if clicks(piece.sharpest_step, song.sharpest_step) {
            faults.push(
                "clicks: it has steps between samples that stand out as none in the songs does"
                    .into(),
            );
        }
        if self.style.ratio() > FAR_RATIO && self.style.distance > self.style.excerpts.most {
            faults.push(format!(
                "is far from the style: {:.1} times as far as excerpts of the songs",
                self.style.ratio()
            ));
        }
        faults
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.style)?;
        writeln!(f, "{}", self.copies)?;
        writeln!(f, "repeats of itself {}", self.repeats)?;
        let joins = &self.joins;
        let steps = joins.loudness_step_db.zip(joins.natural_loudness_step_db);
        match joins.spectral_change.zip(steps) {
            Some((change, (step, natural))) => writeln!(
                f,
                "{}, spectral change {change:.1} times the natural one, loudness step {step:.1} dB \
                 (songs {natural:.1} dB)",
                counted(joins.seconds.len(), "join")
            )?,
            _ => writeln!(f, "no joins found ({:.0} % traced to the songs)", joins.traced * 100.0)?,
        }
        match self.faults().as_slice() {
            [] => write!(f, "no fault found"),
            faults => write!(f, "The piece {}.", faults.join("; it ")),
        }
    }
}
