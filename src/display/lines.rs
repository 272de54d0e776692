//! Series of numbers as lines in pixels.

use super::axes::{Axis, Frame, Scale};
use super::theme;
use plotters::style::IntoFont;

/// Connected lines in pixels through points whose second number may be missing or not finite, which
/// leaves a gap.
///
/// There are at most two points per pixel column, the extremes, so that a run of a million epochs
/// costs no more than one of a thousand.
pub(super) fn pieces(
    points: impl IntoIterator<Item = (f64, Option<f64>)>,
    frame: Frame,
    horizontal: &Axis,
    vertical: &Axis,
) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = vec![vec![]];
    let can_be_drawn = |v: &f64| v.is_finite() && (vertical.scale != Scale::Log || *v > 0.0);
    for (at, value) in points {
        let place = value.filter(can_be_drawn).map(|v| {
            let x = frame.x(horizontal.fraction(at));
            (x, frame.y(vertical.fraction(v).clamp(0.0, 1.0)))
        });
        match place {
            Some(place) => {
                if let Some(piece) = pieces.last_mut() {
                    push_thinned(piece, place);
                }
            }
            None => pieces.push(vec![]),
        }
    }
    // A lone point would be invisible as a line.
    for piece in &mut pieces {
        if let [(x, y)] = piece[..] {
            piece.push((x + 1.0, y));
        }
    }
    pieces.retain(|p| !p.is_empty());
    pieces
}

fn push_thinned(piece: &mut Vec<(f64, f64)>, place: (f64, f64)) {
    let column = |p: &(f64, f64)| (p.0 * 2.0).round();
    match piece.as_mut_slice() {
        [.., a, b] if column(a) == column(&place) && column(b) == column(&place) => {
            let (low, high) = (a.1.min(b.1).min(place.1), a.1.max(b.1).max(place.1));
            (a.1, b.1) = if a.1 <= b.1 { (low, high) } else { (high, low) };
        }
        _ => piece.push(place),
    }
}

/// How wide a label is, in CSS pixels.
pub(super) fn text_width(text: &str) -> f64 {
    (theme::FONT, 15.0)
        .into_font()
        .box_size(text)
        .map_or(text.chars().count() as f64 * 7.0, |(width, _)| f64::from(width))
}
