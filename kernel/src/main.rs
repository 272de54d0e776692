//! A Jupyter kernel for Rust notebooks that train: cells draw while they run, stop when asked to,
//! and start at once. See `README.md` beside `Cargo.toml`.

mod activity;
mod analyser;
mod analyser_folder;
mod analysis;
mod cell_output;
mod cell_queue;
mod cells;
mod completeness;
mod connection;
mod cursor;
mod definitions;
mod engine;
mod evaluator;
mod evaluator_reader;
mod failure;
mod folder;
mod history;
mod inputs;
mod kernel_info;
mod kernelspec;
mod key_replies;
mod keys;
mod known;
mod library;
mod library_metadata;
mod link;
mod notes;
mod outline;
mod output_stream;
mod processes;
mod publisher;
#[cfg(test)]
#[path = "../../fuzz/src/replay.rs"]
mod replay;
mod runner;
mod server;
mod session;
mod shell;
mod shell_line;
mod stream_marks;
mod support;
mod toolchain;
mod tools;
mod walk;
mod wire;

use crate::activity::Activity;
use crate::cell_output::CellOutput;
use crate::folder::Folder;
use crate::known::Surroundings;
use crate::outline::SharedOutline;
use crate::publisher::Publisher;
use crate::session::Session;
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve one notebook; Jupyter calls this.
    Run {
        /// The file with the sockets' ports and the signing key.
        #[arg(long)]
        connection_file: PathBuf,
    },
    /// Build the library for notebooks, if it is not built yet, and print the build's folder.
    Prepare {
        /// The checkout of the library.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// Build nothing; the exit status is 0 if the build is there and 1 if it is not.
        #[arg(long)]
        check: bool,
    },
    /// Tell Jupyter about this kernel; it works from any folder.
    Install(kernelspec::Install),
    /// Take back what `install` told.
    Uninstall(kernelspec::Place),
}

fn main() -> Result<()> {
    if evaluator::is_evaluator() {
        evaluator::run();
    }
    tools::run_if_called();
    match Arguments::parse().command {
        Command::Run { connection_file } => run(&connection_file),
        Command::Prepare { home, check } => {
            let home = home.canonicalize().context("there is no checkout there")?;
            let built = match library::current(&home) {
                Some(built) => built,
                None if check => std::process::exit(1),
                None => library::provide(&home, &mut |step| eprintln!("{step}"))?,
            };
            println!("{}", built.library.folder.display());
            Ok(())
        }
        Command::Install(install) => install.run(),
        Command::Uninstall(place) => kernelspec::uninstall(&place),
    }
}

fn run(connection_file: &Path) -> Result<()> {
    let connection = connection::read(connection_file)?;
    connection.warnings.into_iter().for_each(notes::note);
    let connection = connection.info;
    allow_many_clients();
    let folder = Folder::new()?;
    folder.remove_orphans();
    let session = Session::new(folder.path())?;
    let (publisher, messages) = Publisher::new();
    let activity = Arc::new(Activity::default());
    let output = CellOutput::new(publisher.clone(), activity.clone());
    let start = {
        let (publisher, activity) = (publisher.clone(), activity.clone());
        move |wires| {
            let outline = SharedOutline::default();
            let surroundings = Surroundings::new(session.notebook_folder(), session.home());
            let engine = engine::start(session, output, outline.clone())?;
            Ok(shell::start(wires, publisher, activity, engine, outline, surroundings)?)
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("could not start the sockets' threads")?;
    let served =
        runtime.block_on(server::serve(&connection, publisher, messages, activity.clone(), start));
    activity.kill_all();
    library::stop_building();
    // The engine may be in the middle of a cell: nothing waits for it.
    let cleared = folder.close();
    if let Err(error) = served {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
    drop(cleared);
    std::process::exit(0)
}

/// Makes room for more sockets than a process may have at first.
fn allow_many_clients() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    const ENOUGH: u64 = 16_384;
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < most) {
        limit.current = Some(most);
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
