//! The one handle of a card.

use std::collections::BTreeMap;
use std::sync::Mutex;

use candle_core::{Device, Result as CandleResult};

use crate::compute::lock::lock;

/// Candle's handle of card `index`: one for the whole program, with one stream for all work of all
/// threads.
///
/// Candle's own way to make one gives each thread a stream of its own, in which it does not wait for
/// those of others: a thread that reads what another one has computed finds whatever is there.
///
/// # Errors
/// Candle's, where there is no such card.
pub fn handle(index: usize) -> CandleResult<Device> {
    static CARDS: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    let mut cards = lock(&CARDS);
    if let Some(device) = cards.get(&index) {
        return Ok(device.clone());
    }
    let device = with_one_stream(index)?;
    cards.insert(index, device.clone());
    Ok(device)
}

/// A new handle of card `index`, with one stream for all work.
///
/// # Errors
/// Candle's, where there is no such card.
pub fn with_one_stream(index: usize) -> CandleResult<Device> {
    let device = Device::new_cuda_with_stream(index)?;
    // SAFETY: every tensor of this handle is made, used and freed in its one stream, in the order in
    // which threads ask for it, so nothing has to be waited for.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    Ok(device)
}
