//! Which song is in which shard, and the shards' files.
//!
//! See [`crate::corpus`] for the rule and its reasons.

use super::entry::{SongFacts, key};
use crate::sha256::hex;
use crate::words::shown;
use crate::{Error, Result, atomic_file};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The folder of shards in that of a corpus.
pub(super) const FOLDER: &str = "shards";

/// Tar files are made of blocks of this size.
pub(super) const BLOCK: u64 = 512;
/// What a tar file ends with.
pub(super) const END: u64 = 2 * BLOCK;
/// The first bits of a key choose the shard; there are no more shards than this.
const BUCKETS: u32 = 1 << 16;

/// A song as its shard holds it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    /// Bytes of the FLAC file.
    pub(super) size: u64,
    /// SHA-256 of the FLAC file.
    pub(super) sha256: String,
    /// What `KEY.json` holds.
    pub(super) json: Vec<u8>,
}

impl Member {
    pub(super) fn new(facts: &SongFacts, size: u64, sha256: String) -> Self {
        Self { key: facts.key().to_owned(), size, sha256, json: facts.json() }
    }

    /// Bytes in the shard: two headers, both files, and what fills their last blocks.
    fn room(&self) -> u64 {
        2 * BLOCK + padded(self.size) + padded(self.json.len() as u64)
    }

    fn bucket(&self) -> u32 {
        self.key.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
    }

    pub(super) fn flac_header(&self) -> [u8; BLOCK as usize] {
        header(&format!("{}.flac", self.key), self.size)
    }

    pub(super) fn json_header(&self) -> [u8; BLOCK as usize] {
        header(&format!("{}.json", self.key), self.json.len() as u64)
    }
}

/// A member's head: nothing in it depends on who writes it, or when.
fn header(name: &str, size: u64) -> [u8; BLOCK as usize] {
    let mut header = tar::Header::new_ustar();
    // A key and an ending are no name that could be refused.
    let _ = header.set_path(name);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    *header.as_bytes()
}

pub(super) fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

/// A shard that is to be there.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) name: String,
    /// By their keys.
    pub(super) members: Vec<Member>,
}

/// The shards of `members`, sorted by their keys.
pub(super) fn plan(mut members: Vec<Member>, most_bytes: u64) -> Vec<Shard> {
    members.sort_by(|a, b| a.key.cmp(&b.key));
    let mut shards = Vec::new();
    split(members, 0..BUCKETS, most_bytes, &mut shards);
    shards
}

/// Puts `members`, whose keys begin in `buckets`, into one shard, or halves them where they do not fit.
fn split(mut members: Vec<Member>, buckets: Range<u32>, most_bytes: u64, shards: &mut Vec<Shard>) {
    let bytes: u64 = END + members.iter().map(Member::room).sum::<u64>();
    let half = buckets.start + buckets.len() as u32 / 2;
    if members.len() > 1 && bytes > most_bytes && half > buckets.start {
        let upper = members.split_off(members.partition_point(|member| member.bucket() < half));
        split(members, buckets.start..half, most_bytes, shards);
        split(upper, half..buckets.end, most_bytes, shards);
    } else if !members.is_empty() {
        let name = name(buckets.start, &members);
        shards.push(Shard { name, members });
    }
}

/// `32768-1c2a90f3e05b7d46.tar`: where its keys begin, and a hash of what is in it.
fn name(first: u32, members: &[Member]) -> String {
    const DIGITS: usize = 16;
    let mut hash = Sha256::new();
    for member in members {
        hash.update(member.sha256.as_bytes());
        hash.update(&member.json);
    }
    format!("{first:05}-{}.tar", &hex(hash.finalize())[..DIGITS])
}

/// Whether a file's name is one that [`plan`] gives: all others belong to somebody else.
pub(super) fn is_name(name: &str) -> bool {
    let of = |part: &str, length: usize, is: fn(&u8) -> bool| {
        part.len() == length && part.bytes().all(|byte| is(&byte))
    };
    name.strip_suffix(".tar").and_then(|stem| stem.split_once('-')).is_some_and(|(first, hash)| {
        of(first, 5, u8::is_ascii_digit) && of(hash, 16, u8::is_ascii_hexdigit)
    })
}

/// Where FLAC files begin in the shard.
pub(super) fn offsets(members: &[Member]) -> Vec<u64> {
    let mut next = 0;
    let mut offset = |member: &Member| {
        let at = next + BLOCK;
        next += member.room();
        at
    };
    members.iter().map(&mut offset).collect()
}

/// Bytes of a shard with these members.
pub(super) fn length(members: &[Member]) -> u64 {
    members.iter().map(Member::room).sum::<u64>() + END
}

/// Where a song's FLAC file is already.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) offset: u64,
}

/// Writes a shard whose songs are copied from `places`, one for each member.
///
/// # Errors
/// [`Error::Io`]; [`Error::Corpus`] when what is copied is not what it was.
pub(super) fn write(path: &Path, members: &[Member], places: &[Place]) -> Result<()> {
    atomic_file::write(path, |file| {
        let io = |error| Error::io(path, "write the shard")(error);
        for (member, place) in members.iter().zip(places) {
            file.write_all(&member.flac_header()).map_err(io)?;
            copy(file, path, member, place)?;
            fill(file, member.size).map_err(io)?;
            file.write_all(&member.json_header()).map_err(io)?;
            file.write_all(&member.json).map_err(io)?;
            fill(file, member.json.len() as u64).map_err(io)?;
        }
        file.write_all(&[0; END as usize]).map_err(io)
    })
}

fn fill(file: &mut BufWriter<File>, bytes: u64) -> io::Result<()> {
    file.write_all(&[0; BLOCK as usize][..(padded(bytes) - bytes) as usize])
}

fn copy(file: &mut BufWriter<File>, path: &Path, member: &Member, place: &Place) -> Result<()> {
    let from = &place.file;
    let mut source = File::open(from).map_err(Error::io(from, "open the file"))?;
    source.seek(SeekFrom::Start(place.offset)).map_err(Error::io(from, "read the file"))?;
    let mut source = source.take(member.size);
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 17]);
    loop {
        let count = source.read(&mut buffer).map_err(Error::io(from, "read the file"))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        file.write_all(&buffer[..count]).map_err(Error::io(path, "write the shard"))?;
    }
    if hex(hash.finalize()) == member.sha256 {
        return Ok(());
    }
    let problem = format!(
        "the song {} in it is damaged; remove this file, and the same command decodes its songs \
         again (of {} nothing is changed)",
        member.key,
        shown(path)
    );
    Err(Error::corpus(from, problem))
}

/// The FLAC files in a tar file, by their keys: where each begins, and its length.
///
/// # Errors
/// [`Error::Io`] when it cannot be read as a tar file.
pub(super) fn index(path: &Path) -> Result<Vec<(String, Place, u64)>> {
    let file = File::open(path).map_err(Error::io(path, "open the shard"))?;
    let mut archive = tar::Archive::new(file);
    let mut found = Vec::new();
    let entries = archive.entries_with_seek().map_err(Error::io(path, "read the shard"))?;
    for entry in entries {
        let entry = entry.map_err(Error::io(path, "read the shard"))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if let Some(stem) = name.strip_suffix(".flac") {
            let place = Place { file: path.to_path_buf(), offset: entry.raw_file_position() };
            found.push((key(stem).to_owned(), place, entry.size()));
        }
    }
    Ok(found)
}

/// The files in a folder that have a shard's name.
pub(super) fn shards_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(folder, "list the folder"))?,
    };
    let names = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_name));
    let mut names: Vec<PathBuf> = names.collect();
    names.sort();
    Ok(names)
}
