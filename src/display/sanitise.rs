//! HTML from outside made harmless: only what is known to be harmless is written anew.

use super::html::escape;
use super::markup::{Markup, decoded, markup, skipped};

/// Elements that stay, with their attributes; those of every element are [`COMMON`].
const ELEMENTS: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("abbr", &[]),
    ("audio", &["src", "controls", "loop"]),
    ("b", &[]),
    ("bdi", &[]),
    ("blockquote", &[]),
    ("br", &[]),
    ("caption", &[]),
    ("cite", &[]),
    ("code", &[]),
    ("dd", &[]),
    ("del", &[]),
    ("details", &["open"]),
    ("dfn", &[]),
    ("div", &[]),
    ("dl", &[]),
    ("dt", &[]),
    ("em", &[]),
    ("figcaption", &[]),
    ("figure", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("h4", &[]),
    ("h5", &[]),
    ("h6", &[]),
    ("hr", &[]),
    ("i", &[]),
    ("img", &["src", "alt", "width", "height"]),
    ("ins", &[]),
    ("kbd", &[]),
    ("li", &["value"]),
    ("mark", &[]),
    ("meter", &["min", "max", "low", "high", "value"]),
    ("ol", &["start", "type"]),
    ("p", &[]),
    ("pre", &[]),
    ("progress", &["max", "value"]),
    ("q", &[]),
    ("s", &[]),
    ("samp", &[]),
    ("section", &[]),
    ("small", &[]),
    ("span", &[]),
    ("strong", &[]),
    ("sub", &[]),
    ("summary", &[]),
    ("sup", &[]),
    ("table", &[]),
    ("tbody", &[]),
    ("td", &["colspan", "rowspan", "headers"]),
    ("tfoot", &[]),
    ("th", &["colspan", "rowspan", "headers", "scope"]),
    ("thead", &[]),
    ("time", &["datetime"]),
    ("tr", &[]),
    ("u", &[]),
    ("ul", &[]),
    ("var", &[]),
];

const COMMON: &[&str] = &["title", "lang", "dir", "style", "role", "aria-label"];

/// Elements without content and end.
const VOID: &[&str] = &["br", "hr", "img"];

/// Elements whose content is no text for people; it goes with them.
const GONE: &[&str] = &[
    "script",
    "style",
    "template",
    "iframe",
    "object",
    "embed",
    "svg",
    "math",
    "noscript",
    "noembed",
    "noframes",
    "xmp",
    "plaintext",
    "title",
    "textarea",
    "select",
];

/// Elements that begin a line of their own in plain text.
const LINES: &[&str] = &[
    "blockquote",
    "br",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tr",
    "ul",
];

/// What may be in an image or be heard.
const MEDIA: &[&str] = &["data:image/png", "data:image/jpeg", "data:image/gif", "data:image/webp"];
const SOUND: &[&str] = &["data:audio/"];
const LINKS: &[&str] = &["https://", "http://", "mailto:", "#"];

/// Harmless HTML, and its words.
pub(super) fn sanitise(html: &str) -> (String, String) {
    let mut writer = Writer::default();
    let html = html.replace('\r', "");
    let mut rest = html.as_str();
    while let Some(at) = rest.find('<') {
        writer.text(&rest[..at]);
        rest = &rest[at..];
        rest = match markup(rest) {
            Some((markup, after)) => writer.markup(markup, after),
            None => {
                writer.text("<");
                &rest[1..]
            }
        };
    }
    writer.text(rest);
    writer.finish()
}

#[derive(Default)]
struct Writer {
    html: String,
    words: String,
    /// Elements that are open.
    open: Vec<&'static str>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        let text = decoded(text);
        self.html += &escape(&text);
        self.words += &text;
    }

    /// Writes what may stay of some markup, and gives what follows it.
    fn markup<'h>(&mut self, markup: Markup<'_>, after: &'h str) -> &'h str {
        match markup {
            Markup::Open { name, .. } if GONE.contains(&name.as_str()) => skipped(&name, after),
            Markup::Open { name, attributes } => {
                if let Some((name, allowed)) = element(&name) {
                    self.begin(name, allowed, &attributes);
                }
                after
            }
            Markup::Close(name) => {
                if let Some((name, _)) = element(&name) {
                    self.end(name);
                }
                after
            }
            Markup::Nothing => after,
        }
    }

    fn begin(&mut self, name: &'static str, allowed: &[&str], attributes: &[(String, &str)]) {
        self.break_line(name);
        let mut tag = format!("<{name}");
        let mut has_source = false;
        for (attribute, value) in attributes {
            if !(allowed.contains(&attribute.as_str()) || COMMON.contains(&attribute.as_str())) {
                continue;
            }
            let value = decoded(value);
            if is_harmless(name, attribute, &value) {
                tag += &format!(" {attribute}=\"{}\"", escape(&value));
                has_source |= attribute == "src";
            }
            if name == "img" && attribute == "alt" {
                self.words += &value;
            }
        }
        // Without what it shows an image is only its words.
        if matches!(name, "img" | "audio") && !has_source {
            let words = attributes.iter().find(|(attribute, _)| attribute == "alt");
            self.html += &words.map_or(String::new(), |(_, words)| escape(&decoded(words)));
            return;
        }
        self.html += &tag;
        if name == "a" {
            self.html += " target=\"_blank\" rel=\"noopener noreferrer\"";
        }
        self.html.push('>');
        let begins_line = self.words.is_empty() || self.words.ends_with(['\n', '\t']);
        if matches!(name, "td" | "th") && !begins_line {
            self.words.push('\t');
        }
        if !VOID.contains(&name) {
            self.open.push(name);
        }
    }

    /// Ends an element and those within it that were left open; an end tag without its beginning is dropped.
    fn end(&mut self, name: &str) {
        if !self.open.contains(&name) {
            return;
        }
        while let Some(last) = self.open.pop() {
            self.html += &format!("</{last}>");
            self.break_line(last);
            if last == name {
                break;
            }
        }
    }

    fn break_line(&mut self, name: &str) {
        if LINES.contains(&name) && !self.words.is_empty() && !self.words.ends_with('\n') {
            self.words.push('\n');
        }
    }

    fn finish(mut self) -> (String, String) {
        while let Some(last) = self.open.pop() {
            self.html += &format!("</{last}>");
        }
        let lines = self.words.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
        (self.html, lines.collect::<Vec<_>>().join("\n"))
    }
}

fn element(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    ELEMENTS.iter().find(|(known, _)| *known == name).copied()
}

fn is_harmless(element: &str, attribute: &str, value: &str) -> bool {
    let begins = |with: &[&str]| {
        let value = value.trim().to_ascii_lowercase();
        with.iter().any(|start| value.starts_with(start))
    };
    match (element, attribute) {
        ("a", "href") => begins(LINKS),
        ("img", "src") => begins(MEDIA),
        ("audio", "src") => begins(SOUND),
        (_, "style") => is_plain_style(value),
        _ => true,
    }
}

/// Whether a style loads nothing and stays where it is.
fn is_plain_style(style: &str) -> bool {
    let style: String = style.to_ascii_lowercase().split_whitespace().collect();
    let harmful = [
        "url",
        "image",
        "\\",
        "/*",
        "expression",
        "position",
        "@",
        "<",
        "behavior",
        "z-index",
        "var(",
    ];
    harmful.iter().all(|word| !style.contains(word))
}
