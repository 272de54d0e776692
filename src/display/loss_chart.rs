//! The chart of losses over epochs.

use super::axes::{Anchor, Axis, Frame, Paper, compact};
use super::lines::{pieces, text_width};
use super::picture::{Drawing, Picture};
use super::theme;
use crate::Result;
use crate::train::EpochRecord;
use plotters::prelude::*;

/// The epochs of one training run and the name it has in a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LossRun {
    /// Shown beside the run's line where several are overlaid.
    pub name: String,
    /// In order of their epochs.
    pub points: Vec<EpochRecord>,
}

impl LossRun {
    /// The epoch with the lowest validation loss, or training loss where there is no validation.
    pub fn best(&self) -> Option<&EpochRecord> {
        let validated = self.points.iter().any(|p| p.validation_loss.is_some());
        let key = |p: &EpochRecord| if validated { p.validation_loss } else { Some(p.train_loss) };
        self.points
            .iter()
            .filter(|p| key(p).is_some_and(f64::is_finite))
            .min_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal))
    }
}

/// A chart of training and validation losses: one run, or several overlaid.
///
/// Training loss is a solid line, validation loss a dashed one, both smoothed over the pale raw
/// values; a dot marks the best epoch. The learning rate gets a lane of its own when it changes.
///
/// ```
/// use neural_composer::display::{LossChart, LossRun};
/// use neural_composer::train::EpochRecord;
/// let points = (1..=20)
///     .map(|epoch| EpochRecord {
///         epoch,
///         train_loss: 1.0 / epoch as f64,
///         validation_loss: Some(1.2 / epoch as f64),
///         learning_rate: 1e-3,
///         seconds: 0.5, waited_seconds: 0.0,
///     })
///     .collect();
/// let chart = LossChart::new(vec![LossRun { name: "LSTM".into(), points }]);
/// std::fs::write(std::env::temp_dir().join("loss.svg"), chart.picture()?.svg()).unwrap();
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LossChart {
    runs: Vec<LossRun>,
    log_axis: bool,
    smoothing: f64,
    total_epochs: usize,
}

impl LossChart {
    /// A chart with a logarithmic loss axis and light smoothing.
    pub fn new(runs: Vec<LossRun>) -> Self {
        Self { runs, log_axis: true, smoothing: 0.6, total_epochs: 0 }
    }

    /// Even steps on the loss axis instead of even ratios.
    pub fn linear(mut self) -> Self {
        self.log_axis = false;
        self
    }

    /// How much of the previous smoothed value is kept, from 0 (raw values only) to below 1; usually
    /// 0.6. An exponential moving average runs forwards and another backwards, and their mean is
    /// drawn: it does not lag behind the raw values.
    pub fn smoothing(mut self, kept: f64) -> Self {
        self.smoothing = if kept.is_nan() { 0.0 } else { kept.clamp(0.0, 0.999) };
        self
    }

    /// Reserves room for epochs that are still to come.
    pub fn total_epochs(mut self, epochs: usize) -> Self {
        self.total_epochs = epochs;
        self
    }

    /// The runs.
    pub fn runs(&self) -> &[LossRun] {
        &self.runs
    }

    /// Draws the chart. Losses that are not finite leave gaps; without any, the axes stay empty.
    ///
    /// # Errors
    /// [`Error::Picture`](crate::Error::Picture) when plotters fails.
    pub fn picture(&self) -> Result<Picture> {
        Drawing::picture(self)
    }

    fn loss_axis(&self) -> Axis {
        let losses = || {
            let points = self.runs.iter().flat_map(|r| &r.points);
            points.flat_map(|p| [Some(p.train_loss), p.validation_loss]).flatten()
        };
        let usable = |v: &f64| v.is_finite() && (!self.log_axis || *v > 0.0);
        let low = losses().filter(usable).fold(f64::INFINITY, f64::min);
        let high = losses().filter(usable).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.1, 1.0) };
        if self.log_axis {
            let margin = (high / low).powf(0.05).max(1.02);
            Axis::log(low / margin, high * margin, "loss (log)")
        } else {
            let margin = ((high - low) * 0.05).max(high.abs() * 0.01);
            let floor = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
            Axis::linear(floor, high + margin, 6, "loss")
        }
    }

    fn learning_rate_axis(&self) -> Option<Axis> {
        let rates = || {
            let points = self.runs.iter().flat_map(|r| &r.points);
            points.map(|p| p.learning_rate).filter(|r| r.is_finite() && *r >= 0.0)
        };
        let low = rates().fold(f64::INFINITY, f64::min);
        let high = rates().fold(0.0, f64::max);
        if high <= 0.0 || low >= high * 0.99 {
            return None;
        }
        let ticks = [0.0, high].map(|v| (v, rate_label(v))).to_vec();
        let scale = super::axes::Scale::Linear;
        Some(Axis { scale, low: 0.0, high: high * 1.08, ticks, label: "" })
    }
}

