//! Learning-rate schedules: how large a step to make, and when.

use serde::{Deserialize, Serialize};

use crate::words::counted;
use crate::{Error, Result};

/// How the learning rate moves over a training, as a factor of the rate that was set.
///
/// Positions are in optimizer steps. [`Schedule::Plateau`] looks at losses instead, which
/// [`Progress::observe`] is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Schedule {
    /// The same rate throughout.
    #[default]
    Constant,
    /// Rises in a straight line to the full rate over `steps`, then stays.
    WarmUp {
        /// How many steps the rise takes.
        steps: u64,
    },
    /// Rises over `warm_up` steps, then falls along half a cosine to `floor` of the full rate when
    /// `steps` are done (Loshchilov and Hutter 2017), and stays there.
    Cosine {
        /// How many steps the rise takes; 0 for none.
        warm_up: u64,
        /// How many steps there are altogether.
        steps: u64,
        /// What is left at the end, as a share of the full rate; 0 to 1.
        floor: f64,
    },
    /// Falls in a straight line to `floor` of the full rate at the last of `steps`, and stays there.
    Linear {
        /// How many steps there are altogether.
        steps: u64,
        /// What is left at the end, as a share of the full rate; 0 to 1.
        floor: f64,
    },
    /// Multiplied by `factor` after every `every` steps.
    Step {
        /// How many steps the rate holds.
        every: u64,
        /// What each fall leaves; above 0, at most 1.
        factor: f64,
    },
    /// Multiplied by `factor` whenever the loss has not fallen for `patience` observations in a row.
    Plateau {
        /// How many observations without a better loss are borne.
        patience: u64,
        /// What each fall leaves; above 0, at most 1.
        factor: f64,
        /// The least share of the full rate that is left; 0 to 1.
        floor: f64,
    },
}

impl Schedule {
    /// The names that [`usual`](Self::usual) knows.
    pub const NAMES: [&str; 6] = ["constant", "warm-up", "cosine", "linear", "step", "plateau"];

    /// The usual schedule of a kind, for a training of `updates` optimizer steps
    /// ([`Training::planned_updates`](super::Training::planned_updates)):
    ///
    /// | name | rate |
    /// |---|---|
    /// | constant | the same throughout |
    /// | warm-up | rises over the first twentieth |
    /// | cosine | rises over the first twentieth, falls to a hundredth |
    /// | linear | falls in a straight line to a hundredth |
    /// | step | halved after each fifth |
    /// | plateau | halved after 3 epochs without a better loss, down to a hundredth |
    ///
    /// # Errors
    /// [`Error::Argument`] for any other name.
    pub fn usual(name: &str, updates: u64) -> Result<Self> {
        let (warm_up, floor) = (updates / 20, 0.01);
        match name {
            "constant" => Ok(Self::Constant),
            "warm-up" => Ok(Self::WarmUp { steps: warm_up }),
            "cosine" => Ok(Self::Cosine { warm_up, steps: updates.max(1), floor }),
            "linear" => Ok(Self::Linear { steps: updates.max(1), floor }),
            "step" => Ok(Self::Step { every: updates.div_ceil(5).max(1), factor: 0.5 }),
            "plateau" => Ok(Self::Plateau { patience: 3, factor: 0.5, floor }),
            _ => {
                let expected = format!("one of {}", Self::NAMES.join(", "));
                Err(Error::argument("schedule", expected, format!("{name:?}")))
            }
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the setting that lies outside its range.
    pub fn validate(&self) -> Result<()> {
        let share = |name, value: f64| {
            if (0. ..=1.).contains(&value) {
                Ok(())
            } else {
                Err(Error::argument(name, "a number from 0 to 1", value))
            }
        };
        let factor_fits = |value: f64| {
            if value > 0. && value <= 1. {
                Ok(())
            } else {
                Err(Error::argument("schedule.factor", "a number above 0, at most 1", value))
            }
        };
        match *self {
            Self::Constant | Self::WarmUp { .. } => Ok(()),
            Self::Cosine { warm_up, steps, floor } => {
                if steps <= warm_up {
                    let expected =
                        format!("more than the {} of the warm-up", counted(warm_up, "step"));
                    return Err(Error::argument("schedule.steps", expected, steps));
                }
                share("schedule.floor", floor)
            }
            Self::Linear { steps, floor } => {
                if steps == 0 {
                    return Err(Error::argument("schedule.steps", "1 or more", steps));
                }
                share("schedule.floor", floor)
            }
            Self::Step { every, factor } => {
                if every == 0 {
                    return Err(Error::argument("schedule.every", "1 or more", every));
                }
                factor_fits(factor)
            }
            Self::Plateau { factor, floor, .. } => {
                factor_fits(factor)?;
                share("schedule.floor", floor)
            }
        }
    }

    /// A walk along the schedule from its beginning.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn start(self) -> Result<Progress> {
        self.validate()?;
        Ok(Progress { schedule: self, step: 0, plateau: 1., best_loss: None, waited: 0 })
    }
}

/// A place along a [`Schedule`]; what a checkpoint keeps of it.
///
/// ```
/// use neural_composer::train::schedule::Schedule;
///
/// let mut progress = Schedule::WarmUp { steps: 4 }.start()?;
/// let rates = [(); 6].map(|()| progress.next_rate(0.5));
/// assert_eq!(rates, [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    schedule: Schedule,
    step: u64,
    plateau: f64,
    best_loss: Option<f64>,
    waited: u64,
}

impl Progress {
    /// The rate for the next step, given the full rate; and moves on by one step.
    pub fn next_rate(&mut self, full_rate: f64) -> f64 {
        let rate = full_rate * self.factor();
        self.step += 1;
        rate
    }

    /// Tells the loss of an epoch, or of a validation; only [`Schedule::Plateau`] heeds it. A loss
    /// that is not a number counts as no better.
    pub fn observe(&mut self, loss: f64) {
        let Schedule::Plateau { patience, factor, floor } = self.schedule else {
            return;
        };
        if self.best_loss.is_none_or(|best| loss < best) && !loss.is_nan() {
            self.best_loss = Some(loss);
            self.waited = 0;
            return;
        }
        self.waited += 1;
        if self.waited > patience {
            self.plateau = (self.plateau * factor).max(floor);
            self.waited = 0;
        }
    }

    /// Takes over the place of another walk, along this one's schedule.
    pub(super) fn go_on_from(&mut self, other: &Self) {
        *self = Self { schedule: self.schedule, ..*other };
    }

    /// The factor at the present step.
    fn factor(&self) -> f64 {
        let rise = |steps: u64| {
            if steps == 0 { 1. } else { ((self.step + 1) as f64 / steps as f64).min(1.) }
        };
        match self.schedule {
            Schedule::Constant => 1.,
            Schedule::WarmUp { steps } => rise(steps),
            Schedule::Cosine { warm_up, .. } if self.step < warm_up => rise(warm_up),
            Schedule::Cosine { warm_up, steps, floor } => {
                let done = (self.step - warm_up) as f64 / (steps - warm_up) as f64;
                let fall = 0.5 * (1. + (std::f64::consts::PI * done.min(1.)).cos());
                floor + (1. - floor) * fall
            }
            Schedule::Linear { steps, floor } => {
                let last = (steps - 1).max(1);
                1. + (floor - 1.) * (self.step as f64 / last as f64).min(1.)
            }
            Schedule::Step { every, factor } => factor.powf((self.step / every) as f64),
            Schedule::Plateau { .. } => self.plateau,
        }
    }
}
