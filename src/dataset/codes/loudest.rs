//! How loud songs ever are, which nothing that is put together of their codes may exceed.

use super::bands::Bands;

/// The most that songs have in each band of each view, and in each of its octaves as a whole.
///
/// Codes may be put together that no song has together. Their sum can be louder than anything in the songs,
/// and undoing the compression makes much of little.
#[derive(Clone, Debug)]
pub(super) struct Loudest {
    /// Compressed magnitudes.
    pub bands: Vec<f32>,
    /// Powers of magnitudes that are not compressed; nothing for models from before they were kept.
    pub octaves: Option<Vec<f32>>,
}

impl Loudest {
    /// Of no song yet.
    pub fn silence(views: usize, bands: &Bands) -> Self {
        let octaves = Some(vec![0.0; views * bands.octaves()]);
        Self { bands: vec![0.0; views * bands.count()], octaves }
    }

    /// Takes in a frame of compressed magnitudes, view after view; `power` undoes the compression.
    pub fn hear(&mut self, frame: &[f32], bands: &Bands, power: f32) {
        self.bands.iter_mut().zip(frame).for_each(|(most, value)| *most = most.max(*value));
        let Some(octaves) = &mut self.octaves else { return };
        let views = frame.chunks_exact(bands.count());
        for (octaves, view) in octaves.chunks_exact_mut(bands.octaves()).zip(views) {
            let heard = bands.powers(view.iter().map(|level| level.max(0.0).powf(power)));
            octaves.iter_mut().zip(heard).for_each(|(most, heard)| *most = most.max(heard));
        }
    }

    /// Makes of a frame of compressed magnitudes such as are not compressed, and no louder than the songs.
    pub fn restrain(&self, frame: &mut [f32], bands: &Bands, power: f32) {
        for (level, most) in frame.iter_mut().zip(&self.bands) {
            *level = level.min(*most).max(0.0).powf(power);
        }
        let Some(octaves) = &self.octaves else { return };
        let views = frame.chunks_exact_mut(bands.count());
        for (octaves, view) in octaves.chunks_exact(bands.octaves()).zip(views) {
            let found = bands.powers(view.iter().copied());
            let softer: Vec<f32> = octaves
                .iter()
                .zip(found)
                .map(|(most, found)| if found > *most { (most / found).sqrt() } else { 1.0 })
                .collect();
            for (level, octave) in view.iter_mut().zip(bands.octave_of_each()) {
                *level *= softer[octave];
            }
        }
    }
}
