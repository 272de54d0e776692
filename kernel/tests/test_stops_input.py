"""Standard input of cells and of their children: an input box, or its end."""

import contextlib
import threading
import time
from queue import Empty

import pytest

from stories import PATIENCE, Shelf, tell

READINGS = {
    "a line": "let mut s = String::new(); let n = std::io::stdin().read_line(&mut s)?; n",
    "all of it": "std::io::read_to_string(std::io::stdin())?.len()",
    "through a lock": (
        "use std::io::Read; let mut all = vec![]; std::io::stdin().lock().read_to_end(&mut all)?"
    ),
    "line by line": "std::io::stdin().lines().count()",
    "bytes": "use std::io::Read; std::io::stdin().bytes().count()",
    "exactly five": (
        "use std::io::Read; let mut five = [0u8; 5]; "
        "std::io::stdin().read_exact(&mut five).map_or(0usize, |_| 5)"
    ),
    "by its descriptor": (
        "use std::{io::Read, os::fd::FromRawFd}; let mut five = [0u8; 5]; "
        "std::mem::ManuallyDrop::new("
        "unsafe { std::fs::File::from_raw_fd(0) }).read(&mut five)?"
    ),
    "by its file": 'std::fs::read("/dev/stdin")?.len()',
    "in a thread": (
        "std::thread::spawn(|| { let mut s = String::new(); "
        "std::io::stdin().read_line(&mut s).unwrap() }).join().unwrap()"
    ),
}


@pytest.mark.parametrize("code", READINGS.values(), ids=READINGS)
def test_without_an_input_box_it_is_at_its_end(shelf, code):
    with shelf.lab() as lab:
        cell = lab.run(code, timeout=PATIENCE, allow_stdin=False)
        assert cell.result == "0", (cell.error, cell.stderr)


class Answers:
    """Answers each question of the kernel with the next text, as a front end's input box does."""

    def __init__(self, notebook, texts):
        self.notebook, self.texts, self.asked = notebook, list(texts), 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.answer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def answer(self):
        while not self.ended.is_set():
            try:
                question = self.notebook.client.get_stdin_msg(timeout=0.1)
            except Empty:
                continue
            assert question["msg_type"] == "input_request"
            self.asked += 1
            if self.texts:
                self.notebook.client.input(self.texts.pop(0))


def test_with_an_input_box_a_line_is_asked_for_or_at_its_end(shelf):
    """Problem cell C7: never a cell that hangs."""
    with shelf.lab() as lab, Answers(lab, ["Clara"]) as answers:
        code = "let mut line = String::new(); std::io::stdin().read_line(&mut line)?; line"
        cell = lab.run(code, timeout=PATIENCE, allow_stdin=True)
        assert cell.result == ('"Clara\\n"' if answers.asked else '""'), cell.error
        # What the first cell did not take is not the next one's.
        cell = lab.run(READINGS["a line"], timeout=PATIENCE, allow_stdin=False)
        assert cell.result == "0", cell.error


def test_a_stop_ends_a_reading(shelf):
    with shelf.lab() as lab:
        started = lab.start(READINGS["a line"], allow_stdin=True)
        # Without a question it was at its end at once.
        with contextlib.suppress(Empty):
            lab.client.get_stdin_msg(timeout=10)
        pressed = time.monotonic()
        lab.interrupt()
        lab.finish(started, timeout=PATIENCE)
        assert time.monotonic() - pressed < 5
        assert lab.run("1 + 1").result == "2"


CHILDREN = {
    "cat": ('std::process::Command::new("cat").output()?.stdout.len()', "0"),
    "a child that shares everything": (
        'std::process::Command::new("sh").args(["-c", "read x; echo [$x]"]).status()?.code()',
        "Some(0)",
    ),
    "head": ('std::process::Command::new("head").args(["-c", "5"]).output()?.stdout.len()', "0"),
    "a grandchild": (
        'std::process::Command::new("sh").args(["-c", "(cat; cat) | wc -c | tr -d \' \'"])'
        ".output()?.stdout.len()",
        "2",
    ),
}


@pytest.mark.parametrize("story", CHILDREN.values(), ids=CHILDREN)
def test_a_child_meets_the_end_of_its_input(shelf, story):
    shelf.tell(story, ("kept", "41"))


def test_a_child_does_not_eat_the_next_cells(own, tmp_path):
    """Problem cell C8."""
    eater = 'std::process::Command::new("sh").args(["-c", "head -c 5 > eaten.txt"]).spawn()?'
    own.tell(f"let eater = {eater};", *[("1 + 1", "2")] * 5)
    assert (tmp_path / "eaten.txt").read_bytes() == b""


def test_a_shell_line_meets_the_end_of_its_input(shelf):
    with shelf.lab() as lab:
        cell = lab.run("!cat; echo over", timeout=PATIENCE)
        assert cell.stdout + (cell.result or "") == "over\n" and cell.status == "ok", cell.error


def test_no_descriptor_of_the_kernel_reaches_a_child(shelf):
    """A child sees the three standard ones, and the one that lists them."""
    with shelf.lab() as lab:
        code = 'std::process::Command::new("ls").arg("/proc/self/fd").output()?.stdout.len()'
        assert lab.run(code, timeout=PATIENCE).result == str(len("0\n1\n2\n3\n"))


def test_input_that_a_cell_has_closed(plain_specs):
    """Closing descriptor 0, or putting a file in its place, harms no later cell."""
    shelf = Shelf(plain_specs)
    try:
        with shelf.lab() as lab:
            close = 'unsafe extern "C" { fn close(fd: i32) -> i32; } unsafe { close(0) }'
            assert lab.run(close, timeout=PATIENCE).status == "ok"
            tell(lab, ("2 + 2", "4"), "let v = vec![1];", ("v.len()", "1"))
    finally:
        shelf.discard()
