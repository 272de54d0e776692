//! The chart of a judgement.

use super::axes::{Anchor, Axis, Frame, Paper, compact};
use super::colormap::ColorMap;
use super::picture::{Drawing, Picture, Raster};
use super::theme;
use crate::Result;
use crate::evaluate::{Judgement, SelfSimilarity};
use crate::words::counted;
use plotters::prelude::*;

/// Draws a judgement: the distance of style beside that of excerpts of the songs, where the piece copies
/// and where it jumps, and its form beside that of the first song.
///
/// # Errors
/// [`Error::Picture`](crate::Error::Picture) when plotters fails.
pub fn judgement_chart(judgement: &Judgement) -> Result<Picture> {
    Drawing::picture(&Chart(judgement))
}

const LEFT: i32 = 150;
const RIGHT: i32 = theme::WIDTH_PX as i32 - 24;
/// The two bars of the distances; their numbers stand to the right.
const STYLE: Frame = Frame { left: LEFT, top: 12, right: RIGHT - 90, bottom: 56 };
/// Copies in the upper lane, joins in the lower one.
const LANES: Frame = Frame { left: LEFT, top: 82, right: RIGHT, bottom: 126 };
const SQUARE: i32 = 324;
const FORMS: [Frame; 2] = [form_frame(66), form_frame(66 + SQUARE + 66)];
/// Shades of a similarity; fewer compress better.
const SHADES: usize = 48;

const fn form_frame(left: i32) -> Frame {
    Frame { left, top: 210, right: left + SQUARE, bottom: 210 + SQUARE }
}

struct Chart<'a>(&'a Judgement);

impl Chart<'_> {
    /// The piece and, where there is one, the first song.
    fn forms(&self) -> impl Iterator<Item = (Frame, &SelfSimilarity)> {
        let forms = std::iter::once(&self.0.form).chain(self.0.song_forms.first());
        FORMS.into_iter().zip(forms)
    }

    fn draw_style<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let style = self.0.style;
        let longest = style.distance.max(style.excerpts.median).max(1e-9);
        let bars = [
            ("style: the piece", style.distance, theme::series(0)),
            ("real excerpts", style.excerpts.median, theme::MUTED),
        ];
        let height = STYLE.height() / 2;
        for (index, (label, distance, color)) in bars.into_iter().enumerate() {
            let top = STYLE.top + index as i32 * height;
            let share = if distance.is_finite() { distance / longest } else { 1.0 };
            let end = STYLE.x(share).max(f64::from(STYLE.left) + 1.0);
            let middle = f64::from(top) + f64::from(height) / 2.0;
            let bar =
                Frame { left: LEFT, top: top + 3, right: end as i32, bottom: top + height - 3 };
            paper.fill(bar, color)?;
            paper.text(label, (f64::from(LEFT) - 9.0, middle), Anchor::CenterRight, theme::INK)?;
            paper.text(&compact(distance), (end + 7.0, middle), Anchor::CenterLeft, theme::INK)?;
        }
        Ok(())
    }

    fn draw_lanes<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let time = Axis::time(0.0, self.0.duration_seconds.max(0.1), 9);
        let middle = (LANES.top + LANES.bottom) / 2;
        let x = |seconds: f64| LANES.x(time.fraction(seconds).clamp(0.0, 1.0));
        paper.horizontal_axis(LANES, &time, true)?;
        for (label, top, bottom) in [("copied", LANES.top, middle), ("joins", middle, LANES.bottom)]
        {
            let at = (f64::from(LEFT) - 9.0, f64::from(top + bottom) / 2.0);
            paper.text(label, at, Anchor::CenterRight, theme::INK)?;
            let (left, right, y) =
                (f64::from(LANES.left), f64::from(LANES.right), f64::from(bottom));
            paper.line([(left, y), (right, y)], theme::GRID, 1.0)?;
        }
        for passage in &self.0.copies.passages {
            let (from, to) = (passage.piece_seconds, passage.duration_seconds);
            let (left, right) = (x(from), x(from + to));
            let right = (right as i32).max(left as i32 + 2);
            let bar = Frame { left: left as i32, top: LANES.top + 3, right, bottom: middle - 3 };
            paper.fill(bar, theme::series(1))?;
        }
        let (top, bottom) = (f64::from(middle) + 4.0, f64::from(LANES.bottom) - 3.0);
        for seconds in &self.0.joins.seconds {
            paper.line([(x(*seconds), top), (x(*seconds), bottom)], theme::series(0), 2.0)?;
        }
        Ok(())
    }

    fn draw_forms<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let names = [
            "form of the piece",
            match self.0.song_forms.len() {
                1 => "form of the song",
                _ => "form of the first song",
            },
        ];
        for ((frame, form), name) in self.forms().zip(names) {
            let end = (form.steps() as f64 * form.step_seconds()).max(0.1);
            let at = (frame.x(0.5), f64::from(frame.top) - 22.0);
            paper.text(name, at, Anchor::TopCenter, theme::INK)?;
            paper.horizontal_axis(frame, &Axis::time(0.0, end, 6), false)?;
            let upwards = Axis { label: "", ..Axis::time(0.0, end, 6) };
            paper.vertical_axis(frame, &upwards, false)?;
        }
        // The scale of colours.
        let right = FORMS[1].right;
        let bar = Frame { left: right + 12, right: right + 24, ..FORMS[1] };
        for y in bar.top..bar.bottom {
            let share = f64::from(bar.bottom - y) / f64::from(bar.height());
            let [r, g, b] = ColorMap::Viridis.rgb(share as f32);
            paper.fill(Frame { top: y, bottom: y + 1, ..bar }, RGBColor(r, g, b))?;
        }
        for (label, y) in [("alike", bar.top + 6), ("not", bar.bottom - 6)] {
            let at = (f64::from(bar.right) + 6.0, f64::from(y));
            paper.text(label, at, Anchor::CenterLeft, theme::INK)?;
        }
        Ok(())
    }
}

impl Drawing for Chart<'_> {
    fn size(&self) -> (u32, u32) {
        (theme::WIDTH_PX, FORMS[0].bottom as u32 + 44)
    }

    fn description(&self) -> String {
        let Judgement { style, copies, joins, .. } = self.0;
        format!(
            "Judgement of {:.1} seconds: {style}; {copies} in {}; {}. Below, which \
             moments of the piece and of the song are alike.",
            self.0.duration_seconds,
            counted(copies.passages.len(), "passage"),
            counted(joins.seconds.len(), "join")
        )
    }

    fn rasters(&self) -> Vec<Raster> {
        let raster = |(frame, form): (Frame, &SelfSimilarity)| {
            // The first moment is at the lower left.
            let mut rows: Vec<&[f32]> = form.rows().collect();
            rows.reverse();
            let shade = |value: &f32| (value.clamp(0.0, 1.0) * (SHADES - 1) as f32).round() as u8;
            Raster {
                frame,
                columns: form.steps(),
                rows: form.steps(),
                cells: rows.into_iter().flatten().map(shade).collect(),
                palette: (0..SHADES)
                    .map(|index| ColorMap::Viridis.rgb(index as f32 / (SHADES - 1) as f32))
                    .collect(),
                on_paper: false,
            }
        };
        self.forms().filter(|(_, form)| form.steps() > 0).map(raster).collect()
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        self.draw_style(paper)?;
        self.draw_lanes(paper)?;
        self.draw_forms(paper)
    }
}
