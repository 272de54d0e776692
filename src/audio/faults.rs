//! What was wrong with a file, in words.

use crate::words::counted;

/// Notes and counts that become a file's warnings.
#[derive(Debug, Default)]
pub(super) struct Faults {
    notes: Vec<String>,
    damaged_packets: u64,
    first_damage_seconds: f64,
    not_finite: u64,
}

impl Faults {
    pub(super) fn new(notes: Vec<String>) -> Self {
        Self { notes, ..Self::default() }
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn note_damage(&mut self, at_seconds: f64) {
        if self.damaged_packets == 0 {
            self.first_damage_seconds = at_seconds;
        }
        self.damaged_packets += 1;
    }

    /// Makes silence of samples that are not finite, and counts them.
    pub(super) fn silence_not_finite(&mut self, channels: &mut [Vec<f32>]) {
        for channel in channels {
            // One pass without branches for the sound file, which is the usual one.
            if channel.iter().fold(true, |finite, sample| finite & sample.is_finite()) {
                continue;
            }
            for sample in channel.iter_mut().filter(|s| !s.is_finite()) {
                *sample = 0.0;
                self.not_finite += 1;
            }
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.notes.clone();
        if self.damaged_packets > 0 {
            warnings.push(format!(
                "{} damaged and left out, the first at {:.2} s",
                counted(self.damaged_packets, "packet"),
                self.first_damage_seconds
            ));
        }
        if self.not_finite > 0 {
            let samples = counted(self.not_finite, "sample");
            warnings.push(format!("{samples} not a finite number, replaced by silence"));
        }
        warnings
    }
}
