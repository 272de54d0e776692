//! Where two sounds are alike: correlation of windows of one with windows of the other.

use super::frames::{Frames, Scale};
use crate::compute::dot::dot;
use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::product;
use std::ops::Range;

/// The place of `source` that a window of `piece` resembles most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Match {
    /// Pearson's correlation, 1 for the same.
    pub correlation: f32,
    /// First frame of the window in the source.
    pub frame: usize,
}

/// For each window of `window` frames of `piece` the most similar window of `source`; windows that
/// hold nothing match nothing. Every place is compared with every place.
pub(super) fn best_matches(piece: &Frames, source: &Frames, window: usize) -> Vec<Match> {
    sweep(piece, source, window, None, None).0
}

/// As [`best_matches`], and the longest stretch, in frames, along which the windows of `runs.window`
/// frames correlate better than `runs.least` at one distance in time, but for short dips.
pub(super) fn best_matches_and_run(
    piece: &Frames,
    source: &Frames,
    window: usize,
    runs: Runs,
) -> (Vec<Match>, usize) {
    sweep(piece, source, window, Some(runs), None)
}

/// As [`best_matches_and_run`], of the frames `part` of `sound` and all that is elsewhere in it: windows
/// with fewer than `apart` frames between them are not compared.
pub(super) fn best_matches_and_run_elsewhere(
    sound: &Frames,
    part: Range<usize>,
    window: usize,
    runs: Runs,
    apart: usize,
) -> (Vec<Match>, usize) {
    let near = Near { part: part.start, apart };
    sweep(&sound.part(part), sound, window, Some(runs), Some(near))
}

/// Where the piece begins in the source that it is a part of, and how many frames have to be between
/// windows that are compared.
#[derive(Clone, Copy, Debug)]
struct Near {
    part: usize,
    apart: usize,
}

impl Near {
    /// Windows of the source that are too near to the piece's window `start`.
    #[inline(always)]
    fn places(self, start: usize, window: usize) -> Range<usize> {
        let (here, away) = (self.part + start, window + self.apart);
        here.saturating_sub(away - 1)..here + away
    }
}

/// What belongs to a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    /// Frames that are compared at a time.
    pub window: usize,
    /// What correlates no better ends a run …
    pub least: f32,
    /// … unless it goes on after so many windows, or fewer; 255 at most.
    pub dips: u8,
}

/// Windows of the source, and frames of the piece, whose products are held at a time.
const TILE: usize = 1024;

/// The products of all frames of the piece with all frames of the source, a tile at a time, and their
/// sums along the windows.
fn sweep(
    piece: &Frames,
    source: &Frames,
    window: usize,
    runs: Option<Runs>,
    near: Option<Near>,
) -> (Vec<Match>, usize) {
    let mut longest = 0;
    let starts = (piece.len() + 1).saturating_sub(window);
    let mut best = vec![Match::default(); starts];
    let mut along_best = Along::new(piece, source, window, near);
    let mut along_runs = runs.map(|runs| Along::new(piece, source, runs.window, near));
    let widest = window.max(runs.map_or(0, |runs| runs.window));
    let places = along_best.places().max(along_runs.as_ref().map_or(0, Along::places));
    // The run that reaches the tile's last window, for each window of the piece.
    let mut carried = vec![Run::default(); piece.len()];
    let mut products = vec![0f32; (TILE + widest) * (TILE + widest - 1)];
    for tile in (0..places).step_by(TILE) {
        let columns = (TILE + widest - 1).min(source.len() - tile);
        along_best.enter(tile, columns);
        if let Some(along) = &mut along_runs {
            along.enter(tile, columns);
        }
        let mut open = vec![Run::default(); piece.len() + TILE];
        let mut reached = vec![Run::default(); piece.len()];
        for band in (0..piece.len()).step_by(TILE) {
            let rows = TILE.min(piece.len() - band);
            // What the windows leave behind in this band entered them in the one before.
            products.copy_within(TILE * columns..(TILE + widest) * columns, 0);
            product(
                &mut products[widest * columns..],
                columns,
                Matrix::new(&piece.values[band * piece.bands..], rows, piece.bands),
                Matrix::new(&source.values[tile * piece.bands..], columns, piece.bands).t(),
                Into::Overwrite,
            );
            let products = Products { values: &products, columns, band, before: widest, rows };
            vectorised(Best { along: &mut along_best, products, tile, best: &mut best });
            if let Some((along, runs)) = along_runs.as_mut().zip(runs) {
                vectorised(Longest {
                    along,
                    products,
                    runs,
                    open: &mut open,
                    carried: &carried,
                    reached: &mut reached,
                    longest: &mut longest,
                });
            }
        }
        carried = reached;
    }
    let run = match (longest, runs) {
        (1.., Some(runs)) => longest as usize - 1 + runs.window,
        _ => 0,
    };
    (best, run)
}

