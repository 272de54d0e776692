//! Plays a song through the speakers while a network trains on all cores, until the song has ended.
//!
//! `cargo run --release --example play_under_load -- SONG`; `benches/speakers/null_sink.py` records what
//! arrives and compares it.

use neural_composer::audio::{Audio, Song};
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::model::{Device, Network, NetworkConfig, lstm};
use neural_composer::train::{self, Silent, Training};
use neural_composer::{Error, Result};
use std::time::Instant;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path] = &arguments[..] else {
        return Err(Error::argument("arguments", "SONG", format!("{arguments:?}")));
    };
    let song = Song::open(path)?;
    // What is trained on does not matter, only that it keeps every core busy.
    let noise =
        (0u32..20 * 16_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0);
    let noise = Audio::mono(noise.map(|value| value - 0.5).collect(), 16_000)?;
    let data = Dataset::from_audio(&[("noise".to_owned(), noise)], DatasetSettings::fast())?;
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(512), lstm(512)]);
    let mut network = Network::new(config, &data, 1, &Device::cpu())?;

    let start = Instant::now();
    let playback = song.play()?;
    let mut epochs = 0;
    while playback.is_playing() {
        train::run(&mut network, &data, &Training::epochs(1), &mut Silent)?;
        epochs += 1;
    }
    println!("{epochs} epochs in {:.1} s while it played", start.elapsed().as_secs_f64());
    Ok(())
}
