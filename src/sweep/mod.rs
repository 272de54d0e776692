//! Sweeps: many configurations trained on the same songs, and what mattered.
//!
//! A plan is a file of TOML:
//!
//! ```toml
//! songs = ["my-song.mp3", "more-songs/"]   # from the plan's folder on
//! epochs = 20
//! validation = 0.1
//!
//! [grid]                                   # every combination of these: 3 × 2 × 2 = 12 runs
//! cell = ["simple-rnn", "gru", "lstm"]
//! units = [128, 256]
//! loss = ["mse", "mae"]
//! ```
//!
//! | key | what it says |
//! |---|---|
//! | `songs` | a song, a folder or a list of them; paths are looked for from the plan's folder on |
//! | `recursive` | whether folders of folders are looked into; usual: no |
//! | `model` | `blocks` (usual), `grains` or `codes`; the same in all runs |
//! | `compare` | for blocks: by which loss runs are compared, whatever they were trained with; usual: mse |
//! | `[grid]` | settings, each with the list of its values; the last one moves fastest |
//! | `[random]` | `count` draws with `seed` (usual: 1), of settings with a list of values, `{ uniform = [0, 0.5] }` or `{ log = [1e-4, 1e-2] }` |
//! | any setting | its value in all runs |
//!
//! With `[grid]` and `[random]`, every draw has every combination of the grid: some draws, each with
//! three seeds. Draw number n of a setting depends on the seed of the draws, n, the setting's name and
//! its range alone.
//!
//! Settings have the names and the values of the options of `neural-composer train`: `settings`,
//! `epochs`, `steps`, `batch`, `learning-rate`, `schedule`, `optimizer`, `loss`, `dropout`,
//! `scheduled-sampling`, `truncate`, `recompute-layers`, `recompute-steps`, `precision`, `layers`,
//! `dense-activation`, `recurrent-input`, `validation`, `patience`, `seed`. In place of `layers`, `cell`,
//! `depth` and `units` say a stack of equal layers, so that each of the three can be varied alone.
//!
//! # A run
//!
//! A run's *signature* is a hash of its configuration (the usual values filled in), of its songs'
//! content and of the loss that is compared; names of files are no part of it, nor is the device. Its
//! folder has the signature as its name. In it are `configuration.toml`, `log.txt`, `model.safetensors`,
//! `history.json` (the losses of every epoch) and, last and whole, `result.json`: with it the run is
//! finished and is never done again, by whatever plan asks for it. While it trains, `checkpoints/` holds
//! what it goes on from after a kill. What failed has a `failure.json`, and is tried again by the next
//! call.
//!
//! # What is compared
//!
//! `final_loss` is the loss of the network as it is in its file, over the sequences kept aside where
//! there are some (`validation`), else over those it was trained on, without dropout, and for blocks by
//! the one loss that `compare` names, so that networks trained with different losses can be compared.
//! Models of grains and codes have one loss; it is that of their last epoch, or of the best one where
//! patience ended the training. `final_loss_is` says which it was.
//!
//! # Several processes
//!
//! Any number of processes may work at the same plan, on one machine or on several that share the folder
//! (if its file system knows locks): each takes what no other has, and a lock dies with its process.
//! [`Sweep::task`] divides the runs of a plan for the tasks of an array besides.
//!
//! # The table
//!
//! `sweep.parquet` and `sweep.csv` hold a row for each run that is over, in the plan's order: `run`,
//! `signature`, `state`, the settings of the plan, `final_loss` and the rest of [`RunResult`],
//! `model_file` (from the sweep's folder on), `error`. Times and memory aside, they depend on the plan,
//! the songs and the machine alone. [`SweepTable::open`] reads the first one back.

mod columns;
mod csv_table;
mod draws;
mod effects;
mod output;
mod parquet_table;
mod plan;
mod plan_file;
mod reader;
mod result;
mod run_folder;
mod runner;
mod settings;
mod signature;
mod table;
mod trainer;
mod value;

pub use effects::{Effect, EffectGroup};
pub use plan::{Plan, PlannedRun};
pub use result::RunResult;
pub use run_folder::RunState;
pub use runner::{Sweep, SweepProgress, Swept};
pub use table::{SweepRow, SweepTable};
pub use value::Value;
