//! Training a network of codes: it predicts the next block's codes.

use super::checkpoints::{Fingerprint, Identity};
use super::drawn::{DrawnLoss, descend};
use super::loss::{SoftTargets, soft_cross_entropy};
use super::objective::Place;
use super::{CodeTraining, History, InTraining, Observer};
use crate::dataset::codes::{BarPlace, CodedSongs, input_row};
use crate::model::{CODES, CodeNetwork, Device, Dropout, ModelFile, ModelKind};
use crate::{Error, Result, interrupt};
use candle_core::{D, Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gumbel};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Sequences of codes: what a network takes in, and what it should predict.
#[derive(Default)]
struct Lesson {
    /// The codes taken in, row after row.
    heard: Vec<u32>,
    /// The codes that follow.
    next: Vec<u32>,
    /// Where in beat and bar what follows lies.
    places: Vec<Option<BarPlace>>,
    /// The songs they are from, one number for each sequence.
    songs: Vec<usize>,
}

impl Lesson {
    /// These of its sequences, of `steps` rows of `stages` codes each.
    fn part(self, sequences: &Range<usize>, steps: usize, stages: usize) -> Self {
        let rows = sequences.start * steps..sequences.end * steps;
        let codes = rows.start * stages..rows.end * stages;
        Self {
            heard: self.heard[codes.clone()].to_vec(),
            next: self.next[codes].to_vec(),
            places: self.places[rows].to_vec(),
            songs: self.songs[sequences.clone()].to_vec(),
        }
    }
}

/// Teaches `network` which block of spectra follows which: its input is codes, four ways each (blocks
/// may start at any frame), and it minimises the cross-entropy of the codes that follow.
///
/// From step to step its input has more of what it would have predicted itself (parallel scheduled
/// sampling, Duckworth et al. 2019). A request to stop ([`interrupt`](crate::interrupt)) ends it after
/// the running step.
///
/// # Errors
/// [`Error::Argument`] for impossible settings; [`Error::Memory`] when a batch does not fit into the
/// memory that is free; [`Error::Data`] when the loss is no longer finite.
pub fn code(
    network: &mut CodeNetwork,
    songs: &Arc<CodedSongs>,
    settings: &CodeTraining,
    observer: &mut dyn Observer,
) -> Result<History> {
    let _job = interrupt::begin()?;
    settings.check()?;
    observer.prepared(songs);
    observer.prepared(network);
    descend(&NextCodes::new(network, songs, settings)?, &settings.descent, observer)
}

/// The cross-entropy of the codes that follow.
struct NextCodes<'a> {
    network: &'a CodeNetwork,
    songs: &'a Arc<CodedSongs>,
    settings: &'a CodeTraining,
    /// For each song the frames to train on.
    trained: Vec<Range<usize>>,
    /// For each song those that are kept aside, after the others.
    kept: Vec<Range<usize>>,
}

impl<'a> NextCodes<'a> {
    fn new(
        network: &'a CodeNetwork,
        songs: &'a Arc<CodedSongs>,
        settings: &'a CodeTraining,
    ) -> Result<Self> {
        let (stages, block) = (songs.codebook().stages(), songs.settings().frames_per_block);
        let validation = settings.descent.validation;
        let (mut trained, mut kept) = (Vec::new(), Vec::new());
        for song in songs.songs() {
            let starts = song.starts(stages);
            let blocks = (starts as f64 * validation / block as f64).round() as usize;
            // A sequence has two blocks at least.
            let aside =
                if blocks < 2 || starts < (blocks + 2) * block { 0 } else { blocks * block };
            trained.push(0..starts - aside);
            kept.push(starts - aside..starts);
        }
        if validation > 0.0 && kept.iter().all(Range::is_empty) {
            let expected = "a share that keeps two blocks of a song aside, and leaves two";
            return Err(Error::argument("validation", expected, validation));
        }
        Ok(Self { network, songs, settings, trained, kept })
    }
}

