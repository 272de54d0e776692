//! What a card computes, against the CPU: `benches/gpu` runs these tests where a card is.
//!
//! Each is a function of the device, so that it can be tried without a card, too: on the CPU it
//! compares the CPU with itself. `tests/recurrent.rs` has one more, with PyTorch's own values.

mod notes;

use candle_core::{DType, Tensor, Var};
use neural_composer::audio::Audio;
use neural_composer::corpus::{BuildSettings, Corpus};
use neural_composer::dataset::{Dataset, DatasetSettings, SongSource};
use neural_composer::features::Blocks;
use neural_composer::generate::{
    self, CodeLearning, GrainLearning, Learning, Model, Options, Seed,
};
use neural_composer::model::recurrent::{Cell, Recurrent};
use neural_composer::model::{Device, Devices, Network, NetworkConfig, gru, lstm, simple_rnn};
use neural_composer::train::optimizer::{AdamW, Optimizer, RmsProp, RmsPropTorch, Rule, Sgd};
use neural_composer::train::{self, History, Observer, Position, Silent, Training};
use neural_composer::{Error, Result};

fn data() -> Result<Dataset> {
    notes::notes(120, 64, 10, 5)
}

/// A network of every kind of layer, and the losses of its epochs.
fn trained(data: &Dataset, device: &Device, epochs: usize) -> Result<(Network, Vec<f64>)> {
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(24), gru(16), simple_rnn(24)]);
    let mut network = Network::new(config, data, 3, device)?;
    let settings = Training::epochs(epochs).batch(4).seed(1);
    let history = train::run(&mut network, data, &settings, &mut Silent)?;
    Ok((network, history.epochs.iter().map(|epoch| epoch.train_loss).collect()))
}

/// Numbers that differ and are the same everywhere.
fn filled(shape: &[usize], seed: usize, device: &Device) -> Result<Tensor> {
    let count = shape.iter().product();
    let values: Vec<f32> =
        (0..count).map(|i: usize| ((i * 37 + seed * 101) % 211) as f32 / 211. - 0.5).collect();
    Ok(Tensor::from_vec(values, shape, device.candle())?)
}

fn assert_near(what: &str, there: &Tensor, here: &Tensor, within: f32) -> Result<()> {
    let there = there.to_device(&candle_core::Device::Cpu)?;
    let apart = (there - here)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(apart <= within, "{what}: differs by {apart:e}");
    Ok(())
}

/// Outputs, last state and all gradients of a layer whose state is carried over from a first part.
fn pass(cell: Cell, sizes: [usize; 4], device: &Device) -> Result<Vec<(String, Tensor)>> {
    let [batch, steps, inputs, units] = sizes;
    let rows = cell.gates() * units;
    let shapes: [(&str, &[usize]); 4] = [
        ("weight_ih", &[rows, inputs]),
        ("weight_hh", &[rows, units]),
        ("bias_ih", &[rows]),
        ("bias_hh", &[rows]),
    ];
    // Weights as small as a drawn layer's: larger ones blow a difference of rounding up, step by step.
    let small = (inputs.max(units) as f64).powf(-0.5);
    let mut variables = Vec::new();
    for (seed, (name, shape)) in shapes.into_iter().enumerate() {
        let values = (filled(shape, seed + 1, device)? * small)?;
        variables.push((name, Var::from_tensor(&values)?));
    }
    let tensor = |index: usize| variables[index].1.as_tensor().clone();
    let layer = Recurrent::new(cell, tensor(0), tensor(1), tensor(2), tensor(3))?;
    let input = Var::from_tensor(&filled(&[batch, steps, inputs], 5, device)?)?;
    let (first, carried) = layer.forward(input.as_tensor(), None)?;
    let (second, last) = layer.forward(input.as_tensor(), Some(&carried))?;
    let upstream = filled(&[batch, steps, units], 6, device)?;
    let mut loss = ((&first + &second)? * upstream)?.sum_all()?;
    if let Some(cell_state) = &last.cell {
        loss = (loss + cell_state.sum_all()?)?;
    }
    let gradients = loss.backward()?;
    let mut all = vec![
        ("outputs".to_owned(), second.detach()),
        ("last state".to_owned(), last.hidden.detach()),
    ];
    variables.push(("input", input));
    for (name, variable) in variables {
        let gradient = gradients.get(variable.as_tensor()).expect("a gradient").clone();
        // Sums over all rows of all steps.
        all.push((format!("gradient of {name}"), (gradient / (batch * steps) as f64)?));
    }
    Ok(all)
}

