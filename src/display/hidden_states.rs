//! The chart of hidden states under a spectrogram.

use super::axes::{Anchor, Axis, Frame, Paper};
use super::colormap::ColorMap;
use super::picture::{Drawing, Picture, Raster};
use super::spectrogram::{self, SpectrogramView};
use super::theme;
use crate::features::correlation;
use crate::words::counted;
use crate::{Error, Result};
use plotters::prelude::*;

/// What a layer holds after each step.
#[derive(Clone, Copy, Debug)]
pub struct LayerView<'a> {
    /// The layer's own name, "lstm 256" for example.
    pub name: &'a str,
    /// Numbers per step.
    pub units: usize,
    /// Step after step, `units` numbers each.
    pub values: &'a [f32],
}

/// A sound, and the hidden states of a network's layers over it.
#[derive(Clone, Copy, Debug)]
pub struct HiddenStatesView<'a> {
    /// The sound, from 0 s.
    pub sound: SpectrogramView<'a>,
    /// Seconds from one step to the next.
    pub step_seconds: f64,
    /// First to last; at most six of them, evenly chosen, are drawn.
    pub layers: &'a [LayerView<'a>],
}

/// Draws the spectrogram of a sound and below it, on the same axis of time, the hidden states of
/// every layer: one row for a unit, blue below zero, black at it, orange above.
///
/// Of many units those are drawn that vary most. Units that move alike lie beside each other, each
/// next to the one it correlates with best.
///
/// # Errors
/// [`Error::Argument`] when lengths do not fit, [`Error::Picture`] when plotters fails.
pub fn hidden_states(view: &HiddenStatesView<'_>) -> Result<Picture> {
    view.sound.check()?;
    if !(view.step_seconds.is_finite() && view.step_seconds > 0.0) {
        return Err(Error::argument("step_seconds", "a positive number", view.step_seconds));
    }
    if view.layers.is_empty() {
        return Err(Error::argument("layers", "at least one layer", 0));
    }
    let sound_seconds = view.sound.hop_seconds * view.sound.frames() as f64;
    let steps = |layer: &LayerView<'_>| layer.values.len().checked_div(layer.units).unwrap_or(0);
    for layer in view.layers {
        if steps(layer) == 0 || layer.values.len() != steps(layer) * layer.units {
            let found =
                [counted(layer.values.len(), "number"), counted(layer.units, "unit")].join(" for ");
            return Err(Error::argument("values", "one or more whole steps", found));
        }
    }
    let longest = view.layers.iter().map(steps).max().unwrap_or(0) as f64 * view.step_seconds;
    let end = sound_seconds.max(longest);
    let shown = MOST_LAYERS.min(view.layers.len());
    let rows = (ALL_LAYERS_PX / shown as i32).clamp(60, 150);
    let top_db = spectrogram::loudest(view.sound.power_db);
    let frequency = Axis::frequency(view.sound.bin_hz * (view.sound.bins.max(2) - 1) as f64);
    let sound_frame = upto(SOUND, sound_seconds / end);
    let (columns, height) = (sound_frame.width() as usize, sound_frame.height() as usize);
    let cells = spectrogram::cells(&view.sound, &frequency, columns, height, top_db);
    let palette = spectrogram::palette();
    let mut rasters =
        vec![Raster { frame: sound_frame, columns, rows: height, cells, palette, on_paper: false }];
    let mut layers = Vec::new();
    for place in 0..shown {
        let index = place * (view.layers.len() - 1) / (shown - 1).max(1);
        let layer = &view.layers[index];
        let top = SOUND.bottom + place as i32 * (rows + GAP) + GAP;
        let frame = Frame { top, bottom: top + rows, ..SOUND };
        let drawn = Units::of(layer, rows as usize / 2);
        let seconds = steps(layer) as f64 * view.step_seconds;
        rasters.push(drawn.raster(upto(frame, seconds / end)));
        let count = drawn.rows.len();
        let name = match count == layer.units {
            true => format!("layer {}: {}", index + 1, layer.name),
            false => {
                format!("layer {}: {}, the {count} units that vary most", index + 1, layer.name)
            }
        };
        layers.push((frame, name, drawn.largest));
    }
    let words = format!(
        "Spectrogram of {sound_seconds:.1} seconds and below it the hidden states of {}, one \
         row for a unit.",
        counted(view.layers.len(), "recurrent layer")
    );
    HiddenStates { rasters, layers, end, frequency, words }.picture()
}

/// So many layers are drawn, and so high all together.
const MOST_LAYERS: usize = 6;
const ALL_LAYERS_PX: i32 = 330;
/// Between two frames; a layer's name stands there.
const GAP: i32 = 26;
const SOUND: Frame =
    Frame { left: 66, top: 12, right: theme::WIDTH_PX as i32 - 84, bottom: 12 + 150 };

