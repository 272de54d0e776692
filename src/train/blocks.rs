//! Training a network of blocks: it predicts the next row of each sequence.

use super::ahead::Ahead;
use super::backpropagation::{Backpropagation, Part};
use super::batch_loss::BatchLoss;
use super::checkpoints::{Fingerprint, Identity};
use super::fit::fit;
use super::loss::{Criterion, Loss};
use super::objective::{Mean, Objective, Place, Steps, random_of_epoch};
use super::plan::Plan;
use super::{History, InTraining, Observer, Training, feedback, memory};
use crate::dataset::Dataset;
use crate::model::{Device, Dropout, ModelKind, Network, TrainingRecord};
use crate::processes::Share;
use crate::{Error, Result, interrupt};
use candle_core::{Tensor, Var};
use rand::seq::SliceRandom;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Trains `network` on `data` as `settings` say.
///
/// A request to stop ([`interrupt`]) ends it after the running batch: the network keeps what it has
/// learned, and the history says so.
///
/// # Errors
/// [`Error::Argument`] for impossible settings or data of another width than the network's;
/// [`Error::Memory`] when it would not fit into the memory that is free, with what would;
/// [`Error::Data`] when the loss is no longer finite.
pub fn run(
    network: &mut Network,
    data: &Dataset,
    settings: &Training,
    observer: &mut dyn Observer,
) -> Result<History> {
    let _job = interrupt::begin()?;
    settings.check()?;
    check_fit(network, data)?;
    let of_one = settings.processes.share(settings.batch_size).rows.len();
    let needed_bytes = check_memory(network, data, &settings.clone().batch(of_one))?;
    observer.prepared(data);
    observer.prepared(network);
    let optimizer = network.optimizer(settings.rule)?;
    let plan = Plan { needed_bytes, ..settings.plan() };
    let trained = NextBlock::new(network, data, settings, needed_bytes)
        .and_then(|mut objective| fit(&mut objective, &plan, optimizer, observer));
    trained.map_err(|error| {
        let config = network.config();
        let present = 4 * config.parameter_count() as u64;
        let available = network.device().free_bytes().unwrap_or(0);
        let training = (config, data.settings().sequence_blocks, settings);
        memory::explained(error, training, present, available)
    })
}

/// The mean loss of `network` as it is, over some sequences of `data`, `batch` of them at a time.
///
/// ```
/// # use neural_composer::{audio::Audio, dataset::{Dataset, DatasetSettings}};
/// # use neural_composer::model::{Device, Network, NetworkConfig, gru};
/// # let hum = Audio::mono((0..64_000).map(|i| (i as f32 * 0.1).sin()).collect(), 16_000)?;
/// # let data = Dataset::from_audio(&[("hum".into(), hum)], DatasetSettings::fast())?;
/// # let config = NetworkConfig::stack(data.blocks().width(), [gru(8)]);
/// # let network = Network::new(config, &data, 1, &Device::cpu())?;
/// use neural_composer::train::{self, loss::Loss};
/// let all: Vec<usize> = (0..data.len()).collect();
/// assert!(train::measure(&network, &data, (&all, 16), Loss::MeanSquared)? > 0.0);
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for data of another width than the network's, for batches of nothing, and for
/// sequences that are not there.
pub fn measure(
    network: &Network,
    data: &Dataset,
    (sequences, batch): (&[usize], usize),
    loss: Loss,
) -> Result<f64> {
    let _job = interrupt::begin()?;
    check_fit(network, data)?;
    Error::refuse_zero([("batch_size", batch), ("sequences", sequences.len())])?;
    Ok(mean_loss(network, data, (sequences, batch), &network.criterion(loss)?)?.value())
}

fn mean_loss(
    network: &Network,
    data: &Dataset,
    (sequences, batch): (&[usize], usize),
    criterion: &Criterion,
) -> Result<Mean> {
    let (mut losses, mut counts) = (Vec::new(), Vec::new());
    for batch in data.batches(sequences, batch, None).on(network.device().candle()) {
        let batch = batch?;
        let inputs = network.join(&batch.inputs, &batch.inputs)?;
        let (predicted, _) = network.predict(&inputs, None)?;
        losses.push(BatchLoss::of(&criterion.of(&predicted, &batch.targets)?)?);
        counts.push(batch.inputs.dim(0)?);
    }
    let mut mean = Mean::default();
    BatchLoss::values(losses.iter())?.into_iter().zip(counts).for_each(|batch| mean.add(batch));
    Ok(mean)
}

/// The loss of what a network predicts for the next block.
struct NextBlock<'a> {
    network: &'a mut Network,
    data: &'a Dataset,
    settings: &'a Training,
    criterion: Criterion,
    backpropagation: Backpropagation,
    dropout: Dropout,
    ahead: Ahead,
    /// The sequences trained on, in the epoch's order.
    training: Vec<usize>,
    validation: Vec<usize>,
}

impl<'a> NextBlock<'a> {
    fn new(
        network: &'a mut Network,
        data: &'a Dataset,
        settings: &'a Training,
        needed_bytes: u64,
    ) -> Result<Self> {
        let ahead = Ahead::new(data, settings).keep_on(network.device(), needed_bytes);
        let (training, validation) = data.split(settings.validation)?;
        let criterion = network.criterion(settings.loss)?;
        let backpropagation = Backpropagation::new(network, criterion.clone(), settings.recompute);
        network.provenance.trainings.push(TrainingRecord {
            songs: data.songs().iter().map(|song| song.title.clone()).collect(),
            song_seconds: data.duration_seconds(),
            seconds: None,
            seed: settings.seed,
            epochs: 0,
            device: network.device().to_string(),
        });
        let dropout = Dropout::new(settings.dropout, settings.seed)?;
        Ok(Self {
            network,
            data,
            settings,
            criterion,
            backpropagation,
            dropout,
            ahead,
            training,
            validation,
        })
    }

