//! Losses and layer normalisation against PyTorch and against finite differences.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use neural_composer::Result;
use neural_composer::features::{Blocks, Normaliser, SpectrumLayout};
use neural_composer::model::gradients::Sink;
use neural_composer::model::{Activation, Dropout, LayerNorm};
use neural_composer::train::loss::{
    Loss, SpectralLoss, huber, mean_absolute_error, mean_squared_error,
};

fn vectors() -> Result<HashMap<String, Tensor>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/losses.safetensors");
    Ok(candle_core::safetensors::load(path, &Device::Cpu)?)
}

/// The largest difference relative to the largest value.
fn difference(ours: &Tensor, theirs: &Tensor) -> Result<f64> {
    assert_eq!(ours.dims(), theirs.dims());
    let largest = |t: &Tensor| -> Result<f64> {
        Ok(t.abs()?.flatten_all()?.max(0)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    };
    let theirs = theirs.to_dtype(DType::F64)?;
    Ok(largest(&(ours.to_dtype(DType::F64)? - &theirs)?)? / largest(&theirs)?)
}

fn assert_near(name: &str, ours: &Tensor, theirs: &Tensor, tolerance: f64) -> Result<()> {
    let found = difference(ours, theirs)?;
    assert!(found <= tolerance, "{name}: differs by {found:e} of the largest value");
    Ok(())
}

#[test]
fn losses_of_values_agree_with_pytorch() -> Result<()> {
    type Function = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let functions: [(&str, Function); 3] = [
        ("mse", mean_squared_error),
        ("mae", mean_absolute_error),
        ("huber", |predicted, target| huber(predicted, target, 0.7)),
    ];
    let vectors = vectors()?;
    for (name, function) in functions {
        // F16 takes the form made of Candle's own operations.
        for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-6), (DType::F16, 0.02)] {
            let predicted = Var::from_tensor(&vectors["predicted"].to_dtype(dtype)?)?;
            let target = Var::from_tensor(&vectors["target"].to_dtype(dtype)?)?;
            let loss = function(&predicted, &target)?;
            assert_near(name, &loss.reshape(1)?, &vectors[name], tolerance)?;
            if dtype == DType::F16 {
                continue;
            }
            let gradients = loss.backward()?;
            let ours = gradients.get(&predicted).expect("a gradient");
            let theirs = &vectors[&format!("{name}.grad")];
            assert_near(name, ours, theirs, tolerance)?;
            let of_target = gradients.get(&target).expect("a gradient").neg()?;
            assert_near(name, &of_target, theirs, tolerance)?;
        }
    }
    assert!(huber(&vectors["predicted"], &vectors["target"], 0.).is_err());
    let other_shape = vectors["target"].narrow(0, 0, 2)?;
    assert!(mean_absolute_error(&vectors["predicted"], &other_shape).is_err());
    Ok(())
}

fn normaliser(vectors: &HashMap<String, Tensor>, prefix: &str) -> Result<Normaliser> {
    let numbers = |name: &str| vectors[&format!("{prefix}{name}")].to_vec1::<f32>();
    Normaliser::from_statistics(numbers("mean")?, numbers("deviation")?)
}

