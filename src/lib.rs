//! A notebook lab for neural music: see and hear songs, train a network on them, listen to what it
//! composes.
//!
//! Data flows one way: [`audio`] → [`features`] → [`dataset`] → [`model`] → [`train`] → [`generate`]
//! → [`evaluate`], and [`display`] shows any of them.
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

pub mod atomic_file;
pub mod audio;
mod compute;
pub mod dataset;
pub mod display;
mod error;
pub mod evaluate;
pub mod features;
pub mod generate;
pub mod interrupt;
pub mod model;
pub mod notebook;
mod numbers;
pub mod prelude;
pub mod recipe;
pub mod train;

pub use candle_core as candle;
pub use candle_nn;
pub use error::{Error, Result};
pub use plotters;

// Crates of types that functions here return, under the names by which the compiler prints them: a
// notebook writes these types into later cells.
#[doc(hidden)]
pub use {candle_core, rand_chacha, serde_json};
