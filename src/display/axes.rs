//! The frame around a picture's data: scales, ticks, grid and labels.

use super::colormap::ColorMap;
use super::theme;
use crate::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// How a quantity runs along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    Linear,
    /// Equal ratios, equal lengths. Both ends have to be above 0.
    Log,
    /// Linear below about 700 Hz, logarithmic above, as hearing is: m = ln(1 + f/700)
    /// (D. O'Shaughnessy, "Speech communication", 1987, without its constant factor).
    Mel,
}

/// One axis: a scale, its two ends and where ticks go.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
    pub label: &'static str,
}

impl Axis {
    fn warp(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).ln(),
            Scale::Mel => (value / 700.0).ln_1p(),
        }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end.
    pub fn fraction(&self, value: f64) -> f64 {
        let (low, high) = (self.warp(self.low), self.warp(self.high));
        if high > low { (self.warp(value) - low) / (high - low) } else { 0.5 }
    }

    /// The value at a fraction of the axis's length.
    pub fn value(&self, fraction: f64) -> f64 {
        let (low, high) = (self.warp(self.low), self.warp(self.high));
        let at = low + fraction * (high - low);
        match self.scale {
            Scale::Linear => at,
            Scale::Log => at.exp(),
            Scale::Mel => at.exp_m1() * 700.0,
        }
    }

    /// Even steps of 1, 2 or 5 times a power of ten.
    pub fn linear(low: f64, high: f64, most_ticks: usize, label: &'static str) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = nice_step((high - low) / most_ticks.max(1) as f64);
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        // What takes too much room as it is gets an exponent.
        let short = step >= 1e-5 && low.abs().max(high.abs()) < 1e6;
        let words = |v: f64| if short { format!("{v:.decimals$}") } else { compact(v) };
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|k| (k as f64 * step, words(k as f64 * step))).collect();
        Self { scale: Scale::Linear, low, high, ticks, label }
    }

    /// Time from `start` to `end` seconds: in seconds, in minutes and seconds from two minutes on.
    pub fn time(start: f64, end: f64, most_ticks: usize) -> Self {
        if end - start < 120.0 {
            return Self::linear(start, end, most_ticks, "time (s)");
        }
        let wanted = (end - start) / most_ticks.max(1) as f64;
        let steps = [10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0];
        let step = steps
            .into_iter()
            .find(|s| *s >= wanted)
            .unwrap_or_else(|| (wanted / 3600.0).ceil() * 3600.0);
        let first = (start / step).ceil() as i64;
        let last = (end / step).floor() as i64;
        let ticks = (first..=last)
            .map(|k| (k as f64 * step, super::plain::clock(k as f64 * step)))
            .collect();
        Self { scale: Scale::Linear, low: start, high: end, ticks, label: "time (min:s)" }
    }

    /// Frequencies from 0 to `high_hz`, spaced as they are heard.
    pub fn frequency(high_hz: f64) -> Self {
        let ticks = [0.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4]
            .into_iter()
            .filter(|hz| *hz <= high_hz)
            .map(|hz| {
                (hz, if hz >= 1000.0 { format!("{}k", hz / 1000.0) } else { format!("{hz}") })
            })
            .collect();
        Self { scale: Scale::Mel, low: 0.0, high: high_hz.max(1.0), ticks, label: "frequency (Hz)" }
    }

    /// A logarithmic axis; ticks at powers of ten and, where these are few, at 2 and 5 times them.
    pub fn log(low: f64, high: f64, label: &'static str) -> Self {
        let low = low.max(1e-300);
        let high = if high > low { high } else { low * 10.0 };
        let decades = high.log10() - low.log10();
        let factors: &[f64] = if decades > 4.0 {
            &[1.0]
        } else if decades > 0.7 {
            &[1.0, 2.0, 5.0]
        } else {
            // Less than a factor of five: even steps read better than powers.
            return Self { scale: Scale::Log, ..Self::linear(low, high, 6, label) };
        };
        let mut ticks = Vec::new();
        let every = (decades / 10.0).ceil().max(1.0) as usize;
        let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
        for exponent in exponents.step_by(every) {
            for factor in factors {
                let value = factor * 10f64.powi(exponent);
                if (low..=high).contains(&value) {
                    ticks.push((value, compact(value)));
                }
            }
        }
        Self { scale: Scale::Log, low, high, ticks, label }
    }
}