/// Products of frames `before + rows` of the piece, of which the first `before` come before frame
/// `band`, with `columns` frames of the source.
#[derive(Clone, Copy)]
struct Products<'a> {
    values: &'a [f32],
    columns: usize,
    band: usize,
    before: usize,
    rows: usize,
}

impl Products<'_> {
    /// Those of one frame of the piece.
    #[inline(always)]
    fn row(&self, frame: usize) -> &[f32] {
        &self.values[(frame + self.before - self.band) * self.columns..][..self.columns]
    }
}

/// Windows of one length, and the sums of products that they move along the diagonals.
struct Along {
    window: usize,
    near: Option<Near>,
    count: f64,
    piece: Vec<Scale>,
    means: Vec<f64>,
    inverse_lengths: Vec<f64>,
    /// For each diagonal of a tile the sum over the running window.
    sums: Vec<f64>,
    /// The correlations of one window of the piece with the tile's.
    correlations: Vec<f32>,
    tile: usize,
    /// The tile's frames that these windows need.
    columns: usize,
}

impl Along {
    fn new(piece: &Frames, source: &Frames, window: usize, near: Option<Near>) -> Self {
        let scales = |frames: &Frames| -> Vec<Scale> {
            let starts = (frames.len() + 1).saturating_sub(window);
            (0..starts).map(|start| frames.scale(start, window)).collect()
        };
        let source = scales(source);
        Self {
            window,
            near,
            count: (window * piece.bands) as f64,
            piece: scales(piece),
            means: source.iter().map(|scale| scale.mean).collect(),
            inverse_lengths: source.iter().map(|scale| scale.inverse_length).collect(),
            sums: Vec::new(),
            correlations: vec![0.0; TILE],
            tile: 0,
            columns: 0,
        }
    }

    /// Windows of the source.
    fn places(&self) -> usize {
        self.means.len()
    }

    /// Begins a tile of `columns` frames.
    fn enter(&mut self, tile: usize, columns: usize) {
        let starts = self.places().saturating_sub(tile).min(TILE);
        self.tile = tile;
        self.columns = if starts == 0 { 0 } else { (starts + self.window - 1).min(columns) };
        self.sums.clear();
        self.sums.resize(self.piece.len() + self.window + self.columns, 0.0);
    }

    /// Takes frame `frame` of the piece in; gives the window that ends with it, and its correlations
    /// with the tile's windows, once a window is full.
    #[inline(always)]
    fn step(&mut self, products: &Products<'_>, frame: usize) -> Option<(usize, &[f32])> {
        let (window, columns) = (self.window, self.columns);
        if columns < window || self.piece.is_empty() {
            return None;
        }
        // Each frame's diagonals begin one further left: no sum has to be moved.
        let first = self.piece.len() + window - 2 - frame;
        let sums = &mut self.sums[first..first + columns];
        for (sum, product) in sums.iter_mut().zip(&products.row(frame)[..columns]) {
            *sum += f64::from(*product);
        }
        if frame >= window {
            let left = &products.row(frame - window)[..columns - window];
            for (sum, product) in sums[window..].iter_mut().zip(left) {
                *sum -= f64::from(*product);
            }
        }
        let start = (frame + 1).checked_sub(window)?;
        let Scale { mean, inverse_length } = self.piece[start];
        let shift = self.count * mean;
        let starts = columns + 1 - window;
        let means = &self.means[self.tile..][..starts];
        let inverse_lengths = &self.inverse_lengths[self.tile..][..starts];
        let correlations = &mut self.correlations[..starts];
        for (((to, sum), mean), inverse) in
            correlations.iter_mut().zip(&sums[window - 1..]).zip(means).zip(inverse_lengths)
        {
            *to = ((sum - shift * mean) * (inverse_length * inverse)) as f32;
        }
        if let Some(near) = self.near {
            let places = near.places(start, window);
            let here = |place: usize| place.saturating_sub(self.tile).min(starts);
            correlations[here(places.start)..here(places.end)].fill(0.0);
        }
        Some((start, correlations))
    }
}

struct Best<'a> {
    along: &'a mut Along,
    products: Products<'a>,
    tile: usize,
    best: &'a mut [Match],
}

