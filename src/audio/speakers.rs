//! The default sound device, through rodio.

use super::Audio;
use crate::{Error, Result};
use rodio::source::SeekError;
use rodio::{ChannelCount, DeviceSinkBuilder, MixerDeviceSink, Player, SampleRate, Source};
use std::sync::atomic::{AtomicBool, Ordering};
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
    stopped: AtomicBool,
    /// Set when the device is closed: everything was heard.
    ended: AtomicBool,
    /// Set by the device's thread when the device is lost.
    failure: Arc<Mutex<Option<String>>>,
}

/// Everything that was started and may still play.
static STARTED: Mutex<Vec<Weak<Controls>>> = Mutex::new(Vec::new());

pub(super) fn stop_all() {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for controls in started.drain(..).filter_map(|c| c.upgrade()) {
        controls.stop();
    }
}

impl Controls {
    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.player.stop();
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
                // ALSA prints a dozen lines where there is no device; the error says it in one.
                #[cfg(target_os = "linux")]
                let _silence = alsa::Output::local_error_handler();
                let failure = Arc::default();
                match open(&audio, &failure) {
                    Ok((device, player)) => {
                        let controls = Arc::new(Controls {
                            player,
                            stopped: AtomicBool::new(false),
                            ended: AtomicBool::new(false),
                            failure,
                        });
                        let _ = sender.send(Ok(Self(controls.clone())));
                        controls.player.sleep_until_end();
                        if !controls.stopped.load(Ordering::SeqCst) {
                            std::thread::sleep(DEVICE_TAIL);
                        }
                        drop(device);
                        controls.ended.store(true, Ordering::SeqCst);
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
        self.0.stop();
    }

    pub(super) fn set_volume(&self, volume: f32) {
        self.0.player.set_volume(volume);
    }

    pub(super) fn volume(&self) -> f32 {
        self.0.player.volume()
    }

    pub(super) fn is_playing(&self) -> bool {
        !self.0.ended.load(Ordering::SeqCst)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.0.player.is_paused()
    }

    pub(super) fn position(&self) -> Duration {
        self.0.player.get_pos()
    }

    pub(super) fn seek(&self, to: Duration) -> Result<()> {
        self.check()?;
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
    let config = *device.config();
    let (player, queue) = Player::new();
    player.append(Samples::new(audio, config.channel_count(), config.sample_rate())?);
    // Only now: an empty queue plays silence of another rate and shape, and rodio would go on to
    // play what is appended in that shape.
    device.mixer().add(queue);
    Ok((device, player))
}

fn unplayable(cause: &dyn std::error::Error) -> Error {
    let mut reasons = cause.to_string();
    let mut inner = cause.source();
    while let Some(error) = inner {
        reasons = format!("{reasons}: {error}");
        inner = error.source();
    }
    Error::Playback(format!(
        "could not play through the speakers: this machine has no sound device that could be \
         opened ({reasons}); use the player that a notebook cell shows for the audio, or save it \
         to a file"
    ))
}

/// Audio in the device's own rate and channels, so that nothing is left for rodio to convert: it
/// would draw straight lines between samples to change the rate.
struct Samples {
    audio: Audio,
    frame: usize,
    channel: u16,
    device_channels: ChannelCount,
    device_rate: SampleRate,
}

impl Samples {
    fn new(audio: &Audio, device_channels: ChannelCount, device_rate: SampleRate) -> Result<Self> {
        let audio = if device_channels.get() == 1 { audio.to_mono() } else { audio.clone() };
        let audio = audio.resample(device_rate.get())?;
        Ok(Self { audio, frame: 0, channel: 0, device_channels, device_rate })
    }
}

impl Iterator for Samples {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        if self.frame >= self.audio.frames() {
            return None;
        }
        // Mono goes to the left and the right; a device with more channels is silent in the rest.
        let sample = match self.audio.channels() {
            [mono] if self.channel < 2 => mono[self.frame],
            channels => channels.get(usize::from(self.channel)).map_or(0.0, |c| c[self.frame]),
        };
        self.channel += 1;
        if self.channel == self.device_channels.get() {
            self.channel = 0;
            self.frame += 1;
        }
        Some(sample)
    }
}

impl Source for Samples {
    /// Rate and channels never change.
    fn current_span_len(&self) -> Option<usize> {
        if self.frame >= self.audio.frames() { Some(0) } else { None }
    }

    fn channels(&self) -> ChannelCount {
        self.device_channels
    }

    fn sample_rate(&self) -> SampleRate {
        self.device_rate
    }

    fn total_duration(&self) -> Option<Duration> {
        Some(Duration::from_secs_f64(self.audio.duration_seconds()))
    }

    fn try_seek(&mut self, to: Duration) -> std::result::Result<(), SeekError> {
        let frame = to.as_secs_f64() * f64::from(self.device_rate.get());
        self.frame = (frame.round() as usize).min(self.audio.frames());
        Ok(())
    }
}
