//! What the kernel is doing right now, and what the stop button therefore does.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    #[default]
    Idle,
    /// Being analysed and compiled.
    Compiling,
    /// Its code is running in the evaluator.
    Running,
}

/// What an interrupt did.
#[derive(Debug, PartialEq, Eq)]
pub enum Interrupt {
    Nothing,
    StoppedCompilation,
    AskedToStop,
    Killed,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// The cell's code has started to run, whatever came of it.
    has_begun: bool,
    interrupts: u32,
    compiler: Option<Pid>,
    evaluator: Option<Pid>,
    /// How many cells the evaluator has reported as returned on standard error.
    returned_stderr: u64,
    deaths: u64,
    killed_by_interrupt: bool,
}

/// Shared between the control channel, the engine and the threads that read the evaluator.
#[derive(Default)]
pub struct Activity {
    state: Mutex<State>,
    changed: Condvar,
}

impl Activity {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// A cell starts: earlier interrupts are forgotten.
    pub fn begin_cell(&self) {
        let mut state = self.lock();
        state.phase = Phase::Compiling;
        state.has_begun = false;
        state.interrupts = 0;
        state.killed_by_interrupt = false;
    }

    /// The cell is done; says how often it was interrupted.
    pub fn end_cell(&self) -> u32 {
        let mut state = self.lock();
        state.phase = Phase::Idle;
        state.compiler = None;
        self.changed.notify_all();
        state.interrupts
    }

    pub fn has_begun(&self) -> bool {
        self.lock().has_begun
    }

    pub fn interrupts(&self) -> u32 {
        self.lock().interrupts
    }

    pub fn killed_by_interrupt(&self) -> bool {
        self.lock().killed_by_interrupt
    }

    /// The stop button.
    pub fn interrupt(&self) -> Interrupt {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            return Interrupt::Nothing;
        }
        state.interrupts += 1;
        self.changed.notify_all();
        if state.phase == Phase::Compiling {
            if let Some(compiler) = state.compiler.take() {
                let _ = kill_process_group(compiler, Signal::KILL);
            }
            return Interrupt::StoppedCompilation;
        }
        let Some(evaluator) = state.evaluator else { return Interrupt::Nothing };
        if state.interrupts == 1 {
            let _ = kill_process(evaluator, Signal::INT);
            Interrupt::AskedToStop
        } else {
            state.killed_by_interrupt = true;
            let _ = kill_process_group(evaluator, Signal::KILL);
            Interrupt::Killed
        }
    }

    /// A compiler asks to start, leading this process group; no if the cell was interrupted.
    pub fn admit_compiler(&self, group: Pid) -> bool {
        let mut state = self.lock();
        if state.phase == Phase::Compiling && state.interrupts > 0 {
            return false;
        }
        state.compiler = Some(group);
        true
    }

    pub fn compiler_ended(&self, group: Pid) {
        let mut state = self.lock();
        if state.compiler == Some(group) {
            state.compiler = None;
        }
    }

    pub fn evaluator_started(&self, evaluator: Pid) {
        self.lock().evaluator = Some(evaluator);
        self.changed.notify_all();
    }

    /// The evaluator is gone; what it started goes with it.
    pub fn evaluator_ended(&self, evaluator: Pid) {
        let mut state = self.lock();
        if state.evaluator == Some(evaluator) {
            state.evaluator = None;
        }
        state.deaths += 1;
        let _ = kill_process_group(evaluator, Signal::KILL);
        self.changed.notify_all();
    }

    pub fn deaths(&self) -> u64 {
        self.lock().deaths
    }

    /// The cell's code starts to run; an interrupt that came in between reaches it now.
    pub fn cell_began(&self) {
        let mut state = self.lock();
        state.has_begun = true;
        if state.phase == Phase::Compiling {
            state.phase = Phase::Running;
            if state.interrupts > 0
                && let Some(evaluator) = state.evaluator
            {
                state.interrupts = 1;
                let _ = kill_process(evaluator, Signal::INT);
            }
        }
    }

    /// The cell's code has returned (but evcxr may compile and run more of it).
    pub fn cell_returned(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.phase = Phase::Compiling;
        }
    }

    pub fn stderr_returned(&self) {
        self.lock().returned_stderr += 1;
        self.changed.notify_all();
    }

    pub fn stderr_returns(&self) -> u64 {
        self.lock().returned_stderr
    }

    /// Waits until all that the cell wrote to standard error has been read.
    pub fn wait_for_stderr(&self, returns: u64, deaths: u64, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while state.returned_stderr < returns && state.deaths == deaths {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends every process of this kernel's.
    pub fn kill_all(&self) {
        let mut state = self.lock();
        for group in [state.compiler.take(), state.evaluator.take()].into_iter().flatten() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
