"""Items of every kind: defined, run again, added to, redefined."""

import pytest

SHOWN = "#[derive(Debug, Clone, Copy, PartialEq, Default)]"

# A cell of items that is run twice; what is asked, and the answer.
ITEMS = {
    "an impl alone": ("impl P0 { fn up(&self) -> u8 { self.0 + 1 } }", "P0(1).up()", "2"),
    "a trait's impl alone": (
        "impl std::fmt::Display for P0 { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> "
        'std::fmt::Result { write!(f, "P{}", self.0) } }',
        "P0(1).to_string()",
        '"P1"',
    ),
    "an operator": (
        "impl std::ops::Add for P0 { type Output = P0; fn add(self, o: P0) -> P0 { P0(self.0 + "
        "o.0) } }",
        "P0(1) + P0(2)",
        "P0(3)",
    ),
    "a conversion": (
        "impl From<u8> for P0 { fn from(n: u8) -> P0 { P0(n) } }",
        "P0::from(9)",
        "P0(9)",
    ),
    "an own trait for all": (
        "trait Twice { fn twice(&self) -> u64; } "
        "impl<T: Into<u64> + Copy> Twice for T { fn twice(&self) -> u64 { (*self).into() * 2 } }",
        "5u8.twice()",
        "10",
    ),
    "an own trait for a foreign type": (
        "trait Loud { fn loud(&self) -> String; } "
        'impl Loud for str { fn loud(&self) -> String { self.to_uppercase() + "!" } }',
        '"a".loud()',
        '"A!"',
    ),
    "an iterator": (
        "struct Down(u8); impl Iterator for Down { type Item = u8; fn next(&mut self) -> "
        "Option<u8> "
        "{ self.0.checked_sub(1).inspect(|&n| self.0 = n) } }",
        "Down(3).collect::<Vec<_>>()",
        "[2, 1, 0]",
    ),
    "nested modules": (
        "mod a { pub mod b { pub fn f() -> u8 { super::g() } pub(crate) struct S; } fn g() -> "
        "u8 { 4 } }",
        "a::b::f()",
        "4",
    ),
    "a module that sees the cell's items": (
        "fn outer() -> u8 { 6 } mod sees { pub fn f() -> u8 { super::outer() } }",
        "sees::f()",
        "6",
    ),
    "imports alone": (
        "use std::collections::{BTreeMap, HashMap as Hashed};",
        "Hashed::<u8, u8>::new().len()",
        "0",
    ),
    # Not of `std::fmt`: its `Result` would be everybody's from then on, as in any module.
    "an import with a star": ("use std::f64::consts::*;", "PI > 3.0", "true"),
    "constants": ("const N: usize = 3; const T: [u8; N] = [N as u8; N];", "T", "[3, 3, 3]"),
    "a constant function": (
        "const fn sq(n: u32) -> u32 { n * n } const NINE: u32 = sq(3);",
        "NINE",
        "9",
    ),
    "a generic with a constant": (
        "struct Ring<const N: usize>([u8; N]); impl<const N: usize> Ring<N> { fn len(&self) -> "
        "usize { N } }",
        "Ring([0; 5]).len()",
        "5",
    ),
    "a lifetime": (
        "struct Words<'a> { text: &'a str } impl<'a> Words<'a> { fn first(&self) -> &'a str "
        "{ self.text.split(' ').next().unwrap_or(\"\") } }",
        'Words { text: "one two" }.first()',
        '"one"',
    ),
    "a trait with associated items": (
        "trait Shape { const SIDES: u8; type Unit: Default; fn unit() -> Self::Unit { "
        "Default::default() } } "
        "struct Tri; impl Shape for Tri { const SIDES: u8 = 3; type Unit = f32; }",
        "(Tri::SIDES, Tri::unit())",
        "(3, 0.0)",
    ),
    "doc comments and attributes": (
        "/// What it is.\n/** And more. */\n#[allow(dead_code)]\n#[derive(Debug)] #[repr(u8)]\n"
        "pub enum Doc { /// One.\n A = 1, #[allow(unused)] B = 2 }\n#[inline] #[must_use] fn "
        "d() -> u8 { Doc::B as u8 }",
        "d()",
        "2",
    ),
    "inner comments": ("//! About the cell.\nfn about() -> u8 { 8 }", "about()", "8"),
    "a macro": (
        "macro_rules! total { ($($x:expr),* $(,)?) => { 0 $(+ $x)* }; }",
        "total!(1, 2, 3,)",
        "6",
    ),
    "a macro that calls itself": (
        "macro_rules! count { () => { 0usize }; ($h:tt $($t:tt)*) => { 1usize + "
        "count!($($t)*) }; }",
        "count!(a b c)",
        "3",
    ),
    "a macro and its use in a function": (
        "macro_rules! seven { () => { 7u8 } } fn with_macro() -> u8 { seven!() }",
        "with_macro()",
        "7",
    ),
    "raw names": (
        "fn r#match(r#in: u8) -> u8 { r#in } mod r#async { pub const r#const: u8 = 2; }",
        "r#match(r#async::r#const)",
        "2",
    ),
    "unicode names": (
        'fn größe() -> &\'static str { "groß" } struct Ünit; mod möd { pub const Ä: u8 = 1; }',
        "(größe(), möd::Ä)",
        '("groß", 1)',
    ),
    "async functions": (
        "async fn one() -> u8 { 1 } async fn two() -> u8 { one().await + 1 } "
        "fn block<F: std::future::Future>(f: F) -> F::Output { let mut f = std::pin::pin!(f); "
        "let mut c = std::task::Context::from_waker(std::task::Waker::noop()); "
        "loop { if let std::task::Poll::Ready(x) = f.as_mut().poll(&mut c) { return x } } }",
        "block(two())",
        "2",
    ),
    "a function within a function": (
        "fn out() -> u8 { fn inner() -> u8 { struct S(u8); S(3).0 } inner() }",
        "out()",
        "3",
    ),
    "unsafe and extern": (
        'unsafe fn raw(p: *const u8) -> u8 { unsafe { *p } } extern "C" fn c_like(n: i32) -> '
        "i32 { n + 1 }",
        "(unsafe { raw(&5) }, c_like(1))",
        "(5, 2)",
    ),
    "an error type": (
        "#[derive(Debug)] enum Bad { Odd(u8) } impl std::fmt::Display for Bad { fn fmt(&self, "
        "f: &mut "
        'std::fmt::Formatter) -> std::fmt::Result { write!(f, "odd") } } impl '
        "std::error::Error for Bad {} "
        "fn even(n: u8) -> Result<u8, Bad> { if n % 2 == 0 { Ok(n) } else { Err(Bad::Odd(n)) } }",
        "even(2)?",
        "2",
    ),
    "an impl block of a generic": (
        "struct Stack<T> { of: Vec<T> } impl<T: Clone> Stack<T> { fn top(&self) -> Option<T> { "
        "self.of.last().cloned() } } "
        "impl Stack<u8> { fn sum(&self) -> u8 { self.of.iter().sum() } }",
        "(Stack { of: vec![1u8, 2] }.sum(), Stack { of: vec!['a'] }.top())",
        "(3, Some('a'))",
    ),
    "a path from the root": (
        "fn outer9() -> u8 { 6 } mod via { pub fn f() -> u8 { crate::outer9() } }",
        "via::f()",
        "6",
    ),
    "an inner attribute": ("#![allow(dead_code)]\nfn allowed() -> u8 { 8 }", "allowed()", "8"),
    "an import of an enum's variants": (
        "#[derive(Debug)] enum Dir { Left, Right } use Dir::*;",
        "(Left, Dir::Right)",
        "(Left, Right)",
    ),
    "an import of a module's all": (
        "mod all { pub fn of() -> u8 { 3 } pub struct It(pub u8); } use all::*;",
        "It(of()).0",
        "3",
    ),
    "a main function": (
        'fn main() { println!("{}", code()) } fn code() -> i32 { 5 }',
        "code()",
        "5",
    ),
    "a trait alias by a supertrait": (
        "trait Both: Copy + std::fmt::Debug {} impl<T: Copy + std::fmt::Debug> Both for T {} "
        'fn show(x: impl Both) -> String { format!("{x:?}") }',
        "show('a')",
        "\"'a'\"",
    ),
}


