//! The gradients of all processes, added up while the walk back goes on.
//!
//! Gradients travel in buckets of some megabytes, in an order that is the same in all processes: that in
//! which the first walk back wrote them, as far as layers tell of it ([`Taker`]); what Candle answers
//! itself comes last. A bucket is sent off as soon as all of it and of those before it is there.

use crate::compute::storage::{with_values, with_values_mut};
use crate::model::gradients::Taker;
use crate::processes::{Pending, Processes};
use crate::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, TensorId, Var};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values of a bucket that is sent off: 4 MB.
const BUCKET: usize = 1 << 20;

/// Adds up the gradients of all processes.
pub(super) struct Exchange {
    processes: Processes,
    parameters: Vec<Var>,
    gathering: Arc<Gathering>,
}

/// What was written so far, and is on its way.
#[derive(Debug)]
struct Gathering(Mutex<State>);

#[derive(Debug)]
struct State {
    processes: Processes,
    /// Numbers of parameters.
    numbers: HashMap<TensorId, usize>,
    /// For each parameter how many values it has.
    sizes: Vec<usize>,
    /// Those that were written, in that order, again and again.
    written: Vec<usize>,
    /// For each whether a part of its gradient was answered to Candle.
    answered: Vec<bool>,
    /// Once it is known in which order gradients come.
    order: Option<Order>,
    buckets: Vec<Bucket>,
    /// How many of the buckets are on their way.
    begun: usize,
    /// For each parameter whether its gradient is in its bucket.
    is_placed: Vec<bool>,
}

/// In which order gradients come.
#[derive(Clone, Debug, PartialEq)]
struct Order {
    /// Parameters, those last that are not told of.
    parameters: Vec<usize>,
    /// For each parameter how often it is written; 0 where that does not tell when it is complete.
    times: Vec<usize>,
    /// For each parameter its bucket, and where in it.
    places: Vec<(usize, usize)>,
}

#[derive(Debug, Default)]
struct Bucket {
    values: Vec<f32>,
    /// Parameters that are not there yet.
    missing: usize,
    sums: Option<Pending>,
}

impl Exchange {
    /// Between `processes`, for these parameters; nothing where there are no others.
    pub fn between<'a>(
        processes: &Processes,
        parameters: impl Iterator<Item = &'a Var>,
    ) -> Result<Option<Self>> {
        if !processes.are_several() {
            return Ok(None);
        }
        let parameters: Vec<Var> = parameters.cloned().collect();
        if let Some(other) = parameters.iter().find(|var| var.dtype() != DType::F32) {
            let found = format!("{:?}", other.dtype());
            return Err(Error::argument("parameters", "F32 over several processes", found));
        }
        let numbered = parameters.iter().enumerate();
        let state = State {
            processes: processes.clone(),
            numbers: numbered.map(|(number, var)| (var.as_tensor().id(), number)).collect(),
            sizes: parameters.iter().map(|var| var.elem_count()).collect(),
            written: Vec::new(),
            answered: vec![false; parameters.len()],
            order: None,
            buckets: Vec::new(),
            begun: 0,
            is_placed: vec![false; parameters.len()],
        };
        let gathering = Arc::new(Gathering(Mutex::new(state)));
        Ok(Some(Self { processes: processes.clone(), parameters, gathering }))
    }

    /// Who is to be told of gradients.
    pub fn taker(&self) -> Arc<dyn Taker> {
        self.gathering.clone()
    }

    /// The sums over all processes of gradients and losses, which are weighted already. The same memory
    /// may be used for the sums.
    ///
    /// # Errors
    /// [`Error::Processes`] when a process was lost, or gradients came in another order than before.
    pub fn add_up(&self, mut gradients: GradStore, loss: f64) -> Result<(GradStore, f64)> {
        let mut state = self.gathering.state();
        if state.order.is_none() {
            state.agree()?;
        }
        let order = state.checked_order()?;
        for number in &order.parameters {
            if !state.is_placed[*number] {
                let gradient = gradients.get(self.parameters[*number].as_tensor());
                state.place(&order, *number, gradient)?;
            }
        }
        let sums = state.buckets.iter_mut().map(|bucket| bucket.sums.take());
        let sums = sums.map(|sums| sums.map_or(Ok(Vec::new()), Pending::wait));
        let sums = sums.collect::<Result<Vec<_>>>()?;
        for (number, (bucket, start)) in order.places.iter().enumerate() {
            let parameter = self.parameters[number].as_tensor();
            // All processes go through the same layers: what is nowhere here is nowhere.
            let Some(gradient) = gradients.get(parameter) else { continue };
            let sum = &sums[*bucket][*start..][..state.sizes[number]];
            if order.times[number] > 0 {
                // The sink's own.
                with_values_mut(gradient, |values: &mut [f32]| {
                    values.copy_from_slice(sum);
                    Ok(())
                })?;
            } else {
                let sum = Tensor::from_slice(sum, parameter.shape(), parameter.device())?;
                gradients.insert(parameter, sum);
            }
        }
        state.begin_again(sums);
        let loss = self.processes.sum(&[loss])?[0];
        Ok((gradients, loss))
    }
}

/// `loss` as it counts in that of all processes. Also where it counts nothing, the walk back goes the whole
/// way, as it does in the others.
pub(super) fn weighted(loss: &Tensor, weight: f64) -> Result<Tensor> {
    match weight {
        // Candle does not walk on below a factor that is the number 0.
        0.0 => Ok((loss * loss.zeros_like()?)?),
        1.0 => Ok(loss.clone()),
        _ => Ok((loss * weight)?),
    }
}

