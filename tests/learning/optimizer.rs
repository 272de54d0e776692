//! Optimizers against PyTorch and Keras, and what they keep for checkpoints.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use neural_composer::Result;
use neural_composer::train::optimizer::{AdamW, Optimizer, RmsProp, RmsPropTorch, Rule, Sgd};
use neural_composer::train::schedule::Schedule;

const RATE: f64 = 0.01;

fn vectors() -> Result<HashMap<String, Tensor>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/optimizer.safetensors");
    Ok(candle_core::safetensors::load(path, &Device::Cpu)?)
}

fn rules() -> Vec<(&'static str, Rule)> {
    let sgd =
        |momentum, nesterov, weight_decay| Rule::Sgd(Sgd { momentum, nesterov, weight_decay });
    let torch = RmsPropTorch { momentum: 0.7, weight_decay: 0.1, ..RmsPropTorch::default() };
    vec![
        ("rmsprop", Rule::RmsProp(RmsProp::default())),
        ("rmsprop-momentum", Rule::RmsProp(RmsProp { momentum: 0.7, ..RmsProp::default() })),
        ("rmsprop-torch", Rule::RmsPropTorch(RmsPropTorch::default())),
        ("rmsprop-torch-momentum", Rule::RmsPropTorch(torch)),
        ("adamw", Rule::AdamW(AdamW { weight_decay: 0.1, ..AdamW::default() })),
        ("sgd", sgd(0., false, 0.1)),
        ("sgd-momentum", sgd(0.9, false, 0.)),
        ("sgd-nesterov", sgd(0.9, true, 0.)),
    ]
}

/// A loss whose gradient by `weight` is `gradient`.
fn loss(weight: &Var, gradient: &Tensor) -> Result<Tensor> {
    Ok((weight.as_tensor() * gradient)?.sum_all()?)
}

fn assert_near(name: &str, ours: &Tensor, theirs: &Tensor) -> Result<()> {
    let error = (ours - theirs)?.abs()?.flatten_all()?.max(0)?.to_dtype(DType::F64)?;
    let error = error.to_scalar::<f64>()?;
    assert!(error <= 1e-5, "{name}: differs by {error:e}");
    Ok(())
}

#[test]
fn every_step_agrees_with_the_reference() -> Result<()> {
    let vectors = vectors()?;
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        for (name, rule) in rules() {
            // bf16 takes the composed form, whose formulas are checked where rounding allows it.
            if dtype == DType::BF16 && !name.starts_with("sgd") {
                continue;
            }
            let weight = Var::from_tensor(&vectors["start"].to_dtype(dtype)?)?;
            let mut optimizer = Optimizer::new(rule, vec![("w".into(), weight.clone())])?;
            let steps = vectors["gradients"].dim(0)?;
            for step in 0..steps {
                let gradient = vectors["gradients"].get(step)?.to_dtype(dtype)?;
                optimizer.minimize(&loss(&weight, &gradient)?, RATE)?;
                let (ours, theirs) = (weight.as_tensor(), vectors[name].get(step)?);
                let ours = ours.to_dtype(DType::F32)?;
                if dtype == DType::BF16 {
                    let error = (ours - &theirs)?.abs()?.max_all()?.to_scalar::<f32>()?;
                    assert!(error < 0.1, "{name} in bf16: {error}");
                } else {
                    assert_near(&format!("{name} after step {step}"), &ours, &theirs)?;
                }
            }
            assert_eq!(optimizer.steps(), steps as u64);
        }
    }
    Ok(())
}

#[test]
fn clipping_agrees_with_the_reference_and_counts_all_parameters() -> Result<()> {
    let vectors = vectors()?;
    let rule = Rule::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
    // One parameter in two halves: the norm is that of both.
    let halves = [(0, 3), (3, 4)].map(|(start, rows)| vectors["start"].narrow(0, start, rows));
    let [upper, lower] = halves.map(|half| Var::from_tensor(&half?));
    let (upper, lower) = (upper?, lower?);
    let named = vec![("upper".to_string(), upper.clone()), ("lower".to_string(), lower.clone())];
    let mut optimizer = Optimizer::new(rule, named)?.with_clip_norm(Some(1.))?;
    for step in 0..vectors["gradients"].dim(0)? {
        let gradient = vectors["gradients"].get(step)?;
        let whole = (loss(&upper, &gradient.narrow(0, 0, 3)?)?
            + loss(&lower, &gradient.narrow(0, 3, 4)?)?)?;
        let norm = gradient.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?;
        let ours = optimizer.gradient_norm(&whole.backward()?)?;
        assert!((ours / f64::from(norm) - 1.).abs() < 1e-5);
        optimizer.minimize(&whole, RATE)?;
        let ours = Tensor::cat(&[upper.as_tensor(), lower.as_tensor()], 0)?;
        assert_near(&format!("step {step}"), &ours, &vectors["sgd-clipped"].get(step)?)?;
    }
    Ok(())
}

