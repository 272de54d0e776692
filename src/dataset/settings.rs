//! How songs become sequences of blocks.

use crate::features::Blocks;
use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// How songs become sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSettings {
    /// Block size, rate and layout.
    pub blocks: Blocks,
    /// Blocks per training sequence. The course: 40, ten seconds.
    #[serde(deserialize_with = "believable")]
    pub sequence_blocks: usize,
    /// Blocks from the start of one sequence to the start of the next. The course: 40, so that
    /// sequences do not overlap.
    #[serde(deserialize_with = "believable")]
    pub stride_blocks: usize,
}

/// A number of blocks in a model file, of which nothing else tells whether it is possible.
fn believable<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<usize, D::Error> {
    /// Hours of blocks of any usual length.
    const MOST: usize = 1 << 16;
    let blocks = usize::deserialize(deserializer)?;
    if blocks > MOST {
        let problem = format!("expected sequences of at most {MOST} blocks, found {blocks}");
        return Err(serde::de::Error::custom(problem));
    }
    Ok(blocks)
}

impl DatasetSettings {
    /// The course's: quarter-second blocks in the full layout, sequences of 40, no overlap.
    pub fn course() -> Self {
        Self { blocks: Blocks::course(), sequence_blocks: 40, stride_blocks: 40 }
    }

    /// Small blocks and sequences of about three seconds: trains in a minute on two cores.
    pub fn fast() -> Self {
        Self { blocks: Blocks::fast(), sequence_blocks: 48, stride_blocks: 24 }
    }

    /// Training sequences in a song of `blocks` blocks.
    pub fn sequences_in(&self, blocks: usize) -> usize {
        match blocks.checked_sub(self.sequence_blocks) {
            Some(room) => room / self.stride_blocks + 1,
            None => 0,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (name, value) in
            [("sequence_blocks", self.sequence_blocks), ("stride_blocks", self.stride_blocks)]
        {
            if value == 0 {
                return Err(Error::argument(name, "at least 1 block", 0));
            }
        }
        if self.blocks.sample_rate_hz == 0 {
            return Err(Error::argument("sample_rate_hz", "a rate above 0 Hz", 0));
        }
        if self.blocks.block_samples < 2 {
            return Err(Error::argument(
                "block_samples",
                "at least 2 samples",
                self.blocks.block_samples,
            ));
        }
        Ok(())
    }
}

impl From<Blocks> for DatasetSettings {
    /// Sequences of 40 blocks without overlap, as the course had them.
    fn from(blocks: Blocks) -> Self {
        Self { blocks, sequence_blocks: 40, stride_blocks: 40 }
    }
}
