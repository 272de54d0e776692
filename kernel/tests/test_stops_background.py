"""Threads of a cell: where their output goes, and what a stop reaches."""

import time
from queue import Empty

import pytest

from notebook import ROOT
from stories import PATIENCE, told
from test_keys_shell import iopub_messages

TICKS = (
    "std::thread::spawn(|| for i in 0..20 {{ "
    'std::thread::sleep(std::time::Duration::from_millis({pause})); println!("tick {{i}}"); }});'
)


def streams(notebook, seconds, asks=None):
    """What arrives in this time: (parent's type, its id, text); `asks` is called now and then."""
    found, asked, deadline = [], 0.0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        # Answers bring messages, too: what comes must be read faster than it is asked for.
        if asks and time.monotonic() > asked + 0.2:
            asked = time.monotonic()
            asks()
        try:
            message = notebook.client.get_iopub_msg(timeout=0.1)
        except Empty:
            continue
        if message["msg_type"] == "stream":
            parent = message["parent_header"]
            found.append((parent.get("msg_type"), parent.get("msg_id"), message["content"]["text"]))
    return found


REQUESTS = {
    "completions": lambda client: client.complete("std::col", 8),
    "descriptions": lambda client: client.inspect("kept", 4),
    "information": lambda client: client.kernel_info(),
}


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
def test_output_of_a_thread_lands_below_a_cell(shelf, ask):
    """Problem cell C10, and other requests than completion."""
    with shelf.lab() as lab:
        request, begun = lab.start(TICKS.format(pause=100))
        early = lab.finish((request, begun), timeout=PATIENCE)
        found = streams(lab, 3, lambda: ask(lab.client))
        words = early.stdout + "".join(text for _, _, text in found)
        assert words == "".join(f"tick {i}\n" for i in range(20))
        assert {kind for kind, _, _ in found} <= {"execute_request"}
        lab.client.get_shell_msg(timeout=60)
        while True:
            try:
                lab.client.get_shell_msg(timeout=1)
            except Empty:
                break


def test_output_of_a_thread_lands_below_the_cell_that_started_it(shelf):
    """Or it is told: the thread has printed before the next cell begins."""
    ticking = (
        'std::thread::spawn(|| for i in 0..20 { println!("tick {i}"); '
        "std::thread::sleep(std::time::Duration::from_millis(100)); });"
    )
    with shelf.lab() as lab:
        started = lab.start(ticking)
        early = lab.finish(started, timeout=PATIENCE)
        other = lab.run('println!("mine"); 1 + 1', timeout=PATIENCE)
        assert other.result == "2"
        told_there = "tick" in other.stdout and other.stderr
        assert other.stdout == "mine\n" or told_there, other.stdout
        assert "tick" in early.stdout or streams(lab, 3)


LATER_CELLS = {
    "a value": ("1 + 1", "ok"),
    "nothing": ("", "ok"),
    "a comment": ("// nothing runs", "ok"),
    "a command": (":vars", "ok"),
    "a shell line": ("!sleep 0.1", "ok"),
    "a mistake": ("no_such_name", "error"),
    "a panic": ('panic!("here")', "error"),
}


@pytest.mark.parametrize(("code", "status"), LATER_CELLS.values(), ids=LATER_CELLS)
def test_text_of_a_thread_is_below_its_cell_or_told_of(shelf, code, status):
    """Whenever it comes: many lines, so that some are on their way as cells begin and end."""
    often = (
        "std::thread::spawn(|| for i in 0..4000 { "
        'std::thread::sleep(std::time::Duration::from_millis(1)); println!("tick {i}"); });'
    )
    with shelf.lab() as lab:
        lab.run(often, timeout=PATIENCE)
        cells = []
        for _ in range(4):
            request, begun = lab.start(code)
            cell = lab.finish((request, begun), timeout=PATIENCE)
            assert cell.status == status, told(cell)
            # What comes before the next cell is this one's, too.
            late = streams(lab, 0.15)
            mine = [words for _, parent, words in late if parent == request]
            cells.append(cell.stdout + cell.stderr + "".join(mine))
        assert any("tick" in words for words in cells)
        for words in cells:
            assert words.count("an earlier cell started writes here") == ("tick" in words), words


def test_what_a_thread_shows_is_no_result_of_a_later_cell(shelf):
    """A figure that is shown between two cells belongs to the first of them."""
    shows = (
        "std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(400)); "
        'println!("EVCXR_BEGIN_CONTENT text/html\\n<b>late</b>\\nEVCXR_END_CONTENT"); });'
    )
    with shelf.lab() as lab:
        request, begun = lab.start(shows)
        lab.finish((request, begun), timeout=PATIENCE)
        time.sleep(0.5)
        lab.start("let silent = 1;")
        shown = [
            (message["parent_header"]["msg_id"], message["content"]["data"].get("text/html"))
            for message in iopub_messages(lab, 5)
            if message["msg_type"] in ("display_data", "execute_result")
        ]
        assert shown == [(request, "<b>late</b>")]


