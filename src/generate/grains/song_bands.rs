//! The pitch bands of all songs in a row, and what grains correlate with in them.

use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::product;
use crate::dataset::grains::GrainPool;
use crate::features::PitchBands;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::rc::Rc;

/// A window whose values deviate less than this from their means holds nothing.
const FLAT_DB: f32 = 1.5;
/// Memory for products, and for statistics, in bytes.
const KEPT_BYTES: usize = 96 << 20;
/// Grains whose products are kept, and lengths whose statistics are, however much that is.
const FEWEST_KEPT: NonZeroUsize = NonZeroUsize::new(16).unwrap();
/// Rows whose products are computed at a time.
const TILE: usize = 4_096;
/// The lowest band of [`Aspect::Pitches`], A3: listeners' scales have few bands below it, semitones
/// half of theirs.
const LOWEST_PITCH: usize = 24;

/// What of pitch bands is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aspect {
    /// How they rise and fall: less the mean of each band over all songs.
    Movement,
    /// What they sound like to a listener.
    Sound,
    /// What pitches they have, however quiet: the bands as they are, from A3 up.
    Pitches,
}

/// The pitch bands of all songs, one after the other with a row of nothing after each, in one
/// [`Aspect`]; a place is a row that something may begin at.
pub(super) struct SongBands {
    /// How many of each row.
    bands: usize,
    values: Vec<f32>,
    /// The first row of each song, and the one after the last song.
    starts: Vec<usize>,
    /// Sums and sums of squares of all rows before each.
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// By grain: its products with every place.
    products: LruCache<usize, Rc<Vec<f32>>>,
    /// By frames: the statistics of the windows that are so long.
    statistics: LruCache<usize, Rc<Statistics>>,
}

/// What windows of one length have for mean and standard deviation, place by place.
pub(super) struct Statistics {
    /// The values of a window.
    pub(super) count: usize,
    pub(super) means: Vec<f32>,
    /// Infinite where a window would not lie within one song.
    pub(super) deviations: Vec<f32>,
}

/// Mean and standard deviation of some rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Spread {
    fn of(count: usize, sum: f64, squares: f64) -> Self {
        let count = count.max(1) as f64;
        let mean = sum / count;
        Self { mean, deviation: (squares / count - mean * mean).max(0.0).sqrt() }
    }
}

impl Aspect {
    /// How many values a row has.
    fn bands(self) -> usize {
        match self {
            Self::Movement | Self::Sound => PitchBands::BANDS,
            Self::Pitches => PitchBands::BANDS - LOWEST_PITCH,
        }
    }

    /// What is taken from each value of a row, if anything is.
    fn less(self, pool: &GrainPool) -> Vec<f32> {
        match self {
            Self::Movement => means(pool),
            Self::Sound => Vec::new(),
            Self::Pitches => {
                let means = &means(pool)[LOWEST_PITCH..];
                vec![means.iter().sum::<f32>() / means.len() as f32; means.len()]
            }
        }
    }

    /// What is compared of a song, of those whose values are so much `less`.
    fn of_song(self, song: &PitchBands, less: &[f32]) -> Vec<f32> {
        match self {
            Self::Sound => song.as_heard(),
            Self::Movement | Self::Pitches => {
                let first = PitchBands::BANDS - self.bands();
                let compared = |row: &[f32]| -> Vec<f32> {
                    row[first..].iter().zip(less).map(|(db, less)| db - less).collect()
                };
                song.rows().flat_map(compared).collect()
            }
        }
    }
}

/// The mean level of each band over all songs.
fn means(pool: &GrainPool) -> Vec<f32> {
    let (mut sums, mut frames) = ([0.0f64; PitchBands::BANDS], 0);
    for row in pool.songs().iter().flat_map(|song| song.bands.rows()) {
        sums.iter_mut().zip(row).for_each(|(sum, db)| *sum += f64::from(*db));
        frames += 1;
    }
    sums.map(|sum| (sum / f64::from(frames.max(1))) as f32).to_vec()
}

