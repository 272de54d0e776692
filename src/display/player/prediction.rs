//! Linear prediction of samples from those before them.

/// Bits of a predictor's coefficient, sign included.
pub(super) const PRECISION: u32 = 12;

/// Coefficients of the adaptive predictor.
pub(super) const ORDER: usize = 8;

/// How a block of samples is predicted.
#[derive(Clone, Debug)]
pub(super) enum Predictor {
    /// One of FLAC's polynomial predictors, of order 0 to 4.
    Fixed(usize),
    /// A weighted sum of the previous samples, the latest first, divided by 2^shift.
    Linear { coefficients: Vec<i32>, shift: u32 },
}

impl Predictor {
    pub fn order(&self) -> usize {
        match self {
            Self::Fixed(order) => *order,
            Self::Linear { coefficients, .. } => coefficients.len(),
        }
    }

    /// What prediction leaves over, from the first sample that has enough before it.
    pub fn residual(&self, samples: &[i32]) -> Vec<i32> {
        match self {
            Self::Fixed(order) => {
                let mut values = samples.to_vec();
                for step in 0..*order {
                    for i in (step + 1..values.len()).rev() {
                        values[i] -= values[i - 1];
                    }
                }
                values.split_off((*order).min(values.len()))
            }
            Self::Linear { coefficients, shift } => samples
                .windows(coefficients.len() + 1)
                .map(|window| {
                    let (past, now) = window.split_at(coefficients.len());
                    let sum: i64 = past
                        .iter()
                        .rev()
                        .zip(coefficients)
                        .map(|(p, c)| i64::from(*p) * i64::from(*c))
                        .sum();
                    now[0] - (sum >> shift) as i32
                })
                .collect(),
        }
    }
}

/// The predictor with the smallest residual for these samples.
pub(super) fn best(samples: &[i32]) -> Predictor {
    let size = |predictor: &Predictor| -> u64 {
        predictor.residual(samples).iter().map(|r| u64::from(r.unsigned_abs())).sum()
    };
    let fixed = (0..=4usize.min(samples.len() / 2)).map(Predictor::Fixed);
    let linear = coefficients(samples).and_then(|a| quantised(&a));
    let candidates = fixed.chain(linear).map(|p| (size(&p), p));
    candidates.min_by_key(|(size, _)| *size).map_or(Predictor::Fixed(0), |(_, p)| p)
}

/// The coefficients a with x\[n\] ≈ Σ a\[i\] x\[n−1−i\], from the autocorrelation of the windowed samples
/// by the Levinson-Durbin recursion. Nothing for silence or very short blocks.
pub(super) fn coefficients(samples: &[i32]) -> Option<[f64; ORDER]> {
    let n = samples.len();
    if n < 4 * ORDER {
        return None;
    }
    let windowed: Vec<f32> = samples
        .iter()
        .enumerate()
        .map(|(i, s)| {
            // Welch's window, a parabola.
            let t = (2.0 * i as f32 + 1.0) / n as f32 - 1.0;
            *s as f32 * (1.0 - t * t)
        })
        .collect();
    let mut correlation = [0f64; ORDER + 1];
    for (lag, value) in correlation.iter_mut().enumerate() {
        // Eight sums side by side, so that the compiler can use vector registers.
        let (a, b) = (&windowed[lag..], &windowed[..n - lag]);
        let mut sums = [0f32; 8];
        for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
            for k in 0..8 {
                sums[k] += a[k] * b[k];
            }
        }
        let rest = a.len() / 8 * 8;
        let tail: f32 = a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum();
        *value = sums.iter().map(|s| f64::from(*s)).sum::<f64>() + f64::from(tail);
    }
    let mut error = correlation[0] * (1.0 + 1e-9);
    if error <= 0.0 {
        return None;
    }
    let mut a = [0f64; ORDER];
    for i in 0..ORDER {
        let sum: f64 = (0..i).map(|j| a[j] * correlation[i - j]).sum();
        let reflection = (correlation[i + 1] - sum) / error;
        if !reflection.is_finite() || reflection.abs() >= 1.0 {
            break;
        }
        let previous = a;
        for j in 0..i {
            a[j] = previous[j] - reflection * previous[i - 1 - j];
        }
        a[i] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    Some(a)
}

fn quantised(a: &[f64; ORDER]) -> Option<Predictor> {
    let largest = a.iter().fold(0f64, |m, v| m.max(v.abs()));
    let limit = f64::from((1 << (PRECISION - 1)) - 1);
    let shift = (limit / largest).log2().floor();
    if !(0.0..16.0).contains(&shift) {
        return None;
    }
    let scale = 2f64.powf(shift);
    let coefficients = a.iter().map(|v| (v * scale).round().clamp(-limit, limit) as i32).collect();
    Some(Predictor::Linear { coefficients, shift: shift as u32 })
}
