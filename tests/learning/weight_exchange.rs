//! Weights from PyTorch and Keras, and for them: against stored vectors, and against PyTorch itself where
//! the variable `PEERS_PYTHON` names a Python that has torch and safetensors.

use candle_core::{Device as CandleDevice, Tensor};
use neural_composer::Result;
use neural_composer::audio::Audio;
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::model::recurrent::{self, Cell, KerasWeights, Recurrent, State};
use neural_composer::model::{Device, Network, NetworkConfig, gru, lstm};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

type Tensors = HashMap<String, Tensor>;

const CPU: CandleDevice = CandleDevice::Cpu;

fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{name}.safetensors"))
}

fn assert_near(name: &str, ours: &Tensor, theirs: &Tensor) -> Result<()> {
    assert_eq!(ours.dims(), theirs.dims(), "{name}");
    let largest = theirs.abs()?.max_all()?.to_scalar::<f32>()?;
    let found = (ours - theirs)?.abs()?.max_all()?.to_scalar::<f32>()? / largest;
    assert!(found < 1e-5, "{name}: differs by {found:e} of the largest value");
    Ok(())
}

fn assert_same(name: &str, ours: &Tensor, theirs: &Tensor) -> Result<()> {
    assert_eq!(ours.dims(), theirs.dims(), "{name}");
    let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    assert_eq!(values(ours)?, values(theirs)?, "{name}");
    Ok(())
}

/// The outputs of a stack, from given states or from zeros.
fn run(layers: &[Recurrent], input: &Tensor, states: Option<&Tensors>) -> Result<Tensor> {
    let mut values = input.clone();
    for (index, layer) in layers.iter().enumerate() {
        let state = match states {
            Some(states) => {
                let cell = states.get("three-layers.c0").map(|c0| c0.get(index)).transpose()?;
                Some(State { hidden: states["three-layers.h0"].get(index)?, cell })
            }
            None => None,
        };
        values = layer.forward(&values, state.as_ref())?.0;
    }
    Ok(values)
}

/// A network in the shape of the one in `make_network.py`, with other weights.
fn network() -> Result<Network> {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 32, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 8, stride_blocks: 8 };
    let samples = (0..32 * 40).map(|i| (i as f32 * 0.3).sin()).collect();
    let data = Dataset::from_audio(&[("hum".into(), Audio::mono(samples, 8_000)?)], settings)?;
    let config = NetworkConfig::stack(32, [lstm(6).norm().residual(), gru(6)]);
    Network::new(config, &data, 1, &Device::cpu())
}

#[test]
fn a_stack_of_pytorchs_layers_is_read_and_written_as_it_is() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    for cell in Cell::ALL {
        let path = vectors(&format!("recurrent-{cell}"));
        let theirs = candle_core::safetensors::load(&path, &CPU)?;
        let layers = recurrent::load_pytorch(&path, "three-layers.", cell, &CPU)?;
        assert_eq!(layers.len(), 3);
        let outputs = run(&layers, &theirs["three-layers.input"], Some(&theirs))?;
        assert_near(cell.name(), &outputs, &theirs["three-layers.outputs"])?;

        let written = folder.path().join("stack.safetensors");
        recurrent::save_pytorch(&written, &layers)?;
        let ours = candle_core::safetensors::load(&written, &CPU)?;
        assert_eq!(ours.len(), 12, "weights and biases of three layers and nothing else");
        for (name, tensor) in &ours {
            assert_same(name, tensor, &theirs[&format!("three-layers.{name}")])?;
        }
    }
    match std::env::var("PEERS_PYTHON") {
        Ok(python) => compare_with_pytorch_itself(&python),
        Err(_) => Ok(()),
    }
}

