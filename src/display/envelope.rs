//! What a waveform looks like from afar: extremes and loudness per column.

/// The extremes and the root mean square of consecutive parts of a signal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Envelope {
    pub low: Vec<f32>,
    pub high: Vec<f32>,
    pub rms: Vec<f32>,
}

impl Envelope {
    /// Cuts `samples` into `columns` parts of (almost) equal length. Samples that are not finite
    /// count as silence.
    pub fn of(samples: &[f32], columns: usize) -> Self {
        let columns = columns.max(1);
        let mut envelope = Self { low: vec![], high: vec![], rms: vec![] };
        for column in 0..columns {
            let start = column * samples.len() / columns;
            // At least one sample: a clip shorter than the picture is wide repeats its samples.
            let end = ((column + 1) * samples.len() / columns).max(start + 1).min(samples.len());
            let part = &samples[start.min(end)..end];
            let (mut low, mut high, power) = extremes_and_power(part);
            let mut rms = (power / part.len().max(1) as f32).sqrt();
            if !power.is_finite() {
                // Some are not finite, or so large that their squares are not.
                let sound = |v: &f32| if v.is_finite() { *v } else { 0.0 };
                let finite: Vec<f32> = part.iter().map(sound).collect();
                (low, high, _) = extremes_and_power(&finite);
                let power: f64 = finite.iter().map(|v| f64::from(*v).powi(2)).sum();
                rms = (power / part.len().max(1) as f64).sqrt() as f32;
            }
            envelope.low.push(low);
            envelope.high.push(high);
            envelope.rms.push(rms);
        }
        envelope
    }

    /// The root mean square over everything.
    pub fn loudness(&self) -> f64 {
        let power: f64 = self.rms.iter().map(|r| f64::from(*r).powi(2)).sum();
        (power / self.rms.len().max(1) as f64).sqrt()
    }

    /// The largest distance from zero.
    pub fn peak(&self) -> f32 {
        self.low.iter().chain(&self.high).fold(0.0, |peak, v| peak.max(v.abs()))
    }
}

/// The smallest and the largest sample and the sum of squares; zeros for no samples.
fn extremes_and_power(part: &[f32]) -> (f32, f32, f32) {
    let Some(first) = part.first() else { return (0.0, 0.0, 0.0) };
    // Eight of each side by side, so that the compiler can use vector registers.
    const LANES: usize = 8;
    let (mut low, mut high, mut power) = ([*first; LANES], [*first; LANES], [0f32; LANES]);
    let mut take = |lane: usize, v: f32| {
        low[lane] = if v < low[lane] { v } else { low[lane] };
        high[lane] = if v > high[lane] { v } else { high[lane] };
        power[lane] += v * v;
    };
    let chunks = part.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, v) in chunk.iter().enumerate() {
            take(lane, *v);
        }
    }
    rest.iter().for_each(|v| take(0, *v));
    let least = low.iter().copied().fold(*first, f32::min);
    let most = high.iter().copied().fold(*first, f32::max);
    (least, most, power.iter().sum())
}
