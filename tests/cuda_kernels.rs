//! The CUDA kernels, compiled for the processor, against the library's own code for it.

mod host_kernels;

use std::process::Command;

use candle_core::{Device, Tensor, Var};
use host_kernels::{
    Extent, Given, Kernels, Launch, Parameter, Settings, compile, temporary_folder,
};
use neural_composer::Result;
use neural_composer::model::recurrent::{Cell, Recurrent, State};
use neural_composer::train::optimizer::{AdamW, Optimizer, RmsProp, RmsPropTorch, Rule, Sgd};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TOLERANCE: f64 = 1e-5;

fn random(random: &mut ChaCha8Rng, count: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-scale..scale)).collect()
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

#[track_caller]
fn assert_near(name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let largest = theirs.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let limit = (f64::from(largest) * TOLERANCE).max(1e-12);
    for (ours, theirs) in ours.iter().zip(theirs) {
        let difference = (f64::from(*ours) - f64::from(*theirs)).abs();
        assert!(difference <= limit, "{name}: {ours} for {theirs}, the largest is {largest}");
    }
}

/// `a` of shape (rows, count) turned, times `b` of shape (rows, width), added in f64.
fn turned_product(a: &[f32], count: usize, b: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0f64; count * width];
    for (a, b) in a.chunks(count).zip(b.chunks(width)) {
        for (sums, a) in sums.chunks_mut(width).zip(a) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += f64::from(*a) * f64::from(*b);
            }
        }
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// A layer with all that goes into it and comes back, as the CPU code computes it.
struct Case {
    extent: Extent,
    input: Vec<f32>,
    given: Given,
    output_gradient: Vec<f32>,
    cell_gradient: Vec<f32>,
    /// By name: outputs, gradients of input, both weights, biases, states.
    expected: Vec<(&'static str, Vec<f32>)>,
    weight_ih: Vec<f32>,
}

impl Case {
    fn new(extent: Extent, inputs: usize, seed: u64) -> Result<Self> {
        let Extent { cell, batch, steps, units } = extent;
        let (rows, cpu) = (extent.rows(), &Device::Cpu);
        let generator = &mut ChaCha8Rng::seed_from_u64(seed);
        // Small enough for a network of rectifiers to stay finite over all steps.
        let scale = 0.9 / (units as f32).sqrt();
        let weight_ih = random(generator, rows * inputs, 0.5);
        let weight_hh = random(generator, rows * units, scale);
        let bias_ih = random(generator, rows, 0.3);
        let bias_hh = random(generator, rows, 0.3);
        let input = random(generator, batch * steps * inputs, 1.);
        let hidden = random(generator, batch * units, 1.);
        let of_cells = if cell.has_cell_state() { batch * units } else { 0 };
        let cell_values = random(generator, of_cells, 1.);
        let output_gradient = random(generator, batch * steps * units, 1.);
        let cell_gradient = random(generator, of_cells, 1.);

        let variable = |values: &[f32], shape: &[usize]| -> Result<Var> {
            Ok(Var::from_tensor(&Tensor::from_slice(values, shape, cpu)?)?)
        };
        let v_input = variable(&input, &[batch, steps, inputs])?;
        let v_hidden = variable(&hidden, &[batch, units])?;
        let v_cell =
            if of_cells > 0 { Some(variable(&cell_values, &[batch, units])?) } else { None };
        let v_weight_ih = variable(&weight_ih, &[rows, inputs])?;
        let v_weight_hh = variable(&weight_hh, &[rows, units])?;
        let (v_bias_ih, v_bias_hh) = (variable(&bias_ih, &[rows])?, variable(&bias_hh, &[rows])?);
        let layer = Recurrent::new(
            cell,
            v_weight_ih.as_tensor().clone(),
            v_weight_hh.as_tensor().clone(),
            v_bias_ih.as_tensor().clone(),
            v_bias_hh.as_tensor().clone(),
        )?;
        let state = State {
            hidden: v_hidden.as_tensor().clone(),
            cell: v_cell.as_ref().map(|cell| cell.as_tensor().clone()),
        };
        let (outputs, after) = layer.forward(v_input.as_tensor(), Some(&state))?;
        let upstream = Tensor::from_slice(&output_gradient, (batch, steps, units), cpu)?;
        let mut loss = (&outputs * upstream)?.sum_all()?;
        if let Some(cell) = &after.cell {
            let upstream = Tensor::from_slice(&cell_gradient, (batch, units), cpu)?;
            loss = (loss + (cell * upstream)?.sum_all()?)?;
        }
        let gradients = loss.backward()?;
        let mut expected = vec![("outputs", values(&outputs)?)];
        if let Some(cell) = &after.cell {
            expected.push(("last cell values", values(cell)?));
        }
        let mut of = |name, variable: &Var| -> Result<()> {
            let gradient = gradients.get(variable.as_tensor()).expect("every variable has one");
            expected.push((name, values(gradient)?));
            Ok(())
        };
        of("gradient of the input", &v_input)?;
        of("gradient of weight_ih", &v_weight_ih)?;
        of("gradient of weight_hh", &v_weight_hh)?;
        of("gradient of bias_ih", &v_bias_ih)?;
        of("gradient of bias_hh", &v_bias_hh)?;
        of("gradient of the initial hidden values", &v_hidden)?;
        if let Some(v_cell) = &v_cell {
            of("gradient of the initial cell values", v_cell)?;
        }

        let mut bias = vec![0.; extent.row()];
        let mut projected = vec![0.; batch * steps * extent.row()];
        for row in 0..rows {
            let at = in_row(extent, row);
            bias[at] += bias_ih[row];
            bias[extent.hidden_start() + row] += bias_hh[row];
            let weight = &weight_ih[row * inputs..][..inputs];
            for (gates, input) in projected.chunks_mut(extent.row()).zip(input.chunks(inputs)) {
                gates[at] = input.iter().zip(weight).map(|(a, b)| a * b).sum();
            }
        }
        let given = Given { weight_hh, bias, hidden, cell: cell_values, projected };
        Ok(Self { extent, input, given, output_gradient, cell_gradient, expected, weight_ih })
    }

