//! A plan: which configurations are trained on which songs.

use super::plan_file::PlanFile;
use super::reader::{At, fault, in_section};
use super::settings::{self, Setting};
use super::signature::{Signer, hashes};
use super::value::Value;
use crate::audio::{SubFolders, search_songs};
use crate::configuration::Configuration;
use crate::model::ModelKind;
use crate::train::loss::Loss;
use crate::words::{counted, shown};
use crate::{Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Beyond it a slip of the keyboard is likelier.
const MOST_RUNS: usize = 10_000;
const MOST_BYTES: u64 = 1 << 20;

/// Which configurations are trained on which songs: a file of TOML, read and checked.
///
/// What is in it: the documentation of [`sweep`](super).
#[derive(Clone, Debug)]
pub struct Plan {
    path: PathBuf,
    songs: Vec<PathBuf>,
    notes: Vec<String>,
    model: ModelKind,
    compare: Loss,
    varied: Vec<String>,
    runs: Vec<PlannedRun>,
}

/// One configuration of a plan.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    number: usize,
    signature: String,
    settings: Vec<(String, Value)>,
    varied: usize,
    configuration: Configuration,
}

/// A setting's value in one run: where it stands in the plan.
#[derive(Clone)]
struct Chosen {
    setting: &'static Setting,
    value: At<Value>,
    section: &'static str,
}

impl Plan {
    /// Opens a plan; its songs are looked for from its folder on, and read once, for their hashes.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Sweep`] for what is wrong with it: the line, the
    /// key as it was typed, what was expected, what was found.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_file(path.as_ref())
    }

    fn read_file(path: &Path) -> Result<Self> {
        let read = |bytes: &mut Vec<u8>| {
            File::open(path)?.take(MOST_BYTES + 1).read_to_end(bytes).map(drop)
        };
        let mut bytes = Vec::new();
        read(&mut bytes).map_err(Error::io(path, "read the plan"))?;
        if bytes.len() as u64 > MOST_BYTES {
            let problem = "expected a plan of at most a megabyte, found a longer file";
            return Err(Error::sweep(path, problem));
        }
        let text = String::from_utf8(bytes).map_err(|_| {
            Error::sweep(path, "expected a plan, text in UTF-8, found bytes that are none")
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::of(path.to_path_buf(), &text, folder)
    }

    /// Reads the text of a plan, whose songs are looked for from `folder` on.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let song = neural_composer::audio::Audio::mono(vec![0.1; 16_000], 16_000)?;
    /// # song.save(folder.path().join("song.wav"))?;
    /// use neural_composer::sweep::Plan;
    /// let text = "songs = \"song.wav\"\nepochs = 2\n[grid]\ncell = [\"gru\", \"lstm\"]\nunits = [8, 16]";
    /// let plan = Plan::read(text, folder.path())?;
    /// assert_eq!(plan.runs().len(), 4);
    /// assert_eq!(plan.runs()[1].words(), "cell gru, units 16");
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open); the plan is called "the plan".
    pub fn read(text: &str, folder: impl AsRef<Path>) -> Result<Self> {
        Self::of("the plan".into(), text, folder.as_ref())
    }

    fn of(path: PathBuf, text: &str, folder: &Path) -> Result<Self> {
        let file = PlanFile::read(&path, text)?;
        let combinations = combinations(&path, &file)?;
        let mut runs = Vec::new();
        for chosen in &combinations {
            runs.push((chosen, configuration(&path, file.model, chosen)?));
        }
        // What is wrong with the settings is told before any song is read.
        let (songs, mut notes) = find_songs(&path, &file, folder)?;
        let signer = Signer::new(&hashes(&songs)?, &file.compare.to_string());
        let grid = file.grid.iter().map(|(setting, _)| setting.name);
        let drawn = file.random.iter().flat_map(|random| &random.sources);
        let varied: Vec<String> =
            drawn.map(|(setting, _)| setting.name).chain(grid).map(str::to_owned).collect();
        let mut plan = Self {
            path,
            songs,
            notes: Vec::new(),
            model: file.model,
            compare: file.compare,
            varied,
            runs: Vec::new(),
        };
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut repeated = 0;
        // How many runs each draw has.
        let each = file.grid.iter().map(|(_, values)| values.len()).product::<usize>().max(1);
        for (at, (chosen, configuration)) in runs.into_iter().enumerate() {
            let signature = signer.sign(&configuration.identity()?);
            if let Some(first) = known.get(&signature) {
                if first / each != at / each {
                    repeated += 1;
                    continue;
                }
                return Err(plan.alike(&combinations[*first], chosen));
            }
            known.insert(signature.clone(), at);
            let settings =
                chosen.iter().map(|one| (one.setting.name.to_owned(), one.value.value.clone()));
            plan.runs.push(PlannedRun {
                number: plan.runs.len() + 1,
                signature,
                settings: settings.collect(),
                varied: plan.varied.len(),
                configuration,
            });
        }
        if repeated > 0 {
            notes.push(format!(
                "{} of {} are what was drawn before, and left out",
                counted(repeated, "run"),
                combinations.len()
            ));
        }
        plan.notes = notes;
        Ok(plan)
    }

    /// The fault of two combinations of the grid that train the same.
    fn alike(&self, first: &[Chosen], second: &[Chosen]) -> Error {
        let is_in_grid = |one: &&Chosen| one.section == "grid";
        // The setting whose values in the two are not the same one of its list.
        let mut pairs = first.iter().zip(second).filter(|(_, one)| is_in_grid(one));
        let moved = pairs.clone().find(|(a, b)| a.value.value != b.value.value);
        let (_, named) = moved.or_else(|| pairs.next_back()).unwrap_or((&first[0], &second[0]));
        let found = format!("{} and {} which are the same", words_of(first), words_of(second));
        let key = in_section(named.section, named.setting.name);
        fault(&self.path, named.value.line, &key, "configurations that differ", &found)
    }

    /// The file, or "the plan".
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The song files, in the order in which they are learned from.
    pub fn songs(&self) -> &[PathBuf] {
        &self.songs
    }

    /// What its models compose from.
    pub fn model(&self) -> ModelKind {
        self.model
    }

    /// The loss by which networks of blocks are compared, whatever they were trained with.
    pub fn compare(&self) -> Loss {
        self.compare
    }

    /// The settings that are not the same in all runs, as the plan has them.
    pub fn varied(&self) -> &[String] {
        &self.varied
    }

    /// All runs, in the plan's order.
    pub fn runs(&self) -> &[PlannedRun] {
        &self.runs
    }

    /// What there is to mind: songs that were passed over, draws that were left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl PlannedRun {
    /// Counted from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Twelve hexadecimal digits that stand for all that changes the result; the run's folder has this
    /// name.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Every setting of the plan with its value here, those that vary first.
    pub fn settings(&self) -> &[(String, Value)] {
        &self.settings
    }

    /// How it is trained.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What tells it from others: "cell gru, units 16".
    pub fn words(&self) -> String {
        let words = self.settings.iter().take(self.varied);
        words.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    }
}

