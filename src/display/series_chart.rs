//! The chart of any series of numbers.

use super::axes::{Anchor, Axis, Frame, Paper, compact};
use super::bundle::{Bundle, Show};
use super::lines::{pieces, text_width};
use super::picture::{Drawing, Picture};
use super::{plain, theme};
use crate::Result;
use crate::words::counted;
use plotters::prelude::*;

/// A number that a chart can show; NaN and infinities leave gaps.
pub trait Number {
    /// As the chart draws it.
    fn number(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Number for $type {
            fn number(self) -> f64 {
                self as f64
            }
        }
    )+};
}
numbers!(f32, f64, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl<T: Number + Copy> Number for &T {
    fn number(self) -> f64 {
        (*self).number()
    }
}

/// Any series of numbers as a line chart: a slice, a vector, a range, an iterator.
///
/// ```
/// use neural_composer::prelude::*;
/// let losses = vec![0.9f32, 0.5, 0.4, 0.35];
/// let card = chart(&losses).bundle()?;
/// assert!(card.picture().is_some() && card.plain().contains("last 0.35"));
///
/// let squares = (1..=10).map(|n| n * n);
/// chart(squares).named("squares").with("cubes", (1..=10).map(|n| n * n * n)).log().show();
/// # Ok::<(), neural_composer::Error>(())
/// ```
pub fn chart<I>(values: I) -> SeriesChart
where
    I: IntoIterator,
    I::Item: Number,
{
    SeriesChart::default().with("", values)
}

/// One or several series of numbers as lines over their steps. See [`chart`].
#[derive(Clone, Default)]
pub struct SeriesChart {
    title: String,
    series: Vec<Series>,
    log_axis: bool,
}

/// Numbers and their name in the legend.
#[derive(Clone, Debug, PartialEq)]
struct Series {
    name: String,
    values: Vec<f64>,
}

/// Series that are named in the legend; there is no room for more.
const MOST_NAMES: usize = 6;

/// Beyond this an axis has no room between its ends.
const LARGEST: f64 = 1e300;

impl SeriesChart {
    /// Adds a series with its name.
    pub fn with<I>(mut self, name: &str, values: I) -> Self
    where
        I: IntoIterator,
        I::Item: Number,
    {
        let values = values.into_iter().map(Number::number).collect();
        self.series.push(Series { name: name.to_owned(), values });
        self
    }

    /// Names the series that was added last.
    pub fn named(mut self, name: &str) -> Self {
        if let Some(series) = self.series.last_mut() {
            name.clone_into(&mut series.name);
        }
        self
    }

    /// Sets the title above the chart, any text.
    pub fn titled(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Even ratios on the value axis instead of even steps; what is not above 0 leaves a gap.
    pub fn log(mut self) -> Self {
        self.log_axis = true;
        self
    }

    /// The numbers of a series, by their place; nothing where there is no such series.
    pub fn values(&self, series: usize) -> Option<&[f64]> {
        self.series.get(series).map(|series| series.values.as_slice())
    }

    /// Adds a number to the first series.
    pub(super) fn push(&mut self, value: f64) {
        match self.series.first_mut() {
            Some(series) => series.values.push(value),
            None => self.series.push(Series { name: String::new(), values: vec![value] }),
        }
    }

    /// Draws the chart; without any number the axes stay empty.
    ///
    /// # Errors
    /// [`Error::Picture`](crate::Error::Picture) when plotters fails.
    pub fn picture(&self) -> Result<Picture> {
        Drawing::picture(self)
    }

    fn can_be_drawn(&self, value: f64) -> bool {
        value.is_finite() && (!self.log_axis || value > 0.0)
    }

    fn value_axis(&self) -> Axis {
        let values = || {
            let values = self.series.iter().flat_map(|series| &series.values).copied();
            values.filter(|v| self.can_be_drawn(*v)).map(|v| v.clamp(-LARGEST, LARGEST))
        };
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.1, 1.0) };
        if self.log_axis {
            let margin = (high / low).powf(0.05).clamp(1.02, 1e5);
            return Axis::log(low / margin, high * margin, "value (log)");
        }
        let margin = ((high - low) * 0.05).max(high.abs().max(low.abs()) * 0.01).max(1e-12);
        let floor = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
        Axis::linear(floor, high + margin, 6, "value")
    }

    fn label(&self, index: usize) -> String {
        let name = &self.series[index].name;
        let short = !name.is_empty() && name.chars().count() <= 24;
        match short && theme::font_can_show(name) {
            true => name.clone(),
            false => format!("series {}", index + 1),
        }
    }

    fn draw_legend<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let (mut x, y) = (f64::from(FRAME.left), f64::from(FRAME.top) - 18.0);
        for index in 0..self.series.len().min(MOST_NAMES) {
            let label = self.label(index);
            paper.line([(x, y), (x + 26.0, y)], theme::series(index), 2.0)?;
            paper.text(&label, (x + 32.0, y), Anchor::CenterLeft, theme::INK)?;
            x += 54.0 + text_width(&label);
        }
        Ok(())
    }

    /// What is to be known of each series, in words; names may be any text.
    fn sentences(&self) -> Vec<String> {
        let said = |(index, series): (usize, &Series)| {
            let name = match (series.name.as_str(), self.series.len()) {
                ("", 1) => String::new(),
                ("", _) => format!("series {}: ", index + 1),
                (name, _) => format!("{name}: "),
            };
            format!("{name}{}", self.summary(&series.values))
        };
        self.series.iter().enumerate().map(said).collect()
    }

    fn summary(&self, values: &[f64]) -> String {
        let numbers = || values.iter().enumerate().filter(|(_, v)| v.is_finite());
        let Some((_, last)) = numbers().next_back() else {
            return match values.len() {
                0 => "no values yet".into(),
                1 => "1 value, which is not a number".into(),
                count => format!("{count} values, none of them a number"),
            };
        };
        let (lowest_at, lowest) =
            numbers().fold((0, f64::INFINITY), |a, (i, v)| if *v < a.1 { (i, *v) } else { a });
        let (highest_at, highest) =
            numbers().fold((0, f64::NEG_INFINITY), |a, (i, v)| if *v > a.1 { (i, *v) } else { a });
        let mut text = format!(
            "{}, last {}, lowest {} at {}, highest {} at {}",
            counted(values.len(), "value"),
            compact(*last),
            compact(lowest),
            lowest_at + 1,
            compact(highest),
            highest_at + 1
        );
        let gaps = values.iter().filter(|v| !self.can_be_drawn(**v)).count();
        if gaps > 0 {
            text += &format!("; {gaps} cannot be drawn and leave a gap");
        }
        text
    }
}

