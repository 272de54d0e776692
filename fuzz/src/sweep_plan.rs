//! Plans of strangers: a plan that can be trained, or an error that names it.

use neural_composer::Error;
use neural_composer::sweep::Plan;
use std::path::Path;

/// Reads a plan whose songs are nowhere.
pub fn read(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Plan::read(&text, Path::new("/nowhere/at/all")) {
        Ok(plan) => {
            assert!(plan.runs().len() <= 10_000);
            plan.runs().iter().for_each(|run| drop(run.words()));
        }
        Err(Error::Sweep { path, problem }) => {
            assert_eq!(path, Path::new("the plan"));
            assert!(!problem.is_empty());
        }
        // An absolute name of a file that is there, and may not be read.
        Err(Error::Io { .. }) => {}
        Err(error) => panic!("{error} does not name the plan"),
    }
}
