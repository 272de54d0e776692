//! Gradients of parameters, without the copies that Candle's own walk makes of them.
//!
//! Candle's `backward` adds every gradient it is given to a tensor of zeros. For a weight of 22 million
//! values that costs about as much as computing the gradient. The layers of this crate therefore hand
//! the gradients of their parameters to a [`Sink`] where one is open, which keeps one tensor for each
//! parameter and writes into it, step after step. Without a sink they answer Candle in the ordinary
//! way, so they can be mixed with any other Candle code.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Storage, Tensor, TensorId, bail};

use crate::Result;
use crate::compute::Real;
use crate::compute::matrix::Into;
use crate::compute::storage::with_values_mut;

thread_local! {
    static OPEN: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// Where the gradients of parameters are gathered; it keeps their memory from one step to the next.
///
/// A loss may be walked in parts, one after the other:
///
/// ```
/// use candle_core::{Device, Var};
/// use neural_composer::model::gradients::Sink;
///
/// let weight = Var::new(&[2f32, 3.], &Device::Cpu)?;
/// let mut sink = Sink::default();
/// sink.clear();
/// for factor in [1., 10.] {
///     let part = (weight.as_tensor().sqr()?.sum_all()? * factor)?;
///     let gradients = sink.walk(&part)?;
///     sink.keep(gradients)?;
/// }
/// let gradients = sink.total()?;
/// assert_eq!(gradients.get(&weight).unwrap().to_vec1::<f32>()?, [44., 66.]);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Sink {
    /// A tensor for every parameter met so far.
    gradients: HashMap<TensorId, Tensor>,
    /// The parameters met since the last clearing, whose tensors hold a part of the gradient already.
    filled: HashSet<TensorId>,
    /// What was answered to Candle and kept.
    others: GradStore,
    /// Who is told of gradients while the walk goes on.
    taker: Option<Arc<dyn Taker>>,
    /// Whether nothing comes after the walks from now on.
    is_last: bool,
}

/// Is told of gradients by parameters of this crate's layers as soon as they are there, while the walk
/// back goes on.
pub(crate) trait Taker: fmt::Debug + Send + Sync {
    /// `gradient` by `parameter` was written, in one of the walks after which there is no other. A
    /// parameter that more than one operation uses is written more than once.
    fn written(&self, parameter: TensorId, gradient: &Tensor) -> candle_core::Result<()>;

    /// A part of the gradient by `parameter` was answered to Candle.
    fn answered(&self, parameter: TensorId);
}

impl Sink {
    /// Tells `taker` from now on.
    pub(crate) fn tell(&mut self, taker: Option<Arc<dyn Taker>>) {
        self.taker = taker;
    }

    /// The walks from now on are the last ones before the [total](Self::total).
    pub(crate) fn last_walks(&mut self) {
        self.is_last = true;
    }

    /// The gradients of all variables that `loss`, a scalar, depends on, as `loss.backward()` gives
    /// them.
    ///
    /// The tensors of parameters are overwritten by the next call: use them before it, or copy them.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) where Candle cannot differentiate, or memory runs out.
    pub fn backward(&mut self, loss: &Tensor) -> Result<GradStore> {
        self.clear();
        self.last_walks();
        let rest = self.walk(loss)?;
        self.keep(rest)?;
        self.total()
    }

    /// Forgets all gradients, but keeps their memory.
    pub fn clear(&mut self) {
        self.filled.clear();
        self.others = GradStore::default();
        self.is_last = false;
    }

    /// Walks back from `loss`, a scalar. The gradients of parameters of this crate's layers add up in
    /// the sink; those of other variables are given back, to be used or [kept](Self::keep).
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) where Candle cannot differentiate, or memory runs out.
    pub fn walk(&mut self, loss: &Tensor) -> Result<GradStore> {
        // An outer sink, which only a backward pass inside a backward pass could have, is set aside.
        let outer = OPEN.replace(Some(std::mem::take(self)));
        let walked = loss.backward();
        if let Some(sink) = OPEN.replace(outer) {
            *self = sink;
        }
        // Candle also leaves gradients by constants, which hold on to the graph that they came from.
        let mut all = walked?;
        let mut of_variables = GradStore::default();
        for node in loss.sorted_nodes().into_iter().filter(|node| node.is_variable()) {
            if let Some(gradient) = all.remove(node) {
                of_variables.insert(node, gradient.detach());
            }
        }
        Ok(of_variables)
    }

    /// Adds `gradients` to what the sink holds.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    pub fn keep(&mut self, gradients: GradStore) -> Result<()> {
        Ok(self.others.extend(gradients)?)
    }

    /// Everything that was gathered since the last [clearing](Self::clear). The tensors of parameters
    /// are written to by the next walk: use them before it, or copy them.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    pub fn total(&mut self) -> Result<GradStore> {
        let mut store = std::mem::take(&mut self.others);
        if let Some(taker) = &self.taker {
            store.get_ids().for_each(|id| taker.answered(*id));
        }
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

/// A scalar of no particular value whose gradient by `values` is `gradient`, of the same shape: where a
/// walk goes on that ended at a variable.
pub(crate) fn continued(values: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    if values.device().is_cpu() {
        return Ok(values.apply_op1(Continued(gradient.detach()))?);
    }
    Ok((values * gradient.detach())?.sum_all()?)
}

/// Unlike a sum of products it needs no memory.
struct Continued(Tensor);

impl CustomOp1 for Continued {
    fn name(&self) -> &'static str {
        "continued-gradient"
    }

    fn cpu_fwd(&self, values: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let zero = Tensor::zeros((), values.dtype(), &Device::Cpu)?;
        match &*zero.storage_and_layout().0 {
            Storage::Cpu(zero) => Ok((zero.clone(), Shape::from(()))),
            _ => bail!("expected a tensor on the CPU"),
        }
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(self.0.broadcast_mul(upstream)?))
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
            let taker = OPEN.with_borrow(|open| {
                let sink = open.as_ref().filter(|sink| sink.is_last)?;
                sink.taker.clone()
            });
            taker.map_or(Ok(()), |taker| taker.written(parameter.id(), &gradient))?;
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
