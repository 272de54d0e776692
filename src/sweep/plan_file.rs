//! A plan's text: TOML with songs, settings, and what to search; every fault with its line.

use super::draws::Source;
use super::reader::{At, Reader, fault, in_order, in_section, plain, said, short};
use super::settings::{Setting, Takes};
use super::value::Value;
use crate::model::ModelKind;
use crate::train::loss::Loss;
use crate::{Error, Result};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Keys of a plan that are no settings.
const OWN_KEYS: [&str; 6] = ["songs", "recursive", "model", "compare", "grid", "random"];
/// A setting with all values that it has.
pub(super) type Listed = (&'static Setting, Vec<At<Value>>);

/// What a plan says.
#[derive(Debug)]
pub(super) struct PlanFile {
    pub songs: Vec<At<String>>,
    pub recursive: bool,
    pub model: ModelKind,
    /// By which loss networks of blocks are compared.
    pub compare: Loss,
    /// Settings that are the same in all runs.
    pub fixed: Vec<(&'static Setting, At<Value>)>,
    /// Settings with all values that each has, as they follow one another.
    pub grid: Vec<Listed>,
    pub random: Option<Random>,
}

/// How settings are drawn.
#[derive(Debug)]
pub(super) struct Random {
    pub count: u64,
    pub seed: u64,
    pub sources: Vec<(&'static Setting, At<Source>)>,
}

impl PlanFile {
    /// Reads the text of a plan; `path` is what faults name.
    ///
    /// # Errors
    /// [`Error::Sweep`] with the line, the key, what was expected and what was found.
    pub fn read(path: &Path, text: &str) -> Result<Self> {
        let reader = Reader { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| reader.line(span.start));
            let words = error.message().replace('\n', "; ");
            Error::sweep(path, format!("line {line}: expected TOML, found a fault in it: {words}"))
        })?;
        let table = table.get_ref();
        let entries = in_order(table);
        let find = |name: &str| entries.iter().find(|(key, ..)| key == name);
        let model = match find("model") {
            Some((_, _, value)) => reader.model(value)?,
            None => ModelKind::Blocks,
        };
        let compare = match find("compare") {
            Some((_, span, _)) if model != ModelKind::Blocks => {
                let expected = format!("no such key: models of {model} have one loss");
                return Err(reader.fault(span, "compare", &expected, "compare"));
            }
            Some((_, _, value)) => reader.loss(value)?,
            None => Loss::default(),
        };
        let recursive = match find("recursive") {
            Some((_, _, value)) => match value.get_ref() {
                DeValue::Boolean(flag) => *flag,
                other => {
                    return Err(reader.fault(
                        &value.span(),
                        "recursive",
                        "true or false",
                        &said(other),
                    ));
                }
            },
            None => false,
        };
        let songs = match find("songs") {
            Some((_, _, value)) => reader.songs(value)?,
            None => {
                let problem = "expected the key songs, a song, a folder of songs or a list of them, \
                               found none: write for example songs = [\"song.mp3\"]";
                return Err(Error::sweep(path, problem));
            }
        };
        let mut plan = Self {
            songs,
            recursive,
            model,
            compare,
            fixed: Vec::new(),
            grid: Vec::new(),
            random: None,
        };
        for (key, span, value) in entries.iter().filter(|(key, ..)| !OWN_KEYS.contains(&&**key)) {
            let setting = reader.setting(key, span, model, "")?;
            plan.fixed.push((setting, reader.value(setting, value, key)?));
        }
        if let Some((_, _, value)) = find("grid") {
            plan.grid = reader.grid(value, model)?;
        }
        if let Some((_, _, value)) = find("random") {
            plan.random = Some(reader.random(value, model)?);
        }
        if plan.grid.is_empty() && plan.random.is_none() {
            let problem = "expected what to search, [grid] or [random], found neither: one \
                           configuration is trained by `neural-composer train`";
            return Err(Error::sweep(path, problem));
        }
        reader.refuse_twice(&plan)?;
        Ok(plan)
    }
}

impl Reader<'_> {
    fn model(&self, value: &Spanned<DeValue<'_>>) -> Result<ModelKind> {
        let kinds = [ModelKind::Blocks, ModelKind::Grains, ModelKind::Codes];
        let named = |kind: &ModelKind| matches!(value.get_ref(), DeValue::String(text) if **text == *kind.to_string());
        kinds.into_iter().find(named).ok_or_else(|| {
            let expected = "\"blocks\", \"grains\" or \"codes\"";
            self.fault(&value.span(), "model", expected, &said(value.get_ref()))
        })
    }

    fn loss(&self, value: &Spanned<DeValue<'_>>) -> Result<Loss> {
        let expected = "a loss in quotation marks: mse, mae, huber[:DELTA] or spectral[:WEIGHT]";
        let refused = || self.fault(&value.span(), "compare", expected, &said(value.get_ref()));
        let DeValue::String(text) = value.get_ref() else { return Err(refused()) };
        let loss: Loss = text.parse().map_err(|_| refused())?;
        loss.check().map_err(|_| refused())?;
        Ok(loss)
    }

    fn songs(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<At<String>>> {
        let song = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => {
                Ok(At { value: text.clone().into_owned(), line: self.line(value.span().start) })
            }
            other => {
                let expected = "the name of a song or a folder in quotation marks";
                Err(self.fault(&value.span(), "songs", expected, &said(other)))
            }
        };
        match value.get_ref() {
            DeValue::Array(songs) if !songs.is_empty() => songs.iter().map(song).collect(),
            DeValue::Array(_) => {
                let expected = "a song, a folder of songs or a list of them";
                Err(self.fault(&value.span(), "songs", expected, "an empty list"))
            }
            _ => Ok(vec![song(value)?]),
        }
    }

    fn grid(&self, value: &Spanned<DeValue<'_>>, model: ModelKind) -> Result<Vec<Listed>> {
        let mut grid = Vec::new();
        for (key, span, value) in self.section(value, "grid")? {
            let setting = self.setting(&key, &span, model, "grid")?;
            grid.push((setting, self.list(setting, value, &in_section("grid", &key))?));
        }
        Ok(grid)
    }

    fn random(&self, value: &Spanned<DeValue<'_>>, model: ModelKind) -> Result<Random> {
        let section = self.section(value, "random")?;
        let mut random = Random { count: 0, seed: 1, sources: Vec::new() };
        for (key, span, value) in section {
            let name = in_section("random", &key);
            let number = |least: u64, expected: &str| match plain(value.get_ref()) {
                Some(Value::Whole(number)) if number >= least as i64 => Ok(number.unsigned_abs()),
                _ => Err(self.fault(&value.span(), &name, expected, &said(value.get_ref()))),
            };
            match key.as_str() {
                "count" => random.count = number(1, "how many draws, a whole number from 1")?,
                "seed" => {
                    let expected = "the seed of the draws, a whole number from 0; seeds of trainings \
                                    are above [random] or below [grid]";
                    random.seed = number(0, expected)?;
                }
                _ => {
                    let setting = self.setting(&key, &span, model, "random")?;
                    let line = self.line(value.span().start);
                    let value = self.source(setting, value, &name)?;
                    random.sources.push((setting, At { value, line }));
                }
            }
        }
        let problem = match (random.count, random.sources.is_empty()) {
            (0, _) => "count, how many draws, a whole number from 1",
            (_, true) => "at least one setting to draw",
            _ => return Ok(random),
        };
        Err(self.fault(&value.span(), "random", problem, "none"))
    }

    fn source(&self, setting: &Setting, value: &Spanned<DeValue<'_>>, key: &str) -> Result<Source> {
        let is_number = !matches!(setting.takes, Takes::Text | Takes::Flag);
        let expected = match is_number {
            true => "a list of values, { uniform = [LOW, HIGH] } or { log = [LOW, HIGH] }",
            false => "a list of values",
        };
        let table = match value.get_ref() {
            DeValue::Array(_) => {
                let values = self.list(setting, value, key)?;
                return Ok(Source::List(values.into_iter().map(|at| at.value).collect()));
            }
            DeValue::Table(table) if is_number => table,
            other => return Err(self.fault(&value.span(), key, expected, &said(other))),
        };
        let entries = in_order(table);
        let [(kind, span, ends)] = entries.as_slice() else {
            let found = format!("a table of {} keys", entries.len());
            return Err(self.fault(&value.span(), key, expected, &found));
        };
        let is_log = match kind.as_str() {
            "uniform" => false,
            "log" => true,
            _ => return Err(self.fault(span, key, expected, &short(&format!("{kind:?}")))),
        };
        let values = match ends.get_ref() {
            DeValue::Array(ends) if ends.len() == 2 => {
                let ends = ends.iter().map(|end| self.value(setting, end, key));
                ends.collect::<Result<Vec<_>>>()?
            }
            other => {
                let found = said(other);
                return Err(self.fault(&ends.span(), key, "two numbers, [LOW, HIGH]", &found));
            }
        };
        let ends: Vec<f64> = values.iter().filter_map(|end| end.value.number()).collect();
        let (low, high) = (ends.first().copied(), ends.get(1).copied());
        let (Some(low), Some(high)) = (low, high) else {
            return Err(self.fault(span, key, expected, "no numbers"));
        };
        let found = format!("[{}, {}]", values[0].value, values[1].value);
        if low >= high || !(high - low).is_finite() {
            return Err(self.fault(span, key, "a low end below the high end", &found));
        }
        if is_log && low <= 0.0 {
            return Err(self.fault(span, key, "a low end above 0 for log", &found));
        }
        Ok(if is_log { Source::Log(low, high) } else { Source::Uniform(low, high) })
    }

    /// Refuses a setting in two places, and stacks that are told in two ways.
    fn refuse_twice(&self, plan: &PlanFile) -> Result<()> {
        let fixed = plan.fixed.iter().map(|(setting, at)| (setting.name, at.line, ""));
        let grid = plan.grid.iter().map(|(setting, values)| {
            (setting.name, values.first().map_or(1, |at| at.line), "grid")
        });
        let sources = plan.random.iter().flat_map(|random| &random.sources);
        let random = sources.map(|(setting, at)| (setting.name, at.line, "random"));
        let mut seen: Vec<(&str, usize, &str)> = Vec::new();
        for (name, line, section) in fixed.chain(grid).chain(random) {
            if let Some((_, first, other)) = seen.iter().find(|(known, ..)| *known == name) {
                let expected = "each setting in one place";
                let found = format!("{} in line {first}, too", in_section(other, name));
                return Err(fault(self.path, line, &in_section(section, name), expected, &found));
            }
            seen.push((name, line, section));
        }
        let layers = seen.iter().find(|(name, ..)| *name == "layers");
        let part = seen.iter().find(|(name, ..)| matches!(*name, "cell" | "depth" | "units"));
        match layers.zip(part) {
            Some(((_, first, _), (name, line, section))) => {
                let expected = "either layers, or cell, depth and units";
                let found = format!("layers in line {first}, too");
                Err(fault(self.path, *line, &in_section(section, name), expected, &found))
            }
            None => Ok(()),
        }
    }
}
