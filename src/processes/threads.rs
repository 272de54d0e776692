//! How many threads a process computes with, beside others on its machine.

use crate::words::counted;
use std::fs;
use std::thread::available_parallelism;

/// What decides about threads, where it is set.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// The processors that this process may run on, as they are told to the others.
pub(super) fn processors() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap_or_default().trim().to_owned()
}

/// How many threads are this process's: those of its processors, shared with the processes beside it
/// that run on some of the same ones.
pub(super) fn fair(own: &str, beside: &[String]) -> usize {
    let sharing = beside.iter().filter(|other| overlap(own, other)).count();
    (available_parallelism().map_or(1, usize::from) / (1 + sharing)).max(1)
}

/// Computes with so many threads from now on, unless the environment says how many; what there is to
/// say of that where `processes` run on this machine.
pub(super) fn compute_with(threads: usize, processes: usize) -> String {
    if std::env::var_os(VARIABLE).is_none() {
        // Where threads are there already, it stays as it is.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    let threads = rayon::current_num_threads();
    let words = format!("{} each", counted(threads, "thread"));
    match fs::read_to_string("/sys/devices/system/cpu/online").ok().and_then(|list| count(&list)) {
        Some(all) if threads * processes < all => format!(
            "{words}, of {all} processors (mpirun may have bound each process to a few: \
             --bind-to none)"
        ),
        _ => words,
    }
}

/// How many processors are in a list.
fn count(list: &str) -> Option<usize> {
    Some(ranges(list.trim())?.iter().map(|(first, last)| (last - first + 1) as usize).sum())
}

/// Whether two lists ("0-3,8") have a processor in common; those that cannot be read have.
fn overlap(a: &str, b: &str) -> bool {
    match (ranges(a), ranges(b)) {
        (Some(a), Some(b)) => a.iter().any(|a| b.iter().any(|b| a.0.max(b.0) <= a.1.min(b.1))),
        _ => true,
    }
}

/// First and last of each run.
fn ranges(list: &str) -> Option<Vec<(u32, u32)>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    list.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_shared_where_lists_have_some_in_common() {
        for (a, b, shared) in
            [("0-3", "3", true), ("0-3", "4-7", false), ("0,8", "1-7,9", false), ("", "1", true)]
        {
            assert_eq!(overlap(a, b), shared, "{a} and {b}");
            assert_eq!(overlap(b, a), shared, "{b} and {a}");
        }
        let all = available_parallelism().map_or(1, usize::from);
        assert_eq!(fair("0", &[]), all);
        assert_eq!(fair("0", &["1".into()]), all);
        assert_eq!(fair("0-1", &vec!["0-1".to_owned(); 2 * all]), 1);
    }
}
