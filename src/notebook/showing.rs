//! What a notebook shows of each type.

use crate::audio::{Audio, Song, Tags};
use crate::corpus::Corpus;
use crate::dataset::Dataset;
use crate::dataset::grains::GrainPool;
use crate::display::{self, Bundle, Player, Show, SpectrogramView, shown_in_notebooks};
use crate::evaluate::Similarity;
use crate::features::Spectrogram;
use crate::generate::{GrainComposer, Piece};
use crate::model::{Device, Network};
use crate::train::History;
use crate::{Error, Result};

impl Show for Spectrogram {
    fn bundle(&self) -> Result<Bundle> {
        if self.frames() == 0 {
            return Err(Error::Data("there is nothing to see, the sound is empty".into()));
        }
        let picture = display::spectrogram(&SpectrogramView {
            power_db: self.power_db(),
            bins: self.bins(),
            hop_seconds: self.hop_seconds(),
            bin_hz: self.bin_hz(),
            start_seconds: 0.0,
        })?;
        let plain = picture.description().to_owned();
        Ok(Bundle::from_picture("", picture, &plain))
    }
}

impl Show for GrainComposer {
    fn bundle(&self) -> Result<Bundle> {
        let text = format!("{}\n{}\n{}", self.pool(), self.network(), self.history());
        Ok(Bundle::from_text(&text))
    }
}

impl Show for Audio {
    fn bundle(&self) -> Result<Bundle> {
        Player::new("", self).bundle()
    }
}

impl Show for Piece {
    fn bundle(&self) -> Result<Bundle> {
        Player::new("A new piece", self.audio()).details(&self.to_string()).bundle()
    }
}

/// Types whose words are all there is to show.
macro_rules! shown_as_text {
    ($($type:ty),+) => {$(
        impl Show for $type {
            fn bundle(&self) -> Result<Bundle> {
                Ok(Bundle::from_text(&self.to_string()))
            }
        }
    )+};
}

shown_as_text!(GrainPool, Similarity, Device, Tags);
shown_in_notebooks!(
    Audio,
    Song,
    Tags,
    Corpus,
    Spectrogram,
    Dataset,
    GrainComposer,
    GrainPool,
    History,
    Piece,
    Network,
    Similarity,
    Device
);
