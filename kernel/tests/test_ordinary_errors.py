"""Errors are about the cell: its number, its line, the user's own names, and nothing generated."""

import re

import pytest

from stories import PATIENCE, told

GENERATED = ["evcxr_", "neural_composer", "lib.rs", "/tmp", "VariableStore", "user_code"]

# Code, what it says, the line, and what must not be said.
ERRORS = {
    "a missing semicolon": (
        "let y = 5 // no semicolon",
        "semicolon|expected `;`",
        1,
        "found `evcxr",
    ),
    "an import that is not there": ("let a = 1;\nuse nope::X;", "nope", 2, ""),
    "an import of a name that is not there": ("use std::collections::NoMap;", "NoMap", 1, ""),
    "unsafe as the last expression": (
        "let p = &1u8 as *const u8;\n*p",
        "unsafe",
        2,
        r"format!",
    ),
    "an unsafe call as the last expression": (
        "unsafe fn f() -> u8 { 1 }\n\nf()",
        "unsafe",
        3,
        r"format!",
    ),
    "an unsafe call in a statement": ("unsafe fn f() -> u8 { 1 }\nlet a = f();", "unsafe", 2, ""),
    "an unknown name": ("\n\nlet a = missing_one;", "missing_one", 3, ""),
    "an unknown name at the end": ("let a = 1;\nmissing_two", "missing_two", 2, ""),
    "an unknown method": ("let a = 1u8;\na.no_method()", "no_method", 2, ""),
    "an unknown macro": ("no_macro!(1)", "no_macro", 1, ""),
    "a wrong argument": ('fn f(a: u8) {}\nf("x");', "mismatched", 2, ""),
    "a wrong result": ('fn f() -> u8 {\n    "x"\n}', "mismatched", 2, ""),
    "a wrong trait": ("struct S;\nimpl std::fmt::Display for S {}", "missing.*fmt|fmt", 2, ""),
    "a missing trait": ("struct S;\nfn f<T: Clone>(t: T) {}\nf(S);", "Clone", 3, ""),
    "a borrow": ("let mut v = vec![1];\nlet a = &v;\nv.push(1);\na.len()", "borrow", 3, ""),
    "a use after a move": ("let v = vec![1];\ndrop(v);\nv.len()", "moved", 3, ""),
    "a lifetime": ("let r;\n{\n    let n = 5;\n    r = &n;\n}\n*r", "live long enough", 4, ""),
    "a type that is not known": ("let v = Vec::new();", "type annotations|Vec<", 1, ""),
    "a wrong pattern": ("match Some(1) {\n    Some(x) => x,\n}", "None", 1, ""),
    "an immutable": ("let a = 1;\na = 2;", "immutable|twice", 2, ""),
    "an open brace": ("fn f() {\n    let a = 1;", "unclosed|delimiter|expected", None, ""),
    "a wrong brace": ("let a = (1];", "delimiter|mismatched|expected", 1, ""),
    "an unended text": ('let a = "x;', "unterminated|double quote", 1, ""),
    "a wrong number": ("let a = 256u8;", "256|out of range", 1, ""),
    "a constant that fails": ("const C: u8 = 0 - 1;", "overflow", 1, ""),
    "an overflow that is known": ("let a: u8 = 255 + 1;", "overflow", 1, ""),
    "a return out of the cell": (
        "let a = 1;\nreturn 5;",
        "mismatched|return",
        2,
        "Map<",
    ),
    "a break out of the cell": ("break;", "break", 1, ""),
    "a question on an option": ("let o: Option<u8> = None;\no?;", r"Option", 2, ""),
    "a reserved word": ("let fn = 1;", "fn|keyword|expected", 1, ""),
    "a derive of a wrong type": (
        "struct N;\n#[derive(Clone)]\nstruct M { n: N }",
        "Clone",
        3,
        "",
    ),
    "an error in a macro's body": (
        'macro_rules! bad { () => { let x: u8 = "a"; } }\nbad!();',
        "mismatched",
        None,
        "",
    ),
    "behind a wide character": ('let é = "♪♪"; let z: u8 = é;', "mismatched", 1, ""),
    "behind a tab": ('\tlet a: u8 =\n\t\t"x";', "mismatched", 2, ""),
    "a second error": ("let a: u8 = \"x\";\nlet b: u8 = 'c';", "mismatched", 2, ""),
}


@pytest.mark.parametrize("story", ERRORS.values(), ids=ERRORS)
def test_an_error_is_about_the_cell(shelf, story):
    code, reason, line, unsaid = story
    with shelf.lab() as lab:
        cell = lab.run(code, timeout=PATIENCE)
        words = told(cell)
        assert cell.status == "error", (cell.result, words)
        assert re.search(reason, words, re.DOTALL), words
        number = cell.reply["execution_count"]
        assert line is None or f"cell [{number}]:{line}" in words, words
        from_kernel = words.replace(code, "")
        for generated in GENERATED + ([unsaid] if unsaid else []):
            assert generated not in from_kernel, words


def test_an_error_in_an_older_function_names_its_cell(shelf):
    """A redefinition that breaks what an older cell said names that cell, or leaves it alone."""
    with shelf.lab() as lab:
        lab.run("fn part() -> u8 { 1 }")
        older = lab.run("fn whole() -> u8 {\n    part() + 1\n}").reply["execution_count"]
        change = lab.run("fn part() -> String { String::new() }", timeout=PATIENCE)
        asked = lab.run("whole()", timeout=PATIENCE)
        words = told(change) + told(asked)
        if "error" in (change.status, asked.status):
            assert "whole" in words or f"[{older}]" in words or f"cell {older}" in words, words
            assert "evcxr_" not in words and "lib.rs" not in words, words
        else:
            assert asked.result == "2"


def test_a_moved_variable_names_the_cell_that_moved_it(shelf):
    with shelf.lab() as lab:
        lab.run("let melody = vec![1];")
        number = lab.run("let other = melody;").reply["execution_count"]
        for question in ("melody", "melody.len()", "let m = &melody;", "fn f() {} drop(melody);"):
            words = told(lab.run(question, timeout=PATIENCE))
            assert "melody" in words and "moved" in words and str(number) in words, words


def test_an_overflow_is_told_or_can_be_checked(shelf):
    """`255 + 1` of bytes that only the run knows: 0 is not shown without a word."""
    with shelf.lab() as lab:
        cell = lab.run('255u8 + "1".parse::<u8>()?', timeout=PATIENCE)
        documented = told(lab.run(":help", timeout=PATIENCE)) + str(
            lab.run(":help", timeout=PATIENCE).reply.get("payload")
        )
        assert cell.status == "error" or "overflow" in told(cell) + documented, cell.messages


def test_warnings_are_not_errors(shelf):
    unused = "let unused = 5; fn never_used() {} struct Lonely; let mut not_mutated = (1);"
    shelf.tell((f"{unused} #[deprecated] fn old() {{}} old(); 5", "5"), ("unused", "5"))
