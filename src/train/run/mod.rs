//! A training that runs: its loop, and all that it goes on from.

mod batches;

use super::best::Best;
use super::checkpoints::{self, At, Identity, Keeper, Snapshot, State};
use super::objective::{Objective, Place, Steps};
use super::optimizer::Optimizer;
use super::plan::Plan;
use super::{EpochRecord, History, Observer, Saved, Stop, health};
use crate::{Error, Result, interrupt, memory};
use std::collections::HashMap;
use std::time::Instant;

/// A loss that is no number sends the training back once.
const MOST_STEPS_BACK: usize = 1;
/// What is left of the learning rate then.
const LEFT: f64 = 0.5;
/// A state to go back to is kept after so many batches at least: it costs as much as copying.
const BATCHES_BETWEEN_STATES: usize = 8;
/// Copies are made where so many times the memory is free that all of it should take.
const MARGIN: f64 = 2.0;
/// Bytes that the thread takes which writes, where addresses are counted (`ulimit -v`).
const OF_A_THREAD: f64 = 256e6;

/// A training that runs.
pub(super) struct Run<'a> {
    pub objective: &'a mut dyn Objective,
    pub observer: &'a mut dyn Observer,
    pub plan: &'a Plan<'a>,
    pub history: History,
    pub keeper: Option<Keeper>,
    steps: Steps,
    best: Best,
    at: At,
    begun: Instant,
    /// Time that was spent before `begun`.
    seconds_before: f64,
    /// What to go back to.
    good: Option<Snapshot>,
    /// Whether memory allows copies of everything that trains.
    has_room: bool,
    batches_since_good: usize,
    is_done: bool,
    /// Whether a process was asked to stop.
    is_stopped: bool,
}

/// How an epoch ended.
enum End {
    Whole,
    Stopped,
    /// With a loss that is no number.
    Diverged(f64),
}

impl<'a> Run<'a> {
    pub fn begin(
        objective: &'a mut dyn Objective,
        plan: &'a Plan<'a>,
        identity: Option<&Identity>,
        optimizer: Optimizer,
        observer: &'a mut dyn Observer,
    ) -> Result<Self> {
        // One process writes.
        let checkpoints = plan.checkpoints.filter(|_| plan.processes.is_first());
        let keeper = match checkpoints.zip(identity) {
            Some((settings, identity)) => {
                Some(Keeper::new(settings, identity.clone(), objective.variables())?)
            }
            None => None,
        };
        let mut run = Self {
            steps: Steps::new(optimizer.with_clip_norm(plan.clip_norm)?, plan)?,
            best: Best::new(plan.patience),
            history: History::empty(objective.device()),
            objective,
            observer,
            plan,
            keeper,
            at: At::beginning_of(1, 0.0),
            begun: Instant::now(),
            seconds_before: 0.0,
            good: None,
            has_room: false,
            batches_since_good: 0,
            is_done: false,
            is_stopped: false,
        };
        // One to go back to, one that is written, and room for what nobody has counted.
        let copies = 2 * run.snapshot()?.bytes();
        let wanted = MARGIN * (plan.needed_bytes + copies) as f64 + OF_A_THREAD;
        let has_room = memory::available_bytes().is_none_or(|free| free as f64 > wanted);
        // All processes go back, or none.
        run.has_room = !plan.processes.any(!has_room)?;
        run.remember_as_good()?;
        Ok(run)
    }

    /// Trains to the end.
    pub fn go(mut self) -> Result<History> {
        loop {
            if self.best.is_out_of_patience() {
                self.history.stop = Stop::Early;
                break;
            }
            if self.at.epoch > self.plan.epochs {
                break;
            }
            match self.epoch()? {
                End::Diverged(loss) if !self.step_back(loss)? => {
                    self.history.stop = Stop::Diverged;
                    break;
                }
                End::Diverged(_) => continue,
                End::Stopped => {}
                End::Whole => {
                    self.end_epoch()?;
                    self.listen()?;
                }
            }
            if self.is_stopped {
                self.history.stop = Stop::Interrupted;
                break;
            }
        }
        self.end()
    }

    /// What comes at the end of a whole epoch.
    fn end_epoch(&mut self) -> Result<()> {
        let begun = Instant::now();
        let At { epoch, epoch_seconds, .. } = self.at;
        let train_loss = self.mean().value();
        self.check_alike()?;
        let validation_loss = self.objective.validate()?;
        let record = EpochRecord {
            epoch,
            train_loss,
            validation_loss,
            learning_rate: self.steps.rate,
            seconds: epoch_seconds + begun.elapsed().as_secs_f64(),
            waited_seconds: self.objective.waited_seconds(),
        };
        self.steps.progress.observe(record.deciding_loss());
        self.best.observe(&record, self.objective.variables())?;
        self.history.epochs.push(record);
        let seconds = self.seconds();
        let position = self.position(train_loss, seconds);
        self.objective.end_epoch(epoch, seconds);
        self.at = At::beginning_of(epoch + 1, seconds);
        if self.batches_since_good >= BATCHES_BETWEEN_STATES {
            self.remember_as_good()?;
        }
        if self.is_checkpoint_due(Some(epoch)) {
            self.keep()?;
        }
        self.observer.epoch(&self.history, &position);
        self.observer.learned(self.objective.in_training(), &self.history)
    }

    /// Hears a stop, of whichever process, after the same batch in all.
    fn listen(&mut self) -> Result<()> {
        self.is_stopped = self.plan.processes.any(interrupt::requested())?;
        Ok(())
    }

    /// Refuses to go on where processes have come to other parameters, as on processors of different
    /// kinds.
    fn check_alike(&self) -> Result<()> {
        if !self.plan.processes.are_several() {
            return Ok(());
        }
        let mark = checkpoints::mark_of(self.objective.variables());
        self.plan.processes.check_alike("parameters", &format!("{:?} {mark}", self.at.epoch))
    }

