//! What a name is, or the function whose call the cursor is in: signature and documentation.

use lsp_types::{Hover, HoverContents};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use ra_ap_syntax::{
    AstNode, Direction, Edition, SourceFile, SyntaxKind, SyntaxToken, TextRange, TextSize, algo,
    ast,
};
use std::ops::Range;

/// The module path that rust-analyzer writes over things of the notebook itself.
const OWN_CRATE: &str = "ctx";

/// Plain text and HTML of what the server says of a name.
pub fn description(hover: &Hover) -> Option<(String, String)> {
    let HoverContents::Markup(markup) = &hover.contents else { return None };
    let heading = format!("```rust\n{OWN_CRATE}\n```\n");
    let markdown = match markup.value.trim_start().strip_prefix(&heading) {
        Some(own) => own.to_owned(),
        None => without_private_fields(&markup.value),
    };
    let markdown = without_hidden_lines(&markdown);
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, Parser::new(&markdown));
    Some((plain(&markdown), html))
}

/// Leaves out the fields of other crates' types that a cell cannot use, and braces around none.
fn without_private_fields(markdown: &str) -> String {
    let mut shown: Vec<&str> = Vec::new();
    let mut is_in_type = false;
    let mut is_first_block = true;
    for line in markdown.lines() {
        // The documentation's own examples stay as they are.
        is_first_block &= line.trim() != "---";
        let is_type = ["struct ", "union "].iter().any(|word| line.contains(word));
        if is_first_block && is_type && line.ends_with('{') {
            is_in_type = true;
        } else if is_in_type && line == "}" {
            is_in_type = false;
            if let Some(last) = shown.last_mut()
                && last.ends_with('{')
            {
                *last = last.trim_end_matches('{').trim_end();
                continue;
            }
        } else if is_in_type && !line.trim_start().starts_with("pub ") {
            continue;
        }
        shown.push(line);
    }
    shown.join("\n")
}

/// Leaves out the lines of examples that documentation hides.
fn without_hidden_lines(markdown: &str) -> String {
    let mut is_code = false;
    let shown = markdown.lines().filter(|line| {
        is_code ^= line.trim_start().starts_with("```");
        !(is_code && (line.trim() == "#" || line.trim_start().starts_with("# ")))
    });
    shown.flat_map(|line| [line, "\n"]).collect()
}

/// Markdown as text for a terminal: one blank line between blocks, no marks but those of lists.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Item) => text += "- ",
            Event::End(TagEnd::Item) if !text.ends_with('\n') => text.push('\n'),
            Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::List(_),
            ) => {
                text.truncate(text.trim_end().len());
                text += "\n\n";
            }
            Event::Text(part) | Event::Code(part) => text += &part,
            Event::SoftBreak | Event::HardBreak => text.push('\n'),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// Where the name stands that a description at `position` is of: the name that the cursor touches;
/// else, within a call's parentheses, that of the function called; else the name before the cursor.
pub fn described(source: &str, position: usize) -> Option<Range<usize>> {
    let file = SourceFile::parse(source, Edition::CURRENT).tree();
    let offset = TextSize::try_from(position).ok().filter(|at| *at <= TextSize::of(source))?;
    Some(name_at(&file, offset)?.into())
}

fn name_at(file: &SourceFile, offset: TextSize) -> Option<TextRange> {
    let touched = file.syntax().token_at_offset(offset);
    // `f(|x)` is about `x`, `f|(x)` about `f`.
    if let Some(name) = touched.clone().find(is_name) {
        return Some(name.text_range());
    }
    // What follows an open parenthesis, or a comma, is no part of the call to the parser.
    let before = algo::skip_trivia_token(touched.left_biased()?, Direction::Prev)?;
    if let Some(called) = called(&before, offset) {
        return Some(called);
    }
    // `f()|` and `f(x)   |` are about `f`, too.
    match before.kind() {
        SyntaxKind::R_PAREN if before.text_range().end() <= offset => {
            called(&before.prev_token()?, before.text_range().start())
        }
        _ => is_name(&before).then(|| before.text_range()),
    }
}

fn is_name(token: &SyntaxToken) -> bool {
    matches!(
        token.kind(),
        SyntaxKind::IDENT
            | SyntaxKind::LIFETIME_IDENT
            | SyntaxKind::SELF_KW
            | SyntaxKind::SELF_TYPE_KW
    ) || token.kind().is_keyword(Edition::CURRENT)
}

