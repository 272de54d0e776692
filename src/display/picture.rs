//! A drawn picture in both its forms, bitmap and vector.

use super::axes::{Frame, Paper};
use super::theme;
use crate::words::shown;
use crate::{Error, Result, atomic_file};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use plotters::prelude::*;
use std::io::Write;
use std::path::Path;

/// A picture as PNG and as SVG, with the sentence that stands in for it where it cannot be seen.
///
/// The crate's own pictures hold only its own words and characters of the embedded font; titles and
/// file names belong into the text around them. Your own come from [`draw`](Self::draw),
/// [`from_png`](Self::from_png), [`from_svg`](Self::from_svg) and [`open`](Self::open).
#[derive(Clone)]
pub struct Picture {
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    pub(super) png: Vec<u8>,
    pub(super) svg: String,
    pub(super) description: String,
    /// Whether its colours are the crate's own, which follow the page's theme.
    pub(super) follows_theme: bool,
}

impl Picture {
    /// Width in CSS pixels; a PNG of lines has twice as many.
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Height in CSS pixels; a PNG of lines has twice as many.
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// The bitmap, a PNG file; empty where [`from_svg`](Self::from_svg) made the picture, which only a
    /// browser can draw.
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// The vector drawing, an SVG file that stands alone.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// What the picture shows, in words: the alternative text. Not yet escaped for HTML.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Writes it to `path`, whole or not at all: as SVG where the name ends so, otherwise as PNG.
    ///
    /// ```
    /// use neural_composer::prelude::*;
    /// let folder = tempfile::tempdir().unwrap();
    /// let picture = chart(&[3.0, 2.0, 1.5]).picture()?;
    /// picture.save(folder.path().join("loss.svg"))?;
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; [`Error::Argument`] for a PNG of a picture that
    /// only has a vector drawing.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_to(path.as_ref())
    }

    fn save_to(&self, path: &Path) -> Result<()> {
        let ending = path.extension();
        let bytes = match ending.is_some_and(|ending| ending.eq_ignore_ascii_case("svg")) {
            true => self.svg.as_bytes(),
            false => &self.png,
        };
        if bytes.is_empty() {
            let expected = "a name that ends in .svg: there is no bitmap of this picture";
            return Err(Error::argument("path", expected, shown(path)));
        }
        atomic_file::write(path, |file| {
            file.write_all(bytes).map_err(Error::io(path, "write the picture"))
        })
    }

    /// The bitmap in base64, as Jupyter carries it.
    pub fn png_base64(&self) -> String {
        BASE64.encode(&self.png)
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} × {}, {:?})", self.width_px, self.height_px, self.description)
    }
}

/// Colours with a place: what no vector drawing expresses well, a spectrogram's cells for example.
#[derive(Clone)]
pub(crate) struct Raster {
    pub frame: Frame,
    pub columns: usize,
    pub rows: usize,
    /// Index into `palette`, row by row from the top.
    pub cells: Vec<u8>,
    /// At most 256 colours.
    pub palette: Vec<[u8; 3]>,
    /// Whether the first colour is paper, through which the page shows.
    pub on_paper: bool,
}

impl Raster {
    /// One byte per cell and a palette: a third of the size of true colour.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        let (columns, rows) = (self.columns.max(1) as u32, self.rows.max(1) as u32);
        let mut encoder = png::Encoder::new(&mut file, columns, rows);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(self.palette.concat());
        if self.on_paper {
            encoder.set_trns(vec![0]);
        }
        encoder.set_compression(png::Compression::Default);
        let mut writer = encoder.write_header().map_err(not_encoded)?;
        writer.write_image_data(&self.cells).map_err(not_encoded)?;
        writer.finish().map_err(not_encoded)?;
        Ok(file)
    }
}

pub(super) fn not_encoded(error: png::EncodingError) -> Error {
    Error::Picture(error.to_string())
}

/// What a chart has to say to be drawn on both backends.
pub(crate) trait Drawing {
    /// Width and height in CSS pixels.
    fn size(&self) -> (u32, u32);

    /// The alternative text.
    fn description(&self) -> String;

    /// Device pixels per CSS pixel in the bitmap: 2 keeps lines crisp on dense screens, 1 keeps a
    /// picture of many colours small.
    fn density(&self) -> u32 {
        2
    }

    /// Coloured cells that lie under everything `draw` puts down.
    fn rasters(&self) -> Vec<Raster> {
        Vec::new()
    }

