//! Gradients of parameters, without the copies that Candle's own walk makes of them.
//!
//! Candle's `backward` adds every gradient it is given to a tensor of zeros. For a weight of 22 million
//! values that costs about as much as computing the gradient. The layers of this crate therefore hand
//! the gradients of their parameters to a [`Sink`] where one is open, which keeps one tensor for each
//! parameter and writes into it, step after step. Without a sink they answer Candle in the ordinary
//! way, so they can be mixed with any other Candle code.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use candle_core::backprop::GradStore;
use candle_core::{Tensor, TensorId};

use super::cpu::Real;
use super::cpu::matrix::Into;
use super::cpu::storage::with_values_mut;
use crate::Result;

thread_local! {
    static OPEN: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// Where the gradients of parameters are gathered; it keeps their memory from one step to the next.
#[derive(Debug, Default)]
pub struct Sink {
    /// A tensor for every parameter met so far.
    gradients: HashMap<TensorId, Tensor>,
    /// The parameters met in this step, whose tensors hold a part of the gradient already.
    filled: HashSet<TensorId>,
}

impl Sink {
    /// The gradients of everything that `loss`, a scalar, depends on, as `loss.backward()` gives them.
    ///
    /// The tensors of parameters are overwritten by the next call: use them before it, or copy them.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) where Candle cannot differentiate, or memory runs out.
    pub fn backward(&mut self, loss: &Tensor) -> Result<GradStore> {
        self.filled.clear();
        // An outer sink, which only a backward pass inside a backward pass could have, is set aside.
        let outer = OPEN.replace(Some(std::mem::take(self)));
        let walked = loss.backward();
        if let Some(sink) = OPEN.replace(outer) {
            *self = sink;
        }
        let mut store = walked?;
        for id in &self.filled {
            let Some(gradient) = self.gradients.get(id) else { continue };
            // A parameter may also be used by operations that answered Candle itself.
            let whole = match store.get_id(*id) {
                Some(rest) => (gradient + rest)?,
                None => gradient.clone(),
            };
            store.insert_id(*id, whole);
        }
        Ok(store)
    }
}

/// Computes the gradient of `parameter` for Candle: `write` is given the values to write or add it to.
///
/// Gives `None` where nobody asks for it or a [`Sink`] took it.
pub(super) fn compute<T: Real>(
    parameter: &Tensor,
    write: impl FnOnce(&mut [T], Into),
) -> candle_core::Result<Option<Tensor>> {
    if !parameter.track_op() {
        return Ok(None);
    }
    let place = if parameter.is_variable() { sink_place(parameter)? } else { None };
    match place {
        Some((gradient, into)) => {
            with_values_mut(&gradient, |values| {
                write(values, into);
                Ok(())
            })?;
            Ok(None)
        }
        None => {
            let mut values = vec![T::ZERO; parameter.elem_count()];
            write(&mut values, Into::Overwrite);
            Ok(Some(Tensor::from_vec(values, parameter.shape(), parameter.device())?))
        }
    }
}

/// The tensor of the open sink for `parameter`, and whether it holds a part of the gradient.
fn sink_place(parameter: &Tensor) -> candle_core::Result<Option<(Tensor, Into)>> {
    OPEN.with_borrow_mut(|open| {
        let Some(sink) = open else { return Ok(None) };
        let id = parameter.id();
        let gradient = match sink.gradients.get(&id) {
            Some(gradient) => gradient.clone(),
            None => {
                let zeros = parameter.zeros_like()?;
                sink.gradients.insert(id, zeros.clone());
                zeros
            }
        };
        let into = if sink.filled.insert(id) { Into::Overwrite } else { Into::Add };
        Ok(Some((gradient, into)))
    })
}
