//! The network and its state along a piece, grain by grain.

use super::terrain::Terrain;
use crate::dataset::grains::PHASES;
use crate::model::Dropout;
use crate::model::recurrent::State;
use crate::train::input_row;
use crate::{Error, Result};
use candle_core::Tensor;

/// What the network keeps in mind of the grains it has heard.
#[derive(Clone, Default)]
pub(super) struct Listener {
    state: Option<Vec<State>>,
}

impl Listener {
    /// Gives the network `candidate` as input; returns the query for what comes next.
    ///
    /// # Errors
    /// [`Error::Data`] when the network's output is not a number.
    pub(super) fn hear(&mut self, terrain: &Terrain, candidate: usize) -> Result<Vec<f32>> {
        let (pool, network) = (terrain.pool, terrain.network);
        let mut input = Vec::new();
        input_row(pool, candidate, &mut input);
        let device = network.device().candle();
        let input = Tensor::from_vec(input, (1, 1, pool.width() + PHASES), device)?;
        let (query, state) = network.forward(&input, self.state.as_deref(), &Dropout::NONE)?;
        self.state = Some(state.iter().map(State::detach).collect());
        let query: Vec<f32> = query.flatten_all()?.to_vec1()?;
        if query.iter().all(|value| value.is_finite()) {
            Ok(query)
        } else {
            Err(Error::Data(
                "the network's output is not a number: it was trained badly or its file is damaged"
                    .into(),
            ))
        }
    }
}
