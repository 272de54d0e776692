//! Where beats and bars are, from how probable each frame is to be a beat and a downbeat.

use super::network::BeatProbabilities;
use crate::compute::elementwise::{Loop, vectorised};
use rayon::prelude::*;

/// Beats per minute considered, and the ratio of one tempo to the next.
pub(super) const SLOWEST_PER_MINUTE: f64 = 40.0;
const FASTEST_PER_MINUTE: f64 = 220.0;
const STEP: f64 = 1.025;
/// How much a change of the tempo from a beat to the next counts: its logarithm, times this; larger ones
/// than `LARGEST_CHANGE` are not looked for.
const TIGHTNESS: f64 = 25.0;
const LARGEST_CHANGE: f64 = 0.15;
/// Tempi so many octaves around the usual one are as good.
const USUAL_PER_MINUTE: f64 = 105.0;
const USUAL_OCTAVES: f64 = 0.3;
/// Added to the logarithm of the odds that a frame is a beat, or a downbeat: how readily one is believed.
const BELIEF_IN_BEATS: f64 = 2.0;
const BELIEF_IN_DOWNBEATS: f64 = 2.0;
/// The network learned with downbeats that counted twice as much as beats: so many times too likely are
/// the odds that a beat is one.
const DOWNBEAT_WEIGHT: f64 = 2.0;
/// No beat is surer than this to be a downbeat, nor surer not to be one.
const LEAST_SHARE: f64 = 0.02;
/// Beats in a bar, and what such a metre costs: how unusual it is.
const METRES: [(usize, f64); 6] = [(2, 4.0), (3, 2.0), (4, 0.0), (5, 6.0), (6, 4.0), (7, 6.0)];
/// A longer song is taken in parts of about so many frames, ten minutes, each with a metre of its own.
const FRAMES_AT_ONCE: usize = 37_500;

/// Beats of bars.
#[derive(Debug)]
pub(super) struct Counted {
    pub beats_in_bar: usize,
    /// Each beat's frame, and which beat of its bar it is, from 0.
    pub beats: Vec<(usize, usize)>,
    /// How well they explain what was heard: a logarithm, for each frame or point of it.
    pub score: f64,
}

impl Counted {
    /// No beats, which explain nothing.
    pub const NONE: Self = Self { beats_in_bar: 4, beats: Vec::new(), score: f64::NEG_INFINITY };
}

/// Tempi among which a beat is sought, in beats per minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct TempoRange {
    slowest: f64,
    fastest: f64,
    /// What a beat costs that is an octave further from the usual tempi.
    octave_cost: f64,
}

impl TempoRange {
    /// All, of which usual ones are likelier.
    pub const ALL: Self =
        Self { slowest: SLOWEST_PER_MINUTE, fastest: FASTEST_PER_MINUTE, octave_cost: 1.0 };
    /// An octave in parts that overlap, wide enough for rubato: where the likeliest of all tempi is 2/3
    /// or 4/3 of the one that was meant, this is the likeliest of its part.
    pub const PARTS: [Self; 3] = [
        Self { slowest: 78.0, fastest: 108.0, octave_cost: 0.0 },
        Self { slowest: 98.0, fastest: 134.0, octave_cost: 0.0 },
        Self { slowest: 122.0, fastest: 168.0, octave_cost: 0.0 },
    ];
}

/// The beats and bars at tempi of `range` that explain the probabilities best.
///
/// A hidden Markov model whose state is the place in the bar and the tempo, which may change at beats only
/// (the "bar pointer" of Whiteley, Cemgil and Godsill 2006, in the form of Krebs, Böck and Widmer, "An
/// efficient state-space model for joint tempo and meter tracking", 2015); of a model for each metre the
/// likeliest is taken, as Böck, Krebs and Widmer do ("Joint beat and downbeat tracking with recurrent neural
/// networks", 2016). Between two beats nothing is decided, so Viterbi's algorithm goes from beat to beat.
pub(super) fn count(heard: &BeatProbabilities, hop_seconds: f64, range: TempoRange) -> Counted {
    let frames = heard.beats.len();
    let tempi = Tempi::new(hop_seconds, range);
    if frames < 2 * tempi.periods[0] {
        return Counted::NONE;
    }
    let evidence = evidence(heard);
    let length = frames.div_ceil(frames.div_ceil(FRAMES_AT_ONCE));
    let mut metres = [0; 8];
    let (mut beats, mut score) = (Vec::new(), 0.0);
    for (part, evidence) in evidence.chunks(length).enumerate() {
        let (of_part, beats_in_bar, found) = likeliest(evidence, &tempi);
        score += of_part;
        metres[beats_in_bar] += found.len();
        for (frame, place) in found {
            let frame = part * length + frame;
            // The last beat of a part and the first of the next may be one.
            if beats.last().is_none_or(|(last, _)| last + tempi.periods[0] <= frame) {
                beats.push((frame, place));
            }
        }
    }
    let beats_in_bar = (2..metres.len()).max_by_key(|metre| metres[*metre]).unwrap_or(4);
    Counted { beats_in_bar, beats, score: score / frames as f64 }
}

