use super::backpropagation::{Backpropagation, Part};
use super::best::Best;
use super::loss::Criterion;
use super::optimizer::Optimizer;
use super::schedule::Progress;
use super::{EpochRecord, History, Observer, Position, Stop, Training, feedback, memory};
use crate::dataset::{Batch, Dataset};
use crate::model::{Dropout, Network, TrainingRecord};
use crate::{Error, Result, interrupt};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// Trains `network` on `data` as `settings` say.
///
/// A request to stop ([`interrupt`]) ends it after the running batch; the network then is as trained
/// as it got, and the history says so.
///
/// # Errors
/// [`Error::Argument`] for impossible settings or data of another width than the network's;
/// [`Error::Memory`] when it would not fit into the memory that is free, with what would;
/// [`Error::Data`] when the loss stops being a number.
pub fn run(
    network: &mut Network,
    data: &Dataset,
    settings: &Training,
    observer: &mut dyn Observer,
) -> Result<History> {
    let _job = interrupt::begin()?;
    settings.check()?;
    check_fit(network, data)?;
    check_memory(network, data, settings)?;
    let (training, validation) = data.split(settings.validation)?;
    let device = network.device().candle().clone();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut trainer = Trainer::new(network, settings)?;
    let mut best = Best::new(settings.patience);
    let mut history = History::empty(network.device());
    let start = Instant::now();
    network.provenance.trainings.push(TrainingRecord {
        songs: data.songs().iter().map(|song| song.title.clone()).collect(),
        song_seconds: data.duration_seconds(),
        seconds: None,
        seed: settings.seed,
        epochs: 0,
        device: history.device.clone(),
    });

    for epoch in 1..=settings.epochs {
        let epoch_start = Instant::now();
        let batches = data.batches(&training, settings.batch_size, Some(&mut random));
        let mut position = Position {
            epoch,
            epochs: settings.epochs,
            batch: 0,
            batches: batches.len(),
            loss: 0.0,
            elapsed_seconds: 0.0,
        };
        let mut loss = MeanLoss::default();
        for batch in batches.on(&device) {
            let batch = batch?;
            let done = position.batches_done() as f64 / position.batches_planned() as f64;
            let own_share = settings.scheduled_sampling * done;
            loss.add(trainer.batch(network, &batch, own_share, &mut random)?, &batch)?;
            position.batch += 1;
            position.loss = loss.mean();
            position.elapsed_seconds = start.elapsed().as_secs_f64();
            if !position.loss.is_finite() {
                return Err(Error::Data(format!(
                    "the loss is {} after epoch {epoch}, batch {}: training diverged; use a lower \
                     learning rate than {} or a clip norm",
                    position.loss, position.batch, settings.learning_rate
                )));
            }
            observer.batch(&history, &position);
            if interrupt::requested() {
                break;
            }
        }
        let complete = position.batch == position.batches;
        if complete {
            let record = EpochRecord {
                epoch,
                train_loss: loss.mean(),
                validation_loss: trainer.measure(network, data, &validation)?,
                learning_rate: trainer.rate,
                seconds: epoch_start.elapsed().as_secs_f64(),
            };
            trainer.rates.observe(record.deciding_loss());
            history.epochs.push(record);
            if let Some(training) = network.provenance.trainings.last_mut() {
                training.epochs = epoch;
                training.seconds = Some(start.elapsed().as_secs_f64());
            }
            position.elapsed_seconds = start.elapsed().as_secs_f64();
            observer.epoch(&history, &position);
            observer.network(network, &history);
            save_checkpoint(network, settings, epoch)?;
        }
        if interrupt::requested() {
            history.stop = Stop::Interrupted;
            break;
        }
        if let Some(record) = history.epochs.last()
            && best.is_out_of_patience(record, network)?
        {
            history.stop = Stop::Early;
            break;
        }
    }
    if history.stop == Stop::Early {
        best.restore()?;
    }
    if let Some(checkpoints) = &settings.checkpoints {
        network.save(&checkpoints.path)?;
    }
    Ok(history)
}