#[test]
fn the_spectral_loss_agrees_with_pytorch_for_every_layout() -> Result<()> {
    let vectors = vectors()?;
    for (layout_name, layout) in [("full", SpectrumLayout::Full), ("half", SpectrumLayout::Half)] {
        for block_samples in [8, 9] {
            let prefix = format!("{layout_name}-{block_samples}.");
            let blocks = Blocks { sample_rate_hz: 8_000, block_samples, layout };
            let normaliser = normaliser(&vectors, &prefix)?;
            let loss = SpectralLoss::new(blocks, &normaliser, 1.)?;
            for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-5), (DType::F16, 0.02)] {
                let of = |name: &str| vectors[&format!("{prefix}{name}")].to_dtype(dtype);
                let predicted = Var::from_tensor(&of("predicted")?)?;
                let magnitudes = loss.magnitudes(&predicted, &of("target")?)?;
                let theirs = &vectors[&format!("{prefix}loss")];
                assert_near(&prefix, &magnitudes.reshape(1)?, theirs, tolerance)?;
                // As loss over runs of a batch, which is what training gives it.
                let width = blocks.width();
                let batch = of("predicted")?.reshape((1, 5, width))?;
                let again = loss.magnitudes(&batch, &of("target")?.reshape((1, 5, width))?)?;
                assert_near(&prefix, &again.reshape(1)?, theirs, tolerance)?;
                if dtype != DType::F16 {
                    let gradients = magnitudes.backward()?;
                    let ours = gradients.get(&predicted).expect("a gradient");
                    assert_near(&prefix, ours, &vectors[&format!("{prefix}loss.grad")], tolerance)?;
                }
            }
            let weighted = Loss::Spectral { weight: 2. }.criterion(blocks, &normaliser)?;
            let (predicted, target) =
                (&vectors[&format!("{prefix}predicted")], &vectors[&format!("{prefix}target")]);
            let squared = mean_squared_error(predicted, target)?.to_scalar::<f32>()?;
            let magnitudes = loss.magnitudes(predicted, target)?.to_scalar::<f32>()?;
            let whole = weighted.of(predicted, target)?.to_scalar::<f32>()?;
            assert!((whole - squared - 2. * magnitudes).abs() < 1e-4, "{whole}");
            let other = Blocks { block_samples: 12, ..blocks };
            assert!(SpectralLoss::new(other, &normaliser, 1.).is_err());
        }
    }
    Ok(())
}

#[test]
fn a_perfect_prediction_costs_nothing_and_pulls_nowhere() -> Result<()> {
    let vectors = vectors()?;
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 9, layout: SpectrumLayout::Half };
    let normaliser = normaliser(&vectors, "half-9.")?;
    let target = &vectors["half-9.target"];
    for loss in Loss::ALL {
        let predicted = Var::from_tensor(target)?;
        let cost = loss.criterion(blocks, &normaliser)?.of(&predicted, target)?;
        assert_eq!(cost.to_scalar::<f32>()?, 0., "{loss}");
        let gradients = cost.backward()?;
        let gradient = gradients.get(&predicted).expect("a gradient");
        assert_eq!(gradient.abs()?.max_all()?.to_scalar::<f32>()?, 0., "{loss}");
    }
    Ok(())
}

#[test]
fn what_is_no_number_stays_so() -> Result<()> {
    let vectors = vectors()?;
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 9, layout: SpectrumLayout::Half };
    let normaliser = normaliser(&vectors, "half-9.")?;
    let target = &vectors["half-9.target"];
    let broken = (target * f64::NAN)?;
    for loss in Loss::ALL {
        let cost = loss.criterion(blocks, &normaliser)?.of(&broken, target)?;
        assert!(cost.to_scalar::<f32>()?.is_nan(), "{loss}");
    }
    Ok(())
}

#[test]
fn losses_are_read_as_they_are_written() -> Result<()> {
    let with_numbers = [Loss::Huber { delta: 0.25 }, Loss::Spectral { weight: 3. }];
    for loss in Loss::ALL.into_iter().chain(with_numbers) {
        assert_eq!(loss.to_string().parse::<Loss>()?, loss);
    }
    for text in ["", "mse:2", "huber:0", "huber:x", "spectral:-1", "spectral:inf", "cosine"] {
        assert!(text.parse::<Loss>().unwrap_err().to_string().contains("loss"), "{text}");
    }
    Ok(())
}

