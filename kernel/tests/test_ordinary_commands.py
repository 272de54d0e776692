"""Commands and shell lines: what is one, what is Rust, and what each does."""

import pytest

from stories import PATIENCE, Shelf, fails, told

RUST = {
    "on a line of its own, inside a let": (
        'let names = vec![String::from("a")];\nlet missing =\n    '
        '!names.contains(&String::from("b"));\nmissing',
        "true",
    ),
    "a variable": ("!quiet", "true"),
    "in parentheses": ("!(quiet)", "true"),
    "with an and": ("!quiet && true", "true"),
    "over two lines": ("!quiet\n    && kept == 41", "true"),
    "inside a call": ("[true, false].iter().filter(|&&b|\n    !b\n).count()", "1"),
    "behind an operator": ("let both = kept == 41 &&\n!quiet;\nboth", "true"),
    "behind a return": ("fn no(b: bool) -> bool {\n    return\n    !b\n}\nno(false)", "true"),
    "as the value of a block": ("let b = {\n    !quiet\n};\nb", "true"),
    "as the value of a branch": ("if kept == 41 {\n!quiet\n} else {\nquiet\n}", "true"),
    "of a number": ("!0u8", "255"),
    "twice": ("!!quiet", "false"),
    "a path in a struct's literal": (
        "#[derive(Debug)] struct Fl { a: bool }\nFl {\n    a:\n    !quiet\n}",
        "Fl { a: true }",
    ),
    "a type behind a colon": ("let n\n    : u8\n    = 5;\nn", "5"),
    "a path behind a newline": ("let n = std\n    ::cmp\n    ::max(1, 2);\nn", "2"),
    "a line of text that looks like a shell line": ('"a\n!ls\n:vars\nb".len()', "13"),
    "a comment that looks like a command": ('/*\n:dep nothing = "1"\n!false\n*/\n5', "5"),
    "a raw string that looks like commands": ('r#"\n:clear\n!exit 1\n"#.lines().count()', "3"),
}


@pytest.fixture(scope="module")
def quiet(plain_specs):
    """Kernels that have a variable which may stand behind a `!`."""
    shelf = Shelf(plain_specs, before="let quiet = false;")
    yield shelf
    shelf.close()


@pytest.mark.parametrize("story", RUST.values(), ids=RUST)
def test_rust_that_begins_like_a_command(quiet, story):
    """Problem cell C13, and colons."""
    quiet.tell(story)


SHELL = {
    "a word": ("!echo hello", "hello\n"),
    "a blank in front": ("  !echo hello", "hello\n"),
    "two lines": ("!echo one\n!echo two", "one\ntwo\n"),
    "a pipe": ("!printf 'b\\na\\n' | sort", "a\nb\n"),
    "quotes": ("!echo \"it's\" '$HOME'", "it's $HOME\n"),
    "above code": ('!echo first\nprintln!("second");', "first\nsecond\n"),
    "below code": ('println!("first");\n!echo second', "first\nsecond\n"),
}


@pytest.mark.parametrize("story", SHELL.values(), ids=SHELL)
def test_shell_lines_go_on_running(shelf, story):
    """What they say is output or a result, in the order of the lines."""
    code, output = story
    with shelf.lab() as lab:
        cell = lab.run(code, timeout=PATIENCE)
        assert cell.status == "ok", cell.error
        texts = [
            c.get("text") or c.get("data", {}).get("text/plain", "") for _, _, c in cell.messages
        ]
        assert "".join(texts) == output


def test_a_shell_line_that_fails_is_told(shelf):
    with shelf.lab() as lab:
        cell = lab.run("!exit 3", timeout=PATIENCE)
        assert "3" in told(cell)
        assert "not found" in told(lab.run("!no_such_program_here", timeout=PATIENCE))


def test_clear_forgets_what_the_user_made_and_nothing_else(own):
    """Problem cell F11."""
    with own.lab() as lab:
        lab.run("let gone = 1; fn lost() -> u8 { 1 } static S: u8 = 1; struct T;")
        assert lab.run(":clear", timeout=PATIENCE).status == "ok"
        quiet = lab.run('println!("hi")', timeout=PATIENCE)
        assert (quiet.stdout, quiet.result, quiet.status) == ("hi\n", None, "ok"), quiet.messages
        closure = lab.run("let c = |x: i32| x + 1;\nc(1)", timeout=PATIENCE)
        assert closure.result == "2", closure.error
        for name in ("gone", "lost()", "S", "T"):
            assert lab.run(name, timeout=PATIENCE).status == "error", name
        assert lab.run("let gone = 2.5; struct T(u8); let t = T(1);").status == "ok"
        assert lab.run("(gone, t.0)", timeout=PATIENCE).result == "(2.5, 1)"
        failing = lab.run('let e: u8 = "x".parse()?;', timeout=PATIENCE)
        assert "invalid digit" in failing.error
        assert lab.run("let kept = 41;").status == "ok"


def everything(cell):
    shown = [c.get("data", {}).get("text/plain", "") for _, _, c in cell.messages]
    payload = [p.get("data", {}).get("text/plain", "") for p in cell.reply.get("payload", [])]
    return "\n".join([told(cell), *shown, *payload])


def test_vars_lists_names_and_types(shelf):
    with shelf.lab() as lab:
        lab.run('let numbers = vec![1u8, 2]; let Word = "w"; let pair = (1u8, 0.5f64);')
        words = everything(lab.run(":vars", timeout=PATIENCE))
        for name, kind in {
            "numbers": "Vec<u8>",
            "Word": "str",
            "pair": "f64",
            "kept": "i32",
        }.items():
            line = [line for line in words.splitlines() if name in line]
            assert line and kind in words, words
        lab.run("drop(numbers);")
        assert "numbers" not in everything(lab.run(":vars", timeout=PATIENCE))


TYPES = {
    "a number": ("let n = 0.5f32;", "n", "f32"),
    "a generic": ('let many = vec![Some("a")];', "many", "Vec<Option<&str>>"),
    "a type of the user": ("struct Melody(u8); let m = Melody(1);", "m", "Melody"),
    "a capital name": ("let Many = (1u8, 'c');", "Many", "(u8, char)"),
}


@pytest.mark.parametrize("story", TYPES.values(), ids=TYPES)
def test_type_tells_a_variables_type(shelf, story):
    binding, name, kind = story
    with shelf.lab() as lab:
        assert lab.run(binding, timeout=PATIENCE).status == "ok"
        cell = lab.run(f":type {name}", timeout=PATIENCE)
        assert cell.status == "ok", cell.error
        found = everything(cell).replace("'static ", "").replace("alloc::vec::", "")
        assert kind in found.replace("core::option::", "").replace("std::option::", ""), found


def test_an_unknown_command_names_itself(shelf):
    shelf.tell((":no_such_command", fails("no_such_command")))


def test_help_and_version_answer(shelf):
    with shelf.lab() as lab:
        for command in (":help", ":version"):
            cell = lab.run(command, timeout=PATIENCE)
            assert cell.status == "ok" and len(everything(cell)) > 5, cell.error


def test_commands_and_code_in_one_cell(shelf):
    with shelf.lab() as lab:
        cell = lab.run(":vars\nlet after = 5;\nafter + 1", timeout=PATIENCE)
        assert cell.status == "ok" and cell.result == "6", cell.messages
