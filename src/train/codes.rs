use super::descent::Descent;
use super::fit::{Objective, Place, Steps, fit};
use super::loss::{SoftTargets, soft_cross_entropy};
use super::{History, Observer};
use crate::dataset::codes::{CodedSongs, input_row};
use crate::model::{CodeNetwork, Device, Dropout};
use crate::{Error, Result, interrupt};
use candle_core::{D, Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// How to teach a [`CodeNetwork`] which block of spectra follows which.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeTraining {
    /// Optimizer steps. Usual: 160.
    pub steps: usize,
    /// Steps that are reported together as an epoch.
    pub steps_per_epoch: usize,
    /// Sequences per step. Usual: 24.
    pub batch_size: usize,
    /// Blocks per sequence. Usual: 48, about 4.5 s.
    pub sequence_blocks: usize,
    /// Step size of AdamW at the beginning; it falls in a straight line to a two-hundredth.
    pub learning_rate: f64,
    /// Weight decay of AdamW. Usual: 0.05.
    pub weight_decay: f64,
    /// The share of units left out. Usual: 0.3.
    pub dropout: f64,
    /// How often a step hears what the network would have said itself instead of the truth, at the end
    /// of training; it rises from 0. Usual: 0.25.
    pub scheduled_sampling: f64,
    /// Decides everything drawn at random.
    pub seed: u64,
}

impl Default for CodeTraining {
    fn default() -> Self {
        Self {
            steps: 160,
            steps_per_epoch: 20,
            batch_size: 24,
            sequence_blocks: 48,
            learning_rate: 2e-3,
            weight_decay: 0.05,
            dropout: 0.3,
            scheduled_sampling: 0.25,
            seed: 1,
        }
    }
}

impl CodeTraining {
    fn check(&self) -> Result<()> {
        self.descent().check()?;
        let (batch, sequence) = (self.batch_size, self.sequence_blocks);
        Error::refuse_zero([("batch_size", batch), ("sequence_blocks", sequence)])?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::argument("dropout", "0 to below 1", self.dropout));
        }
        if !(0.0..=1.0).contains(&self.scheduled_sampling) {
            let expected = "a share from 0 to 1";
            return Err(Error::argument("scheduled_sampling", expected, self.scheduled_sampling));
        }
        Ok(())
    }

    fn descent(&self) -> Descent {
        Descent {
            steps: self.steps,
            steps_per_epoch: self.steps_per_epoch,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
        }
    }
}

/// Sequences of codes: what a network takes in, and what it should predict.
struct Lesson {
    /// The codes taken in, row after row.
    heard: Vec<u32>,
    /// The codes that follow.
    next: Vec<u32>,
    /// Where in the beat what follows lies.
    beats: Vec<Option<f32>>,
}

/// Teaches `network` which block of spectra follows which: it takes in codes, four ways each (blocks
/// may start at any frame), and minimises the cross-entropy of the codes that follow.
///
/// From step to step its input has more of what it would have predicted itself (parallel scheduled
/// sampling, Duckworth et al. 2019). A request to stop ([`interrupt`](crate::interrupt)) ends it after
/// the running step.
///
/// # Errors
/// [`Error::Argument`] for impossible settings; [`Error::Data`] when the loss is no longer finite.
pub fn code(
    network: &mut CodeNetwork,
    songs: &CodedSongs,
    settings: &CodeTraining,
    observer: &mut dyn Observer,
) -> Result<History> {
    let _job = interrupt::begin()?;
    settings.check()?;
    let descent = settings.descent();
    let optimizer = descent.optimizer(network.variables())?;
    let dropout = Dropout::new(settings.dropout, settings.seed)?;
    let mut objective = NextCodes { network, songs, settings, descent, dropout };
    fit(&mut objective, &descent.plan(), optimizer, observer)
}

/// The cross-entropy of the codes that follow.
struct NextCodes<'a> {
    network: &'a CodeNetwork,
    songs: &'a CodedSongs,
    settings: &'a CodeTraining,
    descent: Descent,
    dropout: Dropout,
}

impl Objective for NextCodes<'_> {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.network.variables()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    fn batches(&self) -> usize {
        self.descent.steps_per_epoch
    }

    fn begin_epoch(&mut self, epoch: usize) -> usize {
        self.descent.steps_in(epoch)
    }

    fn batch(&mut self, place: Place, steps: &mut Steps) -> Result<(f64, usize)> {
        let Self { network, songs, settings, .. } = *self;
        let mut random = place.random(settings.seed);
        let mut lesson = draw(songs, settings, &mut random);
        let own = settings.scheduled_sampling * place.done;
        hear_itself(network, songs, settings, &mut lesson, own, &mut random)?;
        let step = self.descent.step(place);
        let loss = loss(network, songs, settings, &lesson, &self.dropout.at_update(step))?;
        Ok((steps.minimize(&loss)?, settings.batch_size))
    }
}

