"""The stop button: while a cell compiles, while it listens, while it does not."""

import threading
import time

import pytest

from notebook import Notebook, descendants

# What the library's long loops do between batches.
LISTENING = """
    let mut steps = 0u64;
    println!("running");
    while !neural_composer::interrupt::requested() {
        std::thread::sleep(std::time::Duration::from_millis(5));
        steps += 1;
    }
    println!("stopped");
"""
DEAF = 'println!("running"); let mut n = 0u64; loop { n = std::hint::black_box(n + 1); }'
ROUNDS = 50


def interrupt_when_running(notebook, times=1):
    """Interrupts as soon as the cell says that it runs; notes when."""
    pressed = []

    def watch(kind, content):
        if kind == "stream" and "running" in content["text"] and not pressed:
            pressed.append(time.monotonic())
            for _ in range(times):
                notebook.interrupt()

    return watch, pressed


def test_fifty_interrupts_keep_every_variable(composer):
    composer.run("let kept = vec![1, 2, 3]; let mut total = 0u64;")
    for _ in range(ROUNDS):
        watch, pressed = interrupt_when_running(composer)
        cell = composer.run(LISTENING + "total += steps;", on_message=watch)
        ended = time.monotonic()
        assert cell.status == "ok", cell.error
        assert cell.stdout == "running\nstopped\n"
        assert ended - pressed[0] < 1.0
    assert composer.run("kept.len()").result == "3"
    assert int(composer.run("total").result) > 0
    # The flag of an interrupted cell does not reach the next one.
    assert composer.run("neural_composer::interrupt::requested()").result == "false"


def test_the_second_interrupt_ends_a_deaf_cell(plain_specs):
    with Notebook(plain_specs) as notebook:
        notebook.run("let precious = 1; let other = 2;")
        watch, _ = interrupt_when_running(notebook)
        started = notebook.start(DEAF)
        second = threading.Timer(4, notebook.interrupt)
        second.start()
        cell = notebook.finish(started, on_message=watch)
        second.join()
        assert cell.status == "error"
        assert cell.error.startswith("Interrupted")
        assert "other, precious" in cell.error
        assert "Interrupt again" in cell.stderr
        assert notebook.run("1 + 1").result == "2"


def test_interrupting_an_idle_kernel_does_nothing(plain):
    plain.run("let still_here = 1;")
    for _ in range(3):
        plain.interrupt()
    # The stop button's channel is not the cells': an interrupt may arrive after the next cell.
    time.sleep(1)
    assert plain.run("still_here").result == "1"


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.15, 0.2])
def test_interrupting_compilation_stops_it(plain, delay):
    """A cell that takes rustc many seconds, stopped at several moments."""
    plain.run("let survivor = 7;")
    functions = "".join(
        f'fn f{n}(v: &mut Vec<String>) {{ v.push(format!("{{}} {{:?}}", {n}, v)); v.sort(); }}\n'
        for n in range(600)
    )
    calls = "".join(f"f{n}(&mut v);" for n in range(600))
    started = plain.start(functions + "let mut v: Vec<String> = Vec::new();" + calls)
    time.sleep(delay)
    pressed = time.monotonic()
    plain.interrupt()
    cell = plain.finish(started)
    assert time.monotonic() - pressed < 2
    assert cell.status == "error" and "while compiling" in cell.error
    compilers = [p for p in descendants(plain.process_id) if "rustc" in command(p)]
    assert not compilers
    assert plain.run("survivor").result == "7"


def command(process_id: int) -> str:
    try:
        with open(f"/proc/{process_id}/comm") as file:
            return file.read()
    except OSError:
        return ""


def test_interrupting_a_question_to_the_user(plain):
    code = (
        'println!("EVCXR_INPUT_REQUEST:name? "); let mut line = String::new(); '
        'std::io::stdin().read_line(&mut line)?; println!("[{}]", line.trim());'
    )
    started = plain.start(code, allow_stdin=True)
    plain.client.get_stdin_msg(timeout=60)
    plain.interrupt()
    assert plain.finish(started).stdout == "[]\n"
