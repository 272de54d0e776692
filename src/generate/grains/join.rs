//! Placed grains as sound: runs of the songs joined with crossfades.

use super::placed::Placed;
use super::sounds::Sounds;
use super::steps::{self, Steps};
use crate::audio::Audio;
use crate::dataset::grains::{GrainPool, gain_db};
use crate::evaluate::{Join, Origin};
use crate::features::transposed;
use crate::{Error, Result, interrupt};
use std::collections::BTreeSet;

/// A crossfade, which ends where the new run begins: where something begins …
const FADE_SECONDS: f64 = 0.030;
/// … and where what sounds goes on, which it may do for longer where no beat is due.
const LONG_FADE_SECONDS: f64 = 0.250;
const LONG_FADE_WITHOUT_BEAT_SECONDS: f64 = 0.400;
/// Where the spectrum changes by less than the first of these multiples of what is usual between the
/// grains of a song, its sound goes on; above the second one something begins.
const GOES_ON: f32 = 1.0;
const BEGINS: f32 = 2.5;
/// How far the new run may be moved for its waves to meet those of the old one.
const ALIGN_SECONDS: f64 = 0.012;
/// How much before a join is compared in loudness.
const LEVEL_SECONDS: f64 = 0.100;
/// Sound that is kept around a run, for all of these; and more, for the phase vocoder to get going.
const MARGIN_SECONDS: f64 = 0.530;
const WARM_UP_SECONDS: f64 = 0.200;
/// How fast a correction fades away.
const RELAXING_SECONDS: f64 = 0.8;
/// How fast a piece begins that does not begin where its song does.
const FIRST_FADE_SECONDS: f64 = 0.015;
/// What a piece's peaks are held under.
const LARGEST_PEAK: f32 = 0.99;

/// A stretch of a song that is played as it is.
struct Run {
    song: usize,
    shift: i32,
    source_seconds: f64,
    at_seconds: f64,
    seconds: f64,
    /// How long it is faded in.
    fade_seconds: f64,
    /// Its sound with margins on both sides.
    clip: Vec<Vec<f32>>,
    /// The largest steps from one sample to the next in its song: more is heard as a click.
    most: Steps,
}

/// A piece of `seconds` from placed grains, and its joins, their songs numbered as in the pool.
pub(super) fn render(
    pool: &GrainPool,
    sounds: &mut Sounds,
    placed: &[Placed],
    seconds: f64,
) -> Result<(Audio, Vec<Join>)> {
    let mut runs = runs(pool, placed, seconds);
    let songs = pool.songs();
    let used = || runs.iter().map(|run| &songs[run.song]);
    let rate = used().map(|song| song.sample_rate_hz).max().unwrap_or(44_100);
    let channels = used().map(|song| song.channel_count).max().unwrap_or(1);
    fetch(sounds, &mut runs, rate, channels)?;
    let frames = (seconds * f64::from(rate)).round() as usize;
    let mut piece = Joiner::new(rate, channels, frames);
    for run in &runs {
        piece.join(run);
    }
    let from_the_middle = runs.first().is_some_and(|run| run.source_seconds > FIRST_FADE_SECONDS);
    let joins = runs.windows(2).map(|pair| join_of(&pair[0], &pair[1])).collect();
    Ok((piece.finish(from_the_middle)?, joins))
}

/// The jump from a run to the next one.
fn join_of(run: &Run, next: &Run) -> Join {
    let before = Origin { song: run.song, seconds: run.source_seconds + run.seconds };
    let after = Origin { song: next.song, seconds: next.source_seconds };
    Join { seconds: next.at_seconds, before, after }
}

