//! A song beside itself: its parts, and all that is elsewhere in it.

use super::frames::Frames;
use std::ops::Range;

/// The song is compared with itself in parts of this length, …
const PART_SECONDS: f64 = 10.0;
/// … so many of them at most, …
const MOST_PARTS: usize = 12;
/// … which are not compared with what is nearer than this.
pub(super) const APART_SECONDS: f64 = 2.0;

/// Parts of a sound of `frames` frames, one after the other, together about `length` frames of
/// `frame_seconds` long but two minutes at most.
pub(super) fn parts(
    frames: usize,
    length: usize,
    frame_seconds: f64,
) -> impl Iterator<Item = Range<usize>> {
    let part = ((PART_SECONDS / frame_seconds).round() as usize).min(frames);
    let most = frames.div_ceil(part.max(1)).clamp(1, MOST_PARTS);
    let count = length.div_ceil(part.max(1)).clamp(1, most);
    let start = move |number: usize| (frames - part) * number / count.saturating_sub(1).max(1);
    (0..count).map(move |number| start(number)..start(number) + part)
}

/// A part of a song, with what is before it and what is after it in the same song.
pub(super) struct Part {
    pub own: Frames,
    pub before: Frames,
    pub after: Frames,
}

/// The [`parts`] of a song. What is elsewhere is taken from `changed`, the same song `speed` times as
/// fast.
pub(super) fn parts_and_rest(
    plain: &Frames,
    changed: &Frames,
    speed: f64,
    length: usize,
    frame_seconds: f64,
) -> impl Iterator<Item = Part> {
    parts(plain.len(), length, frame_seconds)
        .map(move |own| part_and_rest(plain, changed, speed, own, frame_seconds))
}

/// One part, the frames `own`, as of [`parts_and_rest`].
pub(super) fn part_and_rest(
    plain: &Frames,
    changed: &Frames,
    speed: f64,
    own: Range<usize>,
    frame_seconds: f64,
) -> Part {
    let apart = (APART_SECONDS / frame_seconds).round() as usize;
    let there = |frame: usize| ((frame as f64 / speed) as usize).min(changed.len());
    let before = there(own.start).saturating_sub(apart);
    let after = (there(own.end) + apart).min(changed.len());
    Part {
        own: plain.part(own),
        before: changed.part(0..before),
        after: changed.part(after..changed.len()),
    }
}