    fn sequences_of(&self, place: Place) -> &[usize] {
        let size = self.settings.batch_size;
        let from = place.batch * size;
        &self.training[from..(from + size).min(self.training.len())]
    }

    /// As [`batch`](Objective::batch), in the precision that holds.
    fn learn_batch(&mut self, place: Place, steps: &mut Steps) -> Result<(BatchLoss, usize)> {
        let sequences = self.sequences_of(place).len();
        let Share { rows, weight } = self.settings.processes.share(sequences);
        let first = rows.start;
        let device = self.network.device().candle();
        let batch = self.ahead.batch(&self.training, place.batch, device)?;
        self.backpropagation.tell(steps.taker());
        let own_share = self.settings.scheduled_sampling * place.done;
        let mut random = place.random(self.settings.seed);
        let inputs = feedback::inputs(self.network, &batch, own_share, first, &mut random)?;
        let all = inputs.dim(1)?;
        let whole = Part { inputs, targets: batch.targets.clone(), first_step: 0, weight };
        let (mut state, mut loss) = (None, BatchLoss::Known(0.));
        for part in whole.split(self.settings.truncate_steps)? {
            let dropout = self.dropout.at_update(self.network.updates() as u64).at_sequence(first);
            let outcome = self.backpropagation.run(&part, state, &dropout)?;
            let (gradients, of_part) = steps.add_up(outcome.gradients, outcome.loss)?;
            steps.step(&gradients, &of_part)?;
            if of_part.is_wrong() {
                return Ok((of_part, sequences));
            }
            loss = loss.plus(of_part.times(part.steps() as f64 / all as f64)?)?;
            state = Some(outcome.state);
        }
        Ok((loss, sequences))
    }
}

impl Objective for NextBlock<'_> {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.network.variables()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    fn in_training(&self) -> InTraining<'_> {
        InTraining::Blocks(self.network)
    }

    fn batches(&self) -> usize {
        self.training.len().div_ceil(self.settings.batch_size)
    }

    fn begin_epoch(&mut self, epoch: usize) -> usize {
        // From the same order each time: an epoch's is its own, whatever came before it.
        self.training.sort_unstable();
        self.training.shuffle(&mut random_of_epoch(self.settings.seed, epoch));
        self.ahead.begin_epoch();
        self.batches()
    }

    /// One optimizer step, or one for each run of steps that gradients go back through.
    fn batch(&mut self, place: Place, steps: &mut Steps) -> Result<(BatchLoss, usize)> {
        self.settings.precision.during(|| self.learn_batch(place, steps))
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        if self.validation.is_empty() {
            return Ok(None);
        }
        let own = &self.validation[self.settings.processes.part(self.validation.len())];
        let sequences = (own, self.settings.batch_size);
        let mean = mean_loss(self.network, self.data, sequences, &self.criterion)?;
        Ok(Some(mean.of_all(&self.settings.processes)?.value()))
    }

    fn end_epoch(&mut self, epochs: usize, seconds: f64) {
        if let Some(training) = self.network.provenance.trainings.last_mut() {
            training.epochs = epochs;
            training.seconds = Some(seconds);
        }
    }

    fn waited_seconds(&self) -> f64 {
        self.ahead.waited_seconds()
    }

    fn songs_of(&self, place: Place) -> Vec<String> {
        let songs = self.sequences_of(place).iter().filter_map(|sequence| {
            self.data.sequence_origin(*sequence).map(|(title, _)| title.to_owned())
        });
        songs.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn identity(&self) -> Result<Identity> {
        let titles = self.data.songs().iter().map(|song| song.title.as_str());
        let mut data = Fingerprint::default();
        let mut known = None;
        for sequence in 0..self.data.len() {
            match self.data.key_of(sequence) {
                Some(key) if known == Some(key) => {}
                Some(key) => {
                    data.add_key(key);
                    known = Some(key);
                }
                None => data.add(&self.data.sequence(sequence)?),
            }
        }
        let what = (ModelKind::Blocks, self.network.config(), &self.data.settings());
        Identity::new(self.settings, what, titles, data)
    }

    fn described(&self) -> Result<(Value, BTreeMap<String, Tensor>)> {
        self.network.described()
    }

    fn go_on(&mut self, description: &Value) -> Result<()> {
        if let Some(provenance) = Network::provenance_in(description) {
            self.network.provenance = provenance;
        }
        Ok(())
    }

    fn updates(&self) -> usize {
        self.network.updates()
    }

    fn set_updates(&mut self, updates: usize) {
        self.network.updates.set(updates);
    }
}

fn check_fit(network: &Network, data: &Dataset) -> Result<()> {
    if network.dataset_settings().blocks == data.blocks() {
        return Ok(());
    }
    Err(Error::argument(
        "data",
        format!("blocks as the network was made for: {:?}", network.dataset_settings().blocks),
        format!("{:?}", data.blocks()),
    ))
}

/// What training will take besides the network, which is there already. Refused where the device has
/// not that much left.
fn check_memory(network: &Network, data: &Dataset, settings: &Training) -> Result<u64> {
    let (config, steps) = (network.config(), data.settings().sequence_blocks);
    let present = 4 * config.parameter_count() as u64;
    if let Some(available) = network.device().free_bytes() {
        memory::check(config, steps, settings, present, available)?;
    }
    Ok(settings.memory(config, data).total().saturating_sub(present))
}
