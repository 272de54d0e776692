//! What a call of a `macro_rules!` expands to, as text: one step, outermost first.

use ra_ap_mbe::{DeclarativeMacro, MacroCallStyle};
use ra_ap_span::{
    EditionedFileId, FileId, ROOT_ERASED_FILE_AST_ID, Span, SpanAnchor, SyntaxContext, TextRange,
};
use ra_ap_syntax::{Edition, TextSize};
use ra_ap_syntax_bridge::parse_to_token_tree;

/// Expands a call: `rules` stand in the definition's braces, `arguments` in the call's.
pub fn expand(rules: &str, arguments: &str) -> Option<String> {
    let context = SyntaxContext::root(Edition::CURRENT);
    let anchor = |file| SpanAnchor {
        file_id: EditionedFileId::new(FileId::from_raw(file), Edition::CURRENT),
        ast_id: ROOT_ERASED_FILE_AST_ID,
    };
    let definition = parse_to_token_tree(Edition::CURRENT, anchor(0), context, rules)?;
    let definition = DeclarativeMacro::parse_macro_rules(&definition, |_| Edition::CURRENT);
    let call = parse_to_token_tree(Edition::CURRENT, anchor(1), context, arguments)?;
    let site =
        Span { range: TextRange::up_to(TextSize::of(arguments)), anchor: anchor(1), ctx: context };
    let database = salsa::DatabaseImpl::default();
    let expanded = definition.expand(&database, &call, |_| (), MacroCallStyle::FnLike, site);
    expanded.err.is_none().then(|| ra_ap_tt::pretty(expanded.value.0.token_trees()))
}

#[cfg(test)]
mod tests {
    use super::expand;

    fn without_blanks(text: Option<String>) -> Option<String> {
        text.map(|text| text.split_whitespace().collect())
    }

    #[test]
    fn calls_are_expanded() {
        let rules = "($n:ident, $($t:ty),*) => { static $n: (u8, $($t),*) = (1, $(<$t>::MAX),*); }";
        assert_eq!(
            without_blanks(expand(rules, "A, u8, u16")).as_deref(),
            Some("staticA:(u8,u8,u16)=(1,<u8>::MAX,<u16>::MAX);")
        );
        let strings = "($t:literal) => { const T: &'static str = $t; }";
        let expanded = expand(strings, "\"a b\"").unwrap();
        assert!(
            expanded.contains("\"a b\"") && expanded.contains("& 'static str")
                || expanded.contains("&'static str"),
            "{expanded}"
        );
        assert_eq!(expand(rules, "1 + 1"), None);
        // An expression stays whole, a unary minus, too.
        let product = "($e:expr) => { const T: i32 = $e * 2; }";
        assert_eq!(
            without_blanks(expand(product, "1 + 1")).as_deref(),
            Some("constT:i32=(1+1)*2;")
        );
    }
}
