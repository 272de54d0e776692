//! A build under way: what is known of the folder's files, and what is decoded.

use super::contents::Contents;
use super::duplicates::{self, Candidate};
use super::entry::{Entry, key};
use super::hashed::{HashedFile, ending};
use super::progress::{BuildProgress, Meter};
use super::shards::{self, Place, shards_in};
use super::shares::Clock;
use super::store;
use super::work::{Outcome, Record, Work};
use crate::interrupt::Listener;
use crate::processes::Processes;
use crate::sha256::hex;
use crate::words::{counted, shown};
use crate::{Error, Result};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

/// So many songs a process stores before it tells the others of them, and hears whether to stop.
const SONGS_BETWEEN_MEETINGS: usize = 32;

/// A build under way.
pub(super) struct Build<'a> {
    pub(super) output: &'a Path,
    /// Those that build it together.
    pub(super) processes: &'a Processes,
    pub(super) work: Work,
    pub(super) stop: Listener,
    pub(super) clock: Clock,
    /// What is known of files by their hash.
    pub(super) known: HashMap<String, Record>,
    /// Where FLAC files are in shards, by key, and how long they are.
    pub(super) places: HashMap<String, (Place, u64)>,
    /// Why files could not be read this time, by hash.
    pub(super) unread: HashMap<String, String>,
    /// Hashes of files that were decoded in this run.
    pub(super) decoded: HashSet<String>,
    pub(super) decoded_seconds: f64,
}

impl<'a> Build<'a> {
    /// One of which nothing is known yet.
    pub(super) fn new(output: &'a Path, processes: &'a Processes) -> Self {
        Self {
            output,
            processes,
            work: Work::of(output),
            stop: Listener::here(),
            clock: Clock::default(),
            known: HashMap::new(),
            places: HashMap::new(),
            unread: HashMap::new(),
            decoded: HashSet::new(),
            decoded_seconds: 0.0,
        }
    }

    /// Takes in what the corpus before and killed builds left.
    pub(super) fn recall(&mut self, old: Option<&Contents>) -> Result<()> {
        for entry in old.iter().flat_map(|old| &old.entries) {
            let Some(hash) = &entry.content_sha256 else { continue };
            let outcome = match (&entry.facts, &entry.problem) {
                (Some(facts), _) => Outcome::Song {
                    facts: Box::new(facts.clone()),
                    fingerprint: entry.fingerprint.clone(),
                    flac: entry.stored.as_ref().map(|s| (s.size, s.sha256.clone())),
                },
                (None, Some(problem)) => Outcome::Problem {
                    ending: ending(&entry.path).to_owned(),
                    words: problem.clone(),
                },
                (None, None) => continue,
            };
            // Of two files with the same content the stored one counts, else the first.
            if entry.stored.is_some() || !self.known.contains_key(hash) {
                self.known.insert(hash.clone(), Record::new(outcome));
            }
        }
        self.known.extend(self.work.records()?);
        for folder in [self.output.join(shards::FOLDER), self.work.shards()] {
            for path in shards_in(&folder)? {
                // One that cannot be read holds nothing.
                for (key, place, size) in shards::index(&path).unwrap_or_default() {
                    self.places.insert(key, (place, size));
                }
            }
        }
        Ok(())
    }

    /// Tells what is known from anything else that might be.
    pub(super) fn mark(&self) -> String {
        let known: BTreeSet<&String> = self.known.keys().collect();
        let mut mark = Sha256::new();
        known.iter().for_each(|hash| mark.update(hash));
        hex(mark.finalize())
    }

    /// Where the song's FLAC file is, if it is anywhere.
    pub(super) fn place(&self, hash: &str, size: u64) -> Option<Place> {
        let in_shard = || {
            let (place, found) = self.places.get(key(hash))?;
            (*found == size).then(|| place.clone())
        };
        self.work.place(hash, size).or_else(in_shard)
    }

    /// Whether the file with this hash has to be decoded before its sound can be stored.
    fn is_missing(&self, hash: &str) -> bool {
        match self.known.get(hash).map(|record| &record.outcome) {
            Some(Outcome::Song { flac: Some((size, _)), .. }) => self.place(hash, *size).is_none(),
            Some(Outcome::Song { flac: None, .. }) => true,
            Some(Outcome::Problem { .. }) | None => false,
        }
    }

    /// The rows of the new table, still without places; all that is needed for them is decoded.
    pub(super) fn entries(
        &mut self,
        files: &[HashedFile],
        watch: &(dyn Fn(&BuildProgress) + Sync),
    ) -> Result<Vec<Entry>> {
        let mut first: HashMap<&str, &HashedFile> = HashMap::new();
        for file in files.iter().rev() {
            if let Ok(hash) = &file.hash {
                first.insert(hash, file);
            }
        }
        let is_unknown = |(hash, file): &(&&str, &&HashedFile)| match self
            .known
            .get(**hash)
            .map(|record| &record.outcome)
        {
            Some(Outcome::Song { .. }) => false,
            Some(Outcome::Problem { ending: told, .. }) => told != ending(&file.name),
            None => true,
        };
        let pending = first.iter().filter(is_unknown).map(|(_, file)| *file).collect();
        self.store(pending, watch)?;
        loop {
            let entries = self.rows(files);
            let kept = entries.iter().filter(|e| e.facts.is_some() && e.duplicate_of.is_none());
            let hashes = kept.filter_map(|entry| entry.content_sha256.as_deref());
            let missing: BTreeSet<&str> = hashes.filter(|hash| self.is_missing(hash)).collect();
            // A file system that machines share may not show all of them the same at once.
            let missing: BTreeSet<String> = self.of_first(missing)?;
            if missing.is_empty() {
                return Ok(entries);
            }
            if let Some(hash) = missing.iter().find(|hash| self.decoded.contains(*hash)) {
                let problem = format!(
                    "the song {} was stored and is not there: the corpus has to be in a folder that \
                     all processes see",
                    key(hash)
                );
                return Err(Error::corpus(self.output, problem));
            }
            let of_hash = |hash: &String| first.get(hash.as_str()).copied();
            let pending = missing.iter().filter_map(of_hash).collect();
            self.store(pending, watch)?;
        }
    }

