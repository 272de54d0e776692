//! Songs for corpora, and what is in their folders.
#![allow(dead_code)]

use neural_composer::audio::{Audio, SampleFormat};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Numbers that look random, from a seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn unit(&mut self) -> f32 {
        self.below(1 << 24) as f32 / (1 << 24) as f32
    }
}

/// How a piece is played.
#[derive(Clone, Copy)]
pub struct Manner {
    pub seconds: f64,
    pub rate_hz: u32,
    /// Times the written tempo.
    pub tempo: f32,
    pub semitones: f32,
}

pub const PLAIN: Manner = Manner { seconds: 12.0, rate_hz: 22_050, tempo: 1.0, semitones: 0.0 };

/// Two voices that wander through a scale, another way for each seed.
pub fn piece(seed: u64, manner: Manner) -> Audio {
    let scale = [0, 2, 3, 5, 7, 8, 10, 12, 14, 15];
    let rate = manner.rate_hz as f32;
    let mut chance = Chance(seed.wrapping_mul(77) + 5);
    let frames = (manner.seconds * f64::from(manner.rate_hz)) as usize;
    let mut samples = vec![0.0f32; frames];
    for octave in [1.0, 2.0] {
        let mut at = 0.0;
        while (at as usize) < frames {
            let note = scale[chance.below(10) as usize] as f32 + manner.semitones;
            let hz = 220.0 * octave * 2f32.powf(note / 12.0);
            let seconds = [0.25, 0.375, 0.5][chance.below(3) as usize] / manner.tempo;
            let length = (seconds * rate) as usize;
            let loud = 0.12 + 0.1 * chance.unit();
            for n in 0..length.min(frames - at as usize) {
                let time = n as f32 / rate;
                let turn = std::f32::consts::TAU * hz * time;
                let sound = turn.sin() + 0.5 * (2.0 * turn).sin() + 0.25 * (3.0 * turn).sin();
                samples[at as usize + n] += loud * sound * (-3.0 * time).exp();
            }
            at += length as f32;
        }
    }
    Audio::mono(samples, manner.rate_hz).unwrap()
}

/// The same sound as a lossy coder leaves it: noise far below it, nothing above a quarter of the rate,
/// a few milliseconds later.
pub fn as_if_lossy(audio: &Audio) -> Audio {
    let mut chance = Chance(9);
    let samples = &audio.channels()[0];
    let mut out = vec![0.0; 500];
    let mut smooth = 0.0;
    for sample in samples {
        smooth += 0.7 * (sample - smooth);
        out.push(smooth + 0.004 * (chance.unit() - 0.5));
    }
    Audio::mono(out, audio.sample_rate_hz()).unwrap()
}

pub fn write(folder: &Path, name: &str, audio: &Audio, format: SampleFormat) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    audio.save_as(path, format).unwrap();
}

/// Every file below a folder and its bytes.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_path_buf();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Fails where two folders hold other files or other bytes.
pub fn assert_same(a: &Path, b: &Path, when: &str) {
    let (a, b) = (contents(a), contents(b));
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b), "{when}");
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "{when}: {} differs", name.display());
    }
}
