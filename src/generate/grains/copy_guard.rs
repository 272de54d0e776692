//! The guard against copies: how much the end of a piece sounds like a place of the songs.

use crate::Result;
use crate::compute::elementwise::{Loop, vectorised};
use crate::dataset::grains::GrainPool;
use crate::features::PitchBands;
use candle_core::{Device, Tensor};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::rc::Rc;

/// Tells how much the end of a piece sounds like some place of the songs, and for how long it has done so.
///
/// The grains of a piece keep the pitch bands that they have in their songs; how well a row of grains
/// fits a place is therefore the sum of how well each grain fits there, and what one grain fits is
/// computed once. Transposed grains count as they are in the song: a transposed copy is a copy.
///
/// A place that only sounds like the one that goes on is followed, too: where a song repeats itself, a
/// piece that jumps from one time to the other plays on in the song's order all the same.
pub(super) struct CopyGuard {
    songs: Vec<SongBands>,
    /// By grain: its products with every place of every song.
    products: LruCache<usize, Rc<Vec<Vec<f32>>>>,
    /// What the last windows correlate with, place by place; kept for its memory.
    fits: Vec<f32>,
}

/// How long a piece has sounded like the songs in their own order: for every frame of every song the
/// frames up to it that the piece has followed.
#[derive(Clone, Default)]
pub(super) struct Followed {
    frames: Rc<Vec<Vec<u16>>>,
}

/// How much the end of a piece sounds like the songs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Likeness {
    /// The largest correlation of the last two seconds with any place; none while there are fewer.
    pub(super) closest: Option<f64>,
    /// The longest time that the end has sounded like the songs in their own order.
    pub(super) followed_seconds: f64,
}

struct SongBands {
    /// Rows less the mean of each band over all songs: (frames, bands).
    rows: Tensor,
    values: Vec<f32>,
    /// Sums and sums of squares of all rows before each.
    sums: Vec<f64>,
    squares: Vec<f64>,
}

/// How much of a piece is looked at, in seconds.
const WINDOW_SECONDS: f64 = 2.0;
/// How much of it is looked at to see whether it follows a song …
const FOLLOWING_SECONDS: f64 = 1.0;
/// … which it does where that correlates better.
const FOLLOWS: f64 = 0.65;
/// A window whose values deviate less than this from their means holds nothing.
const FLAT_DB: f64 = 1.5;
/// Memory for products, in bytes.
const KEPT_BYTES: usize = 96 << 20;
/// Grains whose products are kept, however much that is.
const FEWEST_KEPT: NonZeroUsize = NonZeroUsize::new(16).unwrap();
const BANDS: usize = PitchBands::BANDS;

impl CopyGuard {
    pub(super) fn new(pool: &GrainPool) -> Result<Self> {
        let mut all: Vec<Vec<f32>> =
            pool.songs().iter().map(|song| song.bands.levels_db().to_vec()).collect();
        let count: usize = all.iter().map(Vec::len).sum();
        let mut means = [0.0f64; BANDS];
        for row in all.iter().flat_map(|values| values.chunks_exact(BANDS)) {
            means.iter_mut().zip(row).for_each(|(mean, db)| *mean += f64::from(*db));
        }
        means.iter_mut().for_each(|mean| *mean *= BANDS as f64 / count.max(1) as f64);
        let kept = KEPT_BYTES / (count / BANDS * size_of::<f32>()).max(1);
        let kept = NonZeroUsize::new(kept).map_or(FEWEST_KEPT, |kept| kept.max(FEWEST_KEPT));
        let songs = all
            .iter_mut()
            .map(|values| {
                for row in values.chunks_exact_mut(BANDS) {
                    row.iter_mut().zip(&means).for_each(|(db, mean)| *db -= *mean as f32);
                }
                let (mut sums, mut squares) = (vec![0.0], vec![0.0]);
                let (mut sum, mut square) = (0.0, 0.0);
                for row in values.chunks_exact(BANDS) {
                    sum += row.iter().map(|v| f64::from(*v)).sum::<f64>();
                    square += row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>();
                    sums.push(sum);
                    squares.push(square);
                }
                let shape = (values.len() / BANDS, BANDS);
                let rows = Tensor::from_slice(values, shape, &Device::Cpu)?;
                Ok(SongBands { rows, values: std::mem::take(values), sums, squares })
            })
            .collect::<Result<_>>()?;
        Ok(Self { songs, products: LruCache::new(kept), fits: Vec::new() })
    }

