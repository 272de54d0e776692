//! Processes that are connected by MPI.
//!
//! One thread makes all calls to MPI, from its beginning to its end, which every MPI allows
//! (`MPI_THREAD_FUNNELED`). It works off what it is given in order, so that sums are on their way while
//! others compute. No call of it blocks: it looks again and again, and lets go of the processor in
//! between.

use super::peers::Peer;
use super::{Group, Pending, Processes, lost, threads};
use crate::words::counted;
use crate::{Error, Result, interrupt};
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::request::{Request, Scope, scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use mpi::{Threading, environment};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Looks so many times before it sleeps in between, while its process computes.
const EAGER_LOOKS: usize = 1_000;
/// So long.
const NAP: Duration = Duration::from_micros(50);
/// Between two looks whether the other processes of this machine run.
const WATCH: Duration = Duration::from_millis(100);
/// What the others of this machine may take to notice, too: more than [`WATCH`].
const TO_NOTICE: Duration = Duration::from_millis(400);
/// Others may be within their batch when a stop was asked for; without a word for so long, that is told,
const LATE: Duration = Duration::from_millis(600);
/// and after this nothing more is expected of them.
const TOO_LATE: Duration = Duration::from_secs(25);
/// What MPI may take to end all of them.
const TO_ABORT: Duration = Duration::from_secs(3);
/// What the first process may take to tell of an error, and mpirun to end the others then.
const TO_TELL: Duration = Duration::from_secs(2);
/// How a process ends when another one was lost.
const LOST: u8 = 1;
/// What there is to do then.
const GOES_ON: &str =
    "the same command goes on (`train`: with --resume, where checkpoints were kept)";

/// The processes of this job.
pub(super) struct World {
    group: Arc<Connected>,
    thread: JoinHandle<()>,
    /// What there is to say of them.
    words: String,
}

/// This process's end of the connection.
struct Connected {
    rank: usize,
    count: usize,
    tasks: Sender<Task>,
    shared: Arc<Shared>,
}

/// What the threads of this process know of each other.
#[derive(Default)]
struct Shared {
    /// How many wait for sums.
    awaited: Arc<AtomicUsize>,
    /// The status to end all processes with, once it is not 0.
    failing: AtomicI32,
    /// Whether all of them are done.
    is_over: AtomicBool,
}

enum Task {
    Sum(Vec<f32>, Sender<Vec<f32>>),
    Gather(Vec<u8>, Sender<Vec<Vec<u8>>>),
    /// To look at [`Shared::failing`].
    Fail,
    End(Sender<()>),
}

impl World {
    /// Joins the others.
    pub fn join() -> Result<Self> {
        let (tasks, given) = channel();
        let (tell, told) = channel();
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let work = move || {
            let Some((universe, _)) = environment::initialize_with_threading(Threading::Funneled)
            else {
                return;
            };
            let world = universe.world();
            let size = (world.rank() as usize, world.size() as usize);
            if tell.send(size).is_ok() {
                work_off(&world, &given, &of_thread);
            }
        };
        let thread = std::thread::Builder::new().name("mpi".into()).spawn(work);
        let thread = thread.map_err(|error| refused(&error.to_string()))?;
        let (rank, count) = told.recv().map_err(|_| refused("it was begun before"))?;
        let group = Arc::new(Connected { rank, count, tasks, shared });
        let mut world = Self { group, thread, words: String::new() };
        world.words = world.meet()?;
        Ok(world)
    }

    /// Learns where the others are: shares the machine with those beside this one, and watches them. What
    /// there is to say of it.
    fn meet(&self) -> Result<String> {
        let here = Peer::here(self.group.rank);
        let processors = threads::processors();
        let told = [here.words(), b"\n".to_vec(), processors.clone().into_bytes()].concat();
        let mut beside = Vec::new();
        let (mut lists, mut machines) = (Vec::new(), Vec::new());
        for (rank, words) in self.group.gather(told)?.iter().enumerate() {
            let Some(peer) = Peer::told(rank, words) else { continue };
            if machines.iter().all(|known| !peer.is_beside(known)) {
                machines.push(peer.clone());
            }
            if peer.is_beside(&here) && rank != self.group.rank {
                let words = String::from_utf8_lossy(words);
                lists.push(words.lines().last().unwrap_or_default().to_owned());
                beside.push(peer);
            }
        }
        let all = 1 + lists.len();
        let words = format!(
            "{} on {}, {}",
            counted(self.group.count, "process"),
            counted(machines.len(), "machine"),
            threads::compute_with(threads::fair(&processors, &lists), all)
        );
        let group = self.group.clone();
        let watching = std::thread::Builder::new().name("peers".into());
        // Where no thread is to be had, nobody is missed.
        let _ = watching.spawn(move || group.watch(&beside));
        Ok(words)
    }

    pub fn words(&self) -> String {
        self.words.clone()
    }

    /// Where the first process ends all, this one ends within.
    pub fn let_the_first_tell(&self) {
        self.group.shared.is_over.store(true, Ordering::Relaxed);
        if self.group.rank > 0 {
            std::thread::sleep(TO_TELL);
        }
    }

    pub fn processes(&self) -> Processes {
        Processes::of(self.group.clone())
    }

    /// Waits for the others to be done, too.
    pub fn end(self) {
        let (tell, told) = channel();
        if self.group.tasks.send(Task::End(tell)).is_ok() {
            let _ = told.recv();
        }
        let _ = self.thread.join();
    }

    /// Ends all processes.
    pub fn fail(&self, status: u8) {
        self.group.shared.is_over.store(true, Ordering::Relaxed);
        self.group.end_all(status);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({} of {})", self.group.rank, self.group.count)
    }
}

fn refused(problem: &str) -> Error {
    Error::Processes(format!("MPI could not be begun: {problem}"))
}

impl Group for Connected {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn begin_sum(&self, values: Vec<f32>) -> Pending {
        let (tell, told) = channel();
        // Where nobody takes it, waiting for it fails.
        let _ = self.tasks.send(Task::Sum(values, tell));
        Pending::new(told, self.shared.awaited.clone())
    }

    fn gather(&self, told: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let (tell, all) = channel();
        self.tasks.send(Task::Gather(told, tell)).map_err(|_| lost())?;
        self.shared.awaited.fetch_add(1, Ordering::Relaxed);
        let all = all.recv();
        self.shared.awaited.fetch_sub(1, Ordering::Relaxed);
        all.map_err(|_| lost())
    }
}

impl Connected {
    /// Looks after the processes of this machine until all are done; where one is lost, this one cannot
    /// go on.
    fn watch(&self, beside: &[Peer]) {
        // One in another container is not seen from here.
        let seen: Vec<&Peer> = beside.iter().filter(|peer| peer.runs()).collect();
        let is_over = || self.shared.is_over.load(Ordering::Relaxed);
        while !is_over() {
            std::thread::sleep(WATCH);
            let missing = seen.iter().find(|peer| !peer.runs());
            if let Some(peer) = missing.filter(|_| !is_over()) {
                eprintln!(
                    "neural-composer: process {} of {} (number {} of this machine) was lost, so \
                     process {} ends, too: {GOES_ON}",
                    peer.rank, self.count, peer.pid, self.rank
                );
                // Ended by this one, the others could not tell any more.
                std::thread::sleep(TO_NOTICE);
                self.end_all(LOST);
            }
        }
    }

    /// Has MPI end all processes, this one included.
    fn end_all(&self, status: u8) {
        self.shared.failing.store(i32::from(status), Ordering::Relaxed);
        let _ = self.tasks.send(Task::Fail);
        std::thread::sleep(TO_ABORT);
        leave(status);
    }
}

/// Ends this process at once: other threads of it may wait for something that never comes.
fn leave(status: u8) {
    #[cfg(unix)]
    signal_hook::low_level::exit(i32::from(status));
    #[cfg(not(unix))]
    std::process::exit(i32::from(status));
}

/// Does what it is given until the end.
fn work_off(world: &SimpleCommunicator, given: &Receiver<Task>, shared: &Shared) {
    let wait = Wait { world, shared };
    // Memory that the last sums were in.
    let mut spare: Vec<f32> = Vec::new();
    for task in given {
        match task {
            Task::Sum(values, tell) => {
                spare.resize(values.len(), 0.0);
                scope(|scope| {
                    let sum = SystemOperation::sum();
                    let (from, to) = (&values[..], &mut spare[..]);
                    wait.until_done(world.immediate_all_reduce_into(scope, from, to, sum), true);
                });
                let sums = std::mem::replace(&mut spare, values);
                let _ = tell.send(sums);
            }
            Task::Gather(told, tell) => {
                let _ = tell.send(gather(&wait, &told));
            }
            Task::Fail => wait.fail_if_asked(),
            Task::End(tell) => {
                wait.until_done(world.immediate_barrier(), false);
                shared.is_over.store(true, Ordering::Relaxed);
                let _ = tell.send(());
                return;
            }
        }
    }
}

/// First how much each tells, then what.
fn gather(wait: &Wait<'_>, told: &[u8]) -> Vec<Vec<u8>> {
    let count = wait.world.size() as usize;
    let own = [told.len() as i32];
    let mut lengths = vec![0i32; count];
    scope(|scope| {
        let (from, to) = (&own[..], &mut lengths[..]);
        wait.until_done(wait.world.immediate_all_gather_into(scope, from, to), true);
    });
    let starts: Vec<i32> = lengths
        .iter()
        .scan(0, |sum, length| {
            *sum += length;
            Some(*sum - length)
        })
        .collect();
    let mut all = vec![0u8; lengths.iter().sum::<i32>() as usize];
    // MPI takes no empty memory.
    if all.is_empty() {
        return vec![Vec::new(); count];
    }
    let mut parts = PartitionMut::new(&mut all[..], &lengths[..], &starts[..]);
    scope(|scope| {
        let world = wait.world;
        wait.until_done(world.immediate_all_gather_varcount_into(scope, told, &mut parts), true);
    });
    let part = |(start, length): (&i32, &i32)| all[*start as usize..][..*length as usize].to_vec();
    starts.iter().zip(&lengths).map(part).collect()
}

/// Waits for what was begun.
struct Wait<'a> {
    world: &'a SimpleCommunicator,
    shared: &'a Shared,
}

