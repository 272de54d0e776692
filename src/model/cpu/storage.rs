//! Between Candle's tensors and slices on the CPU.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, bail};

use super::Real;

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
