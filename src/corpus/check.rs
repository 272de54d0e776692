//! Whether a corpus is as it was written.

use super::entry::{Entry, SongFacts, Stored};
use super::open::Corpus;
use super::shards::{BLOCK, END, Member, length, padded};
use super::song::StoredSamples;
use crate::audio::flac::Shape;
use crate::interrupt::{self, Listener};
use crate::words::shown;
use crate::{Error, Result, sha256};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// What a check of a corpus found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Songs that were looked at.
    pub songs: usize,
    /// Shards that were looked at.
    pub shards: usize,
    /// What is damaged or missing, one sentence each, with the names of shard and song.
    pub damage: Vec<String>,
}

impl Corpus {
    /// Reads every byte of every shard, decodes every song and compares both with the table.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when it was stopped. Damage is no error: [`Checked::damage`] tells it.
    pub fn check(&self) -> Result<Checked> {
        self.check_watched(&|_, _| ())
    }

    /// As [`check`](Self::check); `watch` is told how many songs of all are done, on any thread.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_watched(&self, watch: &(dyn Fn(usize, usize) + Sync)) -> Result<Checked> {
        let _job = interrupt::begin()?;
        let stop = Listener::here();
        let mut shards: BTreeMap<&str, Vec<Song>> = BTreeMap::new();
        for (number, entry) in self.songs().enumerate() {
            if let (Some(facts), Some(stored)) = (&entry.facts, &entry.stored) {
                let song = Song { number, entry, facts, stored };
                shards.entry(&stored.shard).or_default().push(song);
            }
        }
        let mut checked = Checked { songs: self.len(), shards: shards.len(), damage: Vec::new() };
        for songs in shards.values_mut() {
            songs.sort_by_key(|song| song.stored.offset);
        }
        let shards: Vec<&Vec<Song>> = shards.values().collect();
        let bytes: Result<Vec<Vec<String>>> =
            shards.par_iter().with_max_len(1).map(|songs| self.check_shard(songs, &stop)).collect();
        checked.damage.extend(bytes?.concat());
        let songs: Vec<&Song> = shards.into_iter().flatten().collect();
        let done = std::sync::atomic::AtomicUsize::new(0);
        let sounds: Result<Vec<Option<String>>> = songs
            .par_iter()
            .with_max_len(1)
            .map(|song| {
                let damage = self.check_sound(song, &stop)?;
                let done = 1 + done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                watch(done, songs.len());
                Ok(damage)
            })
            .collect();
        checked.damage.extend(sounds?.into_iter().flatten());
        Ok(checked)
    }

    /// Compares a shard byte by byte with what the table says of it.
    fn check_shard(&self, songs: &[Song], stop: &Listener) -> Result<Vec<String>> {
        let Some(first) = songs.first() else { return Ok(Vec::new()) };
        let path = self.shard(first.stored);
        let mut damage = Vec::new();
        let mut found = |what: String| damage.push(format!("{}: {what}", shown(&path)));
        let members: Vec<Member> = songs.iter().map(Song::member).collect();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) => {
                found(format!("could not open the file: {error}"));
                return Ok(damage);
            }
        };
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        if bytes != length(&members) {
            found(format!("expected {} bytes, found {bytes}", length(&members)));
        }
        let mut shard = BufReader::with_capacity(1 << 17, file);
        for (song, member) in songs.iter().zip(&members) {
            if stop.requested() {
                return Err(stopped(&path));
            }
            match damaged_part(&mut shard, member) {
                Ok(None) => {}
                Ok(Some(part)) => found(format!("{part} of {} is damaged", song.name())),
                Err(error) => {
                    found(format!("{} cannot be read: {error}", song.name()));
                    return Ok(damage);
                }
            }
        }
        let mut end = Vec::new();
        let rest = shard.take(END).read_to_end(&mut end);
        if rest.is_err() || end != [0; END as usize] {
            found("its end is damaged".to_owned());
        }
        Ok(damage)
    }

    /// Decodes a song and compares its samples with their hash.
    fn check_sound(&self, song: &Song, stop: &Listener) -> Result<Option<String>> {
        let path = self.shard(song.stored);
        let wrong = |what: &str| Some(format!("{}: {what} of {}", shown(&path), song.name()));
        let sound = self.song(song.number).and_then(|mut decoder| {
            let shape = Shape {
                channels: decoder.channel_count(),
                bits: song.facts.bits.clamp(1, 32),
                sample_rate_hz: song.facts.sample_rate_hz,
            };
            let mut samples = StoredSamples::new(shape, song.facts.scale);
            while let Some(chunk) = decoder.next_chunk()? {
                if stop.requested() {
                    return Err(stopped(&path));
                }
                samples.convert(chunk);
                samples.hash();
            }
            Ok((decoder.frames_read(), samples.sha256(), decoder.warnings()))
        });
        match sound {
            Err(error @ Error::Interrupted(_)) => Err(error),
            Err(error) => Ok(wrong(&format!("the sound cannot be decoded ({error})"))),
            Ok((_, _, warnings)) if !warnings.is_empty() => Ok(wrong(&warnings.join("; "))),
            Ok((frames, _, _)) if frames != song.facts.frames => {
                Ok(wrong(&format!("expected {} frames, found {frames}", song.facts.frames)))
            }
            Ok((_, hash, _)) if hash != song.facts.samples_sha256 => {
                Ok(wrong("the samples are not those that were stored,"))
            }
            Ok(_) => Ok(None),
        }
    }
}

fn stopped(path: &Path) -> Error {
    Error::Interrupted(format!("while checking {}", shown(path)))
}

/// A song that is stored.
struct Song<'a> {
    number: usize,
    entry: &'a Entry,
    facts: &'a SongFacts,
    stored: &'a Stored,
}

impl Song<'_> {
    fn member(&self) -> Member {
        Member::new(self.facts, self.stored.size, self.stored.sha256.clone())
    }

    fn name(&self) -> String {
        format!("{} ({})", self.facts.key(), shown(&self.entry.path))
    }
}

/// Which part of a song's members is not as it was written.
fn damaged_part(shard: &mut impl Read, member: &Member) -> io::Result<Option<&'static str>> {
    let mut damaged = None;
    let mut block = [0; BLOCK as usize];
    shard.read_exact(&mut block)?;
    if block != member.flac_header() {
        damaged = Some("the head of the sound");
    }
    let (size, sha256) = sha256::of_all(&mut shard.take(member.size))?;
    if size < member.size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if sha256 != member.sha256 {
        damaged = damaged.or(Some("the sound"));
    }
    let json = member.json.len() as u64;
    let mut expected = vec![0; (padded(member.size) - member.size) as usize];
    expected.extend(member.json_header());
    expected.extend_from_slice(&member.json);
    expected.resize(expected.len() + (padded(json) - json) as usize, 0);
    let mut found = vec![0; expected.len()];
    shard.read_exact(&mut found)?;
    if found != expected {
        damaged = damaged.or(Some("what is said"));
    }
    Ok(damaged)
}
