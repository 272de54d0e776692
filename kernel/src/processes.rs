//! What the system says of processes.

use rustix::process::Pid;
use std::collections::HashMap;
use std::path::PathBuf;

/// What `/proc` tells of a process (`proc_pid_stat(5)`).
struct Stat {
    /// It has ended, and whoever started it has not asked how.
    has_ended: bool,
    parent: i32,
    /// Of itself and of those that it has started and asked how they ended, in the system's ticks.
    processor_ticks: u64,
}

/// Fields behind the name.
const STATE: usize = 0;
const PARENT: usize = 1;
const PROCESSOR_TICKS: std::ops::Range<usize> = 11..15;

fn stat(process: i32) -> Option<Stat> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(PROCESSOR_TICKS)?.iter().map(|field| field.parse::<u64>());
    Some(Stat {
        has_ended: fields[STATE] == "Z",
        parent: fields[PARENT].parse().ok()?,
        processor_ticks: ticks.sum::<Result<_, _>>().ok()?,
    })
}

/// The processor time of processes and of those that they have started and that have ended, in the
/// system's ticks (10 ms); 0 where there are none, or no `/proc`.
pub fn processor_ticks(processes: &[Pid]) -> u64 {
    let stats = processes.iter().filter_map(|process| stat(process.as_raw_pid()));
    stats.map(|stat| stat.processor_ticks).sum()
}

/// The processes that a process has started and that run, and those that they have started. Where the
/// system has no `/proc`, none are known.
pub fn descendants(ancestor: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = stat(id).filter(|stat| !stat.has_ended) {
            children.entry(stat.parent).or_default().push(id);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![ancestor.as_raw_pid()];
    while let Some(parent) = open.pop() {
        for &child in children.get(&parent).into_iter().flatten() {
            found.extend(Pid::from_raw(child));
            open.push(child);
        }
    }
    found
}

/// The folder that a process works in.
pub fn current_folder(process: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{}/cwd", process.as_raw_pid())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_has_ended_is_no_descendant_before_anyone_asked() {
        let mut running = Command::new("sleep").arg("600").spawn().unwrap();
        let mut ended = Command::new("true").spawn().unwrap();
        let [run, end] = [&running, &ended].map(Pid::from_child);
        while stat(end.as_raw_pid()).is_some_and(|stat| !stat.has_ended) {
            std::thread::yield_now();
        }
        let own = descendants(rustix::process::getpid());
        let _ = (running.kill(), running.wait(), ended.wait());
        assert!(own.contains(&run) && !own.contains(&end), "{own:?}");
    }
}
