use super::form::Form;
use super::options::GrainOptions;
use crate::Result;
use crate::dataset::grains::GrainPool;
use crate::model::Pointer;
use candle_core::Tensor;

/// What all walks of one piece go through: nothing of it changes on the way.
pub(super) struct Terrain<'a> {
    pub(super) pool: &'a GrainPool,
    pub(super) network: &'a Pointer,
    pub(super) options: &'a GrainOptions,
    pub(super) form: Form,
    /// The keys of all candidates, one after the other.
    pub(super) keys: Vec<f32>,
    /// Of each number of the embeddings, over all grains of the songs.
    usual: Vec<Moments>,
    /// The share of each song that is wished for; none where it does not matter.
    pub(super) shares: Option<Vec<f64>>,
}

impl<'a> Terrain<'a> {
    pub(super) fn new(
        pool: &'a GrainPool,
        network: &'a Pointer,
        options: &'a GrainOptions,
        form: Form,
    ) -> Result<Self> {
        let shape = (pool.candidates(), pool.width());
        let own = &pool.embeddings()[..shape.0 * shape.1];
        let candidates = Tensor::from_slice(own, shape, network.device().candle())?;
        let keys = network.keys(&candidates)?.flatten_all()?.to_vec1()?;
        let shares = options.shares_of(pool.own_songs().len());
        let mut usual = vec![Moments::default(); pool.width()];
        let shifts = pool.settings().shifts.len();
        for (index, grain) in pool.grains()[..pool.candidates() / shifts].iter().enumerate() {
            // A song of twice the weight counts twice.
            let weight = shares.as_ref().map_or(1.0, |shares| {
                shares[grain.song] / pool.songs()[grain.song].grains.len() as f64
            });
            add(&mut usual, pool, pool.candidate(index, 0), weight);
        }
        Ok(Self { pool, network, options, form, keys, usual, shares })
    }

    /// How far the grains of a piece are, as a whole, from those of the songs: the squared Fréchet
    /// distance of their embeddings, each number for itself, in variances.
    pub(super) fn strangeness(&self, piece: &[Moments]) -> f64 {
        let apart = self.usual.iter().zip(piece).map(|(songs, piece)| {
            let (mean, deviation) = songs.mean_and_deviation();
            let (other, others) = piece.mean_and_deviation();
            ((mean - other).powi(2) + (deviation - others).powi(2)) / deviation.powi(2).max(1e-6)
        });
        apart.sum::<f64>() / self.usual.len() as f64
    }

    /// Adds what `candidate` sounds like to the moments of a piece.
    pub(super) fn add_to(&self, piece: &mut Vec<Moments>, candidate: usize) {
        piece.resize(self.pool.width(), Moments::default());
        add(piece, self.pool, candidate, 1.0);
    }
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
