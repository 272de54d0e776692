//! Optimizers: they turn gradients into better parameters.
//!
//! All rules share one [`Optimizer`], which holds the parameters and what the rule remembers about
//! each of them, so that a checkpoint can hold both.

#[cfg(feature = "cuda")]
mod card;
mod composed;
mod fused;
mod parameter;
mod rule;

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};

pub use rule::{AdamW, RmsProp, RmsPropTorch, Rule, Sgd};

use parameter::Parameter;

use crate::model::Updates;
use crate::model::gradients::{Sink, Taker};
use crate::{Error, Result, interrupt, memory};

/// Updates a set of named parameters by one [`Rule`].
///
/// ```
/// use candle_core::{Device, Var};
/// use neural_composer::train::optimizer::{Optimizer, Rule, Sgd};
///
/// let weight = Var::new(&[4f32, -2.], &Device::Cpu)?;
/// let rule = Rule::Sgd(Sgd::default());
/// let mut optimizer = Optimizer::new(rule, vec![("weight".into(), weight.clone())])?;
/// for _ in 0..20 {
///     let loss = weight.as_tensor().sqr()?.sum_all()?;
///     optimizer.minimize(&loss, 0.25)?;
/// }
/// let largest = weight.as_tensor().abs()?.max_all()?.to_scalar::<f32>()?;
/// assert!(largest < 1e-5);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Debug)]
pub struct Optimizer {
    rule: Rule,
    clip_norm: Option<f64>,
    steps: u64,
    parameters: Vec<Parameter>,
    sink: Sink,
    /// Where the steps of the network that it trains are counted.
    counter: Option<Updates>,
}

impl Optimizer {
    /// An optimizer over `parameters`, each with the name under which checkpoints know it.
    ///
    /// # Errors
    /// [`Error::Argument`] for two parameters of one name or an impossible rule; [`Error::Tensor`] if
    /// memory runs out.
    pub fn new(rule: Rule, parameters: Vec<(String, Var)>) -> Result<Self> {
        rule.check()?;
        // Whoever steps allocates the same tensors batch after batch, in a loop of their own, too.
        memory::keep_freed_blocks();
        let mut names = std::collections::HashSet::new();
        let parameters = parameters
            .into_iter()
            .map(|(name, value)| {
                if !names.insert(name.clone()) {
                    return Err(Error::argument("parameters", "every name once", name));
                }
                let memory =
                    rule.memories().iter().map(|_| value.zeros_like()).collect::<Result<_, _>>()?;
                Ok(Parameter { name, value, memory })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            rule,
            clip_norm: None,
            steps: 0,
            parameters,
            sink: Sink::default(),
            counter: None,
        })
    }

    /// Scales gradients down together wherever their norm, taken over all parameters, is above
    /// `norm`; `None` (as made by [`Self::new`]) leaves them as they are.
    ///
    /// # Errors
    /// [`Error::Argument`] unless `norm` is positive.
    pub fn with_clip_norm(mut self, norm: Option<f64>) -> Result<Self> {
        if let Some(norm) = norm.filter(|norm| norm.is_nan() || *norm <= 0.) {
            return Err(Error::argument("clip_norm", "a positive number", norm));
        }
        self.clip_norm = norm;
        Ok(self)
    }

    /// Counts its steps in `counter` as well.
    pub(crate) fn counting(mut self, counter: Updates) -> Self {
        self.counter = Some(counter);
        self
    }

    /// Tells `taker` of gradients while they are computed.
    pub(in crate::train) fn tell(&mut self, taker: Arc<dyn Taker>) {
        self.sink.tell(Some(taker));
    }

    /// The gradients of `loss`, which are overwritten by the next ones.
    pub(in crate::train) fn gradients(&mut self, loss: &Tensor) -> Result<GradStore> {
        self.sink.backward(loss)
    }

    /// What it trains, in its order.
    pub(in crate::train) fn parameters(&self) -> impl Iterator<Item = &Var> {
        self.parameters.iter().map(|parameter| &parameter.value)
    }

