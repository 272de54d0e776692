use super::axes::{Anchor, Axis, Frame, Paper};
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
    let lanes = audio.channel_count().min(MOST_CHANNELS);
    let columns = (theme::WIDTH_PX as i32 - LEFT - RIGHT_MARGIN) as usize;
    let envelopes = audio.channels()[..lanes].iter().map(|c| Envelope::of(c, columns)).collect();
    Waveform {
        envelopes,
        channels: audio.channel_count(),
        start_seconds,
        seconds: audio.duration_seconds(),
    }
    .picture()
}

const LEFT: i32 = 66;
const RIGHT_MARGIN: i32 = 14;

struct Waveform {
    envelopes: Vec<Envelope>,
    channels: usize,
    start_seconds: f64,
    seconds: f64,
}

impl Waveform {
    fn lane_height(&self) -> i32 {
        if self.envelopes.len() == 1 { 130 } else { 84 }
    }
}

impl Drawing for Waveform {
    fn size(&self) -> (u32, u32) {
        let lanes = self.envelopes.len() as i32;
        (theme::WIDTH_PX, (12 + lanes * (self.lane_height() + 8) + 42) as u32)
    }

    fn description(&self) -> String {
        let peak = self.envelopes.iter().map(Envelope::peak).fold(0.0, f32::max);
        let channels = match self.channels {
            1 => "one channel".to_owned(),
            n if n > self.envelopes.len() => {
                format!("the first {} of {n} channels", self.envelopes.len())
            }
            n => format!("{n} channels"),
        };
        format!("Waveform of {:.1} seconds, {channels}, peak {peak:.2} of 1.", self.seconds)
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()> {
        let right = theme::WIDTH_PX as i32 - RIGHT_MARGIN;
        let end = self.start_seconds + self.seconds.max(1e-3);
        let time = Axis::time(self.start_seconds, end, 9);
        let mut frame = Frame { left: LEFT, right, top: 12, bottom: 12 };
        for (channel, envelope) in self.envelopes.iter().enumerate() {
            frame.bottom = frame.top + self.lane_height();
            draw_lane(paper, frame, &time, envelope)?;
            if self.envelopes.len() > 1 {
                let name = match (self.channels, channel) {
                    (2, 0) => "left".to_owned(),
                    (2, 1) => "right".to_owned(),
                    _ => (channel + 1).to_string(),
                };
                paper.upward_text(&name, (f64::from(LEFT) - 58.0, frame.y(0.5)))?;
            }
            frame.top = frame.bottom + 8;
        }
        frame.top = frame.bottom;
        paper.horizontal_axis(frame, &time, false)
    }
}

fn draw_lane<DB: DrawingBackend>(
    paper: &Paper<'_, DB>,
    frame: Frame,
    time: &Axis,
    envelope: &Envelope,
) -> Result<()> {
    // Quiet pieces are shown larger: the axis says how much.
    let top = [0.05, 0.1, 0.25, 0.5, 1.0]
        .into_iter()
        .find(|top| *top >= f64::from(envelope.peak()))
        .unwrap_or_else(|| f64::from(envelope.peak()));
    let ticks = [-top, 0.0, top].map(|v| (v, super::axes::compact(v)));
    let level = Axis {
        scale: super::axes::Scale::Linear,
        low: -top,
        high: top,
        ticks: ticks.to_vec(),
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
    paper.polygon(band(&|i| envelope.low[i], &|i| envelope.high[i]), theme::PEAK)?;
    let within = |v: f32, i: usize| v.clamp(envelope.low[i], envelope.high[i]);
    paper.polygon(
        band(&|i| within(-envelope.rms[i], i), &|i| within(envelope.rms[i], i)),
        theme::SERIES[0],
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
