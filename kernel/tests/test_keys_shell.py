"""The shell channel: cells one after the other, everything else at once."""

import json
import time
from queue import Empty

import pytest

from notebook import Notebook

# Far less than the cells below take, far more than an answer does.
AT_ONCE = 2.0
LONG_CELL = "std::thread::sleep(std::time::Duration::from_secs(6)); 7"


def ask(notebook, kind, content):
    """Sends a request; its id."""
    message = notebook.client.session.msg(kind, json.dumps(content).encode())
    notebook.client.shell_channel.send(message)
    return message["header"]["msg_id"]


def shell_message(notebook, seconds):
    return notebook.client.get_shell_msg(timeout=seconds)


def iopub_messages(notebook, seconds):
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            yield notebook.client.get_iopub_msg(timeout=left)
        except Empty:
            return


@pytest.fixture
def fresh(plain_specs):
    with Notebook(plain_specs) as notebook:
        yield notebook


def test_the_first_tab_is_answered_at_once(fresh):
    begun = time.monotonic()
    assert "println!(" in fresh.reply(fresh.client.complete("prin", 4))["matches"]
    fresh.reply(fresh.client.complete("String::fro", 11))
    assert time.monotonic() - begun < AT_ONCE


def test_a_variable_is_described_before_the_analyser_is_up(fresh):
    fresh.run("let x = vec![1u8];\n/// Doubles.\nfn double(a: u8) -> u8 { 2 * a }")
    reply = fresh.reply(fresh.client.inspect("x", 0))
    assert reply["found"] and "Vec<u8>" in reply["data"]["text/plain"]
    assert "text/html" in reply["data"]
    for code, cursor in (("x", 1), ("let y = x.len()", 8), ("double(x", 8), ("  x  ", 2)):
        reply = fresh.reply(fresh.client.inspect(code, cursor))
        assert "Vec<u8>" in reply["data"]["text/plain"], code
    reply = fresh.reply(fresh.client.inspect("double(", 7))
    assert "fn double(a: u8) -> u8" in reply["data"]["text/plain"]


def test_names_are_completed_before_the_analyser_is_up(fresh):
    fresh.run("use std::collections::BTreeMap;\nlet melody = 1;\nfn melt() {}\nstruct Melon;")
    assert fresh.reply(fresh.client.complete("mel", 3))["matches"] == ["melody", "melt"]
    assert fresh.reply(fresh.client.complete("let meld = 1; mel", 17))["matches"][0] == "meld"
    assert fresh.reply(fresh.client.complete("Mel", 3))["matches"] == ["Melon"]
    assert "BTreeMap" in fresh.reply(fresh.client.complete("BTr", 3))["matches"]
    assert ":dep" in fresh.reply(fresh.client.complete(":de", 3))["matches"]


@pytest.mark.parametrize(
    ("kind", "content", "reply"),
    [
        ("complete_request", {"code": "melo", "cursor_pos": 4}, "matches"),
        ("inspect_request", {"code": "melody", "cursor_pos": 0, "detail_level": 0}, "data"),
        ("is_complete_request", {"code": "fn f() {"}, "indent"),
        ("history_request", {"hist_access_type": "tail", "n": 1}, "history"),
        ("kernel_info_request", {}, "banner"),
        ("comm_info_request", {}, "comms"),
    ],
)
def test_requests_are_answered_while_a_cell_runs(plain, kind, content, reply):
    plain.run("let melody = 1u8;")
    cell = ask(plain, "execute_request", {"code": LONG_CELL, "silent": False})
    time.sleep(1.5)
    begun = time.monotonic()
    request = ask(plain, kind, content)
    answer = shell_message(plain, 6)
    assert time.monotonic() - begun < AT_ONCE
    assert answer["parent_header"]["msg_id"] == request
    assert answer["content"]["status"] in ("ok", "incomplete")
    assert reply in answer["content"] and answer["content"].get("found", True)
    while (answer := shell_message(plain, 20))["parent_header"]["msg_id"] != cell:
        pass
    assert answer["content"]["status"] == "ok"


def test_a_cell_sent_behind_a_tab_does_not_wait(fresh):
    fresh.client.complete("std::collections::HashM", 23)
    begun = time.monotonic()
    assert fresh.run("1 + 1").result == "2"
    assert time.monotonic() - begun < 10


def test_states_have_their_requests_and_the_kernel_stays_busy(plain):
    cell = ask(plain, "execute_request", {"code": LONG_CELL, "silent": False})
    time.sleep(1)
    tab = ask(plain, "complete_request", {"code": "prin", "cursor_pos": 4})
    states = []
    for message in iopub_messages(plain, 20):
        if message["msg_type"] == "status":
            states.append(
                (message["parent_header"]["msg_id"], message["content"]["execution_state"])
            )
            if states[-1] == (cell, "idle"):
                break
    assert [state for request, state in states if request == tab] == ["busy", "idle"]
    # A front end shows the last state it heard of: while the cell runs, that is busy.
    last_of_tab = states.index((tab, "idle"))
    assert (cell, "busy") in states[last_of_tab + 1 :]
    assert states[-1] == (cell, "idle")


