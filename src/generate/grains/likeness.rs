//! Likeness of the end of a piece to every place of the songs, in one aspect of their bands.

use super::song_bands::{Aspect, Elastic, SongBands, Spread, Statistics};
use crate::compute::elementwise::{Loop, vectorised};
use crate::dataset::grains::GrainPool;
use crate::features::PitchBands;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::rc::Rc;

/// How much less than the limit a bound has to be, in units of correlation: it is computed in single
/// precision.
const SLACK: f64 = 0.002;
/// Where more than one of so many places has to be looked at, all are at once.
const FEW: usize = 16;
/// Places of the songs that are compared with others, with how many, and how far away these are.
const COMPARED: usize = 120;
const COMPARED_WITH: usize = 190;
const FAR_SECONDS: f64 = 4.0;
/// Rows of grains whose products are kept: those of both windows, for last grains of several lengths.
const KEPT_BEFORE: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// How much the end of a piece is like every place of the songs, in one aspect.
///
/// The grains of a piece keep the pitch bands that they have in their songs; how well a row of grains
/// fits a place is therefore the sum of how well each grain fits there, and what one grain fits is
/// computed once. Transposed grains count as they are in the song: a transposed copy is a copy.
///
/// Of a grain that may come next only those places are looked at where the piece before it fits so
/// well that, were the grain the very one that is there, all of it would be too alike: a few of
/// hundreds of thousands.
pub(super) struct Likeness {
    songs: SongBands,
    /// By the grains before the last one: their products with every place.
    before: LruCache<Vec<usize>, Rc<Vec<f32>>>,
    /// What is computed for all places; kept for its memory.
    work: (Vec<f32>, Vec<f32>),
}

/// How long a piece has been like the songs in their own order: the places where it is now, in their
/// order, and for how many frames it has followed the song up to each.
#[derive(Clone, Default)]
pub(super) struct Ends(Rc<Vec<(usize, usize)>>);

impl Ends {
    /// The frames that are followed up to a place.
    fn up_to(&self, place: usize) -> usize {
        self.0.binary_search_by_key(&place, |end| end.0).map_or(0, |found| self.0[found].1)
    }
}

/// The grains at the end of a piece, to be compared with places.
pub(super) struct Window {
    /// Where in the piece its first grain is.
    first: usize,
    frames: usize,
    /// Frames of the last grain.
    last: usize,
    spread: Spread,
}

/// What a run is: a row of windows that correlate better than `follows` with a song in its own order,
/// and how many frames of it are allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) follows: f64,
    pub(super) longest_frames: f64,
}

impl Likeness {
    pub(super) fn of(pool: &GrainPool, aspect: Aspect) -> Self {
        Self {
            songs: SongBands::of(pool, aspect),
            before: LruCache::new(KEPT_BEFORE),
            work: Default::default(),
        }
    }

    /// The grains at the end of `piece` that are at least `seconds` long; none while there are fewer.
    pub(super) fn last(&self, pool: &GrainPool, piece: &[usize], seconds: f64) -> Option<Window> {
        let least = PitchBands::frames_in(seconds);
        let is_own = |grain: usize| pool.grains()[grain].song < pool.own_songs().len();
        let rows = |grain: &usize| self.songs.rows_of(pool, *grain);
        let (mut frames, mut first) = (0, piece.len());
        while frames < least {
            first = first.checked_sub(1).filter(|first| is_own(piece[*first]))?;
            frames += rows(&piece[first]).len();
        }
        let spread = self.songs.spread_of(piece[first..].iter().map(rows));
        Some(Window {
            first,
            frames,
            last: piece.last().map_or(0, |last| rows(last).len()),
            spread,
        })
    }