const LEFT: i32 = 66;
const LOSS_HEIGHT: i32 = 230;
const RATE_HEIGHT: i32 = 44;
const GAP: i32 = 12;

impl Drawing for LossChart {
    fn size(&self) -> (u32, u32) {
        let rate = if self.learning_rate_axis().is_some() { GAP + RATE_HEIGHT } else { 0 };
        (theme::WIDTH_PX, (34 + LOSS_HEIGHT + rate + 44) as u32)
    }

    fn description(&self) -> String {
        let mut words = Vec::new();
        for (index, run) in self.runs.iter().enumerate() {
            let Some(last) = run.points.last() else { continue };
            let mut text =
                format!("epoch {}: training loss {}", last.epoch, compact(last.train_loss));
            if let Some(loss) = last.validation_loss {
                text += &format!(", validation loss {}", compact(loss));
            }
            if let Some(best) = run.best() {
                let loss = best.validation_loss.unwrap_or(best.train_loss);
                text += &format!("; best epoch {} with {}", best.epoch, compact(loss));
            }
            words.push(if self.runs.len() == 1 {
                text
            } else {
                format!("run {}, {text}", index + 1)
            });
        }
        match words.is_empty() {
            true => "Loss chart without any epoch yet.".into(),
            false => format!("Loss over epochs. {}.", words.join(". ")),
        }
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let right = theme::WIDTH_PX as i32 - 28;
        let frame = Frame { left: LEFT, right, top: 34, bottom: 34 + LOSS_HEIGHT };
        let last = self.runs.iter().flat_map(|r| &r.points).map(|p| p.epoch).max().unwrap_or(1);
        let last = last.max(self.total_epochs).max(2);
        let mut epochs = Axis::linear(1.0, last as f64, 10, "epoch");
        epochs.ticks.retain(|(epoch, _)| epoch.fract() == 0.0);
        let losses = self.loss_axis();
        let rates = self.learning_rate_axis();
        paper.vertical_axis(frame, &losses, true)?;
        let mut lowest = frame;
        if let Some(rates) = &rates {
            lowest.top = frame.bottom + GAP;
            lowest.bottom = lowest.top + RATE_HEIGHT;
            paper.vertical_axis(lowest, rates, true)?;
            paper.upward_text("rate", (f64::from(LEFT) - 58.0, lowest.y(0.5)))?;
        }
        paper.horizontal_axis(lowest, &epochs, false)?;
        for (index, run) in self.runs.iter().enumerate() {
            self.draw_run(paper, frame, &epochs, &losses, index, run)?;
            if let Some(rates) = &rates {
                let rate = |p: &EpochRecord| Some(p.learning_rate);
                for piece in pieces(places(run, rate), lowest, &epochs, rates) {
                    paper.line(piece, theme::series(index), 1.5)?;
                }
            }
        }
        self.draw_legend(paper, frame)
    }
}

impl LossChart {
    fn draw_run<DB: DrawingBackend>(
        &self,
        paper: &Paper<'_, DB>,
        frame: Frame,
        epochs: &Axis,
        losses: &Axis,
        index: usize,
        run: &LossRun,
    ) -> Result<()> {
        let train = |p: &EpochRecord| Some(p.train_loss);
        let validation = |p: &EpochRecord| p.validation_loss;
        // A single run shows its two losses in two colours, several runs have a colour each.
        let train_color = theme::series(index);
        let validation_color =
            if self.runs.len() == 1 { theme::series(1) } else { theme::series(index) };
        let smooth_train = smoothed(run, train, self.smoothing);
        let smooth_validation = smoothed(run, validation, self.smoothing);
        if self.smoothing > 0.0 && run.points.len() > 2 {
            for piece in pieces(places(run, train), frame, epochs, losses) {
                paper.line(piece, train_color.mix(0.3), 1.0)?;
            }
            for piece in pieces(places(run, validation), frame, epochs, losses) {
                paper.line(piece, validation_color.mix(0.3), 1.0)?;
            }
        }
        for piece in pieces(places(&smooth_train, train), frame, epochs, losses) {
            paper.line(piece, train_color, 2.0)?;
        }
        for piece in pieces(places(&smooth_validation, validation), frame, epochs, losses) {
            paper.dashes(&piece, validation_color, 2.0, 6.0)?;
        }
        let Some(best) = run.best() else { return Ok(()) };
        let loss = best.validation_loss.unwrap_or(best.train_loss);
        let color = if best.validation_loss.is_some() { validation_color } else { train_color };
        let at = (frame.x(epochs.fraction(best.epoch as f64)), frame.y(losses.fraction(loss)));
        paper.dot(at, 6.0, theme::PAPER)?;
        paper.dot(at, 4.5, color)?;
        Ok(())
    }

