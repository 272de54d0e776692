//! Weights that travel to PyTorch and Keras, and from there to here.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};

use super::{Cell, Recurrent};
use crate::{Error, Result, atomic_file};

/// Reads the layers of a `torch.nn.RNN`, `GRU` or `LSTM` of kind `cell` from a `.safetensors` file,
/// first to last: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_ih_l1`, ….
///
/// `prefix` stands before these names where the module is part of a larger one: `"encoder."` for
/// `encoder.weight_ih_l0`, and `"recurrent.0."` for the first layer in the file of one of our networks;
/// else `""`. Biases are zeros for a module made with `bias=False`. The file tells neither the kind nor
/// whether a simple network uses tanh or a rectifier.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use neural_composer::model::recurrent::{self, Cell, Recurrent};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let cpu = Device::Cpu;
/// let layer = Recurrent::new(
///     Cell::Gru,
///     Tensor::randn(0f32, 0.3, (15, 3), &cpu)?,
///     Tensor::randn(0f32, 0.3, (15, 5), &cpu)?,
///     Tensor::zeros(15, candle_core::DType::F32, &cpu)?,
///     Tensor::zeros(15, candle_core::DType::F32, &cpu)?,
/// )?;
/// let path = folder.path().join("gru.safetensors");
/// recurrent::save_pytorch(&path, &[layer])?;
/// // In Python: torch.nn.GRU(3, 5).load_state_dict(safetensors.torch.load_file("gru.safetensors"))
/// let layers = recurrent::load_pytorch(&path, "", Cell::Gru, &cpu)?;
/// assert_eq!((layers.len(), layers[0].input_size(), layers[0].hidden_size()), (1, 3, 5));
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Model`] if it is no safetensors file, lacks such
/// weights, or holds some that do not fit the kind or that are not known here (a bidirectional module,
/// or one with projections).
pub fn load_pytorch(
    path: impl AsRef<Path>,
    prefix: &str,
    cell: Cell,
    device: &Device,
) -> Result<Vec<Recurrent>> {
    read_layers(path.as_ref(), prefix, cell, device)
}

fn read_layers(path: &Path, prefix: &str, cell: Cell, device: &Device) -> Result<Vec<Recurrent>> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read the weights"))?;
    let mut tensors =
        candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|error| {
            Error::model(path, format!("is no readable safetensors file ({error}); write it again"))
        })?;
    tensors.retain(|name, _| name.starts_with(prefix));
    let of_other_kind = |name: &&String| {
        name[prefix.len()..].starts_with("weight_hr_l") || name.ends_with("_reverse")
    };
    if let Some(name) = tensors.keys().find(of_other_kind) {
        return Err(Error::model(
            path,
            format!(
                "holds \"{name}\", of a bidirectional layer or one with projections; \
                 expected layers that run forwards and have none"
            ),
        ));
    }
    let mut layers: Vec<Recurrent> = Vec::new();
    while tensors.contains_key(&format!("{prefix}weight_ih_l{}", layers.len())) {
        let layer = load_layer(&tensors, prefix, layers.len(), cell, device);
        let layer = layer.map_err(|error| Error::model(path, error.to_string()))?;
        layers.push(layer);
    }
    for (index, pair) in layers.windows(2).enumerate() {
        let (before, found) = (pair[0].hidden_size(), pair[1].input_size());
        if before != found {
            let name = format!("{prefix}weight_ih_l{}", index + 1);
            return Err(Error::model(
                path,
                format!(
                    "\"{name}\" takes {found} values, but the layer before it gives {before}; \
                     expected layers that follow each other"
                ),
            ));
        }
    }
    if layers.is_empty() {
        return Err(Error::model(
            path,
            format!(
                "holds no tensor \"{prefix}weight_ih_l0\"; \
                 expected the weights of a torch.nn.RNN, GRU or LSTM under the prefix {prefix:?}"
            ),
        ));
    }
    Ok(layers)
}

fn load_layer(
    tensors: &HashMap<String, Tensor>,
    prefix: &str,
    index: usize,
    cell: Cell,
    device: &Device,
) -> Result<Recurrent> {
    let part = |part: &str| tensors.get(&format!("{prefix}{part}_l{index}"));
    let weight = |name: &str| {
        let weight = part(name).ok_or_else(|| {
            Error::Data(format!("the tensor \"{prefix}{name}_l{index}\" is missing"))
        })?;
        Ok::<_, Error>(weight.to_device(device)?)
    };
    let (weight_ih, weight_hh) = (weight("weight_ih")?, weight("weight_hh")?);
    let bias = |name: &str| match part(name) {
        Some(bias) => bias.to_device(device),
        None => Tensor::zeros(weight_hh.dim(0)?, weight_hh.dtype(), device),
    };
    let (bias_ih, bias_hh) = (bias("bias_ih")?, bias("bias_hh")?);
    Recurrent::new(cell, weight_ih, weight_hh, bias_ih, bias_hh)
}

/// Writes `layers`, first to last, as the weights of one `torch.nn.RNN`, `GRU` or `LSTM` with
/// `num_layers=layers.len()`: `load_state_dict` takes what `safetensors.torch.load_file` reads, as it
/// is. The file appears whole or not at all.
///
/// # Errors
/// [`Error::Argument`] if there is no layer, or if they cannot be one module because they differ in
/// kind, units or number type, or do not follow each other (write them to one file each);
/// [`Error::Io`] if the file cannot be written.
pub fn save_pytorch(path: impl AsRef<Path>, layers: &[Recurrent]) -> Result<()> {
    save_layers(path.as_ref(), layers)
}

fn save_layers(path: &Path, layers: &[Recurrent]) -> Result<()> {
    let first = layers
        .first()
        .ok_or_else(|| Error::argument("layers", "at least one recurrent layer", "none"))?;
    let mut tensors = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        let fits = index == 0 || layer.input_size() == first.hidden_size();
        let (kind, dtype) = (first.cell(), first.weights.weight_hh.dtype());
        if !fits
            || (layer.cell(), layer.hidden_size()) != (kind, first.hidden_size())
            || layer.weights.weight_hh.dtype() != dtype
        {
            return Err(Error::argument(
                "layers",
                format!(
                    "layers alike, as one PyTorch module has them ({kind} {}, {dtype:?})",
                    first.hidden_size()
                ),
                format!(
                    "layer {index}: {} {} for {} inputs, {:?}",
                    layer.cell(),
                    layer.hidden_size(),
                    layer.input_size(),
                    layer.weights.weight_hh.dtype()
                ),
            ));
        }
        for (part, tensor) in layer.parts() {
            tensors.insert(format!("{part}_l{index}"), tensor.to_device(&Device::Cpu)?);
        }
    }
    // "format" is how safetensors files say that they are PyTorch's.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(&tensors, Some(metadata))
        .map_err(|error| Error::model(path, format!("could not be put together: {error}")))?;
    atomic_file::write(path, |file| {
        use std::io::Write;
        file.write_all(&bytes).map_err(Error::io(path, "write the weights"))
    })
}

/// The arrays of a Keras layer, `SimpleRNN`, `GRU` or `LSTM`, in the order of its `get_weights()`.
#[derive(Clone, Debug)]
pub struct KerasWeights {
    /// (input, G·hidden) with G = [`Cell::gates`].
    pub kernel: Tensor,
    /// (hidden, G·hidden).
    pub recurrent_kernel: Tensor,
    /// (G·hidden), and (2, G·hidden) for a GRU; `None` for a layer made with `use_bias=False`.
    pub bias: Option<Tensor>,
}

impl Recurrent {
    /// A layer from a Keras layer's arrays.
    ///
    /// Keras keeps weights transposed. Its gates of an LSTM, i, f, c, o, are in PyTorch's order; those
    /// of a GRU are z, r, h where PyTorch has r, z, n. Its one bias (but for the GRU) becomes `bias_ih`.
    /// The Keras layer has to compute what ours does: its default activations, and `reset_after=True`
    /// (the default) for a GRU.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use neural_composer::model::recurrent::{Cell, KerasWeights, Recurrent};
    ///
    /// let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    /// let weights = KerasWeights {
    ///     kernel: zeros((3, 15))?,
    ///     recurrent_kernel: zeros((5, 15))?,
    ///     bias: Some(zeros((2, 15))?),
    /// };
    /// let layer = Recurrent::from_keras(Cell::Gru, &weights)?;
    /// assert_eq!((layer.input_size(), layer.hidden_size()), (3, 5));
    /// assert_eq!(layer.to_keras()?.kernel.dims(), [3, 15]);
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] if the shapes do not fit the kind or each other.
    pub fn from_keras(cell: Cell, weights: &KerasWeights) -> Result<Self> {
        let columns = match *weights.recurrent_kernel.dims() {
            [hidden, columns] if hidden > 0 && columns == cell.gates() * hidden => columns,
            _ => {
                return Err(Error::argument(
                    "recurrent_kernel",
                    format!("shape (hidden, {} x hidden) for a {cell} layer", cell.gates()),
                    format!("{:?}", weights.recurrent_kernel.dims()),
                ));
            }
        };
        match *weights.kernel.dims() {
            [inputs, found] if inputs > 0 && found == columns => (),
            _ => {
                return Err(Error::argument(
                    "kernel",
                    format!("shape (input, {columns})"),
                    format!("{:?}", weights.kernel.dims()),
                ));
            }
        }
        let zeros = || {
            let kernel = &weights.recurrent_kernel;
            Tensor::zeros(columns, kernel.dtype(), kernel.device())
        };
        let (bias_ih, bias_hh) = match &weights.bias {
            None => (zeros()?, zeros()?),
            Some(bias) if cell != Cell::Gru && bias.dims() == [columns] => (bias.clone(), zeros()?),
            Some(bias) if cell == Cell::Gru && bias.dims() == [2, columns] => {
                (bias.get(0)?, bias.get(1)?)
            }
            Some(bias) => {
                let expected = match cell {
                    Cell::Gru => format!("shape (2, {columns}), of a GRU with reset_after=True"),
                    _ => format!("shape ({columns})"),
                };
                return Err(Error::argument("bias", expected, format!("{:?}", bias.dims())));
            }
        };
        let rows = |kernel: &Tensor| reorder_gates(cell, &kernel.t()?.contiguous()?);
        Self::new(
            cell,
            rows(&weights.kernel)?,
            rows(&weights.recurrent_kernel)?,
            reorder_gates(cell, &bias_ih)?,
            reorder_gates(cell, &bias_hh)?,
        )
    }

    /// The arrays for a Keras layer's `set_weights([kernel, recurrent_kernel, bias])`; the reverse of
    /// [`from_keras`](Self::from_keras), but for the two biases, which Keras adds up (for a GRU it has
    /// both).
    ///
    /// # Errors
    /// [`Error::Tensor`] if memory runs out.
    pub fn to_keras(&self) -> Result<KerasWeights> {
        let columns = |weight: &Tensor| -> Result<Tensor> {
            Ok(reorder_gates(self.weights.cell, &weight.detach())?.t()?.contiguous()?)
        };
        let (ih, hh) = (self.weights.bias_ih.detach(), self.weights.bias_hh.detach());
        let bias = match self.weights.cell {
            Cell::Gru => Tensor::stack(
                &[reorder_gates(self.weights.cell, &ih)?, reorder_gates(self.weights.cell, &hh)?],
                0,
            )?,
            _ => (ih + hh)?,
        };
        Ok(KerasWeights {
            kernel: columns(&self.weights.weight_ih)?,
            recurrent_kernel: columns(&self.weights.weight_hh)?,
            bias: Some(bias),
        })
    }

    /// The weights and biases by PyTorch's names without the layer's number.
    pub(in crate::model) fn parts(&self) -> [(&'static str, &Tensor); 4] {
        [
            ("weight_ih", &self.weights.weight_ih),
            ("weight_hh", &self.weights.weight_hh),
            ("bias_ih", &self.weights.bias_ih),
            ("bias_hh", &self.weights.bias_hh),
        ]
    }
}

/// Between Keras's order of gates and PyTorch's, along the first axis: they differ in a GRU's first two,
/// so the way back is the way there.
fn reorder_gates(cell: Cell, rows: &Tensor) -> Result<Tensor> {
    if cell != Cell::Gru {
        return Ok(rows.clone());
    }
    let gates = rows.chunk(3, 0)?;
    Ok(Tensor::cat(&[&gates[1], &gates[0], &gates[2]], 0)?)
}
