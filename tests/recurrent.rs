//! Recurrent and dense layers against PyTorch, against finite differences, and against themselves.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use neural_composer::Result;
use neural_composer::model::dense::Dense;
use neural_composer::model::gradients::Sink;
use neural_composer::model::recurrent::{Cell, Recurrent, State};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Tensors = HashMap<String, Tensor>;

/// The largest difference relative to the largest value.
fn difference(ours: &Tensor, theirs: &Tensor) -> Result<f64> {
    assert_eq!(ours.dims(), theirs.dims());
    let largest = |t: &Tensor| -> Result<f64> {
        Ok(t.abs()?.flatten_all()?.max(0)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    };
    Ok(largest(&(ours - theirs)?)? / largest(theirs)?)
}

fn assert_near(name: &str, ours: &Tensor, theirs: &Tensor, tolerance: f64) -> Result<()> {
    let found = difference(ours, theirs)?;
    assert!(found <= tolerance, "{name}: differs by {found:e} of the largest value");
    Ok(())
}

fn random(random: &mut ChaCha8Rng, shape: &[usize], scale: f64) -> Result<Tensor> {
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|_| random.random_range(-scale..scale)).collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// A stack of layers as PyTorch's modules have it, with trainable input and states.
struct Stack {
    layers: Vec<Recurrent>,
    /// Everything that gets a gradient, by PyTorch's name.
    variables: HashMap<String, Var>,
}

impl Stack {
    fn new(cell: Cell, tensors: &Tensors) -> Result<Self> {
        let mut variables = HashMap::new();
        let mut layers = Vec::new();
        let mut variable = |name: String| -> Result<Tensor> {
            let variable = Var::from_tensor(&tensors[&name])?;
            variables.insert(name, variable.clone());
            Ok(variable.as_tensor().clone())
        };
        for name in ["input", "h0", "c0"] {
            if tensors.contains_key(name) {
                variable(name.into())?;
            }
        }
        let count = (0..).take_while(|i| tensors.contains_key(&format!("weight_ih_l{i}"))).count();
        for layer in 0..count {
            let mut part = |part: &str| variable(format!("{part}_l{layer}"));
            let (weight_ih, weight_hh) = (part("weight_ih")?, part("weight_hh")?);
            let (bias_ih, bias_hh) = (part("bias_ih")?, part("bias_hh")?);
            layers.push(Recurrent::new(cell, weight_ih, weight_hh, bias_ih, bias_hh)?);
        }
        Ok(Self { layers, variables })
    }

    /// Outputs, h_n and (LSTM) c_n, by name.
    fn forward(&self) -> Result<Vec<(&'static str, Tensor)>> {
        let mut values = self.variables["input"].as_tensor().clone();
        let (mut hidden, mut cells) = (Vec::new(), Vec::new());
        for (index, layer) in self.layers.iter().enumerate() {
            let cell = self.variables.get("c0").map(|c0| c0.as_tensor().get(index)).transpose()?;
            let before = State { hidden: self.variables["h0"].as_tensor().get(index)?, cell };
            let (outputs, after) = layer.forward(&values, Some(&before))?;
            values = outputs;
            hidden.push(after.hidden);
            cells.extend(after.cell);
        }
        let mut results = vec![("outputs", values), ("h_n", Tensor::stack(&hidden, 0)?)];
        if !cells.is_empty() {
            results.push(("c_n", Tensor::stack(&cells, 0)?));
        }
        Ok(results)
    }

    /// The sum of all results, weighted.
    fn loss(&self, upstream: impl Fn(&str) -> Tensor) -> Result<Tensor> {
        let mut parts = Vec::new();
        for (name, result) in self.forward()? {
            parts.push((result * upstream(name))?.sum_all()?);
        }
        Ok(Tensor::stack(&parts, 0)?.sum_all()?)
    }
}

/// The committed results of PyTorch for a kind, by shape.
fn pytorch(cell: Cell) -> Result<HashMap<&'static str, Tensors>> {
    // Where cargo, or who carried the built test elsewhere, says.
    let checkout = std::env::var("CARGO_MANIFEST_DIR");
    let checkout = checkout.unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let path = format!("{checkout}/tests/vectors/recurrent-{cell}.safetensors");
    let all = candle_core::safetensors::load(path, &Device::Cpu)?;
    let mut shapes = HashMap::new();
    for shape in ["one-layer", "three-layers"] {
        let prefix = format!("{shape}.");
        let part: Tensors = all
            .iter()
            .filter_map(|(name, t)| Some((name.strip_prefix(&prefix)?.to_string(), t.clone())))
            .collect();
        assert!(!part.is_empty());
        shapes.insert(shape, part);
    }
    Ok(shapes)
}

