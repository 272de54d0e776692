//! A chart that grows while a loop runs.

use super::axes::compact;
use super::bundle::{Bundle, Show};
use super::live::{Live, Progress};
use super::output::Output;
use super::series_chart::{Number, SeriesChart};
use crate::Result;

/// A chart of numbers that is redrawn while a loop adds to them.
///
/// ```
/// use neural_composer::prelude::*;
/// let mut losses = live_chart("loss");
/// for step in progress(1..=20) {
///     losses.push(1.0 / step as f64);
/// }
/// assert_eq!(losses.finish().len(), 20);
/// ```
pub fn live_chart(name: &str) -> LiveChart {
    LiveChart::to(Output::new(), name)
}

/// Numbers that come one after the other, and their chart. See [`live_chart`].
///
/// The chart is redrawn a few times a second; the last state is drawn by [`finish`](Self::finish), or
/// when the value is dropped.
pub struct LiveChart {
    /// Nothing once the last state was drawn.
    live: Option<Live>,
    name: String,
    chart: SeriesChart,
}

impl LiveChart {
    /// A chart through `output`.
    pub fn to(output: Output, name: &str) -> Self {
        let no_values: [f64; 0] = [];
        let chart = SeriesChart::default().with(name, no_values);
        Self { live: Some(Live::to(output)), name: name.to_owned(), chart }
    }

    /// Adds a number.
    pub fn push(&mut self, value: impl Number) {
        let value = value.number();
        self.chart.push(value);
        let (count, chart) = (self.values().len() as u64, &self.chart);
        if let Some(live) = &mut self.live {
            let line = format!("{} {count}: {}", self.name, compact(value));
            let progress = Progress { done: count, total: count, line: line.trim_start().into() };
            live.update(&progress, || drawn(chart));
        }
    }

    /// The numbers so far.
    pub fn values(&self) -> &[f64] {
        self.chart.values(0).unwrap_or_default()
    }

    /// The chart so far.
    pub fn chart(&self) -> &SeriesChart {
        &self.chart
    }

    /// Draws the last state and gives the numbers.
    pub fn finish(mut self) -> Vec<f64> {
        self.draw_last();
        self.values().to_vec()
    }

    fn draw_last(&mut self) {
        if let Some(live) = self.live.take().filter(|_| !self.values().is_empty()) {
            live.finish(&self.chart.to_string(), || drawn(&self.chart));
        }
    }
}

fn drawn(chart: &SeriesChart) -> Bundle {
    chart.bundle().unwrap_or_else(|error| Bundle::from_text(&error.to_string()))
}

impl Drop for LiveChart {
    fn drop(&mut self) {
        self.draw_last();
    }
}

impl std::fmt::Debug for LiveChart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LiveChart({})", self.chart)
    }
}

impl Show for LiveChart {
    /// The chart as it is now.
    fn bundle(&self) -> Result<Bundle> {
        self.chart.bundle()
    }
}

super::shown_in_notebooks!(LiveChart);
