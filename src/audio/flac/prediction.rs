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
}

/// What a polynomial predictor leaves over, from the first sample that has enough before it.
fn fixed_residual(samples: &[i32], order: usize) -> Vec<i32> {
    let mut values = samples.to_vec();
    for step in 0..order {
        for i in (step + 1..values.len()).rev() {
            values[i] -= values[i - 1];
        }
    }
    values.split_off(order.min(values.len()))
}

/// Samples are computed on in runs of so many.
const RUN: usize = 512;

/// Of samples of up to 17 bits: times eight 12-bit coefficients they stay within 31 bits.
fn linear_residual(samples: &[i32], coefficients: &[i32; ORDER], shift: u32) -> Vec<i32> {
    let mut residual = samples.get(ORDER..).unwrap_or_default().to_vec();
    let mut sums = [0i32; RUN];
    for (run, part) in residual.chunks_mut(RUN).enumerate() {
        let sums = &mut sums[..part.len()];
        sums.fill(0);
        for (back, coefficient) in coefficients.iter().enumerate() {
            let from = run * RUN + ORDER - 1 - back;
            for (sum, sample) in sums.iter_mut().zip(&samples[from..]) {
                *sum += sample * coefficient;
            }
        }
        part.iter_mut().zip(sums).for_each(|(value, sum)| *value -= *sum >> shift);
    }
    residual
}

/// Of samples of any width; nothing where the residual is wider than FLAC takes.
fn wide_residual(samples: &[i32], coefficients: &[i32; ORDER], shift: u32) -> Option<Vec<i32>> {
    let of_window = |window: &[i32]| {
        let past = window[..ORDER].iter().rev();
        let sum: i64 = past.zip(coefficients).map(|(s, c)| i64::from(*s) * i64::from(*c)).sum();
        let value = i64::from(window[ORDER]) - (sum >> shift);
        i32::try_from(value).ok().filter(|value| value.unsigned_abs() < 1 << 30)
    };
    samples.windows(ORDER + 1).map(of_window).collect()
}

/// Up to this width a prediction is computed in 32 bits.
const NARROW: u32 = 17;

/// The predictor with the smallest residual for these samples of `width` bits, and that residual.
pub(super) fn best(samples: &[i32], width: u32) -> (Predictor, Vec<i32>) {
    let (order, size) = best_fixed_order(samples);
    if let Some(linear) = coefficients(samples).and_then(|a| quantised(&a))
        && let Predictor::Linear { coefficients, shift } = &linear
    {
        let residual = match width <= NARROW {
            true => Some(linear_residual(samples, coefficients, *shift)),
            false => wide_residual(samples, coefficients, *shift),
        };
        if let Some(residual) = residual
            && residual.iter().map(|r| u64::from(r.unsigned_abs())).sum::<u64>() < size
        {
            return (linear, residual);
        }
    }
    let fixed = Predictor::Fixed(order);
    let residual = fixed_residual(samples, order);
    (fixed, residual)
}

/// The best of the polynomial predictors and the sum of its residual's absolute values.
fn best_fixed_order(samples: &[i32]) -> (usize, u64) {
    let mut sums = [0u64; 5];
    let length = samples.len().saturating_sub(4);
    let after = |back: usize| &samples[4 - back..][..length];
    if length > 0 {
        let windows = after(0).iter().zip(after(1)).zip(after(2)).zip(after(3)).zip(after(4));
        for ((((s, a), b), c), d) in windows {
            let differences =
                [*s, s - a, s - 2 * a + b, s - 3 * a + 3 * b - c, s - 4 * a + 6 * b - 4 * c + d];
            for (sum, difference) in sums.iter_mut().zip(differences) {
                *sum += u64::from(difference.unsigned_abs());
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
