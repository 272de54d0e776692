//! The picture of a spectrogram.

use super::axes::{Axis, Frame, Paper};
use super::colormap::ColorMap;
use super::picture::{Drawing, Picture, Raster};
use super::theme;
use crate::{Error, Result};
use plotters::prelude::*;

/// Levels over time and frequency, as `features` computes them.
#[derive(Clone, Copy, Debug)]
pub struct SpectrogramView<'a> {
    /// Levels in dB, frame by frame, `bins` values each, from 0 Hz upwards.
    pub power_db: &'a [f32],
    /// Values per frame.
    pub bins: usize,
    /// Seconds between the starts of two frames.
    pub hop_seconds: f64,
    /// Hz between two bins.
    pub bin_hz: f64,
    /// Where the first frame lies in its song, in seconds; usually 0.
    pub start_seconds: f64,
}

impl SpectrogramView<'_> {
    /// How many frames there are.
    pub fn frames(&self) -> usize {
        self.power_db.len().checked_div(self.bins).unwrap_or(0)
    }

    /// # Errors
    /// [`Error::Argument`] when the numbers do not describe a spectrogram.
    pub(crate) fn check(&self) -> Result<()> {
        if self.frames() == 0 || !self.power_db.len().is_multiple_of(self.bins) {
            return Err(Error::argument(
                "power_db",
                format!("one or more whole frames of {} bins", self.bins),
                format!("{} values", self.power_db.len()),
            ));
        }
        for (name, value) in [("hop_seconds", self.hop_seconds), ("bin_hz", self.bin_hz)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::argument(name, "a positive number", value));
            }
        }
        Ok(())
    }
}

/// The range from the loudest cell down to the darkest colour, in dB.
pub(crate) const RANGE_DB: f32 = 80.0;

/// Draws a spectrogram: frequency in Hz spaced as it is heard, time in seconds, level in dB below
/// the loudest cell with a colour bar.
///
/// # Errors
/// [`Error::Argument`] when `view`'s lengths do not fit, [`Error::Picture`] when plotters fails.
pub fn spectrogram(view: &SpectrogramView<'_>) -> Result<Picture> {
    view.check()?;
    let top_db = loudest(view.power_db);
    let columns = (FRAME.width() as usize).min(view.frames().max(1));
    let axis = Axis::frequency(view.bin_hz * (view.bins.max(2) - 1) as f64);
    let cells = cells(view, &axis, columns, FRAME.height() as usize, top_db);
    Spectrogram { view: *view, axis, columns, cells, top_db }.picture()
}

const FRAME: Frame =
    Frame { left: 66, top: 12, right: theme::WIDTH_PX as i32 - 84, bottom: 12 + 256 };
const BAR: Frame = Frame { left: FRAME.right + 14, right: FRAME.right + 28, ..FRAME };

/// Colours in the palette; fewer compress better, and 64 steps of 1.25 dB look smooth.
const SHADES: usize = 64;

pub(crate) fn palette() -> Vec<[u8; 3]> {
    (0..SHADES).map(|i| ColorMap::Magma.rgb(i as f32 / (SHADES - 1) as f32)).collect()
}

pub(crate) fn loudest(power_db: &[f32]) -> f32 {
    let top = power_db.iter().copied().filter(|v| v.is_finite()).fold(f32::NEG_INFINITY, f32::max);
    if top.is_finite() { top } else { 0.0 }
}

/// Shades of a picture of `columns` × `rows`, row by row from the highest frequency.
///
/// A row takes the loudest of its bins (a thin partial must not vanish), or interpolates where a
/// bin spans several rows; a column averages its frames in dB.
pub(crate) fn cells(
    view: &SpectrogramView<'_>,
    axis: &Axis,
    columns: usize,
    rows: usize,
    top_db: f32,
) -> Vec<u8> {
    let (frames, bins) = (view.frames(), view.bins);
    let floor_db = top_db - RANGE_DB;
    let edges: Vec<f64> =
        (0..=rows).map(|row| axis.value(1.0 - row as f64 / rows as f64) / view.bin_hz).collect();
    let mut cells = vec![0; columns * rows];
    let mut levels = vec![0f32; rows];
    for column in 0..columns {
        let start = column * frames / columns;
        let end = ((column + 1) * frames / columns).clamp(start + 1, frames.max(start + 1));
        levels.fill(0.0);
        for frame in start..end.min(frames) {
            let values = &view.power_db[frame * bins..(frame + 1) * bins];
            for (row, level) in levels.iter_mut().enumerate() {
                *level += level_between(values, edges[row + 1], edges[row]).max(floor_db);
            }
        }
        for (row, level) in levels.iter().enumerate() {
            let level = level / (end - start) as f32;
            let share = ((level - floor_db) / RANGE_DB).clamp(0.0, 1.0);
            cells[row * columns + column] = (share * (SHADES - 1) as f32).round() as u8;
        }
    }
    cells
}

fn level_between(values: &[f32], low: f64, high: f64) -> f32 {
    let last = values.len() - 1;
    let (first, end) = (low.ceil() as usize, (high.floor() as usize).min(last));
    let sound = |v: f32| if v.is_nan() { f32::NEG_INFINITY } else { v };
    if first <= end {
        return values[first..=end].iter().fold(f32::NEG_INFINITY, |m, v| m.max(sound(*v)));
    }
    let at = (0.5 * (low + high)).clamp(0.0, last as f64);
    let below = (at.floor() as usize).min(last.saturating_sub(1));
    let share = (at - below as f64) as f32;
    let (a, b) = (sound(values[below]), sound(values[(below + 1).min(last)]));
    if a.is_finite() && b.is_finite() { a + share * (b - a) } else { a.max(b) }
}

struct Spectrogram<'a> {
    view: SpectrogramView<'a>,
    axis: Axis,
    columns: usize,
    cells: Vec<u8>,
    top_db: f32,
}

impl Drawing for Spectrogram<'_> {
    fn size(&self) -> (u32, u32) {
        (theme::WIDTH_PX, FRAME.bottom as u32 + 44)
    }

    fn description(&self) -> String {
        format!(
            "Spectrogram of {:.1} seconds, 0 to {:.0} Hz, from {:.0} dB down to {:.0} dB.",
            self.view.hop_seconds * self.view.frames() as f64,
            self.axis.high,
            self.top_db,
            self.top_db - RANGE_DB
        )
    }

    fn density(&self) -> u32 {
        1
    }

    fn rasters(&self) -> Vec<Raster> {
        let (cells, palette) = (self.cells.clone(), palette());
        let (columns, rows) = (self.columns, FRAME.height() as usize);
        vec![Raster { frame: FRAME, columns, rows, cells, palette, on_paper: false }]
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let start = self.view.start_seconds;
        let end = start + self.view.hop_seconds * self.view.frames() as f64;
        paper.horizontal_axis(FRAME, &Axis::time(start, end, 9), false)?;
        paper.vertical_axis(FRAME, &self.axis, false)?;
        let below = |db: f64| if db == 0.0 { "0 dB".to_owned() } else { format!("−{db}") };
        let label = |db: f64| (1.0 - db / f64::from(RANGE_DB), below(db));
        paper.color_bar(BAR, ColorMap::Magma, &[0.0, 20.0, 40.0, 60.0, 80.0].map(label))
    }
}
