"""Jupyter's own tests of kernels, every optional sample filled in, and what they leave out."""

import os

import jupyter_kernel_test
import pytest

from notebook import await_analyser

DISPLAY = (
    'println!("\\u{1e}neural-composer/1 {}", '
    'r#"{"op":"display","data":{"image/svg+xml":"<svg/>"}}"#);'
)
CLEAR = 'println!("\\u{1e}neural-composer/1 {}", r#"{"op":"clear"}"#);'


@pytest.fixture(scope="class", autouse=True)
def kernel_search_path(request, plain_specs):
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(os.path.dirname(plain_specs.kernel_dirs[0]))
    yield
    if before is None:
        del os.environ["JUPYTER_PATH"]
    else:
        os.environ["JUPYTER_PATH"] = before


class TestKernel(jupyter_kernel_test.KernelTests):
    kernel_name = "neural-composer"
    language_name = "rust"
    file_extension = ".rs"
    code_hello_world = 'println!("hello, world")'
    code_stderr = 'eprintln!("oh no")'
    completion_samples = [{"text": "std::collections::HashM", "matches": {"HashMap"}}]
    complete_code_samples = ["1 + 1", "fn f() {}", "let x = 5;", ":vars"]
    incomplete_code_samples = ["fn f() {", "let x =", 'println!("a', "/* comment"]
    invalid_code_samples = ["let x = );", "fn f() }"]
    code_page_something = ":help"
    code_generate_error = "missing_function()"
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "vec![1, 2]", "result": "[1, 2]"},
        {"code": '"song".len()', "result": "4"},
        {"code": "[0.5f32; 2]", "result": "[0.5, 0.5]"},
    ]
    code_display_data = [{"code": DISPLAY, "mime": "image/svg+xml"}]
    code_history_pattern = "1 +*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "std::fs::read_to_string"
    code_clear_output = CLEAR

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        await_analyser(cls.kc)


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "neural-composer"
    support_iopub_welcome = True


def test_comms_are_answered(plain):
    request = plain.client.comm_info()
    assert plain.reply(request) == {"status": "ok", "comms": {}}
    message = plain.client.session.msg(
        "comm_open", {"comm_id": "c1", "target_name": "no.such.target", "data": {}}
    )
    plain.client.shell_channel.send(message)
    while True:
        answer = plain.client.get_iopub_msg(timeout=30)
        if answer["msg_type"] == "comm_close":
            break
    assert answer["content"]["comm_id"] == "c1"


def test_execution_counts(plain):
    first = plain.run("1").reply["execution_count"]
    assert plain.run("2").reply["execution_count"] == first + 1
    assert plain.run("3", store_history=False).reply["execution_count"] == first + 1
    silent = plain.run("4", silent=True)
    assert silent.result is None and not silent.contents("execute_input")
    assert plain.run("5").contents("execute_input") == [{"code": "5", "execution_count": first + 2}]


def test_completion_counts_characters_and_knows_the_notebook(plain):
    plain.wait_for_analyser()
    plain.run("let melody = vec![1.5f32];\nfn play_melody(speed: f32) -> f32 { speed }")
    code = 'let é = "♪"; melody.le'
    reply = plain.reply(plain.client.complete(code, len(code)))
    assert any(match.startswith("len") for match in reply["matches"])
    assert reply["cursor_end"] == len(code)
    assert reply["cursor_start"] == len(code) - 2
    reply = plain.reply(plain.client.complete("play_m", 6))
    assert any(match.startswith("play_melody") for match in reply["matches"])


def test_inspection_of_a_call_in_progress(plain):
    plain.wait_for_analyser()
    plain.run("/// Plays it.\nfn play_song(speed: f32) -> f32 { speed }")
    code = "play_song(1.0, "
    reply = plain.reply(plain.client.inspect(code, len(code)))
    assert reply["found"]
    assert "play_song" in reply["data"]["text/plain"]
    assert "Plays it." in reply["data"]["text/html"]
