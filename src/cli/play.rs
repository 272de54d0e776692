//! `play`: a song on the speakers.

use super::report::{self, Report, tell};
use super::streams::Input;
use clap::Args;
use neural_composer::audio::{Decoder, Need, Song};
use neural_composer::{Error, Result, interrupt};
use std::path::PathBuf;
use std::time::Duration;

/// Play a song or piece through the speakers (Ctrl-C stops)
#[derive(Args)]
pub struct Play {
    /// The song; - is standard input
    song: PathBuf,
    /// From 0, silence, to 1, as it is
    #[arg(long, default_value_t = 1.0)]
    volume: f32,
}

impl Play {
    pub fn run(mut self) -> Result<Report> {
        Input::check([&self.song])?;
        if !(0.0..=1.0).contains(&self.volume) {
            return Err(Error::argument("volume", "a number from 0 to 1", self.volume));
        }
        let _input = Input::read([&mut self.song])?;
        // All of it is held in memory.
        let decoder = Decoder::open(&self.song)?;
        let numbers = decoder.sample_rate_hz() as usize * decoder.channel_count();
        let bytes_per_second = (numbers * size_of::<f32>()) as u64;
        decoder.check(Need { work: "to be played", bytes_per_second })?;
        let song = Song::open(&self.song)?;
        let playback = song.audio().play()?;
        playback.set_volume(self.volume)?;
        tell(&format!("{}: {:?}", song.title(), song.audio()));
        while playback.is_playing() && !interrupt::requested() {
            std::thread::sleep(Duration::from_millis(50));
        }
        let interrupted = playback.is_playing();
        playback.stop();
        Ok(Report::default()
            .fact("played", report::path(song.path()))
            .fact("seconds", song.audio().duration_seconds())
            .warn(song.warnings().iter().cloned())
            .interrupted(interrupted))
    }
}
