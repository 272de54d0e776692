//! The little HTML that displays are made of: escaping, the shared style, figures.

use super::picture::Picture;
use super::plain;

/// Text from outside as HTML text or attribute value: the five characters that mean something in
/// HTML are escaped; control characters, those that turn the reading direction among them, become `�`.
///
/// ```
/// use neural_composer::display::html;
/// assert_eq!(html::escape("<img src=x>"), "&lt;img src=x&gt;");
/// ```
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(plain::visible(c)),
        }
    }
    // evcxr looks for its marker words in every line of output.
    safe.replace("EVCXR_", "EVCXR&#95;")
}

/// Escaped text from a file in an element of its own, so that right-to-left text cannot reorder what
/// stands around it.
pub fn isolated(text: &str) -> String {
    format!("<bdi>{}</bdi>", escape(text))
}

/// The style of everything below an element of class `nc`: colours follow JupyterLab's theme, where
/// there is one, and otherwise the reader's preference for light or dark.
pub const STYLE: &str = include_str!("style.css");

/// Puts the drawings of the page in the place of their bitmaps.
const DRAW: &str = "document.querySelectorAll('script.nc-source').forEach(source=>{\
    source.previousElementSibling.outerHTML=source.textContent;source.remove()})";

/// A picture with its caption: a bitmap, which a script replaces by the vector drawing in the colours
/// of the page's theme. A picture of the user's own stays an image: nothing in it runs or is loaded.
///
/// The drawing waits inside a script element, because readers that take scripts and drawings away
/// (an untrusted notebook, a code host, a mail) would leave a drawing's words behind.
pub fn figure(picture: &Picture, caption: Option<&str>) -> String {
    let description = escape(picture.description());
    let caption = caption.map(|c| format!("<figcaption>{c}</figcaption>")).unwrap_or_default();
    if !picture.follows_theme {
        return format!(
            "<figure class=\"nc-figure\">{caption}<img class=\"nc-shot\" alt=\"{description}\" \
             width=\"{}\" height=\"{}\" src=\"{}\"></figure>",
            picture.width_px(),
            picture.height_px(),
            picture.address()
        );
    }
    format!(
        "<figure class=\"nc-figure\">{caption}\
         <img class=\"nc-static\" alt=\"{description}\" width=\"{}\" height=\"{}\" \
         src=\"data:image/png;base64,{}\"><script class=\"nc-source\" type=\"image/svg+xml\">{}\
         </script><script>{DRAW}</script></figure>",
        picture.width_px(),
        picture.height_px(),
        picture.png_base64(),
        inline_svg(picture)
    )
}

/// The drawing as an SVG element with its alternative text, without fixed size.
fn inline_svg(picture: &Picture) -> String {
    let (width, height) = (picture.width_px(), picture.height_px());
    let head = format!(
        "<svg class=\"nc-drawing\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {height}\"",
        escape(picture.description())
    );
    let body = picture.svg().find('>').map_or("", |end| &picture.svg()[end..]);
    // plotters writes one element a line; the line breaks mean nothing.
    head + &body.replace('\n', "")
}

/// Wraps `body` so that the shared style applies to it.
pub fn page(body: &str) -> String {
    format!("<div class=\"nc\"><style>{}</style>{body}</div>", STYLE.trim_end())
}
