//! What mattered: how far each setting that varies explains the losses.

use super::table::{SweepRow, SweepTable};
use super::value::Value;

/// Beyond so many values a number is grouped.
const MOST_VALUES: usize = 8;
/// Into groups of as many runs each.
const GROUPS: usize = 4;

/// What one setting did to the final loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The setting.
    pub setting: String,
    /// The share of the differences between the runs that its values explain, from 0 to 1; nothing
    /// where no value has two runs, so that there is nothing to tell chance by.
    ///
    /// Of the runs' ranks, so that one run that went wrong does not decide; corrected for what so many
    /// groups of so few runs explain by chance (ε², T. L. Kelley, "An unbiased correlation ratio
    /// measure", 1935). What settings do only together is in none of them.
    pub explained: Option<f64>,
    /// The runs by value: in the plan's order, numbers from low to high.
    pub groups: Vec<EffectGroup>,
}

/// The finished runs that share a value, or a range of values.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectGroup {
    /// The value, or the range.
    pub label: String,
    /// The final losses, lowest first.
    pub losses: Vec<f64>,
}

impl Effect {
    /// "cell explains 51 %", or the name alone where nothing can be told.
    pub fn words(&self) -> String {
        let share = self.explained.map(|share| format!(" explains {:.0} %", 100.0 * share));
        format!("{}{}", self.setting, share.unwrap_or_default())
    }
}

impl EffectGroup {
    /// The mean of the losses.
    pub fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len().max(1) as f64
    }

    /// The lowest loss.
    pub fn best(&self) -> f64 {
        self.losses.first().copied().unwrap_or(f64::NAN)
    }
}

impl SweepTable {
    /// What each setting that varies did, the one that explains most first.
    pub fn effects(&self) -> Vec<Effect> {
        let ranked = self.ranked();
        let mut effects: Vec<Effect> =
            self.varied().iter().map(|setting| effect(setting, &ranked)).collect();
        effects.retain(|effect| effect.groups.len() > 1);
        let share = |effect: &Effect| effect.explained.unwrap_or(-1.0);
        effects.sort_by(|a, b| share(b).total_cmp(&share(a)));
        effects
    }
}

/// `ranked` by the value of a setting.
fn effect(setting: &str, ranked: &[&SweepRow]) -> Effect {
    let ranks = ranks(ranked);
    let mut by_plan: Vec<(usize, &SweepRow, f64)> =
        ranked.iter().zip(ranks).map(|(row, rank)| (row.number, *row, rank)).collect();
    by_plan.sort_by_key(|(number, ..)| *number);
    let mut values: Vec<&Value> = Vec::new();
    for value in by_plan.iter().filter_map(|(_, row, _)| row.setting(setting)) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let numbers: Vec<f64> = values.iter().filter_map(|value| value.number()).collect();
    let are_numbers = numbers.len() == values.len();
    if are_numbers {
        values.sort_by(|a, b| {
            let number = |value: &Value| value.number().unwrap_or(f64::NAN);
            number(a).total_cmp(&number(b))
        });
    }
    let mut groups: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    if are_numbers && values.len() > MOST_VALUES {
        let mut pairs: Vec<(f64, f64, f64)> = by_plan
            .iter()
            .filter_map(|(_, row, rank)| Some((row.setting(setting)?.number()?, row.loss(), *rank)))
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        for part in pairs.chunks(pairs.len().div_ceil(GROUPS)) {
            let (low, high) = (part[0].0, part[part.len() - 1].0);
            let label = format!("{} to {}", Value::Real(low), Value::Real(high));
            groups.push((label, part.iter().map(|(_, loss, rank)| (*loss, *rank)).collect()));
        }
    } else {
        for value in values {
            let of_value = by_plan.iter().filter(|(_, row, _)| row.setting(setting) == Some(value));
            let pairs = of_value.map(|(_, row, rank)| (row.loss(), *rank)).collect();
            groups.push((value.to_string(), pairs));
        }
    }
    let of_ranks: Vec<Vec<f64>> =
        groups.iter().map(|(_, pairs)| pairs.iter().map(|(_, rank)| *rank).collect()).collect();
    let groups = groups.into_iter().map(|(label, pairs)| {
        let mut losses: Vec<f64> = pairs.into_iter().map(|(loss, _)| loss).collect();
        losses.sort_by(f64::total_cmp);
        EffectGroup { label, losses }
    });
    Effect {
        setting: setting.to_owned(),
        explained: explained(&of_ranks),
        groups: groups.collect(),
    }
}

/// The rank of each run; those with equal losses share their mean rank.
fn ranks(ranked: &[&SweepRow]) -> Vec<f64> {
    let mut ranks = Vec::with_capacity(ranked.len());
    while ranks.len() < ranked.len() {
        let from = ranks.len();
        let alike = ranked[from..].iter().take_while(|row| row.loss() == ranked[from].loss());
        let count = alike.count().max(1);
        ranks.extend(vec![from as f64 + (count - 1) as f64 / 2.0; count]);
    }
    ranks
}

/// The share of the variance that groups explain, corrected for chance.
fn explained(groups: &[Vec<f64>]) -> Option<f64> {
    let all: Vec<f64> = groups.iter().flatten().copied().collect();
    let (count, parts) = (all.len() as f64, groups.len() as f64);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let middle = mean(&all);
    let total: f64 = all.iter().map(|value| (value - middle).powi(2)).sum();
    let between: f64 =
        groups.iter().map(|group| group.len() as f64 * (mean(group) - middle).powi(2)).sum();
    if parts < 2.0 || count <= parts {
        return None;
    }
    if total <= 0.0 {
        return Some(0.0);
    }
    let within = (total - between) / (count - parts);
    Some(((between - (parts - 1.0) * within) / total).clamp(0.0, 1.0))
}
