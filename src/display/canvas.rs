//! What a user's drawing goes to: a bitmap or an SVG, by the same calls.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind,
};

/// A plotters backend whose coordinates are CSS pixels, whatever is behind it.
pub struct Canvas<'a> {
    sheet: Sheet<'a>,
    size: (u32, u32),
}

/// The area that a user draws on, the whole canvas.
pub type CanvasArea<'a> = DrawingArea<Canvas<'a>, Shift>;

enum Sheet<'a> {
    /// Some device pixels for each CSS pixel.
    Bitmap(Box<BitMapBackend<'a>>, i32),
    Vector(Box<SVGBackend<'a>>),
}

/// A drawing that failed, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CanvasError(String);

type Drawn = Result<(), DrawingErrorKind<CanvasError>>;

fn said<E: std::error::Error + Send + Sync>(
    error: DrawingErrorKind<E>,
) -> DrawingErrorKind<CanvasError> {
    match error {
        DrawingErrorKind::DrawingError(error) => {
            DrawingErrorKind::DrawingError(CanvasError(error.to_string()))
        }
        DrawingErrorKind::FontError(error) => DrawingErrorKind::FontError(error),
    }
}

impl<'a> Canvas<'a> {
    /// Draws into `pixels`, of three bytes each, with `density` of them for a CSS pixel.
    pub(super) fn bitmap(pixels: &'a mut [u8], size: (u32, u32), density: u32) -> Self {
        let backend = BitMapBackend::with_buffer(pixels, (size.0 * density, size.1 * density));
        Self { sheet: Sheet::Bitmap(Box::new(backend), density as i32), size }
    }

    /// Writes a drawing into `svg`.
    pub(super) fn vector(svg: &'a mut String, size: (u32, u32)) -> Self {
        Self { sheet: Sheet::Vector(Box::new(SVGBackend::with_string(svg, size))), size }
    }
}

/// A style whose lines are `scale` times as wide.
struct Scaled<'s, S> {
    style: &'s S,
    scale: i32,
}

impl<S: BackendStyle> BackendStyle for Scaled<'_, S> {
    fn color(&self) -> BackendColor {
        self.style.color()
    }

    fn stroke_width(&self) -> u32 {
        self.style.stroke_width() * self.scale as u32
    }
}

fn scaled((x, y): BackendCoord, scale: i32) -> BackendCoord {
    (x.saturating_mul(scale), y.saturating_mul(scale))
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = CanvasError;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, _) => sheet.ensure_prepared().map_err(said),
            Sheet::Vector(sheet) => sheet.ensure_prepared().map_err(said),
        }
    }

    fn present(&mut self) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, _) => sheet.present().map_err(said),
            Sheet::Vector(sheet) => sheet.present().map_err(said),
        }
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, scale) => {
                let (from, scale) = (scaled(at, *scale), *scale);
                let end = (from.0 + scale, from.1 + scale);
                sheet.draw_rect(from, end, &color, true).map_err(said)
            }
            Sheet::Vector(sheet) => sheet.draw_pixel(at, color).map_err(said),
        }
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        // As a path, which bitmaps draw with its width.
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, scale) if fill => {
                let scale = *scale;
                sheet.draw_rect(scaled(from, scale), scaled(to, scale), style, true).map_err(said)
            }
            Sheet::Bitmap(..) => {
                let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
                self.draw_path(corners, style)
            }
            Sheet::Vector(sheet) => sheet.draw_rect(from, to, style, fill).map_err(said),
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, scale) => {
                let scale = *scale;
                let path: Vec<_> = path.into_iter().map(|at| scaled(at, scale)).collect();
                sheet.draw_path(path, &Scaled { style, scale }).map_err(said)
            }
            Sheet::Vector(sheet) => sheet.draw_path(path, style).map_err(said),
        }
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, scale) => {
                let (center, radius) = (scaled(center, *scale), radius * *scale as u32);
                let style = Scaled { style, scale: *scale };
                sheet.draw_circle(center, radius, &style, fill).map_err(said)
            }
            Sheet::Vector(sheet) => sheet.draw_circle(center, radius, style, fill).map_err(said),
        }
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, scale) => {
                let scale = *scale;
                let corners: Vec<_> = corners.into_iter().map(|at| scaled(at, scale)).collect();
                sheet.fill_polygon(corners, style).map_err(said)
            }
            Sheet::Vector(sheet) => sheet.fill_polygon(corners, style).map_err(said),
        }
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(sheet, scale) => {
                let size = style.size() * f64::from(*scale);
                let font = FontDesc::new(style.family(), size, style.style());
                let font = font.transform(style.transform());
                let style = TextStyle { font, color: style.color(), pos: style.anchor() };
                sheet.draw_text(text, &style, scaled(at, *scale)).map_err(said)
            }
            Sheet::Vector(sheet) => sheet.draw_text(text, style, at).map_err(said),
        }
    }

    fn blit_bitmap(&mut self, at: BackendCoord, size: (u32, u32), source: &[u8]) -> Drawn {
        match &mut self.sheet {
            Sheet::Bitmap(..) => {
                for (index, pixel) in source.chunks_exact(3).enumerate() {
                    let (x, y) = (index as u32 % size.0.max(1), index as u32 / size.0.max(1));
                    let rgb = (pixel[0], pixel[1], pixel[2]);
                    let color = BackendColor { alpha: 1.0, rgb };
                    self.draw_pixel((at.0 + x as i32, at.1 + y as i32), color)?;
                }
                Ok(())
            }
            Sheet::Vector(sheet) => sheet.blit_bitmap(at, size, source).map_err(said),
        }
    }
}
