//! What a notebook says: the verbs that join the stages with what a person sees while they run.
//!
//! The stages themselves know nothing of displays; here a network trains with a live chart, composes
//! with a progress line, and a piece can be saved, played and compared.

mod cards;
mod codes;
mod composing;
mod grains;
mod internals;
mod lab_folder;
mod showing;
mod sweeping;
mod training;
mod verdict;

pub use sweeping::LiveSweep;
pub use training::{Listening, LiveTraining};
pub use verdict::Verdict;
