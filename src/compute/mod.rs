//! Arithmetic on slices for the layers that have a form of their own on the CPU.

mod blocked;
pub mod elementwise;
pub mod few_rows;
pub mod lanes;
pub mod matrix;
mod ordering;
mod real;
pub mod scratch;
pub mod storage;

pub use real::Real;
