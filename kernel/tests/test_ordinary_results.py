"""The last expression of a cell, of every form, is its result; and a page can bear it."""

import pytest

from stories import PATIENCE, Shelf, prints, told

RESULTS = {
    "a match": ('match kept { 41 => "yes", _ => "no" }', '"yes"'),
    "an if": ("if kept > 1 { 1 } else { 2 }", "1"),
    "an if let": ("if let Some(x) = Some(3) { x } else { 0 }", "3"),
    "a block": ("{ let a = 2; a * 2 }", "4"),
    "an unsafe block": ("unsafe { *(&5u8 as *const u8) }", "5"),
    "a labelled block": ("'out: { if kept == 41 { break 'out 7; } 8 }", "7"),
    "a loop with a value": ("let mut i = 0; loop { i += 1; if i > 4 { break i; } }", "5"),
    "a macro": ('format!("{}-{kept}", 1)', '"1-41"'),
    "a macro with brackets": ("vec![1, 2]", "[1, 2]"),
    "a macro with braces": ("vec!{1, 2}", "[1, 2]"),
    "an index of a place that cannot be copied": ('let v = vec![String::from("a")]; v[0]', '"a"'),
    "a field of a place that cannot be copied": ('let t = (String::from("a"), 1); t.0', '"a"'),
    "what a reference points at": ('let b = Box::new(String::from("a")); *b', '"a"'),
    "a string slice": ('let s = String::from("abc"); s[1..]', '"bc"'),
    "a slice": ("let v = vec![1, 2, 3]; v[1..]", "[2, 3]"),
    "a slice of a variable of another cell": ("let long = vec![1, 2]; &long[..1]", "[1]"),
    "a reference": ("&kept", "41"),
    "a chain over lines": ("(1..4)\n    .map(|x| x * x)\n    .sum::<i32>()", "14"),
    "a comparison": ("kept < 42", "true"),
    "a negation": ("!(kept == 1)", "true"),
    "a minus": ("-kept", "-41"),
    "a cast": ("kept as f64 / 2.0", "20.5"),
    "a range": ("1..=3", "1..=3"),
    "a closure that is called": ("(|x: i32| x + 1)(2)", "3"),
    "a struct literal": ("#[derive(Debug)] struct Lit { a: u8 } Lit { a: 1 }", "Lit { a: 1 }"),
    "a question": ('"5".parse::<u8>()?', "5"),
    "an option": ("Some(kept)", "Some(41)"),
    "a unit in a tuple": ("((), 1)", "((), 1)"),
    "a character": ("'é'", "'é'"),
    "bytes": ('b"ab"', "[97, 98]"),
    "a raw string": ('r#"a"b"#', '"a\\"b"'),
    "an expression and a comment": ("1 + 1 // two", "2"),
    "an expression in front of comments": ("1 + 1\n// two\n/* three */\n", "2"),
    "an expression in parentheses": ("(1 + 1)", "2"),
    "an expression behind a shebang": ("#!/usr/bin/env run-cargo-script\n1 + 1", "2"),
    "a return of a value by a function in it": ("fn five() -> u8 { return 5 } five()", "5"),
}


@pytest.mark.parametrize("story", RESULTS.values(), ids=RESULTS)
def test_a_last_expression_is_shown(shelf, story):
    shelf.tell(story)


