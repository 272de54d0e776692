//! The settings that a plan may name: those of `neural-composer train`, and three for stacks of equal
//! layers.

use super::value::Value;
use crate::configuration::{Configuration, layers};
use crate::model::{LayerConfig, ModelKind};
use crate::words::brief;
use crate::{Error, Result};

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// A whole number from 1.
    Count,
    /// A whole number from 0.
    Seed,
    /// Any number.
    Number,
    /// A name, or something written as a word.
    Text,
    /// true or false.
    Flag,
}

/// A setting: its name, what it takes, and the models that understand it.
#[derive(Debug)]
pub(super) struct Setting {
    pub name: &'static str,
    pub takes: Takes,
    models: &'static [ModelKind],
}

const ALL: &[ModelKind] = &[ModelKind::Blocks, ModelKind::Grains, ModelKind::Codes];
const BLOCKS: &[ModelKind] = &[ModelKind::Blocks];
const DRAWN: &[ModelKind] = &[ModelKind::Grains, ModelKind::Codes];
const NOT_GRAINS: &[ModelKind] = &[ModelKind::Blocks, ModelKind::Codes];

const fn setting(name: &'static str, takes: Takes, models: &'static [ModelKind]) -> Setting {
    Setting { name, takes, models }
}

/// All of them.
pub(super) static SETTINGS: [Setting; 23] = [
    setting("settings", Takes::Text, BLOCKS),
    setting("epochs", Takes::Count, BLOCKS),
    setting("steps", Takes::Count, DRAWN),
    setting("batch", Takes::Count, ALL),
    setting("learning-rate", Takes::Number, ALL),
    setting("schedule", Takes::Text, ALL),
    setting("optimizer", Takes::Text, ALL),
    setting("loss", Takes::Text, BLOCKS),
    setting("dropout", Takes::Number, ALL),
    setting("scheduled-sampling", Takes::Number, NOT_GRAINS),
    setting("truncate", Takes::Count, BLOCKS),
    setting("recompute-layers", Takes::Flag, BLOCKS),
    setting("recompute-steps", Takes::Count, BLOCKS),
    setting("precision", Takes::Text, BLOCKS),
    setting("layers", Takes::Text, BLOCKS),
    setting("cell", Takes::Text, BLOCKS),
    setting("depth", Takes::Count, BLOCKS),
    setting("units", Takes::Count, BLOCKS),
    setting("dense-activation", Takes::Text, BLOCKS),
    setting("recurrent-input", Takes::Flag, BLOCKS),
    setting("validation", Takes::Number, ALL),
    setting("patience", Takes::Count, ALL),
    setting("seed", Takes::Seed, ALL),
];

/// The deepest stack of equal layers.
const DEEPEST: usize = 1_000;

impl Setting {
    /// The setting of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Whether a model of this kind understands it.
    pub fn is_for(&self, model: ModelKind) -> bool {
        self.models.contains(&model)
    }

    /// The models that understand it: "blocks", "grains and codes".
    pub fn models(&self) -> String {
        self.models.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
    }
}

impl Takes {
    /// In words.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Count => "a whole number from 1",
            Self::Seed => "a whole number from 0",
            Self::Number => "a number",
            Self::Text => "text in quotation marks",
            Self::Flag => "true or false",
        }
    }

    /// `value` as the setting has it: a whole number is a number, too.
    pub fn fit(self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Count, Value::Whole(number)) if number >= 1 => Some(Value::Whole(number)),
            (Self::Seed, Value::Whole(number)) if number >= 0 => Some(Value::Whole(number)),
            (Self::Number, Value::Whole(number)) => Some(Value::Real(number as f64)),
            // One zero.
            (Self::Number, Value::Real(number)) if number.is_finite() => {
                Some(Value::Real(number + 0.0))
            }
            (Self::Text, Value::Text(text)) => Some(Value::Text(text)),
            (Self::Flag, Value::Flag(flag)) => Some(Value::Flag(flag)),
            _ => None,
        }
    }
}

