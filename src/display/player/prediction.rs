//! Linear prediction of samples from those before them.

/// Bits of a predictor's coefficient, sign included.
pub(super) const PRECISION: u32 = 12;

/// Coefficients of the adaptive predictor.
const ORDER: usize = 8;

/// How a block of samples is predicted.
#[derive(Clone, Debug)]
pub(super) enum Predictor {
    /// One of FLAC's polynomial predictors, of order 0 to 4.
    Fixed(usize),
    /// A weighted sum of the previous samples, the latest first, divided by 2^shift.
    Linear { coefficients: [i32; ORDER], shift: u32 },
}

impl Predictor {
    pub fn order(&self) -> usize {
        match self {
            Self::Fixed(order) => *order,
            Self::Linear { .. } => ORDER,
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
            Self::Linear { coefficients, shift } => {
                // 16-bit samples times eight 12-bit coefficients stay within 31 bits.
                let mut oldest_first = *coefficients;
                oldest_first.reverse();
                samples
                    .windows(ORDER + 1)
                    .map(|window| {
                        let sum: i32 = (0..ORDER).map(|i| window[i] * oldest_first[i]).sum();
                        window[ORDER] - (sum >> shift)
                    })
                    .collect()
            }
        }
    }
}

/// The predictor with the smallest residual for these samples, and that residual.
pub(super) fn best(samples: &[i32]) -> (Predictor, Vec<i32>) {
    let (order, size) = best_fixed_order(samples);
    if let Some(linear) = coefficients(samples).and_then(|a| quantised(&a)) {
        let residual = linear.residual(samples);
        if residual.iter().map(|r| u64::from(r.unsigned_abs())).sum::<u64>() < size {
            return (linear, residual);
        }
    }
    let fixed = Predictor::Fixed(order);
    let residual = fixed.residual(samples);
    (fixed, residual)
}

/// The best of the polynomial predictors and the sum of its residual's absolute values.
fn best_fixed_order(samples: &[i32]) -> (usize, u64) {
    let mut sums = [0u64; 5];
    let mut last = [0i32; 4];
    for (i, sample) in samples.iter().enumerate() {
        let mut difference = *sample;
        for order in 0..5 {
            if i >= 4 {
                sums[order] += u64::from(difference.unsigned_abs());
            }
            if order < 4 {
                let next = difference - last[order];
                last[order] = difference;
                difference = next;
            }
        }
    }
    let highest = 4.min(samples.len() / 2);
    let best = (0..=highest).min_by_key(|order| sums[*order]).unwrap_or(0);
    (best, sums[best])
}

/// The coefficients a with x\[n\] ≈ Σ a\[i\] x\[n−1−i\], from the autocorrelation of the windowed samples
/// by the Levinson-Durbin recursion. Nothing for silence or very short blocks.
fn coefficients(samples: &[i32]) -> Option<[f64; ORDER]> {
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
    let coefficients = a.map(|v| (v * scale).round().clamp(-limit, limit) as i32);
    Some(Predictor::Linear { coefficients, shift: shift as u32 })
}