    /// The places that `window` correlates better with than `least`, in their order, and how well.
    pub(super) fn alike(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        window: &Window,
        least: f64,
    ) -> Vec<(usize, f64)> {
        let Some((grain, before)) = piece[window.first..].split_last() else { return Vec::new() };
        if window.frames > self.songs.places() {
            // Songs that are shorter than a window have no place like it.
            return Vec::new();
        }
        let before = self.before(pool, before);
        let rows = self.songs.rows_of(pool, *grain);
        let (there, of_grain) =
            (self.songs.statistics(window.frames), self.songs.statistics(window.last));
        let offset = window.frames - window.last;
        let mut places = Vec::new();
        let (own, bounds) = &mut self.work;
        vectorised(Possible {
            before: &before,
            offset,
            window: window.spread,
            grain: self.songs.spread_of(std::iter::once(rows.clone())),
            there: &there,
            of_grain: &of_grain,
            limit: least - SLACK,
            own,
            bounds,
            places: &mut places,
        });
        let many = places.len() > before.len() / FEW;
        let at = places.iter().map(|place| place + offset);
        let of_grain: Vec<f32> = match many || self.songs.knows(*grain) {
            true => {
                let known = self.songs.products_of(pool, *grain);
                at.map(|place| known[place]).collect()
            }
            false => self.songs.products_at(&rows, at),
        };
        let correlation = |(place, of_grain): (usize, f32)| {
            let product = before[place] + of_grain;
            (place, there.correlation(place, product, window.spread))
        };
        let alike = places.into_iter().zip(of_grain).map(correlation);
        alike.filter(|(_, correlation)| *correlation > least).collect()
    }

    /// What so large a `share` of the songs' places correlate less with each other than, windows of
    /// `seconds` that are not near each other.
    pub(super) fn among_places(&mut self, seconds: f64, share: f64) -> f64 {
        let frames = PitchBands::frames_in(seconds);
        let there = self.songs.statistics(frames);
        let places: Vec<usize> =
            (0..self.songs.places()).filter(|at| there.deviations[*at].is_finite()).collect();
        let far = PitchBands::frames_in(FAR_SECONDS);
        let spread = |count: usize| places.iter().step_by(places.len().div_ceil(count).max(1));
        let mut correlations = Vec::new();
        for window in spread(COMPARED) {
            let rows = *window..window + frames;
            let of_window = self.songs.spread_of(std::iter::once(rows.clone()));
            let others: Vec<usize> =
                spread(COMPARED_WITH).copied().filter(|at| at.abs_diff(*window) > far).collect();
            let products = self.songs.products_at(&rows, others.iter().copied());
            let pairs = others.into_iter().zip(products);
            correlations
                .extend(pairs.map(|(at, product)| there.correlation(at, product, of_window)));
        }
        let rank = (correlations.len() as f64 * share) as usize;
        match correlations.get(rank) {
            Some(_) => *correlations.select_nth_unstable_by(rank, f64::total_cmp).1,
            None => 0.0,
        }
    }

    /// The products of grains in a row with every place.
    fn before(&mut self, pool: &GrainPool, grains: &[usize]) -> Rc<Vec<f32>> {
        if let Some(known) = self.before.get(grains) {
            return known.clone();
        }
        let mut products = Vec::new();
        self.sum(pool, grains, &mut products);
        let products = Rc::new(products);
        self.before.put(grains.to_vec(), products.clone());
        products
    }

    /// The runs at the end of a piece that are longer than allowed: for how many frames it follows a
    /// song, and how well its last window correlates with that.
    pub(super) fn long_runs(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        window: &Window,
        (run, followed): (Run, &Ends),
    ) -> Vec<(usize, f64)> {
        if window.frames as f64 > run.longest_frames {
            let alike = self.alike(pool, piece, window, run.follows);
            let before = window.frames - window.last;
            let frames = |place| window.frames + followed.up_to(place + before);
            return alike.into_iter().map(|(place, alike)| (frames(place), alike)).collect();
        }
        self.long_runs_that_go_on(pool, piece, window, (run, followed))
    }

    /// As [`Self::long_runs`], where a window alone is not too long.
    fn long_runs_that_go_on(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        window: &Window,
        (run, followed): (Run, &Ends),
    ) -> Vec<(usize, f64)> {
        let Some((grain, before)) = piece[window.first..].split_last() else { return Vec::new() };
        let offset = window.frames - window.last;
        let least = run.longest_frames - window.frames as f64;
        let long = followed.0.iter().filter(|(_, frames)| *frames as f64 > least);
        let places: Vec<(usize, usize)> =
            long.filter_map(|(at, frames)| Some((at.checked_sub(offset)?, *frames))).collect();
        if places.is_empty() {
            return Vec::new();
        }
        let before = self.before(pool, before);
        let there = self.songs.statistics(window.frames);
        let rows = self.songs.rows_of(pool, *grain);
        let of_grain =
            self.songs.products_at(&rows, places.iter().map(|(place, _)| place + offset));
        let alike = places.into_iter().zip(of_grain).map(|((place, frames), of_grain)| {
            let product = before[place] + of_grain;
            (window.frames + frames, there.correlation(place, product, window.spread))
        });
        alike.filter(|(_, correlation)| *correlation > run.follows).collect()
    }

