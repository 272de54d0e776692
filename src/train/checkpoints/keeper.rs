//! Keeps the checkpoints of a running training.

use super::file::{self, Checkpoint};
use super::folder::{self, Found};
use super::identity::Identity;
use super::retention::{Kept, surplus};
use super::settings::Checkpoints;
use super::state::Snapshot;
use crate::words::shown;
use crate::{Error, Result, atomic_file};
use candle_core::{Tensor, Var};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Instant;

/// Trainings that a shared folder remembers at most.
const MOST_SHARED: usize = 8;

/// What a model file says of the network, and the tensors besides its parameters.
pub(in crate::train) type Described = (Value, BTreeMap<String, Tensor>);

/// Writes checkpoints beside the training, removes old ones, and remembers what could not be written.
pub(in crate::train) struct Keeper {
    settings: Checkpoints,
    /// Where this training's are.
    folder: PathBuf,
    identity: Identity,
    kept: Vec<Kept>,
    /// Of another training, or from behind where this one goes on: removed once there is a new one.
    strangers: Vec<PathBuf>,
    written: Instant,
    writing: Option<JoinHandle<(Kept, Result<()>)>>,
    /// The newest that was written.
    newest: Option<PathBuf>,
    /// The same, until somebody asks.
    news: Option<PathBuf>,
    problems: Vec<String>,
}

impl Keeper {
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for impossible settings.
    pub fn new(
        settings: &Checkpoints,
        identity: Identity,
        variables: &BTreeMap<String, Var>,
    ) -> Result<Self> {
        settings.check()?;
        let folder = match settings.shared {
            true => settings.folder.join(identity.name(variables)),
            false => settings.folder.clone(),
        };
        atomic_file::remove_left_behind(&folder);
        let strangers = folder::list(&folder).into_iter().map(|(_, path)| path).collect();
        if settings.shared {
            forget_oldest(&settings.folder, &folder);
        }
        Ok(Self {
            settings: settings.clone(),
            folder,
            identity,
            kept: Vec::new(),
            strangers,
            written: Instant::now(),
            writing: None,
            newest: None,
            news: None,
            problems: Vec::new(),
        })
    }

    /// What a training that was cut off left here, where trainings are picked up.
    pub fn left_behind(&self) -> Option<Found> {
        if !self.settings.shared {
            return None;
        }
        let found = folder::newest_good(&self.folder).ok()?;
        let Checkpoint { identity, snapshot, .. } = &found.checkpoint;
        (self.identity.is_as(identity) && !snapshot.state.done).then_some(found)
    }

    /// Counts those up to `found` as this training's own, if they are in its folder.
    pub fn goes_on_from(&mut self, found: &Found) {
        if found.path.parent() != Some(&self.folder) {
            return;
        }
        let state = &found.checkpoint.snapshot.state;
        let here = state.kept();
        // They have a history in common, so that their losses need not be read.
        let own = |(kept, path): (Kept, PathBuf)| {
            kept.order(&here).is_le().then(|| (state.kept_at(kept.epoch, kept.batch), path))
        };
        let own: Vec<_> = folder::list(&self.folder).into_iter().filter_map(own).collect();
        self.strangers.retain(|path| own.iter().all(|(_, known)| known != path));
        self.newest = Some(found.path.clone());
        self.kept = own.into_iter().map(|(kept, _)| kept).collect();
    }

    /// Whether it is time for a checkpoint; `epochs` were done, where an epoch has just ended.
    pub fn is_due(&mut self, epochs: Option<usize>) -> bool {
        let by_epoch = self.settings.every_epochs.zip(epochs);
        let by_time = self.written.elapsed().as_secs_f64() >= self.settings.every_seconds;
        // One at a time: a slow disk makes those by time rarer, not training slower.
        let is_free = self.writing.as_ref().is_none_or(JoinHandle::is_finished);
        by_time && is_free || by_epoch.is_some_and(|(every, epochs)| epochs.is_multiple_of(every))
    }

