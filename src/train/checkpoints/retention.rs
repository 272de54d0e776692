//! Which checkpoints are kept: decided here, without a disk.

use std::cmp::Ordering;

/// A checkpoint as far as it matters for keeping it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kept {
    /// The running epoch, counted from 1.
    pub epoch: usize,
    /// Batches done in it.
    pub batch: usize,
    /// The deciding loss of the epoch before, where the checkpoint was made right after it.
    pub loss: Option<f64>,
}

impl Kept {
    /// Earlier ones first.
    pub fn order(&self, other: &Self) -> Ordering {
        (self.epoch, self.batch).cmp(&(other.epoch, other.batch))
    }
}

/// Those that may go: all but the newest so many and, if the best is kept, the one with the lowest loss,
/// the earlier one of two that are alike.
pub(super) fn surplus(kept: &[Kept], newest: usize, best: bool) -> Vec<Kept> {
    let mut order = kept.to_vec();
    order.sort_by(Kept::order);
    let losses = order.iter().filter(|_| best).filter_map(|one| Some((one.loss?, *one)));
    let best = losses.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, one)| one);
    let old = order.len().saturating_sub(newest);
    order.into_iter().take(old).filter(|one| Some(*one) != best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: usize, batch: usize, loss: Option<f64>) -> Kept {
        Kept { epoch, batch, loss }
    }

    #[test]
    fn the_newest_and_the_best_stay() {
        let best = at(2, 0, Some(0.1));
        let all =
            [at(10, 3, None), at(1, 0, Some(0.5)), best, at(9, 8, None), at(10, 0, Some(0.3))];
        assert_eq!(surplus(&all, 2, true), [at(1, 0, Some(0.5)), at(9, 8, None)]);
        assert_eq!(surplus(&all, 1, true).len(), 3);
        assert!(!surplus(&all, 1, true).contains(&best));
        assert_eq!(surplus(&all, 1, false).len(), 4);
        assert!(surplus(&all, 5, true).is_empty() && surplus(&[], 1, true).is_empty());
    }

    #[test]
    fn losses_that_are_no_numbers_are_never_the_best() {
        let all = [at(2, 0, Some(f64::NAN)), at(3, 0, Some(7.0)), at(4, 0, None)];
        assert_eq!(surplus(&all, 1, true).len(), 1);
        assert_eq!(surplus(&all, 1, true)[0].epoch, 2);
    }
}
