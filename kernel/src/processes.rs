//! What the system says of processes.

use rustix::process::Pid;
use std::collections::HashMap;
use std::path::PathBuf;

/// Fields of a process's state by their place.
const PARENT: usize = 0;
const PROCESSOR_TICKS: std::ops::Range<usize> = 10..14;

/// The numbers of a process's state, from its parent's on (see `proc_pid_stat(5)`, field 4).
fn state(process: i32) -> Option<Vec<i64>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; a letter follows it.
    let (_, fields) = stat.rsplit_once(')')?;
    let numbers = fields.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(-1));
    let numbers: Vec<i64> = numbers.collect();
    (numbers.len() >= PROCESSOR_TICKS.end).then_some(numbers)
}

/// The processor time of a process and of those that it has started and that have ended, in the
/// system's ticks (10 ms); none where there is no such process, or no `/proc`.
pub fn processor_ticks(process: Pid) -> Option<i64> {
    Some(state(process.as_raw_pid())?[PROCESSOR_TICKS].iter().sum())
}

/// The processes that a process has started, and those that they have started. Where the system has
/// no `/proc`, none are known.
pub fn descendants(ancestor: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = state(id).and_then(|fields| i32::try_from(fields[PARENT]).ok()) {
            children.entry(parent).or_default().push(id);
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
