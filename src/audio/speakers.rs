//! The default sound device, through rodio.

use super::Audio;
use crate::{Error, Result};
use rodio::source::SeekError;
use rodio::{ChannelCount, DeviceSinkBuilder, MixerDeviceSink, Player, SampleRate, Source};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;

/// How long the device goes on after the last sample was handed over: what it has buffered is
/// still to be heard.
const DEVICE_TAIL: Duration = Duration::from_millis(200);

/// One sound and the controls it is played by.
#[derive(Clone)]
pub(super) struct Sound(Arc<Controls>);

struct Controls {
    player: Player,
    /// Set by the device's thread when the device is lost.
    failure: Arc<Mutex<Option<String>>>,
}

/// Everything that was started and may still play.
static STARTED: Mutex<Vec<Weak<Controls>>> = Mutex::new(Vec::new());

pub(super) fn stop_all() {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for controls in started.drain(..).filter_map(|c| c.upgrade()) {
        controls.player.stop();
    }
}

impl Sound {
    /// Opens the device on a thread of its own, which keeps it open until the sound has ended.
    pub(super) fn start(audio: &Audio) -> Result<Self> {
        let audio = audio.clone();
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new()
            .name("playback".to_owned())
            .spawn(move || {
                let failure = Arc::default();
                match open(&audio, &failure) {
                    Ok((device, player)) => {
                        let controls = Arc::new(Controls { player, failure });
                        let _ = sender.send(Ok(Self(controls.clone())));
                        controls.player.sleep_until_end();
                        std::thread::sleep(DEVICE_TAIL);
                        drop(device);
                    }
                    Err(error) => {
                        let _ = sender.send(Err(error));
                    }
                }
            })
            .map_err(|e| unplayable(&e))?;
        let sound: Self = receiver.recv().map_err(|e| unplayable(&e))??;
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        started.retain(|c| c.strong_count() > 0);
        started.push(Arc::downgrade(&sound.0));
        Ok(sound)
    }

    pub(super) fn pause(&self) {
        self.0.player.pause();
    }

    pub(super) fn resume(&self) {
        self.0.player.play();
    }

    pub(super) fn stop(&self) {
        self.0.player.stop();
    }

    pub(super) fn set_volume(&self, volume: f32) {
        self.0.player.set_volume(volume);
    }

    pub(super) fn volume(&self) -> f32 {
        self.0.player.volume()
    }

    pub(super) fn is_playing(&self) -> bool {
        !self.0.player.empty()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.0.player.is_paused()
    }

    pub(super) fn position(&self) -> Duration {
        self.0.player.get_pos()
    }

    pub(super) fn seek(&self, to: Duration) -> Result<()> {
        self.0.player.try_seek(to).map_err(|e| Error::Playback(format!("could not seek: {e}")))
    }

    pub(super) fn check(&self) -> Result<()> {
        match &*self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(what) => Err(Error::Playback(format!("the sound device is gone: {what}"))),
            None => Ok(()),
        }
    }
}

fn open(audio: &Audio, failure: &Arc<Mutex<Option<String>>>) -> Result<(MixerDeviceSink, Player)> {
    let failure = failure.clone();
    let note_loss = move |error: rodio::CpalError| {
        use rodio::CpalErrorKind as Kind;
        if matches!(error.kind(), Kind::DeviceNotAvailable | Kind::StreamInvalidated) {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
    };
    let mut device = DeviceSinkBuilder::from_default_device()
        .map_err(|e| unplayable(&e))?
        .with_error_callback(note_loss)
        .open_sink_or_fallback()
        .map_err(|e| unplayable(&e))?;
    device.log_on_drop(false);
    // rodio converts rates by drawing straight lines between samples; ours is band-limited.
    let audio = audio.resample(device.config().sample_rate().get())?;
    let player = Player::connect_new(device.mixer());
    player.append(Samples { audio, frame: 0, channel: 0 });
    Ok((device, player))
}

fn unplayable(cause: &dyn std::fmt::Display) -> Error {
    Error::Playback(format!(
        "could not play through the speakers: this machine has no sound device that could be \
         opened ({cause}); use the player that a notebook cell shows for the audio, or save it to \
         a file"
    ))
}

/// Audio as rodio takes it: frame by frame, the channels of a frame one after the other.
struct Samples {
    audio: Audio,
    frame: usize,
    channel: usize,
}

impl Iterator for Samples {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        let sample = *self.audio.channels()[self.channel].get(self.frame)?;
        self.channel += 1;
        if self.channel == self.audio.channel_count() {
            self.channel = 0;
            self.frame += 1;
        }
        Some(sample)
    }
}

impl Source for Samples {
    fn current_span_len(&self) -> Option<usize> {
        // Rate and channels never change; `None` says so.
        None
    }

    fn channels(&self) -> ChannelCount {
        u16::try_from(self.audio.channel_count())
            .ok()
            .and_then(NonZero::new)
            .unwrap_or(NonZero::<u16>::MAX)
    }

    fn sample_rate(&self) -> SampleRate {
        NonZero::new(self.audio.sample_rate_hz()).unwrap_or(NonZero::<u32>::MIN)
    }

    fn total_duration(&self) -> Option<Duration> {
        Some(Duration::from_secs_f64(self.audio.duration_seconds()))
    }

    fn try_seek(&mut self, to: Duration) -> std::result::Result<(), SeekError> {
        let frame = to.as_secs_f64() * f64::from(self.audio.sample_rate_hz());
        self.frame = (frame.round() as usize).min(self.audio.frames());
        Ok(())
    }
}
