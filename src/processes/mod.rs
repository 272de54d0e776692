//! Several processes that do one job together, on one machine or on many, each its part of it.
//!
//! [`Processes`] is what a job asks: which of them am I, which part is mine, what do the others say. By
//! default a process is alone. A [`Group`] connects them; the one of feature `mpi` speaks MPI
//! ([`Membership`]), and tests have one of threads.

mod launch;
mod membership;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "mpi")]
mod peers;
#[cfg(feature = "mpi")]
mod threads;

pub use membership::Membership;

use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

/// What connects processes. All of them call the same functions in the same order, with values of the
/// same length.
pub trait Group: Send + Sync {
    /// Which one this is, counted from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn count(&self) -> usize;

    /// Begins to add up `values` over all of them; every process gets the same sums, to the bit. Others
    /// may be begun before this is done.
    fn begin_sum(&self, values: Vec<f32>) -> Pending;

    /// What each of them tells, by rank; lengths may differ.
    ///
    /// # Errors
    /// [`Error::Processes`] when one of them was lost.
    fn gather(&self, told: Vec<u8>) -> Result<Vec<Vec<u8>>>;
}

/// Sums that are under way.
pub struct Pending {
    sums: Receiver<Vec<f32>>,
    awaited: Arc<AtomicUsize>,
}

impl Pending {
    /// Sums that `sums` will give; `awaited` is above 0 while somebody waits for some.
    pub fn new(sums: Receiver<Vec<f32>>, awaited: Arc<AtomicUsize>) -> Self {
        Self { sums, awaited }
    }

    /// Waits for them.
    ///
    /// # Errors
    /// [`Error::Processes`] when a process was lost.
    pub fn wait(self) -> Result<Vec<f32>> {
        self.awaited.fetch_add(1, Ordering::Relaxed);
        let sums = self.sums.recv();
        self.awaited.fetch_sub(1, Ordering::Relaxed);
        sums.map_err(|_| lost())
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

/// The connection is gone.
fn lost() -> Error {
    Error::Processes("the connection to the other processes was lost".to_owned())
}

/// The processes that do a job together: by default this one alone. Copies are the same processes.
///
/// ```
/// use neural_composer::processes::Processes;
/// let alone = Processes::default();
/// assert_eq!((alone.rank(), alone.count()), (0, 1));
/// assert_eq!(alone.share(16).rows, 0..16);
/// ```
#[derive(Clone, Default)]
pub struct Processes(Option<Arc<dyn Group>>);

/// A process's part of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Its rows of the batch.
    pub rows: Range<usize>,
    /// What a mean over these rows counts in that over the whole batch.
    pub weight: f64,
}

impl Processes {
    /// Those that `group` connects.
    pub fn of(group: Arc<dyn Group>) -> Self {
        Self((group.count() > 1).then_some(group))
    }

    /// Which one this is, counted from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |group| group.rank())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |group| group.count())
    }

    /// Whether this is the one that writes and tells.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether there are others.
    pub fn are_several(&self) -> bool {
        self.0.is_some()
    }

    /// This process's part of a batch of `all` rows: each has as many as the others, or one more. Where
    /// there are fewer rows than processes, those without one go through the first row, which counts
    /// nothing there: so all of them do the same work in the same order.
    pub fn share(&self, all: usize) -> Share {
        let rows = self.part(all);
        if rows.is_empty() && all > 0 {
            return Share { rows: 0..1, weight: 0.0 };
        }
        let weight = if rows.len() == all { 1.0 } else { rows.len() as f64 / all as f64 };
        Share { rows, weight }
    }

    /// This process's part of `all` things, which may be none.
    pub fn part(&self, all: usize) -> Range<usize> {
        let (rank, count) = (self.rank(), self.count());
        let start = |rank: usize| rank * (all / count) + rank.min(all % count);
        start(rank)..start(rank + 1)
    }

    /// Which of `all` things are this process's where they are dealt out one by one: neighbours, which
    /// are alike, go to different processes.
    pub(crate) fn dealt(&self, all: usize) -> impl Iterator<Item = usize> + use<> {
        (self.rank()..all).step_by(self.count())
    }

