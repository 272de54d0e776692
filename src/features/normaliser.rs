//! Normalisation of rows to mean 0 and deviation 1.

use crate::numbers::Numbers;
use crate::{Error, Result};

/// The smallest deviation used, as in the course: a number that never changes is not divided by 0.
pub const MIN_DEVIATION: f32 = 1e-8;

/// Mean and standard deviation of every number of a row, over all rows of the training data.
///
/// ```
/// use neural_composer::features::Normaliser;
/// let mut rows = vec![1.0, 10.0, 3.0, 10.0]; // two rows of two numbers
/// let normaliser = Normaliser::fit(2, [rows.as_slice()])?;
/// normaliser.apply(&mut rows)?;
/// assert_eq!(rows, [-1.0, 0.0, 1.0, 0.0]);
/// normaliser.undo(&mut rows)?;
/// assert_eq!(rows, [1.0, 10.0, 3.0, 10.0]);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Normaliser {
    mean: Numbers,
    deviation: Numbers,
}

impl Normaliser {
    /// Fits on groups of rows (one group a song), `width` numbers a row. Sums run in double
    /// precision, in two passes; the deviation is the population's (divided by the row count).
    ///
    /// # Errors
    /// [`Error::Data`] when there is no row.
    pub fn fit<'a>(
        width: usize,
        groups: impl IntoIterator<Item = &'a [f32]> + Clone,
    ) -> Result<Self> {
        let rows = || groups.clone().into_iter().flat_map(|group| group.chunks_exact(width));
        let count = rows().count();
        if count == 0 {
            return Err(Error::Data("there is no block to fit the normalisation on".into()));
        }
        let mut mean = vec![0f64; width];
        for row in rows() {
            for (sum, value) in mean.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= count as f64);
        let mut variance = vec![0f64; width];
        for row in rows() {
            for ((sum, mean), value) in variance.iter_mut().zip(&mean).zip(row) {
                *sum += (f64::from(*value) - mean).powi(2);
            }
        }
        let deviation =
            variance.iter().map(|sum| ((sum / count as f64).sqrt() as f32).max(MIN_DEVIATION));
        Ok(Self {
            deviation: deviation.collect(),
            mean: mean.iter().map(|mean| *mean as f32).collect(),
        })
    }

    /// From stored statistics, one mean and one deviation per number of a row.
    ///
    /// # Errors
    /// [`Error::Argument`] when the lengths differ, or a deviation is not a number above 0.
    pub fn from_statistics(mean: Vec<f32>, deviation: Vec<f32>) -> Result<Self> {
        if mean.len() != deviation.len() {
            return Err(Error::argument(
                "deviation",
                format!("{} numbers, as many as means", mean.len()),
                deviation.len(),
            ));
        }
        if let Some(bad) = deviation.iter().find(|d| !(d.is_finite() && **d > 0.0)) {
            return Err(Error::argument("deviation", "numbers above 0", bad));
        }
        Ok(Self { mean: mean.into(), deviation: deviation.into() })
    }

    /// Numbers per row.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The mean of each number of a row.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation of each number of a row, at least [`MIN_DEVIATION`].
    pub fn deviation(&self) -> &[f32] {
        &self.deviation
    }

    /// Brings `rows` to mean 0 and deviation 1, in place.
    ///
    /// # Errors
    /// [`Error::Argument`] when `rows` is not a whole number of rows.
    pub fn apply(&self, rows: &mut [f32]) -> Result<()> {
        self.each_row(rows, |value, mean, deviation| (value - mean) / deviation)
    }

    /// The inverse of [`apply`](Self::apply).
    ///
    /// # Errors
    /// [`Error::Argument`] when `rows` is not a whole number of rows.
    pub fn undo(&self, rows: &mut [f32]) -> Result<()> {
        self.each_row(rows, |value, mean, deviation| value * deviation + mean)
    }

    fn each_row(&self, rows: &mut [f32], change: impl Fn(f32, f32, f32) -> f32) -> Result<()> {
        if !rows.len().is_multiple_of(self.width()) {
            return Err(Error::argument(
                "rows",
                format!("a whole number of rows of {} numbers", self.width()),
                format!("{} numbers", rows.len()),
            ));
        }
        for row in rows.chunks_exact_mut(self.width()) {
            for ((value, mean), deviation) in
                row.iter_mut().zip(self.mean.iter()).zip(self.deviation.iter())
            {
                *value = change(*value, *mean, *deviation);
            }
        }
        Ok(())
    }
}
