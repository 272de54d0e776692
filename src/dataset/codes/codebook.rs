//! Codebooks: rows of numbers as a few whole numbers each.

use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::product;
use crate::words::counted;
use crate::{Error, Result, interrupt};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How large a [`Codebook`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodebookSettings {
    /// Entries that are added up for a row.
    pub stages: usize,
    /// Entries to choose from in each stage; fewer where there are fewer rows.
    pub codes: usize,
    /// Draws the first entries.
    pub seed: u64,
}

/// Rows of numbers as a few whole numbers each: residual vector quantisation.
///
/// The first stage names the nearest of some entries, each further one the nearest to what is left
/// (B.-H. Juang and A. Gray, "Multiple stage vector quantization for speech coding", 1982). Entries are
/// the means of their rows (Lloyd's method), drawn at first as D. Arthur and S. Vassilvitskii do it
/// ("k-means++", 2007).
///
/// ```
/// use neural_composer::dataset::codes::{Codebook, CodebookSettings};
/// let rows = [0.0, 0.0, 0.1, 0.0, 5.0, 5.0, 5.1, 5.0];
/// let settings = CodebookSettings { stages: 1, codes: 2, seed: 1 };
/// let book = Codebook::fit(&rows, 2, settings)?;
/// let codes = book.encode(&rows)?;
/// assert_eq!((codes[0], codes[2]), (codes[1], codes[3]));
/// assert!((book.decode(&codes[..1])?[0] - 0.05).abs() < 1e-6);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Codebook {
    width: usize,
    /// The entries of each stage, one after the other.
    stages: Vec<Vec<f32>>,
}

/// Rows that entries are fitted to at most, and passes over them.
const MOST_ROWS: usize = 8_192;
const PASSES: usize = 15;

impl Codebook {
    /// Fits entries to `rows`, each of `width` numbers.
    ///
    /// # Errors
    /// [`Error::Argument`] without rows, or for a size of 0; [`Error::Interrupted`] on a request to stop.
    pub fn fit(rows: &[f32], width: usize, settings: CodebookSettings) -> Result<Self> {
        interrupt::check()?;
        if width == 0 || rows.is_empty() || !rows.len().is_multiple_of(width) {
            let found = format!("{} numbers", rows.len());
            return Err(Error::argument("rows", format!("rows of {width} numbers"), found));
        }
        Error::refuse_zero([("stages", settings.stages), ("codes", settings.codes)])?;
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        let mut places: Vec<usize> = (0..rows.len() / width).collect();
        if places.len() > MOST_ROWS {
            places.shuffle(&mut random);
            places.truncate(MOST_ROWS);
        }
        let mut rest: Vec<f32> =
            places.iter().flat_map(|place| &rows[place * width..][..width]).copied().collect();
        let mut stages = Vec::with_capacity(settings.stages);
        for _ in 0..settings.stages {
            let entries = means(&rest, width, settings.codes, &mut random)?;
            let nearest = nearest(&rest, &entries, width);
            for (row, code) in rest.chunks_exact_mut(width).zip(nearest) {
                subtract(row, &entries[code as usize * width..][..width]);
            }
            stages.push(entries);
        }
        // A stage that needs fewer entries than another repeats its first one, which is never the
        // nearest before itself: so every code of a network stands for something.
        let most = stages.iter().map(Vec::len).max().unwrap_or(0);
        for entries in &mut stages {
            let first = entries[..width].to_vec();
            entries.extend(std::iter::repeat_n(first, (most - entries.len()) / width).flatten());
        }
        Ok(Self { width, stages })
    }

    /// What [`entries`](Self::entries) gave; nothing where it does not fit together.
    pub(super) fn from_entries(width: usize, stages: Vec<Vec<f32>>) -> Option<Self> {
        let length = stages.first()?.len();
        let fits = width > 0 && length > 0 && length.is_multiple_of(width);
        (fits && stages.iter().all(|entries| entries.len() == length))
            .then_some(Self { width, stages })
    }

    /// The entries of each stage, one after the other.
    pub(super) fn entries(&self) -> &[Vec<f32>] {
        &self.stages
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many stages.
    pub fn stages(&self) -> usize {
        self.stages.len()
    }

    /// Entries of each stage.
    pub fn codes(&self) -> usize {
        self.stages[0].len() / self.width
    }

    /// How alike the entries of the first stage are: for each two the cosine between them, less their
    /// average.
    pub(crate) fn likeness(&self) -> Vec<f32> {
        let entries = &self.stages[0];
        let count = entries.len() / self.width;
        let mut middle = vec![0.0f32; self.width];
        for entry in entries.chunks_exact(self.width) {
            middle.iter_mut().zip(entry).for_each(|(sum, value)| *sum += value / count as f32);
        }
        let directions: Vec<f32> = entries
            .chunks_exact(self.width)
            .flat_map(|entry| {
                let centred: Vec<f32> = entry.iter().zip(&middle).map(|(v, m)| v - m).collect();
                let length = centred.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-9);
                centred.into_iter().map(move |value| value / length)
            })
            .collect();
        let mut likeness = vec![0.0; count * count];
        let rows = Matrix::new(&directions, count, self.width);
        product(&mut likeness, count, rows, rows.t(), Into::Overwrite);
        likeness
    }

