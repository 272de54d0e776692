//! Model files: one `.safetensors` with everything that generating needs.

use super::config::NetworkConfig;
use super::provenance::Provenance;
use super::tensor_file;
use super::{Device, Network, Parameters};
use crate::dataset::DatasetSettings;
use crate::features::Normaliser;
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the file's layout; files of version 1 to this one are read, others refused.
///
/// 3: a checksum covers what the file holds. 2: layers may be residual and normalised, the dense layer
/// may have an activation, and the input may hold the previous output.
pub const FORMAT_VERSION: u32 = 3;

/// The oldest version that is still read.
const OLDEST_VERSION: u32 = 1;
/// The first version whose files have a checksum.
const CHECKED_VERSION: u64 = 3;

/// The `kind` in the description of a grain composer, and of a code composer.
pub(crate) const GRAINS: &str = "grains";
pub(crate) const CODES: &str = "codes";
/// The part of a checkpoint's description that tells of its training.
pub(crate) const CHECKPOINT: &str = "checkpoint";
const KEY: &str = "neural-composer";
const MEAN: &str = "normaliser.mean";
const DEVIATION: &str = "normaliser.deviation";

/// What the file's metadata says, as JSON under the key `neural-composer`.
#[derive(Serialize, Deserialize)]
struct Description {
    format_version: u32,
    library_version: String,
    network: NetworkConfig,
    dataset: DatasetSettings,
    normaliser_mean: String,
    normaliser_deviation: String,
    updates: usize,
    /// Missing in files of earlier versions of this crate.
    #[serde(default)]
    provenance: Provenance,
}

/// A model file of any kind: what describes it, and its tensors.
pub(crate) struct ModelFile {
    description: String,
    /// By name, on the processor.
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl ModelFile {
    /// Writes `tensors` and what `description` says of them to `path`, whole or not at all.
    pub(crate) fn write(
        path: &Path,
        description: &impl Serialize,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<()> {
        let json = serde_json::to_string(description)
            .map_err(|error| Error::model(path, format!("could not be described: {error}")))?;
        tensor_file::write(path, (KEY, &json), tensors)
    }

    /// What a checkpoint of a kind says of the network; its songs are not in it.
    pub(crate) fn described(kind: &str, network: &impl Serialize) -> serde_json::Value {
        serde_json::json!({
            "format_version": FORMAT_VERSION,
            "kind": kind,
            "library_version": env!("CARGO_PKG_VERSION"),
            "network": network,
        })
    }

    /// The tensors of a network's variables, to be written.
    pub(crate) fn tensors_of(variables: &BTreeMap<String, Var>) -> BTreeMap<String, Tensor> {
        let tensor =
            |(name, variable): (&String, &Var)| (name.clone(), variable.as_tensor().clone());
        variables.iter().map(tensor).collect()
    }

    /// Reads a file that [`write`](Self::write) wrote, if its version is known.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        // Who opens a pipe waits for somebody who writes.
        let metadata = std::fs::metadata(path).map_err(Error::io(path, "read the model"))?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() { "a folder" } else { "a device or a pipe" };
            return Err(Error::model(path, format!("expected a model file, found {found}")));
        }
        let bytes = std::fs::read(path).map_err(Error::io(path, "read the model"))?;
        let damaged = |error: &dyn std::fmt::Display| {
            Error::model(
                path,
                format!(
                    "is no readable safetensors file ({error}); it may be cut short or damaged: \
                         train again or take another copy"
                ),
            )
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
        let text = |key| header.metadata().as_ref().and_then(|texts| texts.get(key));
        let description = text(KEY).ok_or_else(|| {
            Error::model(
                path,
                "holds tensors, but no description by neural-composer; \
                 expected a file that `train` or `compose` wrote",
            )
        })?;
        let version = serde_json::from_str::<serde_json::Value>(description)
            .ok()
            .and_then(|value| value.get("format_version")?.as_u64());
        let readable = u64::from(OLDEST_VERSION)..=u64::from(FORMAT_VERSION);
        if !version.is_some_and(|version| readable.contains(&version)) {
            let found = version.map_or("none".into(), |version| version.to_string());
            return Err(Error::model(
                path,
                format!(
                    "expected a model file of version {OLDEST_VERSION} to {FORMAT_VERSION}, found \
                 version {found}; train again with this version of neural-composer ({})",
                    env!("CARGO_PKG_VERSION")
                ),
            ));
        }
        let whole = SafeTensors::deserialize(&bytes)
            .map(|file| tensor_file::is_whole(&file, text(tensor_file::CHECKSUM), description))
            .map_err(|error| damaged(&error))?;
        if !whole.unwrap_or(version < Some(CHECKED_VERSION)) {
            return Err(damaged(&"what it holds is not what was written: wrong checksum"));
        }
        let tensors: BTreeMap<String, Tensor> =
            candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu)
                .map_err(|e| damaged(&e))?
                .into_iter()
                .collect();
        for (name, tensor) in &tensors {
            if !is_finite(tensor).map_err(|error| damaged(&error))? {
                let problem = format!(
                    "holds what is not a number (in \"{name}\"): its training diverged, or it is \
                     damaged; train again with a lower learning rate, or take another copy"
                );
                return Err(Error::model(path, problem));
            }
        }
        Ok(Self { description: description.clone(), tensors })
    }

