//! Blocks in a model file: the songs' codes, what these stand for, and nothing of the songs' sound.

use super::along_beats::UNKNOWN_BAR;
use super::bands::Bands;
use super::codebook::Codebook;
use super::coded_songs::{CodedSong, CodedSongs, STEREO_VIEWS};
use super::loudest::Loudest;
use super::residual::{Residual, Residuals};
use super::settings::CodeSettings;
use crate::features::{PrincipalComponents, Stft};
use crate::{Error, Result};
use candle_core::{Device, Tensor, WithDType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the file's description says of the blocks; the numbers are in its tensors.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredCodes {
    settings: CodeSettings,
    /// Magnitudes of a bin; 1 in files from before there was more.
    #[serde(default = "one_view")]
    views: usize,
    songs: Vec<StoredSong>,
}

#[derive(Serialize, Deserialize)]
struct StoredSong {
    title: String,
    hop_samples: usize,
    loudest: f32,
    has_beats: bool,
    #[serde(default = "unknown_bar")]
    beats_in_bar: usize,
    #[serde(default)]
    warnings: Vec<String>,
}

fn one_view() -> usize {
    1
}

fn unknown_bar() -> usize {
    UNKNOWN_BAR
}

/// Names of the components' tensors: mean, directions, deviations.
const COMPONENTS: [&str; 3] = ["components.mean", "components.axes", "components.deviations"];

/// The names of the tensors of the bands' largest magnitudes and of the octaves' largest powers.
const LARGEST: &str = "bands.largest";
const LARGEST_OCTAVES: &str = "octaves.largest";

/// The names of the tensors of what is left out: deviations and correlations, of components and bands.
const LEFT_OF_COMPONENTS: [&str; 2] = ["components.left", "components.left.correlations"];
const LEFT_OF_BANDS: [&str; 2] = ["bands.left", "bands.left.correlations"];
/// The name of the tensor of how much the songs' bands rise.
const RISES: &str = "bands.rises";

fn entries_name(stage: usize) -> String {
    format!("codebook.{stage}")
}

fn codes_name(song: usize) -> String {
    format!("song.{song}.codes")
}

fn beats_name(song: usize) -> String {
    format!("song.{song}.beats")
}

/// Takes a list of numbers out of the tensors.
fn take<T: WithDType>(tensors: &mut BTreeMap<String, Tensor>, name: &str) -> Result<Vec<T>> {
    let missing = || Error::Data(format!("the tensor \"{name}\" is missing"));
    let tensor = tensors.remove(name).ok_or_else(missing)?;
    tensor.to_vec1().map_err(|_| {
        let (kind, found) = (T::DTYPE.as_str(), tensor.dtype().as_str());
        let shape = tensor.dims();
        Error::Data(format!(
            "the tensor \"{name}\" should be a list of {kind} numbers, found {found} of shape {shape:?}"
        ))
    })
}

/// What is left out of so many components and bands; nothing in files from before it was kept.
fn residuals(
    tensors: &mut BTreeMap<String, Tensor>,
    (components, bands): (usize, usize),
) -> Result<Option<Residuals>> {
    if !tensors.contains_key(RISES) {
        return Ok(None);
    }
    let mut left = |[deviations, correlations]: [&str; 2], width| -> Result<Option<Residual>> {
        let deviations = take(tensors, deviations)?;
        let left = Residual { deviations, correlations: take(tensors, correlations)? };
        Ok(Some(left).filter(|left| left.fits(width)))
    };
    let left = (left(LEFT_OF_COMPONENTS, components)?, left(LEFT_OF_BANDS, bands)?);
    let rises: Vec<f32> = take(tensors, RISES)?;
    match (left, &rises[..]) {
        ((Some(components), Some(bands)), [rises_db]) if rises_db.is_finite() => {
            Ok(Some(Residuals { components, bands, rises_db: *rises_db }))
        }
        _ => Err(Error::Data("what codes leave out does not fit the rest".into())),
    }
}

impl StoredCodes {
    /// Describes `blocks`, and adds their numbers to `tensors`.
    pub(crate) fn of(blocks: &CodedSongs, tensors: &mut BTreeMap<String, Tensor>) -> Result<Self> {
        let numbers = |numbers: &[f32]| Tensor::new(numbers, &Device::Cpu);
        for (name, part) in COMPONENTS.iter().zip(blocks.components.parts()) {
            tensors.insert((*name).to_owned(), numbers(part)?);
        }
        if let Some(loudest) = &blocks.loudest {
            tensors.insert(LARGEST.to_owned(), numbers(&loudest.bands)?);
            if let Some(octaves) = &loudest.octaves {
                tensors.insert(LARGEST_OCTAVES.to_owned(), numbers(octaves)?);
            }
        }
        if let Some(Residuals { components, bands, rises_db }) = &blocks.residuals {
            tensors.insert(RISES.to_owned(), numbers(&[*rises_db])?);
            for (names, left) in [(LEFT_OF_COMPONENTS, components), (LEFT_OF_BANDS, bands)] {
                tensors.insert(names[0].to_owned(), numbers(&left.deviations)?);
                tensors.insert(names[1].to_owned(), numbers(&left.correlations)?);
            }
        }
        for (stage, entries) in blocks.codebook.entries().iter().enumerate() {
            tensors.insert(entries_name(stage), numbers(entries)?);
        }
        for (number, song) in blocks.songs.iter().enumerate() {
            tensors.insert(codes_name(number), Tensor::new(song.codes.as_slice(), &Device::Cpu)?);
            if let Some(beats) = &song.beats {
                tensors.insert(beats_name(number), numbers(beats)?);
            }
        }
        let songs = blocks.songs.iter().map(|song| StoredSong {
            title: song.title.clone(),
            hop_samples: song.hop_samples,
            loudest: song.loudest,
            has_beats: song.beats.is_some(),
            beats_in_bar: song.beats_in_bar,
            warnings: song.warnings.clone(),
        });
        let (settings, views) = (blocks.settings.clone(), blocks.views);
        Ok(Self { settings, views, songs: songs.collect() })
    }