    fn draw_legend<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>, frame: Frame) -> Result<()> {
        let y = f64::from(frame.top) - 18.0;
        let mut x = f64::from(frame.left);
        let mut entry = |color: RGBColor, dashed: bool, label: &str| -> Result<()> {
            let sample = [(x, y), (x + 26.0, y)];
            if dashed {
                paper.dashes(&sample, color, 2.0, 6.0)?;
            } else {
                paper.line(sample, color, 2.0)?;
            }
            paper.text(label, (x + 32.0, y), Anchor::CenterLeft, theme::INK)?;
            x += 32.0 + text_width(label) + 22.0;
            Ok(())
        };
        let validated = |r: &LossRun| r.points.iter().any(|p| p.validation_loss.is_some());
        if let [run] = self.runs.as_slice() {
            entry(theme::series(0), false, "training")?;
            if validated(run) {
                entry(theme::series(1), true, "validation")?;
            }
        } else {
            for (index, run) in self.runs.iter().enumerate().take(6) {
                let short = run.name.chars().count() <= 24 && !run.name.is_empty();
                let name = if short && theme::font_can_show(&run.name) {
                    run.name.clone()
                } else {
                    format!("run {}", index + 1)
                };
                entry(theme::series(index), false, &name)?;
            }
            if self.runs.iter().any(validated) {
                entry(theme::MUTED, true, "validation")?;
            }
        }
        if let [LossRun { points, .. }] = self.runs.as_slice()
            && let Some(best) = self.runs[0].best()
            && points.len() > 1
        {
            let loss = compact(best.validation_loss.unwrap_or(best.train_loss));
            paper.dot(
                (x + 8.0, y),
                4.5,
                theme::series(usize::from(best.validation_loss.is_some())),
            )?;
            let label = format!("best: {loss} at epoch {}", best.epoch);
            paper.text(&label, (x + 19.0, y), Anchor::CenterLeft, theme::INK)?;
        }
        Ok(())
    }
}

/// Epochs and what they have of something.
fn places(
    run: &LossRun,
    value: fn(&EpochRecord) -> Option<f64>,
) -> impl Iterator<Item = (f64, Option<f64>)> {
    run.points.iter().map(move |point| (point.epoch as f64, value(point)))
}

/// A learning rate in at most seven characters: `0.001`, `2.5e-4`.
fn rate_label(rate: f64) -> String {
    let plain = compact(rate);
    if plain.len() <= 6 { plain } else { format!("{rate:.1e}") }
}

/// The run with both losses replaced by the moving average of one of them; values that are not
/// finite stay.
fn smoothed(run: &LossRun, loss: fn(&EpochRecord) -> Option<f64>, kept: f64) -> LossRun {
    let values: Vec<Option<f64>> = run.points.iter().map(loss).collect();
    let forwards = moving_average(values.iter().copied(), kept);
    let backwards = moving_average(values.iter().rev().copied(), kept);
    let averages = forwards.iter().zip(backwards.iter().rev()).map(|(a, b)| 0.5 * (a + b));
    let mut result = run.clone();
    for ((point, value), average) in result.points.iter_mut().zip(values).zip(averages) {
        point.validation_loss = value.map(|v| if v.is_finite() { average } else { v });
        point.train_loss = point.validation_loss.unwrap_or(f64::NAN);
    }
    result
}

/// Exponential moving average without the pull towards its start (the correction that Adam makes).
fn moving_average(values: impl Iterator<Item = Option<f64>>, kept: f64) -> Vec<f64> {
    let (mut sum, mut weight) = (0.0, 0.0);
    values
        .map(|value| {
            if let Some(v) = value.filter(|v| v.is_finite()) {
                sum = kept * sum + (1.0 - kept) * v;
                weight = kept * weight + (1.0 - kept);
            }
            sum / weight
        })
        .collect()
}
