"""What stays: values of unchanged definitions, and everything when a cell fails."""

import pytest

from stories import fails, lost

SHOWN = "#[derive(Debug, Clone, PartialEq)]"

DEFINITIONS = {
    "a struct": (f"{SHOWN} struct Kept0 {{ a: u64 }}", "Kept0 { a: 5 }"),
    "an enum": (f"{SHOWN} enum Kept1 {{ On(u8), Off }}", "Kept1::On(5)"),
    "a generic": (f"{SHOWN} struct Kept2<T>(T);", 'Kept2("five")'),
    "a type in a module": (f"mod kept3 {{ {SHOWN} pub struct In(pub u8); }}", "kept3::In(5)"),
    "an alias": ("type Kept4 = Vec<u8>;", "Kept4::from([5])"),
    "two that hold each other": (
        f"{SHOWN} struct Leaf5(u8); {SHOWN} struct Tree5 {{ of: Vec<Tree5>, leaf: Leaf5 }}",
        "Tree5 { of: vec![], leaf: Leaf5(5) }",
    ),
    "a type by a macro": (
        f"macro_rules! make6 {{ ($n:ident) => {{ {SHOWN} struct $n(u8); }} }} make6!(Kept6);",
        "Kept6(5)",
    ),
    "a raw name": (f"{SHOWN} struct r#Kept7 {{ r#type: u8 }}", "Kept7 { r#type: 5 }"),
    "a unicode name": (f"{SHOWN} struct Größe8 {{ länge: u8 }}", "Größe8 { länge: 5 }"),
}


@pytest.mark.parametrize("story", DEFINITIONS.values(), ids=DEFINITIONS)
def test_the_same_definition_again_keeps_values(shelf, story):
    definition, value = story
    shelf.tell(
        f"{definition} let x = {value}; let list = vec![{value}, {value}];",
        definition,
        (f"x == {value} && list.len() == 2 && list[1] == x", "true"),
        definition.replace("; ", ";\n    ").replace(" {", "\n{"),
        (f"x == {value}", "true"),
    )


def test_an_impl_added_later_keeps_values(shelf):
    shelf.tell(
        f"{SHOWN} struct Grown {{ a: u64 }} let x = Grown {{ a: 5 }};",
        "impl Grown { fn twice(&self) -> u64 { self.a * 2 } }",
        ("x.twice()", "10"),
        "trait Third { fn third(&self) -> u64; } impl Third for Grown { fn third(&self) -> "
        "u64 { 3 } }",
        ("x.third() + x.twice()", "13"),
        "impl Grown { fn twice(&self) -> u64 { self.a * 20 } }",
        ("x.twice()", "100"),
        "impl Drop for Grown { fn drop(&mut self) {} }",
        ("x.twice()", "100"),
    )


def test_a_type_keeps_its_identity(shelf):
    shelf.tell(
        f"{SHOWN} struct Same(u8); use std::any::{{Any, TypeId}};",
        "let id = TypeId::of::<Same>(); let any: Box<dyn Any> = Box::new(Same(5));",
        "fn unrelated() -> u8 { 1 } struct Unrelated;",
        ("id == TypeId::of::<Same>() && any.downcast_ref::<Same>() == Some(&Same(5))", "true"),
        "impl Same { fn up(&self) -> u8 { self.0 + 1 } }",
        ("id == TypeId::of::<Same>()", "true"),
        ("any.downcast_ref::<Same>().map(|same| same.up())", "Some(6)"),
    )


def test_other_types_changing_leave_a_value_alone(shelf):
    shelf.tell(
        f"{SHOWN} struct Calm(u8); {SHOWN} struct Wild(u8); let calm = Calm(1); let wild = "
        f"Wild(2);",
        f"{SHOWN} struct Wild(String);",
        ("wild", lost("wild", "Wild(2)")),
        ("calm", "Calm(1)"),
        ("kept", "41"),
    )


def test_older_functions_call_the_newest(shelf):
    shelf.tell(
        "fn base() -> u32 { 1 }",
        "fn above() -> u32 { base() + 1 } mod deep { pub fn top() -> u32 { super::above() + 1 } }",
        ("deep::top()", "3"),
        "fn base() -> u32 { 10 }",
        ("deep::top()", "12"),
        "const EXTRA: u32 = 5; fn base() -> u32 { EXTRA }",
        ("deep::top()", "7"),
        "const EXTRA: u32 = 50;",
        ("deep::top()", "52"),
    )


def test_a_function_with_another_signature(shelf):
    shelf.tell(
        "fn shape(n: u8) -> u8 { n }",
        ("shape(3)", "3"),
        'fn shape(n: &str, m: f64) -> String { format!("{n}{m}") }',
        ('shape("a", 0.5)', '"a0.5"'),
        "fn shape<T: Clone>(n: T) -> (T, T) { (n.clone(), n) }",
        ("shape(1)", "(1, 1)"),
    )


FAILURES = {
    "a type error": ('let word = 5; let y: u32 = "a";', "E0308"),
    "an unknown name": ("values.push(9); missing_name", "E0425"),
    "a borrow error": ('let first = &values[0]; values.push(2); println!("{first}");', "E0502"),
    "a move in vain": ("let gone = values; let also = values;", "E0382"),
    "a definition that is wrong": ('fn number() -> u8 { "x" }', "E0308"),
    "a good definition behind a bad line": ("fn number() -> u8 { 9 } nothing_here();", "E0425"),
    "a syntax error": ("let values = vec![1, 2;", "expected|mismatched"),
    "a crate that is not there": ("use no_such_crate::Thing; let values = 1;", "E0432|E0433"),
    "a macro that is not there": ("let values = no_such_macro!(1);", "cannot find macro"),
    "a question that fails": ('Err::<(), String>("broken".into())?; values.push(9);', "broken"),
    "a panic": ('if number() == 7 { panic!("boom") } values.push(9);', "boom"),
    "an index": ("let n = values[10 + kept as usize]; values.push(9);", "out of bounds"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failing_cell_changes_nothing(shelf, failure):
    code, reason = failure
    shelf.tell(
        'let mut values = vec![1, 2, 3]; let word = "old"; fn number() -> u8 { 7 }',
        (code, fails(reason)),
        ("(values.len(), values[2], word, number())", '(3, 3, "old", 7)'),
    )


def test_what_a_failing_cell_had_done_is_seen(shelf):
    shelf.tell(
        "let mut count = 0; let list = vec![1];",
        ('count += 1;\nlet held = list;\nErr::<(), &str>("late")?;', fails("late")),
        ("count", "1"),
        ("list", fails("moved|lost")),
    )


def test_what_a_panicking_cell_moved_is_told(shelf):
    shelf.tell(
        "let stays = vec![1]; let goes = vec![2];",
        ('drop(goes);\npanic!("after the move");', fails("after the move", line=2)),
        ("stays", "[1]"),
        ("goes", fails(r"moved|lost")),
    )


def test_an_unfinished_assignment_keeps_the_old_value(shelf):
    """`?` on the right side of a `let` leaves what the name meant before."""
    shelf.tell(
        "let number = 1;",
        ('let number: i32 = "x".parse()?;', fails("invalid digit")),
        ("number", "1"),
    )
