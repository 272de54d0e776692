//! A program's part in what was started as several processes.

use super::Processes;
use super::launch::Launch;
#[cfg(feature = "mpi")]
use super::mpi::World;
use crate::{Error, Result};
use std::cell::Cell;

/// A program's part in a job of several processes, from its beginning to its end.
///
/// ```
/// use neural_composer::processes::Membership;
/// let membership = Membership::begin()?;
/// println!("process {} of {}", membership.processes().rank(), membership.processes().count());
/// // … train with `Training { processes: membership.processes().clone(), .. }` …
/// membership.end();
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Membership {
    processes: Processes,
    /// Whether all of them know that the job is not done.
    is_given_up: Cell<bool>,
    #[cfg(feature = "mpi")]
    world: Option<World>,
}

impl Membership {
    /// Joins the processes that mpirun, mpiexec or srun started together with this one, and computes
    /// from now on with this process's share of the machine's threads. A process that was started alone
    /// stays alone.
    ///
    /// # Errors
    /// [`Error::Processes`] where there are others and this library was built without feature `mpi`, or
    /// its MPI is not theirs.
    pub fn begin() -> Result<Self> {
        match Launch::here() {
            None => Ok(Self::default()),
            Some(launch) => Self::joined(&launch),
        }
    }

    #[cfg(feature = "mpi")]
    fn joined(launch: &Launch) -> Result<Self> {
        let world = World::join()?;
        let processes = world.processes();
        if processes.count() != launch.count {
            return Err(Error::Processes(format!(
                "{} started {} processes, but MPI knows of {}: start them with the mpirun of the MPI \
                 that this program was built with, or with srun --mpi=pmix",
                launch.by,
                launch.count,
                processes.count()
            )));
        }
        Ok(Self { processes, is_given_up: Cell::default(), world: Some(world) })
    }

    #[cfg(not(feature = "mpi"))]
    fn joined(launch: &Launch) -> Result<Self> {
        Err(Error::Processes(format!(
            "{} started this as one of {} processes, but it was built without feature mpi, so that \
             each would do the whole job over the others' files: build with `cargo build --release \
             --features mpi`, or start it alone",
            launch.by, launch.count
        )))
    }

    /// Refuses a job that is no better done by several processes.
    ///
    /// # Errors
    /// [`Error::Processes`] where this one was started with others.
    pub fn refuse(job: &str) -> Result<()> {
        match Launch::here() {
            None => Ok(()),
            Some(Launch { by, count }) => Err(Error::Processes(format!(
                "{by} started {count} processes, but only `train`, `sweep` and `corpus build` are done by \
                 several: start `{job}` alone"
            ))),
        }
    }

    /// What several processes are started with, before the command: "mpirun -n 4"; empty for one.
    pub fn launcher() -> Vec<String> {
        let launch = Launch::here();
        launch.map_or_else(Vec::new, |launch| {
            vec![launch.by.to_owned(), "-n".to_owned(), launch.count.to_string()]
        })
    }

    /// All of them.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// "2 processes on 1 machine, 4 threads each"; nothing of one that is alone.
    pub fn words(&self) -> Option<String> {
        #[cfg(feature = "mpi")]
        return self.world.as_ref().map(World::words);
        #[cfg(not(feature = "mpi"))]
        None
    }

    /// Whether all processes are ready, this one with `status`, which is 0 if it is. If not, all of
    /// them give up, and this gives the first one that was not ready, and its status.
    ///
    /// # Errors
    /// [`Error::Processes`] when one of them was lost.
    pub fn agree(&self, status: u8) -> Result<Option<(usize, u8)>> {
        let told = self.processes.gather(vec![status])?;
        let of = |told: &Vec<u8>| told.first().copied().unwrap_or(1);
        let first = told.iter().map(of).enumerate().find(|(_, status)| *status != 0);
        self.is_given_up.set(first.is_some());
        Ok(first)
    }

    /// Before this process tells of an error: lets the first one tell of its own and end all, because it
    /// is mostly the same.
    pub fn let_the_first_tell(&self) {
        #[cfg(feature = "mpi")]
        if let Some(world) = self.world.as_ref().filter(|_| !self.is_given_up.get()) {
            world.let_the_first_tell();
        }
    }

    /// The job is done: waits for the others to say so, too.
    pub fn end(self) {
        #[cfg(feature = "mpi")]
        if let Some(world) = self.world {
            world.end();
        }
    }

    /// The job has failed here, and cannot be done without this process: ends the others, too. Comes
    /// back where there are none, or where all have given up.
    pub fn fail(self, status: u8) {
        if self.is_given_up.get() {
            return self.end();
        }
        #[cfg(feature = "mpi")]
        if let Some(world) = self.world {
            world.fail(status);
        }
        #[cfg(not(feature = "mpi"))]
        let _ = status;
    }
}