impl Gathering {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taker for Gathering {
    fn written(&self, parameter: TensorId, gradient: &Tensor) -> candle_core::Result<()> {
        let mut state = self.state();
        let Some(number) = state.numbers.get(&parameter).copied() else { return Ok(()) };
        state.written.push(number);
        let Some(order) = state.order.take() else { return Ok(()) };
        let times = state.written.iter().filter(|other| **other == number).count();
        let placed = if times == order.times[number] {
            state.place(&order, number, Some(gradient))
        } else {
            Ok(())
        };
        state.order = Some(order);
        placed.map_err(candle_core::Error::wrap)
    }

    fn answered(&self, parameter: TensorId) {
        let mut state = self.state();
        if let Some(number) = state.numbers.get(&parameter).copied() {
            state.answered[number] = true;
        }
    }
}

impl State {
    /// Has all processes take the order that was seen in the first walk, which is the same in all.
    fn agree(&mut self) -> Result<()> {
        let order = Order::seen(&self.written, &self.answered, &self.sizes);
        self.processes.check_alike("network", &format!("{order:?} of {:?}", self.sizes))?;
        for (number, (bucket, start)) in order.places.iter().enumerate() {
            if self.buckets.len() <= *bucket {
                self.buckets.resize_with(bucket + 1, Bucket::default);
            }
            let (bucket, end) = (&mut self.buckets[*bucket], start + self.sizes[number]);
            bucket.missing += 1;
            bucket.values.resize(end.max(bucket.values.len()), 0.0);
        }
        self.order = Some(order);
        Ok(())
    }

    /// The order, where nothing came after it was taken to be complete.
    fn checked_order(&self) -> Result<Order> {
        let wrong = || Error::Processes("gradients came in another order than before".to_owned());
        let order = self.order.clone().ok_or_else(wrong)?;
        let is_right = |(number, times): (usize, &usize)| {
            let written = self.written.iter().filter(|other| **other == number).count();
            *times == 0 || written <= *times && !self.answered[number]
        };
        if order.times.iter().enumerate().all(is_right) { Ok(order) } else { Err(wrong()) }
    }

    /// Puts a gradient into its bucket, zeros if it is none, and sends off what is complete.
    fn place(&mut self, order: &Order, number: usize, gradient: Option<&Tensor>) -> Result<()> {
        let (bucket, start) = order.places[number];
        let bucket = &mut self.buckets[bucket];
        let place = &mut bucket.values[start..start + self.sizes[number]];
        match gradient {
            None => place.fill(0.0),
            Some(gradient) if gradient.device().is_cpu() => {
                with_values(&gradient.contiguous()?, |values: &[f32]| {
                    place.copy_from_slice(values);
                    Ok(())
                })?;
            }
            Some(gradient) => {
                place.copy_from_slice(&gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        bucket.missing -= 1;
        self.is_placed[number] = true;
        while let Some(bucket) = self.buckets.get_mut(self.begun)
            && bucket.missing == 0
        {
            bucket.sums = self.processes.begin_sum(std::mem::take(&mut bucket.values));
            self.begun += 1;
        }
        Ok(())
    }

    /// Ready for the next step, in the memory of the last one's sums.
    fn begin_again(&mut self, memory: Vec<Vec<f32>>) {
        for (bucket, memory) in self.buckets.iter_mut().zip(memory) {
            bucket.values = memory;
        }
        if let Some(order) = &self.order {
            for (bucket, _) in &order.places {
                self.buckets[*bucket].missing += 1;
            }
        }
        self.begun = 0;
        self.written.clear();
        self.answered.fill(false);
        self.is_placed.fill(false);
    }
}

impl Order {
    /// That of a walk which wrote these parameters one after the other.
    fn seen(written: &[usize], answered: &[bool], sizes: &[usize]) -> Self {
        let mut times = vec![0; sizes.len()];
        for number in written.iter().filter(|number| !answered[**number]) {
            times[*number] += 1;
        }
        // Each where it was written last.
        let mut parameters: Vec<usize> = Vec::new();
        for number in written.iter().rev().filter(|number| times[**number] > 0) {
            if !parameters.contains(number) {
                parameters.push(*number);
            }
        }
        parameters.reverse();
        parameters.extend((0..sizes.len()).filter(|number| times[*number] == 0));
        let mut places = vec![(0, 0); sizes.len()];
        let (mut bucket, mut filled) = (0, 0);
        for number in &parameters {
            if filled >= BUCKET {
                (bucket, filled) = (bucket + 1, 0);
            }
            places[*number] = (bucket, filled);
            filled += sizes[*number];
        }
        Self { parameters, times, places }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_travel_in_the_order_in_which_they_are_complete() {
        let sizes = [10, BUCKET, 20, 5];
        // Number 1 is written twice, 3 also answered to Candle, 0 only so.
        let order = Order::seen(&[1, 3, 2, 1], &[true, false, false, true], &sizes);
        assert_eq!(order.parameters, [2, 1, 0, 3]);
        assert_eq!(order.times, [0, 2, 1, 0]);
        assert_eq!(order.places, [(1, 0), (0, 20), (0, 0), (1, 10)]);
    }
}
