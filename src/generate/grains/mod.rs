//! Pieces from a song's own grains, put in a new order by a network.
//!
//! A [`GrainComposer`] learns from songs which grain follows which; to compose, it walks through the
//! grains, each step drawn from what the network expects next, corrected so that joins are smooth,
//! the beat is kept, nothing is copied at length and the piece has a form.

mod best;
mod composer;
mod copy_guard;
mod ending;
mod expectation;
mod file;
mod form;
mod join;
mod likeness;
mod listener;
mod moment;
mod options;
mod parts;
mod phrases;
mod placed;
mod sections;
mod song_bands;
mod sounds;
mod steps;
mod terrain;
mod trail;
mod walk;

pub use composer::{GrainComposer, GrainLearning};
pub use expectation::Expectation;
pub use options::{GrainOptions, Opening};
pub use placed::Placed;
