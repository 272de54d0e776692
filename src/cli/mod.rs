//! Arguments, and one file per subcommand.

mod checkpoints;
mod compose;
mod corpus;
mod decode;
mod generate;
mod given;
mod grains;
mod info;
mod judge;
mod options;
mod outputs;
mod play;
mod report;
mod similarity;
mod songs;
mod streams;
mod sweep;
mod train;
mod typed;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use given::Given;
use neural_composer::processes::Membership;
use neural_composer::{Result, atomic_file, interrupt, stream_file};
use report::{Report, print_json, status_of, tell};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "neural-composer", version, about, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    /// Print the result as one JSON object on standard output (progress stays on standard error)
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  neural-composer compose                              songs in datasets/songs → out.wav
  neural-composer compose my-song.mp3 --seconds 30 --seed 7 -o night.wav
  neural-composer train my-songs/ -o night.safetensors
  neural-composer generate night.safetensors --from intro.flac -o night.wav
  neural-composer similarity night.wav my-song.mp3
  neural-composer judge my-song.mp3 night.wav
  neural-composer corpus build my-songs/ -o corpus/
  mpirun -n 4 neural-composer train my-songs/          (built with feature mpi)
  neural-composer sweep plan.toml                      many configurations, and a table of them
  ffmpeg -i film.mkv -f wav - | neural-composer compose - -o - | aplay

- is standard input or standard output. A file of that name is ./-, and names that begin with - come
after --.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 stopped with Ctrl-C (143 by SIGTERM, 129 by
SIGHUP).";

#[derive(Subcommand)]
enum Command {
    Compose(compose::Compose),
    Decode(decode::Decode),
    Train(train::Train),
    Generate(generate::Generate),
    Similarity(similarity::Similarity),
    Judge(judge::Judge),
    Play(play::Play),
    Info(info::Info),
    Corpus(corpus::Corpus),
    Sweep(sweep::Sweep),
}

/// Reads the arguments, does the job, prints the result.
pub fn run() -> ExitCode {
    let command = typed::with_values_of_any_sign(Arguments::command());
    let matches = command.clone().get_matches();
    let given = Given::of(&command, &matches);
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    if let Err(error) = interrupt::listen() {
        tell(&format!("neural-composer: note: Ctrl-C ends at once, without a result: {error}"));
    }
    // Where it cannot be had, the limit ends the program, which leaves no result either.
    let _ = atomic_file::survive_size_limit();
    stream_file::remove_left_behind();
    let (membership, joined) = match join(&arguments.command, &matches) {
        Ok(membership) => (membership, Ok(())),
        Err(error) => (Membership::default(), Err(error)),
    };
    let work = || match arguments.command {
        Command::Compose(command) => command.run(&given),
        Command::Decode(command) => command.run(&given),
        Command::Train(command) => command.run(&given, &membership),
        Command::Generate(command) => command.run(&given),
        Command::Similarity(command) => command.run(),
        Command::Judge(command) => command.run(&given),
        Command::Play(command) => command.run(),
        Command::Info(command) => command.run(),
        Command::Corpus(command) => command.run(&membership),
        Command::Sweep(command) => command.run(&given),
    };
    match joined.and_then(|()| interrupt::Handle::new().during(work)) {
        Ok(report) => {
            let code = finish(&report, arguments.json);
            membership.end();
            code
        }
        Err(error) => {
            membership.let_the_first_tell();
            let words = typed::message(&error, &given);
            if arguments.json {
                // The error itself decides how it ends.
                let _ = print_json(&serde_json::json!({ "error": words }));
            }
            tell(&format!("neural-composer: {words}"));
            let status = status_of(&error);
            membership.fail(status);
            ExitCode::from(status)
        }
    }
}

/// Joins the processes that were started together with this one, to do what they do together.
fn join(command: &Command, matches: &ArgMatches) -> Result<Membership> {
    match command {
        Command::Train(_) => Membership::begin(),
        Command::Corpus(command) if command.is_done_together() => Membership::begin(),
        // Each takes the runs that no other has, which needs no connection between them.
        Command::Sweep(_) => Ok(Membership::default()),
        _ => {
            Membership::refuse(matches.subcommand_name().unwrap_or_default())?;
            Ok(Membership::default())
        }
    }
}

fn finish(report: &Report, json: bool) -> ExitCode {
    if !report.is_unsaid() {
        for warning in report.warnings() {
            tell(&format!("neural-composer: note: {warning}"));
        }
        if let Err(error) = report.print(json) {
            tell(&format!("neural-composer: standard output takes no more: {error}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::from(report.status())
}
