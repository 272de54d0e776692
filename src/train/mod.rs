//! Training: loop, optimizers, checkpoints, progress.
pub mod optimizer;
pub mod schedule;
