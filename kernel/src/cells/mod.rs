//! From the cells of a notebook to compiled code: what a cell becomes, and what outlives it.
//!
//! `source` tells commands from Rust, `parse` takes a cell apart into `item`s and statements,
//! `definitions` keeps the items, `compose` writes the crate, `compile` runs rustc, `diagnostic` and
//! `types` read what it says, `crates` builds what `:dep` asks for, an `attempt` learns from errors,
//! a `ready` cell changes the `namespace` when it runs, `notebook` joins them.

mod attempt;
pub mod commands;
pub mod compile;
pub mod compose;
mod crate_build;
mod crate_set;
mod crate_source;
mod crates;
mod definitions;
pub mod diagnostic;
mod expand;
pub mod generated;
mod globs;
#[cfg(test)]
#[path = "../../../fuzz/src/hostile_cell_splitting.rs"]
mod hostile;
mod identity;
mod imports;
mod item;
mod maker;
mod namespace;
pub mod notebook;
mod parse;
pub mod positions;
pub mod ready;
mod requirement;
mod settings;
pub mod source;
mod statics;
mod syntax;
pub mod types;
mod variable;
mod words;
