"""`?`, panics, async, threads and closures within cells."""

import pytest

from stories import fails, prints

QUESTIONS = {
    "in a statement": ('let a: u8 = "5".parse()?; let b = a + 1;', "b", "6"),
    "twice on a line": ('let a = "1".parse::<u8>()? + "2".parse::<u8>()?;', "a", "3"),
    "in a call": ("let s = String::from_utf8(vec![97])?;", "s", '"a"'),
    "in a chain": ('let c = "a".chars().next().ok_or("none")?;', "c", "'a'"),
    "in a block": ('let x = { let y: u8 = "5".parse()?; y };', "x", "5"),
    "in an if": ('let x = if kept == 41 { "4".parse::<u8>()? } else { 0 };', "x", "4"),
    "in a loop": (
        'let mut sum = 0; for word in ["1", "2"] { sum += word.parse::<u8>()?; }',
        "sum",
        "3",
    ),
    "in a match": ('let x = match kept { 41 => "7".parse::<u8>()?, _ => 0 };', "x", "7"),
    "in a macro": ('let s = format!("{}", "5".parse::<u8>()?);', "s", '"5"'),
    "of several error types": (
        'let a: u8 = "5".parse()?; let s = std::str::from_utf8(b"x")?.to_owned(); '
        'Err("no").or(Ok::<u8, &str>(1))?;',
        "(a, s)",
        '(5, "x")',
    ),
    "in a closure": (
        'let f = || -> Result<u8, std::num::ParseIntError> { Ok("5".parse::<u8>()? + 1) }; let '
        "x = f()?;",
        "x",
        "6",
    ),
    "in a function": (
        "fn read(s: &str) -> Result<u8, Box<dyn std::error::Error>> { Ok(s.parse()?) } let x = "
        'read("5")?;',
        "x",
        "5",
    ),
    "with a boxed error": (
        "let x = Ok::<u8, Box<dyn std::error::Error + Send + Sync>>(5)?;",
        "x",
        "5",
    ),
    "in a let else": (
        'let Some(x) = "a5".strip_prefix("a").map(|s| s.parse::<u8>()) else { panic!() }; '
        "let x = x?;",
        "x",
        "5",
    ),
}


