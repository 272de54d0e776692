//! The other processes on this machine: whether they still run.
//!
//! MPI itself does not say who was lost; where memory is shared it does not even notice, and whoever
//! waits for a process that was killed waits for ever.

use std::fs;

/// A process, as the others on its machine find it. Only Linux tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Peer {
    pub rank: usize,
    pub pid: u32,
    /// Of the running machine.
    machine: String,
    /// When it began; another process may get its number later.
    begun: String,
}

impl Peer {
    /// This process.
    pub fn here(rank: usize) -> Self {
        let pid = std::process::id();
        Self { rank, pid, machine: machine(), begun: begun(pid).unwrap_or_default() }
    }

    /// As it is told to the others.
    pub fn words(&self) -> Vec<u8> {
        format!("{}\n{}\n{}", self.pid, self.machine, self.begun).into_bytes()
    }

    /// What another one told.
    pub fn told(rank: usize, words: &[u8]) -> Option<Self> {
        let words = String::from_utf8_lossy(words).into_owned();
        let mut lines = words.lines().map(str::to_owned);
        let (pid, machine) = (lines.next()?.parse().ok()?, lines.next()?);
        Some(Self { rank, pid, machine, begun: lines.next().unwrap_or_default() })
    }

    /// Whether both are on the same machine.
    pub fn is_beside(&self, other: &Self) -> bool {
        !self.machine.is_empty() && self.machine == other.machine
    }

    /// Whether it runs, as far as can be seen from here: a process in another container cannot.
    pub fn runs(&self) -> bool {
        !self.begun.is_empty() && begun(self.pid).as_ref() == Some(&self.begun)
    }
}

/// What tells the running machine from others; empty where it is not known.
fn machine() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// When a process began, in ticks since the machine did; nothing once it has ended.
fn begun(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have any characters. After it: the state, 18 numbers, the beginning.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_killed_is_missed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let here = Peer::here(0);
        let peer =
            Peer { rank: 1, pid: child.id(), begun: begun(child.id()).unwrap(), ..here.clone() };
        assert!(here.runs() && peer.runs() && peer.is_beside(&here));
        assert_eq!(Peer::told(1, &peer.words()), Some(peer.clone()));
        child.kill().unwrap();
        // Not yet waited for, and after that.
        while peer.runs() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!peer.runs());
        let other = Peer { begun: "0".to_owned(), ..here };
        assert!(!other.runs(), "another process under the same number");
    }
}
