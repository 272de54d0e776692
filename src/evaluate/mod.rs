//! How near a piece is to its songs, and whether it is one of its own.

mod changes;
mod clicks;
mod copies;
mod dynamics;
mod elsewhere;
mod excerpts;
mod form;
mod frames;
mod heard;
mod joins;
mod judgement;
mod kernel_distance;
mod lead;
mod matching;
mod mel_copies;
mod origin;
mod rank;
mod repeats;
mod similarity;
mod style;
mod taken;
mod texture;
mod windows;

pub use copies::{CopiedPassage, Copies, copies};
pub use form::SelfSimilarity;
pub use heard::Heard;
pub use joins::{Joins, joins};
pub use judgement::{Judgement, judge, judge_heard};
pub use mel_copies::{MelCopies, mel_copies};
pub use origin::{Join, Origin};
pub(crate) use rank::{BEYOND_LIMITS, flaws};
pub use repeats::{Repeats, repeats};
pub use similarity::{Moments, Similarity, similarity};
pub use style::{Spread, StyleDistance, style_distance};
pub use taken::{Taken, taken};
pub use texture::{Texture, texture};

use crate::Result;
use crate::audio::Audio;
use crate::features::PitchBands;

/// What every part of the judge looks at.
fn bands_of(songs: &[&Audio]) -> Result<Vec<PitchBands>> {
    songs.iter().map(|song| PitchBands::of(song)).collect()
}

/// What the judge keeps of each song.
fn heard_of(songs: &[&Audio]) -> Result<Vec<Heard>> {
    songs.iter().map(|song| Heard::of(song)).collect()
}