/// What a frame says for a downbeat there, and for another beat: logarithms of odds.
struct Evidence {
    downbeat: f64,
    beat: f64,
}

fn evidence(heard: &BeatProbabilities) -> Vec<Evidence> {
    // A beat may be a frame beside the likeliest, at less.
    let near = |probabilities: &[f32], frame: usize| {
        let to = (frame + 2).min(probabilities.len());
        let around = probabilities[frame.saturating_sub(1)..to].iter().copied();
        f64::from(0.5 * (around.fold(0.0, f32::max) + probabilities[frame]))
    };
    (0..heard.beats.len())
        .map(|frame| {
            let beat = near(&heard.beats, frame).clamp(0.002, 0.97);
            let downbeat = near(&heard.downbeats, frame);
            let downbeat = downbeat / (downbeat + DOWNBEAT_WEIGHT * (1.0 - downbeat));
            let share = downbeat / beat;
            let share = share.clamp(LEAST_SHARE, 1.0 - LEAST_SHARE);
            let odds = (beat / (1.0 - beat)).ln();
            Evidence {
                downbeat: odds + share.ln() + BELIEF_IN_DOWNBEATS,
                beat: odds + (1.0 - share).ln() + BELIEF_IN_BEATS,
            }
        })
        .collect()
}

/// The tempi that are considered.
struct Tempi {
    /// Frames from beat to beat, rising.
    periods: Vec<usize>,
    /// What a beat at each tempo costs.
    costs: Vec<f64>,
    /// What it costs to come from the tempo so many places further, for every tempo at once and up to
    /// whole [`LANES`]; endless where there is none, or it is too far.
    changes: Vec<(isize, Vec<f64>)>,
}

impl Tempi {
    fn new(hop_seconds: f64, range: TempoRange) -> Self {
        let TempoRange { slowest, fastest, octave_cost } = range;
        let frames = |per_minute: f64| 60.0 / per_minute / hop_seconds;
        let steps = (fastest / slowest).ln() / STEP.ln();
        let mut periods: Vec<usize> = (0..=steps as i32)
            .map(|step| ((frames(fastest) * STEP.powi(step)).round() as usize).max(2))
            .collect();
        periods.dedup();
        let apart = |a: usize, b: usize| (a as f64 / b as f64).ln().abs();
        let change = |tempo: usize, places: isize| {
            let other = tempo.checked_add_signed(places).and_then(|other| periods.get(other));
            let change = periods.get(tempo).zip(other).map(|(tempo, other)| apart(*tempo, *other));
            change.filter(|change| *change <= LARGEST_CHANGE).map(|change| TIGHTNESS * change)
        };
        let reach = periods.len() as isize - 1;
        let changes = (-reach..=reach)
            .filter_map(|places| {
                let costs = (0..periods.len().next_multiple_of(LANES)).map(|to| change(to, places));
                let costs: Vec<_> = costs.collect();
                let is_near = costs.iter().any(Option::is_some);
                let endless = |cost: Option<f64>| cost.unwrap_or(f64::INFINITY);
                is_near.then(|| (places, costs.into_iter().map(endless).collect()))
            })
            .collect();
        let cost = |period: &usize| {
            let octaves = (frames(USUAL_PER_MINUTE) / *period as f64).log2().abs();
            octave_cost * (octaves - USUAL_OCTAVES).max(0.0).powi(2)
        };
        Self { changes, costs: periods.iter().map(cost).collect(), periods }
    }
}

/// The metre that explains the evidence best: its score, beats in a bar, and its beats.
fn likeliest(evidence: &[Evidence], tempi: &Tempi) -> (f64, usize, Vec<(usize, usize)>) {
    let paths: Vec<_> = METRES
        .par_iter()
        .map(|(beats_in_bar, cost)| {
            let (score, beats) = path(evidence, tempi, *beats_in_bar);
            (score - cost, *beats_in_bar, beats)
        })
        .collect();
    let best = paths.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    best.unwrap_or((f64::NEG_INFINITY, 4, Vec::new()))
}