impl Wait<'_> {
    /// Until it is done, or all processes end. When a stop was asked for, all of them hear of it within
    /// a batch: where `is_answered_soon`, one that says nothing then was lost.
    fn until_done<'a, D: ?Sized, S: Scope<'a>>(
        &self,
        mut request: Request<'a, D, S>,
        is_answered_soon: bool,
    ) {
        let mut looks = 0;
        let mut stop: Option<Instant> = None;
        let mut is_told = false;
        loop {
            match request.test() {
                Ok(_) => return,
                Err(running) => request = running,
            }
            self.fail_if_asked();
            looks += 1;
            if looks < EAGER_LOOKS || self.shared.awaited.load(Ordering::Relaxed) > 0 {
                std::thread::yield_now();
            } else {
                std::thread::sleep(NAP);
            }
            if is_answered_soon && interrupt::requested() {
                let waited = stop.get_or_insert_with(Instant::now).elapsed();
                if waited > LATE && !is_told {
                    is_told = true;
                    eprintln!(
                        "neural-composer: process {} of {} was asked to stop and waits for the \
                         others; if one of them was lost, all end: {GOES_ON}",
                        self.world.rank(),
                        self.world.size()
                    );
                }
                if waited > TOO_LATE {
                    self.world.abort(i32::from(LOST));
                }
            }
        }
    }

    fn fail_if_asked(&self) {
        let status = self.shared.failing.load(Ordering::Relaxed);
        if status != 0 {
            self.world.abort(status);
        }
    }
}
