//! The batches of an epoch, and their losses, which a card is asked for now and then.

use super::{End, Run};
use crate::Result;
use crate::train::Position;
use crate::train::batch_loss::{Trained, Unread};
use crate::train::checkpoints::At;
use crate::train::objective::{Mean, Place};
use std::time::Instant;

impl Run<'_> {
    /// The rest of the running epoch, without what comes at its end.
    pub(super) fn epoch(&mut self) -> Result<End> {
        let epoch_start = Instant::now();
        let (epoch, before) = (self.at.epoch, self.at.epoch_seconds);
        let batches = self.objective.begin_epoch(epoch);
        let mut unread = Unread::new();
        for batch in self.at.batch..batches {
            let place = self.place_of(batch);
            let (loss, sequences) = self.objective.batch(place, &mut self.steps)?;
            unread.push(Trained {
                batch: batch + 1,
                loss,
                sequences,
                epoch_seconds: before + epoch_start.elapsed().as_secs_f64(),
                seconds: self.seconds(),
            });
            let is_last = batch + 1 == batches;
            if !is_last && unread.are_due() {
                self.hear(&mut unread)?;
            }
            let is_checkpoint_due = !is_last && !self.is_diverged() && {
                self.listen()?;
                !self.is_stopped && self.is_checkpoint_due(None)
            };
            if is_last || self.is_stopped || is_checkpoint_due {
                self.hear(&mut unread)?;
            }
            if self.is_diverged() {
                return Ok(End::Diverged(self.mean().value()));
            }
            if self.is_stopped {
                return Ok(End::Stopped);
            }
            if is_checkpoint_due {
                self.keep()?;
            }
        }
        // A step may spoil the parameters after the last loss that was still a number.
        Ok(if self.is_spoiled()? { End::Diverged(self.mean().value()) } else { End::Whole })
    }

    /// Reads the losses of batches and tells of them, up to the first that is no number.
    fn hear(&mut self, unread: &mut Unread) -> Result<()> {
        for (trained, loss) in unread.read()? {
            let mut mean = self.mean();
            mean.add((loss, trained.sequences));
            self.at = At {
                epoch: self.at.epoch,
                batch: trained.batch,
                loss_sum: mean.sum,
                sequences: mean.sequences,
                epoch_seconds: trained.epoch_seconds,
                seconds: trained.seconds,
            };
            self.batches_since_good += 1;
            if self.is_diverged() {
                break;
            }
            let position = self.position(mean.value(), trained.seconds);
            self.observer.batch(&self.history, &position);
        }
        Ok(())
    }

    /// The losses of the running epoch that were heard.
    pub(super) fn mean(&self) -> Mean {
        Mean { sum: self.at.loss_sum, sequences: self.at.sequences }
    }

    /// Whether a loss that was heard is no number.
    fn is_diverged(&self) -> bool {
        !self.at.loss_sum.is_finite()
    }

    pub(super) fn position(&self, loss: f64, elapsed_seconds: f64) -> Position {
        Position {
            epoch: self.at.epoch,
            epochs: self.plan.epochs,
            batch: self.at.batch,
            batches: self.objective.batches(),
            loss,
            elapsed_seconds,
        }
    }

    fn place_of(&self, batch: usize) -> Place {
        let At { epoch, .. } = self.at;
        let position = Position { batch, ..self.position(0.0, 0.0) };
        let done = position.batches_done() as f64 / position.batches_planned() as f64;
        Place { epoch, batch, done }
    }
}