# Nothing is shown for these.
SILENT = {
    "a unit": "()",
    "a semicolon": "1 + 1;",
    "an if without else": "if kept == 41 { let _ = 1; }",
    "a for": "for _ in 0..2 {}",
    "a while": "let mut n = 0; while n < 3 { n += 1; }",
    "an assignment": "let mut n = 0; n = kept",
    "a push": "let mut v = vec![1]; v.push(2)",
    "a unit function": "fn quiet() {} quiet()",
    "a unit by a question": "Ok::<(), String>(())?",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_a_unit_is_not_shown(shelf, code):
    shelf.tell((code, prints("")))


# A type with a display of its own, as the library's are: rich when it can be, Debug when it must.
RICH = """
#[derive(Debug)] struct Card { n: usize }
impl Card {
    fn of(v: Vec<u8>) -> Result<Card, String> { Ok(Card { n: v.len() }) }
    fn made(v: Vec<u8>) -> Card { Card { n: v.len() } }
    fn evcxr_display(&self) {
        println!("EVCXR_BEGIN_CONTENT text/html\\n<b>{}</b>\\nEVCXR_END_CONTENT", self.n);
    }
}
"""
MOVING = {
    "a question on a moved variable": "let q = vec![0u8; 3]; Card::of(q)?",
    "a moved variable": "let q = vec![0u8; 3]; Card::made(q)",
    "a moved variable of another cell": "Card::made(earlier)",
    "a variable that is the result": "let card = Card::made(vec![0u8; 3]); card",
    "a moved part": "let q = (vec![0u8; 3], 1); Card::made(q.0)",
    "a block that moves": "let q = vec![0u8; 3]; { let r = q; Card::made(r) }",
    "a match that moves": "let q = Some(vec![0u8; 3]); match q { Some(v) => Card::made(v), "
    "None => panic!() }",
    "a closure that moves": "let q = vec![0u8; 3]; (move || Card::made(q))()",
    "a method that consumes": "let q = Card::made(vec![0u8; 3]); std::convert::identity(q)",
    "a box": "let q = vec![0u8; 3]; Box::new(Card::made(q))",
    "a reference": "let q = Card::made(vec![0u8; 3]); &q",
}


@pytest.fixture(scope="module")
def cards(plain_specs):
    """Kernels that have the rich type, and a variable to move."""
    shelf = Shelf(plain_specs, before=RICH + "let earlier = vec![0u8; 3];")
    yield shelf
    shelf.close()


@pytest.mark.parametrize("code", MOVING.values(), ids=MOVING)
def test_a_last_expression_that_moves_is_shown_like_any_other(cards, code):
    """Problem cells D2 and X2, with a type of the cell's own."""
    with cards.lab() as lab:
        cell = lab.run(code, timeout=PATIENCE)
        assert cell.status == "ok", told(cell)
        shown = [c["data"] for _, k, c in cell.messages if k in ("execute_result", "display_data")]
        assert [data.get("text/html") for data in shown] == ["<b>3</b>"], shown


def test_a_value_without_debug_is_explained(shelf):
    """Its type is shown, and that it has no `Debug`, in the user's words."""
    no_debug = '"a value of type Mute, which has no Debug"'
    shelf.tell("struct Mute; fn mute() -> Mute { Mute }", ("mute()", no_debug.strip('"')))


BEARABLE = 300_000  # characters: some thousand lines
HUGE = {
    "a long vector": "vec![0.123456f32; 5_000_000]",
    "a long string": '"x".repeat(50_000_000)',
    "a long result": "Ok::<_, String>(vec![7u64; 5_000_000])",
    "many lines": '(0..500_000).map(|i| format!("line {i}\\n")).collect::<Vec<_>>()',
    "characters of several bytes": '"♪é".repeat(10_000_000)',
}


@pytest.mark.parametrize("code", HUGE.values(), ids=HUGE)
def test_a_huge_result_is_cut(shelf, code):
    """Problem cell F10: no result is longer than what a page can bear."""
    with shelf.lab() as lab:
        cell = lab.run(code, timeout=PATIENCE)
        assert cell.status == "ok", told(cell)
        assert cell.result is not None and 20 < len(cell.result) < BEARABLE, len(cell.result)
        sizes = sum(len(str(content)) for _, _, content in cell.messages)
        assert sizes < 2 * BEARABLE, sizes


def test_a_result_that_is_cut_says_so(shelf):
    with shelf.lab() as lab:
        cell = lab.run("vec![0u8; 1_000_000]", timeout=PATIENCE)
        words = cell.result + told(cell)
        assert cell.result.startswith("[0, 0") and ("…" in words or "..." in words), words[-500:]
        whole = lab.run("vec![0u8; 100]", timeout=PATIENCE)
        assert whole.result == str([0] * 100)
