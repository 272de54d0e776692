//! What a notebook shows of each type.

use crate::Result;
use crate::audio::{Audio, Song};
use crate::dataset::Dataset;
use crate::display::{self, Bundle, Show, SpectrogramView, shown_in_notebooks};
use crate::evaluate::Similarity;
use crate::features::Spectrogram;
use crate::generate::Piece;
use crate::model::{Device, Network};
use crate::train::History;

impl Show for Spectrogram {
    fn bundle(&self) -> Result<Bundle> {
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

impl Show for Audio {
    fn bundle(&self) -> Result<Bundle> {
        let picture = display::waveform(self)?;
        let plain = format!("{self:?}");
        Ok(Bundle::from_picture("", picture, &plain))
    }
}

impl Show for Song {
    fn bundle(&self) -> Result<Bundle> {
        let picture = display::waveform(self.audio())?;
        Ok(Bundle::from_picture(self.title(), picture, &format!("{self:?}")))
    }
}

impl Show for Piece {
    fn bundle(&self) -> Result<Bundle> {
        let picture = display::waveform(self.audio())?;
        Ok(Bundle::from_picture(&self.to_string(), picture, &self.to_string()))
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

shown_as_text!(Dataset, Network, Similarity, Device);
shown_in_notebooks!(Audio, Song, Spectrogram, Dataset, History, Piece, Network, Similarity, Device);