    /// What describes it, in the words of one kind of model.
    pub(crate) fn description<T: for<'a> Deserialize<'a>>(&self, path: &Path) -> Result<T> {
        serde_json::from_str(&self.description).map_err(|error| {
            Error::model(path, format!("its description cannot be understood ({error})"))
        })
    }

    /// A part of what describes it.
    fn part(&self, name: &str) -> Option<serde_json::Value> {
        serde_json::from_str::<serde_json::Value>(&self.description)
            .ok()?
            .get_mut(name)
            .map(|part| part.take())
    }

    /// Which kind of model it holds.
    pub(crate) fn kind(&self) -> ModelKind {
        match self.part("kind").as_ref().and_then(serde_json::Value::as_str) {
            Some(GRAINS) => ModelKind::Grains,
            Some(CODES) => ModelKind::Codes,
            _ => ModelKind::Blocks,
        }
    }

    /// Refuses a file of another kind than `wanted`.
    pub(crate) fn expect(&self, wanted: ModelKind, path: &Path) -> Result<()> {
        let found = self.kind();
        if found != wanted {
            let (found, loader) = found.words();
            let wanted = wanted.words().0;
            let problem = format!("holds {found}, not {wanted}: open it with `{loader}::load`");
            return Err(Error::model(path, problem));
        }
        // Of blocks it is a network with something beside it.
        if found != ModelKind::Blocks && self.part(CHECKPOINT).is_some() {
            let problem = "is a checkpoint, which is not yet a model: finish its training with \
                           --resume";
            return Err(Error::model(path, problem));
        }
        Ok(())
    }
}

/// Whether all values are finite numbers in the precision in which networks compute.
fn is_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    if !tensor.dtype().is_float() {
        return Ok(true);
    }
    let values = tensor.flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
    Ok(values.iter().all(|value| value.is_finite()))
}

/// What a model file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// A [`Network`], which composes block by block.
    Blocks,
    /// A [`GrainComposer`](crate::generate::GrainComposer).
    Grains,
    /// A [`CodeComposer`](crate::generate::CodeComposer).
    Codes,
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Blocks => "blocks",
            Self::Grains => GRAINS,
            Self::Codes => CODES,
        })
    }
}

impl ModelKind {
    /// The kind of model that is in the file `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is damaged, of another
    /// version, or not one of ours.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        Ok(ModelFile::read(path.as_ref())?.kind())
    }

    /// Whether `path` looks like a safetensors file, whatever its name.
    pub fn is_of(path: impl AsRef<Path>) -> bool {
        Self::looks_like_a_model(path.as_ref())
    }

    fn looks_like_a_model(path: &Path) -> bool {
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            return true;
        }
        if !path.is_file() {
            return false;
        }
        let mut head = [0; 9];
        let Ok(mut file) = std::fs::File::open(path) else { return false };
        // The header's length, then JSON.
        std::io::Read::read_exact(&mut file, &mut head).is_ok()
            && head[8] == b'{'
            && u64::from_le_bytes(head[..8].try_into().unwrap_or_default()) < 1 << 32
    }

    /// What it is, and the type that reads it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Blocks => ("a network of blocks", "Network"),
            Self::Grains => ("a grain composer", "GrainComposer"),
            Self::Codes => ("a code composer", "CodeComposer"),
        }
    }
}

