//! A display in all its forms: HTML, picture, text.

use super::html;
use super::output::{Destination, Output};
use super::picture::Picture;
use super::plain;
use super::protocol::{Event, Operation};
use std::collections::BTreeMap;

/// What one display carries: HTML for the notebook, a still picture for readers without scripts or
/// styles, plain text for consoles. A front end picks the richest form it can show.
#[derive(Clone)]
pub struct Bundle {
    html: String,
    picture: Option<Picture>,
    plain: String,
    metadata: serde_json::Map<String, serde_json::Value>,
}

impl Bundle {
    /// `html` is the body (escaped, self-contained), which gets the shared style; `plain` may hold
    /// text from files, it is made safe for terminals here.
    pub fn new(html: &str, picture: Option<Picture>, plain: &str) -> Self {
        Self {
            html: html::page(html),
            picture,
            plain: plain::clean(plain.trim_end()),
            metadata: serde_json::Map::new(),
        }
    }

    /// A picture below a title. The title may be any text; nothing is shown for an empty one.
    pub fn from_picture(title: &str, picture: Picture, plain: &str) -> Self {
        let caption = (!title.is_empty()).then(|| html::isolated(title));
        let figure = html::figure(&picture, caption.as_deref());
        Self::new(&figure, Some(picture), plain)
    }

    /// Text alone.
    pub fn from_text(text: &str) -> Self {
        Self::new(&format!("<pre>{}</pre>", html::escape(text)), None, text)
    }

    /// The HTML form.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// The still picture, where there is one.
    pub fn picture(&self) -> Option<&Picture> {
        self.picture.as_ref()
    }

    /// The plain text form.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// MIME type to content, as Jupyter has it: `text/plain`, `text/html` and `image/png` (base64), or
    /// `image/svg+xml` for a picture that is only a drawing.
    pub fn data(&self) -> BTreeMap<String, String> {
        let mut data = BTreeMap::from([
            ("text/plain".to_owned(), self.plain.clone()),
            ("text/html".to_owned(), self.html.clone()),
        ]);
        if let Some((mime, content)) = self.picture.as_ref().and_then(Picture::still) {
            data.insert(mime.to_owned(), content);
        }
        data
    }

    /// Jupyter's metadata: the size of the picture.
    pub fn metadata(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut metadata = self.metadata.clone();
        if let Some(picture) = self.picture.as_ref().filter(|picture| !picture.png().is_empty()) {
            let size = serde_json::json!(
                { "width": picture.width_px(), "height": picture.height_px() }
            );
            metadata.insert("image/png".to_owned(), size);
        }
        metadata
    }

    /// The event that shows or updates this bundle under our own kernel.
    pub fn event(&self, op: Operation, id: Option<String>) -> Event {
        Event { op, id, data: self.data(), metadata: self.metadata() }
    }

    /// Shows the bundle wherever the program's output goes: in the notebook, or as plain text.
    pub fn emit(&self) {
        self.emit_to(&mut Output::new());
    }

    /// Shows the bundle through `output`.
    pub fn emit_to(&self, output: &mut Output) {
        match output.destination() {
            Destination::OwnKernel => {
                output.write(&self.event(Operation::Display, None).to_line());
            }
            Destination::Evcxr => output.write(&self.evcxr_content()),
            Destination::Terminal | Destination::File => {
                output.write(&format!("{}\n", self.plain));
            }
        }
    }

    /// The blocks that evcxr turns into the cell's result.
    pub(crate) fn evcxr_content(&self) -> String {
        let mut text = String::new();
        for (mime, content) in self.data() {
            text += &format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n");
        }
        text
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = self.plain.lines().next().unwrap_or_default();
        write!(f, "Bundle({head:?}, {} bytes of HTML)", self.html.len())
    }
}

/// What can be shown in a notebook cell and in a console.
pub trait Show {
    /// The forms it is shown in.
    ///
    /// # Errors
    /// Mostly [`Error::Picture`](crate::Error::Picture).
    fn bundle(&self) -> crate::Result<Bundle>;

    /// Shows it where the program's output goes; what cannot be drawn is said in words.
    fn show(&self) {
        let _heard = crate::interrupt::heard();
        match self.bundle() {
            Ok(bundle) => bundle.emit(),
            Err(error) => Bundle::from_text(&error.to_string()).emit(),
        }
    }
}

/// Shows a cell's last value through its [`Show`], your own types among them.
///
/// A notebook calls `evcxr_display` on the last value of a cell. The library's types have it; with this
/// trait in scope, as the prelude has it, everything else that implements [`Show`] has it as well.
///
/// ```
/// use neural_composer::prelude::*;
/// struct Scale(Vec<f32>);
/// impl Show for Scale {
///     fn bundle(&self) -> neural_composer::Result<Bundle> {
///         chart(&self.0).named("scale").bundle()
///     }
/// }
/// Scale(vec![261.6, 293.7, 329.6]).evcxr_display();
/// ```
pub trait ShowInCell: Show {
    /// Shows the value in a notebook cell.
    fn evcxr_display(&self) {
        self.show();
    }
}

impl<T: Show + ?Sized> ShowInCell for T {}

/// Gives types that implement [`Show`] the method that evcxr calls for a cell's last expression.
macro_rules! shown_in_notebooks {
    ($($type:ty),+ $(,)?) => {$(
        impl $type {
            /// Shows the value in a notebook cell; evcxr calls this for a cell's last expression.
            pub fn evcxr_display(&self) {
                $crate::display::Show::show(self);
            }
        }
    )+};
}
pub(crate) use shown_in_notebooks;

impl Show for Bundle {
    fn bundle(&self) -> crate::Result<Bundle> {
        Ok(self.clone())
    }
}

impl Show for Picture {
    fn bundle(&self) -> crate::Result<Bundle> {
        Ok(Bundle::from_picture("", self.clone(), self.description()))
    }
}

impl Show for super::loss_chart::LossChart {
    fn bundle(&self) -> crate::Result<Bundle> {
        let picture = self.picture()?;
        let names: Vec<_> = self.runs().iter().map(|r| r.name.as_str()).collect();
        let plain = format!("{}\n{}", names.join(", "), picture.description());
        Ok(Bundle::from_picture(&names.join(", "), picture, plain.trim_start()))
    }
}

shown_in_notebooks!(Bundle, Picture, super::loss_chart::LossChart);
