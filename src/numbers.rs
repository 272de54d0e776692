//! Many numbers that a value holds, which its `{:?}` counts instead of listing.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Shared numbers whose debug form is how many they are: millions fill no cell.
#[derive(Clone, PartialEq)]
pub(crate) struct Numbers(Arc<[f32]>);

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl From<Vec<f32>> for Numbers {
    fn from(numbers: Vec<f32>) -> Self {
        Self(numbers.into())
    }
}

impl FromIterator<f32> for Numbers {
    fn from_iter<I: IntoIterator<Item = f32>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} numbers]", self.0.len())
    }
}
