//! The guard against copies: how much the end of a piece sounds like a place of the songs.

use crate::Result;
use crate::dataset::grains::GrainPool;
use crate::features::PitchBands;
use candle_core::{Device, Tensor};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::rc::Rc;

/// Tells how much the last seconds of a piece sound like some place of the songs.
///
/// The grains of a piece keep the pitch bands that they have in their songs; how well a row of grains
/// fits a place is therefore the sum of how well each grain fits there, and what one grain fits is
/// computed once. Transposed grains count as they are in the song: a transposed copy is a copy.
pub(super) struct CopyGuard {
    songs: Vec<SongBands>,
    /// By grain: its products with every place of every song.
    products: LruCache<usize, Rc<Vec<Vec<f32>>>>,
}

struct SongBands {
    /// Rows with the mean of all songs taken away: (frames, bands).
    rows: Tensor,
    values: Vec<f32>,
    /// Sums and sums of squares of all rows before each.
    sums: Vec<f64>,
    squares: Vec<f64>,
}

/// How much of a piece is looked at, in seconds.
const WINDOW_SECONDS: f64 = 2.0;
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
        let mean = all.iter().flatten().map(|db| f64::from(*db)).sum::<f64>() / count as f64;
        let kept = KEPT_BYTES / (count / BANDS * size_of::<f32>()).max(1);
        let kept = NonZeroUsize::new(kept).map_or(FEWEST_KEPT, |kept| kept.max(FEWEST_KEPT));
        let songs = all
            .iter_mut()
            .map(|values| {
                values.iter_mut().for_each(|db| *db -= mean as f32);
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
        Ok(Self { songs, products: LruCache::new(kept) })
    }

    /// The largest correlation of the end of `piece`, grains of the pool one after the other, with any
    /// place of the songs; `None` while the piece is shorter than the window. A guest that it goes on
    /// from is not looked at.
    pub(super) fn closest(&mut self, pool: &GrainPool, piece: &[usize]) -> Result<Option<f64>> {
        let mut frames = 0;
        let least = (WINDOW_SECONDS / PitchBands::HOP_SECONDS).round() as usize;
        let mut window = Vec::new();
        let is_own = |grain: &&usize| pool.grains()[**grain].song < pool.own_songs().len();
        for grain in piece.iter().rev().take_while(is_own) {
            window.push(*grain);
            frames += self.frames_of(pool, *grain).len();
            if frames >= least {
                break;
            }
        }
        if frames < least {
            return Ok(None);
        }
        window.reverse();
        let (mut sum, mut squares, mut parts, mut offset) = (0.0, 0.0, Vec::new(), 0);
        for grain in window {
            let (song, range) = (pool.grains()[grain].song, self.frames_of(pool, grain));
            let mel = &self.songs[song];
            sum += mel.sums[range.end] - mel.sums[range.start];
            squares += mel.squares[range.end] - mel.squares[range.start];
            parts.push((offset, self.products_of(pool, grain)?));
            offset += range.len();
        }
        let count = (frames * BANDS) as f64;
        let deviation = (squares / count - (sum / count).powi(2)).max(0.0).sqrt();
        let mut closest = -1.0f64;
        let mut fits = Vec::new();
        for (index, song) in self.songs.iter().enumerate() {
            let places = (song.sums.len()).saturating_sub(frames);
            fits.clear();
            fits.resize(places, 0.0f32);
            for (offset, products) in &parts {
                for (fit, product) in fits.iter_mut().zip(&products[index][*offset..]) {
                    *fit += product;
                }
            }
            for (place, fit) in fits.iter().enumerate() {
                let there = song.sums[place + frames] - song.sums[place];
                let there_squares = song.squares[place + frames] - song.squares[place];
                let spread = (there_squares / count - (there / count).powi(2)).max(0.0).sqrt();
                let common = f64::from(*fit) / count - sum / count * (there / count);
                closest = closest.max(common / (spread * deviation).max(1e-9));
            }
        }
        Ok(Some(closest))
    }

    /// The frames of a grain in its song.
    fn frames_of(&self, pool: &GrainPool, grain: usize) -> std::ops::Range<usize> {
        let grain = &pool.grains()[grain];
        let last = self.songs[grain.song].sums.len() - 1;
        let frame = |seconds: f64| ((seconds / PitchBands::HOP_SECONDS).round() as usize).min(last);
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
            all.push(products);
        }
        let all = Rc::new(all);
        self.products.put(grain, all.clone());
        Ok(all)
    }
}