    /// The codes of `rows`: one for each stage, row after row.
    ///
    /// # Errors
    /// [`Error::Argument`] for rows of another width.
    pub fn encode(&self, rows: &[f32]) -> Result<Vec<u32>> {
        if !rows.len().is_multiple_of(self.width) {
            let found = format!("{} numbers", rows.len());
            return Err(Error::argument("rows", format!("rows of {} numbers", self.width), found));
        }
        let mut rest = rows.to_vec();
        let mut codes = vec![0; rows.len() / self.width * self.stages()];
        for (stage, entries) in self.stages.iter().enumerate() {
            let nearest = nearest(&rest, entries, self.width);
            for (index, (row, code)) in rest.chunks_exact_mut(self.width).zip(nearest).enumerate() {
                subtract(row, &entries[code as usize * self.width..][..self.width]);
                codes[index * self.stages() + stage] = code;
            }
        }
        Ok(codes)
    }

    /// The rows that `codes` stand for.
    ///
    /// # Errors
    /// [`Error::Argument`] when they are no whole rows, or one names no entry.
    pub fn decode(&self, codes: &[u32]) -> Result<Vec<f32>> {
        if !codes.len().is_multiple_of(self.stages()) {
            let expected = format!("{} a row", counted(self.stages(), "code"));
            return Err(Error::argument("codes", expected, codes.len()));
        }
        let mut rows = Vec::with_capacity(codes.len() / self.stages() * self.width);
        for codes in codes.chunks_exact(self.stages()) {
            let start = rows.len();
            rows.resize(start + self.width, 0.0);
            for (code, entries) in codes.iter().zip(&self.stages) {
                let at = *code as usize * self.width;
                let Some(entry) = entries.get(at..at + self.width) else {
                    let expected = format!("below {}", entries.len() / self.width);
                    return Err(Error::argument("codes", expected, code));
                };
                rows[start..].iter_mut().zip(entry).for_each(|(sum, value)| *sum += value);
            }
        }
        Ok(rows)
    }
}

fn subtract(row: &mut [f32], entry: &[f32]) {
    row.iter_mut().zip(entry).for_each(|(value, entry)| *value -= entry);
}

/// For each row the number of the nearest entry.
pub(super) fn nearest(rows: &[f32], entries: &[f32], width: usize) -> Vec<u32> {
    let count = entries.len() / width;
    let halves: Vec<f32> = entries
        .chunks_exact(width)
        .map(|entry| 0.5 * entry.iter().map(|value| value * value).sum::<f32>())
        .collect();
    let mut found = Vec::with_capacity(rows.len() / width);
    let mut products = vec![0.0f32; 1_024 * count];
    for part in rows.chunks(1_024 * width) {
        let number = part.len() / width;
        let (left, right) =
            (Matrix::new(part, number, width), Matrix::new(entries, count, width).t());
        product(&mut products[..number * count], count, left, right, Into::Overwrite);
        for row in products[..number * count].chunks_exact(count) {
            let mut best = (f32::NEG_INFINITY, 0);
            for (index, (product, half)) in row.iter().zip(&halves).enumerate() {
                if product - half > best.0 {
                    best = (product - half, index as u32);
                }
            }
            found.push(best.1);
        }
    }
    found
}

/// Lowers the squared distances in `away` to those from `entry` where it is nearer; `columns` has the
/// rows that they belong to, a number of every row after the other.
fn nearer(away: &mut [f64], columns: &[f32], entry: &[f32]) {
    const ROWS: usize = 512;
    let number = away.len();
    for (part, away) in away.chunks_mut(ROWS).enumerate() {
        // Rows beside each other are what a processor does at once.
        let mut squares = [0.0f32; ROWS];
        for (column, place) in columns.chunks_exact(number).zip(entry) {
            for (sum, value) in squares.iter_mut().zip(&column[part * ROWS..][..away.len()]) {
                *sum += (value - place) * (value - place);
            }
        }
        for (distance, squares) in away.iter_mut().zip(squares) {
            *distance = distance.min(squares.into());
        }
    }
}

/// At most `count` means of `rows`.
fn means(rows: &[f32], width: usize, count: usize, random: &mut ChaCha8Rng) -> Result<Vec<f32>> {
    let number = rows.len() / width;
    let row = |index: usize| &rows[index * width..][..width];
    let columns: Vec<f32> =
        (0..width).flat_map(|at| rows.iter().skip(at).step_by(width)).copied().collect();
    // Each new entry is drawn with the likelihood of its squared distance to those before.
    let mut entries: Vec<f32> = row(random.random_range(0..number)).to_vec();
    let mut away = vec![f64::INFINITY; number];
    nearer(&mut away, &columns, &entries);
    while entries.len() < count.min(number) * width {
        // Rows that are all there already leave nothing to draw from.
        let Ok(by_distance) = WeightedIndex::new(&away) else { break };
        let drawn = by_distance.sample(random);
        entries.extend_from_slice(row(drawn));
        nearer(&mut away, &columns, row(drawn));
    }
    for _ in 0..PASSES {
        if interrupt::requested() {
            return Err(Error::Interrupted("while spectra were put in order".into()));
        }
        let codes = nearest(rows, &entries, width);
        let mut sums = vec![0.0f64; entries.len()];
        let mut counts = vec![0u32; entries.len() / width];
        for (row, code) in rows.chunks_exact(width).zip(codes) {
            counts[code as usize] += 1;
            let to = &mut sums[code as usize * width..][..width];
            to.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        for ((entry, sums), count) in
            entries.chunks_exact_mut(width).zip(sums.chunks_exact(width)).zip(&counts)
        {
            // An entry that nothing is nearest to stays where it is.
            if *count > 0 {
                let mean = |sum: &f64| (sum / f64::from(*count)) as f32;
                entry.iter_mut().zip(sums).for_each(|(value, sum)| *value = mean(sum));
            }
        }
    }
    Ok(entries)
}
