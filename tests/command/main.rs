//! The command line: its jobs, options, inputs, outputs and words.

#[path = "../songs/mod.rs"]
mod songs;

#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod full_disk;
mod jobs;
mod options;
#[cfg(unix)]
mod outputs;
#[cfg(unix)]
mod streams;
#[cfg(unix)]
mod words;