impl DrawnLoss for NextCodes<'_> {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.network.variables()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    fn numbers_per_sequence(&self) -> u64 {
        let config = self.network.config();
        // What is mixed, its activation, and logits with their probabilities and gradients.
        let of_stage = 4 * config.units + 3 * config.codes;
        let of_row = self.network.numbers_per_row() + config.stages * of_stage;
        (self.settings.sequence_blocks * of_row) as u64
    }

    fn of_batch(
        &self,
        place: Place,
        rows: Range<usize>,
        dropout: &Dropout,
        random: &mut ChaCha8Rng,
    ) -> Result<Tensor> {
        let lesson = self.draw(&self.trained, random);
        let (stages, steps) = (self.network.config().stages, self.settings.sequence_blocks);
        let (all, first) = (lesson.places.len(), rows.start * steps);
        let mut lesson = lesson.part(&rows, steps, stages);
        let own = self.settings.scheduled_sampling * place.done;
        self.hear_itself(&mut lesson, own, (first, all), random)?;
        self.of_lesson(&lesson, dropout)
    }

    fn validation_batches(&self) -> usize {
        let block = self.songs.settings().frames_per_block;
        let blocks = self.kept.iter().map(Range::len).sum::<usize>() / block;
        let per_batch = self.settings.descent.batch_size * self.settings.sequence_blocks;
        // About every kept block once, but not for longer than an epoch.
        blocks.div_ceil(per_batch).min(self.settings.descent.steps_per_epoch)
    }

    fn of_validation(&self, _: usize, random: &mut ChaCha8Rng) -> Result<(Tensor, usize)> {
        let lesson = self.draw(&self.kept, random);
        Ok((self.of_lesson(&lesson, &Dropout::NONE)?, self.settings.descent.batch_size))
    }

    fn songs_of(&self, random: &mut ChaCha8Rng) -> Vec<String> {
        let drawn = self.draw(&self.trained, random).songs;
        let songs = self.songs.songs().iter().enumerate();
        let titles = songs.filter(|(number, _)| drawn.contains(number));
        titles.map(|(_, song)| song.title.clone()).collect()
    }

    fn identity(&self) -> Result<Identity> {
        let songs = self.songs.songs();
        let titles = songs.iter().map(|song| song.title.as_str());
        let mut data = Fingerprint::default();
        let stages = self.songs.codebook().stages();
        for song in songs {
            (0..song.starts(stages)).for_each(|frame| data.add_codes(song.codes_at(frame, stages)));
        }
        let what = (ModelKind::Codes, self.network.config(), self.songs.settings());
        Identity::new(self.settings, what, titles, data)
    }

    fn described(&self) -> Value {
        ModelFile::described(CODES, self.network.config())
    }

    fn in_training(&self) -> InTraining<'_> {
        InTraining::Codes(self.network, self.songs)
    }
}