#[test]
fn a_network_takes_pytorchs_weights_and_gives_pytorchs_output() -> Result<()> {
    let path = vectors("network");
    let theirs = candle_core::safetensors::load(&path, &CPU)?;
    let mut network = network()?;
    for (name, variable) in network.variables() {
        variable.set(&theirs[name])?;
    }
    let output = network.predict(&theirs["input"], None)?.0;
    assert_near("all weights", &output, &theirs["output"])?;

    // The recurrent layers alone, after they were spoiled.
    for (name, variable) in network.variables() {
        if name.starts_with("recurrent.") {
            variable.set(&variable.zeros_like()?)?;
        }
    }
    let mut layers = recurrent::load_pytorch(&path, "recurrent.0.", Cell::Lstm, &CPU)?;
    layers.extend(recurrent::load_pytorch(&path, "recurrent.1.", Cell::Gru, &CPU)?);
    network.set_recurrent_layers(&layers)?;
    let output = network.predict(&theirs["input"], None)?.0;
    assert_near("recurrent layers", &output, &theirs["output"])?;

    // Our own file is one of PyTorch's, layer by layer.
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("network.safetensors");
    network.save(&saved)?;
    let again = recurrent::load_pytorch(&saved, "recurrent.1.", Cell::Gru, &CPU)?;
    let input = Tensor::ones((1, 3, 6), candle_core::DType::F32, &CPU)?;
    assert_same("saved", &run(&again, &input, None)?, &run(&layers[1..], &input, None)?)?;
    let own = network.recurrent_layers();
    network.set_recurrent_layers(&own)?;
    assert_near("own layers", &network.predict(&theirs["input"], None)?.0, &theirs["output"])
}

#[test]
fn keras_layers_give_here_what_they_gave_there_and_go_back_unchanged() -> Result<()> {
    let theirs = candle_core::safetensors::load(vectors("keras"), &CPU)?;
    for cell in Cell::ALL {
        let part = |part: &str| theirs[&format!("{cell}.{part}")].clone();
        let weights = KerasWeights {
            kernel: part("kernel"),
            recurrent_kernel: part("recurrent_kernel"),
            bias: Some(part("bias")),
        };
        let layer = Recurrent::from_keras(cell, &weights)?;
        let outputs = layer.forward(&part("input"), None)?.0;
        assert_near(cell.name(), &outputs, &part("outputs"))?;

        let back = layer.to_keras()?;
        assert_same("kernel", &back.kernel, &weights.kernel)?;
        assert_same("recurrent_kernel", &back.recurrent_kernel, &weights.recurrent_kernel)?;
        assert_same("bias", &back.bias.expect("a bias"), &part("bias"))?;
    }
    Ok(())
}

/// Lets `python` load our files and us load those it writes, if it has torch and safetensors.
fn compare_with_pytorch_itself(python: &str) -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(format!("{name}.safetensors"));
    let mut ours = HashMap::new();
    for cell in Cell::ALL {
        let path = vectors(&format!("recurrent-{cell}"));
        let layers = recurrent::load_pytorch(path, "three-layers.", cell, &CPU)?;
        recurrent::save_pytorch(file(cell.name()), &layers)?;
        ours.insert(cell, layers);
    }
    let network = network()?;
    network.save(file("network"))?;
    let input = |width| Tensor::randn(0f32, 1., (3, 7, width), &CPU);
    let inputs = Tensors::from([("modules".into(), input(5)?), ("network".into(), input(32)?)]);
    candle_core::safetensors::save(&inputs, file("inputs"))?;

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/exchange_weights.py");
    let run_python = Command::new(python).arg(script).arg(folder.path()).output();
    let done = run_python.unwrap_or_else(|error| panic!("PEERS_PYTHON={python}: {error}"));
    let words = String::from_utf8_lossy(&done.stderr);
    if done.status.code() == Some(77) {
        eprintln!("not compared with PyTorch itself: {words}");
        return Ok(());
    }
    assert!(done.status.success(), "{words}");

    let theirs = candle_core::safetensors::load(file("outputs"), &CPU)?;
    for cell in Cell::ALL {
        let outputs = run(&ours[&cell], &inputs["modules"], None)?;
        assert_near(&format!("our {cell} there"), &outputs, &theirs[cell.name()])?;
        let name = format!("{cell}.torch");
        let layers = recurrent::load_pytorch(file(&name), "", cell, &CPU)?;
        let outputs = run(&layers, &inputs["modules"], None)?;
        assert_near(&format!("their {cell} here"), &outputs, &theirs[&name])?;
    }
    let output = network.predict(&inputs["network"], None)?.0;
    assert_near("our network there", &output, &theirs["network"])
}