    /// Writes a checkpoint: beside the training where `snapshot` has tensors of its own, else at once.
    pub fn keep(&mut self, described: Described, snapshot: Snapshot, has_own_tensors: bool) {
        self.wait();
        let kept = snapshot.state.kept();
        let (path, identity) = (folder::path_of(&self.folder, &kept), self.identity.clone());
        let folder = self.folder.clone();
        let write = move || {
            let made =
                std::fs::create_dir_all(&folder).map_err(Error::io(&folder, "make the folder"));
            (kept, made.and_then(|()| file::write(&path, described, &identity, &snapshot)))
        };
        self.written = Instant::now();
        if has_own_tensors {
            let thread = std::thread::Builder::new().name("checkpoint".into());
            // Where there is no thread to be had, the next one is tried in its time.
            match thread.spawn(write) {
                Ok(writing) => self.writing = Some(writing),
                Err(error) => self.problems.push(format!("no checkpoint was written: {error}")),
            }
        } else {
            self.note(write());
        }
    }

    /// Waits for the checkpoint that is being written.
    fn wait(&mut self) {
        if let Some(writing) = self.writing.take() {
            match writing.join() {
                Ok(outcome) => self.note(outcome),
                Err(_) => self.problems.push("no checkpoint was written: a fault in it".into()),
            }
        }
    }

    /// A checkpoint that was written since this was last asked.
    pub fn news(&mut self) -> Option<PathBuf> {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.wait();
        }
        self.news.take()
    }

    fn note(&mut self, (kept, outcome): (Kept, Result<()>)) {
        if let Err(error) = outcome {
            // Nothing is in it: it was made for this one.
            let _ = std::fs::remove_dir(&self.folder);
            // Perhaps older ones took the room; the newest is enough.
            self.remove_all_but(1, false);
            let good = match &self.newest {
                Some(path) => format!("the last good one is {}", shown(path)),
                None => "there is none yet".to_owned(),
            };
            let problem = format!("a checkpoint could not be written ({error}); {good}");
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
            return;
        }
        self.newest = Some(folder::path_of(&self.folder, &kept));
        self.news = self.newest.clone();
        self.kept.retain(|one| one.order(&kept).is_ne());
        self.kept.push(kept);
        for path in std::mem::take(&mut self.strangers) {
            if Some(&path) != self.newest.as_ref() {
                let _ = std::fs::remove_file(path);
            }
        }
        self.remove_all_but(self.settings.newest, true);
    }

    /// Keeps the newest so many and, if that is wished, the best.
    fn remove_all_but(&mut self, newest: usize, best: bool) {
        for old in surplus(&self.kept, newest, best) {
            let _ = std::fs::remove_file(folder::path_of(&self.folder, &old));
            self.kept.retain(|one| one.order(&old).is_ne());
        }
    }

    /// What could not be written since this was last asked.
    pub fn problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    /// The training is over: what is done leaves its last checkpoint, or none.
    pub fn finish(&mut self, described: Described, snapshot: Snapshot) {
        let done = snapshot.state.done;
        if done && !self.settings.keep_when_done {
            self.wait();
            self.news = None;
            folder::remove(&self.folder);
            return;
        }
        let last = folder::path_of(&self.folder, &snapshot.state.kept());
        self.keep(described, snapshot, false);
        if done && self.newest.as_ref() == Some(&last) {
            let paths = folder::list(&self.folder).into_iter().map(|(_, path)| path);
            paths.filter(|path| *path != last).for_each(|path| drop(std::fs::remove_file(path)));
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Removes the checkpoints of the trainings that were touched longest ago, but not those of `own`.
fn forget_oldest(shared: &Path, own: &Path) {
    let Ok(entries) = std::fs::read_dir(shared) else { return };
    let mut folders: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path != own && !folder::list(path).is_empty())
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    folders.sort();
    let surplus = (folders.len() + 1).saturating_sub(MOST_SHARED);
    folders.into_iter().take(surplus).for_each(|(_, path)| folder::remove(&path));
}
