//! What a person sees and hears: pictures, players, charts and cards, in a notebook or a console.
//!
//! Everything shown is a [`Bundle`]: HTML, a still picture and plain text. [`Show`] makes one of a
//! value; [`Live`] replaces one while a job runs.

mod axes;
mod bundle;
mod canvas;
mod choices;
mod colormap;
mod envelope;
mod facts;
mod hidden_states;
pub mod html;
mod judgement_chart;
mod lines;
mod live;
mod live_chart;
mod loss_chart;
mod markup;
pub mod output;
mod own_html;
mod own_picture;
mod picture;
pub mod plain;
mod player;
mod progress;
pub mod protocol;
mod samples;
mod sanitise;
mod series_chart;
mod spectrogram;
mod svg;
mod sweep_chart;
pub mod theme;
mod thumbnail;
mod waveform;

pub(crate) use bundle::shown_in_notebooks;
pub use bundle::{Bundle, Show, ShowInCell};
pub use canvas::{Canvas, CanvasArea, CanvasError};
pub use choices::{Candidate, ChoiceStep, Choices};
pub use colormap::ColorMap;
pub use facts::Facts;
pub use hidden_states::{HiddenStatesView, LayerView, hidden_states};
pub use judgement_chart::judgement_chart;
pub use live::{FRAME_INTERVAL, Live, Progress};
pub use live_chart::{LiveChart, live_chart};
pub use loss_chart::{LossChart, LossRun};
pub use output::{Destination, Output};
pub use own_html::Html;
pub use picture::Picture;
pub use player::Player;
pub(crate) use player::short_audio;
pub use progress::{Watched, progress};
pub(crate) use samples::{SoundSample, sound_samples};
pub use series_chart::{Number, SeriesChart, chart};
pub use spectrogram::{SpectrogramView, spectrogram};
pub use sweep_chart::sweep_chart;
pub(crate) use thumbnail::thumbnail;
pub use waveform::{waveform, waveform_from};
