//! Reading a plan's text: its lines, settings and values, and the words for what is wrong with them.

use super::settings::{SETTINGS, Setting};
use super::value::Value;
use crate::model::ModelKind;
use crate::words::brief;
use crate::{Error, Result};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A list has at most so many values.
const LONGEST: usize = 10_000;

/// A value, and the line that it is in.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub value: T,
    pub line: usize,
}

/// Reads a text, whose faults are those of `path`.
pub(super) struct Reader<'t> {
    pub path: &'t Path,
    pub text: &'t str,
}

/// A key, where it is, and what it stands for.
pub(super) type Entry<'t> = (String, Range<usize>, &'t Spanned<DeValue<'t>>);

/// The entries of a table as they follow one another in the file.
pub(super) fn in_order<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let entries = table.iter();
    let mut entries: Vec<Entry<'t>> =
        entries.map(|(key, value)| (key.get_ref().to_string(), key.span(), value)).collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries
}

/// A value as it was typed, in short.
pub(super) fn said(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => short(&format!("{text:?}")),
        DeValue::Integer(number) => brief(number.to_string()),
        DeValue::Float(number) => brief(number.to_string()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(values) if values.is_empty() => "an empty list".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// The beginning of a long text.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Reader<'_> {
    pub fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    pub fn fault(&self, span: &Range<usize>, key: &str, expected: &str, found: &str) -> Error {
        fault(self.path, self.line(span.start), key, expected, found)
    }

    /// The setting that `key` names, in `section`.
    pub fn setting(
        &self,
        key: &str,
        span: &Range<usize>,
        model: ModelKind,
        section: &str,
    ) -> Result<&'static Setting> {
        if let Some(setting) = Setting::named(key) {
            if setting.is_for(model) {
                return Ok(setting);
            }
            let expected = format!("what a model of {model} understands");
            let found = format!("{key}, which is for {}", setting.models());
            return Err(self.fault(span, &in_section(section, key), &expected, &found));
        }
        let expected = match key {
            "model" | "songs" | "recursive" | "compare" => {
                let words = format!("{key} above [{section}]: it is the same in all runs");
                return Err(self.fault(
                    span,
                    &in_section(section, key),
                    &words,
                    "it in the section",
                ));
            }
            "device" => "no device here: it is no part of the plan; give --device".to_owned(),
            _ => match meant(key) {
                Some(name) => format!("a setting, perhaps {name}"),
                None => format!("a setting: {}", names(model)),
            },
        };
        let found = short(&format!("{key:?}"));
        Err(self.fault(span, &in_section(section, &short(&one_line(key))), &expected, &found))
    }

    pub fn value(
        &self,
        setting: &Setting,
        value: &Spanned<DeValue<'_>>,
        key: &str,
    ) -> Result<At<Value>> {
        let line = self.line(value.span().start);
        let found = plain(value.get_ref()).and_then(|value| setting.takes.fit(value));
        found.map(|value| At { value, line }).ok_or_else(|| {
            let mut expected = setting.takes.expected().to_owned();
            if matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_))
                && !key.contains('.')
            {
                expected += "; lists of values are below [grid] or [random]";
            }
            self.fault(&value.span(), key, &expected, &said(value.get_ref()))
        })
    }

    pub fn section<'t>(
        &self,
        value: &'t Spanned<DeValue<'t>>,
        name: &str,
    ) -> Result<Vec<Entry<'t>>> {
        match value.get_ref() {
            DeValue::Table(table) if table.is_empty() => {
                let expected = "at least one setting with its values";
                Err(self.fault(&value.span(), name, expected, "an empty section"))
            }
            DeValue::Table(table) => Ok(in_order(table)),
            other => {
                let expected = format!("a section [{name}]");
                Err(self.fault(&value.span(), name, &expected, &said(other)))
            }
        }
    }

    pub fn list(
        &self,
        setting: &Setting,
        value: &Spanned<DeValue<'_>>,
        key: &str,
    ) -> Result<Vec<At<Value>>> {
        match value.get_ref() {
            DeValue::Array(values) if (1..=LONGEST).contains(&values.len()) => {
                values.iter().map(|value| self.value(setting, value, key)).collect()
            }
            DeValue::Array(values) => {
                let expected = format!("a list of 1 to {LONGEST} values");
                let found = match values.len() {
                    0 => "an empty list".to_owned(),
                    count => format!("{count} values"),
                };
                Err(self.fault(&value.span(), key, &expected, &found))
            }
            other => {
                let expected = match other {
                    DeValue::Table(_) => "a list of values; ranges are below [random]",
                    _ => "a list of values; one for all runs is above [grid]",
                };
                Err(self.fault(&value.span(), key, expected, &said(other)))
            }
        }
    }
}

/// A fault in a plan: its line, the key as it was typed, what was expected, what was found.
pub(super) fn fault(path: &Path, line: usize, key: &str, expected: &str, found: &str) -> Error {
    Error::sweep(path, format!("line {line}: {key}: expected {expected}, found {found}"))
}

pub(super) fn in_section(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A value that is neither list nor table nor date; nothing for a number that is too large.
pub(super) fn plain(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::Text(text.clone().into_owned())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Whole)
        }
        DeValue::Float(number) => number.as_str().parse().ok().map(Value::Real),
        DeValue::Boolean(flag) => Some(Value::Flag(*flag)),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// The setting that a name of other tools, or with other hyphens, may stand for.
fn meant(key: &str) -> Option<&'static str> {
    let hyphens = key.to_lowercase().replace(['_', ' '], "-");
    if let Some(setting) = Setting::named(&hyphens) {
        return Some(setting.name);
    }
    Some(match hyphens.as_str() {
        "lr" | "rate" | "learningrate" => "learning-rate",
        "batch-size" | "batchsize" => "batch",
        "kind" | "rnn" | "type" => "cell",
        "num-layers" | "layer" => "depth",
        "hidden-size" | "hidden" | "width" | "size" => "units",
        "epoch" | "max-epochs" => "epochs",
        "optim" => "optimizer",
        "activation" => "dense-activation",
        _ => return None,
    })
}

/// The settings that a model understands.
fn names(model: ModelKind) -> String {
    let names = SETTINGS.iter().filter(|setting| setting.is_for(model)).map(|s| s.name);
    names.collect::<Vec<_>>().join(", ")
}
