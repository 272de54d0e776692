//! Memory that is free on this machine, and amounts of it in words.

use std::fs;
use std::path::Path;

/// Bytes that can be taken without pushing anything else out, as Linux tells it: the kernel's own
/// estimate, or what the process's control group (a container's limit) or its own limit (`ulimit -v`)
/// leaves, if that is less. `None` where the system does not say.
pub fn available_bytes() -> Option<u64> {
    let machine = meminfo_available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let left = groups.lines().flat_map(left_in_group).chain(left_to_process());
    Some(left.fold(machine, u64::min))
}

/// Has the allocator keep freed blocks of up to 32 MB for the next ones, 256 MB in all.
///
/// Left to itself glibc gives the tensors of each batch back to the system and asks for them anew, page
/// by page, unless larger blocks were freed before: training then takes a sixth longer. Allocators that
/// are not glibc's are left as they are.
pub(crate) fn keep_freed_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const BLOCK_BYTES: i32 = 32 << 20;
        const KEPT_BYTES: i32 = 256 << 20;
        // SAFETY: `mallopt` takes two numbers, and locks the allocator while it takes them in.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, BLOCK_BYTES);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        }
    }
}

/// Forgets the most memory that the process has had so far, where the system lets us: on Linux.
pub(crate) fn forget_peak() {
    // 5 sets the peak to what is used now (proc_pid_clear_refs(5)).
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most bytes that the process has had, since [`forget_peak`] where that worked; nothing where the
/// system does not say.
pub(crate) fn peak_bytes() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// "3.5 GB"; below a tenth in MB.
pub(crate) fn gigabytes(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e8 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.2} GB", bytes / 1e9),
    }
}

/// What the process may still map of the addresses that it was granted; nothing where it may map all.
fn left_to_process() -> Option<u64> {
    let granted = address_space(&fs::read_to_string("/proc/self/limits").ok()?)?;
    let mapped = kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")?;
    Some(granted.saturating_sub(mapped))
}

/// The soft limit of addresses in `/proc/self/limits`, in bytes; nothing where there is none.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn meminfo_available(meminfo: &str) -> Option<u64> {
    kibibytes(meminfo, "MemAvailable:")
}

/// The amount behind `name` in a list of the kernel's, in bytes.
fn kibibytes(list: &str, name: &str) -> Option<u64> {
    let line = list.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What the groups on the way to the one in `line` of `/proc/self/cgroup` leave, each.
fn left_in_group(line: &str) -> Vec<u64> {
    let mut fields = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
    else {
        return Vec::new();
    };
    let (root, limit, usage) = if controllers.is_empty() {
        ("/sys/fs/cgroup", "memory.max", "memory.current")
    } else if controllers.split(',').any(|name| name == "memory") {
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
    } else {
        return Vec::new();
    };
    let number = |folder: &Path, name: &str| -> Option<u64> {
        fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
    };
    // Inside a container the path may lead nowhere: then its root is the group itself.
    let folder = Path::new(root).join(path.trim_start_matches('/'));
    let ways = folder.ancestors().take_while(|folder| folder.starts_with(root));
    ways.filter_map(|folder| {
        let (limit, usage) = (number(folder, limit)?, number(folder, usage)?);
        Some(limit.saturating_sub(usage.saturating_sub(reclaimable(folder))))
    })
    .collect()
}

/// Cached files of a group, which give way.
fn reclaimable(folder: &Path) -> u64 {
    let statistics = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let find = |name: &str| {
        let lines = statistics.lines();
        lines.filter_map(|line| line.split_once(' ')).find(|(key, _)| *key == name)
    };
    let found = find("total_inactive_file").or_else(|| find("inactive_file"));
    found.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_in_bytes() {
        let text = "MemTotal:       24684092 kB\nMemAvailable:   22182784 kB\nBuffers: 1 kB\n";
        assert_eq!(meminfo_available(text), Some(22_182_784 * 1024));
        assert_eq!(meminfo_available("MemTotal: 5 kB\n"), None);
        assert_eq!(meminfo_available("MemAvailable: many\n"), None);
    }

    #[test]
    fn a_limit_of_addresses_is_read_and_none_is_none() {
        let head = "Limit                     Soft Limit           Hard Limit           Units\n";
        let limited =
            format!("{head}Max address space         6144000000           unlimited  bytes\n");
        assert_eq!(address_space(&limited), Some(6_144_000_000));
        let free =
            format!("{head}Max address space         unlimited            unlimited  bytes\n");
        assert_eq!(address_space(&free), None);
    }
}
