use super::html::escape;
use super::player::short_audio;
use crate::Result;
use crate::audio::Audio;
use std::fmt::Write as _;

/// A short sound in a display that is redrawn while it may be playing.
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
}

/// Sounds beside each other. `display` names the display that they belong to: what plays in it goes on
/// when it is redrawn.
pub(crate) fn sound_samples(display: &str, samples: &[SoundSample]) -> String {
    let mut html = String::new();
    for SoundSample { label, audio } in samples {
        let (key, label) = (escape(&format!("{display} {label}")), escape(label));
        let _ = write!(html, "<div data-key=\"{key}\"><span>{label}</span>{audio}</div>");
    }
    if html.is_empty() {
        return html;
    }
    let script = include_str!("samples.js").trim_end();
    format!("<div class=\"nc-samples\">{html}<script>{script}</script></div>")
}