/// The function, method or macro whose parentheses a position is between.
fn called(token: &SyntaxToken, offset: TextSize) -> Option<TextRange> {
    let is_within = |range: TextRange, closing: Option<SyntaxToken>| {
        let end = closing.map_or(TextSize::new(u32::MAX), |token| token.text_range().start());
        range.start() < offset && offset <= end
    };
    token.parent_ancestors().find_map(|node| {
        if let Some(list) = ast::ArgList::cast(node.clone()) {
            if !is_within(list.syntax().text_range(), list.r_paren_token()) {
                return None;
            }
            let call = list.syntax().parent()?;
            let name = match ast::MethodCallExpr::cast(call.clone()) {
                Some(method) => method.name_ref()?.syntax().text_range(),
                None => last_name(ast::CallExpr::cast(call)?.expr()?.syntax())?,
            };
            return Some(name);
        }
        let tree = ast::TokenTree::cast(node)?;
        let closing = tree.right_delimiter_token();
        if !is_within(tree.syntax().text_range(), closing) {
            return None;
        }
        // The tokens of a macro's call are no tree of expressions: `f(` among them is found by eye.
        if let Some(name) = tree.syntax().prev_sibling_or_token().and_then(|it| it.into_token())
            && name.kind() == SyntaxKind::IDENT
        {
            return Some(name.text_range());
        }
        last_name(ast::MacroCall::cast(tree.syntax().parent()?)?.path()?.syntax())
    })
}

fn last_name(path: &ra_ap_syntax::SyntaxNode) -> Option<TextRange> {
    let names = path.descendants().filter_map(ast::NameRef::cast);
    let in_arguments = |name: &ast::NameRef| {
        let arguments =
            name.syntax().ancestors().find(|node| ast::GenericArgList::can_cast(node.kind()));
        arguments.is_some_and(|found| path.text_range().contains_range(found.text_range()))
    };
    names.filter(|name| !in_arguments(name)).last().map(|name| name.syntax().text_range())
}

#[cfg(test)]
mod tests {
    use super::{described, plain, without_hidden_lines, without_private_fields};

    /// What is described where `|` stands.
    fn at(code: &str) -> String {
        let position = code.find('|').unwrap_or(code.len());
        let code = format!("fn cell() {{\n{}\n}}", code.replacen('|', "", 1));
        let found = described(&code, position + "fn cell() {\n".len());
        found.map_or_else(String::new, |range| code[range].to_owned())
    }

    #[test]
    fn a_name_is_described_itself() {
        assert_eq!(at("let a = Song::op|en(x)"), "open");
        assert_eq!(at("let a = So|ng::open(x)"), "Song");
        assert_eq!(at("|song"), "song");
        assert_eq!(at("song|"), "song");
        assert_eq!(at("song |"), "song");
        assert_eq!(at("song.gain|(2.0)"), "gain");
        assert_eq!(at("play(sp|eed)"), "speed");
        assert_eq!(at("let a = m|atch x {}"), "match");
        assert_eq!(at("1 + 2|"), "");
    }

    #[test]
    fn markdown_becomes_plain_text() {
        let markdown = "```rust\nfn f()\n```\n\n---\n\nOne\ntwo `x`.\n\n# Errors\n- a\n- b\n\nEnd.";
        assert_eq!(plain(markdown), "fn f()\n\nOne\ntwo x.\n\nErrors\n\n- a\n- b\n\nEnd.");
    }

    #[test]
    fn hidden_lines_of_examples_are_left_out() {
        let markdown = "# Examples\n```\n# use a;\n#\nlet a = 1;\n```\n# End\n";
        let shown = "# Examples\n```\nlet a = 1;\n```\n# End\n";
        assert_eq!(without_hidden_lines(markdown), shown);
    }

    #[test]
    fn private_fields_are_left_out() {
        let of = |fields: &str| {
            let end = "```\n\n---\n\nWords.\n```\nstruct A {\n    a: u8,\n}\n```";
            let before = "```rust\nm\n```\n\n```rust\npub struct S";
            (format!("{before} {{\n{fields}}}\n{end}"), before.to_owned(), end)
        };
        let (both, before, end) = of("    a: u8,\n    pub b: u8,\n    pub(crate) c: u8,\n");
        assert_eq!(
            without_private_fields(&both),
            format!("{before} {{\n    pub b: u8,\n}}\n{end}")
        );
        let (none, before, end) = of("    a: u8,\n");
        assert_eq!(without_private_fields(&none), format!("{before}\n{end}"));
    }

    #[test]
    fn between_parentheses_the_function_is() {
        assert_eq!(at("Song::open(f(1), |)"), "open");
        assert_eq!(at("Song::open(f(|1), 2)"), "f");
        assert_eq!(at("play_song(1.0, |"), "play_song");
        assert_eq!(at("song.gain( |"), "gain");
        assert_eq!(at("song.gain(|)"), "gain");
        assert_eq!(at("song.gain(2.0)|"), "gain");
        assert_eq!(at("let x = song.gain(2.0|);\nlet y = 1;"), "gain");
        assert_eq!(at("x.parse::<f32>(|)"), "parse");
        assert_eq!(at("Vec::<u8>::with_capacity(|)"), "with_capacity");
        assert_eq!(at("Vec::<Vec<u8>>::new(|)"), "new");
        assert_eq!(at("println!(\"{}\", |)"), "println");
        assert_eq!(at("println!(\"{}\", play(1, |))"), "play");
        assert_eq!(at("song.gain(\"a|b\")"), "gain");
        assert_eq!(at("a(1); |"), "");
    }
}
