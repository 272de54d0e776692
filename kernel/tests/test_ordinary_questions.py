"""What a front end asks: whether code is complete, what a name is, what may follow."""

import time

import pytest

from notebook import Notebook

COMPLETENESS = {
    'br"C:\\"': "complete",
    'r"C:\\"': "complete",
    'cr"C:\\"': "complete",
    "let a =\n    !b;": "complete",
    "let a =\n    !b": "incomplete",
    'r#"a"b"#': "complete",
    'r#"a"': "incomplete",
    'br##"a"#b"##;': "complete",
    'br##"a"#b"#': "incomplete",
    '"C:\\"': "incomplete",
    '"a\\""': "complete",
    'b"a': "incomplete",
    "'\"'": "complete",
    "'\\''": "complete",
    "b'{'": "complete",
    "fn f<'a>(s: &'a str) -> &'a str { s }": "complete",
    "fn f<'a>(s: &'a str) {": "incomplete",
    "'out: loop { break 'out; }": "complete",
    "/* a /* b */": "incomplete",
    "/* a /* b */ c */ 1": "complete",
    "1 // {": "complete",
    "// only": "complete",
    '/* " */ 1': "complete",
    '// "\nlet a = 1;': "complete",
    "let r#fn = 1;": "complete",
    "!ls": "complete",
    ":vars": "complete",
    "!quiet": "complete",
    "match a {\n    1 => 2,": "incomplete",
    "vec![1,": "incomplete",
    "let a = 1 +": "incomplete",
    "a.b()\n    .c()": "complete",
    "struct S;": "complete",
    "#[derive(Debug)]": "incomplete",
    "let a = );": "invalid",
    "fn f() }": "invalid",
}


@pytest.mark.parametrize("code", COMPLETENESS)
def test_completeness(plain, code):
    """Problem cell C14."""
    reply = plain.reply(plain.client.is_complete(code))
    assert reply["status"] == COMPLETENESS[code], code


def test_a_name_is_described_at_once(plain_specs):
    """Problem cell C18: at position 0, in a kernel whose analyser is not up."""
    with Notebook(plain_specs) as notebook:
        notebook.run("let x = vec![1u8]; let long_name = 0.5f64; let r#type = 'c'; let Cap = 1i64;")
        for code, position, kind in [
            ("x", 0, "Vec<u8>"),
            ("x", 1, "Vec<u8>"),
            ("long_name", 4, "f64"),
            ("1 + long_name", 4, "f64"),
            ("r#type", 0, "char"),
            ("Cap", 0, "i64"),
        ]:
            begun = time.monotonic()
            request = notebook.client.inspect(code, position)
            reply = notebook.reply(request)
            assert time.monotonic() - begun < 3
            assert reply["found"], (code, position)
            assert kind in reply["data"]["text/plain"], reply["data"]["text/plain"]


def test_the_first_tab_is_answered_at_once(plain_specs):
    """Problem cell F12: and a cell sent behind it does not wait."""
    with Notebook(plain_specs) as notebook:
        begun = time.monotonic()
        request = notebook.client.complete("std::collections::HashM", 23)
        notebook.reply(request)
        assert time.monotonic() - begun < 2.5
        notebook.run("let melody_line = vec![1];")
        begun = time.monotonic()
        request = notebook.client.complete("melody_", 7)
        reply = notebook.reply(request)
        assert time.monotonic() - begun < 2.5
        assert any(match.startswith("melody_line") for match in reply["matches"])


def test_tab_works_while_a_cell_runs(plain_specs):
    with Notebook(plain_specs) as notebook:
        notebook.run("let melody_line = vec![1];")
        started = notebook.start("std::thread::sleep(std::time::Duration::from_secs(4)); 1 + 1")
        time.sleep(1.5)
        for ask in (
            lambda: notebook.client.complete("melody_", 7),
            lambda: notebook.client.is_complete("let a"),
            notebook.client.kernel_info,
        ):
            begun = time.monotonic()
            notebook.reply(ask())
            assert time.monotonic() - begun < 1.5
        assert notebook.finish(started).result == "2"
