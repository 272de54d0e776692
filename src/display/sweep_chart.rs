//! The chart of a sweep: what mattered.

use super::axes::{Anchor, Axis, Frame, Paper, compact};
use super::lines::text_width;
use super::picture::{Drawing, Picture};
use super::theme;
use crate::sweep::{Effect, SweepTable};
use crate::{Error, Result};
use plotters::prelude::*;

/// Draws what each setting that varies did to the final loss: a panel for each, the one that explains
/// most first; a dot for each finished run, a line through the means of the values.
///
/// # Errors
/// [`Error::Data`] where no setting has two values in finished runs; [`Error::Picture`] when plotters
/// fails.
pub fn sweep_chart(table: &SweepTable) -> Result<Picture> {
    let effects = table.effects();
    if effects.is_empty() {
        return Err(Error::Data(
            "there is nothing to compare: no setting has two values in finished runs".into(),
        ));
    }
    Drawing::picture(&Chart { panels: panels(&effects), effects })
}

const LEFT: i32 = 78;
const RIGHT: i32 = theme::WIDTH_PX as i32 - 20;
const GAP: i32 = 24;
/// What a row of panels takes, and where its data is.
const ROW: i32 = 250;
const TOP: i32 = 52;
const HEIGHT: i32 = 160;
/// Panels side by side.
const ACROSS: usize = 3;
/// Settings that are drawn; there is no room for more.
const MOST: usize = 9;
/// From this ratio of losses on the axis has even ratios.
const LOG_FROM: f64 = 20.0;
const LABEL_GAP: f64 = 10.0;

struct Chart {
    effects: Vec<Effect>,
    panels: Vec<Panel>,
}

/// Where a panel is, and whether losses are told beside it.
struct Panel {
    frame: Frame,
    is_first: bool,
}

/// A label that the picture's font has.
fn label(words: &str, place: usize) -> String {
    match theme::font_can_show(words) {
        true => words.to_owned(),
        false => format!("value {}", place + 1),
    }
}

/// The beginning of `words` that is no wider than `width`.
fn cut(words: &str, width: f64) -> String {
    if text_width(words) <= width {
        return words.to_owned();
    }
    let mut short: Vec<char> = words.chars().collect();
    while short.len() > 1 && text_width(&format!("{}..", short.iter().collect::<String>())) > width
    {
        short.pop();
    }
    format!("{}..", short.into_iter().collect::<String>())
}

/// Panels in rows of three; one whose labels need more room has a row of its own.
fn panels(effects: &[Effect]) -> Vec<Panel> {
    let third = (RIGHT - LEFT - (ACROSS as i32 - 1) * GAP) / ACROSS as i32;
    let (mut row, mut column) = (0, 0);
    let mut panels = Vec::new();
    for effect in effects.iter().take(MOST) {
        let labels = effect.groups.iter().enumerate();
        let widest = labels.map(|(at, group)| text_width(&label(&group.label, at)) + LABEL_GAP);
        let is_wide = widest.fold(0.0, f64::max) * effect.groups.len() as f64 > f64::from(third);
        if column > 0 && is_wide || column == ACROSS {
            (row, column) = (row + 1, 0);
        }
        let left = LEFT + column as i32 * (third + GAP);
        let top = row * ROW + TOP;
        let right = if is_wide { RIGHT } else { left + third };
        panels.push(Panel {
            frame: Frame { left, top, right, bottom: top + HEIGHT },
            is_first: column == 0,
        });
        column = if is_wide { ACROSS } else { column + 1 };
    }
    panels
}

impl Chart {
    fn losses(&self) -> Axis {
        let all = || self.effects.iter().flat_map(|effect| &effect.groups).flat_map(|g| &g.losses);
        let low = all().copied().fold(f64::INFINITY, f64::min);
        let high = all().copied().fold(f64::NEG_INFINITY, f64::max);
        if low > 0.0 && high / low > LOG_FROM {
            return Axis::log(low / 1.1, high * 1.1, "final loss (log)");
        }
        let margin = ((high - low) * 0.08).max(high.abs() * 0.002).max(1e-12);
        Axis::linear(low - margin, high + margin, 5, "final loss")
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        paper: &Paper<'_, DB>,
        (effect, panel): (&Effect, &Panel),
        losses: &Axis,
    ) -> Result<()> {
        let frame = panel.frame;
        let axis = match panel.is_first {
            true => losses.clone(),
            false => {
                let ticks = losses.ticks.iter().map(|(at, _)| (*at, String::new())).collect();
                Axis { ticks, label: "", ..losses.clone() }
            }
        };
        paper.vertical_axis(frame, &axis, true)?;
        let name = cut(&effect.words(), f64::from(frame.width()));
        let middle = (frame.x(0.5), f64::from(frame.top) - 26.0);
        paper.text(&name, middle, Anchor::TopCenter, theme::INK)?;
        let count = effect.groups.len() as f64;
        let slot = f64::from(frame.width()) / count;
        let y = |loss: f64| frame.y(losses.fraction(loss).clamp(0.0, 1.0));
        let mut means = Vec::new();
        for (place, group) in effect.groups.iter().enumerate() {
            let x = frame.x((place as f64 + 0.5) / count);
            for (at, loss) in group.losses.iter().enumerate() {
                // Side by side, so that equal losses are seen.
                let aside = (at % 5) as f64 - 2.0;
                paper.dot((x + aside * (slot / 14.0).min(7.0), y(*loss)), 3.0, theme::series(5))?;
            }
            means.push((x, y(group.mean())));
            let words = cut(&label(&group.label, place), slot - LABEL_GAP / 2.0);
            let below = (x, f64::from(frame.bottom) + 8.0);
            paper.text(&words, below, Anchor::TopCenter, theme::INK)?;
        }
        paper.line(means.iter().copied(), theme::series(0), 2.0)?;
        means.into_iter().try_for_each(|mean| paper.dot(mean, 4.5, theme::series(1)))
    }
}

impl Drawing for Chart {
    fn size(&self) -> (u32, u32) {
        let bottom = self.panels.last().map_or(HEIGHT, |panel| panel.frame.bottom);
        (theme::WIDTH_PX, bottom as u32 + 40)
    }

    fn description(&self) -> String {
        let said = self.effects.iter().take(MOST).map(|effect| {
            let means = effect
                .groups
                .iter()
                .map(|group| format!("{} {}", group.label, compact(group.mean())));
            let means = means.collect::<Vec<_>>().join(", ");
            format!("{}, mean losses: {means}", effect.words())
        });
        format!("What mattered in a sweep. {}.", said.collect::<Vec<_>>().join(". "))
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let losses = self.losses();
        for pair in self.effects.iter().zip(&self.panels) {
            self.draw_panel(paper, pair, &losses)?;
        }
        Ok(())
    }
}