impl Network {
    /// Writes the network, its configuration and its normalisation to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_to(path.as_ref())
    }

    fn save_to(&self, path: &Path) -> Result<()> {
        let (description, statistics) = self.described()?;
        let mut tensors = ModelFile::tensors_of(self.variables());
        tensors.extend(statistics);
        ModelFile::write(path, &description, &tensors)
    }

    /// What its file says, and the tensors besides its parameters.
    pub(crate) fn described(&self) -> Result<(serde_json::Value, BTreeMap<String, Tensor>)> {
        let description = Description {
            format_version: FORMAT_VERSION,
            library_version: env!("CARGO_PKG_VERSION").into(),
            network: self.config().clone(),
            dataset: self.dataset_settings(),
            normaliser_mean: MEAN.into(),
            normaliser_deviation: DEVIATION.into(),
            updates: self.updates(),
            provenance: self.provenance().clone(),
        };
        let description = serde_json::to_value(description)
            .map_err(|error| Error::Data(format!("a network without words: {error}")))?;
        let cpu = candle_core::Device::Cpu;
        let statistics =
            [(MEAN, self.normaliser().mean()), (DEVIATION, self.normaliser().deviation())];
        let tensor = |(name, values): (&str, &[f32])| {
            Ok((name.to_owned(), Tensor::from_slice(values, values.len(), &cpu)?))
        };
        Ok((description, statistics.into_iter().map(tensor).collect::<Result<_>>()?))
    }

    /// Where the weights come from, as a file's description tells.
    pub(crate) fn provenance_in(description: &serde_json::Value) -> Option<Provenance> {
        serde_json::from_value(description.get("provenance")?.clone()).ok()
    }

    /// Reads a network that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is damaged, of another
    /// version, or not one of ours.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::read(path.as_ref(), device)
    }

    fn read(path: &Path, device: &Device) -> Result<Self> {
        Self::from_file(ModelFile::read(path)?, path, device).map_err(|error| error.in_model(path))
    }

    /// The network in a model file that is read already.
    pub(crate) fn from_file(mut file: ModelFile, path: &Path, device: &Device) -> Result<Self> {
        file.expect(ModelKind::Blocks, path)?;
        let description: Description = file.description(path)?;
        description.network.check().map_err(|error| Error::model(path, error.to_string()))?;
        description.dataset.check().map_err(|error| Error::model(path, error.to_string()))?;
        let mut statistics = |name: &str| -> Result<Vec<f32>> {
            let tensor = file.tensors.remove(name).ok_or_else(|| {
                Error::model(path, format!("the tensor \"{name}\" of the normalisation is missing"))
            })?;
            Ok(tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?)
        };
        let normaliser = Normaliser::from_statistics(
            statistics(&description.normaliser_mean)?,
            statistics(&description.normaliser_deviation)?,
        )
        .map_err(|error| Error::model(path, error.to_string()))?;
        let width = description.dataset.blocks.width();
        if description.network.width != width || normaliser.width() != width {
            return Err(Error::model(
                path,
                format!(
                    "does not fit together: blocks of {width} numbers, a network for {}, \
                 a normalisation for {}",
                    description.network.width,
                    normaliser.width()
                ),
            ));
        }
        let parameters = Parameters::loaded(file.tensors, device.candle());
        let mut network =
            Self::build(description.network, description.dataset, normaliser, parameters, device)
                .map_err(|error| Error::model(path, error.to_string()))?;
        network.updates.set(description.updates);
        network.provenance = description.provenance;
        Ok(network)
    }
}