@pytest.mark.parametrize("story", ITEMS.values(), ids=ITEMS)
def test_an_item_cell_runs_twice(shelf, story):
    """An `impl` run again takes the place of the first: E0592 and E0119 are not for cells."""
    items, question, answer = story
    steps = [f"{SHOWN} struct P0(u8);"] if "P0" in items else []
    shelf.tell(*steps, items, items, (question, answer))


def test_a_changed_impl_takes_the_place_of_the_old(shelf):
    shelf.tell(
        f"{SHOWN} struct Ch(u8); let ch = Ch(1);",
        "impl Ch { fn up(&self) -> u8 { self.0 + 1 } }\nimpl Ch { fn down(&self) -> u8 { 0 } }",
        ("(ch.up(), ch.down())", "(2, 0)"),
        "impl Ch { fn up(&self) -> u8 { self.0 + 10 } }",
        ("(ch.up(), ch.down())", "(11, 0)"),
        "impl Iterator for Ch { type Item = u8; fn next(&mut self) -> Option<u8> { None } }",
        "impl Iterator for Ch { type Item = char; fn next(&mut self) -> Option<char> { "
        "Some('a') } }",
        ("ch.clone().next()", "Some('a')"),
        ("ch", "Ch(1)"),
    )


def test_impls_of_several_traits_do_not_replace_each_other(shelf):
    shelf.tell(
        f"{SHOWN} struct Sev(u8);",
        "impl From<u8> for Sev { fn from(n: u8) -> Self { Sev(n) } }",
        "impl From<bool> for Sev { fn from(n: bool) -> Self { Sev(n.into()) } }",
        ("(Sev::from(3u8), Sev::from(true))", "(Sev(3), Sev(1))"),
        'struct Gen<T>(T); impl Gen<u8> { fn kind(&self) -> &str { "u8" } }',
        'impl Gen<char> { fn kind(&self) -> &str { "char" } }',
        ("(Gen(1u8).kind(), Gen('a').kind())", '("u8", "char")'),
    )


def test_a_definition_changes_its_kind(shelf):
    shelf.tell(
        "struct Thing;",
        "enum Thing { A, B }",
        ("Thing::B as u8", "1"),
        "type Thing = u8;",
        ("Thing::MAX", "255"),
        "fn thing() -> u8 { 1 }",
        "const thing: u8 = 2;",
        ("thing", "2"),
        'static thing: &str = "s";',
        ("thing", '"s"'),
    )


def test_a_type_used_before_its_cell_ends(shelf):
    """Items may stand behind their use, and between statements."""
    shelf.tell(
        "let early = Late(5); #[derive(Debug)] struct Late(u8); let n = helper(&early);"
        " fn helper(l: &Late) -> u8 { l.0 }",
        ("(n, early.0)", "(5, 5)"),
        ("struct Loc; impl Loc { const C: u8 = 9; } Loc::C", "9"),
    )
