//! Reading HTML as browsers do: tags, attributes, comments, character references.

/// What stands between `<` and `>`.
pub(super) enum Markup<'h> {
    Open {
        name: String,
        attributes: Vec<(String, &'h str)>,
    },
    Close(String),
    /// A comment, a declaration.
    Nothing,
}

/// Reads markup from its `<` on, and what follows it; nothing where the `<` is only a character.
pub(super) fn markup(html: &str) -> Option<(Markup<'_>, &str)> {
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

/// What follows the end of an element whose content goes with it.
pub(super) fn skipped<'h>(name: &str, html: &'h str) -> &'h str {
    let end = html.match_indices("</").find(|(at, _)| {
        let found = html.get(at + 2..at + 2 + name.len());
        let behind = html.get(at + 2 + name.len()..).and_then(|after| after.chars().next());
        found.is_some_and(|found| found.eq_ignore_ascii_case(name))
            && behind.is_none_or(|c| c.is_whitespace() || matches!(c, '/' | '>'))
    });
    let Some((at, _)) = end else { return "" };
    html[at..].find('>').map_or("", |end| &html[at + end + 1..])
}

/// Text with its character references read.
pub(super) fn decoded(text: &str) -> String {
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