    /// How much the end of `piece`, grains of the pool one after the other, sounds like the songs, when
    /// up to its last grain it has `followed` them. A guest that it goes on from is not looked at.
    pub(super) fn look(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        followed: &Followed,
    ) -> Result<Likeness> {
        let mut likeness = Likeness::default();
        if let Some(window) = self.last(pool, piece, WINDOW_SECONDS)? {
            let mut closest = -1.0f64;
            for song in 0..self.songs.len() {
                let fits = self.fits_in(song, &window);
                closest = fits.iter().fold(closest, |closest, fit| closest.max(f64::from(*fit)));
            }
            likeness.closest = Some(closest);
        }
        if let Some(window) = self.last(pool, piece, FOLLOWING_SECONDS)? {
            let mut longest = 0;
            for song in 0..self.songs.len() {
                let before = followed.frames.get(song).map_or(&[][..], Vec::as_slice);
                let fits = self.fits_in(song, &window);
                longest = window.ends(fits).fold(longest, |longest, end| {
                    longest.max(window.followed(before, end) + window.frames - window.last)
                });
            }
            likeness.followed_seconds = longest as f64 * PitchBands::HOP_SECONDS;
        }
        Ok(likeness)
    }

    /// What a piece has followed with its last grain, when before it was `followed`.
    pub(super) fn follow(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        followed: &Followed,
    ) -> Result<Followed> {
        let Some(window) = self.last(pool, piece, FOLLOWING_SECONDS)? else {
            return Ok(Followed::default());
        };
        let mut frames = Vec::with_capacity(self.songs.len());
        for song in 0..self.songs.len() {
            let before = followed.frames.get(song).map_or(&[][..], Vec::as_slice);
            let mut now = vec![0; self.songs[song].sums.len()];
            let fits = self.fits_in(song, &window);
            for end in window.ends(fits) {
                now[end] = u16::try_from(window.followed(before, end)).unwrap_or(u16::MAX);
            }
            frames.push(now);
        }
        Ok(Followed { frames: Rc::new(frames) })
    }

    /// The grains at the end of `piece` that are at least `seconds` long; none while there are fewer.
    fn last(&mut self, pool: &GrainPool, piece: &[usize], seconds: f64) -> Result<Option<Window>> {
        let least = PitchBands::frames_in(seconds);
        let is_own = |grain: &&usize| pool.grains()[**grain].song < pool.own_songs().len();
        let mut frames = 0;
        let mut count = 0;
        for grain in piece.iter().rev().take_while(is_own) {
            count += 1;
            frames += self.frames_of(pool, *grain).len();
            if frames >= least {
                break;
            }
        }
        if frames < least {
            return Ok(None);
        }
        let (mut sum, mut squares, mut parts, mut offset) = (0.0, 0.0, Vec::new(), 0);
        for grain in &piece[piece.len() - count..] {
            let (song, range) = (pool.grains()[*grain].song, self.frames_of(pool, *grain));
            let bands = &self.songs[song];
            sum += bands.sums[range.end] - bands.sums[range.start];
            squares += bands.squares[range.end] - bands.squares[range.start];
            parts.push((offset, self.products_of(pool, *grain)?));
            offset += range.len();
        }
        let last = parts.last().map_or(0, |(offset, _)| frames - offset);
        let count = (frames * BANDS) as f64;
        let deviation = (squares / count - (sum / count).powi(2)).max(0.0).sqrt();
        Ok(Some(Window { frames, last, mean: sum / count, deviation, parts }))
    }

    /// The correlation of `window` with every place of a song.
    fn fits_in(&mut self, song: usize, window: &Window) -> &[f32] {
        let bands = &self.songs[song];
        self.fits.clear();
        self.fits.resize(bands.sums.len().saturating_sub(window.frames), 0.0);
        vectorised(Fits { song, bands, window, fits: &mut self.fits });
        &self.fits
    }

