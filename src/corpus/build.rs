//! From a folder of songs to a corpus, anew or from where an earlier build was left.

use super::changes::Changes;
use super::contents::{self, Contents};
use super::duplicates::{self, Candidate};
use super::entry::{Entry, Stored};
use super::hashed::{HashedFile, hash_all};
use super::lock::Lock;
use super::open::Corpus;
use super::places;
use super::progress::{BuildProgress, Meter};
use super::seen::Seen;
use super::shards::{self, Member, Place, Shard};
use super::shares::{Clock, Shares};
use super::store;
use super::work::{Outcome, Record, Work};
use crate::interrupt::{self, Listener};
use crate::words::{counted, shown};
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How a corpus is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// No shard of more than one song is larger, in bytes; 256 million by default.
    pub shard_bytes: u64,
}

impl BuildSettings {
    /// The least that [`shard_bytes`](Self::shard_bytes) may be.
    pub const LEAST_SHARD_BYTES: u64 = 100_000;
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self { shard_bytes: 256_000_000 }
    }
}

/// A corpus that was just built, and what there is to say of it.
#[derive(Clone, Debug)]
pub struct Built {
    /// The corpus.
    pub corpus: Corpus,
    /// What is different from the corpus that was there before.
    pub changes: Changes,
    /// How many files were decoded in this run.
    pub decoded: usize,
    /// How much sound that was, in seconds.
    pub decoded_seconds: f64,
    /// Time spent on it, of all threads together.
    pub shares: Shares,
    /// What was passed over in the folder, one sentence each.
    pub notes: Vec<String>,
}

pub(super) fn build(
    folder: &Path,
    output: &Path,
    settings: BuildSettings,
    watch: &(dyn Fn(&BuildProgress) + Sync),
) -> Result<Built> {
    if settings.shard_bytes < BuildSettings::LEAST_SHARD_BYTES {
        let expected = format!("at least {} bytes", BuildSettings::LEAST_SHARD_BYTES);
        return Err(Error::argument("shard_bytes", expected, settings.shard_bytes));
    }
    let _job = interrupt::begin()?;
    let found = places::songs(folder)?;
    places::prepare(folder, output)?;
    let _lock = Lock::take(output)?;
    let table = output.join(contents::NAME);
    let old = if table.exists() { Some(sound(Contents::read(&table)?, &table)?) } else { None };
    let work = Work::begin(output)?;
    let mut build = Build {
        output,
        work,
        stop: Listener::here(),
        clock: Clock::default(),
        known: HashMap::new(),
        places: HashMap::new(),
        unread: HashMap::new(),
        decoded: HashSet::new(),
        decoded_seconds: 0.0,
    };
    build.recall(old.as_ref())?;
    let mut seen = Seen::of(output);
    let files = hash_all(folder, &found.songs, &seen, &build.stop)?;
    let entries = build.entries(&files, watch)?;
    let (entries, shards) = build.shard(entries, settings)?;
    let contents = Contents::new(entries, settings.shard_bytes);
    let before = old.as_ref().map_or(&[][..], |old| &old.entries);
    let changes = Changes::between(before, &contents.entries);
    build.commit(&contents, old.as_ref(), &shards)?;
    seen.set(files.iter().filter_map(HashedFile::seen));
    seen.keep();
    let (decoded, decoded_seconds) = (build.decoded.len(), build.decoded_seconds);
    let shares = build.clock.shares();
    build.work.end()?;
    let corpus = Corpus::of(output, contents)?;
    Ok(Built { corpus, changes, decoded, decoded_seconds, shares, notes: found.notes() })
}

fn sound(contents: Contents, table: &Path) -> Result<Contents> {
    if contents.is_sound() {
        return Ok(contents);
    }
    let problem = "the table of contents is damaged: build the corpus again, into an empty folder";
    Err(Error::corpus(table, problem))
}

/// A build under way.
struct Build<'a> {
    output: &'a Path,
    work: Work,
    stop: Listener,
    clock: Clock,
    /// What is known of files by their hash.
    known: HashMap<String, Record>,
    /// Where FLAC files are in shards, by key, and how long they are.
    places: HashMap<String, (Place, u64)>,
    /// Why files could not be read this time, by hash.
    unread: HashMap<String, String>,
    /// Hashes of files that were decoded in this run.
    decoded: HashSet<String>,
    decoded_seconds: f64,
}

