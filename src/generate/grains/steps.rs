//! Steps from one sample to the next, which are heard as clicks where a song has none as large.

use std::ops::Range;

/// Channels that cancel each other leave no steps in their mix: it may have so much of the channels' all
/// the same.
const HARDLY_MIXED: f32 = 0.1;

/// The largest steps of a sound, as it is heard from either side and from the middle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    /// In any channel.
    pub(super) channel: f32,
    /// In the mix of the channels.
    pub(super) mix: f32,
}

impl Steps {
    pub(super) fn of<C: AsRef<[f32]>>(channels: &[C]) -> Self {
        let frames = channels.first().map_or(0, |channel| channel.as_ref().len());
        let mixed: Vec<f32> = (0..frames).map(|at| mix(channels, at)).collect();
        let in_channels = channels.iter().map(|channel| largest_in(channel.as_ref()));
        Self { channel: in_channels.fold(0.0, f32::max), mix: largest_in(&mixed) }
    }

    /// The larger of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self { channel: self.channel.max(other.channel), mix: self.mix.max(other.mix) }
    }

    /// What a sound of these steps may be multiplied by, so that they are no larger than `most`.
    pub(super) fn room(self, most: Self) -> f32 {
        let room = |step: f32, most: f32| if step > 0.0 { most / step } else { f32::INFINITY };
        let most_in_mix = most.mix.max(HARDLY_MIXED * most.channel);
        room(self.channel, most.channel).min(room(self.mix, most_in_mix))
    }
}

/// A sample of the mix of the channels.
pub(super) fn mix<C: AsRef<[f32]>>(channels: &[C], at: usize) -> f32 {
    channels.iter().map(|channel| channel.as_ref()[at]).sum::<f32>() / channels.len() as f32
}

fn largest_in(samples: &[f32]) -> f32 {
    samples.windows(2).fold(0.0, |largest, pair| (pair[1] - pair[0]).abs().max(largest))
}

/// Parts of a dip that is deepened until it is deep enough.
const DEPTHS: usize = 12;

/// Makes `part`, a crossfade, softer in its middle until none of its steps is larger than `most`.
pub(super) fn soften(channels: &mut [Vec<f32>], part: Range<usize>, most: Steps) {
    let around = part.start.saturating_sub(1)..part.end;
    let is_soft = |channels: &[Vec<f32>]| {
        let around: Vec<&[f32]> = channels.iter().map(|c| &c[around.clone()]).collect();
        Steps::of(&around).room(most) >= 1.0
    };
    if is_soft(channels) {
        return;
    }
    let before: Vec<Vec<f32>> = channels.iter().map(|c| c[part.clone()].to_vec()).collect();
    for depth in 1..=DEPTHS {
        let depth = depth as f32 / (DEPTHS + 1) as f32;
        for (channel, before) in channels.iter_mut().zip(&before) {
            for (index, (sample, before)) in
                channel[part.clone()].iter_mut().zip(before).enumerate()
            {
                let done = (index as f32 + 0.5) / part.len() as f32;
                *sample = before * (1.0 - depth * (done * std::f32::consts::PI).sin());
            }
        }
        if is_soft(channels) {
            return;
        }
    }
}