fn layers_agree(device: &Device) -> Result<()> {
    // Batch, steps, inputs and units; the last layer's weight fits on no card's chip.
    let all_sizes = [
        [1, 1, 1, 1],
        [2, 7, 5, 3],
        [5, 40, 33, 48],
        [32, 25, 64, 256],
        [65, 9, 17, 100],
        [2, 3, 8, 3000],
    ];
    for cell in Cell::ALL {
        for sizes in all_sizes {
            for ((name, there), (_, here)) in
                pass(cell, sizes, device)?.iter().zip(pass(cell, sizes, &Device::cpu())?)
            {
                assert_near(&format!("{cell} {sizes:?} {name}"), there, &here, 1e-4)?;
            }
        }
    }
    Ok(())
}

fn rules_agree(device: &Device) -> Result<()> {
    let momentum = Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1 };
    let rules = [
        Rule::RmsProp(RmsProp::default()),
        Rule::RmsPropTorch(RmsPropTorch::default()),
        Rule::AdamW(AdamW { weight_decay: 0.1, ..AdamW::default() }),
        Rule::Sgd(momentum),
    ];
    for rule in rules {
        let stepped = |device: &Device| -> Result<Vec<Tensor>> {
            let mut parameters = Vec::new();
            for (seed, shape) in [&[3usize][..], &[70, 130], &[1], &[5_000]].iter().enumerate() {
                let value = Var::from_tensor(&filled(shape, seed, device)?)?;
                parameters.push((seed.to_string(), value));
            }
            let mut optimizer =
                Optimizer::new(rule, parameters.clone())?.with_clip_norm(Some(1.))?;
            for step in 0..5 {
                let mut loss = Tensor::new(0f32, device.candle())?;
                for (_, value) in &parameters {
                    let target = filled(value.dims(), step + 9, device)?;
                    loss = (loss + (value.as_tensor() - target)?.sqr()?.sum_all()?)?;
                }
                optimizer.minimize(&loss, 0.01)?;
            }
            Ok(parameters.iter().map(|(_, value)| value.as_tensor().clone()).collect())
        };
        for (there, here) in stepped(device)?.iter().zip(stepped(&Device::cpu())?) {
            assert_near(&format!("{rule:?}"), there, &here, 1e-4)?;
        }
    }
    Ok(())
}

fn training_follows_the_cpu_and_repeats(device: &Device) -> Result<()> {
    let data = data()?;
    let (_, here) = trained(&data, &Device::cpu(), 10)?;
    let (network, there) = trained(&data, device, 10)?;
    for (there, here) in there.iter().zip(&here) {
        assert!((there - here).abs() < 2e-2 * here, "{there} on {device}, {here} on the CPU");
    }
    let (again, losses) = trained(&data, device, 10)?;
    assert_eq!(losses, there);
    for (name, value) in network.variables().iter() {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        assert_eq!(values(value)?, values(&again.variables()[name])?, "{name}");
    }
    let seed = Seed::training(&data, 1)?;
    let composed = |network: &Network| generate::blocks(network, 0.5, &seed, &mut |_, _| ());
    let (first, second) = (composed(&network)?, composed(&again)?);
    assert_eq!(first.audio().channels(), second.audio().channels());
    Ok(())
}

/// A network of blocks, a piece of it made on `device` and on the processor.
fn pieces_are_those_of_the_cpu(device: &Device) -> Result<()> {
    let data = data()?;
    // One that is small, and one that is worth a card.
    for units in [24, 300] {
        let made = |device: &Device| -> Result<Vec<f32>> {
            let layers = [lstm(units), gru(16), simple_rnn(8)];
            let mut config = NetworkConfig::stack(data.blocks().width(), layers);
            config.recurrent_input = units == 300;
            let network = Network::new(config, &data, 3, device)?;
            let seed = Seed::training(&data, 1)?;
            let piece = generate::blocks(&network, 0.5, &seed, &mut |_, _| ())?;
            Ok(piece.audio().channels()[0].clone())
        };
        let (there, here) = (made(device)?, made(&Device::cpu())?);
        assert_eq!(there.len(), here.len());
        assert!(here.iter().any(|sample| sample.abs() > 1e-3));
        for (there, here) in there.iter().zip(&here) {
            assert!((there - here).abs() < 1e-3, "{there} for {here}");
        }
        assert!(there == made(device)?);
    }
    Ok(())
}