#[test]
fn values_and_gradients_agree_with_pytorch() -> Result<()> {
    for cell in Cell::ALL {
        for (shape, tensors) in pytorch(cell)? {
            let stack = Stack::new(cell, &tensors)?;
            for (name, ours) in stack.forward()? {
                assert_near(&format!("{cell} {shape} {name}"), &ours, &tensors[name], 1e-5)?;
            }
            let upstream = |name: &str| tensors[&format!("{name}.upstream")].clone();
            let mut sink = Sink::default();
            // Candle's own walk, and twice through a sink, which reuses its memory.
            let walks = [
                stack.loss(upstream)?.backward()?,
                sink.backward(&stack.loss(upstream)?)?,
                sink.backward(&stack.loss(upstream)?)?,
            ];
            for gradients in walks {
                for (name, variable) in &stack.variables {
                    let ours = gradients.get(variable.as_tensor()).expect("a gradient");
                    let theirs = &tensors[&format!("{name}.grad")];
                    assert_near(&format!("{cell} {shape} {name}.grad"), ours, theirs, 1e-5)?;
                }
            }
        }
    }
    Ok(())
}

/// Random tensors for a stack of two layers, in f64.
fn random_stack(cell: Cell, batch: usize, seed: u64) -> Result<Tensors> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (steps, inputs, hidden) = (5, 3, 4);
    let rows = cell.gates() * hidden;
    let mut tensors = HashMap::new();
    let mut insert = |name: String, shape: &[usize], scale: f64| -> Result<()> {
        tensors.insert(name, random(&mut rng, shape, scale)?);
        Ok(())
    };
    insert("input".into(), &[batch, steps, inputs], 1.)?;
    insert("h0".into(), &[2, batch, hidden], 0.5)?;
    if cell.has_cell_state() {
        insert("c0".into(), &[2, batch, hidden], 0.5)?;
    }
    for (layer, width) in [(0, inputs), (1, hidden)] {
        insert(format!("weight_ih_l{layer}"), &[rows, width], 0.6)?;
        insert(format!("weight_hh_l{layer}"), &[rows, hidden], 0.6)?;
        insert(format!("bias_ih_l{layer}"), &[rows], 0.3)?;
        insert(format!("bias_hh_l{layer}"), &[rows], 0.3)?;
    }
    for name in ["outputs", "h_n", "c_n"] {
        let (whole, state) = ([batch, steps, hidden], [2, batch, hidden]);
        let shape = if name == "outputs" { whole } else { state };
        insert(format!("{name}.upstream"), &shape, 1.)?;
    }
    Ok(tensors)
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    for cell in Cell::ALL {
        // The rectifier is linear but for its kink, which a short step is unlikely to cross.
        let step = if cell == Cell::SimpleRnnRelu { 1e-7 } else { 1e-5 };
        // Small and large batches take different forms of the products.
        for batch in [2, 24] {
            let tensors = random_stack(cell, batch, 7)?;
            let stack = Stack::new(cell, &tensors)?;
            let loss = || stack.loss(|name| tensors[&format!("{name}.upstream")].clone());
            let gradients = loss()?.backward()?;
            let mut rng = ChaCha8Rng::seed_from_u64(9);
            for (name, variable) in &stack.variables {
                let gradient =
                    gradients.get(variable.as_tensor()).expect("a gradient").flatten_all()?;
                let gradient = gradient.to_vec1::<f64>()?;
                let values = variable.as_tensor().flatten_all()?.to_vec1::<f64>()?;
                for _ in 0..4 {
                    let index = rng.random_range(0..values.len());
                    let at = |offset: f64| -> Result<f64> {
                        let mut moved = values.clone();
                        moved[index] += offset;
                        variable.set(&Tensor::from_vec(moved, variable.shape(), &Device::Cpu)?)?;
                        Ok(loss()?.to_scalar::<f64>()?)
                    };
                    let slope = (at(step)? - at(-step)?) / (2. * step);
                    let scale = gradient.iter().fold(0f64, |most, g| most.max(g.abs()));
                    let found = (slope - gradient[index]).abs() / scale;
                    assert!(found < 1e-6, "{cell}, batch {batch}, {name}[{index}]: {found:e}");
                    at(0.)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_carried_state_gives_what_the_whole_sequence_gives() -> Result<()> {
    for cell in Cell::ALL {
        let tensors = &pytorch(cell)?["one-layer"];
        let stack = Stack::new(cell, tensors)?;
        let layer = &stack.layers[0];
        let (whole, last) = layer.forward(&tensors["input"], None)?;
        let mut state: Option<State> = None;
        for step in 0..whole.dim(1)? {
            let input = tensors["input"].narrow(1, step, 1)?;
            let (output, after) = layer.forward(&input, state.as_ref())?;
            let expected = whole.narrow(1, step, 1)?;
            assert_near(&format!("{cell}, step {step}"), &output, &expected, 1e-6)?;
            state = Some(after.detach());
        }
        let state = state.expect("a state");
        assert_near("last state", &state.hidden, &last.hidden, 1e-6)?;
        if let (Some(ours), Some(theirs)) = (&state.cell, &last.cell) {
            assert_near("last cell values", ours, theirs, 1e-6)?;
        }
    }
    Ok(())
}

#[test]
fn sequences_side_by_side_agree_with_one_after_the_other() -> Result<()> {
    // Large enough for threads to share a step, and for each to take sequences of its own; one sequence
    // and one step at a time takes neither way.
    for cell in Cell::ALL {
        for (batch, steps, hidden) in [(33, 12, 70), (3, 12, 130)] {
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let rows = cell.gates() * hidden;
            let mut variable = |shape: &[usize], scale: f64| -> Result<Var> {
                Ok(Var::from_tensor(&random(&mut rng, shape, scale)?.to_dtype(DType::F32)?)?)
            };
            let (input, weight_ih) =
                (variable(&[batch, steps, 9], 1.)?, variable(&[rows, 9], 0.3)?);
            let (weight_hh, bias) = (variable(&[rows, hidden], 0.1)?, variable(&[rows], 0.1)?);
            let variables = [&input, &weight_ih, &weight_hh, &bias];
            let parts = variables.map(|variable| variable.as_tensor().clone());
            let [input, weight_ih, weight_hh, bias] = parts;
            let layer = Recurrent::new(cell, weight_ih, weight_hh, bias.clone(), bias)?;
            let whole = layer.forward(&input, None)?.0;
            let mut pieces = Vec::new();
            for sequence in 0..batch {
                let mut state: Option<State> = None;
                let mut outputs = Vec::new();
                for step in 0..steps {
                    let input = input.narrow(0, sequence, 1)?.narrow(1, step, 1)?;
                    let (output, after) = layer.forward(&input, state.as_ref())?;
                    outputs.push(output);
                    state = Some(after);
                }
                pieces.push(Tensor::cat(&outputs, 1)?);
            }
            let pieces = Tensor::cat(&pieces, 0)?;
            assert_near(&format!("{cell} outputs"), &whole, &pieces, 1e-5)?;
            let whole = whole.sqr()?.sum_all()?.backward()?;
            let pieces = pieces.sqr()?.sum_all()?.backward()?;
            for variable in variables {
                let (ours, theirs) = (whole.get(variable), pieces.get(variable));
                let (ours, theirs) = (ours.expect("a gradient"), theirs.expect("a gradient"));
                assert_near(&format!("{cell} {:?}", variable.dims()), ours, theirs, 2e-5)?;
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_of_a_shared_layer_add_up() -> Result<()> {
    let tensors = &pytorch(Cell::Lstm)?["one-layer"];
    let stack = Stack::new(Cell::Lstm, tensors)?;
    let layer = &stack.layers[0];
    let loss = || -> Result<Tensor> {
        let (first, state) = layer.forward(stack.variables["input"].as_tensor(), None)?;
        let (second, _) = layer.forward(stack.variables["input"].as_tensor(), Some(&state))?;
        Ok((first.sqr()?.sum_all()? + second.sqr()?.sum_all()?)?)
    };
    let (plain, through_sink) = (loss()?.backward()?, Sink::default().backward(&loss()?)?);
    for name in ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "input"] {
        let tensor = stack.variables[name].as_tensor();
        let (ours, theirs) = (through_sink.get(tensor), plain.get(tensor));
        assert_near(name, ours.expect("a gradient"), theirs.expect("a gradient"), 1e-6)?;
    }
    Ok(())
}

#[test]
fn gradients_reach_the_start_through_the_last_state_alone() -> Result<()> {
    for cell in Cell::ALL {
        let tensors = &pytorch(cell)?["one-layer"];
        let stack = Stack::new(cell, tensors)?;
        let state = stack.layers[0].forward(stack.variables["input"].as_tensor(), None)?.1;
        let end = state.cell.unwrap_or(state.hidden);
        let gradients = end.sum_all()?.backward()?;
        let input = gradients.get(stack.variables["input"].as_tensor()).expect("a gradient");
        let first = input.narrow(1, 0, 1)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!(first > 0., "{cell}");
    }
    Ok(())
}

#[test]
fn half_precision_takes_the_composed_form_and_agrees_roughly() -> Result<()> {
    for cell in Cell::ALL {
        let tensors = &pytorch(cell)?["three-layers"];
        let halves = tensors
            .iter()
            .map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(DType::F16)?)))
            .collect::<Result<Tensors>>()?;
        for (name, ours) in Stack::new(cell, &halves)?.forward()? {
            assert_near(name, &ours.to_dtype(DType::F32)?, &tensors[name], 1e-2)?;
        }
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_with_words() -> Result<()> {
    let tensors = &pytorch(Cell::Lstm)?["one-layer"];
    let stack = Stack::new(Cell::Lstm, tensors)?;
    let layer = &stack.layers[0];
    let cpu = Device::Cpu;
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &cpu);
    let without_cell = State::new(zeros(&[2, 37])?);
    let refusals = [
        (layer.forward(&zeros(&[2, 3, 18])?, None).err(), "19"),
        (layer.forward(&zeros(&[2, 0, 19])?, None).err(), "steps"),
        (layer.forward(&zeros(&[2, 19])?, None).err(), "batch"),
        (layer.forward(&zeros(&[2, 3, 19])?, Some(&without_cell)).err(), "cell"),
        (layer.forward(&zeros(&[3, 3, 19])?, Some(&without_cell)).err(), "[3, 37]"),
        (layer.forward(&zeros(&[2, 3, 19])?.to_dtype(DType::F64)?, None).err(), "F32"),
    ];
    for (refusal, word) in refusals {
        let text = refusal.expect("an error").to_string();
        assert!(text.contains(word), "{text}");
    }
    let parts = || -> Result<_> { Ok((zeros(&[148, 19])?, zeros(&[148, 37])?, zeros(&[148])?)) };
    let (weight_ih, weight_hh, bias) = parts()?;
    let gru = Recurrent::new(Cell::Gru, weight_ih, weight_hh, bias.clone(), bias);
    assert!(gru.expect_err("an error").to_string().contains("3 x hidden"));
    assert!("transformer".parse::<Cell>().is_err());
    for cell in Cell::ALL {
        assert_eq!(cell.to_string().parse::<Cell>()?, cell);
    }
    Ok(())
}

#[test]
fn dense_agrees_with_candle_and_its_gradients_too() -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    // A few rows and many rows take different forms.
    for rows in [1, 5, 8, 9, 40] {
        for dtype in [DType::F64, DType::F32] {
            let tolerance = if dtype == DType::F64 { 1e-12 } else { 1e-5 };
            let mut variable = |shape: &[usize]| -> Result<Var> {
                Ok(Var::from_tensor(&random(&mut rng, shape, 1.)?.to_dtype(dtype)?)?)
            };
            let (input, weight) = (variable(&[1, rows, 37])?, variable(&[70, 37])?);
            let bias = variable(&[70])?;
            let layer = Dense::new(weight.as_tensor().clone(), bias.as_tensor().clone())?;
            let ours = layer.forward(&input)?;
            let theirs = input.squeeze(0)?.matmul(&weight.t()?)?.broadcast_add(&bias)?;
            assert_near("output", &ours.squeeze(0)?, &theirs, tolerance)?;
            let ours = Sink::default().backward(&ours.sqr()?.sum_all()?)?;
            let theirs = theirs.sqr()?.sum_all()?.backward()?;
            for variable in [&input, &weight, &bias] {
                let (ours, theirs) = (ours.get(variable), theirs.get(variable));
                let (ours, theirs) = (ours.expect("a gradient"), theirs.expect("a gradient"));
                assert_near(&format!("{:?}", variable.dims()), ours, theirs, tolerance)?;
            }
        }
    }
    let layer = Dense::new(
        Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?,
        Tensor::zeros(2, DType::F32, &Device::Cpu)?,
    )?;
    let nothing = layer.forward(&Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?)?;
    assert_eq!(nothing.dims(), [0, 2]);
    assert!(layer.forward(&Tensor::zeros((4, 2), DType::F32, &Device::Cpu)?).is_err());
    Ok(())
}

#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn cuda_agrees_with_the_cpu() -> Result<()> {
    let cuda = Device::new_cuda(0)?;
    for cell in Cell::ALL {
        for (shape, tensors) in pytorch(cell)? {
            let there = tensors
                .iter()
                .map(|(name, tensor)| Ok((name.clone(), tensor.to_device(&cuda)?)))
                .collect::<Result<Tensors>>()?;
            let stack = Stack::new(cell, &there)?;
            for (name, ours) in stack.forward()? {
                let ours = ours.to_device(&Device::Cpu)?;
                assert_near(&format!("{cell} {shape} {name}"), &ours, &tensors[name], 1e-4)?;
            }
            let upstream = |name: &str| there[&format!("{name}.upstream")].clone();
            let gradients = stack.loss(upstream)?.backward()?;
            for (name, variable) in &stack.variables {
                let ours = gradients.get(variable.as_tensor()).expect("a gradient");
                let ours = ours.to_device(&Device::Cpu)?;
                let theirs = &tensors[&format!("{name}.grad")];
                assert_near(&format!("{cell} {shape} {name}.grad"), &ours, theirs, 1e-4)?;
            }
        }
    }
    Ok(())
}