/// The left share of a frame.
fn upto(frame: Frame, share: f64) -> Frame {
    let width = (f64::from(frame.width()) * share).round() as i32;
    Frame { right: frame.left + width.clamp(1, frame.width()), ..frame }
}

/// The units of a layer that are drawn, in the order of their rows.
struct Units {
    /// Step after step.
    rows: Vec<Vec<f64>>,
    /// What the brightest colours stand for.
    largest: f64,
}

impl Units {
    fn of(layer: &LayerView<'_>, most: usize) -> Self {
        let one = |unit: usize| -> Vec<f64> {
            let values = layer.values.iter().skip(unit).step_by(layer.units);
            values.map(|v| if v.is_finite() { f64::from(*v) } else { 0.0 }).collect()
        };
        let mut units: Vec<(f64, Vec<f64>)> = (0..layer.units).map(one).map(varying).collect();
        units.sort_by(|a, b| b.0.total_cmp(&a.0));
        units.truncate(most.max(1));
        let rows = alike_beside_alike(units.into_iter().map(|(_, row)| row).collect());
        // One outlier must not leave all others black.
        let mut sizes: Vec<f64> = rows.iter().flatten().map(|v| v.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let largest = sizes[(sizes.len() - 1) * 99 / 100].max(1e-3);
        Self { rows, largest }
    }

    fn raster(&self, frame: Frame) -> Raster {
        let columns = frame.width() as usize;
        let steps = self.rows[0].len();
        let mut cells = Vec::with_capacity(columns * self.rows.len());
        for row in &self.rows {
            for column in 0..columns {
                let start = column * steps / columns;
                let end = ((column + 1) * steps / columns).max(start + 1);
                let mean = row[start..end].iter().sum::<f64>() / (end - start) as f64;
                let share = 0.5 + 0.5 * (mean / self.largest).clamp(-1.0, 1.0);
                cells.push((share * (SHADES - 1) as f64).round() as u8);
            }
        }
        let palette =
            (0..SHADES).map(|i| ColorMap::BlueOrange.rgb(i as f32 / (SHADES - 1) as f32)).collect();
        Raster { frame, columns, rows: self.rows.len(), cells, palette, on_paper: false }
    }
}

/// An odd number, so that zero has a colour of its own.
const SHADES: usize = 65;

/// A row and its variance.
fn varying(row: Vec<f64>) -> (f64, Vec<f64>) {
    let count = row.len() as f64;
    let mean = row.iter().sum::<f64>() / count;
    (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count, row)
}

/// From the first row on, each followed by the one left that correlates with it best.
fn alike_beside_alike(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut ordered: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
    while !rows.is_empty() {
        let next = ordered.last().map_or(0, |last| {
            let alike = |row: &Vec<f64>| correlation(last, row);
            let best = rows.iter().map(alike).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            best.map_or(0, |(index, _)| index)
        });
        ordered.push(rows.remove(next));
    }
    ordered
}

struct HiddenStates {
    rasters: Vec<Raster>,
    /// Where each layer is drawn, its name, and what its brightest colours stand for.
    layers: Vec<(Frame, String, f64)>,
    end: f64,
    frequency: Axis,
    words: String,
}

impl Drawing for HiddenStates {
    fn size(&self) -> (u32, u32) {
        let bottom = self.layers.iter().map(|(frame, ..)| frame.bottom).max().unwrap_or(0);
        (theme::WIDTH_PX, bottom as u32 + 44)
    }

    fn description(&self) -> String {
        self.words.clone()
    }

    fn density(&self) -> u32 {
        1
    }

    fn rasters(&self) -> Vec<Raster> {
        self.rasters.clone()
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        paper.vertical_axis(SOUND, &self.frequency, false)?;
        for (frame, name, largest) in &self.layers {
            let above = (f64::from(frame.left), f64::from(frame.top) - 10.0);
            paper.text(name, above, Anchor::CenterLeft, theme::INK)?;
            let bar = Frame { left: frame.right + 14, right: frame.right + 28, ..*frame };
            let labels = [
                (0.0, format!("−{largest:.2}")),
                (0.5, "0".into()),
                (1.0, format!("{largest:.2}")),
            ];
            paper.color_bar(bar, ColorMap::BlueOrange, &labels)?;
            paper.upward_text("units", (f64::from(frame.left) - 58.0, frame.y(0.5)))?;
        }
        let last = self.layers.last().map_or(SOUND, |(frame, ..)| *frame);
        paper.horizontal_axis(last, &Axis::time(0.0, self.end, 9), false)
    }
}
