//! Short sounds that are shown while a job runs.

use super::bundle::Bundle;
use super::html::escape;
use super::player::short_audio;
use crate::Result;
use crate::audio::Audio;

/// A short sound that is shown while a job runs.
#[derive(Clone, Debug)]
pub(crate) struct SoundSample {
    label: String,
    audio: String,
}

impl SoundSample {
    /// The sound takes at most `limit_bytes` in the page.
    pub fn new(audio: &Audio, label: &str, limit_bytes: usize) -> Result<Self> {
        Ok(Self { label: label.to_owned(), audio: short_audio(audio, label, limit_bytes)? })
    }

    fn html(&self) -> String {
        format!("<div><span>{}</span>{}</div>", escape(&self.label), self.audio)
    }

    /// The sample alone.
    pub fn bundle(&self) -> Bundle {
        let text = format!("{}: a sample to listen to, in a browser", self.label);
        Bundle::new(&sound_samples(std::slice::from_ref(self)), None, &text)
    }
}

/// Sounds beside each other.
pub(crate) fn sound_samples(samples: &[SoundSample]) -> String {
    if samples.is_empty() {
        return String::new();
    }
    let html: String = samples.iter().map(SoundSample::html).collect();
    format!("<div class=\"nc-samples\">{html}</div>")
}
