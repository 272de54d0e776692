"""Variables of every spelling: kept, or kept for their cell with a note, or said to be moved."""

import pytest

from stories import any_of, fails, lost, notes

BOUND = {
    "a capital name": ("let X = vec![1.0f32, 2.0, 3.0];", "X.iter().sum::<f32>()", "6.0"),
    "capital names in a tuple": (
        "let (A, b) = (vec![1u8], vec![2u8]);",
        "A.len() + b.len()",
        "2",
    ),
    "a camel name": ("let mut MyCount = 1; MyCount += 1;", "MyCount", "2"),
    "a capital name with a type": ("let SIZE: usize = 4;", "SIZE + 1", "5"),
    "a capital name behind a reference": ("let &N = &5u8;", "N", "5"),
    "a capital name of a struct's field": (
        "struct Grid { W: u8, h: u8 } let Grid { W, h: H } = Grid { W: 3, h: 4 };",
        "W * H",
        "12",
    ),
    "a capital name like an enum's variant": (
        "enum Way { Up, Down } let Upper = Way::Up;",
        "matches!(Upper, Way::Up)",
        "true",
    ),
    "a raw name": ('let r#type = "t"; let r#match = 2;', "(r#type, r#match)", '("t", 2)'),
    "a unicode name": ("let größe = 3; let 音 = 4;", "größe * 音", "12"),
    "an underscore name": ("let _hidden = 3;", "_hidden", "3"),
    "names behind let else": (
        "let Some((a1, b1)) = Some((1, 2)) else { panic!() };",
        "a1 + b1",
        "3",
    ),
    "names of a slice": ("let [first, .., last] = [1, 2, 3];", "first + last", "4"),
    "names of a whole and its parts": ("let whole @ [p, _] = [1, 2];", "(whole, p)", "([1, 2], 1)"),
    "a name declared first": ("let later;\nlater = vec![1u8];", "later", "[1]"),
    "a name by a block": ("let made = { let inner = 2; inner * 3 };", "made", "6"),
    "a name by a match": (
        'let word = match 3 { 0 => "none", _ if true => "some", _ => "rest" };',
        "word",
        '"some"',
    ),
    "a name by a loop": (
        "let mut i = 0; let got = loop { i += 1; if i == 7 { break i * 2 } };",
        "got",
        "14",
    ),
    "an attribute": ("#[allow(unused_mut)] let mut alone = 1;", "alone", "1"),
    "a comment behind": ("let spoken = 1; // the end", "spoken", "1"),
    "several lines without a last semicolon's newline": (
        "let l1 = 1;\n\n/* mid */ let l2 = 2;",
        "l1 + l2",
        "3",
    ),
    "a boxed closure": ("let up: Box<dyn Fn(i32) -> i32> = Box::new(|x| x + 1);", "up(41)", "42"),
    "a function's pointer": ("let f: fn(u8) -> u8 = |x| x + 1;", "f(2)", "3"),
    "a function's name": ("let g = u8::max;", "g(2, 3)", "3"),
    "a long number": ("let wide = 1u128 << 100;", "wide", str(1 << 100)),
    "an empty vector with a type": ("let mut none: Vec<String> = vec![];", "none.len()", "0"),
    "an array of constants": ("let zeros = [[0u8; 3]; 2];", "zeros", "[[0, 0, 0], [0, 0, 0]]"),
    "a result": ('let parsed = "5".parse::<u8>();', "parsed", "Ok(5)"),
    "a thread's handle": ("let t = std::thread::spawn(|| 5);", "t.join().unwrap()", "5"),
    "a reference that is static": ('let s: &str = "static";', "s.len()", "6"),
    "a boxed trait": (
        'let shown: Box<dyn std::fmt::Display> = Box::new("x");',
        "shown.to_string()",
        '"x"',
    ),
    "nested generics": (
        'let map = std::collections::HashMap::from([(1u8, vec![Some("a")])]);',
        "map[&1][0]",
        'Some("a")',
    ),
    "a shadowed name": ("let n = 1; let n = n + 1; let n = n.to_string();", "n", '"2"'),
    "a shadow in a block": ("let n = 1; { let n = 5; let _ = n; }", "n", "1"),
}


@pytest.mark.parametrize("story", BOUND.values(), ids=BOUND)
def test_a_binding_is_kept(shelf, story):
    """Problem cell C1, and every other spelling."""
    binding, question, answer = story
    shelf.tell(binding, (question, answer))