fn nice_step(rough: f64) -> f64 {
    let magnitude = 10f64.powf(rough.log10().floor());
    let leading = rough / magnitude;
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| *f >= leading - 1e-9).unwrap_or(10.0);
    factor * magnitude
}

/// A number as short as it stays readable: `0.002`, `35`, `2e-7`.
pub(crate) fn compact(value: f64) -> String {
    if value == 0.0 || (1e-4..1e5).contains(&value.abs()) {
        let digits = (3 - value.abs().max(1e-9).log10().floor() as i32 - 1).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    } else {
        format!("{value:.1e}").replace(".0e", "e")
    }
}

/// A rectangle of the picture in CSS pixels that data is drawn in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Frame {
    pub fn width(&self) -> i32 {
        self.right - self.left
    }

    pub fn height(&self) -> i32 {
        self.bottom - self.top
    }

    /// Pixel column of a fraction of the horizontal axis.
    pub fn x(&self, fraction: f64) -> f64 {
        f64::from(self.left) + fraction * f64::from(self.width())
    }

    /// Pixel row of a fraction of the vertical axis, which runs upwards.
    pub fn y(&self, fraction: f64) -> f64 {
        f64::from(self.bottom) - fraction * f64::from(self.height())
    }
}

/// A plotters drawing area whose coordinates are CSS pixels, whatever the bitmap's density.
pub(crate) struct Paper<'a, DB: DrawingBackend> {
    pub area: &'a DrawingArea<DB, Shift>,
    pub scale: f64,
}

/// Which point of a text its position names.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    TopCenter,
    CenterRight,
    CenterLeft,
}