    /// What the kernels give, under the names of `expected`.
    fn found(&self, kernels: &Kernels, launch: Launch) -> Vec<(&'static str, Vec<f32>)> {
        let Self { extent, given, .. } = self;
        let Extent { cell, batch, steps, units } = *extent;
        let left = kernels.forward(*extent, launch, given);
        let (above, of_cell) = (&self.output_gradient, &self.cell_gradient);
        let back = kernels.backward(*extent, launch, given, &left, above, of_cell);
        let (rows, row) = (extent.rows(), extent.row());
        // The gradients of the gates that each weight feeds, in the weights' order.
        let of_input: Vec<f32> = back
            .gates
            .chunks(row)
            .flat_map(|gates| (0..rows).map(|index| gates[in_row(*extent, index)]))
            .collect();
        let of_hidden: Vec<f32> = back
            .gates
            .chunks(row)
            .flat_map(|gates| &gates[extent.hidden_start()..][..rows])
            .copied()
            .collect();
        let mut previous = Vec::new();
        for sequence in 0..batch {
            previous.extend_from_slice(&given.hidden[sequence * units..][..units]);
            previous.extend_from_slice(
                &left.outputs[sequence * steps * units..][..(steps - 1) * units],
            );
        }
        let inputs = self.input.len() / (batch * steps);
        let ones = vec![1.; batch * steps];
        let of_values: Vec<f32> = of_input
            .chunks(rows)
            .flat_map(|gradient| turned_product(gradient, 1, &self.weight_ih, inputs))
            .collect();
        let mut found = vec![("outputs", left.outputs.clone())];
        if cell.has_cell_state() {
            let last = |sequence| &left.cells[(sequence * steps + steps - 1) * units..][..units];
            found.push(("last cell values", (0..batch).flat_map(last).copied().collect()));
        }
        found.extend([
            ("gradient of the input", of_values),
            ("gradient of weight_ih", turned_product(&of_input, rows, &self.input, inputs)),
            ("gradient of weight_hh", turned_product(&of_hidden, rows, &previous, units)),
            ("gradient of bias_ih", turned_product(&of_input, rows, &ones, 1)),
            ("gradient of bias_hh", turned_product(&of_hidden, rows, &ones, 1)),
            ("gradient of the initial hidden values", back.hidden),
        ]);
        if cell.has_cell_state() {
            found.push(("gradient of the initial cell values", back.cell));
        }
        found
    }

