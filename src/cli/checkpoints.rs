//! Options of trainings that can be cut off and gone on with.

use super::outputs::beside;
use super::report::tell;
use super::streams::Target;
use clap::Args;
use neural_composer::processes::Membership;
use neural_composer::train::{
    Checkpoints, KeptTraining, check_checkpoint, kept_training, remove_checkpoints,
};
use neural_composer::words::{counted, shown};
use neural_composer::{Error, Result};
use std::path::{Path, PathBuf};

/// How the name of the folder ends; but for that it is the output's.
const FOLDER: &str = "checkpoints";
/// Work that is worth a question, in seconds: the usual time between two checkpoints.
const WORTH_SECONDS: f64 = 60.0;

/// What is kept of a training, and whether it goes on.
#[derive(Args, Clone)]
pub struct CheckpointOptions {
    /// Go on with the training that was cut off, from its newest checkpoint beside the output
    #[arg(long)]
    resume: bool,
    /// Go on from this checkpoint, or from the newest one in this folder
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "resume")]
    resume_from: Option<PathBuf>,
    /// Start over, also where hours of work could be gone on with
    #[arg(long, conflicts_with_all = ["resume", "resume_from"])]
    restart: bool,
    /// Time between two checkpoints, which are kept in a folder beside the output (out.checkpoints)
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    checkpoint_seconds: f64,
    /// How many of the newest checkpoints are kept, besides the one with the lowest loss
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    checkpoint_count: usize,
    /// Where they are; nowhere without a file beside which they could be.
    #[arg(skip)]
    folder: Option<PathBuf>,
}

impl CheckpointOptions {
    /// Keeps checkpoints beside `target`, and refuses to lose a training there. One that is `done` is
    /// lost, too, where more was to come of it.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible options; [`Error::Model`] where a training was cut off.
    pub fn keep_beside(&mut self, target: &Target, is_more_to_come: bool) -> Result<()> {
        if !target.is_stream() {
            self.folder = Some(self.folder_beside(target, is_more_to_come)?);
        } else if self.resume {
            let expected = "a file as --output, beside which the checkpoints are";
            return Err(Error::argument("resume", expected, "standard output"));
        }
        self.resumed().map_or(Ok(()), check_checkpoint)
    }

    fn folder_beside(&self, target: &Target, is_more_to_come: bool) -> Result<PathBuf> {
        let folder = beside(&target.path, FOLDER);
        if folder.exists() && !folder.is_dir() {
            let expected = "a name beside which there is room for a folder of checkpoints";
            let found = format!("{}, which is a file", shown(&folder));
            return Err(Error::argument("output", expected, found));
        }
        if !self.restart && !self.resume && self.resume_from.is_none() {
            refuse_to_lose(&folder, is_more_to_come)?;
        }
        Ok(folder)
    }

    /// What a training is told.
    pub fn checkpoints(&self) -> Option<Checkpoints> {
        let folder = self.folder.clone()?;
        Some(Checkpoints {
            every_seconds: self.checkpoint_seconds,
            newest: self.checkpoint_count,
            ..Checkpoints::in_folder(folder)
        })
    }

    /// Where a training goes on from.
    pub fn resumed(&self) -> Option<PathBuf> {
        match self.resume {
            true => self.folder.clone(),
            false => self.resume_from.clone(),
        }
    }

    /// The command that goes on with what was stopped, if there is something to go on with.
    pub fn line_to_go_on(&self) -> Option<String> {
        let folder = self.folder.as_ref()?;
        let left = kept_training(folder).filter(|left| !left.done);
        left.map(|_| format!("go on with: {}", command_line("--resume")))
    }

    /// Passes the outcome of `writing` what was learned on; where it failed, tells that the training is
    /// not lost.
    pub fn not_lost(&self, writing: Result<()>) -> Result<()> {
        if writing.is_err() && self.folder.as_ref().is_some_and(|folder| folder.is_dir()) {
            let line = command_line("--resume");
            tell(&format!(
                "neural-composer: note: the training is kept; once there is room: {line}"
            ));
        }
        writing
    }

    /// What was learned is written, and will not be gone on with.
    pub fn forget(&self) {
        self.folder.iter().for_each(remove_checkpoints);
    }
}

/// Refuses to start over where a training of some length was cut off.
fn refuse_to_lose(folder: &Path, also_done: bool) -> Result<()> {
    let worth = |found: &KeptTraining| found.seconds >= WORTH_SECONDS && (also_done || !found.done);
    let Some(found) = kept_training(folder).filter(worth) else { return Ok(()) };
    let done = match found.batches {
        0 => counted(found.epochs, "epoch"),
        batches => format!("{} and {}", counted(found.epochs, "epoch"), counted(batches, "batch")),
    };
    let problem = format!(
        "holds a training that was cut off after {done}, {:.0} s of work; go on with\n  {}\nor start \
         over with\n  {}",
        found.seconds,
        command_line("--resume"),
        command_line("--restart")
    );
    Err(Error::model(folder, problem))
}

/// The command as it was typed, with `option`.
fn command_line(option: &str) -> String {
    let mut words: Vec<String> =
        typed().filter(|word| !matches!(word.as_str(), "--resume" | "--restart")).collect();
    // What follows -- is no option.
    let place = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.insert(place, option.to_owned());
    let words = [Membership::launcher(), words].concat();
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn typed() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned())
}

/// The command as it was typed.
pub fn typed_line() -> String {
    typed().map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
