//! A folder of songs decoded once: FLAC in tar files, with a Parquet table of contents.
//!
//! [`Corpus::build`] makes one and brings it up to date, [`Corpus::open`] reads it. Its files need no
//! neural-composer: shards are laid out as [WebDataset](https://github.com/webdataset/webdataset) has
//! them, and Python's `tarfile`, `pyarrow` and `soundfile` open all of it.
//!
//! ```text
//! corpus/
//!   contents.parquet                   a row for each file of the folder
//!   shards/00000-1c2a90f3e05b7d46.tar  KEY.flac and KEY.json of each song
//!   shards/32768-88e0c1b2d3f4a596.tar
//!   prepared/                          what training made of songs; may be removed at any time
//!   .corpus-lock                       empty, but while somebody builds
//! ```
//!
//! # A song
//!
//! `KEY` is the first 32 digits of the SHA-256 of the song's file. `KEY.flac` (RFC 9639) has the song's own
//! rate and all its channels (up to 8), in 16 bits, or in 24 for integers of more than 16 bits and for
//! floating-point numbers; lossy files are stored in 16. Samples beyond full scale, which lossy decoders
//! and floating-point files give, are not clipped: the whole song is then stored divided by a power of
//! two, which `scale` tells, and stored samples times `scale` are the song's. `KEY.json` is
//! [`SongFacts`].
//!
//! # The table
//!
//! `contents.parquet` has a row for each file, sorted by path, with the fields of [`Entry`] and
//! [`SongFacts`] as columns. `offset` and `size` say where in `shard` the FLAC file is, `sha256` is its
//! hash; `warnings` has a line for each; `problem` says why a file was not stored; `duplicate_of` names
//! the stored recording; `fingerprint` is a row of 32-bit words, the lowest byte first.
//!
//! # Which song is in which shard
//!
//! A corpus's bytes depend on the folder's contents and on [`BuildSettings`] alone. The first 16 bits of
//! a song's key are its bucket; all buckets are one shard, and where its songs take more than
//! [`BuildSettings::shard_bytes`] the buckets are halved, and halved again. So a shard's songs depend on
//! no order, a song that comes or goes changes one shard (or splits or joins two), songs are shuffled as
//! training wants them, and all others stay as they are, file and name. (Shards filled one after the
//! other would all change behind a song that comes or goes; cut where a hash says so they have no
//! largest size.) A shard's name is where its buckets begin and a hash of its contents: old and new
//! shards lie beside each other until the new table takes the old one's name in one step, and the old
//! corpus can be read until then.
//!
//! Paths are in the table alone: who renames a song changes no shard.
//!
//! # Duplicates
//!
//! The same samples, or a fingerprint that differs in less than 15 % of its bits (and in no four seconds
//! by more than 36 %) at a length that differs by less than a second, are one recording. Kept is
//! lossless before lossy, then more bits, a higher rate, more channels, the longer one, the first path.
//! Another tempo (from 1 % on), another key, another part or a longer version changes more bits, or the
//! length; a copy that is louder, filtered, mono or at another rate is the same recording.
//!
//! # What is cut off
//!
//! Each song that is done is kept in `.building/`, as a whole or not at all, so that the same command
//! goes on after a kill. One job builds at a time, the system's lock on `.corpus-lock` sees to that; the
//! second one is told. A job may be several processes ([`Corpus::build_together`]), of which each decodes
//! its part of the songs and packs its part of the shards, and the first one does the rest. Files of an earlier build are not read again when path, length, times and
//! number in their file system are the same (`seen.rs` tells where that is remembered); else their hash
//! decides.

mod build;
mod builder;
mod changes;
mod check;
mod commit;
mod contents;
mod duplicates;
mod entry;
mod fingerprint;
mod hashed;
mod lock;
mod open;
mod places;
mod progress;
mod seen;
mod shards;
mod shares;
mod song;
mod store;
mod summary;
mod work;

pub use build::{BuildSettings, Built};
pub use changes::Changes;
pub use check::Checked;
pub use entry::{Entry, SongFacts, Stored};
pub use open::Corpus;
pub use progress::BuildProgress;
pub use shares::Shares;
pub use summary::Summary;
pub(crate) use summary::frequencies;

/// The folder of what others keep beside the shards.
const PREPARED: &str = "prepared";
/// What follows a song's key in the names of its files there.
pub(crate) const PREPARED_ENDING: &str = ".safetensors";

/// Of the format, and of what decodes and measures: with another one a corpus is built anew.
pub(crate) const VERSION: &str = "1";
