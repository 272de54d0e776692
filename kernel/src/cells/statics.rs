//! Global variables, of which there is one for all cells, whatever the number of their compilations.
//!
//! A cell that defines a `static` exports it under a name that says what it is: its path in the item,
//! its text, the identity of its type. Every later cell that has the same static by that measure
//! imports it instead of defining it again. A changed one has another name, and starts afresh.

use super::syntax::{macro_name, normal, tokens};
use ra_ap_syntax::ast::{self, HasAttrs, HasModuleItem, HasName, HasVisibility};
use ra_ap_syntax::{AstNode, Edition, SourceFile, SyntaxKind, SyntaxNode};
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Plain,
    /// In a `thread_local!`.
    ThreadLocal,
    /// In a `lazy_static!`.
    Lazy,
}

/// One static in an item, at whatever depth.
#[derive(Debug, Clone)]
pub struct Static {
    pub form: Form,
    pub name: String,
    /// The text of its type.
    pub ty: String,
    pub visibility: String,
    pub is_mutable: bool,
    pub initial: String,
    /// What stands in the cell for it: the static with its attributes, or the macro's whole call.
    pub range: Range<usize>,
    /// Everything that tells it from others but the identity of its type.
    pub text: String,
}

impl Static {
    /// The declaration that imports it.
    pub fn imported(&self, symbol: &str) -> String {
        let Static { name, visibility, .. } = self;
        let ty = self.stored_type();
        let kind = if self.is_mutable { "static mut" } else { "safe static" };
        let link = format!("#[link_name = \"{symbol}\"]");
        if name.is_ascii() {
            return format!("unsafe extern \"C\" {{ {link} {visibility} {kind} {name}: {ty}; }}");
        }
        // Names of imported symbols have to be ASCII.
        let plain = symbol.to_uppercase();
        format!(
            "unsafe extern \"C\" {{ {link} pub {kind} {plain}: {ty}; }} {visibility} use {plain} as {name};"
        )
    }

    /// What is exported has this type.
    fn stored_type(&self) -> String {
        let ty = &self.ty;
        match self.form {
            Form::Plain => ty.clone(),
            Form::ThreadLocal => format!("::std::thread::LocalKey<{ty}>"),
            Form::Lazy => format!("::std::sync::LazyLock<{ty}>"),
        }
    }

    /// What exports it under the symbol: put in front of a plain static, behind a `thread_local!`,
    /// in place of a `lazy_static!`.
    pub fn exported(&self, symbol: &str) -> String {
        let Static { name, visibility, initial, .. } = self;
        let (export, ty) = (format!("#[unsafe(export_name = \"{symbol}\")]"), self.stored_type());
        match self.form {
            Form::Plain => format!("{export} "),
            Form::ThreadLocal => format!(" {export} static NEURAL_{name}: {ty} = {name};"),
            Form::Lazy => format!(
                "{export} {visibility} static {name}: {ty} = ::std::sync::LazyLock::new(|| {initial});"
            ),
        }
    }
}

/// All statics in a node; `range` tells where in the cell a node stands.
pub fn find(node: &SyntaxNode, range: &dyn Fn(&SyntaxNode) -> Range<usize>) -> Vec<Static> {
    let mut found = Vec::new();
    for node in node.descendants() {
        if let Some(item) = ast::Static::cast(node.clone()) {
            // An import that the user wrote.
            let is_foreign =
                node.ancestors().any(|above| above.kind() == SyntaxKind::EXTERN_ITEM_LIST);
            let has_name = item.attrs().any(|attribute| {
                let text = attribute.syntax().text().to_string();
                ["no_mangle", "export_name", "link_section"].iter().any(|name| text.contains(name))
            });
            if !is_foreign && !has_name {
                found.extend(read(&item, Form::Plain, range(&node), &path(&node)));
            }
        } else if let Some(call) = ast::MacroCall::cast(node.clone())
            && let Some(form) = form_of(&call)
        {
            // A whole statement ends in its semicolon.
            let place = match node.parent().and_then(|above| above.parent()) {
                Some(above) if above.kind() == SyntaxKind::EXPR_STMT => range(&above),
                _ => range(&node),
            };
            found.extend(in_macro(&call, form, &place, &path(&node)));
        }
    }
    found
}

fn form_of(call: &ast::MacroCall) -> Option<Form> {
    match macro_name(call)?.as_str() {
        "thread_local" => Some(Form::ThreadLocal),
        "lazy_static" => Some(Form::Lazy),
        _ => None,
    }
}

