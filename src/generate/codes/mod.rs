//! New pieces from spectra: a network draws codes of blocks, and phases are found for these.

mod composer;
mod copy_guard;
mod course;
mod file;

pub use composer::{CodeComposer, CodeLearning, CodeOptions};
