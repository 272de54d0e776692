//! The loss of a batch, and its gradients through time.

use super::Recompute;
use super::batch_loss::BatchLoss;
use super::exchange::weighted;
use super::loss::Criterion;
use crate::Result;
use crate::model::gradients::{Sink, Taker, continued};
use crate::model::recurrent::State;
use crate::model::{Dropout, Layers, Network, NetworkState};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use std::sync::Arc;

/// A run of steps of a batch's sequences: inputs and targets, (batch, steps, width) each.
pub(super) struct Part {
    pub inputs: Tensor,
    pub targets: Tensor,
    /// Where in the sequences it begins.
    pub first_step: usize,
    /// What its loss counts.
    pub weight: f64,
}

/// What came of a part.
pub(super) struct Outcome {
    /// The mean loss of its steps, times its weight.
    pub loss: BatchLoss,
    /// The layers' states after it, without a graph.
    pub state: NetworkState,
    /// By the network's variables; the next part overwrites them.
    pub gradients: GradStore,
}

/// Goes forwards and back again through a network, keeping as much in between as [`Recompute`] says.
pub(super) struct Backpropagation {
    layers: Layers,
    /// The same layers without a graph.
    plain: Layers,
    criterion: Criterion,
    recompute: Recompute,
    sink: Sink,
}

/// The gradient of a loss by the state before or after a part.
type StateGradients = Vec<State>;

impl Part {
    /// How many steps.
    pub fn steps(&self) -> usize {
        self.inputs.dims()[1]
    }

    /// In runs of at most `steps` steps.
    pub fn split(&self, steps: Option<usize>) -> Result<Vec<Self>> {
        let all = self.steps();
        let each = steps.unwrap_or(all).clamp(1, all.max(1));
        let part = |start: usize| {
            let count = each.min(all - start);
            Ok(Self {
                inputs: self.inputs.narrow(1, start, count)?,
                targets: self.targets.narrow(1, start, count)?,
                first_step: self.first_step + start,
                weight: self.weight,
            })
        };
        (0..all).step_by(each).map(part).collect()
    }
}

impl Backpropagation {
    pub fn new(network: &Network, criterion: Criterion, recompute: Recompute) -> Self {
        let layers = network.layers().clone();
        let plain = layers.untracked();
        Self { layers, plain, criterion, recompute, sink: Sink::default() }
    }

    /// Tells `taker` of gradients while the walk back goes on.
    pub fn tell(&mut self, taker: Option<Arc<dyn Taker>>) {
        self.sink.tell(taker);
    }

    /// The loss over `part`, which begins with `state` ([zeros](Layers::zero_state) if `None`), and
    /// its gradients back to the part's first step.
    pub fn run(
        &mut self,
        part: &Part,
        state: Option<NetworkState>,
        dropout: &Dropout,
    ) -> Result<Outcome> {
        let mut state = match state {
            Some(state) => state,
            None => self.plain.trunk().zero_state(part.inputs.dim(0)?)?,
        };
        let pieces = part.split(self.recompute.steps)?;
        // Forwards: only the state before each piece is kept; the last is left to the way back.
        let mut states = Vec::with_capacity(pieces.len());
        for (index, piece) in pieces.iter().enumerate() {
            states.push(state.clone());
            if index + 1 < pieces.len() {
                let entered = self.plain.trunk().enter(&piece.inputs)?;
                state = self.plain.trunk().run(entered, Some(&state), dropout, piece.first_step)?.1;
            }
        }
        self.sink.clear();
        let mut loss = BatchLoss::Known(0.);
        let mut above: Option<StateGradients> = None;
        for (index, (piece, before)) in pieces.iter().zip(states).enumerate().rev() {
            let share = piece.steps() as f64 / part.steps() as f64 * part.weight;
            if index == 0 {
                self.sink.last_walks();
            }
            let way = Way { piece, before, above, share, dropout, is_first: index == 0 };
            let done = if self.recompute.layers { self.by_layer(way)? } else { self.whole(way)? };
            loss = loss.plus(done.loss)?;
            above = Some(done.below);
            if index + 1 == pieces.len() {
                state = done.after;
            }
        }
        Ok(Outcome { loss, state, gradients: self.sink.total()? })
    }

    /// Through a piece with its whole graph at once.
    fn whole(&mut self, way: Way<'_>) -> Result<Done> {
        let Way { piece, dropout, .. } = way;
        let before = way.variables(&way.before)?;
        let entered = self.layers.trunk().enter(&piece.inputs)?;
        let (hidden, after) =
            self.layers.trunk().run(entered, Some(&before), dropout, piece.first_step)?;
        let loss = self.loss(&hidden, &way)?;
        let mut total = loss.clone();
        for (index, after) in after.iter().enumerate() {
            total = way.add_state(total, index, after)?;
        }
        let mut gradients = self.sink.walk(&total)?;
        let below = before.iter().map(|state| take_state(&mut gradients, state));
        let below = below.collect::<Result<_>>()?;
        self.sink.keep(gradients)?;
        let after = after.iter().map(State::detach).collect();
        Ok(Done { loss: BatchLoss::of(&loss)?, after, below })
    }

