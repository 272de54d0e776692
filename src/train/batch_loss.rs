//! The loss of a batch, which may still be on its way from a card.

use crate::Result;
use candle_core::{DType, Tensor};
use std::time::{Duration, Instant};

/// Losses on a card are read so often: as charts move.
const BETWEEN_READINGS: Duration = Duration::from_millis(100);

/// The mean loss of a batch: a number, or a scalar on the card that computes it.
///
/// To ask a card for a number is to wait until all is done that it was asked for before.
#[derive(Clone, Debug)]
pub(super) enum BatchLoss {
    Known(f64),
    OnCard(Tensor),
}

impl BatchLoss {
    /// The value of a scalar; the processor's is read at once.
    pub fn of(loss: &Tensor) -> Result<Self> {
        match loss.device().is_cpu() {
            true => Ok(Self::Known(read(loss)?)),
            false => Ok(Self::OnCard(loss.detach())),
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Result<Self> {
        Ok(match (self, other) {
            (Self::Known(a), Self::Known(b)) => Self::Known(a + b),
            (Self::OnCard(a), Self::OnCard(b)) => Self::OnCard((a + b)?),
            (Self::OnCard(a), Self::Known(b)) | (Self::Known(b), Self::OnCard(a)) => {
                Self::OnCard(if b == 0. { a } else { (a + b)? })
            }
        })
    }

    /// `factor` of it.
    pub fn times(self, factor: f64) -> Result<Self> {
        Ok(match self {
            Self::Known(loss) => Self::Known(loss * factor),
            Self::OnCard(loss) if factor == 1. => Self::OnCard(loss),
            Self::OnCard(loss) => Self::OnCard((loss * factor)?),
        })
    }

    /// Whether it is known to be no number; what a card has is not.
    pub const fn is_wrong(&self) -> bool {
        matches!(self, Self::Known(loss) if !loss.is_finite())
    }

    /// The number, waited for where it must be.
    pub fn value(&self) -> Result<f64> {
        match self {
            Self::Known(loss) => Ok(*loss),
            Self::OnCard(loss) => read(loss),
        }
    }

    /// The scalar on a card, where it is there.
    pub const fn on_card(&self) -> Option<&Tensor> {
        match self {
            Self::Known(_) => None,
            Self::OnCard(loss) => Some(loss),
        }
    }

    /// The numbers of all; the card is asked once.
    pub fn values<'a>(losses: impl Iterator<Item = &'a Self> + Clone) -> Result<Vec<f64>> {
        let there: Vec<&Tensor> = losses.clone().filter_map(Self::on_card).collect();
        let mut read = match there.is_empty() {
            true => Vec::new(),
            false => Tensor::stack(&there, 0)?.to_dtype(DType::F32)?.to_vec1::<f32>()?,
        }
        .into_iter();
        let mut value = |loss: &Self| match loss {
            Self::Known(loss) => *loss,
            Self::OnCard(_) => read.next().map_or(f64::NAN, f64::from),
        };
        Ok(losses.map(&mut value).collect())
    }
}

fn read(loss: &Tensor) -> Result<f64> {
    Ok(loss.to_dtype(DType::F64)?.to_scalar()?)
}

/// A batch that was trained on.
pub(super) struct Trained {
    /// How many were done in its epoch then, this one included.
    pub batch: usize,
    pub loss: BatchLoss,
    pub sequences: usize,
    /// How long the epoch, and the training, had taken then.
    pub epoch_seconds: f64,
    pub seconds: f64,
}

/// Batches that were trained on and whose losses were not read yet.
pub(super) struct Unread {
    batches: Vec<Trained>,
    last_reading: Instant,
}

impl Unread {
    pub fn new() -> Self {
        Self { batches: Vec::new(), last_reading: Instant::now() }
    }

    pub fn push(&mut self, batch: Trained) {
        self.batches.push(batch);
    }

    /// Whether it is time to read: at once where nothing has to be waited for.
    pub fn are_due(&self) -> bool {
        let is_known = |batch: &Trained| batch.loss.on_card().is_none();
        self.batches.iter().all(is_known) || self.last_reading.elapsed() >= BETWEEN_READINGS
    }

    /// All of them in their order, with their losses.
    pub fn read(&mut self) -> Result<Vec<(Trained, f64)>> {
        let losses = BatchLoss::values(self.batches.iter().map(|batch| &batch.loss))?;
        self.last_reading = Instant::now();
        Ok(std::mem::take(&mut self.batches).into_iter().zip(losses).collect())
    }
}