    fn check(&self, kernels: &Kernels, launch: Launch) {
        let found = self.found(kernels, launch);
        assert_eq!(found.len(), self.expected.len());
        for ((name, found), (expected_name, expected)) in found.iter().zip(&self.expected) {
            assert_eq!(name, expected_name);
            assert_near(&format!("{:?}, {launch:?}: {name}", self.extent), found, expected);
        }
    }
}

/// Where in a row of gates the input's product with a row of the weight stands.
fn in_row(extent: Extent, row: usize) -> usize {
    match extent.cell {
        Cell::Gru if row < 2 * extent.units => extent.units + row,
        Cell::Gru => row - 2 * extent.units,
        Cell::SimpleRnn | Cell::SimpleRnnRelu | Cell::Lstm => row,
    }
}

#[test]
fn passes_give_what_the_processor_gives() -> Result<()> {
    let kernels = Kernels::compile();
    let generator = &mut ChaCha8Rng::seed_from_u64(19);
    // (batch, steps, units, input): the ends of all ranges, then some between them.
    let mut sizes =
        vec![(1, 1, 1, 1), (65, 4, 7, 3), (1, 200, 19, 2), (64, 1, 33, 5), (5, 40, 37, 6)];
    for _ in 0..4 {
        let between = |generator: &mut ChaCha8Rng, most| generator.random_range(1..=most);
        let (batch, units) = (between(generator, 65), between(generator, 48));
        sizes.push((batch, between(generator, 24), units, between(generator, 20)));
    }
    for cell in Cell::ALL {
        for (index, (batch, steps, units, inputs)) in sizes.iter().copied().enumerate() {
            let case = Case::new(Extent { cell, batch, steps, units }, inputs, index as u64)?;
            let units_per_block = units.div_ceil(generator.random_range(1..=4));
            let tile = generator.random_range(1..=batch);
            case.check(&kernels, Launch::Persistent { units_per_block, tile });
            case.check(&kernels, Launch::Stepwise { blocks: 1 + (index % 3) as u32 });
        }
    }
    Ok(())
}

#[test]
fn passes_repeat_bit_for_bit_on_any_number_of_blocks() -> Result<()> {
    let kernels = Kernels::compile();
    for cell in Cell::ALL {
        let case = Case::new(Extent { cell, batch: 6, steps: 30, units: 29 }, 4, 7)?;
        let run = |units_per_block, tile| {
            case.found(&kernels, Launch::Persistent { units_per_block, tile })
        };
        let first = run(8, 3);
        for (units_per_block, tile) in [(8, 3), (8, 3), (1, 6), (29, 1), (10, 4)] {
            assert!(first == run(units_per_block, tile), "{cell}, {units_per_block} units a block");
        }
    }
    Ok(())
}

#[test]
fn what_is_no_number_stays_none_and_stays_in_its_sequence() -> Result<()> {
    let kernels = Kernels::compile();
    for cell in Cell::ALL {
        let extent = Extent { cell, batch: 3, steps: 5, units: 6 };
        let mut case = Case::new(extent, 2, 3)?;
        case.given.hidden[6] = f32::NAN;
        for launch in
            [Launch::Persistent { units_per_block: 4, tile: 2 }, Launch::Stepwise { blocks: 2 }]
        {
            let left = kernels.forward(extent, launch, &case.given);
            for (sequence, outputs) in left.outputs.chunks(5 * 6).enumerate() {
                let lost = outputs[6..].iter().filter(|value| value.is_nan()).count();
                assert_eq!(lost, if sequence == 1 { 24 } else { 0 }, "{cell}, {launch:?}");
            }
        }
    }
    Ok(())
}

/// A rule's numbers, as src/train/optimizer/fused.rs prepares them.
fn settings(rule: Rule, rate: f64, step: i32) -> Settings {
    let rate_f32 = rate as f32;
    match rule {
        Rule::RmsProp(RmsProp { rho, epsilon, momentum }) => Settings {
            rule: 0,
            keep: rho as f32,
            add: (1. - rho) as f32,
            epsilon: epsilon as f32,
            momentum: momentum as f32,
            rate: rate_f32,
            ..Settings::default()
        },
        Rule::RmsPropTorch(RmsPropTorch { alpha, epsilon, momentum, weight_decay }) => Settings {
            rule: 1,
            keep: alpha as f32,
            add: (1. - alpha) as f32,
            epsilon: epsilon as f32,
            momentum: momentum as f32,
            decay: weight_decay as f32,
            rate: rate_f32,
            ..Settings::default()
        },
        Rule::AdamW(AdamW { beta1, beta2, epsilon, weight_decay }) => Settings {
            rule: 2,
            keep: beta2 as f32,
            add: 1. - beta2 as f32,
            mean_keep: beta1 as f32,
            mean_add: 1. - beta1 as f32,
            epsilon: epsilon as f32,
            shrink: (1. - rate * weight_decay) as f32,
            rate: (rate / (1. - beta1.powi(step))) as f32,
            root_of_bias: (1. - beta2.powi(step)).sqrt() as f32,
            ..Settings::default()
        },
        Rule::Sgd(Sgd { momentum, nesterov, weight_decay }) => Settings {
            rule: 3,
            nesterov: nesterov.into(),
            momentum: momentum as f32,
            decay: weight_decay as f32,
            rate: rate_f32,
            ..Settings::default()
        },
    }
}

#[test]
fn optimizers_step_as_those_of_the_processor() -> Result<()> {
    let kernels = Kernels::compile();
    let rms = RmsPropTorch { weight_decay: 0.02, ..RmsPropTorch::default() };
    let rules = [
        Rule::RmsProp(RmsProp::default()),
        Rule::RmsProp(RmsProp { momentum: 0.8, ..RmsProp::default() }),
        Rule::RmsPropTorch(rms),
        Rule::RmsPropTorch(RmsPropTorch { momentum: 0.8, ..rms }),
        Rule::AdamW(AdamW::default()),
        Rule::Sgd(Sgd { weight_decay: 0.02, ..Sgd::default() }),
        Rule::Sgd(Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.01 }),
        Rule::Sgd(Sgd { momentum: 0.9, nesterov: true, weight_decay: 0. }),
    ];
    // Around the length of a chunk, too.
    let counts = [1, 7, 4096, 4097, 10_001, 300];
    for rule in rules {
        // Above the limit of the clipping, and below it.
        for limit in [0.5, 1e9] {
            let generator = &mut ChaCha8Rng::seed_from_u64(5);
            let mut ours: Vec<_> = counts
                .iter()
                .map(|&count| Parameter {
                    weights: random(generator, count, 1.),
                    gradient: vec![0.; count],
                    first: vec![0.; count],
                    second: vec![0.; count],
                })
                .collect();
            let variables: Vec<Var> = ours
                .iter()
                .map(|parameter| Ok(Var::new(parameter.weights.as_slice(), &Device::Cpu)?))
                .collect::<Result<_>>()?;
            let named =
                variables.iter().enumerate().map(|(i, v)| (format!("p{i}"), v.clone())).collect();
            let mut optimizer = Optimizer::new(rule, named)?.with_clip_norm(Some(limit))?;
            let rate = 0.01;
            for step in 1..=4 {
                let mut loss = Tensor::new(0f32, &Device::Cpu)?;
                for (parameter, variable) in ours.iter_mut().zip(&variables) {
                    parameter.gradient = random(generator, parameter.weights.len(), 1.);
                    let gradient = Tensor::new(parameter.gradient.as_slice(), &Device::Cpu)?;
                    loss = (loss + (variable.as_tensor() * gradient)?.sum_all()?)?;
                }
                let gradients = loss.backward()?;
                let expected_norm = optimizer.gradient_norm(&gradients)?;
                optimizer.step(&gradients, rate)?;
                let numbers = settings(rule, rate, step);
                let mut again = ours.clone();
                let norm = kernels.step(3, &mut ours, &numbers, limit, Some(1.));
                assert!((norm / expected_norm - 1.).abs() < 1e-6, "{norm} for {expected_norm}");
                let repeated = kernels.step(1, &mut again, &numbers, limit, None);
                assert_eq!(repeated.to_bits(), norm.to_bits());
                for ((ours, again), variable) in ours.iter().zip(&again).zip(&variables) {
                    let name = format!("{rule:?}, limit {limit}, step {step}");
                    assert_near(&name, &ours.weights, &values(variable.as_tensor())?);
                    assert!(ours.weights == again.weights, "{name}: repeated");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_loss_that_is_no_number_changes_nothing() {
    let kernels = Kernels::compile();
    let rules = [
        Rule::RmsProp(RmsProp { momentum: 0.8, ..RmsProp::default() }),
        Rule::RmsPropTorch(RmsPropTorch::default()),
        Rule::AdamW(AdamW { weight_decay: 0.1, ..AdamW::default() }),
        Rule::Sgd(Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1 }),
    ];
    let all = |parameters: &[Parameter]| -> Vec<u32> {
        let values =
            parameters.iter().flat_map(|p| [&p.weights, &p.first, &p.second].into_iter().flatten());
        values.map(|value| value.to_bits()).collect()
    };
    for rule in rules {
        let numbers = settings(rule, 0.01, 1);
        let generator = &mut ChaCha8Rng::seed_from_u64(6);
        let before: Vec<_> = [3, 5_000]
            .map(|count| Parameter {
                weights: random(generator, count, 1.),
                gradient: vec![f32::NAN; count],
                first: random(generator, count, 1.),
                second: vec![0.5; count],
            })
            .into();
        for loss in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0., -2.5, f32::MAX] {
            let mut after = before.clone();
            kernels.step(2, &mut after, &numbers, 1., Some(loss));
            assert_eq!(all(&after) == all(&before), !loss.is_finite(), "{rule:?} {loss}");
        }
    }
}

#[test]
fn the_exchange_has_no_race() {
    let run = |options: &[&str]| {
        let folder = temporary_folder();
        let program = compile("exchange.cpp", folder.path(), options);
        let done = Command::new(&program).output().expect("a compiled program starts");
        if !String::from_utf8_lossy(&done.stderr).contains("unexpected memory mapping") {
            return done;
        }
        // Older sanitizers cannot start where addresses are random to so many bits.
        let mut fixed = Command::new("setarch");
        fixed.arg(std::env::consts::ARCH).arg("-R").arg(&program);
        fixed.output().expect("setarch (util-linux) is there")
    };
    let sound = run(&["-g", "-fsanitize=thread"]);
    let said = String::from_utf8_lossy(&sound.stderr);
    assert!(sound.status.success() && !said.contains("data race"), "{}: {said}", sound.status);
    assert_eq!(String::from_utf8_lossy(&sound.stdout).trim(), "all values are numbers");
    // Ordinary memory in place of atomic words: the sanitizer sees it.
    let wrong = run(&["-g", "-fsanitize=thread", "-DPLAIN_WORDS"]);
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(!wrong.status.success(), "a race was not found");
    assert!(said.contains("data race") && said.contains("load_word"), "{said}");
}