    /// The sums of `values` over all processes, in the order of their ranks.
    ///
    /// # Errors
    /// [`Error::Processes`] when one of them was lost.
    pub fn sum(&self, values: &[f64]) -> Result<Vec<f64>> {
        let Some(group) = &self.0 else { return Ok(values.to_vec()) };
        let told = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut sums = vec![0.0; values.len()];
        for bytes in group.gather(told)? {
            let (numbers, _) = bytes.as_chunks::<8>();
            for (sum, bytes) in sums.iter_mut().zip(numbers) {
                *sum += f64::from_le_bytes(*bytes);
            }
        }
        Ok(sums)
    }

    /// Whether it is so in any of them.
    ///
    /// # Errors
    /// [`Error::Processes`] when one of them was lost.
    pub fn any(&self, here: bool) -> Result<bool> {
        let Some(group) = &self.0 else { return Ok(here) };
        let told = group.gather(vec![u8::from(here)])?;
        Ok(told.iter().any(|bytes| bytes.first().is_some_and(|byte| *byte != 0)))
    }

    /// What each of them tells, by rank.
    ///
    /// # Errors
    /// [`Error::Processes`] when one of them was lost.
    pub fn gather(&self, told: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        match &self.0 {
            Some(group) => group.gather(told),
            None => Ok(vec![told]),
        }
    }

    /// What each of them has, by rank.
    ///
    /// # Errors
    /// [`Error::Processes`] when one of them was lost, or is another version of this program.
    pub(crate) fn gather_all<T: Serialize + DeserializeOwned>(&self, here: T) -> Result<Vec<T>> {
        let Some(group) = &self.0 else { return Ok(vec![here]) };
        let unreadable = |error: serde_json::Error| {
            Error::Processes(format!("the processes do not understand each other: {error}"))
        };
        let told = group.gather(serde_json::to_vec(&here).map_err(unreadable)?)?;
        told.iter().map(|told| serde_json::from_slice(told).map_err(unreadable)).collect()
    }

    /// What is done here, once all of them have done theirs. Where one has failed, none goes on: those
    /// that have not failed tell what the first of them says that has.
    ///
    /// # Errors
    /// `done`'s own; [`Error::Interrupted`] and [`Error::Processes`] for that of another one, and when
    /// one of them was lost.
    pub fn all_done<T>(&self, done: Result<T>) -> Result<T> {
        let Some(group) = &self.0 else { return done };
        const FAILED: u8 = 1;
        const INTERRUPTED: u8 = 2;
        let told = match &done {
            Ok(_) => Vec::new(),
            Err(Error::Interrupted(words)) => [&[INTERRUPTED], words.as_bytes()].concat(),
            Err(error) => [&[FAILED], error.to_string().as_bytes()].concat(),
        };
        let told = group.gather(told)?;
        let done = done?;
        let failed =
            told.iter().enumerate().find_map(|(rank, told)| Some((rank, told.split_first()?)));
        let Some((rank, (kind, words))) = failed else { return Ok(done) };
        let words = String::from_utf8_lossy(words).into_owned();
        Err(match *kind {
            INTERRUPTED => Error::Interrupted(words),
            _ => Error::Processes(format!("number {rank} of {} failed: {words}", group.count())),
        })
    }

    /// What only the first one does, while the others wait; nothing in those.
    ///
    /// # Errors
    /// As [`all_done`](Self::all_done).
    pub fn by_first<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        self.all_done(self.is_first().then(work).transpose())
    }

    /// Begins to add up `values` over all of them; `None` where there are no others.
    pub fn begin_sum(&self, values: Vec<f32>) -> Option<Pending> {
        self.0.as_ref().map(|group| group.begin_sum(values))
    }

    /// Refuses to go on where the processes do not have the same: `mark` tells what this one has.
    ///
    /// # Errors
    /// [`Error::Processes`] with `what` they should have alike; when one of them was lost.
    pub fn check_alike(&self, what: &str, mark: &str) -> Result<()> {
        let Some(group) = &self.0 else { return Ok(()) };
        let told = group.gather(mark.as_bytes().to_vec())?;
        match told.iter().position(|other| *other != told[0]) {
            None => Ok(()),
            Some(rank) => Err(Error::Processes(format!(
                "the processes do not have the same {what}: number {rank} of {} differs from number 0",
                group.count()
            ))),
        }
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Processes({} of {})", self.rank(), self.count())
    }
}

/// Whether both are copies of the same.
impl PartialEq for Processes {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}
