//! What was really on the command line: an option that the chosen model does not understand is an
//! error, not ignored.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};
use neural_composer::{Error, Result};

/// The names of the options that were given to the subcommand.
pub struct Given(Vec<String>);

impl Given {
    /// Those of the subcommand in `matches`.
    pub fn of(command: &Command, matches: &ArgMatches) -> Self {
        let Some((name, matches)) = matches.subcommand() else { return Self(Vec::new()) };
        let options = command.find_subcommand(name).map(Command::get_arguments);
        let names = options.into_iter().flatten().map(|option| option.get_id().to_string());
        let is_given = |name: &String| matches.value_source(name) == Some(ValueSource::CommandLine);
        Self(names.filter(is_given).collect())
    }

    /// Whether `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|given| given == name)
    }

    /// Refuses the options of the type `T`, but for `allowed` ones: only `owner` understands them.
    pub fn refuse_all<T: Args>(&self, allowed: &[&str], owner: &str) -> Result<()> {
        let group = T::augment_args(Command::new("options"));
        let options: Vec<&str> = group.get_arguments().map(|o| o.get_id().as_str()).collect();
        self.refuse(|name| options.contains(&name) && !allowed.contains(&name), owner)
    }

    /// Refuses the options that are `foreign`: only `owner` understands them.
    pub fn refuse(&self, foreign: impl Fn(&str) -> bool, owner: &str) -> Result<()> {
        match self.0.iter().find(|name| foreign(name)) {
            Some(name) => {
                let found = format!("--{}, which is for {owner}", name.replace('_', "-"));
                Err(Error::argument("options", "what the model understands", found))
            }
            None => Ok(()),
        }
    }
}
