//! What the kernel is doing right now, and what the stop button therefore does.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    #[default]
    Idle,
    /// Being analysed and compiled.
    Compiling,
    /// Given to the evaluator, which loads it.
    Loading,
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
    interrupts: u32,
    compiler: Option<Pid>,
    evaluator: Option<Pid>,
    killed_by_interrupt: bool,
}

impl State {
    fn end_compiler(&mut self) {
        if let Some(compiler) = self.compiler.take() {
            let _ = kill_process_group(compiler, Signal::KILL);
        }
    }
}

/// Shared between the control channel, the engine and the threads that read the evaluator.
#[derive(Default)]
pub struct Activity {
    state: Mutex<State>,
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
        state.interrupts = 0;
        state.killed_by_interrupt = false;
    }

    /// The cell is done; says how often it was interrupted.
    pub fn end_cell(&self) -> u32 {
        let mut state = self.lock();
        state.phase = Phase::Idle;
        state.compiler = None;
        state.interrupts
    }

    pub fn interrupts(&self) -> u32 {
        self.lock().interrupts
    }

    pub fn killed_by_interrupt(&self) -> bool {
        self.lock().killed_by_interrupt
    }

    /// The stop button. It has an effect in every phase: it ends a compiler, asks a cell and what it
    /// started to stop, ends the evaluator at the second press, and reaches threads that go on behind
    /// a cell that has returned.
    pub fn interrupt(&self) -> Interrupt {
        let mut state = self.lock();
        if state.phase != Phase::Idle {
            state.interrupts += 1;
        }
        let Some(evaluator) = state.evaluator else {
            state.end_compiler();
            return Interrupt::StoppedCompilation;
        };
        match (state.phase, state.interrupts) {
            (Phase::Idle, _) => {
                let _ = kill_process(evaluator, Signal::INT);
                Interrupt::Nothing
            }
            (Phase::Compiling, _) => {
                state.end_compiler();
                Interrupt::StoppedCompilation
            }
            // It reaches the cell as soon as this begins.
            (Phase::Loading, 1) => Interrupt::AskedToStop,
            // The processes that the cell started are in its group, and mostly end at this.
            (Phase::Running, 1) => {
                let _ = kill_process_group(evaluator, Signal::INT);
                Interrupt::AskedToStop
            }
            (Phase::Loading | Phase::Running, _) => {
                state.killed_by_interrupt = true;
                let _ = kill_process_group(evaluator, Signal::KILL);
                Interrupt::Killed
            }
        }
    }

    /// A compiler has started, leading this process group; it ends at once if the cell was
    /// interrupted meanwhile.
    pub fn compiler_started(&self, group: Pid) {
        let mut state = self.lock();
        state.compiler = Some(group);
        if state.phase == Phase::Compiling && state.interrupts > 0 {
            state.end_compiler();
        }
    }

    pub fn compiler_ended(&self, group: Pid) {
        let mut state = self.lock();
        if state.compiler == Some(group) {
            state.compiler = None;
        }
    }

    /// The evaluator, for what has to be asked of the system about it.
    pub fn evaluator(&self) -> Option<Pid> {
        self.lock().evaluator
    }

    pub fn evaluator_started(&self, evaluator: Pid) {
        self.lock().evaluator = Some(evaluator);
    }

    /// The evaluator is gone; what it started goes with it.
    pub fn evaluator_ended(&self, evaluator: Pid) {
        let mut state = self.lock();
        if state.evaluator == Some(evaluator) {
            state.evaluator = None;
        }
        let _ = kill_process_group(evaluator, Signal::KILL);
    }

    /// The cell is given to the evaluator; no if it was interrupted before.
    pub fn cell_loads(&self) -> bool {
        let mut state = self.lock();
        if state.interrupts > 0 {
            return false;
        }
        state.phase = Phase::Loading;
        true
    }

    /// The cell's code starts to run; an interrupt that came in between reaches it now.
    pub fn cell_began(&self) {
        let mut state = self.lock();
        state.phase = Phase::Running;
        if state.interrupts > 0
            && let Some(evaluator) = state.evaluator
        {
            let _ = kill_process_group(evaluator, Signal::INT);
        }
    }

    /// The cell's code has returned.
    pub fn cell_returned(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Loading | Phase::Running) {
            state.phase = Phase::Compiling;
        }
    }

    /// Ends the processes that the cell started and that an interrupt did not end; the evaluator and
    /// its variables stay.
    pub fn end_children(&self) {
        let Some(evaluator) = self.evaluator() else { return };
        for child in crate::processes::descendants(evaluator) {
            let _ = kill_process(child, Signal::KILL);
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