CELL_ONLY = {
    "a closure": ("let c0 = |x: i32| x + 1;", "c0"),
    "a closure and a comment": ("let c1 = |x: i32| x + 1; // adds one", "c1"),
    "a closure on several lines": ("let c2 = |x: i32| {\n    x + 1\n};", "c2"),
    "a closure that captures": ("let c3 = move |x: i32| x + kept;", "c3"),
    "an iterator": ("let c4 = (0..3).map(|x| x * 2);", "c4"),
    "a filter of a range": ("let mut c5 = (0..9).filter(|x| x % 2 == 0);", "c5"),
    "a result of impl Iterator": (
        "fn f6() -> impl Iterator<Item = u32> { 0..3 }\nlet c6 = f6();",
        "c6",
    ),
    "a result of impl Fn": (
        "fn f7() -> impl Fn(i32) -> bool { |x| x % 2 == 0 }\nlet c7 = f7();",
        "c7",
    ),
    "a result of impl Trait in a pair": (
        "fn f8() -> (u8, impl std::fmt::Debug) { (1, 2) } let (n8, c8) = f8();",
        "c8",
    ),
    "a future": ("let c9 = async { 1 };", "c9"),
    "a future of an async function": ("async fn f10() -> u8 { 1 } let c10 = f10();", "c10"),
    "a closure in a tuple": ("let (c11, m11) = (|x: u8| x, 5);", "c11"),
    "a vector of closures": ("let c12 = vec![|x: i32| x + 1];", "c12"),
    "an option of a closure": ("let c13 = Some(|| 1);", "c13"),
    "a reference to a variable of its cell": ("let v14 = vec![1, 2]; let c14 = &v14[1..];", "c14"),
    "a reference to a variable of another cell": ("let c15 = &kept;", "c15"),
    "an iterator that borrows": ('let s16 = String::from("ab"); let c16 = s16.chars();', "c16"),
    "a capital closure": ("let C17 = |x: i32| x + 1;", "C17"),
}


@pytest.mark.parametrize("story", CELL_ONLY.values(), ids=CELL_ONLY)
def test_what_cannot_be_kept_is_for_its_cell(shelf, story):
    """Problem cells F6 and F8: the cell runs, and a note says so."""
    binding, name = story
    note = notes(rf"\b{name}\b")
    shelf.tell((binding, note))


def test_the_others_of_such_a_cell_are_kept(shelf):
    shelf.tell(
        ("let one = |x: i32| x + 1;\nkept + 1", "42"),
        ("let some = (0..3).map(|x| x * 2);\nsome.sum::<i32>()", "6"),
        "let n = 3; let add = |x: i32| x + n; let sums: Vec<i32> = (0..2).map(&add).collect();",
        ("(n, sums)", "(3, [3, 4])"),
        ('let text = String::from("abc"); let part = &text[1..]; part.len()', "2"),
        ("text", '"abc"'),
        ("let double = |x: i32| x * 2;\ndouble(kept)", "82"),
    )


MOVES = {
    "by a let": "let t = s;",
    "by a call": "drop(s);",
    "by a method": "let t = s.into_bytes();",
    "into a closure": "let f = move || s.len(); f();",
    "into a thread": "std::thread::spawn(move || s.len()).join().unwrap();",
    "in a branch": "if kept == 41 { drop(s); }",
    "in a branch not taken": "if kept == 0 { drop(s); }",
    "in a match": "match Some(1) { Some(_) => drop(s), None => {} }",
    "in a loop": "loop { drop(s); break; }",
    "into a struct": "struct Held { s: String } let held = Held { s };",
    "into a vector": "let list = vec![s];",
    "by a pattern": "let (a, b) = (s, 1);",
    "by a macro": "let list = vec![s; 1];",
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_moved_variable_is_said_to_be_moved(shelf, move):
    shelf.tell('let s = String::from("hello");', move, ("s", fails("moved")))


def test_a_result_does_not_move_the_variable_it_shows(shelf):
    shelf.tell(
        'let s = String::from("hello");', ("s", '"hello"'), ("s", '"hello"'), ("s.len()", "5")
    )


def test_a_moved_variable_is_assigned_anew(shelf):
    """Problem cell C17."""

    shelf.tell(
        'let mut s = String::from("hello");',
        "let t = s;",
        ('s = String::from("world");', any_of(None, fails("moved"))),
        ("s", any_of('"world"', fails("moved"))),
        ("t", '"hello"'),
    )


def test_a_move_and_a_new_value_in_one_cell(shelf):
    shelf.tell(
        'let mut s = String::from("a");',
        'let t = s; s = String::from("b");',
        ("(s.clone(), t.clone())", '("b", "a")'),
        'for _ in 0..3 { let moved = s; s = moved + "x"; }',
        ("s", '"bxxx"'),
        "let s = { let inner = s; inner.len() };",
        ("s", "4"),
    )


def test_a_moved_field_leaves_the_rest(shelf):
    shelf.tell(
        'struct Two { a: String, b: u8 } let two = Two { a: "a".into(), b: 5 };',
        "let a = two.a;",
        ("a", '"a"'),
        ("two.a", fails("moved")),
    )


def test_a_raw_pointer_over_cells(shelf):
    """Problem cell C21: never a silent wrong value."""

    def right(moment):
        if moment.cell.status == "ok" and moment.cell.result != "42":
            assert "pointer" in moment.so_far and "p" in moment.so_far, moment.describe()
        elif moment.cell.status == "error":
            fails(r"\bp\b|pointer")(moment)

    shelf.tell("let x = 42u32; let p = &x as *const u32;", ("unsafe { *p }", right))


def test_a_redefined_variable_is_of_its_new_type(shelf):
    shelf.tell(
        "let v = 1u8;",
        'let v = vec!["a"];',
        ("v", '["a"]'),
        "let v = 0.5; let w = v;",
        ("(v, w)", "(0.5, 0.5)"),
    )


def test_a_variable_of_a_redefined_function_type(shelf):
    """A function's name is a type of its own; another body may be another type."""
    shelf.tell(
        "fn inc(x: u8) -> u8 { x + 1 } let f = inc;",
        "fn inc(x: u8) -> u8 { x + 10 }",
        ("f(1)", any_of("11", lost("f", was="2"))),
    )
