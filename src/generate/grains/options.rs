use crate::{Error, Result};
use serde::{Deserialize, Serialize};

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
    /// How much a smooth join counts. Usual: 3; 1 is careless, 6 timid.
    pub continuity: f32,
    /// How much a grain is shunned for each time it was used in the last 6 s. Usual: 1.5.
    pub variety: f32,
    /// How much a transposed grain is shunned, for each semitone: 0 does not care about the key.
    pub key: f32,
    /// How much the planned form counts: sections that return. 0 walks without a plan. Usual: 2.
    pub form: f32,
    /// The song's own order is never followed for longer, in seconds. Usual: 1.8.
    pub longest_run_seconds: f64,
    /// The last 2 s may not be more alike to any place of the songs than this, as a correlation of
    /// mel bands; 1 lets copies pass. Usual: 0.93.
    pub copy_limit: f64,
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
            longest_run_seconds: 1.8,
            copy_limit: 0.93,
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

    pub(super) fn check(&self) -> Result<()> {
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(Error::argument("temperature", "a number above 0", self.temperature));
        }
        if self.top_k == 0 {
            return Err(Error::argument("top_k", "at least 1", 0));
        }
        let weights = [
            ("continuity", self.continuity),
            ("variety", self.variety),
            ("key", self.key),
            ("form", self.form),
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