impl SongBands {
    pub(super) fn of(pool: &GrainPool, aspect: Aspect) -> Self {
        let (bands, less) = (aspect.bands(), aspect.less(pool));
        let rows = pool.songs().iter().map(|song| song.bands.frames() + 1).sum::<usize>();
        let (mut values, mut starts) = (Vec::with_capacity(rows * bands), vec![0]);
        for song in pool.songs() {
            values.extend(aspect.of_song(&song.bands, &less));
            values.resize(values.len() + bands, 0.0);
            starts.push(values.len() / bands);
        }
        let (mut sums, mut squares, mut sum, mut square) = (vec![0.0], vec![0.0], 0.0, 0.0);
        for row in values.chunks_exact(bands) {
            sum += row.iter().map(|v| f64::from(*v)).sum::<f64>();
            square += row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>();
            sums.push(sum);
            squares.push(square);
        }
        let kept = |values_per_row: usize| {
            let kept = KEPT_BYTES / (rows * values_per_row * size_of::<f32>()).max(1);
            NonZeroUsize::new(kept).map_or(FEWEST_KEPT, |kept| kept.max(FEWEST_KEPT))
        };
        Self {
            bands,
            values,
            starts,
            sums,
            squares,
            products: LruCache::new(kept(1)),
            statistics: LruCache::new(kept(2)),
        }
    }

    /// How many there are, of all songs.
    pub(super) fn places(&self) -> usize {
        self.sums.len() - 1
    }

    /// The rows of a grain.
    pub(super) fn rows_of(&self, pool: &GrainPool, grain: usize) -> Range<usize> {
        let grain = &pool.grains()[grain];
        let (start, end) = (self.starts[grain.song], self.starts[grain.song + 1] - 1);
        let row = |seconds: f64| (start + PitchBands::frames_in(seconds)).min(end);
        row(grain.start_seconds)..row(grain.end_seconds)
    }

    /// What some rows, of several parts, have for mean and standard deviation.
    pub(super) fn spread_of(&self, parts: impl Iterator<Item = Range<usize>>) -> Spread {
        let (mut frames, mut sum, mut squares) = (0, 0.0, 0.0);
        for rows in parts {
            frames += rows.len();
            sum += self.sums[rows.end] - self.sums[rows.start];
            squares += self.squares[rows.end] - self.squares[rows.start];
        }
        Spread::of(frames * self.bands, sum, squares)
    }

    /// The statistics of all windows of so many frames.
    pub(super) fn statistics(&mut self, frames: usize) -> Rc<Statistics> {
        if let Some(known) = self.statistics.get(&frames) {
            return known.clone();
        }
        let (mut means, mut deviations) =
            (vec![0.0; self.places()], vec![f32::INFINITY; self.places()]);
        for song in self.starts.windows(2) {
            // The last row of each is that of nothing.
            for place in song[0]..song[1].saturating_sub(frames).max(song[0]) {
                let spread = self.spread_of(std::iter::once(place..place + frames));
                (means[place], deviations[place]) = (spread.mean as f32, spread.deviation as f32);
            }
        }
        let statistics = Rc::new(Statistics { count: frames * self.bands, means, deviations });
        self.statistics.put(frames, statistics.clone());
        statistics
    }

    /// For every place, the product of a grain with what is there, or a frame earlier or later.
    pub(super) fn products_of(&mut self, pool: &GrainPool, grain: usize) -> Rc<Vec<f32>> {
        if let Some(known) = self.products.get(&grain) {
            return known.clone();
        }
        let rows = self.rows_of(pool, grain);
        let (frames, places) = (rows.len(), self.places());
        let mut products = vec![0.0; places];
        if frames > 0 {
            let patch = Matrix::new(self.patch(&rows), frames, self.bands);
            let mut pairs = vec![0.0; frames * (TILE + frames)];
            for tile in (0..places).step_by(TILE) {
                let columns = (TILE + frames - 1).min(places - tile);
                let there = &self.values[tile * self.bands..];
                let there = Matrix::new(there, columns, self.bands);
                product(&mut pairs, columns, patch, there.t(), Into::Overwrite);
                let tile = &mut products[tile..(tile + TILE).min(places)];
                vectorised(Diagonals { pairs: &pairs, columns, frames, products: tile });
            }
        }
        let products = Rc::new(elastic(&products));
        self.products.put(grain, products.clone());
        products
    }

