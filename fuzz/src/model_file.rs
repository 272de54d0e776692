//! Model files of strangers: data that is read or refused, never run.

use crate::scratch_file::with_file;
use neural_composer::Error;
use neural_composer::generate::{Model, ModelCard, Options};
use neural_composer::model::{Device, ModelKind, Network};
use neural_composer::train::{Training, check_checkpoint};

const NAME: &str = "model.safetensors";
/// An error is a sentence or two.
const LONGEST_ERROR: usize = 2_000;

/// Reads a file in every way in which model files and checkpoints are read.
pub fn read(data: &[u8]) {
    with_file(NAME, data, |path| {
        let kind = named(ModelKind::of(path));
        let card = named(ModelCard::of(path));
        if let Some(card) = &card {
            let _ = format!("{card} {card:?}");
        }
        let network = named(Network::load(path, &Device::cpu()));
        let model = named(Model::load(path, &Device::cpu()));
        assert!(network.is_none() || matches!(model, Some(Model::Blocks(_))));
        assert!(model.is_none() || kind.is_some());
        named(check_checkpoint(path));
        named(Training::resume(path));
        // The others need their songs, or minutes.
        if let Some(model @ Model::Blocks(_)) = &model {
            let _ = model.compose(0.01, 1, &Options::default(), &mut |_, _| ());
        }
    });
}

/// What was read, if the error says in a sentence or two what is wrong with this file.
fn named<T>(outcome: Result<T, Error>) -> Option<T> {
    let error = match outcome {
        Ok(read) => return Some(read),
        Err(error) => error,
    };
    let words = error.to_string();
    assert!(words.contains(NAME) && words.len() < LONGEST_ERROR, "{words}");
    assert!(!matches!(error, Error::Io { .. }), "{error:?}");
    None
}