/// The best path through bars of so many beats: its score, and its beats with their places.
fn path(evidence: &[Evidence], tempi: &Tempi, beats_in_bar: usize) -> (f64, Vec<(usize, usize)>) {
    let count = tempi.periods.len();
    // A state is a place in the bar, and the tempo of the beat that begins there.
    let states = beats_in_bar * count;
    let remembered = tempi.periods[count - 1] + 1;
    let mut scores = vec![f64::NEG_INFINITY; remembered * states];
    // The tempo of the beat before; none where the path begins.
    let mut before: Vec<Option<u8>> = vec![None; evidence.len() * states];
    // Those that arrive at each tempo, between as many that do not.
    let reach = tempi.changes.iter().map(|(places, _)| places.unsigned_abs()).max().unwrap_or(0);
    let lanes = count.next_multiple_of(LANES);
    let mut arriving = vec![f64::NEG_INFINITY; lanes + 2 * reach];
    let (mut best, mut from) = (vec![0.0; lanes], vec![0; lanes]);
    // Where the scores of the beat before are, for each tempo; nowhere before the song.
    let mut beat_before: Vec<Option<usize>> = vec![None; count];
    let mut last = (f64::NEG_INFINITY, 0, 0);
    for (frame, heard) in evidence.iter().enumerate() {
        let here = frame % remembered * states;
        for (tempo, (beat, period)) in beat_before.iter_mut().zip(&tempi.periods).enumerate() {
            let frame = frame.checked_sub(*period);
            *beat = frame.map(|frame| frame % remembered * states + tempo);
        }
        for place in 0..beats_in_bar {
            let place_before = (place + beats_in_bar - 1) % beats_in_bar;
            for (score, beat) in arriving[reach..][..count].iter_mut().zip(&beat_before) {
                *score = beat.map_or(f64::NEG_INFINITY, |beat| scores[beat + place_before * count]);
            }
            let evidence_here = if place == 0 { heard.downbeat } else { heard.beat };
            for (best, period) in best.iter_mut().zip(&tempi.periods) {
                // The song may begin anywhere within a beat.
                *best = if frame < *period { 0.0 } else { f64::NEG_INFINITY };
            }
            from.fill(NOWHERE);
            vectorised(Arrival {
                tempi,
                arriving: &arriving,
                reach,
                best: &mut best,
                from: &mut from,
            });
            for tempo in 0..count {
                let state = place * count + tempo;
                let score = best[tempo] + evidence_here - tempi.costs[tempo];
                scores[here + state] = score;
                before[frame * states + state] =
                    (from[tempo] != NOWHERE).then(|| (tempo as i64 + from[tempo]) as u8);
                // The last beat ends with the song or beyond it.
                if frame + tempi.periods[tempo] >= evidence.len() && score > last.0 {
                    last = (score, frame, state);
                }
            }
        }
    }
    let (score, mut frame, mut state) = last;
    let mut beats = vec![(frame, state / count)];
    while let Some(tempo) = before[frame * states + state] {
        frame -= tempi.periods[usize::from(tempo)];
        let place = (state / count + beats_in_bar - 1) % beats_in_bar;
        state = place * count + usize::from(tempo);
        beats.push((frame, place));
    }
    beats.reverse();
    (score, beats)
}

/// Tempi that are looked at together: as many as fit the widest instructions.
const LANES: usize = 8;

/// A path begins here: it came from no tempo.
const NOWHERE: i64 = i64::MAX;

/// Of the paths that arrive at a place, the best for each tempo of the next beat, and how many places
/// further the tempo is from which it comes.
struct Arrival<'a> {
    tempi: &'a Tempi,
    arriving: &'a [f64],
    reach: usize,
    best: &'a mut [f64],
    from: &'a mut [i64],
}

impl Loop for Arrival<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { tempi, arriving, reach, best, from } = self;
        let (bests, _) = best.as_chunks_mut::<LANES>();
        let (froms, _) = from.as_chunks_mut::<LANES>();
        for (chunk, (all_best, all_from)) in bests.iter_mut().zip(froms).enumerate() {
            let first = chunk * LANES;
            let (mut best, mut from) = (*all_best, *all_from);
            for (places, costs) in &tempi.changes {
                let arriving = &arriving[reach.saturating_add_signed(*places) + first..][..LANES];
                let costs = &costs[first..][..LANES];
                for lane in 0..LANES {
                    let score = arriving[lane] - costs[lane];
                    let is_better = score > best[lane];
                    best[lane] = if is_better { score } else { best[lane] };
                    from[lane] = if is_better { *places as i64 } else { from[lane] };
                }
            }
            (*all_best, *all_from) = (best, from);
        }
    }
}
