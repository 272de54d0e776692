//! Playing sound in the background.

use super::Audio;
use crate::{Error, Result, interrupt};
use std::time::Duration;

#[cfg(not(feature = "playback"))]
use super::no_speakers as speakers;
#[cfg(feature = "playback")]
use super::speakers;

/// Sound on its way to the speakers, played in the background.
///
/// Dropping it does not stop the sound, so that `piece.play()?` in a cell plays to the end;
/// [`Playback::stop`] does, and [`stop_all`] when the handle is gone.
#[derive(Clone)]
pub struct Playback {
    sound: speakers::Sound,
    duration_seconds: f64,
}

/// Stops everything that [`Audio::play`] started in this process.
pub fn stop_all() {
    speakers::stop_all();
}

impl Audio {
    /// Starts to play through the default device and returns at once.
    ///
    /// The sound is resampled to the device's rate where the two differ.
    ///
    /// # Errors
    /// [`Error::Playback`] on a machine without sound device, or when this library was built
    /// without its `playback` feature.
    pub fn play(&self) -> Result<Playback> {
        let sound = speakers::Sound::start(self)?;
        Ok(Playback { sound, duration_seconds: self.duration_seconds() })
    }
}

impl Playback {
    /// Holds the sound where it is.
    pub fn pause(&self) {
        self.sound.pause();
    }

    /// Goes on after [`Playback::pause`].
    pub fn resume(&self) {
        self.sound.resume();
    }

    /// Ends the sound for good.
    pub fn stop(&self) {
        self.sound.stop();
    }

    /// Sets the volume: 1 is as recorded, 0 silent; above 1 loud passages distort.
    ///
    /// # Errors
    /// [`Error::Argument`] for a negative volume or one that is not a number.
    pub fn set_volume(&self, volume: f32) -> Result<()> {
        if !volume.is_finite() || volume < 0.0 {
            return Err(Error::argument("volume", "a number from 0 (silent) upwards", volume));
        }
        self.sound.set_volume(volume);
        Ok(())
    }

    /// The volume; 1 is as recorded.
    pub fn volume(&self) -> f32 {
        self.sound.volume()
    }

    /// Whether there is still something to hear; a paused sound counts.
    pub fn is_playing(&self) -> bool {
        self.sound.is_playing()
    }

    /// Whether the sound is held by [`Playback::pause`].
    pub fn is_paused(&self) -> bool {
        self.sound.is_paused()
    }

    /// How far the sound has got, in seconds.
    pub fn position_seconds(&self) -> f64 {
        self.sound.position().as_secs_f64().min(self.duration_seconds)
    }

    /// Jumps to a time; past the end is the end.
    ///
    /// # Errors
    /// [`Error::Argument`] for a negative time or one that is not a number.
    pub fn seek(&self, seconds: f64) -> Result<()> {
        if !seconds.is_finite() || seconds < 0.0 {
            let expected = format!("0 to {:.2} s", self.duration_seconds);
            return Err(Error::argument("seconds", expected, seconds));
        }
        self.sound.seek(Duration::from_secs_f64(seconds.min(self.duration_seconds)))
    }

    /// Waits until the last sample was heard; on a paused sound until someone resumes or stops it.
    ///
    /// [`interrupt::request`] stops the sound and ends the wait.
    ///
    /// # Errors
    /// [`Error::Playback`] when the device goes away.
    pub fn wait(&self) -> Result<()> {
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        let _job = interrupt::begin().inspect_err(|_| self.stop())?;
        while self.is_playing() {
            if interrupt::requested() {
                self.stop();
            }
            self.sound.check()?;
            std::thread::sleep(LOOK_EVERY);
        }
        self.sound.check()
    }
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match (self.is_playing(), self.is_paused()) {
            (false, _) => "ended",
            (true, true) => "paused",
            (true, false) => "playing",
        };
        let (at, length) = (self.position_seconds(), self.duration_seconds);
        write!(f, "Playback({state}, {at:.2} of {length:.2} s)")
    }
}
