//! What all walks of a piece go through: the songs, the network, the options, the form.

use super::form::Form;
use super::options::GrainOptions;
use crate::Result;
use crate::dataset::grains::GrainPool;
use crate::model::GrainNetwork;
use candle_core::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The deviation of what a seed likes, in logits.
const TASTE: f32 = 1.0;

/// What all walks of one piece go through: nothing of it changes on the way.
pub(super) struct Terrain<'a> {
    pub(super) pool: &'a GrainPool,
    pub(super) network: &'a GrainNetwork,
    pub(super) options: &'a GrainOptions,
    pub(super) form: Form,
    /// The keys of all candidates, one after the other.
    keys: Vec<f32>,
    /// Of each number of the embeddings, over all grains of the songs.
    usual: Vec<Moments>,
    /// How far the first halves of the songs are from the second ones, in the same way.
    between_halves: f64,
    /// What is added to each grain, as the seed has it.
    taste: Vec<f32>,
    /// The share of each song that is wished for; none where it does not matter.
    pub(super) shares: Option<Vec<f64>>,
}

impl<'a> Terrain<'a> {
    pub(super) fn new(
        pool: &'a GrainPool,
        network: &'a GrainNetwork,
        options: &'a GrainOptions,
        form: Form,
        seed: u64,
    ) -> Result<Self> {
        let shape = (pool.candidates(), pool.width());
        let own = &pool.embeddings()[..shape.0 * shape.1];
        let candidates = Tensor::from_slice(own, shape, network.device().candle())?;
        let keys = network.keys(&candidates)?.flatten_all()?.to_vec1()?;
        let shares = options.shares_of(pool.own_songs().len());
        let mut usual = vec![Moments::default(); pool.width()];
        let mut halves = [usual.clone(), usual.clone()];
        let shifts = pool.settings().shifts.len();
        for (index, grain) in pool.grains()[..pool.candidates() / shifts].iter().enumerate() {
            // A song of twice the weight counts twice.
            let weight = shares.as_ref().map_or(1.0, |shares| {
                shares[grain.song] / pool.songs()[grain.song].grains.len() as f64
            });
            let of_song = &pool.songs()[grain.song].grains;
            let half = usize::from(index >= of_song.start.midpoint(of_song.end));
            for moments in [&mut usual, &mut halves[half]] {
                add(moments, pool, pool.candidate(index, 0), weight);
            }
        }
        let between_halves = apart(&usual, &halves[0], &halves[1]);
        let taste = taste(pool.grains().len(), seed);
        Ok(Self { pool, network, options, form, keys, usual, between_halves, taste, shares })
    }

    /// How much grain `grain` is liked.
    pub(super) fn taste(&self, grain: usize) -> f32 {
        self.taste[grain]
    }

    /// How strongly the network expects `candidate`, asked with the query that it gave.
    pub(super) fn logit(&self, candidate: usize, query: &[f32]) -> f32 {
        let key = &self.keys[candidate * query.len()..][..query.len()];
        key.iter().zip(query).map(|(k, q)| k * q).sum()
    }

    /// How far the grains of a piece are, as a whole, from those of the songs, and how much of that is
    /// more than half of what is between the songs' own halves.
    pub(super) fn strangeness(&self, piece: &[Moments]) -> (f64, f64) {
        let strange = apart(&self.usual, &self.usual, piece);
        (strange, (strange - 0.5 * self.between_halves).max(0.0))
    }

    /// Adds what `candidate` sounds like to the moments of a piece.
    pub(super) fn add_to(&self, piece: &mut Vec<Moments>, candidate: usize) {
        piece.resize(self.pool.width(), Moments::default());
        add(piece, self.pool, candidate, 1.0);
    }
}

/// How much each of so many grains is liked, which differs from seed to seed: of the best of many drafts
/// alone there would often be only one.
fn taste(grains: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::MAX);
    (0..grains).map(|_| TASTE * random.sample::<f32, _>(StandardNormal)).collect()
}

/// The squared Fréchet distance of two sets of embeddings, each number for itself, in variances of
/// `usual`.
fn apart(usual: &[Moments], a: &[Moments], b: &[Moments]) -> f64 {
    let parts = usual.iter().zip(a).zip(b).map(|((usual, a), b)| {
        let (mean, deviation) = a.mean_and_deviation();
        let (other, others) = b.mean_and_deviation();
        let variance = usual.mean_and_deviation().1.powi(2).max(1e-6);
        ((mean - other).powi(2) + (deviation - others).powi(2)) / variance
    });
    parts.sum::<f64>() / usual.len() as f64
}

fn add(to: &mut [Moments], pool: &GrainPool, candidate: usize, weight: f64) {
    let values = &pool.embeddings()[candidate * pool.width()..];
    to.iter_mut().zip(values).for_each(|(moments, value)| moments.add(f64::from(*value), weight));
}

/// The sums that mean and deviation are made of.
#[derive(Clone, Copy, Default)]
pub(super) struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64, weight: f64) {
        self.count += weight;
        self.sum += weight * value;
        self.squares += weight * value * value;
    }

    fn mean_and_deviation(self) -> (f64, f64) {
        let count = self.count.max(1e-12);
        let mean = self.sum / count;
        (mean, (self.squares / count - mean * mean).max(0.0).sqrt())
    }
}
