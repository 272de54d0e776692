//! Arithmetic on slices for the layers that have a form of their own on the CPU.

mod blocked;
pub mod elementwise;
pub mod few_rows;
pub mod matrix;
mod real;
pub mod storage;

pub use real::Real;