    /// Decodes and stores files, as many at a time as there are threads in all processes.
    fn store(
        &mut self,
        mut pending: Vec<&HashedFile>,
        watch: &(dyn Fn(&BuildProgress) + Sync),
    ) -> Result<()> {
        // The longest first, so that no thread is left with one at the end.
        pending.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
        let meter = Meter::new(pending.iter().map(|file| file.bytes), watch);
        let at_once = match self.processes.count() {
            1 => pending.len().max(1),
            count => count * SONGS_BETWEEN_MEETINGS,
        };
        for files in pending.chunks(at_once) {
            let (rank, count) = (self.processes.rank(), self.processes.count());
            let done =
                self.processes.all_done(self.store_part(files, &meter)).map_err(|error| {
                    let Error::Interrupted(_) = error else { return error };
                    Error::Interrupted(format!(
                        "{}: {} of {} are stored, and kept; the same command goes on from there",
                        shown(self.output),
                        meter.count(),
                        counted(pending.len(), "new song"),
                    ))
                })?;
            let mut done: Vec<_> =
                self.processes.gather_all(done)?.into_iter().map(Vec::into_iter).collect();
            for (at, file) in files.iter().enumerate() {
                let Some(done) = done[at % count].next() else { continue };
                if at % count != rank {
                    meter.done(file.bytes, done.seconds());
                }
                self.take_in(file, done);
            }
        }
        Ok(())
    }

    /// This process's part of `files`: the songs that it stored, in their order.
    fn store_part(&self, files: &[&HashedFile], meter: &Meter) -> Result<Vec<store::Done>> {
        let (work, stop, clock) = (&self.work, &self.stop, &self.clock);
        let of_file = |file: &&HashedFile| {
            let done = store::store(file, work, stop, clock)?;
            meter.done(file.bytes, done.seconds());
            Ok(done)
        };
        let part: Vec<&HashedFile> =
            self.processes.dealt(files.len()).map(|at| files[at]).collect();
        part.par_iter().with_max_len(1).map(of_file).collect()
    }

    fn take_in(&mut self, file: &HashedFile, done: store::Done) {
        let Ok(hash) = &file.hash else { return };
        self.decoded_seconds += done.seconds();
        match done {
            store::Done::Known(record) => {
                if matches!(record.outcome, Outcome::Song { .. }) {
                    self.decoded.insert(hash.clone());
                }
                self.unread.remove(hash);
                self.known.insert(hash.clone(), record);
            }
            store::Done::Unread(problem) => {
                self.known.remove(hash);
                self.unread.insert(hash.clone(), problem);
            }
        }
    }

    /// What the first process has found, in all of them.
    fn of_first(&self, found: BTreeSet<&str>) -> Result<BTreeSet<String>> {
        let found: BTreeSet<String> = found.into_iter().map(str::to_owned).collect();
        let here = if self.processes.is_first() { found } else { BTreeSet::new() };
        Ok(self.processes.gather_all(here)?.swap_remove(0))
    }

    /// The files with what is known of them and which of them are duplicates.
    fn rows(&self, files: &[HashedFile]) -> Vec<Entry> {
        let mut entries: Vec<Entry> = files.iter().map(|file| self.row(file)).collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let (mut rows, mut candidates) = (Vec::new(), Vec::new());
        for (row, entry) in entries.iter().enumerate() {
            if let Some(facts) = &entry.facts {
                rows.push(row);
                let (path, fingerprint) = (entry.path.as_str(), entry.fingerprint.as_slice());
                candidates.push(Candidate { path, facts, fingerprint });
            }
        }
        let duplicates = duplicates::find(&candidates);
        for (row, kept) in rows.iter().zip(duplicates) {
            let path = kept.map(|kept| entries[rows[kept]].path.clone());
            entries[*row].duplicate_of = path;
        }
        entries
    }

    fn row(&self, file: &HashedFile) -> Entry {
        let mut entry = Entry {
            path: file.name.clone(),
            content_sha256: None,
            facts: None,
            stored: None,
            problem: None,
            duplicate_of: None,
            fingerprint: Vec::new(),
        };
        let hash = match &file.hash {
            Ok(hash) => hash,
            Err(problem) => {
                entry.problem = Some(problem.clone());
                return entry;
            }
        };
        match self.known.get(hash).map(|record| &record.outcome) {
            Some(Outcome::Song { facts, fingerprint, .. }) => {
                entry.facts = Some(facts.as_ref().clone());
                entry.fingerprint.clone_from(fingerprint);
            }
            Some(Outcome::Problem { words, .. }) => entry.problem = Some(words.clone()),
            // Not the file's fault, so nothing that is known of its content.
            None => {
                entry.problem = self.unread.get(hash).cloned();
                return entry;
            }
        }
        entry.content_sha256 = Some(hash.clone());
        entry
    }
}
