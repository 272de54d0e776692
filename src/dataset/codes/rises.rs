//! How much the bands of spectra rise from one frame to the next.

use super::bands::Bands;

/// What has less than this share of a song's loudest power does not rise: -80 dB.
const SILENT: f32 = 1e-8;

/// The mean rise of bands, frame after frame: the strength of onsets.
pub(super) struct Rises<'a> {
    bands: &'a Bands,
    /// What undoes the compression of magnitudes.
    power: f32,
    /// Groups of bands of the frame before, in dB.
    before_db: Vec<f32>,
    sum_db: f64,
    count: usize,
}

impl<'a> Rises<'a> {
    /// Of no frame yet.
    pub fn of(bands: &'a Bands, power: f32) -> Self {
        Self { bands, power, before_db: Vec::new(), sum_db: 0.0, count: 0 }
    }

    /// Takes in the next frame of compressed magnitudes; of several views the first one.
    pub fn hear(&mut self, frame: impl Iterator<Item = f32>) {
        let levels = frame.take(self.bands.count()).map(|level| level.max(0.0).powf(self.power));
        let powers = self.bands.group_powers(levels).into_iter();
        let now_db: Vec<f32> = powers.map(|power| 10.0 * power.max(SILENT).log10()).collect();
        if !self.before_db.is_empty() {
            let pairs = now_db.iter().zip(&self.before_db);
            self.sum_db +=
                pairs.map(|(now, before)| f64::from((now - before).max(0.0))).sum::<f64>();
            self.count += now_db.len();
        }
        self.before_db = now_db;
    }

    /// What comes next is another song.
    pub fn pause(&mut self) {
        self.before_db.clear();
    }

    /// The mean over groups and frames.
    pub fn mean_db(&self) -> f32 {
        (self.sum_db / self.count.max(1) as f64) as f32
    }
}