impl<DB: DrawingBackend> Paper<'_, DB> {
    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn stroke(&self, width: f64) -> u32 {
        (width * self.scale).round().max(1.0) as u32
    }

    pub fn text(&self, text: &str, at: (f64, f64), anchor: Anchor, color: RGBColor) -> Result<()> {
        self.styled_text(text, at, anchor, color, FontTransform::None)
    }

    pub fn upward_text(&self, text: &str, at: (f64, f64)) -> Result<()> {
        self.styled_text(text, at, Anchor::TopCenter, theme::MUTED, FontTransform::Rotate270)
    }

    fn styled_text(
        &self,
        text: &str,
        at: (f64, f64),
        anchor: Anchor,
        color: RGBColor,
        turn: FontTransform,
    ) -> Result<()> {
        let position = match anchor {
            Anchor::TopCenter => Pos::new(HPos::Center, VPos::Top),
            Anchor::CenterRight => Pos::new(HPos::Right, VPos::Center),
            Anchor::CenterLeft => Pos::new(HPos::Left, VPos::Center),
        };
        let style = (theme::FONT, 15.0 * self.scale)
            .into_font()
            .transform(turn)
            .color(&color)
            .pos(position);
        self.area.draw_text(text, &style, self.at(at)).map_err(failed)
    }

    pub fn line(
        &self,
        points: impl IntoIterator<Item = (f64, f64)>,
        color: impl Color,
        width: f64,
    ) -> Result<()> {
        let points: Vec<_> = points.into_iter().map(|p| self.at(p)).collect();
        let style = color.stroke_width(self.stroke(width));
        self.area.draw(&PathElement::new(points, style)).map_err(failed)
    }

    pub fn dashes(
        &self,
        points: &[(f64, f64)],
        color: impl Color,
        width: f64,
        dash: f64,
    ) -> Result<()> {
        for piece in dash_pieces(points, dash) {
            self.line(piece, color.to_rgba(), width)?;
        }
        Ok(())
    }

    pub fn polygon(
        &self,
        points: impl IntoIterator<Item = (f64, f64)>,
        color: impl Color,
    ) -> Result<()> {
        let points: Vec<_> = points.into_iter().map(|p| self.at(p)).collect();
        self.area.draw(&Polygon::new(points, color.filled())).map_err(failed)
    }

    pub fn fill(&self, frame: Frame, color: RGBColor) -> Result<()> {
        let corners = [
            self.at((frame.left.into(), frame.top.into())),
            self.at((frame.right.into(), frame.bottom.into())),
        ];
        self.area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)
    }

    pub fn dot(&self, at: (f64, f64), radius: f64, color: RGBColor) -> Result<()> {
        let radius = (radius * self.scale).round() as i32;
        self.area.draw(&Circle::new(self.at(at), radius, color.filled())).map_err(failed)
    }

    /// Tick labels and, if wanted, grid lines below `frame`, and the axis's name.
    pub fn horizontal_axis(&self, frame: Frame, axis: &Axis, grid: bool) -> Result<()> {
        for (value, label) in &axis.ticks {
            let x = frame.x(axis.fraction(*value));
            let (top, bottom) = (f64::from(frame.top), f64::from(frame.bottom));
            if grid {
                self.line([(x, top), (x, bottom)], theme::GRID, 1.0)?;
            }
            self.line([(x, bottom), (x, bottom + 4.0)], theme::MUTED, 1.0)?;
            self.text(label, (x, bottom + 7.0), Anchor::TopCenter, theme::INK)?;
        }
        let middle = (frame.x(0.5), f64::from(frame.bottom) + 23.0);
        self.text(axis.label, middle, Anchor::TopCenter, theme::MUTED)
    }

    /// Tick labels and, if wanted, grid lines to the left of `frame`, and the axis's name.
    pub fn vertical_axis(&self, frame: Frame, axis: &Axis, grid: bool) -> Result<()> {
        for (value, label) in &axis.ticks {
            let y = frame.y(axis.fraction(*value));
            let (left, right) = (f64::from(frame.left), f64::from(frame.right));
            if grid {
                self.line([(left, y), (right, y)], theme::GRID, 1.0)?;
            }
            self.line([(left - 4.0, y), (left, y)], theme::MUTED, 1.0)?;
            self.text(label, (left - 7.0, y), Anchor::CenterRight, theme::INK)?;
        }
        if !axis.label.is_empty() {
            self.upward_text(axis.label, (f64::from(frame.left) - 58.0, frame.y(0.5)))?;
        }
        Ok(())
    }
}

/// Beside a picture of coloured cells: what the colours stand for.
impl<DB: DrawingBackend> Paper<'_, DB> {
    /// The colours from bottom to top; `labels` are texts at fractions of the height.
    pub fn color_bar(&self, bar: Frame, colors: ColorMap, labels: &[(f64, String)]) -> Result<()> {
        for row in bar.top..bar.bottom {
            let share = f64::from(bar.bottom - row) / f64::from(bar.height());
            let [r, g, b] = colors.rgb(share as f32);
            self.fill(Frame { top: row, bottom: row + 1, ..bar }, RGBColor(r, g, b))?;
        }
        for (fraction, label) in labels {
            let (right, y) = (f64::from(bar.right), bar.y(*fraction));
            self.line([(right, y), (right + 4.0, y)], theme::MUTED, 1.0)?;
            let y = y.clamp(f64::from(bar.top) + 5.0, f64::from(bar.bottom) - 5.0);
            self.text(label, (right + 7.0, y), Anchor::CenterLeft, theme::INK)?;
        }
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Picture(error.to_string())
}

/// Cuts a line into every other piece of `dash` pixels.
fn dash_pieces(points: &[(f64, f64)], dash: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    let (mut on, mut left) = (true, dash);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                piece.push(to);
                break;
            }
            let share = left / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            piece.push(from);
            if on {
                pieces.push(std::mem::take(&mut piece));
            }
            on = !on;
            piece = vec![from];
            left = dash;
        }
    }
    if on && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}