/// Grains that follow each other in the song, together; each run lasts until the next begins.
fn runs(pool: &GrainPool, placed: &[Placed], seconds: f64) -> Vec<Run> {
    let usual: Vec<f32> = (0..pool.songs().len()).map(|song| pool.usual_change_db(song)).collect();
    let mut runs: Vec<Run> = Vec::new();
    let mut before = None;
    for place in placed {
        let grain = &pool.grains()[pool.grain_of(place.candidate)];
        let goes_on = before.is_some_and(|before| pool.next_of(before) == Some(place.candidate));
        match runs.last_mut() {
            Some(_) if goes_on => {}
            _ => runs.push(Run {
                song: grain.song,
                shift: pool.shift_of(place.candidate),
                source_seconds: grain.start_seconds,
                at_seconds: place.at_seconds,
                seconds: 0.0,
                fade_seconds: match before {
                    Some(_) => fade_seconds(pool, place.candidate, usual[grain.song]),
                    None => 0.0,
                },
                clip: Vec::new(),
                most: Steps::default(),
            }),
        }
        before = Some(place.candidate);
    }
    let mut end_seconds = seconds;
    for run in runs.iter_mut().rev() {
        run.seconds = (end_seconds - run.at_seconds).max(0.0);
        end_seconds = run.at_seconds;
    }
    runs
}

/// How long the crossfade to a candidate is: long where its song goes on there, when so much change is
/// `usual_db` in it, short where something begins. What leads into a beginning would be heard before it.
fn fade_seconds(pool: &GrainPool, to: usize, usual_db: f32) -> f64 {
    let change = pool.natural_change_db(to) / usual_db.max(f32::MIN_POSITIVE);
    let begins = ((change - GOES_ON) / (BEGINS - GOES_ON)).clamp(0.0, 1.0);
    let long = match pool.song_of(pool.grain_of(to)).beats_per_minute {
        Some(_) => LONG_FADE_SECONDS,
        None => LONG_FADE_WITHOUT_BEAT_SECONDS,
    };
    long + (FADE_SECONDS - long) * f64::from(begins)
}

/// Reads the sound of all runs, one song at a time.
fn fetch(sounds: &mut Sounds, runs: &mut [Run], rate: u32, channels: usize) -> Result<()> {
    let samples = |seconds: f64| (seconds * f64::from(rate)).round() as isize;
    let songs: BTreeSet<usize> = runs.iter().map(|run| run.song).collect();
    for song in songs {
        if interrupt::requested() {
            return Err(Error::Interrupted("before the piece was put together".into()));
        }
        let audio = sounds.at(song, rate)?;
        let most = Steps::of(audio.channels());
        for run in runs.iter_mut().filter(|run| run.song == song) {
            let warm_up = if run.shift == 0 { 0 } else { samples(WARM_UP_SECONDS) };
            let around = samples(MARGIN_SECONDS) + warm_up;
            let first = samples(run.source_seconds) - around;
            let count = samples(run.seconds) + 2 * around;
            let excerpt: Vec<Vec<f32>> = (0..channels)
                .map(|channel| {
                    // A mono song sounds from both sides.
                    let from = &audio.channels()[channel.min(audio.channel_count() - 1)];
                    let at = |i: isize| usize::try_from(i).ok().and_then(|i| from.get(i));
                    (first..first + count).map(|i| at(i).copied().unwrap_or(0.0)).collect()
                })
                .collect();
            let mut clip = transposed(&excerpt, rate, run.shift)?;
            for channel in &mut clip {
                let kept = channel.len() - warm_up as usize;
                channel.truncate(kept);
                channel.drain(..warm_up as usize);
            }
            // What is higher has larger steps.
            let room = Steps::of(&clip).room(most);
            if room < 1.0 {
                clip.iter_mut().flatten().for_each(|sample| *sample *= room);
            }
            (run.clip, run.most) = (clip, most);
        }
    }
    Ok(())
}

/// A piece while runs are joined to it.
struct Joiner<'a> {
    rate: f64,
    output: Vec<Vec<f32>>,
    frames: usize,
    /// The run that sounds, where its clip's first sample lies in the piece, and its gain.
    sounding: Option<(&'a Run, isize, Gain)>,
    /// The piece is written up to here.
    written: usize,
}

/// A correction of loudness that fades away.
#[derive(Clone, Copy)]
struct Gain {
    decibels: f32,
    since: isize,
}

