//! Settings drawn at random from ranges and lists.

use super::settings::Takes;
use super::value::Value;
use sha2::{Digest, Sha256};

/// What a setting is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// One of these, all alike.
    List(Vec<Value>),
    /// Between two numbers, both included, all alike.
    Uniform(f64, f64),
    /// The same with even ratios: as often from 0.001 to 0.01 as from 0.01 to 0.1.
    Log(f64, f64),
}

/// Drawn numbers have so many significant digits: what is in the table is what was trained with.
const DIGITS: usize = 4;

impl Source {
    /// What draw `number` has for the setting `name`: a function of these and of `seed` alone, so that no
    /// setting's draws move another's.
    pub fn draw(&self, seed: u64, number: u64, (name, takes): (&str, Takes)) -> Value {
        let share = share(seed, number, name);
        match self {
            Self::List(values) => {
                let at =
                    ((share * values.len() as f64) as usize).min(values.len().saturating_sub(1));
                values.get(at).cloned().unwrap_or(Value::Flag(false))
            }
            Self::Uniform(low, high) => match takes {
                Takes::Number => Value::Real(rounded(low + share * (high - low), *low, *high)),
                _ => whole((low + share * (high - low + 1.0)).floor(), *low, *high),
            },
            Self::Log(low, high) => match takes {
                Takes::Number => {
                    Value::Real(rounded((low.ln() + share * (high / low).ln()).exp(), *low, *high))
                }
                _ => {
                    let ratio = ((high + 1.0) / low).ln();
                    whole((low.ln() + share * ratio).exp().floor(), *low, *high)
                }
            },
        }
    }
}

/// A number from 0 to below 1.
fn share(seed: u64, number: u64, name: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(b"neural-composer draw");
    hash.update(seed.to_le_bytes());
    hash.update(number.to_le_bytes());
    hash.update(name.as_bytes());
    let bits = hash.finalize().iter().take(8).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

fn rounded(number: f64, low: f64, high: f64) -> f64 {
    let short = format!("{number:.*e}", DIGITS - 1).parse().unwrap_or(number);
    f64::clamp(short, low, high)
}

fn whole(number: f64, low: f64, high: f64) -> Value {
    Value::Whole(number.clamp(low, high) as i64)
}
