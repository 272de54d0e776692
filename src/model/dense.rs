//! The dense layer: every output sees every input.

use candle_core::{D, Tensor};

use crate::{Error, Result};

/// A dense (fully connected) layer, `y = x Wᵀ + b`, in the layout of PyTorch's `nn.Linear`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use neural_composer::model::dense::Dense;
///
/// let weight = Tensor::new(&[[1f32, 2.], [3., 4.], [5., 6.]], &Device::Cpu)?;
/// let bias = Tensor::new(&[0f32, 0., 10.], &Device::Cpu)?;
/// let layer = Dense::new(weight, bias)?;
/// let output = layer.forward(&Tensor::new(&[[1f32, 1.]], &Device::Cpu)?)?;
/// assert_eq!(output.to_vec2::<f32>()?, [[3., 7., 21.]]);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// A layer over given weights: `weight` of shape (outputs, inputs), `bias` of shape (outputs).
    ///
    /// # Errors
    /// [`Error::Argument`] if the two do not fit each other.
    pub fn new(weight: Tensor, bias: Tensor) -> Result<Self> {
        match *weight.dims() {
            [outputs, inputs] if outputs > 0 && inputs > 0 => {
                if bias.dims() != [outputs] {
                    return Err(Error::argument(
                        "bias",
                        format!("shape ({outputs})"),
                        format!("{:?}", bias.dims()),
                    ));
                }
            }
            _ => {
                return Err(Error::argument(
                    "weight",
                    "shape (outputs, inputs)",
                    format!("{:?}", weight.dims()),
                ));
            }
        }
        if bias.dtype() != weight.dtype() || !bias.device().same_device(weight.device()) {
            return Err(Error::argument(
                "bias",
                format!("{:?} on the weight's device", weight.dtype()),
                format!("{:?} on {:?}", bias.dtype(), bias.device().location()),
            ));
        }
        Ok(Self { weight, bias })
    }

    /// The number of values that one row of the input has.
    pub fn inputs(&self) -> usize {
        self.weight.dims()[1]
    }

    /// The number of values that one row of the output has.
    pub fn outputs(&self) -> usize {
        self.weight.dims()[0]
    }

    /// Applies the layer to the last axis of `input`, of shape (..., inputs); gives (..., outputs).
    ///
    /// # Errors
    /// [`Error::Argument`] if `input` does not fit the layer; [`Error::Tensor`] if memory runs out.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        if input.rank() == 0 || input.dim(D::Minus1)? != self.inputs() {
            return Err(Error::argument(
                "input",
                format!("shape (..., {})", self.inputs()),
                format!("{:?}", input.dims()),
            ));
        }
        composed(input, &self.weight, Some(&self.bias))
    }
}

/// `input weightᵀ + bias` with Candle's own operations, as one matrix product over all rows.
pub(crate) fn composed(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let mut shape = input.dims().to_vec();
    shape.pop();
    let rows = shape.iter().product::<usize>();
    shape.push(outputs);
    let product = input.reshape((rows, inputs))?.matmul(&weight.t()?)?;
    let output = match bias {
        Some(bias) => product.broadcast_add(bias)?,
        None => product,
    };
    Ok(output.reshape(shape)?)
}
