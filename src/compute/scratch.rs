//! Memory for intermediate values, which comes from a [pool](super::pool) and goes back there.

use std::ops::{Deref, DerefMut};

use super::Real;

/// Values to be overwritten before they are read: what they hold at first is left from earlier uses.
#[derive(Debug)]
pub struct Scratch<T: Real>(Vec<T>);

impl<T: Real> Scratch<T> {
    /// `len` values.
    pub fn new(len: usize) -> Self {
        let mut values = T::pool().take(len);
        values.resize(len, T::ZERO);
        Self(values)
    }
}

impl<T: Real> Deref for Scratch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Real> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Real> Drop for Scratch<T> {
    fn drop(&mut self) {
        T::pool().put(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again() {
        let first = Scratch::<f64>::new(100_000);
        let address = first.as_ptr();
        drop(first);
        let second = Scratch::<f64>::new(90_000);
        assert_eq!((second.as_ptr(), second.len()), (address, 90_000));
    }
}
