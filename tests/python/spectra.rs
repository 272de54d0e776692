//! Writes a song's samples and block spectra to a `.safetensors` file, for other programs.
//!
//! `cargo run --example spectra -- SONG OUTPUT [half|full]` makes the tensors `samples` (frames) and
//! `rows` (blocks, width) of quarter-second blocks at 44.1 kHz; the tests compare them with NumPy's.

use neural_composer::audio::Decoder;
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::{Error, Result, atomic_file};
use std::io::Write;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (song, output, layout) = match &arguments[..] {
        [song, output] => (song, output, SpectrumLayout::Half),
        [song, output, layout] if layout == "half" => (song, output, SpectrumLayout::Half),
        [song, output, layout] if layout == "full" => (song, output, SpectrumLayout::Full),
        _ => {
            let found = arguments.join(" ");
            return Err(Error::argument("arguments", "SONG OUTPUT [half|full]", found));
        }
    };
    let blocks = Blocks { layout, ..Blocks::quarter_second() };
    let audio = Decoder::open(song)?.read_mono_at(blocks.sample_rate_hz)?;
    let samples = &audio.channels()[0];
    let rows = blocks.spectra_of_samples(samples)?;

    let device = candle_core::Device::Cpu;
    let shape = (rows.len() / blocks.width(), blocks.width());
    let tensors = [
        ("samples", candle_core::Tensor::from_slice(samples, samples.len(), &device)?),
        ("rows", candle_core::Tensor::from_vec(rows, shape, &device)?),
    ];
    let bytes = safetensors::serialize(tensors, None)
        .map_err(|error| Error::Data(format!("the tensors could not be put together: {error}")))?;
    atomic_file::write(output, |file| {
        file.write_all(&bytes).map_err(Error::io(output, "write the tensors"))
    })
}
