//! The chart of what a composer could choose from, and what it took.

use super::axes::{Axis, Frame, Paper};
use super::bundle::{Bundle, Show};
use super::colormap::ColorMap;
use super::html;
use super::picture::{Drawing, Picture, Raster};
use super::theme;
use crate::words::counted;
use crate::{Error, Result};
use plotters::prelude::*;
use std::fmt::Write as _;

/// A place in one of the songs that a piece could go on with, and how likely that was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which of the songs, from 0.
    pub song: usize,
    /// Where in the song, in seconds.
    pub song_seconds: f64,
    /// From 0 to 1. Unlikely candidates may be left out.
    pub probability: f32,
}

/// A step of a piece: what it was drawn from, and what was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoiceStep {
    /// Where the step begins in the piece, in seconds.
    pub piece_seconds: f64,
    /// How long it is, in seconds.
    pub length_seconds: f64,
    /// The distribution.
    pub candidates: Vec<Candidate>,
    /// What was taken.
    pub chosen: Candidate,
}

/// What a model that draws places of songs could choose from at every step of a piece, and what it
/// chose.
///
/// Shown as a picture: along the piece to the right, along the songs upwards, brightness for
/// probability, a light blue line for what was taken (it climbs where the piece follows the song and
/// is broken where it jumps); below it, how many candidates were in question.
///
/// ```
/// use neural_composer::display::{Candidate, ChoiceStep, Choices, Show};
/// let candidate = |song_seconds, probability| Candidate { song: 0, song_seconds, probability };
/// let steps = vec![ChoiceStep {
///     piece_seconds: 0.0,
///     length_seconds: 0.2,
///     candidates: vec![candidate(1.0, 0.75), candidate(7.4, 0.25)],
///     chosen: candidate(7.4, 0.25),
/// }];
/// let choices = Choices::new(vec![("A song".into(), 60.0)], steps)?;
/// assert!(choices.bundle()?.plain().contains("the likeliest"));
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Choices {
    songs: Vec<(String, f64)>,
    steps: Vec<ChoiceStep>,
}

impl Choices {
    /// `songs` are their titles and lengths in seconds; `steps` are in the order of the piece.
    ///
    /// # Errors
    /// [`Error::Argument`] without songs or steps, and for places or probabilities that cannot be.
    pub fn new(songs: Vec<(String, f64)>, steps: Vec<ChoiceStep>) -> Result<Self> {
        let lengths = songs.iter().all(|(_, seconds)| seconds.is_finite() && *seconds > 0.0);
        if songs.is_empty() || !lengths {
            return Err(Error::argument(
                "songs",
                "songs of a positive length",
                format!("{songs:?}"),
            ));
        }
        let possible = |candidate: &Candidate| {
            candidate.song < songs.len()
                && candidate.song_seconds.is_finite()
                && (0.0..=1.001).contains(&candidate.probability)
        };
        let fits = |step: &ChoiceStep| {
            step.piece_seconds >= 0.0
                && step.piece_seconds.is_finite()
                && step.length_seconds > 0.0
                && step.length_seconds.is_finite()
                && possible(&step.chosen)
                && step.candidates.iter().all(possible)
        };
        if let Some(step) = steps.iter().find(|step| !fits(step)) {
            let expected =
                "steps with times and candidates of these songs, probabilities of 0 to 1";
            let at = format!("{step:?}");
            return Err(Error::argument(
                "steps",
                expected,
                at.chars().take(300).collect::<String>(),
            ));
        }
        if steps.is_empty() {
            return Err(Error::argument("steps", "at least one step", 0));
        }
        Ok(Self { songs, steps })
    }

    /// The picture.
    ///
    /// # Errors
    /// [`Error::Picture`] when plotters fails.
    pub fn picture(&self) -> Result<Picture> {
        let last = self.steps.iter().map(|s| s.piece_seconds + s.length_seconds);
        let piece_seconds = last.fold(0.0, f64::max);
        let mut starts = vec![0.0];
        for (_, seconds) in &self.songs {
            starts.push(starts[starts.len() - 1] + seconds);
        }
        Chart { choices: self, starts, piece_seconds }.picture()
    }

