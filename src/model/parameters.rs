//! Trainable tensors by name, drawn or loaded.

use crate::{Error, Result};
use candle_core::{DType, Device, Shape, Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// The trainable tensors of a network by name, drawn from one seeded generator.
///
/// Candle's CPU device cannot be seeded, so the numbers are drawn here and handed over: the same
/// seed gives the same network on every device.
pub struct Parameters {
    device: Device,
    source: Source,
    variables: BTreeMap<String, Var>,
}

enum Source {
    Drawn(Box<ChaCha8Rng>),
    Loaded(BTreeMap<String, Tensor>),
}

impl Parameters {
    /// Parameters that will be drawn from `random`.
    pub fn drawn(random: ChaCha8Rng, device: &Device) -> Self {
        Self {
            device: device.clone(),
            source: Source::Drawn(Box::new(random)),
            variables: BTreeMap::new(),
        }
    }

    /// Parameters that will be taken from `tensors`, by name.
    pub fn loaded(tensors: BTreeMap<String, Tensor>, device: &Device) -> Self {
        Self { device: device.clone(), source: Source::Loaded(tensors), variables: BTreeMap::new() }
    }

    /// The parameter `name`, uniform within ±`bound` where it is drawn.
    ///
    /// # Errors
    /// [`Error::Data`] when it is to be loaded and is missing or of another shape.
    pub fn uniform(&mut self, name: &str, shape: impl Into<Shape>, bound: f64) -> Result<Tensor> {
        let bound = bound as f32;
        self.parameter(name, shape.into(), |random| random.random_range(-1.0f32..=1.0) * bound)
    }

    /// The parameter `name`, `value` throughout where it is not loaded; nothing is drawn for it.
    ///
    /// # Errors
    /// [`Error::Data`] when it is to be loaded and is missing or of another shape.
    pub fn constant(&mut self, name: &str, shape: impl Into<Shape>, value: f32) -> Result<Tensor> {
        self.parameter(name, shape.into(), |_| value)
    }

    fn parameter(
        &mut self,
        name: &str,
        shape: Shape,
        draw: impl Fn(&mut ChaCha8Rng) -> f32,
    ) -> Result<Tensor> {
        let tensor = match &mut self.source {
            Source::Drawn(random) => {
                let numbers: Vec<f32> = (0..shape.elem_count()).map(|_| draw(random)).collect();
                Tensor::from_vec(numbers, shape, &self.device)?
            }
            Source::Loaded(tensors) => {
                let tensor = tensors.remove(name).ok_or_else(|| {
                    Error::Data(format!("the tensor \"{name}\" {shape:?} is missing"))
                })?;
                if tensor.shape() != &shape {
                    return Err(Error::Data(format!(
                        "the tensor \"{name}\" should have the shape {shape:?}, found {:?}",
                        tensor.shape()
                    )));
                }
                tensor.to_device(&self.device)?.to_dtype(DType::F32)?
            }
        };
        let variable = Var::from_tensor(&tensor)?;
        let tensor = variable.as_tensor().clone();
        self.variables.insert(name.to_owned(), variable);
        Ok(tensor)
    }

    /// Whether the parameters are drawn afresh (and may be adjusted before training).
    pub fn are_drawn(&self) -> bool {
        matches!(self.source, Source::Drawn(_))
    }

    /// All parameters made so far, in the order of their names.
    pub fn into_variables(self) -> BTreeMap<String, Var> {
        self.variables
    }
}
