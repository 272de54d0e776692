//! Between Candle's tensors and slices on the CPU.

use std::cell::RefCell;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Result, Storage, Tensor, bail};
use half::bf16;
use rayon::prelude::*;

use super::Real;
use super::few_rows::Stored;

/// The values of a contiguous tensor inside a custom operation.
pub fn values<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&T::cpu_storage_as_slice(storage)?[start..end]),
        None => bail!("expected a contiguous tensor, found strides {:?}", layout.stride()),
    }
}

/// Calls `read` with the values of a contiguous tensor on the CPU.
pub fn with_values<T: Real, R>(tensor: &Tensor, read: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(values(storage, layout)?),
        _ => bail!("expected a tensor on the CPU, found one on {:?}", tensor.device().location()),
    }
}

/// The values of a contiguous weight inside a custom operation, rounded or not.
pub fn stored<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<Stored<'a, T>> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::BF16(values), Some((start, end))) => Ok(Stored::Rounded(&values[start..end])),
        _ => values(storage, layout).map(Stored::Full),
    }
}

/// Calls `read` with the values of a contiguous weight on the CPU, rounded or not.
pub fn with_stored<T: Real, R>(
    tensor: &Tensor,
    read: impl FnOnce(Stored<'_, T>) -> Result<R>,
) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(stored(storage, layout)?),
        _ => bail!("expected a tensor on the CPU, found one on {:?}", tensor.device().location()),
    }
}

/// Large weights rounded to sixteen bits, for a network that only reads them: the time of one step is
/// that of reading its weights from memory. Small ones, which stay in the cache, are left as they are.
pub fn rounded(weight: &Tensor) -> Result<Tensor> {
    /// Values that stay in the cache.
    const FEW: usize = 1 << 20;
    if weight.dtype() != DType::F32 || !weight.device().is_cpu() || weight.elem_count() <= FEW {
        return Ok(weight.clone());
    }
    let values = with_values(&weight.contiguous()?, |values: &[f32]| {
        Ok(values.par_iter().with_min_len(1 << 14).map(|value| bf16::from_f32(*value)).collect())
    })?;
    Tensor::from_vec::<_, bf16>(values, weight.shape(), weight.device())
}

/// Calls `change` with the values of a contiguous tensor on the CPU, which it may change in place.
pub fn with_values_mut<T: Real, R>(
    tensor: &Tensor,
    change: impl FnOnce(&mut [T]) -> Result<R>,
) -> Result<R> {
    let visit = Visit { change: RefCell::new(Some(change)), result: RefCell::new(None) };
    tensor.inplace_op1(&VisitOf::<T, R, _>(&visit, std::marker::PhantomData))?;
    match visit.result.into_inner() {
        Some(result) => Ok(result),
        None => bail!("the tensor's storage was not visited"),
    }
}

struct Visit<R, F> {
    change: RefCell<Option<F>>,
    result: RefCell<Option<R>>,
}

struct VisitOf<'a, T, R, F>(&'a Visit<R, F>, std::marker::PhantomData<T>);

impl<T: Real, R, F: FnOnce(&mut [T]) -> Result<R>> InplaceOp1 for VisitOf<'_, T, R, F> {
    fn name(&self) -> &'static str {
        "change-in-place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("expected a contiguous tensor, found strides {:?}", layout.stride());
        };
        if let Some(change) = self.0.change.take() {
            let values = T::values_mut(storage)?;
            *self.0.result.borrow_mut() = Some(change(&mut values[start..end])?);
        }
        Ok(())
    }
}
