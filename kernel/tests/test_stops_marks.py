"""A cell's text that looks like a mark of the kernel neither ends nor hangs it."""

import pytest

from stories import PATIENCE

MARKS = {
    "the beginning of a content": 'println!("EVCXR_BEGIN_CONTENT x/y");',
    "with text behind it": 'println!("EVCXR_BEGIN_CONTENT x/y"); println!("more"); '
    'print!("still");',
    "without a type": 'println!("EVCXR_BEGIN_CONTENT ");',
    "two beginnings": 'for _ in 0..2 { println!("EVCXR_BEGIN_CONTENT text/plain\\nhello"); }',
    "an end without a beginning": 'println!("EVCXR_END_CONTENT");',
    "half a line": 'print!("EVCXR_BEGIN_CONTENT text/pl");',
    "on standard error": 'eprintln!("EVCXR_BEGIN_CONTENT x/y\\nhello");',
    "the word that ends a cell": 'println!("EVCXR_EXECUTION_COMPLETE"); println!("behind it");',
    "the word for a panic": 'println!("EVCXR_PANIC_NOTIFICATION");',
    "the word for an error": 'println!("EVCXR_ERROR_OCCURRED");',
    "a variable's word": 'println!("EVCXR_VARIABLE_CHANGED_TYPE:kept");',
    "from a child": (
        'std::process::Command::new("echo").args(["EVCXR_BEGIN_CONTENT x/y"]).status()?;'
    ),
    "the word that ends a cell, from a child": (
        'std::process::Command::new("echo").args(["EVCXR_EXECUTION_COMPLETE"]).status()?;'
    ),
    "the beginning of a display line": 'print!("\\u{1e}neural-composer/1 {{\\"op\\":\\"displ");',
    "a huge display line without an end": (
        'print!("\\u{1e}neural-composer/1 {}", "x".repeat(12 << 20));'
    ),
    "a file's text with all of them": (
        'for word in ["END_CONTENT", "BEGIN_CONTENT x", "EXECUTION_COMPLETE", "ERROR_OCCURRED"] '
        '{ println!("EVCXR_{word}"); eprintln!("EVCXR_{word}"); }'
    ),
}


@pytest.mark.parametrize("code", MARKS.values(), ids=MARKS)
def test_a_cell_that_prints_a_mark_ends(shelf, code):
    with shelf.lab() as lab:
        cell = lab.run(code, timeout=PATIENCE)
        assert cell.status == "ok", cell.error
        # The words of one cell are not continued in the next.
        following = lab.run('println!("hi"); 1 + 1', timeout=PATIENCE)
        assert (following.stdout, following.result) == ("hi\n", "2"), following.messages


TEXTS = {
    "the word that ends a cell": 'println!("a\\nEVCXR_EXECUTION_COMPLETE\\nb");',
    "a panic's word": 'println!("a\\nEVCXR_PANIC_NOTIFICATION\\nb");',
    "an error's word": 'println!("a\\nEVCXR_ERROR_OCCURRED\\nb");',
    "an end without a beginning": 'println!("a\\nEVCXR_END_CONTENT\\nb");',
}


@pytest.mark.parametrize("code", TEXTS.values(), ids=TEXTS)
def test_words_that_begin_nothing_are_shown(shelf, code):
    with shelf.lab() as lab:
        cell = lab.run(code, timeout=PATIENCE)
        assert cell.status == "ok", cell.error
        assert cell.stdout == code.split('"')[1].replace("\\n", "\n") + "\n"


def test_both_streams_keep_their_order(shelf):
    with shelf.lab() as lab:
        code = 'for i in 0..20 { eprintln!("e{i}"); println!("o{i}"); }'
        cell = lab.run(code, timeout=PATIENCE)
        words = " ".join(content["text"] for content in cell.contents("stream")).split()
        assert words == [word for i in range(20) for word in (f"e{i}", f"o{i}")]
        # Standard output is let out at a line's end, as in a terminal.
        mixed = lab.run(
            'println!("a"); eprint!("b"); println!("c"); eprintln!("d"); println!("e");'
        )
        assert "".join(c["text"] for c in mixed.contents("stream")) == "a\nbc\nd\ne\n"


def test_a_childs_output_keeps_its_place(shelf):
    with shelf.lab() as lab:
        child = (
            'std::process::Command::new("sh").args(["-c", "echo two; echo three >&2"]).status()?;'
        )
        cell = lab.run(f'println!("one"); {child} println!("four");', timeout=PATIENCE)
        words = "".join(content["text"] for content in cell.contents("stream")).split()
        assert words == ["one", "two", "three", "four"]