/// Composers of grains and of codes learn as on the processor, and compose there.
fn other_composers_learn_as_on_the_cpu(device: &Device) -> Result<()> {
    // Two notes a second, which die away.
    let rate = 22_050;
    let note = |n: u32| {
        let (number, seconds) = (n / (rate / 2), (n % (rate / 2)) as f32 / rate as f32);
        let hz = 220. * 2f32.powf((number * 5 % 12) as f32 / 12.);
        (std::f32::consts::TAU * hz * seconds).sin() * (-6. * seconds).exp() * 0.5
    };
    let audio = Audio::mono((0..12 * rate).map(note).collect(), rate)?;
    let songs = [SongSource::Audio { title: "notes".into(), audio }];
    let mut learnings = Vec::new();
    for device in [device, &Device::cpu()] {
        let mut grains = GrainLearning::seeded(1);
        grains.training.descent.steps = 6;
        grains.training.descent.device = device.clone();
        let mut codes = CodeLearning::seeded(1);
        codes.training.descent.steps = 6;
        // Half of what it hears is its own.
        codes.training.scheduled_sampling = 0.5;
        codes.training.descent.device = device.clone();
        learnings.push([Learning::Grains(grains), Learning::Codes(codes)]);
    }
    let [there, here] = learnings.try_into().unwrap_or_else(|_| unreachable!());
    for (there, here) in there.iter().zip(&here) {
        let (there, here) =
            (Model::learn(&songs, there, &mut Silent)?, Model::learn(&songs, here, &mut Silent)?);
        assert_eq!(there.history.device, device.to_string());
        for (a, b) in there.history.epochs.iter().zip(&here.history.epochs) {
            let (a, b) = (a.train_loss, b.train_loss);
            assert!((a / b - 1.).abs() < 1e-3, "{a} on {device}, {b} on the CPU");
        }
        let piece = there.model.compose(3., 1, &Options::default(), &mut |_, _| ())?;
        assert!(piece.audio().channels()[0].iter().any(|sample| sample.abs() > 1e-3));
    }
    Ok(())
}

/// Songs in files that are read while the network trains, and the same ones in memory.
fn batches_are_the_same_from_files(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let (songs, corpus) = (folder.path().join("songs"), folder.path().join("corpus"));
    std::fs::create_dir(&songs).expect("a folder in it");
    let mut paths = Vec::new();
    for (number, seconds) in [2.5f32, 0.9, 3.3].into_iter().enumerate() {
        let hz = 200. + 90. * number as f32;
        let wave = |n: usize| 0.4 * (n as f32 * hz / 8_000. * std::f32::consts::TAU).sin();
        let audio = Audio::mono((0..(8_000. * seconds) as usize).map(wave).collect(), 8_000)?;
        paths.push(songs.join(format!("{number}.wav")));
        audio.save(&paths[number])?;
    }
    Corpus::build(&songs, &corpus, BuildSettings::default())?;
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 64, ..Blocks::fast() };
    let settings = DatasetSettings { blocks, sequence_blocks: 20, stride_blocks: 10 };
    let from_files = Dataset::of(&SongSource::of_corpus(&Corpus::open(&corpus)?), settings)?;
    let in_memory = Dataset::from_files(&paths, settings)?;
    let (_, read) = trained(&from_files, device, 4)?;
    let (_, there) = trained(&in_memory, device, 4)?;
    assert_eq!(read, there);
    assert!(read.iter().all(|loss| loss.is_finite()));
    Ok(())
}

/// A training that comes to numbers that are none ends in the same place, with the same words.
fn divergence_is_told_as_on_the_cpu(device: &Device) -> Result<()> {
    let data = data()?;
    let told = |device: &Device| -> Result<String> {
        let config = NetworkConfig::stack(data.blocks().width(), [gru(16)]);
        let mut network = Network::new(config, &data, 3, device)?;
        let settings = Training::epochs(3).batch(4).learning_rate(1e30);
        let rule = Rule::Sgd(Sgd { momentum: 0., nesterov: false, weight_decay: 0. });
        let trained = train::run(&mut network, &data, &settings.rule(rule), &mut Silent);
        let sound = network.variables().values().all(|value| {
            let values = value.flatten_all().and_then(|value| value.to_vec1::<f32>());
            values.is_ok_and(|values| values.iter().all(|value| value.is_finite()))
        });
        let words = match trained {
            Ok(history) => format!("{:?} {:?} {sound}", history.stop, history.notes),
            Err(error) => format!("{error} {sound}"),
        };
        // Which of the two it is depends on the order of a sum.
        Ok(words.replace("loss was inf", "loss was NaN"))
    };
    let (there, here) = (told(device)?, told(&Device::cpu())?);
    assert!(here.contains("diverged"), "{here}");
    assert_eq!(there, here);
    Ok(())
}

/// Takes all memory of the card once training has begun.
struct Greedy {
    device: candle_core::Device,
    taken: Vec<Tensor>,
}

impl Observer for Greedy {
    fn batch(&mut self, _: &History, _: &Position) {
        for bytes in [1usize << 30, 64 << 20, 1 << 20, 64 << 10, 4 << 10, 256] {
            while let Ok(tensor) = Tensor::zeros(bytes / 4, DType::F32, &self.device) {
                self.taken.push(tensor);
            }
        }
    }

