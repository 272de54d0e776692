//! The configuration space of a network, and its files.

use candle_core::{DType, Device as CandleDevice, Tensor};
use neural_composer::audio::Audio;
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::generate::{self, Seed};
use neural_composer::model::recurrent::{Cell, Recurrent};
use neural_composer::model::{
    Activation, Device, LayerConfig, LayerNorm, Network, NetworkConfig, gru, lstm, simple_rnn,
};
use neural_composer::{Error, Result};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};

const WIDTH: usize = 32;

fn data() -> Result<Dataset> {
    let blocks =
        Blocks { sample_rate_hz: 8_000, block_samples: WIDTH, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 8, stride_blocks: 8 };
    let sample = |i: usize| (i as f32 * 0.3).sin() * (i as f32 * 0.001).cos();
    let audio = Audio::mono((0..WIDTH * 40).map(sample).collect(), 8_000)?;
    Dataset::from_audio(&[("hum".into(), audio)], settings)
}

fn network(config: NetworkConfig) -> Result<Network> {
    Network::new(config, &data()?, 1, &Device::cpu())
}

fn input(steps: usize, width: usize) -> Result<Tensor> {
    let values: Vec<f32> = (0..3 * steps * width).map(|i| (i as f32 * 0.7).sin()).collect();
    Ok(Tensor::from_vec(values, (3, steps, width), &CandleDevice::Cpu)?)
}

fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f32> {
    assert_eq!(a.dims(), b.dims());
    Ok((a - b)?.abs()?.max_all()?.to_scalar::<f32>()?)
}

#[test]
fn a_layer_normalises_its_input_and_adds_it_to_its_output() -> Result<()> {
    let layers = [lstm(12).norm().residual(), gru(12).residual(), simple_rnn(12).norm()];
    let config = NetworkConfig::stack(WIDTH, layers).dense_activation(Activation::Tanh);
    let network = network(config)?;
    let of = |name: &str| network.variables()[name].as_tensor().clone();
    let dense = |name: &str, x: &Tensor| -> Result<Tensor> {
        let (batch, steps, width) = x.dims3()?;
        let flat =
            x.reshape((batch * steps, width))?.matmul(&of(&format!("{name}.weight")).t()?)?;
        let flat = flat.broadcast_add(&of(&format!("{name}.bias")))?;
        let width = flat.dim(1)?;
        Ok(flat.reshape((batch, steps, width))?)
    };
    let recurrent = |index: usize, cell, x: &Tensor| -> Result<Tensor> {
        let part = |part: &str| of(&format!("recurrent.{index}.{part}_l0"));
        let (weight_ih, weight_hh) = (part("weight_ih"), part("weight_hh"));
        let layer = Recurrent::new(cell, weight_ih, weight_hh, part("bias_ih"), part("bias_hh"))?;
        Ok(layer.forward(x, None)?.0)
    };
    let norm = |index: usize, x: &Tensor| {
        let part = |part: &str| of(&format!("norms.{index}.{part}"));
        LayerNorm::new(part("weight"), part("bias"))?.forward(x)
    };
    // Values other than the ones they begin with, so that a mix-up shows.
    for index in [0, 2] {
        for (part, at) in [("weight", 0.5), ("bias", -0.3)] {
            let variable = &network.variables()[&format!("norms.{index}.{part}")];
            variable.set(&((variable.as_tensor() * 0.7)? + at)?)?;
        }
    }
    let x = input(5, WIDTH)?;
    let hidden = dense("dense_in", &x)?.tanh()?;
    let hidden = (&hidden + recurrent(0, Cell::Lstm, &norm(0, &hidden)?)?)?;
    let hidden = (&hidden + recurrent(1, Cell::Gru, &hidden)?)?;
    let hidden = recurrent(2, Cell::SimpleRnn, &norm(2, &hidden)?)?;
    let expected = dense("dense_out", &hidden)?;
    assert!(largest_difference(&network.forward(&x, None)?.0, &expected)? < 1e-5);
    assert!(!network.variables().contains_key("norm_out.weight"));
    Ok(())
}

#[test]
fn what_is_predicted_does_not_depend_on_whether_a_graph_is_kept() -> Result<()> {
    let layers = [gru(10), lstm(10).norm().residual(), LayerConfig::new(Cell::SimpleRnnRelu, 7)];
    let network = network(NetworkConfig::stack(WIDTH, layers))?;
    let x = input(6, WIDTH)?;
    let (with, state) = network.forward(&x, None)?;
    let (without, untracked) = network.predict(&x, None)?;
    assert_eq!(largest_difference(&with, &without)?, 0.);
    assert!(with.track_op() && !without.track_op());
    assert!(untracked.iter().all(|state| !state.hidden.track_op()));
    // The state carries the past.
    let (_, half) = network.predict(&x.narrow(1, 0, 4)?, None)?;
    let (rest, after) = network.predict(&x.narrow(1, 4, 2)?, Some(&half))?;
    assert!(largest_difference(&rest, &with.narrow(1, 4, 2)?)? < 1e-6);
    assert!(largest_difference(&after[1].hidden, &state[1].hidden)? < 1e-6);
    Ok(())
}

