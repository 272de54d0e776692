//! The recurrence written with Candle's own operations: correct on every device and number type,
//! and the reference that the fused forms are tested against.

use candle_core::{D, Tensor};
use candle_nn::ops::sigmoid;

use super::weights::Weights;
use super::{Cell, State};
use crate::Result;

/// Runs a layer over `input` (batch, steps, input size) from `state`, one step after the other.
pub fn forward(weights: &Weights, input: &Tensor, state: &State) -> Result<(Tensor, State)> {
    let steps = input.dim(1)?;
    let projected =
        crate::model::dense::composed(input, &weights.weight_ih, Some(&weights.bias_ih))?;
    let weight_hh = weights.weight_hh.t()?;
    let mut state = state.clone();
    let mut outputs = Vec::with_capacity(steps);
    for step in 0..steps {
        let from_input = projected.narrow(1, step, 1)?.squeeze(1)?;
        let from_hidden = state.hidden.matmul(&weight_hh)?.broadcast_add(&weights.bias_hh)?;
        state = advance(weights.cell, &from_input, &from_hidden, &state)?;
        outputs.push(state.hidden.clone());
    }
    Ok((Tensor::stack(&outputs, 1)?, state))
}

fn advance(cell: Cell, from_input: &Tensor, from_hidden: &Tensor, state: &State) -> Result<State> {
    match cell {
        Cell::SimpleRnn => Ok(State::new((from_input + from_hidden)?.tanh()?)),
        Cell::SimpleRnnRelu => Ok(State::new((from_input + from_hidden)?.relu()?)),
        Cell::Gru => {
            let x = from_input.chunk(3, D::Minus1)?;
            let h = from_hidden.chunk(3, D::Minus1)?;
            let reset = sigmoid(&(&x[0] + &h[0])?)?;
            let update = sigmoid(&(&x[1] + &h[1])?)?;
            let new = (&x[2] + (reset * &h[2])?)?.tanh()?;
            // h' = n + z (h - n), which is (1 - z) n + z h.
            Ok(State::new((&new + (update * (&state.hidden - &new)?)?)?))
        }
        Cell::Lstm => {
            let gates = (from_input + from_hidden)?.chunk(4, D::Minus1)?;
            let input = sigmoid(&gates[0])?;
            let forget = sigmoid(&gates[1])?;
            let candidate = gates[2].tanh()?;
            let output = sigmoid(&gates[3])?;
            let kept = match &state.cell {
                Some(cell) => (forget * cell)?,
                None => forget.zeros_like()?,
            };
            let cell = (kept + (input * candidate)?)?;
            let hidden = (output * cell.tanh()?)?;
            Ok(State { hidden, cell: Some(cell) })
        }
    }
}