#[test]
fn a_restored_optimizer_goes_on_as_if_it_had_not_stopped() -> Result<()> {
    let vectors = vectors()?;
    for (name, rule) in rules() {
        let weight = Var::from_tensor(&vectors["start"])?;
        let mut optimizer = Optimizer::new(rule, vec![("w".into(), weight.clone())])?;
        for step in 0..2 {
            optimizer.minimize(&loss(&weight, &vectors["gradients"].get(step)?)?, RATE)?;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.safetensors");
        let state: HashMap<String, Tensor> = optimizer.state()?.into_iter().collect();
        assert!(state.keys().all(|key| key.starts_with("optimizer.")));
        candle_core::safetensors::save(&state, &path)?;
        let state = candle_core::safetensors::load(&path, &Device::Cpu)?;

        let resumed = Var::from_tensor(&weight.as_tensor().copy()?)?;
        let mut other = Optimizer::new(rule, vec![("w".into(), resumed.clone())])?;
        other.restore(&state)?;
        for step in 2..vectors["gradients"].dim(0)? {
            let gradient = vectors["gradients"].get(step)?;
            optimizer.minimize(&loss(&weight, &gradient)?, RATE)?;
            other.minimize(&loss(&resumed, &gradient)?, RATE)?;
        }
        let (ours, theirs) = (resumed.as_tensor(), weight.as_tensor());
        assert_eq!(ours.to_vec2::<f32>()?, theirs.to_vec2::<f32>()?, "{name}");
        assert_eq!(other.steps(), optimizer.steps());

        let mut stranger = Optimizer::new(rule, vec![("v".into(), resumed)])?;
        if name != "sgd" {
            let text = stranger.restore(&state).expect_err("an error").to_string();
            assert!(text.contains("optimizer.") && text.contains(".v"), "{text}");
        }
    }
    Ok(())
}

#[test]
fn nothing_changes_where_a_step_is_refused_or_has_no_gradient() -> Result<()> {
    let weight = Var::new(&[1f32, 2.], &Device::Cpu)?;
    let idle = Var::new(&[3f32], &Device::Cpu)?;
    let named = vec![("weight".to_string(), weight.clone()), ("idle".to_string(), idle.clone())];
    let rule = Rule::AdamW(AdamW::default());
    let mut optimizer = Optimizer::new(rule, named)?;
    let gradients = weight.as_tensor().sqr()?.sum_all()?.backward()?;
    for rate in [-1., f64::NAN, f64::INFINITY] {
        assert!(optimizer.step(&gradients, rate).is_err());
    }
    assert_eq!(weight.as_tensor().to_vec1::<f32>()?, [1., 2.]);
    assert_eq!(optimizer.steps(), 0);
    optimizer.step(&gradients, 0.1)?;
    assert!(weight.as_tensor().to_vec1::<f32>()?[0] < 1.);
    assert_eq!(idle.as_tensor().to_vec1::<f32>()?, [3.]);

    let twice = vec![("w".to_string(), weight.clone()), ("w".to_string(), idle)];
    assert!(Optimizer::new(rule, twice).is_err());
    let alone = Optimizer::new(rule, vec![("w".to_string(), weight)])?;
    assert!(alone.with_clip_norm(Some(0.)).is_err());
    Ok(())
}

#[test]
fn schedules_move_the_rate_as_they_say() -> Result<()> {
    let walk = |schedule: Schedule, steps: usize| -> Result<Vec<f64>> {
        let mut progress = schedule.start()?;
        Ok((0..steps).map(|_| progress.next_rate(1.)).collect())
    };
    assert_eq!(walk(Schedule::Constant, 3)?, [1., 1., 1.]);
    assert_eq!(walk(Schedule::Step { every: 2, factor: 0.5 }, 5)?, [1., 1., 0.5, 0.5, 0.25]);
    let cosine = walk(Schedule::Cosine { warm_up: 2, steps: 6, floor: 0.2 }, 8)?;
    let expected = [0.5, 1., 1., 0.882_842_712, 0.6, 0.317_157_288, 0.2, 0.2];
    for (ours, expected) in cosine.iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-8, "{cosine:?}");
    }
    let mut plateau = Schedule::Plateau { patience: 1, factor: 0.1, floor: 0.05 }.start()?;
    let rates = [3., 2., 2., 2., f64::NAN, 2.5, 1., 1.].map(|loss| {
        plateau.observe(loss);
        plateau.next_rate(1.)
    });
    assert_eq!(rates, [1., 1., 1., 0.1, 0.1, 0.05, 0.05, 0.05]);

    assert!(Schedule::Step { every: 0, factor: 0.5 }.start().is_err());
    assert!(Schedule::Step { every: 1, factor: 0. }.start().is_err());
    assert!(Schedule::Cosine { warm_up: 5, steps: 5, floor: 0. }.start().is_err());
    assert!(Schedule::Plateau { patience: 1, factor: 0.5, floor: 2. }.start().is_err());
    let text = serde_json::to_string(&plateau).expect("text");
    let restored: neural_composer::train::schedule::Progress =
        serde_json::from_str(&text).expect("a schedule");
    assert_eq!(restored, plateau);
    Ok(())
}

#[test]
fn rules_and_schedules_are_known_by_name() -> Result<()> {
    for name in ["rmsprop", "rmsprop-torch", "adamw", "sgd", "sgd-momentum"] {
        assert_eq!(name.parse::<Rule>()?.to_string(), name);
    }
    assert_eq!("rmsprop".parse::<Rule>()?, Rule::default());
    assert!("adam".parse::<Rule>().unwrap_err().to_string().contains("adamw"));
    for name in Schedule::NAMES {
        // Even for a training without a step.
        for updates in [0, 1, 7, 1_000] {
            Schedule::usual(name, updates)?.start()?;
        }
    }
    let mut cosine = Schedule::usual("cosine", 1_000)?.start()?;
    let rates: Vec<f64> = (0..1_000).map(|_| cosine.next_rate(1.)).collect();
    assert!(rates[0] < 0.03 && rates[49] == 1. && rates[999] < 0.011);
    let mut linear = Schedule::Linear { steps: 5, floor: 0.2 }.start()?;
    let rates: Vec<f64> = (0..6).map(|_| linear.next_rate(1.)).collect();
    for (rate, expected) in rates.iter().zip([1.0, 0.8, 0.6, 0.4, 0.2, 0.2]) {
        assert!((rate - expected).abs() < 1e-12, "{rates:?}");
    }
    assert!(Schedule::usual("polynomial", 10).unwrap_err().to_string().contains("plateau"));
    Ok(())
}
