use super::optimizer::{Optimizer, RmsProp, Rule};
use super::{EpochRecord, History, Observer, Position, Stop, Training, loss};
use crate::dataset::{Batch, Dataset};
use crate::model::Network;
use crate::{Error, Result, interrupt};
use candle_core::{Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// Trains `network` on `data`: minimises the mean squared error between the predicted and the next
/// block with RMSprop as Keras defines it.
///
/// A request to stop ([`interrupt`]) ends it after the running batch; the network then is as trained
/// as it got, and the history says so.
///
/// # Errors
/// [`Error::Argument`] for impossible settings or data of another width than the network's;
/// [`Error::Data`] when the loss stops being a number.
pub fn run(
    network: &mut Network,
    data: &Dataset,
    settings: &Training,
    observer: &mut dyn Observer,
) -> Result<History> {
    settings.check()?;
    check_fit(network, data)?;
    interrupt::clear();
    let (training, validation) = data.split(settings.validation)?;
    let device = network.device().candle().clone();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut optimizer =
        Optimizer::new(Rule::RmsProp(RmsProp::default()), named_variables(network))?
            .with_clip_norm(settings.clip_norm)?;
    let mut best = Best::new(settings.patience);
    let mut history =
        History { epochs: Vec::new(), stop: Stop::Finished, device: network.device().to_string() };
    let start = Instant::now();

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
            let batch_loss = batch_loss(network, &batch)?;
            optimizer.minimize(&batch_loss, settings.learning_rate)?;
            network.updates += 1;
            loss.add(&batch_loss, &batch)?;
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
            history.epochs.push(EpochRecord {
                epoch,
                train_loss: loss.mean(),
                validation_loss: measure(network, data, &validation, settings.batch_size)?,
                learning_rate: settings.learning_rate,
                seconds: epoch_start.elapsed().as_secs_f64(),
            });
            position.elapsed_seconds = start.elapsed().as_secs_f64();
            observer.epoch(&history, &position);
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

fn named_variables(network: &Network) -> Vec<(String, Var)> {
    network.variables().iter().map(|(name, variable)| (name.clone(), variable.clone())).collect()
}

fn batch_loss(network: &Network, batch: &Batch) -> Result<Tensor> {
    let (predicted, _) = network.forward(&batch.inputs, None)?;
    loss::mean_squared_error(&predicted, &batch.targets)
}

/// The mean loss over the sequences `indices`, or nothing when there are none.
fn measure(
    network: &Network,
    data: &Dataset,
    indices: &[usize],
    batch_size: usize,
) -> Result<Option<f64>> {
    if indices.is_empty() {
        return Ok(None);
    }
    let mut loss = MeanLoss::default();
    for batch in data.batches(indices, batch_size, None).on(network.device().candle()) {
        let batch = batch?;
        loss.add(&batch_loss(network, &batch)?, &batch)?;
    }
    Ok(Some(loss.mean()))
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
    fn add(&mut self, loss: &Tensor, batch: &Batch) -> Result<()> {
        let sequences = batch.inputs.dim(0)?;
        self.sum += f64::from(loss.to_scalar::<f32>()?) * sequences as f64;
        self.sequences += sequences;
        Ok(())
    }

    fn mean(&self) -> f64 {
        self.sum / self.sequences as f64
    }
}

/// The best parameters so far, kept only where patience asks for them.
struct Best {
    patience: Option<usize>,
    loss: f64,
    epochs_without: usize,
    parameters: Vec<(Var, Tensor)>,
}

impl Best {
    fn new(patience: Option<usize>) -> Self {
        Self { patience, loss: f64::INFINITY, epochs_without: 0, parameters: Vec::new() }
    }

    fn is_out_of_patience(&mut self, record: &EpochRecord, network: &Network) -> Result<bool> {
        let Some(patience) = self.patience else { return Ok(false) };
        if record.deciding_loss() < self.loss {
            self.loss = record.deciding_loss();
            self.epochs_without = 0;
            let copy = |variable: &Var| Ok((variable.clone(), variable.as_tensor().copy()?));
            self.parameters = network.variables().values().map(copy).collect::<Result<_>>()?;
        } else {
            self.epochs_without += 1;
        }
        Ok(self.epochs_without >= patience)
    }

    fn restore(&self) -> Result<()> {
        for (variable, tensor) in &self.parameters {
            variable.set(tensor)?;
        }
        Ok(())
    }
}