#[test]
fn the_parameter_count_is_that_of_the_variables() -> Result<()> {
    let stacks = [
        NetworkConfig::stack(WIDTH, [lstm(8)]),
        NetworkConfig::stack(WIDTH, [gru(8), simple_rnn(5).norm(), lstm(5).residual()]),
        NetworkConfig::stack(WIDTH, [lstm(9).norm().residual(); 4]),
        NetworkConfig::stack(WIDTH, [gru(8)]).recurrent_input(),
    ];
    for config in stacks {
        let count = config.parameter_count();
        let network = network(config)?;
        let variables = network.variables().values();
        assert_eq!(count, variables.map(|variable| variable.elem_count()).sum::<usize>());
    }
    Ok(())
}

#[test]
fn gradients_find_their_way_through_tens_of_layers() -> Result<()> {
    // How much of the gradient that reaches the last layer's input reaches the first one's.
    let share = |layer: LayerConfig| -> Result<f32> {
        let network = network(NetworkConfig::stack(WIDTH, vec![layer; 24]))?;
        let loss = network.forward(&input(8, WIDTH)?, None)?.0.sqr()?.sum_all()?;
        let gradients = loss.backward()?;
        let size = |name: &str| -> Result<f32> {
            let gradient = gradients.get(network.variables()[name].as_tensor());
            Ok(gradient.expect("a gradient").sqr()?.sum_all()?.sqrt()?.to_scalar()?)
        };
        Ok(size("recurrent.0.weight_ih_l0")? / size("recurrent.23.weight_ih_l0")?)
    };
    let (plain, deep) = (share(lstm(16))?, share(lstm(16).norm().residual())?);
    assert!(plain < 1e-6, "{plain}");
    assert!((0.1..10.).contains(&deep), "{deep}");
    Ok(())
}

#[test]
fn recurrent_input_hears_the_block_and_the_previous_output() -> Result<()> {
    let config = NetworkConfig::stack(WIDTH, [gru(10)]).recurrent_input();
    assert_eq!((config.input_width(), config.width), (2 * WIDTH, WIDTH));
    let network = network(config)?;
    let (blocks, previous) = (input(4, WIDTH)?, (input(4, WIDTH)? * 0.5)?);
    let joined = network.join(&blocks, &previous)?;
    assert_eq!(joined.dims(), [3, 4, 2 * WIDTH]);
    assert_eq!(network.forward(&joined, None)?.0.dims(), [3, 4, WIDTH]);
    let other = network.join(&blocks, &blocks)?;
    let (a, b) = (network.predict(&joined, None)?.0, network.predict(&other, None)?.0);
    assert!(largest_difference(&a, &b)? > 1e-3);
    assert!(network.forward(&blocks, None).is_err());

    // Composing feeds each prediction back into both halves.
    let data = data()?;
    let seed = data.sequence(0)?.to_vec();
    // Longer, for its end fades.
    let seconds = 6.0 * data.blocks().block_seconds();
    let piece = generate::blocks(&network, seconds, &Seed::sequence(&data, 0)?, &mut |_, _| ())?;
    let mut rows = seed;
    let mut composed = Vec::new();
    for _ in 0..3 {
        let shape = (1, rows.len() / WIDTH, WIDTH);
        let heard = Tensor::from_slice(&rows, shape, &CandleDevice::Cpu)?;
        let (predicted, _) = network.forward(&network.join(&heard, &heard)?, None)?;
        let last = predicted.get(0)?.get(shape.1 - 1)?.to_vec1::<f32>()?;
        rows.extend(&last);
        composed.extend(last);
    }
    network.normaliser().undo(&mut composed)?;
    let expected = data.blocks().samples(&composed)?;
    assert_eq!(piece.audio().frames(), 2 * expected.len());
    // Where blocks meet, steps are spread over a quarter of a block.
    let block = data.blocks().block_samples;
    for (at, (ours, theirs)) in piece.audio().channels()[0].iter().zip(&expected).enumerate() {
        let from_border = (at % block).min(block - 1 - at % block);
        assert!(from_border < block / 4 || (ours - theirs).abs() < 1e-4, "{at}: {ours} {theirs}");
    }
    Ok(())
}

#[test]
fn layers_are_read_as_they_are_written() -> Result<()> {
    for layer in [lstm(512), gru(3).norm(), simple_rnn(7).residual(), lstm(1).norm().residual()] {
        assert_eq!(layer.to_string().parse::<LayerConfig>()?, layer);
    }
    for text in ["lstm", "lstm:", "lstm:x", "tcn:5", "lstm:5:deep", "lstm:5:norm:", ""] {
        assert!(text.parse::<LayerConfig>().is_err(), "{text}");
    }
    Ok(())
}

