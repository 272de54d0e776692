//! Grains and codes learn with the same means as blocks: validation, early stop, schedules, rules,
//! samples to listen to, a check of memory.

mod tunes;
mod written;

use tunes::tune;
use written::Written;

use neural_composer::dataset::SongSource;
use neural_composer::dataset::codes::CodebookSettings;
use neural_composer::display::Destination;
use neural_composer::generate::{CodeLearning, GrainLearning, Learned, Learning, Model, Options};
use neural_composer::notebook::{Listening, LiveTraining};
use neural_composer::train::optimizer::{Rule, Sgd};
use neural_composer::train::schedule::Schedule;
use neural_composer::train::{Descent, History, InTraining, Observer, Position, Silent, Stop};
use neural_composer::{Error, Result};
use std::path::Path;

const RATE: u32 = 22_050;

fn songs(folder: &Path) -> Vec<SongSource> {
    let path = folder.join("tune.wav");
    tune(24.0, RATE).save(&path).unwrap();
    vec![SongSource::File(path)]
}

fn grains(change: impl Fn(&mut Descent)) -> Learning {
    let mut learning = GrainLearning::seeded(3);
    let descent = &mut learning.training.descent;
    (descent.steps, descent.steps_per_epoch, descent.batch_size) = (12, 3, 4);
    change(descent);
    learning.training.sequence_grains = 8;
    Learning::Grains(learning)
}

fn codes(change: impl Fn(&mut Descent)) -> Learning {
    let mut learning = CodeLearning::seeded(3);
    learning.blocks.codebook = CodebookSettings { stages: 2, codes: 32, seed: 3 };
    let descent = &mut learning.training.descent;
    (descent.steps, descent.steps_per_epoch, descent.batch_size) = (12, 3, 4);
    change(descent);
    learning.training.sequence_blocks = 12;
    Learning::Codes(learning)
}

fn both(change: impl Fn(&mut Descent) + Copy) -> [Learning; 2] {
    [grains(change), codes(change)]
}

fn learned(learning: &Learning) -> Result<Learned> {
    let folder = tempfile::tempdir().unwrap();
    Model::learn(&songs(folder.path()), learning, &mut Silent)
}

fn losses(learning: &Learning) -> Vec<f64> {
    let history = learned(learning).unwrap().history;
    history.epochs.iter().map(|epoch| epoch.train_loss).collect()
}

#[test]
fn what_is_kept_aside_is_measured_and_not_trained_on() {
    for (plain, learning) in both(|_| ()).iter().zip(both(|d| d.validation = 0.25)) {
        assert!(learned(plain).unwrap().history.epochs.iter().all(|e| e.validation_loss.is_none()));
        let history = learned(&learning).unwrap().history;
        let validation: Vec<f64> =
            history.epochs.iter().map(|epoch| epoch.validation_loss.unwrap()).collect();
        assert!(validation.iter().all(|loss| loss.is_finite()), "{validation:?}");
        assert!(validation[3] < validation[0], "what is learned helps there, too: {validation:?}");
        assert_ne!(losses(plain), losses(&learning), "fewer sequences to train on");
        let again = learned(&learning).unwrap().history;
        assert_eq!(again.epochs[3].validation_loss, history.epochs[3].validation_loss);
    }
    for learning in both(|d| d.validation = 0.999) {
        assert!(matches!(learned(&learning), Err(Error::Argument { name: "validation", .. })));
    }
}

/// The parameters of what learns, after every epoch.
#[derive(Default)]
struct Parameters(Vec<Vec<f32>>);

impl Observer for Parameters {
    fn batch(&mut self, _: &History, _: &Position) {}
    fn epoch(&mut self, _: &History, _: &Position) {}
    fn learned(&mut self, model: InTraining<'_>, _: &History) -> Result<()> {
        let variables = match model {
            InTraining::Blocks(network) => network.variables(),
            InTraining::Grains(network, ..) => network.variables(),
            InTraining::Codes(network, _) => network.variables(),
        };
        let values = |variable: &candle_core::Var| variable.flatten_all()?.to_vec1::<f32>();
        let all: candle_core::Result<Vec<_>> = variables.values().map(values).collect();
        self.0.push(all?.concat());
        Ok(())
    }
}

