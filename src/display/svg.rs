//! SVG drawings from elsewhere: what they are, and whether they hold still.

use crate::{Error, Result};

/// What a stand-alone SVG file has to say of its elements.
const NAMESPACE: &str = "xmlns=\"http://www.w3.org/2000/svg\"";

/// The drawing as it stands alone, from `<svg` to `</svg>` and with its namespace, and its size in
/// pixels where it tells it.
///
/// # Errors
/// [`Error::Picture`] when there is no such element.
pub(super) fn checked(text: &str) -> Result<(String, Option<(u32, u32)>)> {
    let refused = |found: &str| {
        Error::Picture(format!("expected an SVG drawing, from <svg …> to </svg>, found {found}"))
    };
    let start = text.find("<svg").ok_or_else(|| refused("no <svg"))?;
    let before = text[..start].trim_start_matches('\u{feff}').trim_start();
    if !before.is_empty() && !before.starts_with('<') {
        return Err(refused("other text before it"));
    }
    let head_end = tag_end(&text[start..]).ok_or_else(|| refused("an <svg that does not end"))?;
    let (head, rest) = text[start..].split_at(head_end);
    let whole = match head.ends_with("/>") {
        true => head.to_owned(),
        false => {
            let end = rest.rfind("</svg>").ok_or_else(|| refused("no </svg>"))?;
            format!("{head}{}", &rest[..end + "</svg>".len()])
        }
    };
    let whole = match head.contains("xmlns=") {
        true => whole,
        false => whole.replacen("<svg", &format!("<svg {NAMESPACE}"), 1),
    };
    // evcxr looks for its marker words in every line of output.
    Ok((whole.replace("EVCXR_", "EVCXR\u{2060}_"), size(head)))
}

/// Where a tag ends, after its `>`; such a character in quotes ends nothing.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at + 1),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

/// Width and height of an `<svg …>` tag, from its attributes or else its view box.
fn size(head: &str) -> Option<(u32, u32)> {
    let whole =
        |value: f64| (value.is_finite() && value >= 0.5).then(|| value.round().min(8_192.0) as u32);
    let number = |name: &str| {
        let value = attribute(head, name)?;
        whole(value.trim().trim_end_matches("px").trim_end().parse().ok()?)
    };
    if let (Some(width), Some(height)) = (number("width"), number("height")) {
        return Some((width, height));
    }
    let numbers: Vec<f64> = attribute(head, "viewBox")?
        .split([' ', ',', '\t', '\n'])
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().unwrap_or(f64::NAN))
        .collect();
    match numbers.as_slice() {
        [_, _, width, height] => Some((whole(*width)?, whole(*height)?)),
        _ => None,
    }
}

/// The value of an attribute within a tag.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    tag.match_indices(name).find_map(|(at, _)| {
        if !tag[..at].ends_with(char::is_whitespace) {
            return None;
        }
        let value = tag[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split(quote).next()
    })
}

/// Whether a drawing holds only shapes and words: nothing that runs, and nothing from elsewhere.
///
/// It may say no too often (a text that mentions scripts), never too seldom: where any doubt is left the
/// drawing is shown as an image alone, within which nothing runs.
pub(super) fn is_still(svg: &str) -> bool {
    let plain: String =
        svg.to_ascii_lowercase().chars().filter(|c| !c.is_whitespace() && *c != '\0').collect();
    let names = [
        "<script",
        "<foreignobject",
        "<iframe",
        "<embed",
        "<object",
        "<handler",
        "<set",
        "<animate",
    ];
    let elsewhere = ["javascript:", "<!entity", "<!doctype", "<?xml-stylesheet", "@import", "&#"];
    let links = plain.match_indices("href=").all(|(at, word)| {
        let value = plain[at + word.len()..].trim_start_matches(['"', '\'']);
        value.starts_with('#') || value.starts_with("data:image/png;")
    });
    let loads = plain.match_indices("url(").all(|(at, word)| {
        plain[at + word.len()..].trim_start_matches(['"', '\'']).starts_with('#')
    });
    let begins = |word: &str| plain.contains(word);
    // An attribute such as onload: behind a blank, a quote or a slash, before a name and an equals sign.
    let handlers = svg.to_ascii_lowercase();
    let handles = handlers.match_indices("on").any(|(at, _)| {
        let behind = handlers[..at].ends_with(|c: char| c.is_whitespace() || "\"'/".contains(c));
        let name: String =
            handlers[at + 2..].chars().take_while(char::is_ascii_alphabetic).collect();
        let after = handlers[at + 2 + name.len()..].trim_start();
        behind && !name.is_empty() && after.starts_with('=')
    });
    links && loads && !handles && !names.into_iter().chain(elsewhere).any(begins)
}
