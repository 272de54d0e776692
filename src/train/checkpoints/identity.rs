//! What has to be the same for a training to go on.

use crate::model::ModelKind;
use crate::words::{brief, shown};
use crate::{Error, Result};
use candle_core::Var;
use crc32fast::Hasher;
use safetensors::View;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The settings and the songs of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct Identity {
    /// How it is trained.
    settings: Map<String, Value>,
    /// What learns, and from what: `model`, `network`, `dataset`, `songs`, `data`.
    subject: Map<String, Value>,
}

/// Settings that may change: how long, and what changes no result but by rounding.
const FREE: [&str; 3] = ["epochs", "steps", "recompute"];
/// Parts of a schedule that follow from how long.
const COUNTS: [&str; 3] = ["steps", "warm_up", "every"];
/// Settings that are written down only where they are not the usual, which is this.
const UNSAID: [(&str, &str); 1] = [("precision", "f32")];
/// Names of what has to be the same, as errors and the command line know them.
const NAMES: [&str; 20] = [
    "batch_size",
    "clip_norm",
    "dataset",
    "dropout",
    "learning_rate",
    "loss",
    "model",
    "network",
    "noise",
    "patience",
    "precision",
    "rule",
    "schedule",
    "scheduled_sampling",
    "seed",
    "sequence_blocks",
    "sequence_grains",
    "steps_per_epoch",
    "truncate_steps",
    "validation",
];

impl Identity {
    /// Of a training with `settings`: what learns, its network and what made its songs ready, their
    /// titles, and the fingerprint of what is learned from.
    pub fn new<'a>(
        settings: &impl Serialize,
        (model, network, dataset): (ModelKind, &impl Serialize, &impl Serialize),
        titles: impl Iterator<Item = &'a str>,
        data: Fingerprint,
    ) -> Result<Self> {
        let subject = [
            ("model", model.to_string().into()),
            ("network", told(network)?),
            ("dataset", told(dataset)?),
            ("songs", titles.collect::<Vec<_>>().into()),
            ("data", data.words().into()),
        ];
        let subject = subject.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let settings = told(settings)?.as_object().cloned().unwrap_or_default();
        Ok(Self { settings, subject })
    }

    /// The settings, all of them.
    pub fn settings<T: DeserializeOwned>(&self, path: &Path) -> Result<T> {
        serde_json::from_value(self.settings.clone().into()).map_err(|error| {
            Error::model(path, format!("its settings cannot be understood ({error})"))
        })
    }

    /// Refuses another kind of model.
    pub fn check_model(&self, wanted: ModelKind, path: &Path) -> Result<()> {
        let found = self.subject.get("model").and_then(Value::as_str).unwrap_or_default();
        if found == wanted.to_string() {
            return Ok(());
        }
        let problem = format!("expected a checkpoint of {wanted}, found one of {found}");
        Err(Error::model(path, problem))
    }

    /// Whether both go on alike.
    pub fn is_as(&self, other: &Self) -> bool {
        self.difference(other).is_none()
    }

    /// Refuses a checkpoint of a training whose identity is `other`, by the first thing that differs.
    pub fn check(&self, other: &Self, path: &Path) -> Result<()> {
        let Some((name, given, known)) = self.difference(other) else { return Ok(()) };
        if let Some(name) = NAMES.into_iter().find(|known| *known == name) {
            let expected = format!("{known}, as in the training to go on with ({})", shown(path));
            return Err(Error::argument(name, expected, given));
        }
        let problem = match name.as_str() {
            "songs" => format!("is of a training on {known}, not on {given}"),
            "data" => "is of a training on other recordings of these songs".to_owned(),
            _ => format!("is of a training with {name} {known}, not {given}"),
        };
        Err(Error::model(path, format!("{problem}; name what it was trained on, or train afresh")))
    }

    /// The first thing that has to be the same and is not: its name, and what it is here and there.
    fn difference(&self, other: &Self) -> Option<(String, String, String)> {
        let longer = FREE.iter().any(|name| self.settings.get(*name) != other.settings.get(*name));
        // Settings before what follows from them, songs before their sound.
        let pairs = [
            (self.lasting(longer), other.lasting(longer)),
            (self.subject.clone(), other.subject.clone()),
        ];
        pairs.into_iter().find_map(|(own, others)| {
            let mut names: Vec<&String> = own.keys().chain(others.keys()).collect();
            names.sort_by_key(|name| (name.as_str() != "model", name.as_str() == "data", *name));
            let name = names.into_iter().find(|name| own.get(*name) != others.get(*name))?;
            let unsaid = UNSAID.into_iter().find(|(of, _)| of == name).map_or("nothing", |it| it.1);
            let words = |value: Option<&Value>| value.map_or(unsaid.to_owned(), said);
            Some((name.clone(), words(own.get(name)), words(others.get(name))))
        })
    }

    /// The settings that have to stay the same, in a training of another length those that do not
    /// follow from it.
    fn lasting(&self, another_length: bool) -> Map<String, Value> {
        let mut settings = self.settings.clone();
        FREE.iter().for_each(|name| drop(settings.remove(*name)));
        if another_length && let Some(Value::Object(schedule)) = settings.get_mut("schedule") {
            COUNTS.iter().for_each(|name| drop(schedule.remove(*name)));
        }
        settings
    }

    /// A name for a training that begins with these parameters.
    pub fn name(&self, variables: &BTreeMap<String, Var>) -> String {
        let mut settings = Hasher::new();
        settings.update(Value::from(self.lasting(true)).to_string().as_bytes());
        settings.update(Value::from(self.subject.clone()).to_string().as_bytes());
        format!("{:08x}{:08x}", settings.finalize(), mark_of(variables))
    }
}

/// What tells parameters from others.
pub(in crate::train) fn mark_of(variables: &BTreeMap<String, Var>) -> u32 {
    let mut parameters = Hasher::new();
    for (name, variable) in variables {
        parameters.update(name.as_bytes());
        parameters.update(&View::data(variable.as_tensor()));
    }
    parameters.finalize()
}

/// A value of ours as JSON.
fn told(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::Data(format!("settings without words: {e}")))
}

/// A few numbers or words, as people read them.
fn said(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => brief(text.clone()),
        Value::Array(parts) => brief(parts.iter().map(said).collect::<Vec<_>>().join(", ")),
        Value::Object(parts) => {
            let part = |(name, value): (&String, &Value)| match name.as_str() {
                "kind" => said(value),
                _ => format!("{name} {}", said(value)),
            };
            brief(parts.iter().map(part).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A fingerprint of what a network learns from.
#[derive(Clone, Debug, Default)]
pub(in crate::train) struct Fingerprint(Hasher);

impl Fingerprint {
    pub fn add(&mut self, numbers: &[f32]) {
        // Some thousand at once: one by one they would take ten times as long.
        for part in numbers.chunks(1 << 12) {
            let bytes: Vec<u8> = part.iter().flat_map(|number| number.to_le_bytes()).collect();
            self.0.update(&bytes);
        }
    }

    /// What tells one song from another.
    pub fn add_key(&mut self, key: &str) {
        self.0.update(key.as_bytes());
    }

    pub fn add_codes(&mut self, codes: &[u32]) {
        codes.iter().for_each(|code| self.0.update(&code.to_le_bytes()));
    }

    pub fn words(self) -> String {
        format!("{:08x}", self.0.finalize())
    }
}