impl Loop for Best<'_> {
    #[inline(always)]
    fn run(self) {
        for frame in self.products.band..self.products.band + self.products.rows {
            let Some((start, row)) = self.along.step(&self.products, frame) else { continue };
            let best = &mut self.best[start];
            if largest(row) > best.correlation {
                for (index, correlation) in row.iter().enumerate() {
                    if *correlation > best.correlation {
                        *best = Match { correlation: *correlation, frame: self.tile + index };
                    }
                }
            }
        }
    }
}

/// The windows of a run so far and, below them in eight bits, those of the dip that it is in.
#[derive(Clone, Copy, Default)]
struct Run(u32);

impl Run {
    #[inline(always)]
    fn windows(self) -> u32 {
        self.0 >> 8
    }

    /// With one more window, that correlates better than what ends a run or not.
    #[inline(always)]
    fn next(self, holds: bool, dips: u8) -> Self {
        let dip = self.0 & 255;
        let goes_on = self.0 > 255 && dip < u32::from(dips);
        match holds {
            true => Self((self.windows() + dip + 1) << 8),
            false => Self(if goes_on { self.0 + 1 } else { 0 }),
        }
    }
}

struct Longest<'a> {
    along: &'a mut Along,
    products: Products<'a>,
    runs: Runs,
    /// The run on each diagonal.
    open: &'a mut [Run],
    carried: &'a [Run],
    reached: &'a mut [Run],
    longest: &'a mut u32,
}

impl Loop for Longest<'_> {
    #[inline(always)]
    fn run(self) {
        let Runs { least, dips, .. } = self.runs;
        for frame in self.products.band..self.products.band + self.products.rows {
            let Some((start, row)) = self.along.step(&self.products, frame) else { continue };
            let first = self.carried.len() - 1 - start;
            let open = &mut self.open[first..first + row.len()];
            open[0] = start.checked_sub(1).map_or(Run::default(), |before| self.carried[before]);
            let mut longest = 0;
            for (run, correlation) in open.iter_mut().zip(row) {
                *run = run.next(*correlation > least, dips);
                longest = longest.max(run.windows());
            }
            *self.longest = longest.max(*self.longest);
            self.reached[start] = open[open.len() - 1];
        }
    }
}

/// In sixteen parts, so that the compiler may use vector instructions.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let mut parts = [f32::NEG_INFINITY; 16];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for (part, value) in parts.iter_mut().zip(chunk) {
            *part = if *value > *part { *value } else { *part };
        }
    }
    parts.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// The correlation of one window of `piece` with the window of `source` that starts `diagonal` frames
/// later; 0 where that is outside, or where one of them holds nothing.
pub(super) fn correlation_at(
    piece: &Frames,
    source: &Frames,
    start: usize,
    diagonal: isize,
    window: usize,
) -> f32 {
    let Some(other) = start.checked_add_signed(diagonal) else { return 0.0 };
    if start + window > piece.len() || other + window > source.len() {
        return 0.0;
    }
    let dots = (0..window).map(|t| dot(piece.frame(start + t), source.frame(other + t)));
    let product: f64 = dots.map(f64::from).sum();
    let (a, b) = (piece.scale(start, window), source.scale(other, window));
    let count = (window * piece.bands) as f64;
    ((product - count * a.mean * b.mean) * (a.inverse_length * b.inverse_length)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANDS: usize = 12;
    const WINDOW: usize = 40;

    /// Frames whose bands deviate from -23.7 dB by so much at most.
    fn frames(deviation_db: f32) -> Frames {
        let value = |at: usize| ((at as f32 * 0.37).sin() + (at as f32 * 1.7).sin()) / 2.0;
        let values = (0..100 * BANDS).map(|at| -23.7 + deviation_db * value(at));
        Frames::new(values.collect(), BANDS)
    }

    #[test]
    fn one_window_correlates_as_all_do() {
        let (piece, source) = (frames(20.0).part(30..90), frames(20.0));
        let best = best_matches(&piece, &source, WINDOW)[5];
        let at = best.frame as isize - 5;
        let one = correlation_at(&piece, &source, 5, at, WINDOW);
        assert_eq!(at, 30);
        assert!((one - best.correlation).abs() < 1e-4 && one > 0.999, "{one}");
    }

    #[test]
    fn windows_that_hold_nothing_are_like_nothing() {
        for nothing in [frames(0.0), frames(1e-5), frames(1e-3)] {
            assert_eq!(correlation_at(&nothing, &nothing, 3, 7, WINDOW), 0.0);
            assert_eq!(correlation_at(&frames(20.0), &nothing, 3, 7, WINDOW), 0.0);
            assert_eq!(best_matches(&nothing, &nothing, WINDOW)[3].correlation, 0.0);
        }
    }
}
