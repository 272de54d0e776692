//! A stop at a chosen moment of a training.

use neural_composer::interrupt::Handle;
use neural_composer::train::{History, Observer, Position};

/// Asks to stop after so many batches of the whole training.
pub struct StopAfter(pub usize, pub Handle);

impl Observer for StopAfter {
    fn batch(&mut self, _: &History, position: &Position) {
        if position.batches_done() >= self.0 {
            self.1.request();
        }
    }

    fn epoch(&mut self, _: &History, _: &Position) {}
}

/// Does `work`, a training, whose observer stops it after so many batches.
pub fn stopped_after<T>(batches: usize, work: impl FnOnce(&mut dyn Observer) -> T) -> T {
    let stop = Handle::new();
    let mut observer = StopAfter(batches, stop.clone());
    stop.during(|| work(&mut observer))
}