    /// The rule.
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// How many steps were made, those before a restored checkpoint included.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Computes the gradients of `loss`, a scalar, makes one step with `learning_rate`, and gives the
    /// loss as a number: what `step(&loss.backward()?, learning_rate)` does, in less time and memory,
    /// because the memory of the gradients is kept for the next step.
    ///
    /// # Errors
    /// As [`Self::step`]; [`Error::Tensor`] where Candle cannot differentiate.
    pub fn minimize(&mut self, loss: &Tensor, learning_rate: f64) -> Result<f64> {
        self.backward_step(loss, learning_rate)?;
        Ok(loss.to_dtype(DType::F64)?.to_scalar()?)
    }

    /// As [`minimize`](Self::minimize), without asking for the loss: on a card that would be to wait for
    /// the step, where the next one could be on its way.
    ///
    /// ```
    /// use candle_core::{Device, Tensor, Var};
    /// use neural_composer::train::optimizer::{Optimizer, Rule, Sgd};
    /// let weight = Var::new(&[4f32], &Device::Cpu)?;
    /// let mut optimizer =
    ///     Optimizer::new(Rule::Sgd(Sgd::default()), vec![("weight".into(), weight.clone())])?;
    /// let mut losses = Vec::new();
    /// for _ in 0..3 {
    ///     let loss = weight.as_tensor().sqr()?.sum_all()?;
    ///     optimizer.backward_step(&loss, 0.25)?;
    ///     losses.push(loss.detach());
    /// }
    /// // All at once.
    /// assert_eq!(Tensor::stack(&losses, 0)?.to_vec1::<f32>()?, [16., 4., 1.]);
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`minimize`](Self::minimize).
    pub fn backward_step(&mut self, loss: &Tensor, learning_rate: f64) -> Result<()> {
        let gradients = self.sink.backward(loss)?;
        self.step(&gradients, learning_rate)
    }

    /// Makes one step with `learning_rate`. A parameter without a gradient stays as it is.
    ///
    /// # Errors
    /// [`Error::Argument`] if `learning_rate` is negative or not finite, [`Error::Data`] if a gradient
    /// does not fit its parameter: no parameter has changed then. [`Error::Tensor`] if memory runs
    /// out.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64) -> Result<()> {
        self.step_where_finite(gradients, learning_rate, None)
    }

    /// As [`step`](Self::step); a `loss` on a card that is no number changes nothing, which only the card
    /// knows.
    pub(in crate::train) fn step_where_finite(
        &mut self,
        gradients: &GradStore,
        learning_rate: f64,
        loss: Option<&Tensor>,
    ) -> Result<()> {
        interrupt::check()?;
        if !(learning_rate >= 0. && learning_rate.is_finite()) {
            return Err(Error::argument(
                "learning_rate",
                "a finite number, 0 or more",
                learning_rate,
            ));
        }
        for Parameter { name, value, .. } in &self.parameters {
            if let Some(gradient) = gradients.get(value.as_tensor())
                && (gradient.dims() != value.dims() || gradient.dtype() != value.dtype())
            {
                return Err(Error::Data(format!(
                    "gradient of {name}: expected {:?} {:?}, found {:?} {:?}",
                    value.dtype(),
                    value.dims(),
                    gradient.dtype(),
                    gradient.dims()
                )));
            }
        }
        if self.step_on_card(gradients, learning_rate, loss)? {
            self.count_step();
            return Ok(());
        }
        let scale = match self.clip_norm {
            Some(limit) => {
                let norm = self.gradient_norm(gradients)?;
                if norm > limit { limit / norm } else { 1. }
            }
            None => 1.,
        };
        self.count_step();
        for parameter in &mut self.parameters {
            let Some(gradient) = gradients.get(parameter.value.as_tensor()) else {
                continue;
            };
            let (rule, step) = (&self.rule, self.steps);
            match (gradient.device(), gradient.dtype()) {
                (Device::Cpu, DType::F32) => {
                    fused::update::<f32>(rule, parameter, gradient, learning_rate, scale, step)?;
                }
                (Device::Cpu, DType::F64) => {
                    fused::update::<f64>(rule, parameter, gradient, learning_rate, scale, step)?;
                }
                _ => composed::update(rule, parameter, gradient, learning_rate, scale, step)?,
            }
        }
        Ok(())
    }

    fn count_step(&mut self) {
        self.steps += 1;
        if let Some(counter) = &self.counter {
            counter.add_one();
        }
    }

    /// There is no card.
    #[cfg(not(feature = "cuda"))]
    fn step_on_card(&self, _: &GradStore, _: f64, _: Option<&Tensor>) -> Result<bool> {
        Ok(false)
    }

    /// The step as one launch on a CUDA card; false where it was not made.
    #[cfg(feature = "cuda")]
    fn step_on_card(
        &self,
        gradients: &GradStore,
        rate: f64,
        loss: Option<&Tensor>,
    ) -> Result<bool> {
        let mut all = Vec::new();
        if !self.parameters.iter().all(|parameter| parameter.value.device().is_cuda()) {
            return Ok(false);
        }
        for parameter in &self.parameters {
            if let Some(gradient) = gradients.get(parameter.value.as_tensor()) {
                all.push((parameter, gradient.contiguous()?));
            }
        }
        card::update(&self.rule, &all, rate, self.clip_norm, self.steps + 1, loss)
    }

    /// The Euclidean norm of all parameters' gradients together, before any clipping.
    ///
    /// # Errors
    /// [`Error::Tensor`] if the gradients cannot be read.
    pub fn gradient_norm(&self, gradients: &GradStore) -> Result<f64> {
        let mut squares = 0.;
        for parameter in &self.parameters {
            if let Some(gradient) = gradients.get(parameter.value.as_tensor()) {
                squares += match (gradient.device(), gradient.dtype()) {
                    (Device::Cpu, DType::F32) => fused::sum_of_squares::<f32>(gradient)?,
                    (Device::Cpu, DType::F64) => fused::sum_of_squares::<f64>(gradient)?,
                    _ => {
                        let gradient = gradient.to_dtype(DType::F32)?;
                        f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?)
                    }
                };
            }
        }
        Ok(squares.sqrt())
    }

    /// The optimizer's state, for a checkpoint: `optimizer.steps`, and for each memory of the
    /// rule and each parameter `optimizer.MEMORY.PARAMETER`, of the parameter's shape. The tensors
    /// share their storage with the optimizer: write them before the next step.
    ///
    /// # Errors
    /// [`Error::Tensor`] if memory runs out.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let steps = Tensor::new(self.steps as i64, &Device::Cpu)?;
        let mut state = vec![(STEPS.to_string(), steps)];
        for parameter in &self.parameters {
            for (memory, tensor) in self.rule.memories().iter().zip(&parameter.memory) {
                state.push((parameter.memory_name(memory), tensor.clone()));
            }
        }
        Ok(state)
    }

    /// Goes on from what [`Self::state`] gave; tensors of other names are ignored.
    ///
    /// # Errors
    /// [`Error::Data`] if a tensor is missing or of another shape. The optimizer is unchanged then.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let find = |name: &str| {
            state.get(name).ok_or_else(|| {
                Error::Data(format!(
                    "the optimizer's state lacks the tensor {name}: it was saved without \
                     optimizer state or by another optimizer; start the optimizer afresh instead"
                ))
            })
        };
        let steps = find(STEPS)?.to_dtype(DType::I64)?.to_scalar::<i64>()?;
        let steps = u64::try_from(steps).map_err(|_| {
            Error::Data(format!("{STEPS}: expected a count of steps, found {steps}"))
        })?;
        let mut memories = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            let mut restored = Vec::new();
            for memory in self.rule.memories() {
                let name = parameter.memory_name(memory);
                let tensor = find(&name)?;
                let value = &parameter.value;
                if tensor.dims() != value.dims() {
                    return Err(Error::Data(format!(
                        "{name}: expected shape {:?}, found {:?}",
                        value.dims(),
                        tensor.dims()
                    )));
                }
                // Own storage: what was handed over must not change when the optimizer goes on.
                let tensor = tensor.to_dtype(value.dtype())?.to_device(value.device())?.copy()?;
                restored.push(tensor.contiguous()?);
            }
            memories.push(restored);
        }
        for (parameter, memory) in self.parameters.iter_mut().zip(memories) {
            parameter.memory = memory;
        }
        self.steps = steps;
        Ok(())
    }
}

const STEPS: &str = "optimizer.steps";