    fn epoch(&mut self, _: &History, _: &Position) {}
}

fn a_full_card_says_what_would_fit(device: &Device) -> Result<()> {
    let data = data()?;
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(300)]);
    let mut network = Network::new(config, &data, 3, device)?;
    let mut observer = Greedy { device: device.candle().clone(), taken: Vec::new() };
    let settings = Training::epochs(2_000).batch(8);
    let Err(error) = train::run(&mut network, &data, &settings, &mut observer) else {
        panic!("trained on a card without memory")
    };
    let text = error.to_string();
    assert!(matches!(error, Error::Memory(_)), "{text}");
    assert!(text.contains("ran out of memory while it trained"), "{text}");
    assert!(text.contains("fit"), "{text}");
    Ok(())
}

fn memory_does_not_grow(device: &Device, epochs: usize) -> Result<()> {
    let data = data()?;
    let free = || {
        let number = |facts: &&neural_composer::model::DeviceFacts| facts.memory_bytes.is_some();
        Devices::here().found.iter().find(number).and_then(|card| card.free_bytes)
    };
    trained(&data, device, 10)?;
    let before = free();
    trained(&data, device, epochs)?;
    let after = free();
    if let (Some(before), Some(after)) = (before, after) {
        assert!(before.saturating_sub(after) < 16 << 20, "{before} bytes were free, now {after}");
    }
    Ok(())
}

/// A checkpoint is written on a thread of its own, and a notebook asks for its device in every cell.
fn whoever_reads_finds_what_was_computed(device: &Device, again: &Device) -> Result<()> {
    let mut value = filled(&[300, 200], 1, device)?;
    for _ in 0..20 {
        value = (value.sin()? * 2.)?;
    }
    let shared = value.clone();
    let there = std::thread::spawn(move || shared.flatten_all()?.to_vec1::<f32>()).join();
    let there = there.expect("the thread does not panic")?;
    let of_both = (&value + filled(&[300, 200], 1, again)?)?;
    let here = value.flatten_all()?.to_vec1::<f32>()?;
    assert!(there == here, "another thread found other values");
    let (of_both, first) = (of_both.flatten_all()?, filled(&[60_000], 1, device)?);
    let apart = (of_both - first)?.to_vec1::<f32>()?;
    assert!(apart.iter().zip(&here).all(|(a, b)| (a - b).abs() < 1e-5));
    Ok(())
}

#[test]
fn the_checks_of_a_card_hold_for_the_cpu_itself() -> Result<()> {
    let cpu = Device::cpu();
    layers_agree(&cpu)?;
    rules_agree(&cpu)?;
    training_follows_the_cpu_and_repeats(&cpu)?;
    whoever_reads_finds_what_was_computed(&cpu, &Device::cpu())?;
    pieces_are_those_of_the_cpu(&cpu)?;
    batches_are_the_same_from_files(&cpu)?;
    other_composers_learn_as_on_the_cpu(&cpu)?;
    divergence_is_told_as_on_the_cpu(&cpu)?;
    memory_does_not_grow(&cpu, 20)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn layers_on_the_card_agree_with_the_cpu() -> Result<()> {
    layers_agree(&Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn rules_on_the_card_agree_with_the_cpu() -> Result<()> {
    rules_agree(&Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn training_on_the_card_follows_the_cpu_and_repeats_to_the_bit() -> Result<()> {
    training_follows_the_cpu_and_repeats(&Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn whoever_reads_finds_what_was_computed_on_the_card() -> Result<()> {
    whoever_reads_finds_what_was_computed(&Device::cuda(0)?, &Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn pieces_made_on_the_card_are_those_of_the_cpu() -> Result<()> {
    pieces_are_those_of_the_cpu(&Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn other_composers_learn_on_the_card_as_on_the_cpu() -> Result<()> {
    other_composers_learn_as_on_the_cpu(&Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn batches_sent_to_the_card_are_the_same_from_files() -> Result<()> {
    batches_are_the_same_from_files(&Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn divergence_on_the_card_is_told_as_on_the_cpu() -> Result<()> {
    divergence_is_told_as_on_the_cpu(&Device::cuda(0)?)
}

// Last by its name: it takes all memory that is there.
#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn z_a_full_card_says_what_would_fit() -> Result<()> {
    a_full_card_says_what_would_fit(&Device::cuda(0)?)
}

#[test]
#[ignore = "needs a card: benches/gpu runs it"]
fn a_thousand_epochs_on_the_card_take_no_more_memory() -> Result<()> {
    memory_does_not_grow(&Device::cuda(0)?, 1_000)
}
