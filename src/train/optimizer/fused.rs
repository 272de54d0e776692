//! The rules on the CPU: every parameter changed in place, in one pass over it.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::Rule;
use super::parameter::Parameter;
use crate::compute::Real;
use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::storage::{with_values, with_values_mut};

/// Values that one task takes: some hundred kilobytes with all that belongs to them.
const CHUNK: usize = 1 << 15;

/// One step of `rule` on one parameter; `step` counts from 1 and gradients are scaled by `scale`.
pub fn update<T: Real>(
    rule: &Rule,
    parameter: &Parameter,
    gradient: &Tensor,
    rate: f64,
    scale: f64,
    step: u64,
) -> Result<()> {
    let rule = Prepared::<T>::new(rule, rate, scale, step);
    let Parameter { value, memory, .. } = parameter;
    let gradient = gradient.contiguous()?;
    with_values(&gradient, |gradient| {
        with_values_mut(value.as_tensor(), |weights| {
            let mut all = |first: &mut [T], second: &mut [T]| {
                let mut first = first.chunks_mut(CHUNK);
                let mut second = second.chunks_mut(CHUNK);
                let chunks: Vec<_> = weights
                    .chunks_mut(CHUNK)
                    .zip(gradient.chunks(CHUNK))
                    .map(|(weights, gradient)| Chunk {
                        rule,
                        weights,
                        gradient,
                        first: first.next().unwrap_or_default(),
                        second: second.next().unwrap_or_default(),
                    })
                    .collect();
                chunks.into_par_iter().for_each(vectorised);
                Ok(())
            };
            match memory.as_slice() {
                [] => all(&mut [], &mut []),
                [first] => with_values_mut(first, |first| all(first, &mut [])),
                [first, second, ..] => with_values_mut(first, |first| {
                    with_values_mut(second, |second| all(first, second))
                }),
            }
        })
    })
}

/// The sum of the squares of all values.
pub fn sum_of_squares<T: Real>(tensor: &Tensor) -> Result<f64> {
    with_values::<T, _>(&tensor.contiguous()?, |values| {
        let sums: Vec<f64> = values
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut sum = 0.;
                vectorised(Squares { values: chunk, sum: &mut sum });
                sum
            })
            .collect();
        Ok(sums.iter().sum())
    })
}

struct Squares<'a, T> {
    values: &'a [T],
    sum: &'a mut f64,
}

impl<T: Real> Loop for Squares<'_, T> {
    #[inline(always)]
    fn run(self) {
        // Sixteen sums side by side make vectors; short runs of them keep `f32` accurate.
        for run in self.values.chunks(1024) {
            let mut sums = [T::ZERO; 16];
            let (whole, rest) = run.as_chunks::<16>();
            for values in whole {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += *value * *value;
                }
            }
            *self.sum += sums.iter().map(|sum| sum.to_f64()).sum::<f64>();
            *self.sum += rest.iter().map(|value| value.to_f64().powi(2)).sum::<f64>();
        }
    }
}

/// A rule's numbers for this step, in the parameter's number type.
#[derive(Clone, Copy)]
pub enum Prepared<T> {
    RmsProp { keep: T, add: T, epsilon: T, momentum: T, rate: T, scale: T },
    RmsPropTorch { keep: T, add: T, epsilon: T, momentum: T, decay: T, rate: T, scale: T },
    AdamW { beta1: T, beta2: T, epsilon: T, shrink: T, rate: T, root_of_bias: T, scale: T },
    Sgd { momentum: T, nesterov: bool, decay: T, rate: T, scale: T },
}

