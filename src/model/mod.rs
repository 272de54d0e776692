//! The networks.
pub mod dense;
pub mod recurrent;