impl Gain {
    fn at(self, sample: isize, rate: f64) -> f32 {
        let seconds = (sample - self.since).max(0) as f64 / rate;
        let decibels = self.decibels * (-seconds / RELAXING_SECONDS).exp() as f32;
        10f32.powf(decibels / 20.0)
    }
}

impl<'a> Joiner<'a> {
    fn new(rate: u32, channels: usize, frames: usize) -> Self {
        let output = vec![vec![0.0; frames]; channels];
        Self { rate: f64::from(rate), output, frames, sounding: None, written: 0 }
    }

    fn samples(&self, seconds: f64) -> isize {
        (seconds * self.rate).round() as isize
    }

    fn join(&mut self, run: &'a Run) {
        let begin = self.samples(run.at_seconds);
        let margin = self.samples(MARGIN_SECONDS);
        let Some((old, old_first, old_gain)) = self.sounding else {
            self.sounding = Some((run, begin - margin, Gain { decibels: 0.0, since: 0 }));
            return;
        };
        let fade = self.samples(run.fade_seconds).min(begin - self.written as isize).max(0);
        self.write_until((begin - fade).max(0) as usize);
        let first = self.aligned(old, old_first, run, begin, fade);
        let gain = self.matched(old, old_first, old_gain, run, first, begin);
        let likeness = likeness(old, begin - fade - old_first, run, begin - fade - first, fade);
        for at in begin - fade..begin.min(self.frames as isize) {
            let share = ((at - begin + fade) as f32 + 0.5) / fade as f32;
            let (rising, falling) = (share * std::f32::consts::FRAC_PI_2).sin_cos();
            let (rising, falling) = (rising * rising, falling * falling);
            // Waves that are alike add up in amplitude, others in power.
            let power = rising * rising + falling * falling + 2.0 * rising * falling * likeness;
            let scale = power.max(0.1).sqrt().recip();
            let old_scale = falling * scale * old_gain.at(at, self.rate);
            let new_scale = rising * scale * gain.at(at, self.rate);
            for (channel, output) in self.output.iter_mut().enumerate() {
                output[at as usize] = old_scale * sample(old, channel, at - old_first)
                    + new_scale * sample(run, channel, at - first);
            }
        }
        self.written = (begin.max(0) as usize).min(self.frames);
        let faded = (begin - fade).max(0) as usize..self.written;
        steps::soften(&mut self.output, faded, old.most.max(run.most));
        self.sounding = Some((run, first, gain));
    }

    /// Where the clip's first sample lies so that the waves of the two meet.
    fn aligned(&self, old: &Run, old_first: isize, run: &Run, begin: isize, fade: isize) -> isize {
        let usual = begin - self.samples(MARGIN_SECONDS);
        let reach = self.samples(ALIGN_SECONDS);
        let moved = |by: isize| {
            let first = usual + by;
            let alike = likeness(old, begin - fade - old_first, run, begin - fade - first, fade);
            // The beat is kept where moving gains little.
            alike - 0.15 * by.unsigned_abs() as f32 / reach.max(1) as f32
        };
        let step = (self.rate / 22_050.0).round().max(1.0) as isize;
        let coarse = (-reach..=reach).step_by(2 * step as usize);
        let best = |places: &mut dyn Iterator<Item = isize>| {
            let scored = places.map(|by| (moved(by), by));
            scored.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(0, |(_, by)| by)
        };
        let near = best(&mut coarse.into_iter());
        usual + best(&mut (near - 2 * step..=near + 2 * step))
    }

    /// The gain that makes what leads into the new run as loud as what sounds before it.
    fn matched(
        &self,
        old: &Run,
        old_first: isize,
        old_gain: Gain,
        run: &Run,
        first: isize,
        begin: isize,
    ) -> Gain {
        let length = self.samples(LEVEL_SECONDS);
        let level = |run: &Run, from: isize| {
            let squares: f32 = (0..run.clip.len())
                .flat_map(|channel| (from..from + length).map(move |at| sample(run, channel, at)))
                .map(|sample| sample * sample)
                .sum();
            10.0 * (squares / (length as f32 * run.clip.len() as f32)).max(1e-9).log10()
        };
        let before =
            level(old, begin - length - old_first) + 20.0 * old_gain.at(begin, self.rate).log10();
        let step = before - level(run, begin - length - first);
        let most = self.loudest(run, first, begin);
        Gain { decibels: gain_db(step).min(most), since: begin }
    }

