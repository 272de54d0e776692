//! Pictures of the user's own: drawn with plotters, or made elsewhere.

use super::canvas::{Canvas, CanvasArea};
use super::picture::{Picture, encode};
use super::theme;
use crate::words::shown;
use crate::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use plotters::prelude::IntoDrawingArea;
use std::path::Path;

/// Device pixels for a CSS pixel in the bitmap of a drawing.
const DENSITY: u32 = 2;

/// A side of a picture is at most so many pixels long.
const LONGEST_PX: u32 = 8_192;

/// The size of an SVG drawing that tells none.
const USUAL_SIZE: (u32, u32) = (theme::WIDTH_PX, 400);

impl Picture {
    /// A drawing of `width_px` × `height_px` CSS pixels, made with plotters.
    ///
    /// `draw` is called twice, for the bitmap and for the vector drawing. The embedded font is there
    /// under the names "sans-serif", "serif" and "monospace".
    ///
    /// ```
    /// use neural_composer::{plotters::prelude::*, prelude::*};
    /// let picture = Picture::draw(640, 320, |paper| {
    ///     paper.fill(&WHITE)?;
    ///     let mut chart = ChartBuilder::on(paper)
    ///         .margin(10)
    ///         .x_label_area_size(30)
    ///         .y_label_area_size(40)
    ///         .build_cartesian_2d(0.0..6.3, -1.0..1.0)?;
    ///     chart.configure_mesh().draw()?;
    ///     let curve = (0..=63).map(|i| (i as f64 / 10.0, (i as f64 / 10.0).sin()));
    ///     chart.draw_series(LineSeries::new(curve, &BLUE))?;
    ///     Ok(())
    /// })?;
    /// picture.described("One turn of a sine.").show();
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a side of 0 or more than 8,192 pixels; [`Error::Picture`] with what
    /// `draw` reports.
    pub fn draw(
        width_px: u32,
        height_px: u32,
        draw: impl Fn(&CanvasArea<'_>) -> Result<(), Box<dyn std::error::Error>>,
    ) -> Result<Self> {
        for (name, side) in [("width_px", width_px), ("height_px", height_px)] {
            if !(1..=LONGEST_PX).contains(&side) {
                return Err(Error::argument(name, format!("1 to {LONGEST_PX} pixels"), side));
            }
        }
        theme::prepare_font()?;
        let size = (width_px, height_px);
        let (width, height) = (width_px * DENSITY, height_px * DENSITY);
        let mut pixels = vec![0xff; (width * height * 3) as usize];
        on(Canvas::bitmap(&mut pixels, size, DENSITY), &draw)?;
        let mut svg = String::new();
        on(Canvas::vector(&mut svg, size), &draw)?;
        Ok(Self::own(size, encode(&pixels, width, height)?, svg, "A drawing"))
    }

    /// A picture from the bytes of a PNG file.
    ///
    /// # Errors
    /// [`Error::Picture`] for bytes that are no PNG file, or a damaged one.
    pub fn from_png(bytes: impl AsRef<[u8]>) -> Result<Self> {
        Self::from_png_bytes(bytes.as_ref())
    }

    fn from_png_bytes(bytes: &[u8]) -> Result<Self> {
        let refused = |error: png::DecodingError| {
            Error::Picture(format!(
                "expected the bytes of a PNG file, found something else: {error}"
            ))
        };
        let mut reader = png::Decoder::new(bytes).read_info().map_err(refused)?;
        let size = (reader.info().width, reader.info().height);
        if size.0.max(size.1) > LONGEST_PX {
            return Err(Error::Picture(format!(
                "expected sides of at most {LONGEST_PX} pixels, found {} × {}: make it smaller",
                size.0, size.1
            )));
        }
        let mut pixels = vec![0; reader.output_buffer_size()];
        reader.next_frame(&mut pixels).map_err(refused)?;
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" \
             viewBox=\"0 0 {0} {1}\"><image width=\"{0}\" height=\"{1}\" \
             href=\"data:image/png;base64,{2}\"/></svg>",
            size.0,
            size.1,
            BASE64.encode(bytes)
        );
        Ok(Self::own(size, bytes.to_vec(), svg, "A picture"))
    }

    /// A picture from the text of an SVG drawing.
    ///
    /// It is shown as an image: scripts in it do not run, and nothing that it names is loaded. There is
    /// no bitmap of it.
    ///
    /// # Errors
    /// [`Error::Picture`] for text that is no SVG drawing.
    pub fn from_svg(text: &str) -> Result<Self> {
        let (svg, size) = super::svg::checked(text)?;
        let size = size.unwrap_or(USUAL_SIZE);
        Ok(Self::own(size, Vec::new(), svg, "A drawing"))
    }

    /// A picture from a PNG or SVG file; what is inside decides, not the name.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Picture`] when it is neither.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(path.as_ref())
    }

    fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read the picture"))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let picture = match std::str::from_utf8(&bytes) {
            _ if bytes.starts_with(b"\x89PNG") => Self::from_png(bytes),
            Ok(text) if text.contains("<svg") => Self::from_svg(text),
            _ => Err(Error::Picture(format!(
                "{}: expected a PNG or SVG file, found neither",
                shown(path)
            ))),
        };
        Ok(picture?.described(&name))
    }

    /// Sets what the picture shows, in words: the text for readers who cannot see it.
    pub fn described(mut self, words: &str) -> Self {
        words.clone_into(&mut self.description);
        self
    }

    fn own((width_px, height_px): (u32, u32), png: Vec<u8>, svg: String, what: &str) -> Self {
        let description = format!("{what} of {width_px} × {height_px} pixels.");
        Self { width_px, height_px, png, svg, description, follows_theme: false }
    }

    /// The picture as an address that an image element can have.
    pub(super) fn address(&self) -> String {
        match self.png.is_empty() {
            true => format!("data:image/svg+xml;base64,{}", BASE64.encode(&self.svg)),
            false => format!("data:image/png;base64,{}", self.png_base64()),
        }
    }

    /// The still form for readers without HTML, with its MIME type; none for a drawing that holds more
    /// than shapes and words, because some readers would run it.
    pub(super) fn still(&self) -> Option<(&'static str, String)> {
        match self.png.is_empty() {
            false => Some(("image/png", self.png_base64())),
            true if super::svg::is_still(&self.svg) => Some(("image/svg+xml", self.svg.clone())),
            true => None,
        }
    }
}

/// Draws on a fresh canvas.
fn on(
    canvas: Canvas<'_>,
    draw: &impl Fn(&CanvasArea<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<()> {
    let area = canvas.into_drawing_area();
    draw(&area).map_err(|error| Error::Picture(error.to_string()))?;
    area.present().map_err(|error| Error::Picture(error.to_string()))
}
