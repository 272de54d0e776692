//! Memory that is kept from one use to the next.
//!
//! Large pieces of memory that are given back to the system and taken again cost more than some of the
//! loops that fill them: the system clears every page first.

use std::sync::Mutex;

use super::lock::lock;

/// So many bytes of each number type are kept at most.
const KEPT_BYTES: usize = 256 << 20;

/// What is not in use, the last given back at the end.
#[derive(Debug)]
pub struct Pool<T>(Mutex<Vec<Vec<T>>>);

impl<T> Pool<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The smallest piece that holds `len` values, unless it is far too large; else a new one.
    pub(super) fn take(&self, len: usize) -> Vec<T> {
        let mut kept = lock(&self.0);
        let fitting = (0..kept.len())
            .filter(|index| (len..=2 * len + 1024).contains(&kept[*index].capacity()))
            .min_by_key(|index| kept[*index].capacity());
        match fitting {
            Some(index) => kept.remove(index),
            None => Vec::with_capacity(len),
        }
    }

    /// Keeps a piece, and lets go of those that were not wanted for longest if there are too many.
    pub(super) fn put(&self, values: Vec<T>) {
        let mut kept = lock(&self.0);
        kept.push(values);
        let bytes = |values: &Vec<T>| values.capacity() * size_of::<T>();
        let mut sum: usize = kept.iter().map(bytes).sum();
        let mut dropped = 0;
        while sum > KEPT_BYTES {
            sum -= bytes(&kept[dropped]);
            dropped += 1;
        }
        let dropped: Vec<_> = kept.drain(..dropped).collect();
        // The system takes memory back without the others waiting.
        drop(kept);
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_not_hoarded() {
        let pool = Pool::<f32>::new();
        for _ in 0..10 {
            pool.put(Vec::with_capacity(KEPT_BYTES / 16));
        }
        assert!(pool.0.lock().unwrap().len() <= 4);
    }
}