/// What makes the steps.
struct Trainer<'a> {
    settings: &'a Training,
    criterion: Criterion,
    backpropagation: Backpropagation,
    optimizer: Optimizer,
    rates: Progress,
    /// The last step's size.
    rate: f64,
    dropout: Dropout,
}

impl<'a> Trainer<'a> {
    fn new(network: &Network, settings: &'a Training) -> Result<Self> {
        let criterion = network.criterion(settings.loss)?;
        Ok(Self {
            settings,
            backpropagation: Backpropagation::new(network, criterion.clone(), settings.recompute),
            criterion,
            optimizer: network.optimizer(settings.rule)?.with_clip_norm(settings.clip_norm)?,
            rates: settings.schedule.start()?,
            rate: settings.learning_rate,
            dropout: Dropout::new(settings.dropout, settings.seed)?,
        })
    }

    /// One optimizer step, or one for each run of steps that gradients go back through; the batch's
    /// mean loss.
    fn batch(
        &mut self,
        network: &mut Network,
        batch: &Batch,
        own_share: f64,
        random: &mut ChaCha8Rng,
    ) -> Result<f64> {
        let inputs = feedback::inputs(network, batch, own_share, random)?;
        let steps = inputs.dim(1)?;
        let whole = Part { inputs, targets: batch.targets.clone(), first_step: 0 };
        let (mut state, mut loss) = (None, 0.);
        for part in whole.split(self.settings.truncate_steps)? {
            let dropout = self.dropout.at_update(network.updates() as u64);
            let outcome = self.backpropagation.run(&part, state, &dropout)?;
            self.rate = self.rates.next_rate(self.settings.learning_rate);
            self.optimizer.step(&outcome.gradients, self.rate)?;
            loss += outcome.loss * part.steps() as f64 / steps as f64;
            state = Some(outcome.state);
        }
        Ok(loss)
    }

    /// The mean loss over the sequences `indices`, or nothing when there are none.
    fn measure(&self, network: &Network, data: &Dataset, indices: &[usize]) -> Result<Option<f64>> {
        if indices.is_empty() {
            return Ok(None);
        }
        let mut loss = MeanLoss::default();
        let device = network.device().candle();
        for batch in data.batches(indices, self.settings.batch_size, None).on(device) {
            let batch = batch?;
            let inputs = network.join(&batch.inputs, &batch.inputs)?;
            let (predicted, _) = network.predict(&inputs, None)?;
            let of_batch = self.criterion.of(&predicted, &batch.targets)?;
            loss.add(f64::from(of_batch.to_scalar::<f32>()?), &batch)?;
        }
        Ok(Some(loss.mean()))
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

/// On the processor; what a GPU has left its driver does not tell us.
fn check_memory(network: &Network, data: &Dataset, settings: &Training) -> Result<()> {
    let Some(available) = memory::available_bytes().filter(|_| network.device().is_cpu()) else {
        return Ok(());
    };
    let config = network.config();
    let present = 4 * config.parameter_count() as u64;
    memory::check(config, data.settings().sequence_blocks, settings, present, available)
}

fn save_checkpoint(network: &Network, settings: &Training, epoch: usize) -> Result<()> {
    match &settings.checkpoints {
        Some(checkpoints) if epoch.is_multiple_of(checkpoints.every_epochs) => {
            network.save(&checkpoints.path)
        }
        _ => Ok(()),
    }
}

/// A mean over sequences: the last batch of an epoch may be smaller than the others.
#[derive(Default)]
struct MeanLoss {
    sum: f64,
    sequences: usize,
}

impl MeanLoss {
    fn add(&mut self, loss: f64, batch: &Batch) -> Result<()> {
        let sequences = batch.inputs.dim(0)?;
        self.sum += loss * sequences as f64;
        self.sequences += sequences;
        Ok(())
    }

    fn mean(&self) -> f64 {
        self.sum / self.sequences as f64
    }
}