    /// The blocks again; takes their numbers out of `tensors`.
    ///
    /// # Errors
    /// [`Error::Data`] when a tensor is missing or does not fit the others.
    pub(crate) fn blocks(self, tensors: &mut BTreeMap<String, Tensor>) -> Result<CodedSongs> {
        self.settings.check()?;
        let numbers =
            |tensors: &mut BTreeMap<String, Tensor>, name: &str| take::<f32>(tensors, name);
        let unfit = |what: &str| Error::Data(format!("{what} do not fit the rest"));
        let [mean, axes, deviations] = COMPONENTS;
        let parts =
            [numbers(tensors, mean)?, numbers(tensors, axes)?, numbers(tensors, deviations)?];
        // A spectrum as wide as the file says is looked at only once there is a number for each of its
        // bands.
        let views = self.views;
        let components = PrincipalComponents::from_parts(parts)
            .filter(|_| [1, STEREO_VIEWS].contains(&views))
            .ok_or_else(|| unfit("the principal components"))?;
        let told = components.parts()[0].len() / views;
        let bands = Bands::of_count(&self.settings, told)
            .filter(|bands| views * bands.count() == components.parts()[0].len())
            .ok_or_else(|| unfit("the principal components"))?;
        // Files from before there were bands had none of this.
        let is_old = views == 1 && self.settings.single_bins_to_hz.is_none();
        let loudest = match tensors.contains_key(LARGEST) || !is_old {
            true => {
                let octaves = tensors.contains_key(LARGEST_OCTAVES);
                let octaves = octaves.then(|| take(tensors, LARGEST_OCTAVES)).transpose()?;
                Some(Loudest { bands: take(tensors, LARGEST)?, octaves })
            }
            false => None,
        };
        if let Some(Loudest { bands: largest, octaves }) = &loudest {
            let counts = (views * bands.count(), views * bands.octaves());
            if (largest.len(), octaves.as_ref().map_or(counts.1, Vec::len)) != counts {
                return Err(unfit("the bands' largest magnitudes"));
            }
        }
        let residuals = residuals(tensors, (components.count(), views * bands.count()))?;
        // A window as long as the file says is made only once there is a number for each of its bins.
        Stft::new(self.settings.stft)?;
        let stages = 0..self.settings.codebook.stages;
        let entries: Result<Vec<_>> =
            stages.map(|stage| numbers(tensors, &entries_name(stage))).collect();
        let width = self.settings.frames_per_block.saturating_mul(components.count());
        let codebook =
            Codebook::from_entries(width, entries?).ok_or_else(|| unfit("the codes' entries"))?;
        let songs = self.songs.into_iter().enumerate().map(|(number, song)| {
            let codes: Vec<u32> = take(tensors, &codes_name(number))?;
            let beats = song.has_beats.then(|| take(tensors, &beats_name(number)));
            let beats: Option<Vec<f32>> = beats.transpose()?;
            let fit = !codes.is_empty()
                && codes.len().is_multiple_of(codebook.stages())
                && codes.iter().all(|code| (*code as usize) < codebook.codes())
                && beats.as_ref().is_none_or(|beats| !beats.is_empty())
                && song.hop_samples > 0
                && (1..=12).contains(&song.beats_in_bar)
                && song.loudest.is_finite();
            if !fit {
                return Err(unfit(&format!("the codes of the song \"{}\"", song.title)));
            }
            let StoredSong { title, beats_in_bar, hop_samples, loudest, warnings, .. } = song;
            Ok(CodedSong { title, codes, beats, beats_in_bar, hop_samples, loudest, warnings })
        });
        let songs: Vec<CodedSong> = songs.collect::<Result<_>>()?;
        if songs.is_empty() {
            return Err(Error::Data("there is no song in it".into()));
        }
        let settings = self.settings;
        let skipped = Vec::new();
        Ok(CodedSongs {
            settings,
            bands,
            views,
            loudest,
            components,
            residuals,
            codebook,
            songs,
            skipped,
        })
    }
}