@pytest.mark.parametrize("story", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_that_succeeds(shelf, story):
    code, question, answer = story
    shelf.tell((f"{code}\n{question}", answer))


ERRORS = {
    "of a number": ('let n = 1;\nlet a: u8 = "x".parse()?;', "invalid digit", 2),
    "of text": ('Err::<(), String>("one\\ntwo".into())?;', "one\ntwo", 1),
    "of a static text": ('\n\nErr::<u8, &str>("plain words")?', "plain words", 3),
    "boxed": ('Err::<(), Box<dyn std::error::Error>>("boxed".into())?;', "boxed", 1),
    "of an own type": (
        "#[derive(Debug)] struct Own(u8);\nErr::<(), Own>(Own(7))?;",
        r"Own\(7\)",
        2,
    ),
    "in a loop": ('for word in ["1", "z"] {\n    word.parse::<u8>()?;\n}', "invalid digit", 2),
    "as the last expression": ('let a = 1;\n"z".parse::<u8>()?', "invalid digit", 2),
}


@pytest.mark.parametrize("story", ERRORS.values(), ids=ERRORS)
def test_a_question_that_fails(shelf, story):
    code, reason, _ = story
    shelf.tell((code, fails(reason)))


def test_a_question_that_fails_names_its_line(shelf):
    """As a panic does: `From::from` of an error knows its caller."""
    shelf.tell(*[(code, fails(reason, line=line)) for code, reason, line in ERRORS.values()])


PANICS = {
    "a panic": ('let a = 1;\npanic!("boom {}", a);', "boom 1", 2),
    "an index": ("let v: Vec<i32> = vec![];\nv[3]", "out of bounds", 2),
    "an unwrap": ("let n: Option<u8> = None;\n\nn.unwrap();", "None", 3),
    "an expectation": ('Err::<u8, &str>("why").expect("it was");', "it was.*why", 1),
    "a division": ("let zero = kept - 41;\nkept / zero", "divide by zero", 2),
    "an assertion": ('let a = 1;\nassert_eq!(a, 2, "not {}", 2);', "not 2", 2),
    "a slice of text": ('let s = "é";\n&s[1..]', "char boundary|boundary", 2),
    "a borrow": (
        "let c = std::cell::RefCell::new(1);\nlet a = c.borrow_mut();\nlet b = c.borrow();",
        "borrowed",
        3,
    ),
    "a todo": ("fn later() { todo!() }\nlater();", "not yet implemented", 1),
    "an unreachable": ('let n = 1;\nif n == 1 {\n    unreachable!("here");\n}', "here", 3),
    "a panic of its own payload": ("std::panic::panic_any(5u8);", "Panic", 1),
    "in a closure": ('let f = || {\n    panic!("inside")\n};\nf()', "inside", 2),
    "in a function of the cell": ('fn bad() {\n    panic!("inside")\n}\nbad()', "inside", 2),
}


@pytest.mark.parametrize("story", PANICS.values(), ids=PANICS)
def test_a_panic_names_its_line(shelf, story):
    code, reason, line = story
    shelf.tell((code, fails(reason, line=line)))


def test_a_panic_in_a_function_of_another_cell_names_that_cell(shelf):
    with shelf.lab() as lab:
        count = lab.run('fn far() {\n\n    panic!("far away")\n}').reply["execution_count"]
        cell = lab.run("let before = 1;\nfar();")
        text = cell.error + "\n".join(cell.contents("error")[0]["traceback"])
        assert "far away" in text and "line 3" in text or "]:3" in text, text
        assert str(count) in text, text
        assert "lib.rs" not in text


FLOWS = {
    "a thread's result": ("std::thread::spawn(|| 5).join().unwrap()", "5"),
    "scoped threads": (
        "let v = vec![1, 2]; std::thread::scope(|s| s.spawn(|| v.len()).join().unwrap())",
        "2",
    ),
    "a channel": (
        "let (send, receive) = std::sync::mpsc::channel(); std::thread::spawn(move || "
        "send.send(3)); "
        "receive.recv()?",
        "3",
    ),
    "a panic that is caught": ('std::panic::catch_unwind(|| panic!("x")).is_err()', "true"),
    "an early return in a closure": (
        "let f = |x: u8| { if x == 0 { return 1; } x * 2 }; f(0) + f(3)",
        "7",
    ),
    "a recursive function": (
        "fn fib(n: u64) -> u64 { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(20)",
        "6765",
    ),
    "a mutating closure": ("let mut n = 0; let mut up = || n += 2; up(); up(); n", "4"),
    "labels": ("'a: for i in 0.. { for j in 0..3 { if i * j == 4 { break 'a; } } } 1", "1"),
    "a while let": (
        "let mut v = vec![1, 2]; let mut s = 0; while let Some(x) = v.pop() { s += x; } s",
        "3",
    ),
    "let chains": ("if let Some(x) = Some(5) && x > 4 { 1 } else { 0 }", "1"),
    "generic calls": ('"5".parse::<u8>().map_or_else(|_| 0, |n| n + 1)', "6"),
    "iterators": (
        "let mut v = vec![3, 1, 2]; v.sort_by_key(|x| std::cmp::Reverse(*x)); v",
        "[3, 2, 1]",
    ),
    "format with names": ('let w = 6; format!("{kept:>w$}|{:?}", "q")', '"    41|\\"q\\""'),
}


@pytest.mark.parametrize("story", FLOWS.values(), ids=FLOWS)
def test_a_flow(shelf, story):
    shelf.tell(story)


def test_closures_capture_variables_of_other_cells(shelf):
    shelf.tell(
        'let base = 10; let names = vec!["a", "b"]; let mut count = 0;',
        ("let add = |x: i32| x + base; add(5)", "15"),
        ('names.iter().map(|n| format!("{n}{base}")).collect::<Vec<_>>()', '["a10", "b10"]'),
        "(0..3).for_each(|x| count += x);",
        ("count", "3"),
        "let held: Box<dyn Fn() -> i32> = Box::new(move || base + 1);",
        ("held() + base", "21"),
        ("names.len()", "2"),
    )


def test_a_mutation_in_a_cell_lasts(shelf):
    shelf.tell(
        "let mut list = vec![1]; let mut map = std::collections::BTreeMap::<&str, u8>::new();",
        'list.push(2); map.insert("a", 1u8);',
        '*map.get_mut("a").unwrap() += 5; list[0] = 9;',
        ("(&list, &map)", '([9, 2], {"a": 6})'),
        "let first = &mut list[0]; *first += 1;",
        "std::mem::swap(&mut list, &mut vec![7, 7, 7]);",
        ("list.len()", "3"),
    )


def test_prints_and_a_debugged_value(shelf):
    shelf.tell(
        ('println!("a"); print!("b");', prints("a\nb")),
        ("dbg!(kept) + 1", debugged),
    )


def debugged(moment):
    """`dbg!` names the cell and its line, and no file."""
    cell = moment.cell
    assert cell.result == "42", moment.describe()
    assert "kept = 41" in cell.stderr and "1" in cell.stderr.split("kept")[0], cell.stderr
    assert "/" not in cell.stderr and ".rs" not in cell.stderr, cell.stderr
