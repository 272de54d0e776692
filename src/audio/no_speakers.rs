//! What stands for the speakers in a build without the `playback` feature: nothing ever plays.

use super::Audio;
use crate::{Error, Result};
use std::time::Duration;

/// A sound that cannot exist, because none can be started.
#[derive(Clone)]
pub(super) enum Sound {}

pub(super) fn stop_all() {}

impl Sound {
    pub(super) fn start(_: &Audio) -> Result<Self> {
        Err(Error::Playback(
            "this build cannot play through the speakers: build it with the feature \"playback\" \
             (on Linux that needs the ALSA headers and pkg-config), or use the player that a \
             notebook cell shows for the audio"
                .to_owned(),
        ))
    }

    pub(super) fn pause(&self) {
        match *self {}
    }

    pub(super) fn resume(&self) {
        match *self {}
    }

    pub(super) fn stop(&self) {
        match *self {}
    }

    pub(super) fn set_volume(&self, _: f32) {
        match *self {}
    }

    pub(super) fn volume(&self) -> f32 {
        match *self {}
    }

    pub(super) fn is_playing(&self) -> bool {
        match *self {}
    }

    pub(super) fn is_paused(&self) -> bool {
        match *self {}
    }

    pub(super) fn position(&self) -> Duration {
        match *self {}
    }

    pub(super) fn seek(&self, _: Duration) -> Result<()> {
        match *self {}
    }

    pub(super) fn check(&self) -> Result<()> {
        match *self {}
    }
}