#[test]
fn what_does_not_fit_is_refused_with_words_and_changes_nothing() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, tensors: &[(&str, &[usize])]| -> Result<PathBuf> {
        let path = folder.path().join(name);
        let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &CPU);
        let tensors: Tensors = tensors
            .iter()
            .map(|(name, shape)| Ok((name.to_string(), zeros(shape)?)))
            .collect::<Result<_>>()?;
        candle_core::safetensors::save(&tensors, &path)?;
        Ok(path)
    };
    let layer: [(&str, &[usize]); 2] = [("weight_ih_l0", &[8, 3]), ("weight_hh_l0", &[8, 2])];
    let damaged = folder.path().join("damaged");
    std::fs::write(&damaged, b"no tensors at all").expect("a file");
    let files = [
        (damaged, "damaged"),
        (folder.path().join("nowhere"), "nowhere"),
        (file("empty", &[("dense.weight", &[2, 3])])?, "no tensor \"weight_ih_l0\""),
        (file("half", &layer[..1])?, "weight_hh_l0"),
        (file("both", &[layer[0], layer[1], ("weight_ih_l0_reverse", &[8, 3])])?, "bidirectional"),
        (file("projected", &[layer[0], layer[1], ("weight_hr_l0", &[1, 2])])?, "projections"),
        (
            file(
                "apart",
                &[layer[0], layer[1], ("weight_ih_l1", &[8, 3]), ("weight_hh_l1", &[8, 2])],
            )?,
            "weight_ih_l1",
        ),
    ];
    for (path, word) in files {
        let error = recurrent::load_pytorch(&path, "", Cell::Lstm, &CPU).expect_err("an error");
        assert!(error.to_string().contains(word), "{error}");
    }
    // A module without biases is one whose biases are zeros; a wrong kind shows in the shapes.
    let path = file("plain", &layer)?;
    let lstm = recurrent::load_pytorch(&path, "", Cell::Lstm, &CPU)?;
    let outputs = run(&lstm, &Tensor::ones((1, 2, 3), candle_core::DType::F32, &CPU)?, None)?;
    assert_eq!(outputs.abs()?.max_all()?.to_scalar::<f32>()?, 0.);
    assert!(recurrent::load_pytorch(&path, "", Cell::Gru, &CPU).is_err());

    // Layers of two kinds are no single module.
    let mut network = network()?;
    let written = folder.path().join("written");
    let error = recurrent::save_pytorch(&written, &network.recurrent_layers());
    assert!(error.expect_err("an error").to_string().contains("layer 1: gru 6"));
    assert!(recurrent::save_pytorch(&written, &[]).is_err());
    assert!(!written.exists());

    let error = network.set_recurrent_layers(&lstm).expect_err("an error").to_string();
    assert!(error.contains("lstm:6 of 6, gru:6 of 6") && error.contains("lstm:2 of 3"), "{error}");

    // A GRU of Keras in the older form has one bias.
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &CPU);
    let weights = KerasWeights {
        kernel: zeros(&[3, 6])?,
        recurrent_kernel: zeros(&[2, 6])?,
        bias: Some(zeros(&[6])?),
    };
    let error = Recurrent::from_keras(Cell::Gru, &weights).expect_err("an error").to_string();
    assert!(error.contains("reset_after=True"), "{error}");
    assert!(Recurrent::from_keras(Cell::Lstm, &weights).is_err());
    Ok(())
}
