//! Plain text for consoles: small pictures in Unicode, times, sizes.

use crate::words;
use indicatif::HumanCount;

/// Text from a file made safe for a terminal and for evcxr: control characters (which could move
/// the cursor, change colours or turn the reading direction) become `�`, and evcxr's own marker words
/// are broken up.
pub fn clean(text: &str) -> String {
    let text: String = text.chars().map(visible).collect();
    text.replace("EVCXR_", "EVCXR\u{2060}_")
}

/// The character, or `�` for one that controls how others are shown. Letters of languages written
/// from right to left need no such control.
pub(super) fn visible(c: char) -> char {
    if words::controls(c) && c != '\n' && c != '\t' { '\u{fffd}' } else { c }
}

/// A time as minutes and seconds, `3:05`, or hours, `1:02:03`.
pub fn clock(seconds: f64) -> String {
    let whole = if seconds.is_finite() { seconds.max(0.0).round() as u64 } else { 0 };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A duration in words, `4.2 s`, `3 min 5 s`, `2 h 10 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".into();
    }
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..=59 if seconds < 9.95 => format!("{:.1} s", seconds.max(0.0)),
        0..=59 => format!("{whole} s"),
        60..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// A size in bytes as a person reads it, `1.4 MB` (powers of ten).
pub fn size(bytes: u64) -> String {
    match bytes {
        0..=999 => format!("{bytes} bytes"),
        1_000..=999_999 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..=999_999_999 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A whole number with thin groups of three, `1 234 567`.
pub fn count(number: u64) -> String {
    HumanCount(number).to_string().replace(',', "\u{202f}")
}

/// Values as a row of bars, the highest filling its line: `▁▃▇▅`. Values below `low` are empty.
pub fn sparkline(values: &[f32], low: f32, high: f32) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    values
        .iter()
        .map(|v| {
            let share = if high > low { (v - low) / (high - low) } else { 0.0 };
            let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
            BARS[(share * 8.0).round() as usize]
        })
        .collect()
}
