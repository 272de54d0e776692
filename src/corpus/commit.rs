//! Songs that are decoded become shards, and the new corpus takes the old one's place.

use super::builder::Build;
use super::contents::{self, Contents};
use super::entry::{Entry, SongFacts, Stored, is_key};
use super::shards::{self, Member, Shard, shards_in};
use super::work::Outcome;
use super::{PREPARED, PREPARED_ENDING};
use crate::words::shown;
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::PathBuf;

impl Build<'_> {
    /// Decides which song is in which shard, and writes those that are not there.
    pub(super) fn shard(
        &self,
        mut entries: Vec<Entry>,
        shard_bytes: u64,
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
        let shards = shards::plan(members, shard_bytes);
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
        let part: Vec<&Shard> = self.processes.dealt(shards.len()).map(|at| &shards[at]).collect();
        self.processes.all_done(part.into_par_iter().with_max_len(1).try_for_each(write))?;
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
    pub(super) fn commit(
        &self,
        contents: &Contents,
        old: Option<&Contents>,
        shards: &[Shard],
    ) -> Result<()> {
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
        self.forget_prepared(contents);
        Ok(())
    }

    /// Removes what was made of songs that are gone; it can be made again, so that what stays for a
    /// while does no harm.
    fn forget_prepared(&self, contents: &Contents) {
        let stored = contents.entries.iter().filter(|entry| entry.stored.is_some());
        let facts = stored.filter_map(|entry| entry.facts.as_ref());
        let keys: HashSet<&str> = facts.map(SongFacts::key).collect();
        let in_folder = |folder: PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect::<Vec<_>>()
        };
        for folder in in_folder(self.output.join(PREPARED)) {
            for path in in_folder(folder) {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let key = name.strip_suffix(PREPARED_ENDING);
                if key.is_some_and(|key| is_key(key) && !keys.contains(key)) {
                    let _ = std::fs::remove_file(path);
                }
            }
        }
    }
}
