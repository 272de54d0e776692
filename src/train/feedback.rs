//! Inputs while a network is trained: the truth, or now and then its own predictions.

use crate::Result;
use crate::dataset::Batch;
use crate::model::Network;
use candle_core::{DType, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The inputs for `batch`, (batch, steps, input width).
///
/// With probability `own_share` a step's input is what the network itself predicted for it instead of the
/// truth: in the half for its previous output, if it has one, else in place of the block. The
/// predictions come from a pass over the truth beforehand (parallel scheduled sampling, Duckworth et
/// al. 2019, after Bengio et al. 2015), so all steps still go through the layers together. A
/// sequence's first step always takes the truth. `first_sequence` tells where in the whole batch the
/// sequences begin.
pub(super) fn inputs(
    network: &Network,
    batch: &Batch,
    own_share: f64,
    first_sequence: usize,
    random: &mut ChaCha8Rng,
) -> Result<Tensor> {
    let truth = &batch.inputs;
    let (sequences, steps, _) = truth.dims3()?;
    let told = network.join(truth, truth)?;
    if own_share <= 0. || steps < 2 {
        return Ok(told);
    }
    let (predicted, _) = network.predict(&told, None)?;
    let own = Tensor::cat(&[truth.narrow(1, 0, 1)?, predicted.narrow(1, 0, steps - 1)?], 1)?;
    let coin = |_| f32::from(u8::from(random.random_bool(own_share.min(1.))));
    // Those of the sequences before are drawn, too.
    let before = first_sequence * steps;
    let coins: Vec<f32> = (0..before + sequences * steps).map(coin).skip(before).collect();
    let coins = Tensor::from_vec(coins, (sequences, steps, 1), truth.device())?;
    let own_is_heard = coins.to_dtype(DType::U8)?.broadcast_as(truth.shape())?;
    let heard = own_is_heard.where_cond(&own, truth)?;
    if network.config().recurrent_input { network.join(truth, &heard) } else { Ok(heard) }
}
