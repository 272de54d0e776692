//! A notebook lab for neural music: see and hear songs, train a network on them, listen to what it
//! composes.
//!
//! Data flows one way: [`audio`] → [`features`] → [`dataset`] → [`model`] → [`train`] → [`generate`]
//! → [`evaluate`], and [`display`] shows any of them.

pub mod atomic_file;
pub mod audio;
pub mod dataset;
pub mod display;
mod error;
pub mod evaluate;
pub mod features;
pub mod generate;
pub mod interrupt;
pub mod lab;
pub mod model;
pub mod prelude;
pub mod recipe;
pub mod train;

pub use error::{Error, Result};
