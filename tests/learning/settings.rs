//! Every setting of training does what it says.

use crate::notes;
use candle_core::{Device as CandleDevice, Tensor};
use neural_composer::dataset::Dataset;
use neural_composer::model::{Device, LayerConfig, Network, NetworkConfig, gru, lstm, simple_rnn};
use neural_composer::train::loss::Loss;
use neural_composer::train::optimizer::{AdamW, RmsPropTorch, Rule, Sgd};
use neural_composer::train::schedule::Schedule;
use neural_composer::train::{self, History, Recompute, Silent, Training};
use neural_composer::{Error, Result};

const WIDTH: usize = 32;
const STEPS: usize = 12;

fn data() -> Result<Dataset> {
    notes::notes(100, WIDTH, STEPS, 4)
}

fn layers() -> Vec<LayerConfig> {
    vec![lstm(16), gru(16).norm().residual(), simple_rnn(16).residual(), lstm(12)]
}

fn trained(config: NetworkConfig, settings: &Training) -> Result<(Network, History)> {
    let data = data()?;
    let mut network = Network::new(config, &data, 3, &Device::cpu())?;
    let history = train::run(&mut network, &data, settings, &mut Silent)?;
    Ok((network, history))
}

fn stack() -> NetworkConfig {
    NetworkConfig::stack(WIDTH, layers())
}

fn losses(history: &History) -> Vec<f64> {
    history.epochs.iter().map(|epoch| epoch.train_loss).collect()
}

/// The largest difference between any two parameters, relative to the largest parameter.
fn difference(a: &Network, b: &Network) -> Result<f32> {
    let mut most = 0f32;
    for (name, variable) in a.variables() {
        let (ours, theirs) = (variable.as_tensor(), b.variables()[name].as_tensor());
        let largest = theirs.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        let off = (ours - theirs)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        most = most.max(off / largest);
    }
    Ok(most)
}

#[test]
fn computing_again_instead_of_keeping_changes_nothing_but_rounding() -> Result<()> {
    // Plain gradient descent: unlike RMSprop it does not blow up rounding of small gradients.
    let settings = Training::epochs(2)
        .batch(7)
        .rule(Rule::Sgd(Sgd::default()))
        .learning_rate(0.1)
        .dropout(0.3);
    let (kept, history) = trained(stack(), &settings)?;
    let untouched = Network::new(stack(), &data()?, 3, &Device::cpu())?;
    assert!(difference(&kept, &untouched)? > 1e-2);
    for recompute in [
        Recompute::LAYERS,
        Recompute { layers: false, steps: Some(1) },
        Recompute { layers: false, steps: Some(5) },
        Recompute { layers: false, steps: Some(100) },
        Recompute { layers: true, steps: Some(4) },
    ] {
        let (again, other) = trained(stack(), &settings.clone().recompute(recompute))?;
        let found = difference(&again, &kept)?;
        assert!(found < 1e-5, "{recompute}: parameters differ by {found:e}");
        for (ours, theirs) in losses(&other).iter().zip(losses(&history)) {
            assert!((ours - theirs).abs() < 1e-5, "{recompute}: {ours} {theirs}");
        }
    }
    Ok(())
}

#[test]
fn truncation_steps_after_every_run_and_carries_the_state() -> Result<()> {
    let data = data()?;
    let batches = data.len().div_ceil(5);
    let settings = Training::epochs(1).batch(5);
    for (steps, runs) in [(1, STEPS), (5, 3), (STEPS, 1), (100, 1)] {
        let settings = settings.clone().truncate(steps);
        let (network, _) = trained(stack(), &settings)?;
        assert_eq!(network.updates(), runs * batches);
        assert_eq!(settings.planned_updates(&data)?, (runs * batches) as u64);
    }
    let whole = trained(stack(), &settings)?;
    assert_eq!(difference(&trained(stack(), &settings.clone().truncate(100))?.0, &whole.0)?, 0.);
    // With a step size of nearly nothing the network stays as it is, so the loss of the runs is that
    // of whole sequences exactly if the state is carried along.
    let still = settings.rule(Rule::Sgd(Sgd::default())).learning_rate(1e-12);
    let (_, whole) = trained(stack(), &still)?;
    for recompute in [Recompute::NOTHING, Recompute { layers: true, steps: Some(2) }] {
        let (_, runs) = trained(stack(), &still.clone().truncate(5).recompute(recompute))?;
        let (ours, theirs) = (losses(&runs)[0], losses(&whole)[0]);
        assert!((ours - theirs).abs() < 1e-6, "{ours} {theirs}");
    }
    Ok(())
}

#[test]
fn every_rule_and_loss_learns() -> Result<()> {
    let momentum = Sgd { momentum: 0.9, nesterov: true, weight_decay: 0. };
    let rules = [
        (Rule::default(), 3e-3),
        (Rule::RmsPropTorch(RmsPropTorch::default()), 3e-3),
        (Rule::AdamW(AdamW::default()), 1e-2),
        (Rule::Sgd(momentum), 0.3),
    ];
    let learns = |settings: Training, share: f64| -> Result<()> {
        let (_, history) = trained(NetworkConfig::stack(WIDTH, [gru(24)]), &settings)?;
        let losses = losses(&history);
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < share * first, "{:?} {}: {first} {last}", settings.rule, settings.loss);
        Ok(())
    };
    for (rule, rate) in rules {
        learns(Training::epochs(30).batch(4).rule(rule).learning_rate(rate), 0.8)?;
    }
    for loss in Loss::ALL {
        learns(Training::epochs(30).batch(4).loss(loss).learning_rate(3e-3), 0.85)?;
    }
    Ok(())
}

