//! The model file of a code composer: the network, the codes and what they stand for.

use super::composer::CodeComposer;
use crate::dataset::codes::{StoredCodes, input_width};
use crate::model::{
    CODES, CodeNetwork, CodeNetworkConfig, Device, FORMAT_VERSION, ModelFile, ModelKind,
};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// What the file's metadata says.
#[derive(Serialize, Deserialize)]
struct Description {
    format_version: u32,
    kind: String,
    library_version: String,
    network: CodeNetworkConfig,
    blocks: StoredCodes,
}

impl CodeComposer {
    /// Writes the network and the songs' codes to `path`, whole or not at all. The songs are not needed
    /// any more when it is [loaded](Self::load).
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_to(path.as_ref())
    }

    fn save_to(&self, path: &Path) -> Result<()> {
        let mut tensors = ModelFile::tensors_of(self.network().variables());
        let description = Description {
            format_version: FORMAT_VERSION,
            kind: CODES.into(),
            library_version: env!("CARGO_PKG_VERSION").into(),
            network: self.network().config().clone(),
            blocks: StoredCodes::of(self.blocks(), &mut tensors)?,
        };
        ModelFile::write(path, &description, &tensors)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is damaged, of another
    /// version or kind.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(path.as_ref())
    }

    fn read(path: &Path) -> Result<Self> {
        Self::from_file(ModelFile::read(path)?, path).map_err(|error| error.in_model(path))
    }

    /// The composer in a model file that is read already.
    pub(crate) fn from_file(mut file: ModelFile, path: &Path) -> Result<Self> {
        file.expect(ModelKind::Codes, path)?;
        let description: Description = file.description(path)?;
        let damaged = |error: Error| Error::model(path, error.to_string());
        let blocks = description.blocks.blocks(&mut file.tensors).map_err(damaged)?;
        let book = blocks.codebook();
        let CodeNetworkConfig { width, stages, codes, .. } = description.network;
        if (width, stages, codes) != (input_width(book.width()), book.stages(), book.codes()) {
            let problem = format!(
                "does not fit together: {} times {} codes, a network for {stages} times {codes}",
                book.stages(),
                book.codes()
            );
            return Err(Error::model(path, problem));
        }
        let device = Device::cpu();
        let network = CodeNetwork::from_tensors(description.network, file.tensors, &device)
            .map_err(damaged)?;
        Self::from_parts(Arc::new(blocks), &network)
    }
}
