//! Products of fewer bits: nearly the same training, and the same one again.

use crate::notes;
use crate::runs::{network, trained};
use neural_composer::candle::{DType, Device as Place, Tensor};
use neural_composer::dataset::Dataset;
use neural_composer::model::Precision;
use neural_composer::model::dense::Dense;
use neural_composer::model::recurrent::{Cell, Recurrent};
use neural_composer::train::{self, Checkpoints, Silent, Training};

fn losses(data: &Dataset, training: &Training) -> Vec<f64> {
    trained(data, training).1.epochs.iter().map(|epoch| epoch.train_loss).collect()
}

#[test]
fn the_loss_is_within_two_percent_of_that_of_all_bits() {
    let data = notes::notes(120, 64, 10, 5).unwrap();
    let of = |precision| losses(&data, &Training::epochs(30).batch(4).precision(precision));
    let full = of(Precision::F32);
    let farthest = |losses: &[f64]| {
        losses.iter().zip(&full).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max)
    };
    let (tf32, bf16) = (of(Precision::Tf32), of(Precision::Bf16));
    assert_eq!(of(Precision::Bf16), bf16);
    // Something is rounded, and more of it with fewer bits.
    assert!(0.0 < farthest(&tf32) && farthest(&tf32) < farthest(&bf16), "{tf32:?} {bf16:?}");
    assert!(farthest(&bf16) < 0.02, "{full:?} {bf16:?}");
}

/// Numbers that no 8 bits hold.
fn wave(shape: &[usize], by: f32) -> Tensor {
    let values = (0..shape.iter().product::<usize>()).map(|n| (n as f32 * by + by).sin() * 0.5);
    Tensor::from_vec(values.collect::<Vec<_>>(), shape, &Place::Cpu).unwrap()
}

fn rounded(tensor: &Tensor) -> Tensor {
    tensor.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_layer_reads_what_it_multiplies_in_fewer_bits_and_adds_in_all() {
    let variable =
        |shape: &[usize], by| neural_composer::candle::Var::from_tensor(&wave(shape, by)).unwrap();
    // As many rows as are read as they lie, and more.
    for rows in [3, 40] {
        let (input, weight) = (variable(&[rows, 70], 0.7), variable(&[50, 70], 1.3));
        let bias = wave(&[50], 0.4);
        let layer = |weight: &Tensor| Dense::new(weight.clone(), bias.clone()).unwrap();
        let output = Precision::Bf16.during(|| layer(&weight).forward(&input)).unwrap();
        let expected = layer(&rounded(&weight)).forward(&rounded(&input)).unwrap();
        assert_eq!(values(&output), values(&expected), "{rows} rows");
        // The same backwards, outside of it: what went forwards in few bits goes back in as many.
        let upstream = wave(&[rows, 50], 0.9);
        let gradients = (output * &upstream).unwrap().sum_all().unwrap().backward().unwrap();
        let of = |tensor: &Tensor| values(gradients.get(tensor).unwrap());
        let upstream = rounded(&upstream);
        let of_weight = upstream.t().unwrap().matmul(&rounded(&input)).unwrap();
        let of_input = upstream.matmul(&rounded(&weight)).unwrap();
        for (found, expected) in [(of(&weight), of_weight), (of(&input), of_input)] {
            for (found, expected) in found.into_iter().zip(values(&expected)) {
                assert!((found - expected).abs() < 1e-4, "{rows} rows: {found}, {expected}");
            }
        }
    }
    for cell in Cell::ALL {
        let gates = cell.gates() * 20;
        let layer = |weight: Tensor| {
            let (hidden, bias) = (wave(&[gates, 20], 0.3), wave(&[gates], 0.2));
            Recurrent::new(cell, weight, hidden, bias.clone(), bias).unwrap()
        };
        let (weight, input) = (wave(&[gates, 30], 1.1), wave(&[2, 7, 30], 0.6));
        let run = |layer: Recurrent, input: &Tensor| values(&layer.forward(input, None).unwrap().0);
        let found = Precision::Bf16.during(|| run(layer(weight.clone()), &input));
        assert_eq!(found, run(layer(rounded(&weight)), &rounded(&input)), "{cell}");
    }
}

#[test]
fn it_holds_for_the_work_alone_also_where_that_panics() {
    let layer = Dense::new(wave(&[4, 9], 0.7), wave(&[4], 0.2)).unwrap();
    let run = || values(&layer.forward(&wave(&[2, 9], 0.3)).unwrap());
    let full = run();
    let within = Precision::Bf16.during(|| (run(), Precision::F32.during(run), run()));
    assert_ne!(within.0, full);
    assert_eq!((within.1, within.2), (full.clone(), within.0));
    let broken = std::panic::catch_unwind(|| Precision::Bf16.during(|| panic!("on purpose")));
    assert!(broken.is_err());
    assert_eq!(run(), full);
}

#[test]
fn a_training_goes_on_in_its_own_precision_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = notes::notes(60, 64, 10, 5).unwrap();
    let keep = || Checkpoints::in_folder(folder.path());
    let first = Training::epochs(2).batch(4).precision(Precision::Bf16).checkpoints(keep());
    losses(&data, &first);
    let resumed = Training::resume(folder.path()).unwrap();
    assert_eq!(resumed.precision, Precision::Bf16);
    let mut network = network(&data, 3);
    let other = Training { precision: Precision::F32, epochs: 3, ..resumed };
    let refused = train::run(&mut network, &data, &other, &mut Silent).unwrap_err().to_string();
    assert!(refused.starts_with("precision: expected bf16"), "{refused}");
    assert!(refused.ends_with("found f32"), "{refused}");
}
