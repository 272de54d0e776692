//! What goes on inside a network while it listens.

use crate::Result;
use crate::display::{
    self, Bundle, HiddenStatesView, LayerView, Show, SpectrogramView, html, shown_in_notebooks,
};
use crate::features::{Spectrogram, StftSettings};
use crate::model::HiddenStates;

impl Show for HiddenStates {
    /// The spectrogram of what was heard and, below it on the same time, every layer.
    fn bundle(&self) -> Result<Bundle> {
        let levels = Spectrogram::of(self.sound(), StftSettings::default())?;
        let layers: Vec<LayerView<'_>> = self
            .layers()
            .iter()
            .map(|l| LayerView { name: &l.name, units: l.units, values: l.values() })
            .collect();
        let picture = display::hidden_states(&HiddenStatesView {
            sound: SpectrogramView {
                power_db: levels.power_db(),
                bins: levels.bins(),
                hop_seconds: levels.hop_seconds(),
                bin_hz: levels.bin_hz(),
                start_seconds: 0.0,
            },
            step_seconds: self.step_seconds(),
            layers: &layers,
        })?;
        let words = self.to_string();
        let body = format!("{}<pre>{}</pre>", html::figure(&picture, None), html::escape(&words));
        Ok(Bundle::new(&body, Some(picture), &words))
    }
}

shown_in_notebooks!(HiddenStates);
