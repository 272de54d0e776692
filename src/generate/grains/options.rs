//! How a composer of grains composes.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How a piece begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// As one of the songs does; a piece of under eight seconds on any of its beats.
    #[default]
    Beginning,
    /// With the whole guest, a recording, from which it goes on.
    Continue,
    /// With the notes of the guest, a tune hummed or played, in the sounds of the songs.
    Tune,
}

/// How to walk through the grains.
///
/// ```
/// use neural_composer::generate::GrainOptions;
/// let calm = GrainOptions::adventurous(0.1)?;
/// let wild = GrainOptions::adventurous(0.9)?;
/// assert!(calm.temperature < wild.temperature && calm.continuity > wild.continuity);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrainOptions {
    /// Below 1 the network's favourites are drawn more often, above 1 less. Usual: 0.8.
    pub temperature: f32,
    /// How many of the likeliest candidates are drawn from. Usual: 30.
    pub top_k: usize,
    /// How much a smooth join counts. Usual: 4; 1 is careless, 6 timid.
    pub continuity: f32,
    /// How much a grain is shunned for each time it was used in the last 6 s. Usual: 1.5.
    pub variety: f32,
    /// How much a transposed grain is shunned, for each semitone: 0 does not care about the key.
    pub key: f32,
    /// How much the planned form counts: sections that return. 0 walks without a plan. Usual: 2.
    pub form: f32,
    /// The song's own order is never followed for longer, in seconds, nor what sounds like it: where a
    /// song repeats itself, the piece does not go on from one time to the other. Usual: 1.2.
    pub longest_run_seconds: f64,
    /// The last 2 s may not be more alike to any place of the songs than this, as a correlation of
    /// pitch bands less their means; 1 lets copies pass. Usual: 0.75.
    pub copy_limit: f64,
    /// Ways to go on that are tried for each phrase of 3 s before the one with the smoothest joins, the
    /// least copied and the most of the songs' sound is taken. Usual: 8.
    pub drafts: usize,
    /// Pieces that are composed before the one that the judge likes best is taken; twice as many when all
    /// copy too much or sound like a song for too long, fewer when one has no fault. Usual: 3; 1 takes
    /// the first as it is.
    pub pieces: usize,
    /// How much the network's expectation counts. Usual: 1; at 0 the sound alone decides.
    pub network: f32,
    /// How much keeping to the beat counts, and going on to the next one. Usual: 1.
    pub beat: f32,
    /// Grains are never transposed.
    pub keep_key: bool,
    /// How the piece begins.
    pub opening: Opening,
    /// How much each song is to be heard, in the songs' order; only their proportions count. None
    /// where it does not matter.
    pub blend: Vec<f64>,
    /// The piece is so many times as fast as its songs, at the same pitch: 0.5 to 2. Usual: 1.
    pub tempo: f64,
    /// The piece is so many semitones higher than its songs, -12 to 12. Usual: 0.
    pub transpose_semitones: i32,
}

impl Default for GrainOptions {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 30,
            continuity: 4.0,
            variety: 1.5,
            key: 0.5,
            form: 2.0,
            longest_run_seconds: 1.2,
            copy_limit: 0.75,
            drafts: 8,
            pieces: 3,
            network: 1.0,
            beat: 1.0,
            keep_key: false,
            opening: Opening::Beginning,
            blend: Vec::new(),
            tempo: 1.0,
            transpose_semitones: 0,
        }
    }
}

impl GrainOptions {
    /// Options for more or less adventure: 0 stays close to the song's ways, 1 leaves them; 0.5 is the
    /// usual.
    ///
    /// # Errors
    /// [`Error::Argument`] outside 0 to 1.
    pub fn adventurous(share: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::argument("adventurous", "a number from 0 to 1", share));
        }
        let between = |calm: f64, wild: f64| (calm + (wild - calm) * share) as f32;
        Ok(Self {
            temperature: between(0.55, 1.05),
            top_k: between(10.0, 50.0).round() as usize,
            continuity: between(5.5, 2.5),
            variety: between(1.0, 2.0),
            key: between(1.0, 0.0),
            form: between(3.0, 1.0),
            ..Self::default()
        })
    }

    /// The share of each of `songs`, adding up to 1; nothing where it does not matter.
    pub(super) fn shares_of(&self, songs: usize) -> Option<Vec<f64>> {
        let sum: f64 = self.blend.iter().sum();
        (self.blend.len() == songs && songs > 1)
            .then(|| self.blend.iter().map(|weight| weight / sum).collect())
    }

    /// Whether they are possible, for a pool of so many songs, with a guest or without.
    pub(super) fn check_for(&self, songs: usize, has_guest: bool) -> Result<()> {
        self.check()?;
        if !self.blend.is_empty() && self.blend.len() != songs {
            let expected = match songs {
                1 => "1 number, as there is 1 song".to_owned(),
                _ => format!("{songs} numbers, one for each song"),
            };
            return Err(Error::argument("blend", expected, self.blend_as_typed()));
        }
        if self.opening != Opening::Beginning && !has_guest {
            let expected = "a guest to begin from (`GrainComposer::with_guest`)";
            return Err(Error::argument(
                "opening",
                expected,
                format!("{:?}, no guest", self.opening),
            ));
        }
        Ok(())
    }

    /// The weights as a list with commas.
    fn blend_as_typed(&self) -> String {
        let weights: Vec<String> = self.blend.iter().map(|weight| format!("{weight:?}")).collect();
        weights.join(",")
    }

    /// Refuses what is impossible whatever the songs, as composing does.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
        let sum: f64 = self.blend.iter().sum();
        let weighs = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        let fits = self.blend.iter().all(weighs) && sum.is_finite() && sum > 0.0;
        if !self.blend.is_empty() && !fits {
            let expected = "numbers from 0, not all 0, one for each song";
            return Err(Error::argument("blend", expected, self.blend_as_typed()));
        }
        if !(0.5..=2.0).contains(&self.tempo) {
            return Err(Error::argument("tempo", "0.5 to 2 times the songs' tempo", self.tempo));
        }
        if !(-12..=12).contains(&self.transpose_semitones) {
            let found = self.transpose_semitones;
            return Err(Error::argument("transpose_semitones", "-12 to 12 semitones", found));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(Error::argument("temperature", "a number above 0", self.temperature));
        }
        Error::refuse_zero([("top_k", self.top_k)])?;
        Error::refuse_zero([("drafts", self.drafts)])?;
        if !(1..=100).contains(&self.pieces) {
            return Err(Error::argument("pieces", "1 to 100", self.pieces));
        }
        let weights = [
            ("continuity", self.continuity),
            ("variety", self.variety),
            ("key", self.key),
            ("form", self.form),
            ("network", self.network),
            ("beat", self.beat),
        ];
        for (name, weight) in weights {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(Error::argument(name, "a number, 0 or more", weight));
            }
        }
        if self.longest_run_seconds.is_nan() || self.longest_run_seconds <= 0.0 {
            let found = self.longest_run_seconds;
            return Err(Error::argument("longest_run_seconds", "a number above 0", found));
        }
        if !(0.0..=1.0).contains(&self.copy_limit) {
            return Err(Error::argument("copy_limit", "a number from 0 to 1", self.copy_limit));
        }
        Ok(())
    }
}