    /// The frames of a grain in its song.
    fn frames_of(&self, pool: &GrainPool, grain: usize) -> std::ops::Range<usize> {
        let grain = &pool.grains()[grain];
        let last = self.songs[grain.song].sums.len() - 1;
        let frame = |seconds: f64| PitchBands::frames_in(seconds).min(last);
        frame(grain.start_seconds)..frame(grain.end_seconds)
    }

    /// For every song and every place in it, the product of the grain with what is there.
    fn products_of(&mut self, pool: &GrainPool, grain: usize) -> Result<Rc<Vec<Vec<f32>>>> {
        if let Some(known) = self.products.get(&grain) {
            return Ok(known.clone());
        }
        let range = self.frames_of(pool, grain);
        let own = &self.songs[pool.grains()[grain].song];
        let patch = &own.values[range.start * BANDS..range.end * BANDS];
        let patch = Tensor::from_slice(patch, (range.len(), BANDS), &Device::Cpu)?.t()?;
        let mut all = Vec::with_capacity(self.songs.len());
        for song in &self.songs {
            // Rows of the song × frames of the grain; a place's product runs along a diagonal.
            let pairs: Vec<f32> = song.rows.matmul(&patch)?.flatten_all()?.to_vec1()?;
            let (rows, frames) = (song.sums.len() - 1, range.len());
            let mut products = vec![0.0; rows];
            for frame in 0..frames {
                let diagonal = pairs.iter().skip(frame * frames + frame).step_by(frames);
                for (product, pair) in products.iter_mut().zip(diagonal) {
                    *product += pair;
                }
            }
            all.push(elastic(&products));
        }
        let all = Rc::new(all);
        self.products.put(grain, all.clone());
        Ok(all)
    }
}

/// The correlation of a window with every place of a song.
struct Fits<'a> {
    song: usize,
    bands: &'a SongBands,
    window: &'a Window,
    /// By place, 0 at first.
    fits: &'a mut [f32],
}

impl Loop for Fits<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { song, bands, window, fits } = self;
        for (offset, products) in &window.parts {
            for (fit, product) in fits.iter_mut().zip(&products[song][*offset..]) {
                *fit += product;
            }
        }
        let count = (window.frames * BANDS) as f64;
        let at_end = window.frames.min(bands.sums.len());
        let sums = bands.sums[at_end..].iter().zip(&bands.sums);
        let squares = bands.squares[at_end..].iter().zip(&bands.squares);
        for ((fit, sums), squares) in fits.iter_mut().zip(sums).zip(squares) {
            let (there, squares) = (sums.0 - sums.1, squares.0 - squares.1);
            let spread = (squares / count - (there / count).powi(2)).max(0.0).sqrt();
            let common = f64::from(*fit) / count - window.mean * (there / count);
            let holds_something = spread.min(window.deviation) > FLAT_DB;
            let correlation = (common / (spread * window.deviation)) as f32;
            *fit = if holds_something { correlation } else { 0.0 };
        }
    }
}

/// The largest of each product and its neighbours: a place fits, too, where a grain comes a frame earlier
/// or later than there.
fn elastic(products: &[f32]) -> Vec<f32> {
    let near = |place: usize| place.saturating_sub(1)..(place + 2).min(products.len());
    let largest = |place| products[near(place)].iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (0..products.len()).map(largest).collect()
}

/// The grains at the end of a piece, to be compared with places.
struct Window {
    frames: usize,
    /// Frames of the last grain.
    last: usize,
    mean: f64,
    deviation: f64,
    /// By grain: its first frame in the window, and its products with every place of every song.
    parts: Vec<(usize, Rc<Vec<Vec<f32>>>)>,
}

impl Window {
    /// Where in a song the places end that this window follows.
    fn ends(&self, fits: &[f32]) -> impl Iterator<Item = usize> {
        let follows = fits.iter().enumerate().filter(|(_, fit)| f64::from(**fit) > FOLLOWS);
        follows.map(|(place, _)| place + self.frames)
    }

    /// The frames that are followed up to `end`, when `before` were up to where the last grain begins.
    fn followed(&self, before: &[u16], end: usize) -> usize {
        self.last + before.get(end - self.last).map_or(0, |frames| usize::from(*frames))
    }
}