fn in_macro(call: &ast::MacroCall, form: Form, range: &Range<usize>, path: &str) -> Vec<Static> {
    let Some(tree) = call.token_tree() else { return Vec::new() };
    let text: String = tokens(tree.syntax()).map(|token| token.text().to_owned()).collect();
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    // The last one may go without its semicolon.
    let source = format!("{};", inner.replace("static ref ", "static "));
    let parsed = SourceFile::parse(&source, Edition::CURRENT);
    let statics = parsed.tree().items().filter_map(|item| match item {
        ast::Item::Static(item) => read(&item, form, range.clone(), path),
        _ => None,
    });
    statics.collect()
}

fn read(item: &ast::Static, form: Form, range: Range<usize>, path: &str) -> Option<Static> {
    let initial = item.syntax().children().filter_map(ast::Expr::cast).last()?;
    Some(Static {
        form,
        name: item.name()?.text().to_string(),
        ty: with_lifetimes(item.ty()?.syntax()),
        visibility: item
            .visibility()
            .map_or(String::new(), |found| found.syntax().text().to_string()),
        is_mutable: item.mut_token().is_some(),
        initial: initial.syntax().text().to_string(),
        range,
        text: format!("{path}{}", normal(item.syntax(), true)),
    })
}

/// A type with the lifetime that references in a static have: an import needs it written.
fn with_lifetimes(ty: &SyntaxNode) -> String {
    let mut text = ty.text().to_string();
    let start = ty.text_range().start();
    let mut places: Vec<usize> = ty
        .descendants()
        .filter_map(ast::RefType::cast)
        .filter(|found| found.lifetime().is_none())
        .filter(|found| {
            // The parameters of functions have lifetimes of their own.
            !found.syntax().ancestors().take_while(|above| above != ty).any(|above| {
                matches!(above.kind(), SyntaxKind::PARAM_LIST | SyntaxKind::PARENTHESIZED_ARG_LIST)
            })
        })
        .filter_map(|found| Some(usize::from(found.amp_token()?.text_range().end() - start)))
        .collect();
    places.sort_unstable();
    for place in places.into_iter().rev() {
        text.insert_str(place, "'static ");
    }
    text.replace("'_", "'static")
}

/// The functions, implementations and modules that a node stands in; a function with its text, since
/// a changed one is another.
fn path(node: &SyntaxNode) -> String {
    let mut path = String::new();
    for above in node.ancestors().skip(1) {
        match above.kind() {
            // The function that the cell itself was put into for parsing.
            SyntaxKind::FN
                if above.parent().is_some_and(|up| up.kind() != SyntaxKind::SOURCE_FILE) =>
            {
                path += &normal(&above, true);
            }
            SyntaxKind::MODULE => {
                path += &ast::Module::cast(above)
                    .and_then(|module| module.name())
                    .map_or(String::new(), |name| format!("{}::", name.text()));
            }
            SyntaxKind::IMPL => {
                let ty = ast::Impl::cast(above).and_then(|found| found.self_ty());
                path += &ty.map_or(String::new(), |ty| format!("{}::", ty.syntax().text()));
            }
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::super::source::Source;
    use super::*;

    fn statics(code: &str) -> Vec<Static> {
        let cell = parse(&Source::new(1, code), code, &|_| None);
        cell.items.into_iter().flat_map(|item| item.statics).collect()
    }

    #[test]
    fn statics_are_found_at_every_depth() {
        let found = statics(
            "static A: u8 = 1;\nfn f() { static mut B: Vec<u8> = Vec::new(); }\n\
             mod m { pub static C: u8 = 3; }\nstruct S; impl S { fn g() { static D: u8 = 4; } }\n\
             thread_local! { static E: u8 = const { 5 }; pub static F: u8 = 6 }\n\
             fn h() { thread_local!(static G: u8 = 7); }\nextern \"C\" { static X: u8; }",
        );
        let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C", "D", "E", "F", "G"]);
        assert!(found[1].is_mutable && found[2].visibility == "pub");
        assert_eq!(found[4].form, Form::ThreadLocal);
        assert_eq!(found[4].initial, "const { 5 }");
    }

    #[test]
    fn lazy_statics_are_read() {
        let found = statics("lazy_static! { static ref ALL: Vec<u8> = vec![1]; }");
        assert_eq!((found[0].name.as_str(), found[0].form), ("ALL", Form::Lazy));
        assert_eq!(found[0].ty, "Vec<u8>");
        assert!(found[0].imported("s").contains("LazyLock<Vec<u8>>"));
    }
}