    /// Whether the products of a grain are there already.
    pub(super) fn knows(&self, grain: usize) -> bool {
        self.products.contains(&grain)
    }

    /// As [`Self::products_of`], of some places in their order.
    pub(super) fn products_at(
        &self,
        rows: &Range<usize>,
        places: impl Iterator<Item = usize>,
    ) -> Vec<f32> {
        let patch = self.patch(rows);
        // Those of a place before are mostly those of the next one, too.
        let mut known: [Option<(usize, f32)>; 3] = [None; 3];
        let mut product = |place: usize| {
            if let Some((_, product)) = known[place % 3].filter(|known| known.0 == place) {
                return product;
            }
            let there = &self.values[place * self.bands..];
            let count = patch.len().min(there.len());
            let mut dot = Dot { a: &patch[..count], b: &there[..count], sum: 0.0 };
            vectorised(&mut dot);
            known[place % 3] = Some((place, dot.sum));
            dot.sum
        };
        let mut products = Vec::new();
        for place in places {
            let near = place.saturating_sub(1)..(place + 2).min(self.places());
            products.push(near.map(&mut product).fold(f32::NEG_INFINITY, f32::max));
        }
        products
    }

    fn patch(&self, rows: &Range<usize>) -> &[f32] {
        &self.values[rows.start * self.bands..rows.end * self.bands]
    }
}

impl Statistics {
    /// The correlation of a window with the place that it has this product with; nothing is alike
    /// where there is nothing.
    #[inline(always)]
    pub(super) fn correlation(&self, place: usize, product: f32, window: Spread) -> f64 {
        let (mean, deviation) = (self.means[place], self.deviations[place]);
        if deviation.min(window.deviation as f32) <= FLAT_DB || deviation == f32::INFINITY {
            return 0.0;
        }
        let common = f64::from(product) / self.count as f64 - window.mean * f64::from(mean);
        common / (f64::from(deviation) * window.deviation)
    }
}

/// The sums along the diagonals of `pairs`, the products of a grain's rows (`frames`) with `columns`
/// rows of the songs.
struct Diagonals<'a> {
    pairs: &'a [f32],
    columns: usize,
    frames: usize,
    products: &'a mut [f32],
}

impl Loop for Diagonals<'_> {
    #[inline(always)]
    fn run(self) {
        for frame in 0..self.frames.min(self.columns) {
            let diagonal = &self.pairs[frame * self.columns + frame..][..self.columns - frame];
            for (product, pair) in self.products.iter_mut().zip(diagonal) {
                *product += pair;
            }
        }
    }
}

/// The product of two slices of one length.
struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
    sum: f32,
}

impl Loop for &mut Dot<'_> {
    #[inline(always)]
    fn run(self) {
        let mut sums = [0f32; 16];
        let ((a, a_rest), (b, b_rest)) = (self.a.as_chunks::<16>(), self.b.as_chunks::<16>());
        for (a, b) in a.iter().zip(b) {
            for i in 0..16 {
                sums[i] += a[i] * b[i];
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        self.sum = sums.iter().sum::<f32>() + rest;
    }
}

/// The largest of each product and its neighbours: a place fits, too, where a grain comes a frame earlier
/// or later than there.
fn elastic(products: &[f32]) -> Vec<f32> {
    let mut largest = products.to_vec();
    vectorised(Elastic { products, largest: &mut largest });
    largest
}

/// Raises each value to the larger of its neighbours.
pub(super) struct Elastic<'a> {
    pub(super) products: &'a [f32],
    pub(super) largest: &'a mut [f32],
}

impl Loop for Elastic<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { products, largest } = self;
        let raise =
            |value: &mut f32, other: &f32| *value = if *other > *value { *other } else { *value };
        for (value, after) in largest.iter_mut().zip(products.iter().skip(1)) {
            raise(value, after);
        }
        for (value, before) in largest.iter_mut().skip(1).zip(products) {
            raise(value, before);
        }
    }
}
