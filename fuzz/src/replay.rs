//! The corpus on stable Rust: every entry, and seeded mutations of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// No input may take longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries every entry of a folder, and this many mutations of each.
pub fn corpus(folder: &Path, mutations: u64, body: &dyn Fn(&[u8])) {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let entries: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!entries.is_empty(), "{} is empty", folder.display());
    for (path, entry) in paths.iter().zip(&entries) {
        attempt(&format!("{}", path.display()), entry, body);
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let seed = name.iter().fold(7_u64, |seed, &byte| seed.wrapping_mul(31) + u64::from(byte));
        for number in 0..mutations {
            let mut chance = Chance::new(seed.wrapping_add(number << 32));
            let mutated = mutated(entry, &entries, &mut chance);
            attempt(&format!("{}, mutation {number}", path.display()), &mutated, body);
        }
    }
}

fn attempt(what: &str, input: &[u8], body: &dyn Fn(&[u8])) {
    let start = Instant::now();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        let kept = std::env::temp_dir().join("fuzz-corpus-finding");
        let _ = std::fs::write(&kept, input);
        eprintln!("{what}: the input is in {}", kept.display());
        resume_unwind(panic);
    }
    assert!(start.elapsed() < PATIENCE, "{what}: {:?}", start.elapsed());
}

/// A copy with one to four things wrong.
fn mutated(entry: &[u8], entries: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = entry.to_vec();
    for _ in 0..=chance.below(4) {
        let length = bytes.len().max(1);
        // Headers are where a wrong number does most harm.
        let from = if chance.below(2) == 0 { length.min(96) } else { length };
        let at = chance.below(from).min(bytes.len());
        let end = (at + 1 + chance.below(64)).min(bytes.len());
        match chance.below(9) {
            0 => bytes.truncate(at),
            1 => bytes[at..end].iter_mut().take(1).for_each(|byte| *byte ^= 1 << chance.below(8)),
            2 => bytes[at..end].iter_mut().take(4).for_each(|byte| *byte = chance.next() as u8),
            3 => bytes[at..end].fill([0, 0xff, 0x7f, b'9'][chance.below(4)]),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].repeat(1 + chance.below(8));
                bytes.splice(at..at, part);
            }
            6 => {
                let other = &entries[chance.below(entries.len())];
                let first = chance.below(other.len().max(1)).min(other.len());
                let last = (first + chance.below(256)).min(other.len());
                bytes.splice(at..end, other[first..last].iter().copied());
            }
            _ => {
                let number = number(chance);
                for (place, byte) in bytes[at..].iter_mut().zip(number) {
                    *place = byte;
                }
            }
        }
    }
    bytes
}

/// A length or a count that is at the edge of what can be.
fn number(chance: &mut Chance) -> Vec<u8> {
    let bits = 8 << chance.below(4);
    let edge = [0, 1, 2, 1 << (bits - 1), u64::MAX >> (64 - bits), 1 << (bits / 2)];
    let value = edge[chance.below(6)].wrapping_add(chance.below(3) as u64).wrapping_sub(1);
    let bytes = bits / 8;
    if chance.below(2) == 0 {
        value.to_le_bytes()[..bytes].to_vec()
    } else {
        value.to_be_bytes()[8 - bytes..].to_vec()
    }
}

/// Random numbers of a seed (SplitMix64), as the kernel has no crate for them.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}
