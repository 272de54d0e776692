//! The bins of a spectrum as bands: narrow ones below, wide ones above.

use super::settings::CodeSettings;

/// Bands of an octave where bins are put together.
const PER_OCTAVE: f64 = 24.0;

/// Which bins of a spectrum count together.
#[derive(Clone, Debug)]
pub(super) struct Bands {
    /// The first bin of each band, and the end of the last.
    edges: Vec<usize>,
}

impl Bands {
    /// Of a spectrum as `settings` say.
    pub fn of(settings: &CodeSettings) -> Self {
        Self { edges: std::iter::once(0).chain(ends(settings)).collect() }
    }

    /// The same, where there are as many as `count`; no more are looked at.
    pub fn of_count(settings: &CodeSettings, count: usize) -> Option<Self> {
        (ends(settings).take(count + 1).count() == count).then(|| Self::of(settings))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.edges.len() - 1
    }

    /// Bins of a spectrum.
    pub fn bins(&self) -> usize {
        self.edges[self.edges.len() - 1]
    }

    /// In which octave of the spectrum each band begins, counted from the lowest bin on.
    pub fn octave_of_each(&self) -> impl Iterator<Item = usize> + '_ {
        self.edges[..self.count()].iter().map(|first| (*first).max(1).ilog2() as usize)
    }

    /// How many octaves there are.
    pub fn octaves(&self) -> usize {
        self.octave_of_each().last().map_or(0, |octave| octave + 1)
    }

    /// The power of each octave, all of its bins together, for bands of these levels.
    pub fn powers(&self, levels: impl Iterator<Item = f32>) -> Vec<f32> {
        let mut powers = vec![0.0; self.octaves()];
        let widths = self.edges.windows(2).map(|edges| edges[1] - edges[0]);
        for ((level, octave), wide) in levels.zip(self.octave_of_each()).zip(widths) {
            powers[octave] += wide as f32 * level * level;
        }
        powers
    }

    /// The power of groups of bands as narrow as ears tell apart, about: three bins, or a twenty-fourth of an
    /// octave.
    pub fn group_powers(&self, levels: impl Iterator<Item = f32>) -> Vec<f32> {
        let (mut powers, mut first) = (vec![0.0], 0);
        for (edges, level) in self.edges.windows(2).zip(levels) {
            if edges[0] - first >= (first / 34).max(3) {
                powers.push(0.0);
                first = edges[0];
            }
            let last = powers.len() - 1;
            powers[last] += (edges[1] - edges[0]) as f32 * level * level;
        }
        powers
    }

    /// For each band of a spectrum the root of its bins' mean square.
    pub fn levels<'a>(&'a self, bins: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.edges.windows(2).map(|edges| match &bins[edges[0]..edges[1]] {
            [single] => *single,
            several => {
                let squares: f32 = several.iter().map(|bin| bin * bin).sum();
                (squares / several.len() as f32).sqrt()
            }
        })
    }

    /// Adds a spectrum whose bands have these levels to `to`; within a band its bins are to each other as
    /// those of `grain`, a spectrum.
    pub fn spread(&self, levels: &[f32], grain: &[f32], to: &mut Vec<f32>) {
        for ((edges, level), of_grain) in self.edges.windows(2).zip(levels).zip(self.levels(grain))
        {
            match &grain[edges[0]..edges[1]] {
                [_] => to.push(*level),
                several if of_grain > 0.0 => {
                    to.extend(several.iter().map(|bin| level * bin / of_grain));
                }
                several => to.extend(several.iter().map(|_| *level)),
            }
        }
    }
}

/// Where each band ends.
fn ends(settings: &CodeSettings) -> impl Iterator<Item = usize> {
    let window = settings.stft.window_samples;
    let bins = window / 2 + 1;
    let per_bin = f64::from(settings.sample_rate_hz) / window.max(1) as f64;
    let single = settings.single_bins_to_hz.map_or(f64::INFINITY, f64::from);
    let end = move |from: usize| {
        let together = from as f64 * (2f64.powf(1.0 / PER_OCTAVE) - 1.0);
        let alone = from as f64 * per_bin < single;
        let wide = if alone { 1 } else { (together.round() as usize).max(1) };
        (from < bins).then(|| (from + wide).min(bins))
    };
    std::iter::successors(end(0), move |from| end(*from))
}
