//! What the system says of processes.

use rustix::process::Pid;
use std::collections::HashMap;
use std::path::PathBuf;

/// The processes that a process has started, and those that they have started. Where the system has
/// no `/proc`, none are known.
pub fn descendants(ancestor: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name, in parentheses, may hold anything; the parent is the second field behind it.
        let Some((_, fields)) = stat.rsplit_once(')') else { continue };
        if let Some(parent) = fields.split_whitespace().nth(1).and_then(|field| field.parse().ok())
        {
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
