//! A song as codes and back, nothing composed: what the codes themselves lose.
//!
//!     cargo run --release --example codes_there_and_back -- SONG OUT.wav

use neural_composer::audio::{Audio, Song};
use neural_composer::dataset::SongSource;
use neural_composer::dataset::codes::{CodeSettings, CodedSongs};
use neural_composer::features::{GriffinLim, StftSettings};

fn main() -> neural_composer::Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(song), Some(out)) = (words.next(), words.next()) else {
        eprintln!("usage: codes_there_and_back SONG OUT.wav [SETTINGS as JSON]");
        std::process::exit(2);
    };
    let settings: CodeSettings = match words.next() {
        Some(text) => serde_json::from_str(&text).expect("settings"),
        None => CodeSettings::default(),
    };
    let coded = CodedSongs::of(&[SongSource::Song(Song::open(song)?)], settings)?;
    let (of_song, frames) = (&coded.songs()[0], coded.settings().frames_per_block);
    let stages = coded.codebook().stages();
    let codes: Vec<u32> = (0..of_song.starts(stages).div_ceil(frames))
        .flat_map(|block| of_song.codes_at(block * frames, stages).to_vec())
        .collect();
    let settings = StftSettings { hop_samples: of_song.hop_samples(), ..coded.settings().stft };
    let channels = GriffinLim::new(settings).seed(1).channels(&coded.magnitudes(&codes, 0)?)?;
    println!("{coded}");
    Audio::new(channels, coded.settings().sample_rate_hz)?.save(out)
}
