//! A fixed number of optimizer steps, as composers of grains and of codes learn.

use super::fit::{Place, Plan};
use super::optimizer::{AdamW, Optimizer, Rule};
use super::schedule::Schedule;
use crate::{Error, Result};
use candle_core::Var;
use std::collections::BTreeMap;

/// Gradients are scaled down to this norm.
const CLIP_NORM: f64 = 1.0;
/// What the learning rate has fallen to at the last step.
const LAST_SHARE: f64 = 1.0 / 200.0;

/// So many steps of AdamW with a learning rate that falls in a straight line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descent {
    pub steps: usize,
    /// Steps that are reported together as an epoch.
    pub steps_per_epoch: usize,
    /// The first learning rate.
    pub learning_rate: f64,
    pub weight_decay: f64,
}

impl Descent {
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
        Error::refuse_zero([("steps", self.steps), ("steps_per_epoch", self.steps_per_epoch)])?;
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(Error::argument("learning_rate", "a number above 0", self.learning_rate));
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(Error::argument("weight_decay", "a number from 0", self.weight_decay));
        }
        Ok(())
    }

    pub fn plan(&self) -> Plan {
        Plan {
            epochs: self.steps.div_ceil(self.steps_per_epoch),
            learning_rate: self.learning_rate,
            schedule: Schedule::Linear { steps: self.steps as u64, floor: LAST_SHARE },
            clip_norm: Some(CLIP_NORM),
            patience: None,
        }
    }

    /// Steps in an epoch: the last one has those that are left.
    pub fn steps_in(&self, epoch: usize) -> usize {
        let before = (epoch - 1) * self.steps_per_epoch;
        self.steps_per_epoch.min(self.steps.saturating_sub(before))
    }

    /// The number of the step at a place, from 0.
    pub fn step(&self, place: Place) -> u64 {
        ((place.epoch - 1) * self.steps_per_epoch + place.batch) as u64
    }

    pub fn optimizer(&self, variables: &BTreeMap<String, Var>) -> Result<Optimizer> {
        let rule = Rule::AdamW(AdamW { weight_decay: self.weight_decay, ..AdamW::default() });
        let named = variables.iter().map(|(name, variable)| (name.clone(), variable.clone()));
        Optimizer::new(rule, named.collect())
    }
}
