//! The picture of a waveform.

use super::axes::{Anchor, Axis, Frame, Paper, compact};
use super::envelope::Envelope;
use super::picture::{Drawing, Picture};
use super::theme;
use crate::Result;
use crate::audio::Audio;
use plotters::prelude::*;

/// Most channels drawn; the rest is named in the description.
const MOST_CHANNELS: usize = 8;

/// Draws a waveform: one lane per channel, the range of the samples in light blue and their root
/// mean square in dark blue, time in seconds.
///
/// Samples beyond ±1, which clip on most devices, are drawn in orange.
///
/// ```
/// use neural_composer::{audio::Audio, display};
/// let tone = (0..44_100).map(|n| (n as f32 * 0.06).sin() * 0.5).collect();
/// let picture = display::waveform(&Audio::mono(tone, 44_100)?)?;
/// assert!(picture.png().starts_with(b"\x89PNG"));
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Picture`](crate::Error::Picture) when plotters fails.
pub fn waveform(audio: &Audio) -> Result<Picture> {
    waveform_from(audio, 0.0)
}

/// [`waveform`] of an excerpt that starts `start_seconds` into its song; the time axis says so.
///
/// # Errors
/// As [`waveform`].
pub fn waveform_from(audio: &Audio, start_seconds: f64) -> Result<Picture> {
    let count = audio.channel_count();
    let lane = |(index, channel): (usize, &Vec<f32>)| Lane {
        name: match (count, index) {
            (1, _) => String::new(),
            (2, 0) => "left".into(),
            (2, _) => "right".into(),
            _ => (index + 1).to_string(),
        },
        envelope: Envelope::of(channel, COLUMNS),
        color: theme::SERIES[0],
    };
    let lanes: Vec<_> = audio.channels().iter().take(MOST_CHANNELS).enumerate().map(lane).collect();
    let subject = match count {
        1 => "one channel".to_owned(),
        n if n > lanes.len() => format!("the first {} of {n} channels", lanes.len()),
        n => format!("{n} channels"),
    };
    Waveform { lanes, subject, start_seconds, seconds: audio.duration_seconds() }.picture()
}

/// Waveforms of several pieces on one time axis, named A, B and so on as they come.
///
/// # Errors
/// As [`waveform`].
pub(crate) fn waveforms(pieces: &[(&str, &Audio)]) -> Result<Picture> {
    let seconds = pieces.iter().map(|(_, audio)| audio.duration_seconds()).fold(0.0, f64::max);
    let lane = |(index, (_, audio)): (usize, &(&str, &Audio))| {
        let share = audio.duration_seconds() / seconds.max(1e-9);
        let columns = (COLUMNS as f64 * share).round().max(1.0) as usize;
        Lane {
            name: char::from(b'A' + (index % 26) as u8).to_string(),
            envelope: Envelope::of(&audio.to_mono().channels()[0], columns),
            color: theme::series(index),
        }
    };
    let lanes: Vec<_> = pieces.iter().take(MOST_CHANNELS).enumerate().map(lane).collect();
    let subject = format!("{} pieces on one time axis", pieces.len());
    Waveform { lanes, subject, start_seconds: 0.0, seconds }.picture()
}

const LEFT: i32 = 66;
const RIGHT_MARGIN: i32 = 14;
const GAP: i32 = 10;
const COLUMNS: usize = (theme::WIDTH_PX as i32 - LEFT - RIGHT_MARGIN) as usize;

struct Lane {
    name: String,
    envelope: Envelope,
    color: RGBColor,
}

struct Waveform {
    lanes: Vec<Lane>,
    /// What the lanes are, in words.
    subject: String,
    start_seconds: f64,
    seconds: f64,
}

impl Waveform {
    fn lane_height(&self) -> i32 {
        if self.lanes.len() == 1 { 130 } else { 84 }
    }
}

impl Drawing for Waveform {
    fn size(&self) -> (u32, u32) {
        let lanes = self.lanes.len() as i32;
        (theme::WIDTH_PX, (12 + lanes * (self.lane_height() + GAP) + 42) as u32)
    }

    fn description(&self) -> String {
        let peak = self.lanes.iter().map(|lane| lane.envelope.peak()).fold(0.0, f32::max);
        let (seconds, subject) = (self.seconds, &self.subject);
        let peak = if peak < 100.0 { format!("{peak:.2}") } else { compact(peak.into()) };
        format!("Waveform of {seconds:.1} seconds, {subject}, peak {peak} of 1.")
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let right = theme::WIDTH_PX as i32 - RIGHT_MARGIN;
        let end = self.start_seconds + self.seconds.max(1e-3);
        let time = Axis::time(self.start_seconds, end, 9);
        let mut frame = Frame { left: LEFT, right, top: 12, bottom: 12 };
        // Quiet pieces are shown larger: the axis says how much.
        let peak =
            self.lanes.iter().map(|lane| f64::from(lane.envelope.peak())).fold(0.0, f64::max);
        let steps = [0.05, 0.1, 0.25, 0.5, 1.0];
        let top = steps.into_iter().find(|top| *top >= peak).unwrap_or(peak);
        for lane in &self.lanes {
            frame.bottom = frame.top + self.lane_height();
            draw_lane(paper, frame, &time, lane, top)?;
            paper.upward_text(&lane.name, (f64::from(LEFT) - 58.0, frame.y(0.5)))?;
            frame.top = frame.bottom + GAP;
        }
        frame.top = frame.bottom;
        paper.horizontal_axis(frame, &time, false)
    }
}

fn draw_lane<DB: DrawingBackend>(
    paper: &Paper<'_, DB>,
    frame: Frame,
    time: &Axis,
    lane: &Lane,
    top: f64,
) -> Result<()> {
    let envelope = &lane.envelope;
    let ticks = if frame.height() < 100 { vec![0.0, top] } else { vec![-top, 0.0, top] };
    let ticks = ticks.into_iter().map(|v| (v, compact(v)));
    let level = Axis {
        scale: super::axes::Scale::Linear,
        low: -top,
        high: top,
        ticks: ticks.collect(),
        label: "",
    };
    for (value, _) in &time.ticks {
        let x = frame.x(time.fraction(*value));
        paper.line([(x, f64::from(frame.top)), (x, f64::from(frame.bottom))], theme::GRID, 1.0)?;
    }
    paper.vertical_axis(frame, &level, true)?;
    if envelope.peak() > 1.0 {
        let at = (f64::from(frame.right), f64::from(frame.top));
        paper.text("beyond ±1", (at.0 - 74.0, at.1 + 8.0), Anchor::CenterLeft, theme::SERIES[1])?;
    }
    let band = |low: &dyn Fn(usize) -> f32, high: &dyn Fn(usize) -> f32| {
        let columns = envelope.low.len();
        let x = |i: usize| f64::from(frame.left) + i as f64;
        let y = |v: f32| frame.y(level.fraction(f64::from(v)));
        // At least one pixel thick, so that silence is a line.
        let upper: Vec<_> =
            (0..columns).map(|i| (x(i), y(high(i)).min(frame.y(0.5) - 0.5))).collect();
        let lower = (0..columns).rev().map(|i| (x(i), y(low(i)).max(upper[i].1 + 1.0)));
        upper.iter().copied().chain(lower).collect::<Vec<_>>()
    };
    paper.polygon(band(&|i| envelope.low[i], &|i| envelope.high[i]), lane.color.mix(0.45))?;
    let within = |v: f32, i: usize| v.clamp(envelope.low[i], envelope.high[i]);
    paper.polygon(
        band(&|i| within(-envelope.rms[i], i), &|i| within(envelope.rms[i], i)),
        lane.color,
    )?;
    mark_clipping(paper, frame, &level, envelope)
}

fn mark_clipping<DB: DrawingBackend>(
    paper: &Paper<'_, DB>,
    frame: Frame,
    level: &Axis,
    envelope: &Envelope,
) -> Result<()> {
    for i in 0..envelope.low.len() {
        let x = f64::from(frame.left) + i as f64;
        for (beyond, from, to) in [
            (envelope.high[i] > 1.0, 1.0, envelope.high[i]),
            (envelope.low[i] < -1.0, envelope.low[i], -1.0),
        ] {
            if beyond {
                let y = |v: f32| frame.y(level.fraction(f64::from(v)));
                paper.line([(x, y(from)), (x, y(to))], theme::SERIES[1], 1.0)?;
            }
        }
    }
    Ok(())
}
