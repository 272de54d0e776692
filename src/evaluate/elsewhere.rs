//! A song beside itself: its parts, and all that is elsewhere in it.

use super::frames::Frames;

/// The song is compared with itself in parts of this length, …
const PART_SECONDS: f64 = 10.0;
/// … so many of them at most, …
const MOST_PARTS: usize = 12;
/// … which are not compared with what is nearer than this.
const APART_SECONDS: f64 = 2.0;

/// A part of a song, with what is before it and what is after it in the same song.
pub(super) struct Part {
    pub own: Frames,
    pub before: Frames,
    pub after: Frames,
}

/// Parts of a song, one after the other, together about `length` frames of `frame_seconds` long but two
/// minutes at most. What is elsewhere is taken from `changed`, the same song `speed` times as fast.
pub(super) fn parts(
    plain: &Frames,
    changed: &Frames,
    speed: f64,
    length: usize,
    frame_seconds: f64,
) -> impl Iterator<Item = Part> {
    let frames_in = |seconds: f64| (seconds / frame_seconds).round() as usize;
    let (part, apart) = (frames_in(PART_SECONDS).min(plain.len()), frames_in(APART_SECONDS));
    let most = (plain.len() / part.max(1)).clamp(1, MOST_PARTS);
    let count = length.div_ceil(part.max(1)).clamp(1, most);
    let there = move |frame: usize| ((frame as f64 / speed) as usize).min(changed.len());
    let part_at = move |number: usize| {
        let start = (plain.len() - part) * number / count.saturating_sub(1).max(1);
        let before = there(start).saturating_sub(apart);
        let after = (there(start + part) + apart).min(changed.len());
        Part {
            own: plain.part(start..start + part),
            before: changed.part(0..before),
            after: changed.part(after..changed.len()),
        }
    };
    (0..count).map(part_at)
}
