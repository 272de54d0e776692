//! What a person sees and hears: pictures, players, charts and cards, in a notebook or a console.
//!
//! Everything shown is a [`Bundle`]: HTML, a still picture and plain text. [`Show`] makes one of a
//! value; [`Live`] replaces one while a job runs.

mod axes;
mod bundle;
mod choices;
mod colormap;
mod envelope;
mod facts;
mod hidden_states;
pub mod html;
mod judgement_chart;
mod live;
mod loss_chart;
pub mod output;
mod picture;
pub mod plain;
mod player;
pub mod protocol;
mod samples;
mod spectrogram;
pub mod theme;
mod thumbnail;
mod waveform;

pub(crate) use bundle::shown_in_notebooks;
pub use bundle::{Bundle, Show};
pub use choices::{Candidate, ChoiceStep, Choices};
pub use colormap::ColorMap;
pub use facts::Facts;
pub use hidden_states::{HiddenStatesView, LayerView, hidden_states};
pub use judgement_chart::judgement_chart;
pub use live::{FRAME_INTERVAL, Live, Progress};
pub use loss_chart::{LossChart, LossRun};
pub use output::{Destination, Output};
pub use picture::Picture;
pub use player::Player;
pub(crate) use player::short_audio;
pub(crate) use samples::{SoundSample, sound_samples};
pub use spectrogram::{SpectrogramView, spectrogram};
pub(crate) use thumbnail::thumbnail;
pub use waveform::{waveform, waveform_from};
