//! One look for every picture: an embedded font, few colours, sizes for a notebook's width.

use crate::{Error, Result};
use plotters::style::{FontStyle, RGBColor, register_font};
use std::sync::OnceLock;

/// Width of a picture in CSS pixels: fits the output column of a notebook.
pub const WIDTH_PX: u32 = 860;

/// Paper.
pub(crate) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// Secondary text.
pub(crate) const MUTED: RGBColor = RGBColor(0x6b, 0x6b, 0x6b);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Series colours that colour-blind readers can tell apart (M. Okabe and K. Ito, "Color Universal
/// Design", 2008); the palest of their eight is left out, it vanishes on white.
pub(crate) const SERIES: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

/// The colour of the `index`-th series; they repeat after six.
pub(crate) fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

/// The family name that pictures use; in bitmaps it is the embedded font, in SVG the viewer's own.
pub(crate) const FONT: &str = "sans-serif";

/// Makes the embedded font known to plotters, once per process: bitmaps then look the same on a
/// machine without any font.
pub(crate) fn prepare_font() -> Result<()> {
    static READY: OnceLock<bool> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        // Other styles of a family fall back to its normal one.
        [FONT, "serif", "monospace"].into_iter().all(|family| {
            register_font(family, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT).is_ok()
        })
    });
    if *ready { Ok(()) } else { Err(Error::Picture("the embedded font is damaged".into())) }
}

/// Whether the embedded font surely has every character: printable Latin-1. Other text (a title in
/// another script, an emoji) belongs into the HTML around a picture, not into the bitmap.
pub(crate) fn font_can_show(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~' | '\u{a1}'..='\u{ff}'))
}
