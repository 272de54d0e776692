//! The audio files of `tests/fixtures/audio` and what ffmpeg decodes them to.

#![allow(dead_code)] // Each test file uses a part of this.

use std::path::{Path, PathBuf};

pub struct Fixture {
    pub path: PathBuf,
    pub name: String,
    pub sample_rate_hz: u32,
    pub channel_count: usize,
    /// Frames before the sound was encoded, where the file lets one know.
    pub source_frames: Option<usize>,
}

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio").join(name)
}

pub fn all() -> Vec<Fixture> {
    let index = std::fs::read_to_string(path("index.tsv")).unwrap();
    let fixtures: Vec<_> = index
        .lines()
        .map(|line| {
            let [name, rate, channels, frames] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("four columns in {line:?}");
            };
            Fixture {
                path: path(name),
                name: name.to_owned(),
                sample_rate_hz: rate.parse().unwrap(),
                channel_count: channels.parse().unwrap(),
                source_frames: frames.parse().ok(),
            }
        })
        .collect();
    assert!(fixtures.len() > 20);
    fixtures
}

impl Fixture {
    /// Whether decoding has to give ffmpeg's samples to the last bit.
    pub fn is_lossless(&self) -> bool {
        self.path.with_extension("f32").exists()
    }

    /// ffmpeg's decoding, one vector per channel.
    pub fn reference(&self) -> Vec<Vec<f32>> {
        let samples: Vec<f32> = if self.is_lossless() {
            let bytes = std::fs::read(self.path.with_extension("f32")).unwrap();
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        } else {
            let bytes = std::fs::read(self.path.with_extension("s16")).unwrap();
            let words = bytes.chunks_exact(2).map(|b| i16::from_le_bytes(b.try_into().unwrap()));
            words.map(|word| f32::from(word) / 32768.0).collect()
        };
        (0..self.channel_count)
            .map(|c| samples.iter().skip(c).step_by(self.channel_count).copied().collect())
            .collect()
    }
}

/// Root of the mean squared difference over the frames that both have.
pub fn rms_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    assert_eq!(a.len(), b.len(), "channels");
    let squares: Vec<f64> = a
        .iter()
        .zip(b)
        .flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)))
        .collect();
    assert!(!squares.is_empty());
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}