impl Build<'_> {
    /// Takes in what the corpus before and killed builds left.
    fn recall(&mut self, old: Option<&Contents>) -> Result<()> {
        for entry in old.iter().flat_map(|old| &old.entries) {
            let Some(hash) = &entry.content_sha256 else { continue };
            let outcome = match (&entry.facts, &entry.problem) {
                (Some(facts), _) => Outcome::Song {
                    facts: Box::new(facts.clone()),
                    fingerprint: entry.fingerprint.clone(),
                    flac: entry.stored.as_ref().map(|s| (s.size, s.sha256.clone())),
                },
                (None, Some(problem)) => Outcome::Problem(problem.clone()),
                (None, None) => continue,
            };
            // Of two files with the same content one is stored.
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

    /// Where the song's FLAC file is, if it is anywhere.
    fn place(&self, hash: &str, size: u64) -> Option<Place> {
        let in_shard = || {
            let (place, found) = self.places.get(super::entry::key(hash))?;
            (*found == size).then(|| place.clone())
        };
        self.work.place(hash, size).or_else(in_shard)
    }

    /// Whether the file with this hash has to be decoded before its sound can be stored.
    fn is_missing(&self, hash: &str) -> bool {
        match self.known.get(hash).map(|record| &record.outcome) {
            Some(Outcome::Song { flac: Some((size, _)), .. }) => self.place(hash, *size).is_none(),
            Some(Outcome::Song { flac: None, .. }) => true,
            Some(Outcome::Problem(_)) | None => false,
        }
    }

    /// The rows of the new table, still without places; all that is needed for them is decoded.
    fn entries(
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
        let unknown = |hash: &str| !self.known.contains_key(hash);
        let files_of = first.values().copied();
        let pending: Vec<_> =
            files_of.filter(|file| file.hash.as_deref().is_ok_and(unknown)).collect();
        self.store(pending, watch)?;
        loop {
            let entries = self.rows(files);
            let kept = entries.iter().filter(|e| e.facts.is_some() && e.duplicate_of.is_none());
            let hashes = kept.filter_map(|entry| entry.content_sha256.as_deref());
            let missing: BTreeSet<&str> = hashes.filter(|hash| self.is_missing(hash)).collect();
            if missing.is_empty() {
                return Ok(entries);
            }
            let pending = missing.iter().filter_map(|hash| first.get(hash).copied()).collect();
            self.store(pending, watch)?;
        }
    }

    /// Decodes and stores files, as many at a time as there are threads.
    fn store(
        &mut self,
        mut pending: Vec<&HashedFile>,
        watch: &(dyn Fn(&BuildProgress) + Sync),
    ) -> Result<()> {
        // The longest first, so that no thread is left with one at the end.
        pending.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
        let meter = Meter::new(pending.iter().map(|file| file.bytes), watch);
        let (work, stop, clock) = (&self.work, &self.stop, &self.clock);
        let of_file = |file: &&HashedFile| {
            let done = store::store(file, work, stop, clock)?;
            meter.done(file.bytes, done.seconds());
            Ok(done)
        };
        let done: Result<Vec<store::Done>> =
            pending.par_iter().with_max_len(1).map(of_file).collect();
        let done = done.map_err(|error| match error {
            Error::Interrupted(_) => Error::Interrupted(format!(
                "{}: {} of {} are stored, and kept; the same command goes on from there",
                shown(self.output),
                meter.count(),
                counted(pending.len(), "new song"),
            )),
            error => error,
        })?;
        for (file, done) in pending.iter().zip(done) {
            let Ok(hash) = &file.hash else { continue };
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
        Ok(())
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
            Some(Outcome::Problem(problem)) => entry.problem = Some(problem.clone()),
            // Not the file's fault, so nothing that is known of its content.
            None => {
                entry.problem = self.unread.get(hash).cloned();
                return entry;
            }
        }
        entry.content_sha256 = Some(hash.clone());
        entry
    }

    /// Decides which song is in which shard, and writes those that are not there.
    fn shard(
        &self,
        mut entries: Vec<Entry>,
        settings: BuildSettings,
    ) -> Result<(Vec<Entry>, Vec<Shard>)> {
        let mut members = Vec::new();
        let mut rows: HashMap<String, usize> = HashMap::new();
        for (row, entry) in entries.iter().enumerate() {
            let Some(facts) = entry.facts.as_ref().filter(|_| entry.duplicate_of.is_none()) else {
                continue;
            };
            if let Some(Outcome::Song { flac: Some((size, sha256)), .. }) =
                self.known.get(&facts.content_sha256).map(|record| &record.outcome)
            {
                members.push(Member::new(facts, *size, sha256.clone()));
                rows.insert(facts.key().to_owned(), row);
            }
        }
        let shards = shards::plan(members, settings.shard_bytes);
        for shard in &shards {
            for (member, offset) in shard.members.iter().zip(shards::offsets(&shard.members)) {
                let (size, sha256) = (member.size, member.sha256.clone());
                if let Some(row) = rows.get(&member.key) {
                    let shard = shard.name.clone();
                    entries[*row].stored = Some(Stored { shard, offset, size, sha256 });
                }
            }
        }
        let hash_of = |member: &Member| {
            let facts = rows.get(&member.key).and_then(|row| entries[*row].facts.as_ref());
            facts.map_or("", |facts| &facts.content_sha256)
        };
        let write = |shard: &Shard| {
            if self.is_there(shard) {
                return Ok(());
            }
            if self.stop.requested() {
                let words = "all songs are stored, and kept; the same command goes on from there";
                return Err(Error::Interrupted(format!("{}: {words}", shown(self.output))));
            }
            let place = |member: &Member| {
                self.place(hash_of(member), member.size).ok_or_else(|| {
                    Error::corpus(self.output, format!("the song {} is gone", member.key))
                })
            };
            let places = shard.members.iter().map(place).collect::<Result<Vec<_>>>()?;
            shards::write(&self.work.shards().join(&shard.name), &shard.members, &places)?;
            shard.members.iter().for_each(|member| self.work.forget(hash_of(member)));
            Ok(())
        };
        shards.par_iter().with_max_len(1).try_for_each(write)?;
        Ok((entries, shards))
    }

    /// Whether the shard is there already: in the corpus, or finished and waiting.
    fn is_there(&self, shard: &Shard) -> bool {
        let length = shards::length(&shard.members);
        let is_whole = |folder: PathBuf| {
            let file = std::fs::metadata(folder.join(&shard.name));
            file.is_ok_and(|metadata| metadata.len() == length)
        };
        is_whole(self.output.join(shards::FOLDER)) || is_whole(self.work.shards())
    }

    /// Makes the new corpus the corpus: shards first, the table last, then what is no longer needed goes.
    fn commit(&self, contents: &Contents, old: Option<&Contents>, shards: &[Shard]) -> Result<()> {
        let folder = self.output.join(shards::FOLDER);
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder, "create the folder"))?;
        for shard in shards {
            let waiting = self.work.shards().join(&shard.name);
            if waiting.exists() {
                let target = folder.join(&shard.name);
                std::fs::rename(&waiting, &target)
                    .map_err(Error::io(&target, "rename the finished shard"))?;
            }
        }
        // The names, too, are to outlive a loss of power.
        if let Ok(folder) = File::open(&folder) {
            let _ = folder.sync_all();
        }
        if old != Some(contents) {
            contents.write(&self.output.join(contents::NAME))?;
        }
        let needed: HashSet<&str> = shards.iter().map(|shard| shard.name.as_str()).collect();
        for path in shards_in(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !needed.contains(name) {
                std::fs::remove_file(&path).map_err(Error::io(&path, "remove the old shard"))?;
            }
        }
        Ok(())
    }
}

/// The files in a folder that have a shard's name.
fn shards_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(folder, "list the folder"))?,
    };
    let names = entries.flatten().map(|entry| entry.path()).filter(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(shards::is_name)
    });
    let mut names: Vec<PathBuf> = names.collect();
    names.sort();
    Ok(names)
}