#[test]
fn layer_normalisation_agrees_with_pytorch() -> Result<()> {
    let vectors = vectors()?;
    for width in [5, 37] {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-5), (DType::F16, 0.02)] {
            let of = |name: &str| vectors[&format!("norm-{width}.{name}")].to_dtype(dtype);
            let variable = |name: &str| Var::from_tensor(&of(name)?);
            let (input, weight, bias) =
                (variable("input")?, variable("weight")?, variable("bias")?);
            let norm = LayerNorm::new(weight.as_tensor().clone(), bias.as_tensor().clone())?;
            let output = norm.forward(&input)?;
            assert_near("output", &output, &of("output")?, tolerance)?;
            let loss = (output * of("upstream")?)?.sum_all()?;
            let mut sink = Sink::default();
            let walks = [loss.backward()?, sink.backward(&loss)?, sink.backward(&loss)?];
            for gradients in walks {
                for (name, variable) in [("input", &input), ("weight", &weight), ("bias", &bias)] {
                    let ours = gradients.get(variable).expect("a gradient");
                    assert_near(name, ours, &of(&format!("{name}.grad"))?, tolerance)?;
                }
            }
        }
    }
    let ones = |count: usize| Tensor::ones(count, DType::F32, &Device::Cpu);
    assert!(LayerNorm::new(ones(3)?, ones(4)?).is_err());
    let norm = LayerNorm::new(ones(3)?, ones(3)?)?;
    assert!(norm.forward(&ones(4)?).unwrap_err().to_string().contains("3"));
    // A row without any variance.
    let flat = norm.forward(&ones(3)?)?.to_vec1::<f32>()?;
    assert_eq!(flat, [1.; 3]);
    Ok(())
}

#[test]
fn dropout_takes_the_share_asked_for_and_keeps_the_mean() -> Result<()> {
    let ones = Tensor::ones((4, 25, 400), DType::F32, &Device::Cpu)?;
    for rate in [0.1, 0.5, 0.9] {
        let dropped = Dropout::new(rate, 3)?.apply(&ones, 2, 0)?.flatten_all()?.to_vec1::<f32>()?;
        let gone = dropped.iter().filter(|value| **value == 0.).count() as f64;
        assert!((gone / 40_000. - rate).abs() < 0.01, "{rate}: {gone}");
        let mean = dropped.iter().map(|value| f64::from(*value)).sum::<f64>() / 40_000.;
        assert!((mean - 1.).abs() < 0.05, "{rate}: {mean}");
    }
    let values = |dropout: Dropout, layer| -> Result<_> {
        Ok(dropout.apply(&ones, layer, 0)?.to_vec3::<f32>()?)
    };
    let dropout = Dropout::new(0.5, 3)?;
    assert_eq!(values(dropout, 0)?, values(dropout, 0)?);
    assert_ne!(values(dropout, 0)?, values(dropout, 1)?);
    assert_ne!(values(dropout, 0)?, values(dropout.at_update(1), 0)?);
    assert_ne!(values(dropout, 0)?, values(Dropout::new(0.5, 4)?, 0)?);
    assert_eq!(values(Dropout::NONE, 0)?, ones.to_vec3::<f32>()?);
    for rate in [-0.1, 1., f64::NAN] {
        assert!(Dropout::new(rate, 1).unwrap_err().to_string().contains("dropout"));
    }
    Ok(())
}

#[test]
fn activations_are_what_their_names_say() -> Result<()> {
    let values = [-2f64, -0.5, 0., 0.5, 2.];
    let tensor = Tensor::new(&values, &Device::Cpu)?;
    let gelu = |x: f64| {
        let inner = (2. / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        0.5 * x * (1. + inner.tanh())
    };
    let functions: [fn(f64) -> f64; 4] = [|x| x, f64::tanh, |x| x.max(0.), gelu];
    for (activation, function) in Activation::ALL.into_iter().zip(functions) {
        for (ours, value) in activation.apply(&tensor)?.to_vec1::<f64>()?.iter().zip(values) {
            assert!((ours - function(value)).abs() < 1e-9, "{activation} of {value}: {ours}");
        }
        assert_eq!(activation.to_string().parse::<Activation>()?, activation);
    }
    assert!("swish".parse::<Activation>().is_err());
    Ok(())
}
