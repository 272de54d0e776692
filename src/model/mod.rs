//! The networks.
pub mod recurrent;