#[test]
fn a_residual_layer_of_another_width_is_refused() -> Result<()> {
    for layers in [vec![lstm(8), lstm(9).residual()], vec![gru(8), gru(6).residual(), gru(6)]] {
        let error = network(NetworkConfig::stack(WIDTH, layers)).unwrap_err().to_string();
        assert!(error.contains("residual") && error.contains("8 units"), "{error}");
    }
    let mut config = NetworkConfig::stack(WIDTH, [lstm(8).residual()]);
    config.dense_units = 4;
    assert!(matches!(network(config), Err(Error::Argument { .. })));
    Ok(())
}

#[test]
fn a_file_keeps_everything_around_the_layers() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep.safetensors");
    let config = NetworkConfig::stack(WIDTH, [lstm(6).norm().residual(), gru(4)])
        .dense_activation(Activation::Gelu)
        .recurrent_input();
    let network = network(config.clone())?;
    network.save(&path)?;
    let loaded = Network::load(&path, &Device::cpu())?;
    assert_eq!(loaded.config(), &config);
    let x = input(4, 2 * WIDTH)?;
    assert_eq!(
        largest_difference(&network.forward(&x, None)?.0, &loaded.forward(&x, None)?.0)?,
        0.
    );
    Ok(())
}

#[test]
fn a_file_of_version_1_is_still_read() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let network = network(NetworkConfig::stack(WIDTH, [lstm(6), gru(4)]))?;
    network.save(&path)?;
    // As version 1 wrote it: nothing about what surrounds a layer.
    let bytes = std::fs::read(&path).expect("the file");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata = header.metadata().clone().expect("metadata");
    let mut description: serde_json::Value =
        serde_json::from_str(&metadata["neural-composer"]).expect("a description");
    description["format_version"] = 1.into();
    let config = description["network"].as_object_mut().expect("an object");
    config.remove("dense_activation").expect("an activation");
    config.remove("recurrent_input").expect("a switch");
    for layer in config["layers"].as_array_mut().expect("layers") {
        let layer = layer.as_object_mut().expect("an object");
        layer.remove("norm").expect("a switch");
        layer.remove("residual").expect("a switch");
    }
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let tensors: BTreeMap<_, _> = tensors.tensors().into_iter().collect();
    let metadata = HashMap::from([("neural-composer".to_owned(), description.to_string())]);
    let old = safetensors::serialize(tensors, Some(metadata)).expect("a file");
    std::fs::write(&path, old).expect("written");
    let loaded = Network::load(&path, &Device::cpu())?;
    assert_eq!(loaded.config(), network.config());
    let x = input(4, WIDTH)?.to_dtype(DType::F32)?;
    assert_eq!(
        largest_difference(&network.forward(&x, None)?.0, &loaded.forward(&x, None)?.0)?,
        0.
    );
    Ok(())
}

/// The root of the mean square, over that of `reference`.
fn relative_difference(values: &Tensor, reference: &Tensor) -> Result<f32> {
    let power = |x: &Tensor| -> Result<f32> { Ok(x.sqr()?.mean_all()?.to_scalar::<f32>()?) };
    Ok((power(&(values - reference)?)? / power(reference)?).sqrt())
}

#[test]
fn rounded_weights_predict_nearly_the_same_and_carry_state() -> Result<()> {
    // Large enough for its recurrent weights to be rounded.
    let cells = [lstm(640), gru(640), simple_rnn(1056)];
    for cell in cells {
        let network = network(NetworkConfig::stack(WIDTH, [cell]))?;
        let rounded = network.rounded()?;
        let x = input(12, WIDTH)?;
        let (exact, _) = network.predict(&x, None)?;
        let (whole, _) = rounded.predict(&x, None)?;
        let difference = relative_difference(&whole, &exact)?;
        assert!(difference > 0. && difference < 5e-3, "{cell:?}: {difference}");
        let (first, state) = rounded.predict(&x.narrow(1, 0, 5)?, None)?;
        let (second, _) = rounded.predict(&x.narrow(1, 5, 7)?, Some(&state))?;
        let parts = Tensor::cat(&[first, second], 1)?;
        assert!(largest_difference(&parts, &whole)? < 1e-5);
    }
    // A small one is left as it is.
    let small = network(NetworkConfig::stack(WIDTH, [lstm(32)]))?;
    let x = input(3, WIDTH)?;
    let (exact, rounded) = (small.predict(&x, None)?.0, small.rounded()?.predict(&x, None)?.0);
    assert_eq!(largest_difference(&exact, &rounded)?, 0.);
    Ok(())
}
