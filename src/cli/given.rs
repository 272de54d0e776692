//! What was really on the command line: an option that the chosen model does not understand is an
//! error, not ignored.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};
use neural_composer::{Error, Result};

/// What was given to the subcommand.
pub struct Given {
    /// The names of its options that were given.
    names: Vec<String>,
    /// All its options, without the hyphens in front.
    options: Vec<String>,
    json: bool,
}

impl Given {
    /// Those of the subcommand in `matches`.
    pub fn of(command: &Command, matches: &ArgMatches) -> Self {
        let json = matches.get_flag("json");
        // The innermost: `corpus build`.
        let (mut command, mut innermost) = (command, matches);
        while let Some((name, matches)) = innermost.subcommand() {
            innermost = matches;
            command = command.find_subcommand(name).unwrap_or(command);
        }
        let arguments = || command.get_arguments();
        let options = arguments().filter_map(|option| option.get_long()).map(str::to_owned);
        let is_given =
            |name: &String| innermost.value_source(name) == Some(ValueSource::CommandLine);
        let names = arguments().map(|option| option.get_id().to_string()).filter(is_given);
        Self { names: names.collect(), options: options.collect(), json }
    }

    /// Whether the result is wanted as JSON on standard output.
    pub fn json(&self) -> bool {
        self.json
    }

    /// The option of this name as it is typed; other names stay.
    pub fn option(&self, name: &str) -> String {
        let long = name.replace('_', "-");
        if self.options.contains(&long) { format!("--{long}") } else { name.to_owned() }
    }

    /// Whether `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|given| given == name)
    }

    /// Refuses the options of the type `T`, but for `allowed` ones: only `owner` understands them.
    pub fn refuse_all<T: Args>(&self, allowed: &[&str], owner: &str) -> Result<()> {
        let group = T::augment_args(Command::new("options"));
        let options: Vec<&str> = group.get_arguments().map(|o| o.get_id().as_str()).collect();
        self.refuse(|name| options.contains(&name) && !allowed.contains(&name), owner)
    }

    /// Refuses the options that are `foreign`: only `owner` understands them.
    pub fn refuse(&self, foreign: impl Fn(&str) -> bool, owner: &str) -> Result<()> {
        match self.names.iter().find(|name| foreign(name)) {
            Some(name) => {
                let found = format!("--{}, which is for {owner}", name.replace('_', "-"));
                Err(Error::argument("options", "what the model understands", found))
            }
            None => Ok(()),
        }
    }
}
