//! A waveform small enough for a table.

use super::axes::Frame;
use super::envelope::Envelope;
use super::html::escape;
use super::picture::Raster;
use crate::Result;
use crate::audio::Audio;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

const COLUMNS: usize = 180;
const ROWS: usize = 32;

/// A waveform of a few square millimetres, as an HTML image for a table.
pub(crate) fn thumbnail(audio: &Audio, description: &str) -> Result<String> {
    let envelope = Envelope::of(&audio.to_mono().channels()[0], COLUMNS);
    let peak = envelope.peak().max(1e-6);
    let middle = ROWS as f32 / 2.0;
    let mut cells = vec![0; COLUMNS * ROWS];
    for (row, cells) in cells.chunks_exact_mut(COLUMNS).enumerate() {
        let level = (middle - 0.5 - row as f32) / middle * peak;
        for (column, cell) in cells.iter_mut().enumerate() {
            let (low, high, rms) =
                (envelope.low[column], envelope.high[column], envelope.rms[column]);
            if level.abs() <= rms {
                *cell = 2;
            } else if (low..=high).contains(&level) {
                *cell = 1;
            }
        }
    }
    let raster = Raster {
        frame: Frame { left: 0, top: 0, right: 0, bottom: 0 },
        columns: COLUMNS,
        rows: ROWS,
        cells,
        palette: vec![[0xff, 0xff, 0xff], [0x8c, 0xbf, 0xe0], [0x00, 0x72, 0xb2]],
        on_paper: true,
    };
    Ok(format!(
        "<img class=\"nc-thumbnail\" alt=\"{}\" width=\"{COLUMNS}\" height=\"{ROWS}\" \
         src=\"data:image/png;base64,{}\">",
        escape(description),
        BASE64.encode(raster.png()?)
    ))
}
