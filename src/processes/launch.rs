//! What started this process: alone, or as one of several.

use std::env;

/// What starts several processes at once, told by the variables that it sets: how many, and a name.
const LAUNCHERS: [(&str, &str); 3] =
    [("OMPI_COMM_WORLD_SIZE", "mpirun"), ("PMI_SIZE", "mpiexec"), ("SLURM_STEP_NUM_TASKS", "srun")];

/// Several processes that were started together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Launch {
    pub by: &'static str,
    pub count: usize,
}

impl Launch {
    /// Of this process; nothing where it is alone.
    pub fn here() -> Option<Self> {
        Self::told(|name| env::var(name).ok())
    }

    /// What `variable` tells. The first launcher that says anything counts: mpirun starts its helpers
    /// with srun.
    fn told(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let mut counts = LAUNCHERS
            .into_iter()
            .filter_map(|(name, by)| Some((variable(name)?.trim().parse::<usize>().ok()?, by)));
        let (count, by) = counts.next()?;
        (count > 1).then_some(Self { by, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_started_several_processes_is_known() {
        let told = |variables: &[(&str, &str)]| {
            let value = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
            };
            Launch::told(value).map(|launch| (launch.by, launch.count))
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "1")]), None);
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "4")]), Some(("mpirun", 4)));
        assert_eq!(told(&[("PMI_SIZE", "2")]), Some(("mpiexec", 2)));
        assert_eq!(told(&[("SLURM_STEP_NUM_TASKS", "3")]), Some(("srun", 3)));
        let one_of_a_node = [("OMPI_COMM_WORLD_SIZE", "1"), ("SLURM_STEP_NUM_TASKS", "2")];
        assert_eq!(told(&one_of_a_node), None);
        assert_eq!(told(&[("PMI_SIZE", "many")]), None);
    }
}
