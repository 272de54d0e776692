//! Settings that take less memory.

use std::fmt;

use super::estimate::MemoryEstimate;
use crate::memory::gigabytes;
use crate::model::NetworkConfig;
use crate::train::optimizer::{RmsProp, Rule};
use crate::train::{Recompute, Training};
use crate::words::counted;

/// Another way to train, and what it takes.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// What is different, in words.
    pub change: String,
    /// The network.
    pub config: NetworkConfig,
    /// The settings.
    pub settings: Training,
    /// What they take.
    pub estimate: MemoryEstimate,
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.change, gigabytes(self.estimate.total()))
    }
}

/// Ways to train a network like `config` much as `settings` say in at most `limit` bytes, those that
/// change least first; of each kind of change the smallest that is enough.
pub fn alternatives(
    config: &NetworkConfig,
    steps: usize,
    settings: &Training,
    limit: u64,
) -> Vec<Alternative> {
    let mut found = Vec::new();
    let mut first_of = |candidates: &mut dyn Iterator<Item = (String, NetworkConfig, Training)>| {
        let fits = candidates.map(|(change, config, settings)| {
            let estimate = MemoryEstimate::new(&config, steps, &settings);
            Alternative { change, config, settings, estimate }
        });
        found.extend({ fits }.find(|alternative| alternative.estimate.total() <= limit));
    };

    // The same result, more time.
    let runs =
        std::iter::successors(Some(steps.div_ceil(2)), |run| (*run > 1).then(|| run.div_ceil(2)));
    let kept = std::iter::once(Recompute::LAYERS)
        .chain(runs.clone().map(|run| Recompute { layers: true, steps: Some(run) }));
    first_of(&mut kept.map(|recompute| {
        (format!("recompute {recompute}"), config.clone(), settings.clone().recompute(recompute))
    }));
    // Less at a time.
    let batches = std::iter::successors(Some(settings.batch_size / 2), |size| Some(size / 2));
    let batches: Vec<_> = batches.take_while(|size| *size > 0).collect();
    first_of(
        &mut batches.iter().map(|size| {
            (format!("batches of {size}"), config.clone(), settings.clone().batch(*size))
        }),
    );
    first_of(&mut runs.clone().map(|run| {
        let change = format!("gradients through {} at most", counted(run, "step"));
        (change, config.clone(), settings.clone().truncate(run))
    }));
    // A rule with less state.
    if settings.rule.memories().len() > 1 {
        let rule = Rule::RmsProp(RmsProp::default());
        let candidate =
            (format!("the optimizer {rule}"), config.clone(), settings.clone().rule(rule));
        first_of(&mut std::iter::once(candidate));
    }
    // A smaller network, first as it is, then with everything else that saves memory.
    let shares = [0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0625];
    let sparing = settings.clone().batch(1).recompute(Recompute { layers: true, steps: Some(1) });
    let everything = (String::from("batches of 1, recompute layers, runs of 1 step"), sparing);
    first_of(&mut std::iter::once((everything.0.clone(), config.clone(), everything.1.clone())));
    first_of(&mut shares.iter().map(|share| {
        let smaller = scaled(config, *share);
        (format!("layers of {}", smaller.describe_layers()), smaller, settings.clone())
    }));
    if found.is_empty() {
        let fits = shares.iter().map(|share| {
            let smaller = scaled(config, *share);
            let estimate = MemoryEstimate::new(&smaller, steps, &everything.1);
            let change = format!("layers of {}, {}", smaller.describe_layers(), everything.0);
            Alternative { change, config: smaller, settings: everything.1.clone(), estimate }
        });
        found.extend({ fits }.find(|alternative| alternative.estimate.total() <= limit));
    }
    found
}

/// The same network with `share` of the units in every layer.
fn scaled(config: &NetworkConfig, share: f64) -> NetworkConfig {
    let scale = |units: usize| ((units as f64 * share) as usize).max(1);
    let mut smaller = config.clone();
    smaller.dense_units = scale(config.dense_units);
    for layer in &mut smaller.layers {
        layer.units = scale(layer.units);
    }
    smaller
}
