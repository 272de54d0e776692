//! The rules with Candle's own operations: correct on every device and number type.

use candle_core::Tensor;

use super::Rule;
use super::parameter::Parameter;
use crate::Result;

/// One step of `rule` on one parameter; `step` counts from 1 and gradients are scaled by `scale`.
pub fn update(
    rule: &Rule,
    parameter: &mut Parameter,
    gradient: &Tensor,
    rate: f64,
    scale: f64,
    step: u64,
) -> Result<()> {
    let Parameter { value, memory, .. } = parameter;
    let weight = value.as_detached_tensor();
    let gradient = if scale == 1. { gradient.clone() } else { (gradient * scale)? };
    let mixed = |old: &Tensor, new: &Tensor, keep: f64| -> Result<Tensor> {
        Ok(((old * keep)? + (new * (1. - keep))?)?)
    };
    let new = match rule {
        Rule::RmsProp(rule) => {
            memory[0] = mixed(&memory[0], &gradient.sqr()?, rule.rho)?;
            let change = (gradient / (&memory[0] + rule.epsilon)?.sqrt()?)?;
            if rule.momentum > 0. {
                memory[1] = ((&memory[1] * rule.momentum)? + (change * rate)?)?;
                (weight - &memory[1])?
            } else {
                (weight - (change * rate)?)?
            }
        }
        Rule::RmsPropTorch(rule) => {
            let gradient = decayed(gradient, &weight, rule.weight_decay)?;
            memory[0] = mixed(&memory[0], &gradient.sqr()?, rule.alpha)?;
            let change = (gradient / (memory[0].sqrt()? + rule.epsilon)?)?;
            if rule.momentum > 0. {
                memory[1] = ((&memory[1] * rule.momentum)? + change)?;
                (weight - (&memory[1] * rate)?)?
            } else {
                (weight - (change * rate)?)?
            }
        }
        Rule::AdamW(rule) => {
            memory[0] = mixed(&memory[0], &gradient, rule.beta1)?;
            memory[1] = mixed(&memory[1], &gradient.sqr()?, rule.beta2)?;
            let mean = (&memory[0] / (1. - rule.beta1.powf(step as f64)))?;
            let square = (&memory[1] / (1. - rule.beta2.powf(step as f64)))?;
            let change = (mean / (square.sqrt()? + rule.epsilon)?)?;
            ((weight * (1. - rate * rule.weight_decay))? - (change * rate)?)?
        }
        Rule::Sgd(rule) => {
            let gradient = decayed(gradient, &weight, rule.weight_decay)?;
            let change = if rule.momentum > 0. {
                memory[0] = ((&memory[0] * rule.momentum)? + &gradient)?;
                if rule.nesterov {
                    (gradient + (&memory[0] * rule.momentum)?)?
                } else {
                    memory[0].clone()
                }
            } else {
                gradient
            };
            (weight - (change * rate)?)?
        }
    };
    Ok(value.set(&new)?)
}

fn decayed(gradient: Tensor, weight: &Tensor, decay: f64) -> Result<Tensor> {
    if decay == 0. { Ok(gradient) } else { Ok((gradient + (weight * decay)?)?) }
}
