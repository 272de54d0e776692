//! What a piece of work costs: time on the wall and time on processors.

use std::time::Instant;

use neural_composer::Result;

/// What some work took, in seconds.
#[derive(Clone, Copy)]
pub struct Cost {
    pub wall: f64,
    /// Of all threads, added up; 0 where the system does not tell.
    pub processor: f64,
}

impl Cost {
    /// Does `work` and says what it took.
    pub fn of(work: impl FnOnce() -> Result<()>) -> Result<Self> {
        let (start, processor) = (Instant::now(), processor_seconds());
        work()?;
        Ok(Self { wall: start.elapsed().as_secs_f64(), processor: processor_seconds() - processor })
    }
}

/// The processor time of this process so far: `utime` and `stime` of Linux's `/proc/self/stat`, in
/// hundredths of a second.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in brackets, which may hold blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.
}
