//! An estimate of the key.

use super::correlation::correlation;
use super::{Chroma, PITCH_CLASSES};

/// The shares of an octave's notes in a key, for the keys of C: what a large corpus of scores has
/// (Albrecht and Shanahan, "The use of large corpora to train a new type of key-finding algorithm",
/// 2013). Profiles of what listeners judged to fit take the fifth for the tonic more often.
const MAJOR: [f64; PITCH_CLASSES] =
    [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081];
const MINOR: [f64; PITCH_CLASSES] =
    [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052];

const NAMES: [&str; PITCH_CLASSES] =
    ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/// An estimate of the key a song is in: the one whose notes sound most like the song's.
///
/// Relative keys (C major, A minor) have the same notes and are easily taken for each other.
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{Chroma, ChromaSettings, Key};
/// // A, C sharp, E, A and D, F sharp, A: the scale's first and fourth chords.
/// let notes = [[220.0, 277.2, 329.6], [293.7, 370.0, 440.0], [220.0, 277.2, 329.6]];
/// let chord = |notes: [f64; 3]| (0..22_050).map(move |n| {
///     let time = f64::from(n) / 22_050.0;
///     notes.iter().map(|hz| (std::f64::consts::TAU * hz * time).sin() * 0.2).sum::<f64>() as f32
/// });
/// let audio = Audio::mono(notes.into_iter().flat_map(chord).collect(), 22_050)?;
/// let key = Key::of(&Chroma::of(&audio, ChromaSettings::default())?).unwrap();
/// assert_eq!(key.to_string(), "A major");
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Semitones of the tonic above C.
    pub tonic: usize,
    /// Minor, or else major.
    pub minor: bool,
    /// Pearson's correlation of the song's notes with the key's; above 0.8 the estimate is fair.
    pub correlation: f64,
}

impl Key {
    /// The key that fits best; `None` where all notes are alike (silence, noise).
    pub fn of(chroma: &Chroma) -> Option<Self> {
        let mut notes = [0.0; PITCH_CLASSES];
        for row in chroma.rows() {
            notes.iter_mut().zip(row).for_each(|(sum, strength)| *sum += f64::from(*strength));
        }
        let keys = (0..PITCH_CLASSES).flat_map(|tonic| [(tonic, false), (tonic, true)]);
        keys.map(|(tonic, minor)| {
            let profile = if minor { MINOR } else { MAJOR };
            let turned: [f64; PITCH_CLASSES] =
                std::array::from_fn(|note| notes[(note + tonic) % PITCH_CLASSES]);
            Self { tonic, minor, correlation: correlation(&turned, &profile) }
        })
        .max_by(|a, b| a.correlation.total_cmp(&b.correlation))
        .filter(|key| key.correlation > 0.0)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", NAMES[self.tonic], if self.minor { "minor" } else { "major" })
    }
}