const FRAME: Frame = Frame { left: 76, top: 34, right: theme::WIDTH_PX as i32 - 28, bottom: 264 };

impl Drawing for SeriesChart {
    fn size(&self) -> (u32, u32) {
        (theme::WIDTH_PX, FRAME.bottom as u32 + 44)
    }

    fn description(&self) -> String {
        format!("Chart. {}.", self.sentences().join(". "))
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let longest = self.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
        let mut steps = Axis::linear(1.0, longest.max(2) as f64, 10, "step");
        steps.ticks.retain(|(step, _)| step.fract() == 0.0);
        let values = self.value_axis();
        paper.vertical_axis(FRAME, &values, true)?;
        paper.horizontal_axis(FRAME, &steps, false)?;
        for (index, series) in self.series.iter().enumerate() {
            let points = series.values.iter().enumerate();
            let points = points.map(|(i, v)| ((i + 1) as f64, Some(*v)));
            for piece in pieces(points, FRAME, &steps, &values) {
                paper.line(piece, theme::series(index), 2.0)?;
            }
        }
        if self.series.len() > 1 || self.series.iter().any(|series| !series.name.is_empty()) {
            self.draw_legend(paper)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for SeriesChart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentences().join("\n"))
    }
}

impl std::fmt::Debug for SeriesChart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SeriesChart({self})")
    }
}

/// Bars in the plain text of a series.
const BARS: usize = 60;

impl Show for SeriesChart {
    fn bundle(&self) -> Result<Bundle> {
        let mut text = String::new();
        if !self.title.is_empty() {
            text += &format!("{}\n", self.title);
        }
        for (sentence, series) in self.sentences().iter().zip(&self.series) {
            text += &format!("{sentence}\n{}\n", bars(&series.values));
        }
        let title = match (self.title.as_str(), self.series.as_slice()) {
            ("", [only]) => only.name.as_str(),
            (title, _) => title,
        };
        Ok(Bundle::from_picture(title, self.picture()?, &text))
    }
}

/// The series as one row of bars, means of as many values as it takes.
fn bars(values: &[f64]) -> String {
    let means: Vec<f32> = values
        .chunks(values.len().div_ceil(BARS).max(1))
        .map(|part| {
            let numbers: Vec<f64> = part.iter().copied().filter(|v| v.is_finite()).collect();
            let count = numbers.len() as f64;
            numbers.into_iter().map(|v| v / count).sum::<f64>() as f32
        })
        .collect();
    let finite = || means.iter().copied().filter(|v| v.is_finite());
    let low = finite().fold(f32::INFINITY, f32::min);
    let high = finite().fold(f32::NEG_INFINITY, f32::max);
    plain::sparkline(&means, low.min(0.0), high)
}

super::shown_in_notebooks!(SeriesChart);
