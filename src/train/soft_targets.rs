//! Cross-entropy with targets that several candidates share.

use crate::{Error, Result};
use candle_core::{
    CpuStorage, CustomOp1, DType, Layout, Result as CandleResult, Shape, Storage, Tensor, bail,
};
use rayon::prelude::*;
use std::sync::Arc;

/// What each row should have chosen: a few candidates and their shares, which add up to 1.
#[derive(Clone, Debug)]
pub struct SoftTargets {
    /// Candidates, `per_row` for each row.
    pub candidates: Vec<u32>,
    /// Their shares.
    pub shares: Vec<f32>,
    /// Candidates named in each row.
    pub per_row: usize,
}

/// The mean cross-entropy between the softmax of `logits`, of shape (rows, candidates), and soft
/// targets, in nats: a scalar. All other candidates' shares are 0.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use neural_composer::train::loss::{SoftTargets, soft_cross_entropy};
///
/// let logits = Tensor::new(&[[0f32, 0., 0., 0.]], &Device::Cpu)?;
/// let targets = SoftTargets { candidates: vec![1, 3], shares: vec![0.5, 0.5], per_row: 2 };
/// let loss = soft_cross_entropy(&logits, targets)?.to_scalar::<f32>()?;
/// assert!((loss - 4f32.ln()).abs() < 1e-6);
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] when the targets do not fit the logits.
pub fn soft_cross_entropy(logits: &Tensor, targets: SoftTargets) -> Result<Tensor> {
    let (rows, columns) = match *logits.dims() {
        [rows, columns] if rows > 0 && columns > 0 => (rows, columns),
        _ => {
            let found = format!("{:?}", logits.dims());
            return Err(Error::argument("logits", "shape (rows, candidates)", found));
        }
    };
    let named = rows * targets.per_row;
    let fits = targets.per_row > 0
        && targets.candidates.len() == named
        && targets.shares.len() == named
        && targets.candidates.iter().all(|candidate| (*candidate as usize) < columns);
    if !fits || logits.dtype() != DType::F32 {
        return Err(Error::argument(
            "targets",
            format!("{} candidates below {columns} in each of {rows} rows", targets.per_row),
            format!(
                "{} candidates and {} shares for {:?} logits",
                targets.candidates.len(),
                targets.shares.len(),
                logits.dtype()
            ),
        ));
    }
    if logits.device().is_cpu() {
        let operation = CrossEntropy { targets, columns, probabilities: Arc::default() };
        return Ok(logits.contiguous()?.apply_op1(operation)?);
    }
    composed(logits, &targets)
}

/// The same with Candle's own operations, for devices other than the processor.
fn composed(logits: &Tensor, targets: &SoftTargets) -> Result<Tensor> {
    let (rows, device) = (logits.dim(0)?, logits.device());
    let shape = (rows, targets.per_row);
    let candidates = Tensor::from_slice(&targets.candidates, shape, device)?;
    let shares = Tensor::from_slice(&targets.shares, shape, device)?;
    let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?;
    let chosen = log_probabilities.gather(&candidates, 1)?;
    Ok(((chosen * shares)?.sum_all()? * (-1.0 / rows as f64))?)
}

struct CrossEntropy {
    targets: SoftTargets,
    columns: usize,
    /// The softmax, kept from the way forward for the way back.
    probabilities: Arc<std::sync::Mutex<Vec<f32>>>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "soft-cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let logits = match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((start, end))) => &values[start..end],
            _ => bail!("expected contiguous f32 logits"),
        };
        let (columns, per_row) = (self.columns, self.targets.per_row);
        let mut probabilities = vec![0.0f32; logits.len()];
        let losses: Vec<f64> = probabilities
            .par_chunks_exact_mut(columns)
            .zip(logits.par_chunks_exact(columns))
            .zip(self.targets.candidates.par_chunks_exact(per_row))
            .zip(self.targets.shares.par_chunks_exact(per_row))
            .map(|(((probabilities, logits), candidates), shares)| {
                let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mut sum = 0.0;
                for (probability, logit) in probabilities.iter_mut().zip(logits) {
                    *probability = (logit - largest).exp();
                    sum += *probability;
                }
                let scale = 1.0 / sum;
                probabilities.iter_mut().for_each(|probability| *probability *= scale);
                let log_sum = f64::from(largest) + f64::from(sum).ln();
                let chosen = candidates.iter().zip(shares).map(|(candidate, share)| {
                    f64::from(*share) * (log_sum - f64::from(logits[*candidate as usize]))
                });
                chosen.sum()
            })
            .collect();
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        if let Ok(mut kept) = self.probabilities.lock() {
            *kept = probabilities;
        }
        Ok((CpuStorage::F32(vec![mean as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> CandleResult<Option<Tensor>> {
        let upstream = gradient.to_dtype(DType::F32)?.to_scalar::<f32>()?;
        let (columns, per_row) = (self.columns, self.targets.per_row);
        let factor = upstream * columns as f32 / logits.elem_count() as f32;
        let kept = self.probabilities.lock().map(|mut kept| std::mem::take(&mut *kept));
        let mut slopes = match kept {
            Ok(kept) if kept.len() == logits.elem_count() => kept,
            // A second walk back: the softmax was given away by the first one.
            _ => {
                self.cpu_fwd_of(logits)?;
                self.probabilities.lock().map(|kept| kept.clone()).unwrap_or_default()
            }
        };
        slopes
            .par_chunks_exact_mut(columns)
            .zip(self.targets.candidates.par_chunks_exact(per_row))
            .zip(self.targets.shares.par_chunks_exact(per_row))
            .for_each(|((slopes, candidates), shares)| {
                for (candidate, share) in candidates.iter().zip(shares) {
                    slopes[*candidate as usize] -= share;
                }
                slopes.iter_mut().for_each(|slope| *slope *= factor);
            });
        Tensor::from_vec(slopes, logits.shape(), logits.device()).map(Some)
    }
}

impl CrossEntropy {
    fn cpu_fwd_of(&self, logits: &Tensor) -> CandleResult<()> {
        let (storage, layout) = logits.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => self.cpu_fwd(storage, layout).map(drop),
            _ => bail!("expected logits on the CPU"),
        }
    }
}