    fn words(&self) -> String {
        let mut numbers: Vec<f64> = self.steps.iter().map(in_question).collect();
        numbers.sort_by(f64::total_cmp);
        let likeliest = self.steps.iter().filter(|step| {
            let most = step.candidates.iter().map(|c| c.probability).fold(0.0, f32::max);
            step.chosen.probability >= most
        });
        let jumps = self.steps.windows(2).filter(|pair| !follows(&pair[0], &pair[1]));
        format!(
            "{}; in the middle {:.1} candidates in question (from {:.1} to {:.1}); the likeliest \
             was taken {}; {}.",
            counted(self.steps.len(), "step"),
            numbers[numbers.len() / 2],
            numbers[0],
            numbers[numbers.len() - 1],
            counted(likeliest.count(), "time"),
            counted(jumps.count(), "jump")
        )
    }
}

/// How many equally likely candidates would be as uncertain: e to the power of the entropy.
fn in_question(step: &ChoiceStep) -> f64 {
    let sum: f64 = step.candidates.iter().map(|c| f64::from(c.probability)).sum();
    let entropy: f64 = step
        .candidates
        .iter()
        .map(|c| f64::from(c.probability) / sum.max(1e-12))
        .filter(|p| *p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    entropy.exp()
}

/// Whether the piece goes on as the song does.
fn follows(step: &ChoiceStep, next: &ChoiceStep) -> bool {
    let (from, to) = (&step.chosen, &next.chosen);
    let expected = from.song_seconds + step.length_seconds;
    from.song == to.song && (to.song_seconds - expected).abs() < 0.5 * step.length_seconds
}

const FRAME: Frame =
    Frame { left: 66, top: 12, right: theme::WIDTH_PX as i32 - 84, bottom: 12 + 260 };
const BAR: Frame = Frame { left: FRAME.right + 14, right: FRAME.right + 28, ..FRAME };
const BELOW: Frame = Frame { top: FRAME.bottom + 18, bottom: FRAME.bottom + 18 + 64, ..FRAME };
/// Cells of two pixels: places as thin as one are hard to see.
const ROWS: usize = FRAME.bottom as usize / 2 - 6;
const SHADES: usize = 64;
/// Probabilities from one in a thousand to certainty are shown, evenly by their ratio.
const DECADES: f64 = 3.0;
/// What was taken.
const TAKEN: RGBColor = RGBColor(0x56, 0xb4, 0xe9);

struct Chart<'a> {
    choices: &'a Choices,
    /// Where each song begins on the vertical axis, and the end.
    starts: Vec<f64>,
    piece_seconds: f64,
}

impl Chart<'_> {
    fn songs_seconds(&self) -> f64 {
        self.starts[self.starts.len() - 1]
    }

    /// The share of the vertical axis.
    fn height(&self, candidate: &Candidate, later_seconds: f64) -> f64 {
        let at = self.starts[candidate.song] + candidate.song_seconds + later_seconds;
        (at / self.songs_seconds()).clamp(0.0, 1.0)
    }

    /// The taken places; one line as long as the piece follows a song.
    fn lines(&self) -> Vec<Vec<(f64, f64)>> {
        let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut before: Option<&ChoiceStep> = None;
        for step in &self.choices.steps {
            let point = |later: f64| {
                let x = FRAME.x((step.piece_seconds + later) / self.piece_seconds);
                (x, FRAME.y(self.height(&step.chosen, later)))
            };
            if !before.is_some_and(|before| follows(before, step)) {
                lines.push(vec![point(0.0)]);
            }
            if let Some(line) = lines.last_mut() {
                line.push(point(step.length_seconds));
            }
            before = Some(step);
        }
        lines
    }
}

