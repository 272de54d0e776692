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
            let (mut low, mut high, mut power) = (f32::INFINITY, f32::NEG_INFINITY, 0.0f32);
            for sample in part {
                let sample = if sample.is_finite() { *sample } else { 0.0 };
                low = low.min(sample);
                high = high.max(sample);
                power += sample * sample;
            }
            let empty = part.is_empty();
            envelope.low.push(if empty { 0.0 } else { low });
            envelope.high.push(if empty { 0.0 } else { high });
            envelope.rms.push(if empty { 0.0 } else { (power / part.len() as f32).sqrt() });
        }
        envelope
    }

    /// The largest distance from zero.
    pub fn peak(&self) -> f32 {
        self.low.iter().chain(&self.high).fold(0.0, |peak, v| peak.max(v.abs()))
    }
}