fn parameters(model: &Model) -> Vec<f32> {
    let variables = match model {
        Model::Blocks(network) => network.variables(),
        Model::Grains(composer) => composer.network().variables(),
        Model::Codes(composer) => composer.network().variables(),
    };
    variables.values().flat_map(|v| v.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

#[test]
fn an_early_stop_brings_the_best_parameters_back() {
    let folder = tempfile::tempdir().unwrap();
    let songs = songs(folder.path());
    let change = |descent: &mut Descent| {
        (descent.steps, descent.patience) = (60, Some(2));
        // So fast that the loss goes up sooner or later.
        (descent.learning_rate, descent.schedule) = (0.5, Some(Schedule::Constant));
    };
    for learning in both(change) {
        let mut seen = Parameters::default();
        let learned = Model::learn(&songs, &learning, &mut seen).unwrap();
        assert_eq!(learned.history.stop, Stop::Early, "{}", learned.history);
        let best = learned.history.best().unwrap().epoch;
        assert_eq!(learned.history.epochs.len(), best + 2);
        assert_eq!(parameters(&learned.model), seen.0[best - 1]);
        assert_ne!(parameters(&learned.model), seen.0[best + 1]);
    }
}

#[test]
fn schedules_and_rules_are_followed() {
    let constant = |d: &mut Descent| d.schedule = Some(Schedule::Constant);
    for (usual, constant) in both(|_| ()).iter().zip(both(constant)) {
        let rates = |learning: &Learning| -> Vec<f64> {
            let history = learned(learning).unwrap().history;
            history.epochs.iter().map(|epoch| epoch.learning_rate).collect()
        };
        assert_eq!(rates(&constant), [2e-3; 4]);
        let falling = rates(usual);
        assert!(falling.windows(2).all(|pair| pair[1] < pair[0]), "{falling:?}");
        assert!((falling[3] - 1e-5).abs() < 1e-9, "a two-hundredth at the last step");
        assert_ne!(losses(usual), losses(&constant));
    }
    let sgd = |d: &mut Descent| d.rule = Rule::Sgd(Sgd::default());
    for (usual, sgd) in both(|_| ()).iter().zip(both(sgd)) {
        assert_ne!(losses(usual), losses(&sgd));
    }
}

#[test]
fn all_models_can_be_heard_while_they_learn() {
    let folder = tempfile::tempdir().unwrap();
    let songs = songs(folder.path());
    for learning in both(|_| ()) {
        let written = Written::default();
        let output = written.output(Destination::OwnKernel);
        let listening = Listening { every_epochs: 2, seconds: 2.0, ..Listening::default() };
        let mut live = LiveTraining::to(output).heard_as(listening, Options::default()).unwrap();
        let heard = Model::learn(&songs, &learning, &mut live).unwrap();
        live.finish(&heard.history);
        assert!(!written.events().is_empty());
        let text = written.text();
        for epoch in [2, 4] {
            assert!(text.contains(&format!("after epoch {epoch}<")), "epoch {epoch}");
        }
        assert!(text.contains("<audio"));
        let unheard = Model::learn(&songs, &learning, &mut Silent).unwrap();
        assert_eq!(parameters(&unheard.model), parameters(&heard.model), "hearing changes nothing");
    }
}

#[test]
fn a_batch_that_no_memory_holds_is_refused_with_one_that_fits() {
    for learning in both(|descent| descent.batch_size = 1 << 40) {
        let error = learned(&learning).unwrap_err();
        assert!(matches!(error, Error::Memory(_)), "{error}");
        let words = error.to_string();
        assert!(words.contains("free: batches of ") && words.contains("would fit"), "{words}");
    }
}

#[test]
fn the_songs_and_the_network_are_told_before_the_first_batch() {
    #[derive(Default)]
    struct Told(Vec<String>, bool);
    impl Observer for Told {
        fn batch(&mut self, _: &History, _: &Position) {
            self.1 = true;
        }
        fn epoch(&mut self, _: &History, _: &Position) {}
        fn prepared(&mut self, what: &dyn std::fmt::Display) {
            assert!(!self.1);
            self.0.push(what.to_string());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for learning in both(|_| ()) {
        let mut told = Told::default();
        Model::learn(&songs(folder.path()), &learning, &mut told).unwrap();
        assert_eq!(told.0.len(), 2);
        assert!(told.0[0].contains("1 song") && told.0[1].contains("GRU"), "{:?}", told.0);
    }
}