def test_output_of_threads_belongs_to_a_cell(plain):
    cell = plain.run(
        "std::thread::spawn(|| for i in 0..20 { std::thread::sleep("
        'std::time::Duration::from_millis(100)); println!("tick {i}"); });'
    )
    assert cell.status == "ok"
    text, parents = "", set()
    for _ in range(30):
        for code in ("prin", "std::mem::sw"):
            plain.reply(plain.client.complete(code, len(code)))
        plain.reply(plain.client.inspect("println", 7))
        for message in iopub_messages(plain, 0.1):
            if message["msg_type"] == "stream":
                text += message["content"]["text"]
                parents.add(message["parent_header"]["msg_type"])
    assert [line for line in text.splitlines() if line] == [f"tick {i}" for i in range(20)]
    assert parents == {"execute_request"}


def test_cells_behind_a_failure_are_aborted_and_tabs_are_not(plain):
    cells = [ask(plain, "execute_request", {"code": code}) for code in ("1", "fail!", "2", "3")]
    tab = ask(plain, "complete_request", {"code": "prin", "cursor_pos": 4})
    replies = {}
    while len(replies) < 5:
        message = shell_message(plain, 60)
        replies[message["parent_header"]["msg_id"]] = message["content"]
    assert [replies[cell]["status"] for cell in cells] == ["ok", "error", "aborted", "aborted"]
    assert replies[tab]["status"] == "ok" and replies[tab]["matches"]
    assert plain.run("1 + 1").result == "2"


def test_people_type_on(plain):
    text = "std::collections::HashMap"
    requests = [plain.client.complete(text[:end], end) for end in range(5, len(text))]
    begun = time.monotonic()
    answered = [shell_message(plain, 20) for _ in requests]
    assert time.monotonic() - begun < 10
    assert [answer["parent_header"]["msg_id"] for answer in answered] == requests


MALFORMED = [
    ("complete_request", []),
    ("complete_request", {}),
    ("complete_request", {"code": 1, "cursor_pos": "x"}),
    ("complete_request", {"code": "abc", "cursor_pos": -1}),
    ("complete_request", {"code": "é♪", "cursor_pos": 99999999999999999999}),
    ("complete_request", {"code": "(" * 200_000, "cursor_pos": 100_000}),
    ("inspect_request", {"code": "f(" * 50_000, "cursor_pos": 100_000}),
    ("inspect_request", {"code": "!" * 100_000, "cursor_pos": 7}),
    ("inspect_request", {"code": None, "cursor_pos": None}),
    ("is_complete_request", {"code": "(" * 100_000 + ")" * 100_000}),
    ("is_complete_request", {"code": "!a" * 100_000}),
    ("is_complete_request", {"code": "-" * 19_000 + "1"}),
    ("inspect_request", {"code": "-" * 19_000 + "a", "cursor_pos": 19_000}),
    ("complete_request", {"code": "a." * 9_000, "cursor_pos": 18_000}),
    ("is_complete_request", 5),
    ("history_request", {"hist_access_type": {}, "n": "many", "pattern": []}),
    ("comm_info_request", "text"),
    ("comm_open", {}),
    ("comm_msg", {"comm_id": "no"}),
    ("no_such_request", {}),
]


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_nothing_ends_a_thread(plain, number):
    kind, content = MALFORMED[number]
    request = ask(plain, kind, content)
    states = []
    for message in iopub_messages(plain, 30):
        parent = message["parent_header"].get("msg_id")
        if message["msg_type"] == "status" and parent == request:
            states.append(message["content"]["execution_state"])
            if states[-1] == "idle":
                break
    assert states == ["busy", "idle"]
    assert plain.reply(plain.client.complete("prin", 4))["status"] == "ok"
    assert plain.reply(plain.client.is_complete("1 + 1")) == {"status": "complete"}
    assert plain.run("1 + 1").result == "2"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (r'br"C:\"', "complete"),
        (r'let path = cr#"C:\"#;', "complete"),
        ("let a =\n    !b;", "complete"),
        ("let a =", "incomplete"),
        ("let a =\n    !", "incomplete"),
        ("!ls", "complete"),
        ("let a = 1;\n!echo it's \"one", "complete"),
        ("if true {\n    !b", "incomplete"),
        (':dep a = { path = "(" }\nlet b = 1;', "complete"),
        ("fn first<'a>(s: &'a str) -> &'a str { s }", "complete"),
        ("let quote = '\"';", "complete"),
        (r"let quote = '\'';", "complete"),
        ("/* a /* b */ c", "incomplete"),
        ("let x = );", "invalid"),
    ],
)
def test_is_complete(plain, code, status):
    assert plain.reply(plain.client.is_complete(code))["status"] == status