/// A batch of sequences from anywhere in the songs, longer songs more often.
fn draw(songs: &CodedSongs, settings: &CodeTraining, random: &mut ChaCha8Rng) -> Lesson {
    let (stages, frames) = (songs.codebook().stages(), songs.settings().frames_per_block);
    let all: usize = songs.songs().iter().map(|song| song.starts(stages)).sum();
    let mut lesson = Lesson { heard: Vec::new(), next: Vec::new(), beats: Vec::new() };
    let steps = settings.sequence_blocks;
    for _ in 0..settings.batch_size {
        let mut place = random.random_range(0..all);
        let mut song = &songs.songs()[0];
        for candidate in songs.songs() {
            song = candidate;
            match place.checked_sub(candidate.starts(stages)) {
                Some(rest) => place = rest,
                None => break,
            }
        }
        let mut frame =
            song.later(random.random_range(0..song.starts(stages)), 0, songs.settings());
        for _ in 0..steps {
            let next = song.later(frame, frames, songs.settings());
            lesson.heard.extend(song.codes_at(frame, stages));
            lesson.next.extend(song.codes_at(next, stages));
            lesson.beats.push(song.beat_at(next));
            frame = next;
        }
    }
    lesson
}

fn rows(
    network: &CodeNetwork,
    songs: &CodedSongs,
    settings: &CodeTraining,
    lesson: &Lesson,
) -> Result<Tensor> {
    let heard = songs.heard(&lesson.heard)?;
    let mut input = Vec::with_capacity(lesson.beats.len() * network.config().width);
    for (row, beat) in heard.chunks_exact(songs.codebook().width()).zip(&lesson.beats) {
        input_row(row, *beat, &mut input);
    }
    let width = network.config().width;
    let steps = lesson.beats.len() / settings.batch_size;
    let shape = (settings.batch_size, steps, width);
    Ok(Tensor::from_vec(input, shape, network.device().candle())?)
}

fn codes_of(codes: &[u32], stages: usize, network: &CodeNetwork) -> Result<Vec<Tensor>> {
    (0..stages)
        .map(|stage| {
            let codes: Vec<u32> = codes.iter().skip(stage).step_by(stages).copied().collect();
            let count = codes.len();
            Ok(Tensor::from_vec(codes, count, network.device().candle())?)
        })
        .collect()
}

/// The cross-entropy of what follows, averaged over rows and stages.
fn loss(
    network: &CodeNetwork,
    songs: &CodedSongs,
    settings: &CodeTraining,
    lesson: &Lesson,
    dropout: &Dropout,
) -> Result<Tensor> {
    let (hidden, _) = network.forward(&rows(network, songs, settings, lesson)?, None, dropout)?;
    let hidden = hidden.flatten(0, 1)?;
    let stages = network.config().stages;
    let next = codes_of(&lesson.next, stages, network)?;
    let mut sum: Option<Tensor> = None;
    for stage in 0..stages {
        let logits = network.logits(stage, &hidden, &next)?;
        let candidates: Vec<u32> = next[stage].to_vec1()?;
        let shares = vec![1.0; candidates.len()];
        let part = soft_cross_entropy(&logits, SoftTargets { candidates, shares, per_row: 1 })?;
        sum = Some(match sum {
            Some(sum) => (sum + part)?,
            None => part,
        });
    }
    let sum = sum.ok_or_else(|| Error::argument("stages", "at least 1", 0))?;
    Ok((sum / stages as f64)?)
}

/// Replaces a share of what is heard by what the network would have drawn for it.
fn hear_itself(
    network: &CodeNetwork,
    songs: &CodedSongs,
    settings: &CodeTraining,
    lesson: &mut Lesson,
    share: f64,
    random: &mut ChaCha8Rng,
) -> Result<()> {
    if share <= 0.0 {
        return Ok(());
    }
    let steps = lesson.beats.len() / settings.batch_size;
    // What follows row r is heard at row r + 1 of the same sequence.
    let chosen: Vec<u32> = (0..lesson.beats.len() as u32)
        .filter(|row| !(*row as usize).is_multiple_of(steps) && random.random_bool(share.min(1.0)))
        .collect();
    if chosen.is_empty() {
        return Ok(());
    }
    let stages = network.config().stages;
    let input = rows(network, songs, settings, lesson)?;
    let (hidden, _) = network.forward(&input, None, &Dropout::NONE)?;
    let before: Vec<u32> = chosen.iter().map(|row| row - 1).collect();
    let count = before.len();
    let before = Tensor::from_vec(before, count, input.device())?;
    let hidden = hidden.flatten(0, 1)?.detach().index_select(&before, 0)?;
    let mut said: Vec<Tensor> = Vec::new();
    for stage in 0..stages {
        let logits = network.logits(stage, &hidden, &said)?;
        // The largest of logits with Gumbel's noise is a draw from their softmax.
        let noise: Vec<f32> = (0..logits.elem_count())
            .map(|_| -(-(random.random::<f32>().max(1e-9)).ln()).max(1e-9).ln())
            .collect();
        let noise = Tensor::from_vec(noise, logits.shape(), logits.device())?;
        let drawn = (logits + noise)?.argmax(D::Minus1)?;
        for (row, code) in chosen.iter().zip(drawn.to_vec1::<u32>()?) {
            lesson.heard[*row as usize * stages + stage] = code;
        }
        said.push(drawn);
    }
    Ok(())
}