/// The settings under which the library speaks of an argument.
pub(super) fn settings_of(argument: &str) -> &'static [&'static str] {
    match argument {
        "activation" => &["dense-activation"],
        "batch_size" => &["batch"],
        "cell" => &["cell", "layers"],
        "delta" => &["loss"],
        "depth" => &["depth", "layers"],
        "learning_rate" => &["learning-rate"],
        "network" | "residual" | "layers" => &["layers", "depth"],
        "recompute.steps" => &["recompute-steps"],
        "rule" => &["optimizer"],
        "scheduled_sampling" => &["scheduled-sampling"],
        "truncate_steps" => &["truncate"],
        "units" | "dense_units" => &["units", "layers"],
        other => Setting::named(other).map_or(&[], |setting| std::slice::from_ref(&setting.name)),
    }
}

/// A configuration that is put together.
struct Draft {
    configuration: Configuration,
    stack: Stack,
}

/// A stack of equal layers, what was said of it.
#[derive(Default)]
struct Stack {
    cell: Option<String>,
    depth: Option<usize>,
    units: Option<usize>,
}

/// A configuration with these settings.
///
/// # Errors
/// [`Error::Argument`] for values that cannot be.
pub(super) fn configuration(
    model: ModelKind,
    settings: &[(String, Value)],
) -> Result<Configuration> {
    let mut draft = Draft { configuration: Configuration::of(model), stack: Stack::default() };
    for (name, value) in settings {
        draft.set(name, value)?;
    }
    let Draft { mut configuration, stack: Stack { cell, depth, units } } = draft;
    if cell.is_some() || depth.is_some() || units.is_some() {
        let usual = configuration.recipe.layers();
        let first = usual.first().copied().unwrap_or(crate::model::lstm(512));
        let cell = cell.map_or(Ok(first.cell), |cell| cell.parse())?;
        let (units, depth) = (units.unwrap_or(first.units), depth.unwrap_or(usual.len()));
        if depth > DEEPEST {
            return Err(Error::argument("depth", "a whole number from 1 to 1,000", depth));
        }
        configuration.layers = Some(vec![LayerConfig::new(cell, units); depth]);
    }
    configuration.check()?;
    Ok(configuration)
}

impl Draft {
    fn set(&mut self, name: &str, value: &Value) -> Result<()> {
        let setting = &mut self.configuration;
        match (name, value) {
            ("settings", Value::Text(text)) => setting.recipe = text.parse()?,
            ("epochs", value) => setting.epochs = Some(count("epochs", value)?),
            ("steps", value) => setting.steps = Some(count("steps", value)?),
            ("batch", value) => setting.batch = Some(count("batch_size", value)?),
            ("learning-rate", Value::Real(rate)) => setting.learning_rate = Some(*rate),
            ("schedule", Value::Text(text)) => setting.schedule = Some(text.clone()),
            ("optimizer", Value::Text(text)) => setting.optimizer = Some(text.parse()?),
            ("loss", Value::Text(text)) => setting.loss = text.parse()?,
            ("dropout", Value::Real(share)) => setting.dropout = Some(*share),
            ("scheduled-sampling", Value::Real(share)) => {
                setting.scheduled_sampling = Some(*share);
            }
            ("truncate", value) => setting.truncate = Some(count("truncate_steps", value)?),
            ("recompute-layers", Value::Flag(flag)) => setting.recompute.layers = *flag,
            ("recompute-steps", value) => {
                setting.recompute.steps = Some(count("recompute.steps", value)?);
            }
            ("precision", Value::Text(text)) => setting.precision = text.parse()?,
            ("layers", Value::Text(text)) => setting.layers = Some(layers(text)?),
            ("cell", Value::Text(text)) => self.stack.cell = Some(text.clone()),
            ("depth", value) => self.stack.depth = Some(count("depth", value)?),
            ("units", value) => self.stack.units = Some(count("units", value)?),
            ("dense-activation", Value::Text(text)) => setting.dense_activation = text.parse()?,
            ("recurrent-input", Value::Flag(flag)) => setting.recurrent_input = *flag,
            ("validation", Value::Real(share)) => setting.validation = *share,
            ("patience", value) => setting.patience = Some(count("patience", value)?),
            ("seed", Value::Whole(seed)) => setting.seed = seed.unsigned_abs(),
            (name, value) => {
                let expected = "a setting with a value of its type";
                return Err(Error::argument(
                    "settings",
                    expected,
                    brief(format!("{name} = {value}")),
                ));
            }
        }
        Ok(())
    }
}

fn count(name: &'static str, value: &Value) -> Result<usize> {
    let whole = match value {
        Value::Whole(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    whole.ok_or_else(|| Error::argument(name, Takes::Count.expected(), value))
}
