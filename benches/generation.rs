//! How many times faster than it plays the course's model composes.
//!
//! ```text
//! cargo bench --bench generation -- [--seconds N] [--rounds N]
//! ```
//!
//! Blocks of 22050 numbers through a dense layer, recurrent layers of 1024 units and a dense layer,
//! one block at a time with the state carried on, and back into a waveform: what `compose` does in a
//! notebook. The weights are as drawn, which makes no difference to the time.

mod cost;

use cost::Cost;
use neural_composer::audio::Audio;
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::generate::{self, Seed};
use neural_composer::model::{Device, Network, NetworkConfig, gru, lstm, simple_rnn};
use neural_composer::{Error, Result};

fn main() -> Result<()> {
    let (mut seconds, mut rounds) = (30., 5);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = |argument: Option<String>| argument.and_then(|value| value.parse().ok());
        match argument.as_str() {
            "--bench" => (),
            "--seconds" => seconds = value(arguments.next()).unwrap_or(seconds),
            "--rounds" => {
                rounds = value(arguments.next()).map_or(rounds, |count: f64| count as usize)
            }
            _ => return Err(Error::argument("arguments", "--seconds or --rounds", argument)),
        }
    }
    let settings = DatasetSettings::course();
    let rate = settings.blocks.sample_rate_hz;
    let samples = (0..21 * rate).map(|i| (i as f32 * 0.05).sin() * (i as f32 * 1e-4).cos());
    let audio = Audio::mono(samples.collect(), rate)?;
    let data = Dataset::from_audio(&[("two tones".into(), audio)], settings)?;
    let seed = Seed::training(&data, 0)?;
    println!("{seconds} s of music after a seed of 10 s; times real time, median and best");
    for layers in [1, 3] {
        for layer in [lstm(1024), gru(1024), simple_rnn(1024)] {
            let config = NetworkConfig::stack(data.blocks().width(), vec![layer; layers]);
            let name = config.describe_layers();
            let network = Network::new(config, &data, 1, &Device::cpu())?;
            let (mut speeds, mut processor) = (Vec::new(), f64::INFINITY);
            for round in 0..=rounds.max(1) {
                let cost = Cost::of(|| {
                    generate::blocks(&network, seconds, &seed, &mut |_, _| ())?;
                    Ok(())
                })?;
                // The first round fills caches.
                if round > 0 {
                    speeds.push(seconds / cost.wall);
                    processor = processor.min(cost.processor);
                }
            }
            speeds.sort_by(f64::total_cmp);
            let (median, best) = (speeds[speeds.len() / 2], speeds[speeds.len() - 1]);
            println!("  {name:24} {median:6.1} {best:6.1}   processor {processor:6.2} s");
        }
    }
    Ok(())
}