impl<T: Real> Prepared<T> {
    pub fn new(rule: &Rule, rate: f64, scale: f64, step: u64) -> Self {
        let number = T::from_f64;
        let scale = number(scale);
        match *rule {
            Rule::RmsProp(rule) => Self::RmsProp {
                keep: number(rule.rho),
                add: number(1. - rule.rho),
                epsilon: number(rule.epsilon),
                momentum: number(rule.momentum),
                rate: number(rate),
                scale,
            },
            Rule::RmsPropTorch(rule) => Self::RmsPropTorch {
                keep: number(rule.alpha),
                add: number(1. - rule.alpha),
                epsilon: number(rule.epsilon),
                momentum: number(rule.momentum),
                decay: number(rule.weight_decay),
                rate: number(rate),
                scale,
            },
            Rule::AdamW(rule) => Self::AdamW {
                beta1: number(rule.beta1),
                beta2: number(rule.beta2),
                epsilon: number(rule.epsilon),
                shrink: number(1. - rate * rule.weight_decay),
                rate: number(rate / (1. - rule.beta1.powf(step as f64))),
                root_of_bias: number((1. - rule.beta2.powf(step as f64)).sqrt()),
                scale,
            },
            Rule::Sgd(rule) => Self::Sgd {
                momentum: number(rule.momentum),
                nesterov: rule.nesterov,
                decay: number(rule.weight_decay),
                rate: number(rate),
                scale,
            },
        }
    }
}

/// A run of a parameter with all that belongs to it; memories that the rule does not have are empty.
struct Chunk<'a, T> {
    rule: Prepared<T>,
    weights: &'a mut [T],
    gradient: &'a [T],
    first: &'a mut [T],
    second: &'a mut [T],
}

impl<T: Real> Loop for Chunk<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self { rule, weights, gradient, first, second } = self;
        let values = weights.iter_mut().zip(gradient);
        match rule {
            Prepared::RmsProp { keep, add, epsilon, momentum, rate, scale } => {
                let change = |square: &mut T, gradient: T| {
                    let gradient = gradient * scale;
                    *square = keep * *square + add * gradient * gradient;
                    rate * gradient / (*square + epsilon).sqrt()
                };
                if momentum > T::ZERO {
                    for (((weight, gradient), square), last) in values.zip(first).zip(second) {
                        *last = momentum * *last + change(square, *gradient);
                        *weight -= *last;
                    }
                } else {
                    for ((weight, gradient), square) in values.zip(first) {
                        *weight -= change(square, *gradient);
                    }
                }
            }
            Prepared::RmsPropTorch { keep, add, epsilon, momentum, decay, rate, scale } => {
                let change = |square: &mut T, gradient: T, weight: T| {
                    let gradient = gradient * scale + decay * weight;
                    *square = keep * *square + add * gradient * gradient;
                    gradient / (square.sqrt() + epsilon)
                };
                if momentum > T::ZERO {
                    for (((weight, gradient), square), last) in values.zip(first).zip(second) {
                        *last = momentum * *last + change(square, *gradient, *weight);
                        *weight -= rate * *last;
                    }
                } else {
                    for ((weight, gradient), square) in values.zip(first) {
                        *weight -= rate * change(square, *gradient, *weight);
                    }
                }
            }
            Prepared::AdamW { beta1, beta2, epsilon, shrink, rate, root_of_bias, scale } => {
                for (((weight, gradient), mean), square) in values.zip(first).zip(second) {
                    let gradient = *gradient * scale;
                    *mean = beta1 * *mean + (T::ONE - beta1) * gradient;
                    *square = beta2 * *square + (T::ONE - beta2) * gradient * gradient;
                    let change = *mean / (square.sqrt() / root_of_bias + epsilon);
                    *weight = *weight * shrink - rate * change;
                }
            }
            Prepared::Sgd { momentum, nesterov, decay, rate, scale } => {
                if momentum > T::ZERO {
                    for ((weight, gradient), last) in values.zip(first) {
                        let gradient = *gradient * scale + decay * *weight;
                        *last = momentum * *last + gradient;
                        let change = if nesterov { gradient + momentum * *last } else { *last };
                        *weight -= rate * change;
                    }
                } else {
                    for (weight, gradient) in values {
                        *weight -= rate * (*gradient * scale + decay * *weight);
                    }
                }
            }
        }
    }
}
