//! How a grid is counted: which of its points are beats, and where bars begin.

use super::metre_network::MetreNetwork;
use super::tracking::{Counted, SLOWEST_PER_MINUTE};

/// Points from one beat to the next.
const LONGEST_BEAT_POINTS: usize = 6;
/// Beats in a bar, and what such a metre costs: how unusual it is.
const METRES: [(usize, f32); 6] = [(2, 1.0), (3, 0.0), (4, 0.0), (5, 2.0), (6, 4.0), (7, 2.0)];
/// What it costs to count on otherwise than was counted so far: another level, metre or place.
const SLIP: f32 = 8.0;
/// No point is held for less likely to be something than this.
const LEAST: f32 = 1e-3;

/// A way of counting, and where in its bar one is.
#[derive(Clone, Copy)]
struct State {
    beat_points: usize,
    beats_in_bar: usize,
    /// Points since the bar began.
    point: usize,
}

impl State {
    /// Which beat of the bar is at this point.
    fn beat(&self) -> Option<usize> {
        self.point.is_multiple_of(self.beat_points).then_some(self.point / self.beat_points)
    }
}

/// The beats and bars that explain best what a [`MetreNetwork`] heard; `frames` are those of the points.
/// Beats are no slower than those that are sought frame by frame.
///
/// A hidden Markov model whose state is the way of counting and the place in its bar (Krebs et al. 2016 with
/// more than one level): a point after the other, and now and then a slip to any other state. What is
/// likeliest is found by Viterbi's algorithm.
pub(super) fn count(
    heard: &[[f32; MetreNetwork::KINDS]],
    frames: &[usize],
    hop_seconds: f64,
) -> Counted {
    if heard.is_empty() {
        return Counted::NONE;
    }
    let mut steps: Vec<usize> = frames.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    let step_seconds = steps.get(steps.len() / 2).map_or(0.0, |step| *step as f64 * hop_seconds);
    let is_too_slow =
        |beat_points: usize| step_seconds * beat_points as f64 > 60.0 / SLOWEST_PER_MINUTE;
    let mut states = Vec::new();
    let mut costs = Vec::new();
    for beat_points in (1..=LONGEST_BEAT_POINTS).filter(|count| *count == 1 || !is_too_slow(*count))
    {
        for (beats_in_bar, cost) in METRES {
            for point in 0..beat_points * beats_in_bar {
                states.push(State { beat_points, beats_in_bar, point });
                costs.push(cost);
            }
        }
    }
    // The state from which each is reached without a slip.
    let before: Vec<usize> = (0..states.len())
        .map(|state| match states[state] {
            State { point: 0, beat_points, beats_in_bar } => state + beat_points * beats_in_bar - 1,
            _ => state - 1,
        })
        .collect();
    let evidence = |state: &State, heard: &[f32; MetreNetwork::KINDS]| {
        let kind = state.beat().map_or(0, |beat| if beat == 0 { 2 } else { 1 });
        heard[kind].max(LEAST).ln()
    };
    let mut scores: Vec<f32> = costs.iter().map(|cost| -cost).collect();
    let mut came_from: Vec<Vec<u16>> = Vec::with_capacity(heard.len());
    for (number, point) in heard.iter().enumerate() {
        let best = largest(&scores);
        let (mut next, mut from) = (scores.clone(), Vec::with_capacity(states.len()));
        for (state, next) in next.iter_mut().enumerate() {
            let slipped = scores[best] - SLIP - costs[state];
            if number > 0 {
                let on = scores[before[state]];
                from.push(if slipped > on { best } else { before[state] } as u16);
                *next = on.max(slipped);
            }
            *next += evidence(&states[state], point);
        }
        scores = next;
        came_from.push(from);
    }
    let mut state = largest(&scores);
    let score = f64::from(scores[state]) / heard.len() as f64;
    let mut beats = Vec::new();
    let mut metres = [0; 8];
    for (point, frame) in frames.iter().enumerate().rev() {
        if let Some(place) = states[state].beat() {
            beats.push((*frame, place));
            metres[states[state].beats_in_bar] += 1;
        }
        if point > 0 {
            state = usize::from(came_from[point][state]);
        }
    }
    beats.reverse();
    let beats_in_bar = (2..metres.len()).max_by_key(|metre| metres[*metre]).unwrap_or(4);
    Counted { beats_in_bar, beats, score }
}

/// Where the first of the largest values is.
fn largest(values: &[f32]) -> usize {
    let is_larger = |best: usize, (place, value): (usize, &f32)| {
        if *value > values[best] { place } else { best }
    };
    values.iter().enumerate().fold(0, is_larger)
}