impl Drawing for Chart<'_> {
    fn size(&self) -> (u32, u32) {
        (theme::WIDTH_PX, BELOW.bottom as u32 + 44)
    }

    fn description(&self) -> String {
        format!(
            "What a piece of {:.1} seconds could choose from, over {:.1} seconds of song, and what \
             it took. {}",
            self.piece_seconds,
            self.songs_seconds(),
            self.choices.words()
        )
    }

    fn density(&self) -> u32 {
        1
    }

    fn rasters(&self) -> Vec<Raster> {
        let columns = FRAME.width() as usize;
        let mut sums = vec![0f64; columns * ROWS];
        for step in &self.choices.steps {
            let share = |seconds: f64| (seconds / self.piece_seconds).clamp(0.0, 1.0);
            let first = (share(step.piece_seconds) * columns as f64) as usize;
            let end = share(step.piece_seconds + step.length_seconds) * columns as f64;
            let first = first.min(columns - 1);
            let end = (end.round() as usize).clamp(first + 1, columns);
            for candidate in &step.candidates {
                let height = self.height(candidate, 0.5 * step.length_seconds);
                let row = ((1.0 - height) * ROWS as f64) as usize;
                let row = row.min(ROWS - 1) * columns;
                for sum in &mut sums[row + first..row + end] {
                    *sum += f64::from(candidate.probability);
                }
            }
        }
        let shade = |p: f64| {
            let share = (1.0 + p.max(1e-9).log10() / DECADES).clamp(0.0, 1.0);
            (share * (SHADES - 1) as f64).round() as u8
        };
        let cells = sums.into_iter().map(shade).collect();
        let palette =
            (0..SHADES).map(|i| ColorMap::Magma.rgb(i as f32 / (SHADES - 1) as f32)).collect();
        vec![Raster { frame: FRAME, columns, rows: ROWS, cells, palette, on_paper: false }]
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let time = Axis::time(0.0, self.piece_seconds, 9);
        let mut songs = Axis::time(0.0, self.songs_seconds(), 6);
        songs.label = "place in the song";
        if self.starts.len() > 2 {
            songs.label = "place in the songs";
            let number = |(index, start): (usize, &f64)| (*start, format!("song {}", index + 1));
            songs.ticks =
                self.starts[..self.starts.len() - 1].iter().enumerate().map(number).collect();
            for start in &self.starts[1..self.starts.len() - 1] {
                let y = FRAME.y(start / self.songs_seconds());
                paper.line(
                    [(f64::from(FRAME.left), y), (f64::from(FRAME.right), y)],
                    theme::MUTED,
                    1.0,
                )?;
            }
        }
        paper.vertical_axis(FRAME, &songs, false)?;
        for line in self.lines() {
            paper.line(line, TAKEN, 2.0)?;
        }
        let labels = ["0.1 %", "1 %", "10 %", "100 %"];
        let at = |(index, label): (usize, &&str)| (index as f64 / DECADES, (*label).to_owned());
        paper.color_bar(
            BAR,
            ColorMap::Magma,
            &labels.iter().enumerate().map(at).collect::<Vec<_>>(),
        )?;

        let numbers: Vec<f64> = self.choices.steps.iter().map(in_question).collect();
        let most = numbers.iter().copied().fold(2.0, f64::max);
        let axis = Axis { label: "in question", ..Axis::log(1.0, most * 1.1, "") };
        paper.vertical_axis(BELOW, &axis, true)?;
        paper.horizontal_axis(BELOW, &time, false)?;
        let points = self.choices.steps.iter().zip(&numbers).flat_map(|(step, number)| {
            let y = BELOW.y(axis.fraction(*number));
            [step.piece_seconds, step.piece_seconds + step.length_seconds]
                .map(|seconds| (BELOW.x((seconds / self.piece_seconds).min(1.0)), y))
        });
        paper.line(points, theme::series(1), 1.5)
    }
}

impl Show for Choices {
    fn bundle(&self) -> Result<Bundle> {
        let picture = self.picture()?;
        let mut plain = self.words();
        let caption = match self.songs.as_slice() {
            [(title, _)] => {
                let _ = write!(plain, "\n{title}");
                html::isolated(title)
            }
            songs => {
                let mut caption = String::new();
                for (index, (title, _)) in songs.iter().enumerate() {
                    let _ = write!(plain, "\nsong {}: {title}", index + 1);
                    let _ = write!(caption, "{}: {} ", index + 1, html::isolated(title));
                }
                caption
            }
        };
        let figure = html::figure(&picture, Some(&format!("What it could choose from: {caption}")));
        let words = html::escape(&self.words());
        Ok(Bundle::new(&format!("{figure}<p class=\"nc-said\">{words}</p>"), Some(picture), &plain))
    }
}

super::shown_in_notebooks!(Choices);
