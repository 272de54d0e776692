//! Principal components of rows.

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::compute::dot::dot_f64;
use crate::compute::elementwise::{Loop, vectorised};
use crate::{Error, Result, interrupt};

/// The directions in which rows differ most, found by orthogonal iteration.
///
/// [`project`](Self::project) gives each row's place along them in standard deviations.
#[derive(Clone, Debug)]
pub struct PrincipalComponents {
    mean: Vec<f32>,
    /// Directions of length 1, one after the other.
    axes: Vec<f32>,
    deviations: Vec<f32>,
}

/// Directions beyond those asked for, and iterations: what makes the last ones accurate too.
const SPARE: usize = 8;
const ITERATIONS: usize = 40;
/// Components with a smaller share of the largest deviation are noise: they are not blown up.
const SMALLEST_SHARE: f32 = 1e-3;

impl PrincipalComponents {
    /// What [`parts`](Self::parts) gave; nothing where it does not fit together.
    pub(crate) fn from_parts([mean, axes, deviations]: [Vec<f32>; 3]) -> Option<Self> {
        let fits = !mean.is_empty()
            && !deviations.is_empty()
            && axes.len() == mean.len() * deviations.len();
        fits.then_some(Self { mean, axes, deviations })
    }

    /// Mean, directions one after the other, deviations along them.
    pub(crate) fn parts(&self) -> [&[f32]; 3] {
        [&self.mean, &self.axes, &self.deviations]
    }

    /// The `count` strongest directions of `rows`, each of `width` numbers; fewer when the rows are
    /// narrower.
    ///
    /// # Errors
    /// [`Error::Argument`] without rows, or when they are no whole number of rows.
    pub fn fit(rows: &[f32], width: usize, count: usize) -> Result<Self> {
        interrupt::check()?;
        if width == 0 || rows.is_empty() || !rows.len().is_multiple_of(width) {
            let found = format!("{} numbers", rows.len());
            return Err(Error::argument("rows", format!("rows of {width} numbers"), found));
        }
        let number = rows.len() / width;
        let mut mean = vec![0.0f32; width];
        for row in rows.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        mean.iter_mut().for_each(|sum| *sum /= number as f32);
        let centred: Vec<f32> = rows
            .chunks_exact(width)
            .flat_map(|row| row.iter().zip(&mean).map(|(value, mean)| value - mean))
            .collect();
        let centred = Tensor::from_vec(centred, (number, width), &Device::Cpu)?;
        let covariance = (centred.t()?.contiguous()?.matmul(&centred)? / number as f64)?;

        let count = count.min(width);
        let directions = (count + SPARE).min(width);
        // Any start that is not orthogonal to the answer will do; the same one for the same answer.
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut axes: Vec<f32> =
            (0..directions * width).map(|_| random.random_range(-1.0..1.0)).collect();
        make_orthonormal(&mut axes, width);
        for _ in 0..ITERATIONS {
            let turned = Tensor::from_vec(axes, (directions, width), &Device::Cpu)?;
            axes = turned.matmul(&covariance)?.flatten_all()?.to_vec1()?;
            make_orthonormal(&mut axes, width);
        }
        axes.truncate(count * width);
        let axes_tensor = Tensor::from_slice(&axes, (count, width), &Device::Cpu)?;
        let spread: Vec<f32> =
            (axes_tensor.matmul(&covariance)? * &axes_tensor)?.sum(1)?.to_vec1()?;
        let largest = spread.iter().copied().fold(0.0, f32::max).max(0.0).sqrt();
        let least = (largest * SMALLEST_SHARE).max(f32::MIN_POSITIVE.sqrt());
        let deviations = spread.iter().map(|variance| variance.max(0.0).sqrt().max(least));
        Ok(Self { mean, axes, deviations: deviations.collect() })
    }

    /// How many directions.
    pub fn count(&self) -> usize {
        self.deviations.len()
    }

    /// How far rows spread along each direction, the farthest first.
    pub fn deviations(&self) -> &[f32] {
        &self.deviations
    }

    /// The rows' places along the directions, in standard deviations: rows × count.
    ///
    /// # Errors
    /// [`Error::Argument`] for rows of another width.
    pub fn project(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let (width, count) = (self.mean.len(), self.count());
        if !rows.len().is_multiple_of(width) {
            let found = format!("{} numbers", rows.len());
            return Err(Error::argument("rows", format!("rows of {width} numbers"), found));
        }
        let centred: Vec<f32> = rows
            .chunks_exact(width)
            .flat_map(|row| row.iter().zip(&self.mean).map(|(value, mean)| value - mean))
            .collect();
        if centred.is_empty() {
            return Ok(centred);
        }
        let centred = Tensor::from_vec(centred, (rows.len() / width, width), &Device::Cpu)?;
        let axes = Tensor::from_slice(&self.axes, (count, width), &Device::Cpu)?;
        let mut places: Vec<f32> =
            centred.matmul(&axes.t()?.contiguous()?)?.flatten_all()?.to_vec1()?;
        for row in places.chunks_exact_mut(count) {
            row.iter_mut().zip(&self.deviations).for_each(|(place, deviation)| *place /= deviation);
        }
        Ok(places)
    }

    /// The rows at `places`, rows × count, as far as these directions tell them: the way back from
    /// [`project`](Self::project).
    ///
    /// # Errors
    /// [`Error::Argument`] for places of another width.
    pub fn restore(&self, places: &[f32]) -> Result<Vec<f32>> {
        let (width, count) = (self.mean.len(), self.count());
        if !places.len().is_multiple_of(count) {
            let found = format!("{} numbers", places.len());
            return Err(Error::argument("places", format!("rows of {count} numbers"), found));
        }
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let scaled: Vec<f32> = places
            .chunks_exact(count)
            .flat_map(|row| row.iter().zip(&self.deviations).map(|(place, scale)| place * scale))
            .collect();
        let scaled = Tensor::from_vec(scaled, (places.len() / count, count), &Device::Cpu)?;
        let axes = Tensor::from_slice(&self.axes, (count, width), &Device::Cpu)?;
        let mut rows: Vec<f32> = scaled.matmul(&axes)?.flatten_all()?.to_vec1()?;
        for row in rows.chunks_exact_mut(width) {
            row.iter_mut().zip(&self.mean).for_each(|(value, mean)| *value += mean);
        }
        Ok(rows)
    }
}

/// Gram and Schmidt's method, each direction against those before it; twice, for accuracy.
fn make_orthonormal(axes: &mut [f32], width: usize) {
    for index in 0..axes.len() / width {
        let (before, rest) = axes.split_at_mut(index * width);
        let axis = &mut rest[..width];
        for _ in 0..2 {
            let mut length = 0.0;
            vectorised(Cleared { axis, before, length: &mut length });
            if length > 1e-20 {
                axis.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
            } else {
                // Nothing is left in this direction: any place will do, the next pass makes it right.
                axis.fill(0.0);
                axis[index % width] = 1.0;
            }
        }
    }
}

/// What lies along each direction before an axis is taken from it; then its length.
struct Cleared<'a> {
    axis: &'a mut [f32],
    before: &'a [f32],
    length: &'a mut f64,
}

impl Loop for Cleared<'_> {
    #[inline(always)]
    fn run(self) {
        for other in self.before.chunks_exact(self.axis.len()) {
            let along = dot_f64(self.axis, other) as f32;
            self.axis.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
        }
        *self.length = dot_f64(self.axis, self.axis).sqrt();
    }
}