    /// The most decibels that may be added to a run whose steps shall not be larger than its song's.
    fn loudest(&self, run: &Run, first: isize, begin: isize) -> f32 {
        let from = (begin - first - self.samples(run.fade_seconds)).max(0) as usize;
        let frames = run.clip.first().map_or(0, Vec::len);
        let most = (from + 1..frames).map(|at| {
            let seconds = (at as isize - 1 + first - begin).max(0) as f64 / self.rate;
            let relaxed = (seconds / RELAXING_SECONDS).exp() as f32;
            let in_channels = run.clip.iter().map(|channel| (channel[at] - channel[at - 1]).abs());
            let steps = Steps {
                channel: in_channels.fold(f32::MIN_POSITIVE, f32::max),
                mix: (steps::mix(&run.clip, at) - steps::mix(&run.clip, at - 1)).abs(),
            };
            20.0 * steps.room(run.most).log10().max(0.0) * relaxed
        });
        most.fold(f32::INFINITY, f32::min)
    }

    /// Writes the sounding run up to `end`.
    fn write_until(&mut self, end: usize) {
        let end = end.min(self.frames);
        if let Some((run, first, gain)) = self.sounding {
            for at in self.written..end {
                let scale = gain.at(at as isize, self.rate);
                for (channel, output) in self.output.iter_mut().enumerate() {
                    output[at] = scale * sample(run, channel, at as isize - first);
                }
            }
        }
        self.written = end.max(self.written);
    }

    fn finish(mut self, from_the_middle: bool) -> Result<Audio> {
        self.write_until(self.frames);
        if from_the_middle {
            let fade = (self.samples(FIRST_FADE_SECONDS) as usize).min(self.frames);
            for channel in &mut self.output {
                for (index, sample) in channel[..fade].iter_mut().enumerate() {
                    let done = (index as f32 + 0.5) / fade as f32;
                    *sample *= (done * std::f32::consts::FRAC_PI_2).sin();
                }
            }
        }
        let peak = self.output.iter().flatten().fold(0.0f32, |peak, s| peak.max(s.abs()));
        if peak > LARGEST_PEAK {
            let scale = LARGEST_PEAK / peak;
            self.output.iter_mut().flatten().for_each(|sample| *sample *= scale);
        }
        Audio::new(self.output, self.rate as u32)
    }
}

/// A sample of a run's clip; 0 outside.
fn sample(run: &Run, channel: usize, at: isize) -> f32 {
    usize::try_from(at).ok().and_then(|at| run.clip[channel].get(at)).copied().unwrap_or(0.0)
}

/// The correlation of two stretches of `length` samples, all channels together: 0 where they have
/// nothing in common or differ in sign.
fn likeness(a: &Run, a_from: isize, b: &Run, b_from: isize, length: isize) -> f32 {
    let stretch = |run: &'_ Run, channel: usize, from: isize| -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(from).ok()?;
        let end = from.checked_add(usize::try_from(length).ok()?)?;
        (end <= run.clip[channel].len()).then_some(from..end)
    };
    let (mut common, mut of_a, mut of_b) = (0.0f32, 0.0f32, 0.0f32);
    for channel in 0..a.clip.len() {
        let (Some(a_range), Some(b_range)) =
            (stretch(a, channel, a_from), stretch(b, channel, b_from))
        else {
            continue;
        };
        for (x, y) in a.clip[channel][a_range].iter().zip(&b.clip[channel][b_range]) {
            common += x * y;
            of_a += x * x;
            of_b += y * y;
        }
    }
    let scale = (of_a * of_b).sqrt();
    if scale > 1e-9 { (common / scale).max(0.0) } else { 0.0 }
}
