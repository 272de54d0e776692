//! A notebook lab for neural music: see and hear songs, train a network on them, listen to what it
//! composes.
//!
//! Data flows one way: [`audio`] → [`features`] → [`dataset`] → [`model`] → [`train`] → [`generate`]
//! → [`evaluate`], and [`display`] shows any of them.
//!
//! From a song to a new piece, with a second of a tone in place of a song:
//!
//! ```
//! use neural_composer::prelude::*;
//!
//! let sample = |n: usize| 0.5 * (n as f32 * 0.05).sin();
//! let song = Audio::mono((0..32_000).map(sample).collect(), 16_000)?;
//! let settings = DatasetSettings { sequence_blocks: 8, ..DatasetSettings::fast() };
//! let data = Dataset::from_audio(&[("a tone".into(), song)], settings)?;
//!
//! let config = NetworkConfig::stack(data.blocks().width(), [gru(16)]);
//! let mut network = Network::new(config, &data, 1, &Device::cpu())?;
//! let history = network.train(&data, Training::epochs(3).batch(4).seed(1))?;
//! println!("{history}");
//!
//! let piece = network.compose(1.0, Seed::training(&data, 1)?)?;
//! assert_eq!(piece.audio().frames(), 16_000);
//! let folder = tempfile::tempdir().unwrap();
//! piece.save(folder.path().join("piece.wav"))?;
//! # Ok::<(), neural_composer::Error>(())
//! ```
//!
//! Where to go on: [`audio::Song::open`] for songs, [`generate::Model::learn`] for all three ways to
//! compose, [`train`] for loops, [`notebook`] for what a cell says, [`interrupt`] for the stop.
//!
//! What the library is made of is at hand under the names [`candle`], [`candle_nn`] and [`plotters`],
//! in the very versions that it uses:
//!
//! ```
//! use neural_composer::candle::{Device, Tensor};
//! use neural_composer::candle_nn::ops::softmax;
//! use neural_composer::plotters::prelude::{Color, RED, Rectangle, WHITE};
//! use neural_composer::prelude::Picture;
//!
//! let chances = softmax(&Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu)?, 0)?.to_vec1::<f32>()?;
//! assert!((chances.iter().sum::<f32>() - 1.0).abs() < 1e-6);
//!
//! let picture = Picture::draw(320, 160, |paper| {
//!     paper.fill(&WHITE)?;
//!     for (index, chance) in chances.iter().enumerate() {
//!         let (x, height) = (20 + 100 * index as i32, (chance * 140.0) as i32);
//!         paper.draw(&Rectangle::new([(x, 150 - height), (x + 80, 150)], RED.filled()))?;
//!     }
//!     Ok(())
//! })?;
//! assert!(picture.svg().contains("rect"));
//! # Ok::<(), neural_composer::Error>(())
//! ```
//!
//! In a program of your own, say `CANDLE_NUM_THREADS=1` in its environment, as the command line and
//! the notebooks' kernel do: Candle 0.11 otherwise adds and multiplies tensors on threads that wait
//! for each other without ever letting go of their cores. Networks of codes and grains then learn a
//! tenth slower, and half as fast where other programs want the cores. Nothing else depends on it.

#![warn(missing_docs)]

pub mod atomic_file;
pub mod audio;
mod claim;
mod compute;
pub mod configuration;
pub mod corpus;
pub mod dataset;
pub mod display;
mod error;
pub mod evaluate;
pub mod features;
pub mod generate;
pub mod interrupt;
mod memory;
pub mod model;
pub mod notebook;
mod numbers;
mod parquet_table;
pub mod prelude;
pub mod processes;
pub mod recipe;
mod sha256;
pub mod stream_file;
pub mod sweep;
pub mod train;
pub mod words;

pub use candle_core as candle;
pub use candle_nn;
pub use error::{Error, Result};
pub use plotters;

// Crates of types that functions here return, under the names by which the compiler prints them: a
// notebook writes these types into later cells.
#[doc(hidden)]
pub use {candle_core, rand_chacha, serde_json};
