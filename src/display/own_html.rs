//! HTML of a cell's own, sanitised.

use super::bundle::{Bundle, Show};
use super::sanitise::sanitise;
use crate::Result;

/// HTML of your own as a cell's result, made harmless.
///
/// Text, tables, lists, headings, links, images and sound inside the page (`data:` addresses) stay.
/// Scripts, forms, frames, event handlers and everything that would be loaded from elsewhere are taken
/// out; what is not closed is closed. Consoles show the words.
///
/// ```
/// use neural_composer::prelude::*;
/// let table = Html::new("<table><tr><th>song</th></tr><tr><td>prelude</td></tr></table>");
/// table.show();
/// assert_eq!(table.text(), "song\nprelude");
/// assert!(!Html::new("<img src=x onerror=alert(1)>").html().contains("alert"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Html {
    html: String,
    text: String,
}

impl Html {
    /// Takes HTML of any origin.
    pub fn new(html: impl AsRef<str>) -> Self {
        let (html, text) = sanitise(html.as_ref());
        Self { html, text }
    }

    /// What is left of it, as HTML.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Its words.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Show for Html {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::new(&format!("<div class=\"nc-own\">{}</div>", self.html), None, &self.text))
    }
}

super::shown_in_notebooks!(Html);
