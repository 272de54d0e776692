//! What the library calls its arguments, in the words of the command line.

use super::given::Given;
use clap::Command;
use clap::builder::ValueParser;
use neural_composer::Error;

/// Arguments of the library, and the option of which each is a part.
const OPTIONS: [(&str, &str); 22] = [
    ("activation", "--dense-activation"),
    ("batch_size", "--batch"),
    ("cell", "--layers"),
    ("delta", "--loss"),
    ("every_seconds", "--checkpoint-seconds"),
    ("newest", "--checkpoint-count"),
    ("rule", "--optimizer"),
    ("network", "--layers"),
    ("dense_units", "--layers"),
    ("part_seconds", "--regenerate"),
    ("piece", "--regenerate"),
    ("recompute.steps", "--recompute-steps"),
    ("residual", "--layers"),
    ("schedule.every", "--schedule"),
    ("schedule.factor", "--schedule"),
    ("schedule.floor", "--schedule"),
    ("schedule.steps", "--schedule"),
    ("shard_bytes", "--shard-megabytes"),
    ("to_hz", "--rate"),
    ("transpose_semitones", "--transpose"),
    ("truncate_steps", "--truncate"),
    ("units", "--layers"),
];

/// What there is to say of `error`; an argument is called by the option that was typed.
pub fn message(error: &Error, given: &Given) -> String {
    let Error::Argument { name, expected, found } = error else { return error.to_string() };
    let option = OPTIONS.iter().find(|(argument, _)| argument == name);
    let option = option.map_or_else(|| given.option(name), |(_, option)| (*option).to_owned());
    format!("{option}: expected {expected}, found {found}")
}

/// `command`, in which the values of options may begin with a hyphen, but for names of files: `--seconds
/// -1` is a wrong number, not another option.
pub fn with_values_of_any_sign(command: Command) -> Command {
    let file = ValueParser::path_buf().type_id();
    command.mut_subcommands(|command| {
        with_values_of_any_sign(command).mut_args(|option| {
            let takes_values = option.get_action().takes_values();
            let names_a_file = option.get_value_parser().type_id() == file;
            let signed = option.get_long().is_some() && takes_values && !names_a_file;
            if signed { option.allow_hyphen_values(true) } else { option }
        })
    })
}
