//! What an encoder put around the music, as edit lists and iTunes' tags tell it.

use symphonia::core::meta::Tag;

/// What an encoder put around the music, beyond what Symphonia takes off.
#[derive(Clone, Debug, Default)]
pub(super) struct Gap {
    /// Frames to drop in front.
    pub(super) run_in_frames: u64,
    /// Frames of music after that; `None`: to the end.
    pub(super) music_frames: Option<u64>,
    /// Frames of the end that are no music, where only that is known.
    pub(super) padding_frames: u64,
    /// What came last, one vector per channel: it may be padding.
    held: Vec<Vec<f32>>,
}

impl Gap {
    pub(super) fn new(run_in_frames: u64, music_frames: Option<u64>) -> Self {
        Self { run_in_frames, music_frames, ..Self::default() }
    }

    /// The gap in the tag of iTunes: run-in, padding and length, in hexadecimal frames.
    pub(super) fn of_itunes(tag: &Tag) -> Option<Self> {
        if !tag.raw.key.ends_with("iTunSMPB") {
            return None;
        }
        let text = tag.raw.value.to_string();
        let mut fields = text.split_whitespace().skip(1).map(|f| u64::from_str_radix(f, 16).ok());
        let (run_in, _padding, length) = (fields.next()??, fields.next()??, fields.next()??);
        (length > 0).then(|| Self::new(run_in, Some(length)))
    }

    /// Takes what is no music off the next chunk of the stream, one vector of samples per channel.
    pub(super) fn trim(&mut self, chunk: &mut [Vec<f32>]) {
        let frames = chunk.first().map_or(0, Vec::len) as u64;
        let skip = self.run_in_frames.min(frames);
        self.run_in_frames -= skip;
        let keep = self.music_frames.map_or(frames - skip, |left| left.min(frames - skip));
        self.music_frames = self.music_frames.map(|left| left - keep);
        for channel in chunk.iter_mut() {
            channel.truncate((skip + keep) as usize);
            channel.drain(..skip as usize);
        }
        if self.padding_frames > 0 {
            self.hold_back(chunk);
        }
    }

    /// Gives out what came before the last frames and keeps these.
    fn hold_back(&mut self, chunk: &mut [Vec<f32>]) {
        self.held.resize_with(chunk.len(), Vec::new);
        for (channel, held) in chunk.iter_mut().zip(&mut self.held) {
            held.append(channel);
            let out = held.len().saturating_sub(self.padding_frames as usize);
            channel.extend(held.drain(..out));
        }
    }

    /// Whether all that follows is no music.
    pub(super) fn is_past_music(&self) -> bool {
        self.music_frames == Some(0)
    }
}
