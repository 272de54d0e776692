//! From songs to a new piece: learn, compose, judge, save.
//!
//! `cargo run --release --example train_and_compose -- piece.wav datasets/songs/prelude.mp3` writes the
//! piece, and beside it the model (`piece.safetensors`), which can compose again later.

use neural_composer::Result;
use neural_composer::dataset::SongSource;
use neural_composer::generate::{GrainLearning, Learning, Model, Options};
use neural_composer::model::Device;
use neural_composer::prelude::*;
use neural_composer::train::{Observer, Position};
use std::path::Path;

/// Says after every epoch how far it is.
struct Said;

impl Observer for Said {
    fn batch(&mut self, _: &History, _: &Position) {}

    fn epoch(&mut self, history: &History, position: &Position) {
        if let Some(epoch) = history.epochs.last() {
            println!("epoch {} of {}: loss {:.3}", epoch.epoch, position.epochs, epoch.train_loss);
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [piece_file, songs @ ..] = &arguments[..] else {
        eprintln!("usage: train_and_compose PIECE SONG...");
        std::process::exit(2);
    };
    let songs = songs.iter().map(Song::open).collect::<Result<Vec<_>>>()?;
    let sources: Vec<SongSource> = songs.iter().cloned().map(SongSource::Song).collect();

    // Or Learning::Codes, or Learning::Blocks: what follows is the same for all.
    let mut learning = GrainLearning::seeded(1);
    learning.training.descent.steps = 100;
    let learned = Model::learn(&sources, &Learning::Grains(learning), &mut Said)?;

    let options = Options { start: learned.start, ..Options::default() };
    let piece = learned.model.compose(15.0, 1, &options, &mut |_, _| ())?;
    piece.save(piece_file)?;
    println!("{piece_file}: {piece}");
    println!("{}", piece.judge(&songs)?);

    // The same seed composes the same piece, also from the file.
    let model_file = Path::new(piece_file).with_extension("safetensors");
    learned.model.save(&model_file)?;
    let again = Model::load(&model_file, &Device::cpu())?;
    let same = again.compose(15.0, 1, &options, &mut |_, _| ())?;
    assert_eq!(same.audio().channels(), piece.audio().channels());
    println!("{}: composes it again", model_file.display());
    Ok(())
}