    fn draw<DB: DrawingBackend>(&self, paper: &Paper<'_, DB>) -> Result<()>;

    fn picture(&self) -> Result<Picture> {
        theme::prepare_font()?;
        let (width_px, height_px) = self.size();
        let rasters = self.rasters();
        Ok(Picture {
            width_px,
            height_px,
            png: self.draw_bitmap(&rasters)?,
            svg: self.draw_vector(&rasters)?,
            description: self.description(),
            follows_theme: true,
        })
    }

    fn draw_bitmap(&self, rasters: &[Raster]) -> Result<Vec<u8>> {
        let (width, height) = self.size();
        let (width, height) = (width * self.density(), height * self.density());
        let mut pixels = vec![0xff; (width * height * 3) as usize];
        for raster in rasters {
            paint_cells(&mut pixels, width, raster, self.density());
        }
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
            self.draw(&Paper { area: &area, scale: f64::from(self.density()) })?;
            area.present().map_err(|e| Error::Picture(e.to_string()))?;
        }
        encode(&pixels, width, height)
    }

    fn draw_vector(&self, rasters: &[Raster]) -> Result<String> {
        let mut svg = String::new();
        let size = self.size();
        {
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&theme::PAPER).map_err(|e| Error::Picture(e.to_string()))?;
            self.draw(&Paper { area: &area, scale: 1.0 })?;
            area.present().map_err(|e| Error::Picture(e.to_string()))?;
        }
        // Behind the drawing, which starts after the background rectangle.
        let background = svg.match_indices("/>").next().map_or(svg.len(), |(at, _)| at + 2);
        let images: Result<Vec<String>> = rasters.iter().map(svg_image).collect();
        svg.insert_str(background, &images?.concat());
        Ok(svg)
    }
}

fn paint_cells(pixels: &mut [u8], width: u32, raster: &Raster, density: u32) {
    let frame = raster.frame;
    let scale = density as i32;
    let (columns, rows) = ((frame.width() * scale) as usize, (frame.height() * scale) as usize);
    for y in 0..rows {
        let row = y * raster.rows / rows;
        for x in 0..columns {
            let column = x * raster.columns / columns;
            let color = raster.palette[usize::from(raster.cells[row * raster.columns + column])];
            let (px, py) = ((frame.left * scale) as usize + x, (frame.top * scale) as usize + y);
            let at = (py * width as usize + px) * 3;
            pixels[at..at + 3].copy_from_slice(&color);
        }
    }
}

fn svg_image(raster: &Raster) -> Result<String> {
    let frame = raster.frame;
    Ok(format!(
        "\n<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
         style=\"image-rendering:auto\" href=\"data:image/png;base64,{}\"/>",
        frame.left,
        frame.top,
        frame.width(),
        frame.height(),
        BASE64.encode(raster.png()?)
    ))
}

/// PNG with a palette where 256 colours suffice (most charts), in true colour otherwise.
pub(super) fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Default);
    let indexed = index_colors(pixels);
    let data = match &indexed {
        Some((palette, cells)) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(palette.concat());
            cells.as_slice()
        }
        None => {
            encoder.set_color(png::ColorType::Rgb);
            pixels
        }
    };
    let mut writer = encoder.write_header().map_err(not_encoded)?;
    writer.write_image_data(data).map_err(not_encoded)?;
    writer.finish().map_err(not_encoded)?;
    Ok(file)
}

/// Palette and cell indices, or nothing when there are more than 256 colours. Greys are rounded to
/// 32 steps first: the soft edges of letters need no more.
fn index_colors(pixels: &[u8]) -> Option<(Vec<[u8; 3]>, Vec<u8>)> {
    let mut palette: Vec<[u8; 3]> = Vec::new();
    let mut known = std::collections::HashMap::new();
    let mut cells = Vec::with_capacity(pixels.len() / 3);
    let mut last = None;
    for pixel in pixels.chunks_exact(3) {
        let mut color = [pixel[0], pixel[1], pixel[2]];
        if color[0] == color[1] && color[1] == color[2] {
            color = [(u32::from(color[0]) * 31 / 255 * 255 / 31) as u8; 3];
        }
        let index = match last {
            Some((same, index)) if same == color => index,
            _ => match known.get(&color) {
                Some(index) => *index,
                None => {
                    let index = u8::try_from(palette.len()).ok()?;
                    palette.push(color);
                    known.insert(color, index);
                    index
                }
            },
        };
        last = Some((color, index));
        cells.push(index);
    }
    Some((palette, cells))
}
