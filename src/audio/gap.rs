//! What an encoder put around the music, as edit lists and iTunes' tags tell it.

use symphonia::core::meta::Tag;

/// What an encoder put around the music, beyond what Symphonia takes off.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gap {
    /// Frames to drop in front.
    pub(super) run_in_frames: u64,
    /// Frames of music after that; `None`: to the end.
    pub(super) music_frames: Option<u64>,
}

impl Gap {
    /// The gap in the tag of iTunes: run-in, padding and length, in hexadecimal frames.
    pub(super) fn of_itunes(tag: &Tag) -> Option<Self> {
        if !tag.raw.key.ends_with("iTunSMPB") {
            return None;
        }
        let text = tag.raw.value.to_string();
        let mut fields = text.split_whitespace().skip(1).map(|f| u64::from_str_radix(f, 16).ok());
        let (run_in, _padding, length) = (fields.next()??, fields.next()??, fields.next()??);
        (length > 0).then_some(Self { run_in_frames: run_in, music_frames: Some(length) })
    }

    /// Takes what is no music off the next chunk of the stream, one vector of samples per channel.
    pub(super) fn trim(&mut self, chunk: &mut [Vec<f32>]) {
        let frames = chunk.first().map_or(0, Vec::len) as u64;
        let skip = self.run_in_frames.min(frames);
        self.run_in_frames -= skip;
        let keep = self.music_frames.map_or(frames - skip, |left| left.min(frames - skip));
        self.music_frames = self.music_frames.map(|left| left - keep);
        for channel in chunk {
            channel.truncate((skip + keep) as usize);
            channel.drain(..skip as usize);
        }
    }

    /// Whether all that follows is no music.
    pub(super) fn is_past_music(self) -> bool {
        self.music_frames == Some(0)
    }
}