def test_what_is_shown_before_a_plain_result_is_not_lost(shelf):
    """By the cell itself, or by a thread of an earlier one while the cell runs."""
    show = 'println!("EVCXR_BEGIN_CONTENT text/html\\n<b>{}</b>\\nEVCXR_END_CONTENT", 1);'
    late = "std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(1500)); "
    stay = "std::thread::sleep(std::time::Duration::from_millis(2200));"
    with shelf.lab() as lab:
        own = lab.run(show + " 5", timeout=PATIENCE)
        lab.run(late + show + " });", timeout=PATIENCE)
        later = lab.run(stay + " 6", timeout=PATIENCE)
    for cell, result in ((own, "5"), (later, "6")):
        shown = [content["data"] for content in cell.contents("display_data")]
        assert shown == [{"text/html": "<b>1</b>"}]
        assert cell.result == result


def test_what_a_shell_line_leaves_behind_writes_below_its_cell(shelf):
    with shelf.lab() as lab:
        request, begun = lab.start("!sleep 1.5 && echo late &")
        lab.finish((request, begun), timeout=PATIENCE)
        lab.start("1 + 1")
        assert [(parent, text) for _, parent, text in streams(lab, 5)] == [(request, "late\n")]


def test_a_panic_of_a_thread_names_its_line_and_harms_nothing(shelf):
    with shelf.lab() as lab:
        cell = lab.run(
            'let joined =\n    std::thread::spawn(|| -> u8 {\n        panic!("in a thread")\n'
            "    }).join();\njoined.is_err()",
            timeout=PATIENCE,
        )
        assert cell.result == "true", cell.error
        assert "in a thread" in cell.stderr and "]:3:" in cell.stderr, cell.stderr
        assert "lib.rs" not in cell.stderr


BACKGROUND = """
use neural_composer::prelude::*;
let song = Song::open("{root}/datasets/songs/prelude.mp3")?;
let data = Dataset::from_songs(&[song.clone()], Recipe::Fast.dataset())?;
let config = NetworkConfig::stack(data.blocks().width(), [lstm(16)]);
let mut network = Network::new(config.clone(), &data, 1, &Device::cpu())?;
"""


@pytest.fixture(scope="module")
def studio(composer):
    """A kernel with the library, a song and a small network."""
    cell = composer.run(BACKGROUND.format(root=ROOT), timeout=3600)
    assert cell.status == "ok", cell.error
    assert composer.run("let kept = 41;").status == "ok"
    return composer


def test_one_stop_ends_a_loop_around_training(studio):
    """Problem cell F5."""
    code = (
        "let mut rounds = 0u32;\nloop {\n    rounds += 1;\n    let h = network.train(&data, "
        "Training::updates(20, data.len(), 8).seed(1))?;\n}"
    )
    for stop_after in (1.0, 2.5, 5.0):
        started = studio.start(code)
        time.sleep(stop_after)
        pressed = time.monotonic()
        studio.interrupt()
        cell = studio.finish(started, timeout=PATIENCE)
        assert time.monotonic() - pressed < 5
        # On a busy machine the first stop may come while the cell is compiled.
        stopped = "stopped by the user" in told(cell) or "stopped while compiling" in told(cell)
        assert cell.status == "ok" or stopped, told(cell)
        assert "lost" not in told(cell), told(cell)
        question = "(network.compose(0.5, Seed::training(&data, 1)?)?.audio().frames() > 0, kept)"
        assert studio.run(question, timeout=PATIENCE).result == "(true, 41)"


def test_a_stop_while_idle_reaches_training_in_a_thread(studio):
    studio.run("let mut apart = Network::new(config.clone(), &data, 1, &Device::cpu())?;")
    code = (
        "let copy = data.clone(); let training = std::thread::spawn(move || { "
        "apart.train(&copy, Training::epochs(1_000_000).seed(1)).is_ok() });"
    )
    assert studio.run(code, timeout=PATIENCE).status == "ok"
    assert studio.run("training.is_finished()").result == "false"
    studio.interrupt_and_wait()
    deadline = time.monotonic() + 10
    while studio.run("training.is_finished()").result != "true":
        assert time.monotonic() < deadline, "the training in the background goes on"
    # The flag is not left standing for the next cell.
    assert studio.run("neural_composer::interrupt::requested()").result == "false"
    assert studio.run("kept").result == "41"