#[test]
fn schedules_move_the_rate_that_the_history_tells() -> Result<()> {
    let data = data()?;
    let settings = Training::epochs(4).batch(4).learning_rate(1e-3);
    let planned = settings.planned_updates(&data)?;
    let rates = |schedule| -> Result<Vec<f64>> {
        let (_, history) = trained(stack(), &settings.clone().schedule(schedule))?;
        Ok(history.epochs.iter().map(|epoch| epoch.learning_rate).collect())
    };
    assert_eq!(rates(Schedule::Constant)?, [1e-3; 4]);
    let rising = rates(Schedule::WarmUp { steps: planned })?;
    for (epoch, rate) in rising.iter().enumerate() {
        assert!((rate - 1e-3 * (epoch + 1) as f64 / 4.).abs() < 1e-12, "{rising:?}");
    }
    let falling = rates(Schedule::Cosine { warm_up: 0, steps: planned, floor: 0. })?;
    assert!(falling.is_sorted_by(|a, b| a > b) && falling[3] < 1e-4, "{falling:?}");
    let per_epoch = planned / 4;
    let stairs = rates(Schedule::Step { every: per_epoch, factor: 0.5 })?;
    assert_eq!(stairs, [1e-3, 5e-4, 2.5e-4, 1.25e-4]);
    // A rate so small that the loss hardly moves: no epoch but the first can be much better.
    let flat = settings.clone().learning_rate(1e-30);
    let plateau = Schedule::Plateau { patience: 0, factor: 0.1, floor: 0.01 };
    let (_, history) = trained(stack(), &flat.schedule(plateau))?;
    let last = history.epochs[3].learning_rate;
    assert!((1e-32..1e-30).contains(&last), "{last:e}");
    Ok(())
}

#[test]
fn dropout_is_drawn_by_the_seed_and_left_out_of_validation() -> Result<()> {
    let settings = Training::epochs(2).batch(4).validation(0.2).dropout(0.4);
    let (network, history) = trained(stack(), &settings)?;
    let (same, _) = trained(stack(), &settings)?;
    assert_eq!(difference(&network, &same)?, 0.);
    let (without, _) = trained(stack(), &settings.clone().dropout(0.))?;
    assert!(difference(&network, &without)? > 1e-3);
    // The last validation, done again by hand with everything there.
    let data = data()?;
    let (_, validation) = data.split(0.2)?;
    let mut sum = 0.;
    for batch in data.batches(&validation, 1, None).on(&CandleDevice::Cpu) {
        let batch = batch?;
        let (predicted, _) = network.predict(&batch.inputs, None)?;
        sum += f64::from((predicted - batch.targets)?.sqr()?.mean_all()?.to_scalar::<f32>()?);
    }
    let (ours, told) = (sum / validation.len() as f64, history.epochs[1].validation_loss);
    assert!((ours - told.expect("a loss")).abs() < 1e-5, "{ours} {told:?}");
    Ok(())
}

#[test]
fn scheduled_sampling_lets_a_network_hear_itself() -> Result<()> {
    let settings = Training::epochs(40).batch(4).learning_rate(3e-3);
    for config in [
        NetworkConfig::stack(WIDTH, [gru(24)]),
        NetworkConfig::stack(WIDTH, [gru(24)]).recurrent_input(),
    ] {
        let (told, _) = trained(config.clone(), &settings)?;
        let heard = settings.clone().scheduled_sampling(0.8);
        let (network, history) = trained(config.clone(), &heard)?;
        assert_eq!(difference(&network, &trained(config, &heard)?.0)?, 0.);
        assert!(difference(&network, &told)? > 1e-3);
        assert!(losses(&history)[39] < losses(&history)[0]);
        // Left to itself after five blocks, it goes wrong less than the one that was only ever told.
        let data = data()?;
        let drift = |network: &Network| -> Result<f64> {
            let mut sum = 0.;
            let indices: Vec<usize> = (0..data.len()).collect();
            for batch in data.batches(&indices, data.len(), None).on(&CandleDevice::Cpu) {
                let batch = batch?;
                let start = batch.inputs.narrow(1, 0, 5)?;
                let (predicted, mut state) =
                    network.predict(&network.join(&start, &start)?, None)?;
                let mut block = predicted.narrow(1, 4, 1)?;
                let mut outputs: Vec<Tensor> = Vec::new();
                for _ in 5..STEPS {
                    let (next, after) =
                        network.predict(&network.join(&block, &block)?, Some(&state))?;
                    (block, state) = (next.clone(), after);
                    outputs.push(next);
                }
                let truth = batch.targets.narrow(1, 5, STEPS - 5)?;
                let off = (Tensor::cat(&outputs, 1)? - truth)?.sqr()?.mean_all()?;
                sum += f64::from(off.to_scalar::<f32>()?);
            }
            Ok(sum)
        };
        let (alone, only_told) = (drift(&network)?, drift(&told)?);
        assert!(alone < only_told, "{alone} {only_told}");
    }
    Ok(())
}

#[test]
fn impossible_settings_are_refused_by_name() -> Result<()> {
    let settings = || Training::epochs(1);
    let steps_of_none = Recompute { layers: false, steps: Some(0) };
    for (settings, name) in [
        (settings().dropout(1.), "dropout"),
        (settings().dropout(f64::NAN), "dropout"),
        (settings().scheduled_sampling(1.5), "scheduled_sampling"),
        (settings().truncate(0), "truncate_steps"),
        (settings().recompute(steps_of_none), "recompute.steps"),
        (settings().loss(Loss::Huber { delta: -1. }), "loss"),
        (settings().schedule(Schedule::Step { every: 0, factor: 0.5 }), "schedule.every"),
    ] {
        let error = trained(stack(), &settings).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }) && error.to_string().contains(name));
    }
    Ok(())
}
