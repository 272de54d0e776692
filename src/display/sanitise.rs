//! HTML from outside made harmless: only what is known to be harmless is written anew.

use super::html::escape;

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

/// What stands between `<` and `>`.
enum Markup<'h> {
    Open {
        name: String,
        attributes: Vec<(String, &'h str)>,
    },
    Close(String),
    /// A comment, a declaration.
    Nothing,
}

/// Reads markup from its `<` on, and what follows it; nothing where the `<` is only a character.
fn markup(html: &str) -> Option<(Markup<'_>, &str)> {
    if let Some(comment) = html.strip_prefix("<!--") {
        // Browsers end a comment at the first of these, and at the end of the page.
        let end = comment.find("-->").map_or(comment.len(), |at| at + 3);
        return Some((Markup::Nothing, &comment[end..]));
    }
    let after = &html[1..];
    if after.starts_with(['!', '?']) {
        let end = after.find('>').map_or(after.len(), |at| at + 1);
        return Some((Markup::Nothing, &after[end..]));
    }
    let (closes, after) = match after.strip_prefix('/') {
        Some(after) => (true, after),
        None => (false, after),
    };
    if !after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let length = after.find(|c: char| c.is_whitespace() || c == '/' || c == '>');
    let (name, after) = after.split_at(length.unwrap_or(after.len()));
    let name = name.to_ascii_lowercase();
    let (attributes, after) = attributes(after);
    let markup = if closes { Markup::Close(name) } else { Markup::Open { name, attributes } };
    Some((markup, after))
}

/// The attributes of a tag, and what follows its `>`.
fn attributes(mut rest: &str) -> (Vec<(String, &str)>, &str) {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        // A name may begin with an equals sign, but not be empty.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..]
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '>' | '='))
            .map_or(rest.len(), |at| at + first);
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quoted = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            (value, rest) = match quoted {
                Some(quote) => {
                    let inner = &after[1..];
                    let end = inner.find(quote).unwrap_or(inner.len());
                    (&inner[..end], inner.get(end + 1..).unwrap_or(""))
                }
                None => {
                    let end = after.find(|c: char| c.is_whitespace() || c == '>');
                    after.split_at(end.unwrap_or(after.len()))
                }
            };
        }
        found.push((name, value));
    }
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
        self.html += &format!("<{name}");
        for (attribute, value) in attributes {
            if !(allowed.contains(&attribute.as_str()) || COMMON.contains(&attribute.as_str())) {
                continue;
            }
            let value = decoded(value);
            if is_harmless(name, attribute, &value) {
                self.html += &format!(" {attribute}=\"{}\"", escape(&value));
            }
            if name == "img" && attribute == "alt" {
                self.words += &value;
            }
        }
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

    /// Ends an element and those within it that were left open; one that is not open is none.
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

/// What follows the end of an element whose content goes with it.
fn skipped<'h>(name: &str, html: &'h str) -> &'h str {
    let end = html.match_indices("</").find(|(at, _)| {
        let found = html.get(at + 2..at + 2 + name.len());
        let behind = html.get(at + 2 + name.len()..).and_then(|after| after.chars().next());
        found.is_some_and(|found| found.eq_ignore_ascii_case(name))
            && behind.is_none_or(|c| c.is_whitespace() || matches!(c, '/' | '>'))
    });
    let Some((at, _)) = end else { return "" };
    html[at..].find('>').map_or("", |end| &html[at + end + 1..])
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

/// Text with its character references read.
fn decoded(text: &str) -> String {
    const NAMED: [(&str, &str); 12] = [
        ("amp;", "&"),
        ("lt;", "<"),
        ("gt;", ">"),
        ("quot;", "\""),
        ("apos;", "'"),
        ("nbsp;", "\u{a0}"),
        ("ndash;", "–"),
        ("mdash;", "—"),
        ("hellip;", "…"),
        ("times;", "×"),
        ("deg;", "°"),
        ("middot;", "·"),
    ];
    let mut parts = text.split('&');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let named = NAMED.iter().find_map(|(name, c)| Some((*c, part.strip_prefix(name)?)));
        match (named, numbered(part)) {
            (Some((c, after)), _) => result.extend([c, after]),
            (None, Some((c, after))) => {
                result.push(c);
                result += after;
            }
            (None, None) => result.extend(["&", part]),
        }
    }
    result
}

/// `#233;` or `#xe9;` as a character, and what follows.
fn numbered(part: &str) -> Option<(char, &str)> {
    let (digits, after) = part.strip_prefix('#')?.split_once(';')?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    Some((char::from_u32(code.ok()?)?, after))
}
