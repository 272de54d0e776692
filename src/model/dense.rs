//! The dense layer: every output sees every input.

use candle_core::{
    CpuStorage, CustomOp3, D, DType, Device, Layout, Result as CandleResult, Shape, Tensor,
};

use super::gradients;
use crate::compute::Precision;
use crate::compute::few_rows::{repeated, transposed};
use crate::compute::lanes::Lanes;
use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::{add_column_sums, product};
use crate::compute::storage::{rounded, stored, values, with_values};
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

    /// The same layer cut off from its variables: it gathers no graph.
    pub(super) fn untracked(&self) -> Self {
        Self { weight: self.weight.detach(), bias: self.bias.detach() }
    }

    /// [`untracked`](Self::untracked), on `device`.
    pub(super) fn on(&self, device: &Device) -> Result<Self> {
        let there = |tensor: &Tensor| tensor.detach().to_device(device);
        Ok(Self { weight: there(&self.weight)?, bias: there(&self.bias)? })
    }

    /// The same layer for reading alone, large weights rounded to sixteen bits.
    pub(super) fn rounded(&self) -> Result<Self> {
        Ok(Self { weight: rounded(&self.weight.detach())?, bias: self.bias.detach() })
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
        if input.dtype() != self.bias.dtype() {
            return Err(Error::argument(
                "input",
                format!("{:?} values, as the layer's", self.bias.dtype()),
                format!("{:?}", input.dtype()),
            ));
        }
        match (input.device(), input.dtype()) {
            _ if input.elem_count() == 0 => composed(input, &self.weight, Some(&self.bias)),
            (Device::Cpu, DType::F32) => self.fused::<f32>(input),
            (Device::Cpu, DType::F64) => self.fused::<f64>(input),
            _ => composed(input, &self.weight, Some(&self.bias)),
        }
    }

    fn fused<T: Lanes>(&self, input: &Tensor) -> Result<Tensor> {
        let operation = Product::<T>(Precision::current(), std::marker::PhantomData);
        let (weight, bias) = (self.weight.contiguous()?, self.bias.contiguous()?);
        Ok(input.contiguous()?.apply_op3(&weight, &bias, operation)?)
    }
}

/// `input weightᵀ + bias` with Candle's own operations, as one matrix product over all rows.
pub(crate) fn composed(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let mut shape = input.dims().to_vec();
    shape.pop();
    let rows = shape.iter().product::<usize>();
    shape.push(outputs);
    let precision = Precision::current();
    let product = product_in(precision, &input.reshape((rows, inputs))?, &weight.t()?)?;
    let output = match bias {
        Some(bias) => product.broadcast_add(bias)?,
        None => product,
    };
    Ok(output.reshape(shape)?)
}

/// A product with Candle's own operations. (`Tf32` is a switch of theirs.)
pub(crate) fn product_in(
    precision: Precision,
    left: &Tensor,
    right: &Tensor,
) -> CandleResult<Tensor> {
    if precision == Precision::Bf16 && left.dtype() == DType::F32 {
        let product = left.to_dtype(DType::BF16)?.matmul(&right.to_dtype(DType::BF16)?)?;
        return product.to_dtype(DType::F32);
    }
    left.matmul(right)
}

/// The layer as one operation: no transposed copies, one matrix product for each gradient.
struct Product<T>(Precision, std::marker::PhantomData<T>);

impl<T: Lanes> CustomOp3 for Product<T> {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (outputs, inputs) = weight_layout.shape().dims2()?;
        let input = self.0.read(values::<T>(input, input_layout)?);
        let rows = input.len() / inputs;
        let mut output = repeated::<T>(values(bias, bias_layout)?, rows);
        let mut room = Vec::new();
        let weight = stored(weight, weight_layout)?.read(self.0, &mut room);
        transposed(&mut output, outputs, &input, rows, weight, Into::Add);
        let mut shape = input_layout.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        Ok((T::to_cpu_storage_owned(output), Shape::from(shape)))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (outputs, inputs) = weight.dims2()?;
        let rows = input.elem_count() / inputs;
        let gradient = gradient.contiguous()?;
        with_values::<T, _>(&gradient, |gradient| {
            let read = self.0.read(gradient);
            let gradient_matrix = Matrix::new(&read, rows, outputs);
            let d_weight = with_values(input, |input| {
                let input = self.0.read(input);
                gradients::compute(weight, |values, into| {
                    let input = Matrix::new(&input, rows, inputs);
                    product(values, inputs, gradient_matrix.t(), input, into);
                })
            })?;
            let d_bias = gradients::compute(bias, |values, into| {
                if into == Into::Overwrite {
                    values.fill(T::ZERO);
                }
                add_column_sums(gradient, values);
            })?;
            let d_input = if input.track_op() {
                let mut d_input = vec![T::ZERO; input.elem_count()];
                with_values(weight, |weight| {
                    let weight = self.0.read(weight);
                    let weight = Matrix::new(&weight, outputs, inputs);
                    product(&mut d_input, inputs, gradient_matrix, weight, Into::Overwrite);
                    Ok(())
                })?;
                Some(Tensor::from_vec(d_input, input.shape(), input.device())?)
            } else {
                None
            };
            Ok((d_input, d_weight, d_bias))
        })
    }
}