    /// Time since training began, what came before a resumption included.
    fn seconds(&self) -> f64 {
        self.seconds_before + self.begun.elapsed().as_secs_f64()
    }

    /// All that going on from here needs.
    fn snapshot(&self) -> Result<Snapshot> {
        let state = State {
            at: self.at,
            history: self.history.clone(),
            progress: self.steps.progress,
            best_loss: self.best.loss(),
            epochs_without: self.best.epochs_without(),
            rate_share: self.steps.rate_share,
            updates: self.objective.updates(),
            done: self.is_done,
        };
        let variables = self.objective.variables();
        Snapshot::of(state, variables, &self.steps.optimizer, self.best.parameters())
    }

    fn remember_as_good(&mut self) -> Result<()> {
        self.batches_since_good = 0;
        // The old one goes first: one is enough.
        self.good = None;
        if self.has_room {
            self.good = Some(self.snapshot()?.copied()?);
        }
        Ok(())
    }

    /// Puts everything back to what it was.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        let state = &snapshot.state;
        for (name, variable) in self.objective.variables() {
            let found = snapshot.tensors.get(name).filter(|found| found.dims() == variable.dims());
            let found = found.ok_or_else(|| {
                Error::Data(format!("the parameter \"{name}\" is missing or of another shape"))
            })?;
            variable.set(&found.to_dtype(variable.dtype())?.to_device(variable.device())?)?;
        }
        let tensors: HashMap<_, _> = snapshot.tensors.clone().into_iter().collect();
        self.steps.optimizer.restore(&tensors)?;
        self.steps.progress.go_on_from(&state.progress);
        self.steps.rate_share = state.rate_share;
        self.best.restore(state.best_loss, state.epochs_without, snapshot.best());
        self.objective.set_updates(state.updates);
        self.at = state.at;
        self.history = History { stop: Stop::Finished, ..state.history.clone() };
        Ok(())
    }

    /// Takes up what another run left.
    pub fn go_on_from(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.restore(snapshot)?;
        self.history.device = self.objective.device().to_string();
        self.seconds_before = self.at.seconds;
        self.begun = Instant::now();
        self.remember_as_good()
    }

    /// Epoch and batch to go on with.
    pub fn place(&self) -> (usize, usize) {
        (self.at.epoch, self.at.batch)
    }

    /// Whether it is time for a checkpoint.
    fn is_checkpoint_due(&mut self, epochs: Option<usize>) -> bool {
        let is_due = self.keeper.as_mut().is_some_and(|keeper| keeper.is_due(epochs));
        self.tell_of_checkpoints();
        is_due
    }

    /// A checkpoint.
    fn keep(&mut self) -> Result<()> {
        // Nobody could go on from what is spoiled.
        if self.is_spoiled()? {
            return Ok(());
        }
        let snapshot = self.snapshot()?;
        let snapshot = if self.has_room { snapshot.copied()? } else { snapshot };
        let described = self.objective.described()?;
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(described, snapshot, self.has_room);
        }
        Ok(())
    }

    /// Whether a parameter is no number.
    fn is_spoiled(&self) -> Result<bool> {
        Ok(health::spoiled(self.objective.variables())?.is_some())
    }

    fn tell_of_checkpoints(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            let news = keeper.news();
            self.history.note(keeper.problems());
            if let Some(path) = news {
                self.observer.saved(&Saved {
                    path: &path,
                    kind: self.objective.in_training().kind(),
                    epochs: self.history.epochs.len(),
                    planned: self.plan.epochs,
                    done: self.is_done,
                });
            }
        }
    }

    /// Goes back to the last good state with a lower rate; false where that was done before, and the
    /// training ends there.
    fn step_back(&mut self, loss: f64) -> Result<bool> {
        let At { epoch, batch, .. } = self.at;
        let done = 0.0;
        let songs = self.objective.songs_of(Place { epoch, batch: batch - 1, done });
        let words = health::diagnosis(loss, (epoch, batch), self.objective.variables(), &songs)?;
        let (notes, steps_back) = (self.history.notes.clone(), self.history.steps_back);
        let (again, share) = (steps_back < MOST_STEPS_BACK, self.steps.rate_share * LEFT);
        let is_worth = |good: &Snapshot| again || !good.state.history.epochs.is_empty();
        let Some(good) = self.good.take().filter(is_worth) else {
            return Err(health::error(&words, self.plan.learning_rate));
        };
        self.restore(&good)?;
        self.good = Some(good);
        self.batches_since_good = 0;
        self.history.notes = notes;
        self.history.steps_back = steps_back + 1;
        let place = health::place(self.history.epochs.len());
        if again {
            self.steps.rate_share = share;
            let rate = self.plan.learning_rate * share;
            self.history.note([format!(
                "{words}; went back to {place} and on with a learning rate of {rate}"
            )]);
        } else {
            self.history.note([format!(
                "{words} again: the network is as it was at {place}; train with a lower learning rate \
                 than {}, or a clip norm",
                self.plan.learning_rate
            )]);
        }
        Ok(again)
    }

    fn end(mut self) -> Result<History> {
        self.is_done = self.history.stop != Stop::Interrupted;
        // The last checkpoint is the network that is given; out of patience, nobody trains on from it.
        if self.history.stop == Stop::Early {
            self.best.put_back(self.objective.variables())?;
        }
        if self.keeper.is_some() && !self.is_spoiled()? {
            let (described, snapshot) = (self.objective.described()?, self.snapshot()?);
            if let Some(keeper) = &mut self.keeper {
                keeper.finish(described, snapshot);
            }
        }
        self.tell_of_checkpoints();
        Ok(self.history)
    }
}
