//! A training loop of your own, on Candle's tensors, with validation and a falling learning rate.
//!
//! `cargo run --release --example own_loop -- datasets/songs/prelude.mp3 10` trains for ten epochs; Ctrl-C
//! ends it after the running batch.

use neural_composer::model::Device;
use neural_composer::prelude::*;
use neural_composer::{Error, Result, interrupt};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [song, epochs] = &arguments[..] else {
        eprintln!("usage: own_loop SONG EPOCHS");
        std::process::exit(2);
    };
    let epochs: usize = epochs
        .parse()
        .map_err(|_| Error::argument("epochs", "a whole number", format!("{epochs:?}")))?;

    // A dataset is sequences of rows: the spectra of successive blocks, normalised.
    let data = Dataset::from_songs(&[Song::open(song)?], DatasetSettings::fast())?;
    let (training, validation) = data.split(0.1)?;
    let device = Device::best();
    let config = NetworkConfig::stack(data.blocks().width(), [gru(128)]);
    let network = Network::new(config, &data, 1, &device)?;
    println!("{data}{network}");

    let criterion = network.criterion(Loss::MeanSquared)?;
    let mut optimizer = network.optimizer(Rule::default())?.with_clip_norm(Some(1.0))?;
    interrupt::listen().map_err(Error::io("Ctrl-C", "listen to"))?;
    for epoch in 0..epochs {
        let rate = 2e-3 * 0.9f64.powi(epoch as i32);
        let mut sum = 0.0;
        let batches = data.batches(&training, 16, None).shuffled(epoch as u64);
        for batch in batches.on(&device) {
            if interrupt::requested() {
                println!("stopped in epoch {}", epoch + 1);
                return Ok(());
            }
            // (batch, steps, width): what is played, and what is played one block later.
            let batch = batch?;
            let (predicted, _) = network.forward(&batch.inputs, None)?;
            sum += optimizer.minimize(&criterion.of(&predicted, &batch.targets)?, rate)?;
        }
        let mut validation_loss = 0.0;
        let kept = data.batches(&validation, validation.len(), None);
        for batch in kept.on(&device) {
            let batch = batch?;
            // `predict` keeps nothing for a backward pass.
            let (predicted, _) = network.predict(&batch.inputs, None)?;
            let loss = criterion.of(&predicted, &batch.targets)?;
            validation_loss = loss.to_scalar::<f32>()?;
        }
        let mean = sum / batches.len() as f64;
        println!("epoch {}: loss {mean:.4}, validation {validation_loss:.4}", epoch + 1);
    }
    Ok(())
}