fn words_of(chosen: &[Chosen]) -> String {
    let varied = chosen.iter().filter(|one| !one.section.is_empty());
    varied
        .map(|one| format!("{} {},", one.setting.name, one.value.value))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Every combination, in the plan's order: draw after draw, the grid's first setting slowest.
fn combinations(path: &Path, file: &PlanFile) -> Result<Vec<Vec<Chosen>>> {
    let draws = file.random.as_ref().map_or(1, |random| random.count);
    let mut lengths = file.grid.iter().map(|(_, values)| values.len() as u64);
    let count = lengths.try_fold(draws, |product, length| product.checked_mul(length));
    let count = count.filter(|count| *count <= MOST_RUNS as u64).ok_or_else(|| {
        let found = count.map_or("more than can be counted".to_owned(), |count| count.to_string());
        let remedy = "vary fewer settings, or draw some of them below [random]";
        let problem = format!("expected at most {MOST_RUNS} runs, found {found}: {remedy}");
        Error::sweep(path, problem)
    })?;
    let per_draw = count / draws;
    let combination = |number: u64| {
        let mut chosen = Vec::new();
        if let Some(random) = &file.random {
            for (setting, source) in &random.sources {
                let named = (setting.name, setting.takes);
                let value = source.value.draw(random.seed, number / per_draw, named);
                let value = At { value, line: source.line };
                chosen.push(Chosen { setting, value, section: "random" });
            }
        }
        let mut rest = number % per_draw;
        let mut left = per_draw;
        for (setting, values) in &file.grid {
            left /= values.len() as u64;
            let value = values[(rest / left) as usize].clone();
            rest %= left;
            chosen.push(Chosen { setting, value, section: "grid" });
        }
        let fixed = file.fixed.iter().cloned();
        chosen.extend(fixed.map(|(setting, value)| Chosen { setting, value, section: "" }));
        chosen
    };
    Ok((0..count).map(combination).collect())
}

/// The configuration of a combination; its fault is that of the setting in the plan.
fn configuration(path: &Path, model: ModelKind, chosen: &[Chosen]) -> Result<Configuration> {
    let pairs = chosen.iter().map(|one| (one.setting.name.to_owned(), one.value.value.clone()));
    let pairs: Vec<(String, Value)> = pairs.collect();
    settings::configuration(model, &pairs).map_err(|error| match error {
        Error::Argument { name, expected, found } => {
            let mut names = settings::settings_of(name).iter();
            let one = names.find_map(|name| chosen.iter().find(|one| one.setting.name == *name));
            match one {
                Some(one) => {
                    let key = in_section(one.section, one.setting.name);
                    fault(path, one.value.line, &key, &expected, &found)
                }
                None => {
                    let problem =
                        format!("{} {name}: expected {expected}, found {found}", words_of(chosen));
                    Error::sweep(path, problem)
                }
            }
        }
        other => other,
    })
}

/// The plan's songs, folders opened up, and what there is to say of what is passed over.
fn find_songs(path: &Path, file: &PlanFile, folder: &Path) -> Result<(Vec<PathBuf>, Vec<String>)> {
    let sub_folders = if file.recursive { SubFolders::Searched } else { SubFolders::Ignored };
    let (mut songs, mut notes) = (Vec::new(), Vec::new());
    for At { value: name, line } in &file.songs {
        let place = folder.join(name);
        let expected = "a song or a folder of songs, looked for from the plan's folder on";
        let found = search_songs(&place, sub_folders).map_err(|error| {
            let source = match &error {
                Error::Io { source, .. } => source.to_string(),
                other => other.to_string(),
            };
            fault(path, *line, "songs", expected, &format!("{}: {source}", shown(&place)))
        })?;
        notes.extend(found.notes());
        let found = found.require_song();
        songs.extend(
            found.map_err(|error| fault(path, *line, "songs", expected, &error.to_string()))?,
        );
    }
    Ok((songs, notes))
}