    /// What a piece has followed with the last grain of `window`, when before it was `followed`.
    pub(super) fn follow(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        window: &Window,
        (run, followed): (Run, &Ends),
    ) -> Ends {
        let mut products = std::mem::take(&mut self.work.0);
        self.sum(pool, &piece[window.first..], &mut products);
        let there = self.songs.statistics(window.frames);
        let follows = |(place, product): (usize, &f32)| {
            let correlation = there.correlation(place, *product, window.spread);
            let end = place + window.frames;
            (correlation > run.follows)
                .then(|| (end, window.last + followed.up_to(end - window.last)))
        };
        let ends = products.iter().enumerate().filter_map(follows).collect();
        self.work.0 = products;
        Ends(Rc::new(ends))
    }

    /// The products of grains in a row with every place.
    fn sum(&mut self, pool: &GrainPool, grains: &[usize], to: &mut Vec<f32>) {
        to.clear();
        to.resize(self.songs.places(), 0.0);
        let mut offset = 0;
        for grain in grains {
            let products = self.songs.products_of(pool, *grain);
            vectorised(Sum { products: &products[offset.min(products.len())..], to });
            offset += self.songs.rows_of(pool, *grain).len();
        }
    }
}

struct Sum<'a> {
    products: &'a [f32],
    to: &'a mut [f32],
}

impl Loop for Sum<'_> {
    #[inline(always)]
    fn run(self) {
        for (to, product) in self.to.iter_mut().zip(self.products) {
            *to += product;
        }
    }
}

/// The places that a piece could be too much like with a grain that has these statistics.
///
/// The product of two rows of values is at most that of their deviations and that of their means, times
/// their count.
struct Possible<'a> {
    /// The products of what comes before the grain, place by place.
    before: &'a [f32],
    /// How many frames later the grain begins.
    offset: usize,
    window: Spread,
    grain: Spread,
    there: &'a Statistics,
    of_grain: &'a Statistics,
    limit: f64,
    /// For work.
    own: &'a mut Vec<f32>,
    bounds: &'a mut Vec<f32>,
    places: &'a mut Vec<usize>,
}

/// How many places are looked at together.
const TOGETHER: usize = 64;

impl Loop for Possible<'_> {
    #[inline(always)]
    fn run(self) {
        let count = self.before.len().saturating_sub(self.offset);
        let grain_values = self.of_grain.count as f64;
        let (by_deviation, by_mean) =
            ((grain_values * self.grain.deviation) as f32, (grain_values * self.grain.mean) as f32);
        self.own.clear();
        let (means, deviations) = (&self.of_grain.means, &self.of_grain.deviations);
        let own = means[self.offset..].iter().zip(&deviations[self.offset..]);
        self.own.extend(own.map(|(mean, deviation)| by_deviation * deviation + by_mean * mean));
        self.bounds.clear();
        self.bounds.extend_from_slice(self.own);
        vectorised(Elastic { products: self.own, largest: self.bounds });
        let values = self.there.count as f64;
        let (by_deviation, by_mean) = (
            (values * self.window.deviation * self.limit) as f32,
            (values * self.window.mean) as f32,
        );
        let bounds = self.bounds.iter_mut().zip(&self.before[..count]);
        for ((bound, before), (mean, deviation)) in
            bounds.zip(self.there.means.iter().zip(&self.there.deviations))
        {
            *bound += before - by_mean * mean - by_deviation * deviation;
        }
        for (index, bounds) in self.bounds.chunks(TOGETHER).enumerate() {
            // No number, where no window begins, is none either.
            if bounds.iter().fold(false, |any, bound| any | (*bound > 0.0)) {
                let over = bounds.iter().enumerate().filter(|(_, bound)| **bound > 0.0);
                self.places.extend(over.map(|(place, _)| index * TOGETHER + place));
            }
        }
    }
}
