//! A count of optimizer steps, shared by a network and its optimizers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often a network was changed, counted by the network and its optimizers together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Updates(Arc<AtomicUsize>);

impl Updates {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, count: usize) {
        self.0.store(count, Ordering::Relaxed);
    }

    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