    /// Through a piece with the graph of one layer at a time.
    fn by_layer(&mut self, way: Way<'_>) -> Result<Done> {
        let Way { piece, dropout, .. } = way;
        let drop =
            |index: usize| move |output: &Tensor| dropout.apply(output, index, piece.first_step);
        let mut hidden = self.plain.trunk().enter(&piece.inputs)?;
        let (mut inputs, mut after) = (Vec::new(), Vec::new());
        for (index, layer) in self.plain.trunk().stack().iter().enumerate() {
            let (output, state) = layer.forward(&hidden, way.before.get(index), drop(index))?;
            inputs.push(std::mem::replace(&mut hidden, output));
            after.push(state);
        }
        let last = Var::from_tensor(&hidden)?;
        let loss = self.loss(last.as_tensor(), &way)?;
        let mut gradients = self.sink.walk(&loss)?;
        let loss = BatchLoss::of(&loss)?;
        let mut upstream = take(&mut gradients, last.as_tensor())?;
        self.sink.keep(gradients)?;
        let mut below = Vec::new();
        for (index, layer) in self.layers.trunk().stack().iter().enumerate().rev() {
            let Some(input) = inputs.pop() else { break };
            let input = Var::from_tensor(&input)?;
            let before = way.variables(&way.before[index..=index])?;
            let (output, state) = layer.forward(input.as_tensor(), before.first(), drop(index))?;
            let total = way.add_state(continued(&output, &upstream)?, index, &state)?;
            let mut gradients = self.sink.walk(&total)?;
            upstream = take(&mut gradients, input.as_tensor())?;
            below.push(take_state(&mut gradients, &before[0])?);
            self.sink.keep(gradients)?;
        }
        below.reverse();
        let entered = continued(&self.layers.trunk().enter(&piece.inputs)?, &upstream)?;
        let gradients = self.sink.walk(&entered)?;
        self.sink.keep(gradients)?;
        Ok(Done { loss, after, below })
    }

    /// The piece's share of the loss.
    fn loss(&self, hidden: &Tensor, way: &Way<'_>) -> Result<Tensor> {
        let predicted = self.layers.leave(hidden)?;
        weighted(&self.criterion.of(&predicted, &way.piece.targets)?, way.share)
    }
}

/// A piece on its way back.
struct Way<'a> {
    piece: &'a Part,
    before: NetworkState,
    /// Gradients by the state after the piece; none after the last.
    above: Option<StateGradients>,
    /// What the piece's mean loss counts in that of the part, times the part's weight.
    share: f64,
    dropout: &'a Dropout,
    is_first: bool,
}

/// What came of a piece.
struct Done {
    loss: BatchLoss,
    after: NetworkState,
    below: StateGradients,
}

impl Way<'_> {
    /// `states` as variables, whose gradients can be asked for; before the first piece nobody asks.
    fn variables(&self, states: &[State]) -> Result<NetworkState> {
        if self.is_first {
            return Ok(states.to_vec());
        }
        let variable = |tensor: &Tensor| -> Result<Tensor> {
            Ok(Var::from_tensor(tensor)?.as_tensor().clone())
        };
        let state = |state: &State| -> Result<State> {
            let cell = state.cell.as_ref().map(variable).transpose()?;
            Ok(State { hidden: variable(&state.hidden)?, cell })
        };
        states.iter().map(state).collect()
    }

    /// `total` plus what stands for the later pieces: its gradient by the state of layer `index` after
    /// this piece is theirs.
    fn add_state(&self, mut total: Tensor, index: usize, after: &State) -> Result<Tensor> {
        let Some(above) = self.above.as_ref().map(|above| &above[index]) else {
            return Ok(total);
        };
        total = (total + continued(&after.hidden, &above.hidden)?)?;
        if let (Some(cell), Some(gradient)) = (&after.cell, &above.cell) {
            total = (total + continued(cell, gradient)?)?;
        }
        Ok(total)
    }
}

/// The gradient by `tensor`, taken out; zeros where nothing depends on it.
fn take(gradients: &mut GradStore, tensor: &Tensor) -> Result<Tensor> {
    match gradients.remove(tensor) {
        Some(gradient) => Ok(gradient),
        None => Ok(tensor.zeros_like()?),
    }
}

fn take_state(gradients: &mut GradStore, state: &State) -> Result<State> {
    let cell = state.cell.as_ref().map(|cell| take(gradients, cell)).transpose()?;
    Ok(State { hidden: take(gradients, &state.hidden)?, cell })
}
