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

/// How many rows there are, and mean and summed squared deviation of every number of a row.
///
/// Within a song in two passes, over songs by the update of Chan, Golub and LeVeque (1983), all in
/// double precision: the same songs in the same order give the same bits, whether they are in memory
/// together or one after the other.
///
/// ```
/// use neural_composer::features::RowStatistics;
/// let mut all = RowStatistics::of(1, &[1.0, 2.0]);
/// all.merge(&RowStatistics::of(1, &[6.0]))?;
/// assert_eq!((all.rows, all.mean[0], all.squares[0]), (3, 3.0, 14.0));
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RowStatistics {
    /// How many rows.
    pub rows: u64,
    /// The mean of each number of a row.
    pub mean: Vec<f64>,
    /// The sum of the squared differences from that mean.
    pub squares: Vec<f64>,
}

impl RowStatistics {
    /// Of no row of `width` numbers.
    pub fn none(width: usize) -> Self {
        Self { rows: 0, mean: vec![0.0; width], squares: vec![0.0; width] }
    }

    /// Of `rows`, `width` numbers each; what fills no row does not count.
    pub fn of(width: usize, rows: &[f32]) -> Self {
        let mut all = Self::none(width);
        let count = rows.len() / width.max(1);
        if count == 0 {
            return all;
        }
        for row in rows.chunks_exact(width) {
            for (sum, value) in all.mean.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        all.mean.iter_mut().for_each(|sum| *sum /= count as f64);
        for row in rows.chunks_exact(width) {
            for ((sum, mean), value) in all.squares.iter_mut().zip(&all.mean).zip(row) {
                *sum += (f64::from(*value) - mean).powi(2);
            }
        }
        all.rows = count as u64;
        all
    }

    /// Counts `others`, too.
    ///
    /// # Errors
    /// [`Error::Argument`] for rows of another width.
    pub fn merge(&mut self, others: &Self) -> Result<()> {
        if others.mean.len() != self.mean.len() || others.squares.len() != self.squares.len() {
            let expected = format!("statistics of rows of {} numbers", self.mean.len());
            return Err(Error::argument("others", expected, others.mean.len()));
        }
        if others.rows == 0 {
            return Ok(());
        }
        if self.rows == 0 {
            *self = others.clone();
            return Ok(());
        }
        let (before, new) = (self.rows as f64, others.rows as f64);
        let all = before + new;
        let own = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, squares), (other, other_squares)) in
            own.zip(others.mean.iter().zip(&others.squares))
        {
            let apart = other - *mean;
            *mean += apart * (new / all);
            *squares += other_squares + apart * apart * (before * new / all);
        }
        self.rows += others.rows;
        Ok(())
    }
}

impl Normaliser {
    /// Fits on groups of rows (one group a song), `width` numbers a row; see [`RowStatistics`]. The
    /// deviation is the population's (divided by the row count).
    ///
    /// # Errors
    /// [`Error::Data`] when there is no row.
    pub fn fit<'a>(width: usize, groups: impl IntoIterator<Item = &'a [f32]>) -> Result<Self> {
        let mut all = RowStatistics::none(width);
        for group in groups {
            all.merge(&RowStatistics::of(width, group))?;
        }
        Self::from_rows(&all)
    }

    /// As [`fit`](Self::fit), from what was counted of the rows.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no row.
    pub fn from_rows(statistics: &RowStatistics) -> Result<Self> {
        let count = statistics.rows as f64;
        if statistics.rows == 0 {
            return Err(Error::Data("there is no block to fit the normalisation on".into()));
        }
        let deviation = |squares: &f64| ((squares / count).sqrt() as f32).max(MIN_DEVIATION);
        Ok(Self {
            mean: statistics.mean.iter().map(|mean| *mean as f32).collect(),
            deviation: statistics.squares.iter().map(deviation).collect(),
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