impl NextCodes<'_> {
    /// A batch of sequences from anywhere in `parts`, a part for each song, longer ones more often.
    fn draw(&self, parts: &[Range<usize>], random: &mut ChaCha8Rng) -> Lesson {
        let (stages, block) =
            (self.songs.codebook().stages(), self.songs.settings().frames_per_block);
        let all: usize = parts.iter().map(Range::len).sum();
        let mut lesson = Lesson::default();
        for _ in 0..self.settings.descent.batch_size {
            let (mut place, mut number) = (random.random_range(0..all), 0);
            while let Some(rest) = place.checked_sub(parts[number].len()) {
                (place, number) = (rest, number + 1);
            }
            lesson.songs.push(number);
            let (song, part) = (&self.songs.songs()[number], &parts[number]);
            let first = part.start + random.random_range(0..part.len());
            let mut frame = after(part, first, 0, block);
            for _ in 0..self.settings.sequence_blocks {
                let next = after(part, frame, block, block);
                lesson.heard.extend(song.codes_at(frame, stages));
                lesson.next.extend(song.codes_at(next, stages));
                lesson.places.push(song.place_at(next));
                frame = next;
            }
        }
        lesson
    }

    /// Input rows: (batch, steps, width).
    fn rows(&self, lesson: &Lesson) -> Result<Tensor> {
        let heard = self.songs.heard(&lesson.heard)?;
        let width = self.network.config().width;
        let mut input = Vec::with_capacity(lesson.places.len() * width);
        let rows = heard.chunks_exact(self.songs.codebook().width());
        for (row, place) in rows.zip(&lesson.places) {
            input_row(row, *place, &mut input);
        }
        let batch = lesson.songs.len();
        let shape = (batch, lesson.places.len() / batch, width);
        Ok(Tensor::from_vec(input, shape, self.network.device().candle())?)
    }

    /// The cross-entropy of what follows, averaged over rows and stages.
    fn of_lesson(&self, lesson: &Lesson, dropout: &Dropout) -> Result<Tensor> {
        let network = self.network;
        let (hidden, _) = network.forward(&self.rows(lesson)?, None, dropout)?;
        let hidden = hidden.flatten(0, 1)?;
        let stages = network.config().stages;
        let of_stage = |stage| -> Result<Tensor> {
            let codes = codes_of(&lesson.next, stages, stage);
            let count = codes.len();
            Ok(Tensor::from_vec(codes, count, network.device().candle())?)
        };
        let next = (0..stages).map(of_stage).collect::<Result<Vec<_>>>()?;
        let mut sum: Option<Tensor> = None;
        for stage in 0..stages {
            let logits = network.logits(stage, &hidden, &next)?;
            let candidates: Vec<u32> = codes_of(&lesson.next, stages, stage);
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

    /// Replaces a share of the input by what the network would have drawn for it. The rows are those
    /// from number `first` of the batch's `all`; what is drawn for the others is drawn, too.
    fn hear_itself(
        &self,
        lesson: &mut Lesson,
        share: f64,
        (first, all): (usize, usize),
        random: &mut ChaCha8Rng,
    ) -> Result<()> {
        if share <= 0.0 {
            return Ok(());
        }
        let network = self.network;
        let steps = self.settings.sequence_blocks;
        // What follows row r is heard at row r + 1 of the same sequence.
        let of_all: Vec<usize> = (0..all)
            .filter(|row| !row.is_multiple_of(steps) && random.random_bool(share.min(1.0)))
            .collect();
        let before = of_all.partition_point(|row| *row < first);
        let chosen = of_all.iter().filter_map(|row| row.checked_sub(first));
        let chosen: Vec<u32> =
            chosen.take_while(|row| *row < lesson.places.len()).map(|row| row as u32).collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let stages = network.config().stages;
        let input = self.rows(lesson)?;
        let (hidden, _) = network.forward(&input, None, &Dropout::NONE)?;
        let heard: Vec<u32> = chosen.iter().map(|row| row - 1).collect();
        let heard = Tensor::from_vec(heard, chosen.len(), input.device())?;
        let hidden = hidden.flatten(0, 1)?.detach().index_select(&heard, 0)?;
        let gumbel = Gumbel::new(0.0f32, 1.0)
            .map_err(|error| Error::argument("gumbel", "a scale above 0", error))?;
        let mut said: Vec<Tensor> = Vec::new();
        for stage in 0..stages {
            let logits = network.logits(stage, &hidden, &said)?;
            // The largest of logits with Gumbel's noise is a draw from their softmax.
            let codes = logits.dim(1)?;
            let noise = gumbel.sample_iter(&mut *random).take(of_all.len() * codes);
            let noise = noise.collect::<Vec<f32>>();
            let noise = noise[before * codes..][..chosen.len() * codes].to_vec();
            let noise = Tensor::from_vec(noise, logits.shape(), logits.device())?;
            let drawn = (logits + noise)?.argmax(D::Minus1)?;
            for (row, code) in chosen.iter().zip(drawn.to_vec1::<u32>()?) {
                lesson.heard[*row as usize * stages + stage] = code;
            }
            said.push(drawn);
        }
        Ok(())
    }
}

/// The frame `frames` after `frame` in a part of a song; after its last whole block the part begins
/// again, so that no network learns that there is nothing more to come.
fn after(part: &Range<usize>, frame: usize, frames: usize, block: usize) -> usize {
    let ring = (part.len() / block * block).max(1);
    part.start + (frame - part.start + frames) % ring
}

/// The codes of one stage, of rows that have one of each.
fn codes_of(codes: &[u32], stages: usize, stage: usize) -> Vec<u32> {
    codes.iter().skip(stage).step_by(stages).copied().collect()
}
